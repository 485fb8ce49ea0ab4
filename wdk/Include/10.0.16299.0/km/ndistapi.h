/* TAPI for NDIS WAN drivers, version 3.0 (the build defines NDIS_TAPI_CURRENT_VERSION as 0x00030000). Reference pages of ndistapi.h. */
#pragma once

#include <ndis.h>
#include <ndistapi/constants.h>
#include <ndistapi/line.h>
#include <ndistapi/tapi.h>
