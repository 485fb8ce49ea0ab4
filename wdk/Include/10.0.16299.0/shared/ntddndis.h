/* What NDIS shares with user mode. Reference pages of ntddndis.h. */
#pragma once

#include <ntdef.h>
#include <ifdef.h>
#include <ntddndis/object.h>
#include <ntddndis/medium.h>
#include <ntddndis/oid.h>
#include <ntddndis/power.h>
#include <ntddndis/link.h>

/* Kinds of OID request. Page "NDIS_OID_REQUEST". */
typedef enum _NDIS_REQUEST_TYPE {
    NdisRequestQueryInformation,
    NdisRequestSetInformation,
    NdisRequestQueryStatistics,
    NdisRequestOpen,
    NdisRequestClose,
    NdisRequestSend,
    NdisRequestTransferData,
    NdisRequestReset,
    NdisRequestGeneric1,
    NdisRequestGeneric2,
    NdisRequestGeneric3,
    NdisRequestGeneric4,
    NdisRequestMethod,
} NDIS_REQUEST_TYPE, *PNDIS_REQUEST_TYPE;

