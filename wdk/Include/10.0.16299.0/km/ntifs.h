/* The WDK's file system header, of which drivers use run-time library routines. */
#pragma once

#include <ntddk.h>

/* Page "RtlRandomEx". */
ULONG RtlRandomEx(PULONG Seed);
