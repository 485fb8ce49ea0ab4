/* The WDK's general driver header; all that is used of it is in wdm.h. */
#pragma once

#include <wdm.h>
