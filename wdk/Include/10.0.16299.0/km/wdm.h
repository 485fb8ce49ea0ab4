/* The kernel. Reference pages of wdm.h. */
#pragma once

#include <ntdef.h>
#include <ntstatus.h>
#include <wdm/irql.h>
#include <wdm/memory.h>
#include <wdm/object.h>
#include <wdm/synchronization.h>
#include <wdm/system.h>
#include <wdm/resource.h>
