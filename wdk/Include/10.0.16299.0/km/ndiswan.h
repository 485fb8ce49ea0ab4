/* CoNDIS WAN. Reference pages of ndiswan.h. */
#pragma once

#include <ndis.h>

/* OID_WAN_CO_GET_INFO, OID_WAN_CO_SET_LINK_INFO, OID_WAN_CO_GET_LINK_INFO, OID_WAN_CO_GET_STATS_INFO. */
typedef struct _NDIS_WAN_CO_INFO {
    ULONG MaxFrameSize;
    ULONG MaxSendWindow;
    ULONG FramingBits;
    ULONG DesiredACCM;
} NDIS_WAN_CO_INFO, *PNDIS_WAN_CO_INFO;

typedef struct _NDIS_WAN_CO_SET_LINK_INFO {
    ULONG MaxSendFrameSize;
    ULONG MaxRecvFrameSize;
    ULONG SendFramingBits;
    ULONG RecvFramingBits;
    ULONG SendCompressionBits;
    ULONG RecvCompressionBits;
    ULONG SendACCM;
    ULONG RecvACCM;
} NDIS_WAN_CO_SET_LINK_INFO, *PNDIS_WAN_CO_SET_LINK_INFO;

typedef struct _NDIS_WAN_CO_GET_LINK_INFO {
    ULONG MaxSendFrameSize;
    ULONG MaxRecvFrameSize;
    ULONG SendFramingBits;
    ULONG RecvFramingBits;
    ULONG SendCompressionBits;
    ULONG RecvCompressionBits;
    ULONG SendACCM;
    ULONG RecvACCM;
} NDIS_WAN_CO_GET_LINK_INFO, *PNDIS_WAN_CO_GET_LINK_INFO;

typedef struct _NDIS_WAN_CO_GET_STATS_INFO {
    ULONG BytesSent;
    ULONG BytesRcvd;
    ULONG FramesSent;
    ULONG FramesRcvd;
    ULONG CRCErrors;
    ULONG TimeoutErrors;
    ULONG AlignmentErrors;
    ULONG SerialOverrunErrors;
    ULONG FramingErrors;
    ULONG BufferOverrunErrors;
    ULONG BytesTransmittedUncompressed;
    ULONG BytesReceivedUncompressed;
    ULONG BytesTransmittedCompressed;
    ULONG BytesReceivedCompressed;
    ULONG TunnelPacketsRecieved;
    ULONG TunnelRecievePacketsPending;
    ULONG TunnelPacketsIndicatedUp;
    ULONG TunnelRecievePacketsRejected;
    ULONG TunnelPacketsSent;
    ULONG TunnelPacketsSentComplete;
    ULONG TunnelTransmitPacketsPending;
    ULONG TunnelPacketsTransmitError;
    ULONG TunnelPacketsSentError;
    ULONG TunnelTransmitPacketsRejected;
    ULONG TunnelAcksSent;
    ULONG TunnelAcksSentComplete;
    ULONG TunnelGeneric1;
    ULONG TunnelGeneric2;
    ULONG TunnelGeneric3;
} NDIS_WAN_CO_GET_STATS_INFO, *PNDIS_WAN_CO_GET_STATS_INFO;

/* NDIS_STATUS_WAN_CO_LINKPARAMS, NDIS_STATUS_WAN_CO_MTULINKPARAMS, NDIS_STATUS_WAN_CO_FRAGMENT. Speeds in bytes per second. */
typedef struct _WAN_CO_LINKPARAMS {
    ULONG TransmitSpeed;
    ULONG ReceiveSpeed;
    ULONG SendWindow;
} WAN_CO_LINKPARAMS, *PWAN_CO_LINKPARAMS;

typedef struct _WAN_CO_MTULINKPARAMS {
    ULONG Version;
    ULONG TransmitSpeed;
    ULONG ReceiveSpeed;
    ULONG SendWindow;
    ULONG MTU;
} WAN_CO_MTULINKPARAMS, *PWAN_CO_MTULINKPARAMS;

typedef struct _NDIS_WAN_CO_FRAGMENT {
    ULONG Errors;
} NDIS_WAN_CO_FRAGMENT, *PNDIS_WAN_CO_FRAGMENT;

#define WAN_ERROR_CRC ((ULONG)0x00000001)
#define WAN_ERROR_FRAMING ((ULONG)0x00000002)
#define WAN_ERROR_HARDWAREOVERRUN ((ULONG)0x00000004)
#define WAN_ERROR_BUFFEROVERRUN ((ULONG)0x00000008)
#define WAN_ERROR_TIMEOUT ((ULONG)0x00000010)
#define WAN_ERROR_ALIGNMENT ((ULONG)0x00000020)

/* Framing bits. */
#define PPP_MULTILINK_FRAMING 0x00000010
#define PPP_SHORT_SEQUENCE_HDR_FORMAT 0x00000020
#define PPP_MC_MULTILINK_FRAMING 0x00000040
#define PPP_FRAMING 0x00000100
#define PPP_COMPRESS_ADDRESS_CONTROL 0x00000200
#define PPP_COMPRESS_PROTOCOL_FIELD 0x00000400
#define PPP_ACCM_SUPPORTED 0x00000800
#define TAPI_PROVIDER 0x80000000
