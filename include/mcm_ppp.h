/*
 * What kernel clients of mcm.sys say and hear on CO_ADDRESS_FAMILY_PPP: the media-specific blocks of calls, and SAPs.
 *
 * docs/ppp-clients.md shows how a client uses them. The header needs nothing but C99 (or C++) with an int of 32 and
 * a short of 16 bits, as with every compiler for Windows; include it after ndis.h or alone.
 *
 * All fields are little-endian. Names are counted strings of UTF-8, not terminated, which lie behind the fixed part; an
 * MCM_PPP_DATA tells where, from the start of the block. A later version of a block may only append to its fixed part,
 * and a driver takes a block of a later version than its own, so a client that wants what version 1 has fills in version
 * 1 for ever.
 *
 * Licence: MIT or Apache-2.0, at your option.
 */
#ifndef MCM_PPP_H
#define MCM_PPP_H

#ifdef __cplusplus
extern "C" {
#endif

/* AddressFamily of CO_ADDRESS_FAMILY: CO_ADDRESS_FAMILY_PPP of ndis.h. Versions 1, 0. */
#define MCM_PPP_ADDRESS_FAMILY 0x6
#define MCM_PPP_ADDRESS_FAMILY_MAJOR 1
#define MCM_PPP_ADDRESS_FAMILY_MINOR 0

/* CO_SPECIFIC_PARAMETERS.ParamType, CO_SAP.SapType, and the first field of every block: "PPoE" in memory. */
#define MCM_PPP_TYPE 0x456F5050

/* MCM_PPP_HEAD.Version. */
#define MCM_PPP_VERSION 1

/* Most bytes of a service name or an access concentrator's name, and of a Host-Uniq. */
#define MCM_PPP_NAME_MAX 128
#define MCM_PPP_HOST_UNIQ_MAX 64

/* Most bytes of a block in a make call and in a SAP. */
#define MCM_PPP_CALL_MAX 4096
#define MCM_PPP_SAP_MAX 1024

/* The PPP payload without RFC 4638, the least that can be asked for. */
#define MCM_PPP_PAYLOAD_DEFAULT 1492

/* Data behind the fixed part. Length 0: none, and then Offset does not count. */
typedef struct MCM_PPP_DATA {
    unsigned int Offset; /* bytes from the start of the block; not into the fixed part */
    unsigned int Length; /* bytes */
} MCM_PPP_DATA;

/* What every block begins with. */
typedef struct MCM_PPP_HEAD {
    unsigned int Type;        /* MCM_PPP_TYPE */
    unsigned short Version;   /* MCM_PPP_VERSION */
    unsigned short FixedSize; /* bytes of the fixed part: MCM_PPP_CALL_FIXED, ... */
    unsigned int Size;        /* bytes of the block: fixed part and data */
    unsigned int Flags;       /* 0 */
} MCM_PPP_HEAD;

/*
 * CO_MEDIA_PARAMETERS.MediaSpecific.Parameters of NdisClMakeCall. ParamType is MCM_PPP_TYPE, MediaSpecific.Length the
 * size of the block. The block may lie at any address.
 */
typedef struct MCM_PPP_CALL {
    MCM_PPP_HEAD Head;
    unsigned int MaxPayload;     /* largest PPP payload wanted (the MRU), 0 for 1492; more than 1492 asks for RFC 4638 */
    MCM_PPP_DATA ServiceName;    /* none: what the registry says, or any */
    MCM_PPP_DATA AcName;         /* the access concentrator's name; none: what the registry says, or any */
    MCM_PPP_DATA HostUniq;       /* opaque; none: what the registry says, or a random one */
} MCM_PPP_CALL;

/* Bytes of MCM_PPP_CALL, for Head.FixedSize. */
#define MCM_PPP_CALL_FIXED 44

/* CO_SAP.Sap of NdisClRegisterSap. SapType is MCM_PPP_TYPE, SapLength the size of the block. */
typedef struct MCM_PPP_SAP {
    MCM_PPP_HEAD Head;
    MCM_PPP_DATA ServiceName; /* calls for this service; none: for any */
} MCM_PPP_SAP;

/* Bytes of MCM_PPP_SAP, for Head.FixedSize. */
#define MCM_PPP_SAP_FIXED 24

/*
 * MediaParameters->MediaSpecific.Parameters in ProtocolClIncomingCall: the driver fills it in. ParamType is MCM_PPP_TYPE. A
 * client looks at Version and FixedSize of a driver's block as a driver does at a client's.
 */
typedef struct MCM_PPP_INCOMING_CALL {
    MCM_PPP_HEAD Head;
    unsigned int MaxPayload;      /* largest PPP payload of the session */
    unsigned char Caller[6];      /* the caller's Ethernet address */
    unsigned char Reserved[2];    /* 0 */
    MCM_PPP_DATA ServiceName;     /* the service asked for, as it was sent, cut at MCM_PPP_NAME_MAX; none: any */
} MCM_PPP_INCOMING_CALL;

/* Bytes of MCM_PPP_INCOMING_CALL. */
#define MCM_PPP_INCOMING_CALL_FIXED 36

/* A compiler that lays them out otherwise cannot compile these. */
typedef char MCM_PPP_CHECK_CALL[sizeof(MCM_PPP_CALL) == MCM_PPP_CALL_FIXED ? 1 : -1];
typedef char MCM_PPP_CHECK_SAP[sizeof(MCM_PPP_SAP) == MCM_PPP_SAP_FIXED ? 1 : -1];
typedef char MCM_PPP_CHECK_INCOMING[sizeof(MCM_PPP_INCOMING_CALL) == MCM_PPP_INCOMING_CALL_FIXED ? 1 : -1];

#if defined(_MSC_VER)
#define MCM_PPP_INLINE static __inline
#else
#define MCM_PPP_INLINE static inline
#endif

/* Fills in what a block begins with. Returns the bytes of the block so far: its fixed part. */
MCM_PPP_INLINE unsigned int McmPppBegin(MCM_PPP_HEAD *Head, unsigned short FixedSize)
{
    Head->Type = MCM_PPP_TYPE;
    Head->Version = MCM_PPP_VERSION;
    Head->FixedSize = FixedSize;
    Head->Size = FixedSize;
    Head->Flags = 0;
    return FixedSize;
}

/* An empty make call: any service of any access concentrator. Bytes of the block so far. */
MCM_PPP_INLINE unsigned int McmPppBeginCall(MCM_PPP_CALL *Call)
{
    static const MCM_PPP_DATA None = {0, 0};

    Call->MaxPayload = 0;
    Call->ServiceName = None;
    Call->AcName = None;
    Call->HostUniq = None;
    return McmPppBegin(&Call->Head, MCM_PPP_CALL_FIXED);
}

/* A SAP for any service. Bytes of the block so far. */
MCM_PPP_INLINE unsigned int McmPppBeginSap(MCM_PPP_SAP *Sap)
{
    Sap->ServiceName.Offset = 0;
    Sap->ServiceName.Length = 0;
    return McmPppBegin(&Sap->Head, MCM_PPP_SAP_FIXED);
}

/*
 * Appends data to a block that has Room bytes in all. Field is one of the block's. Returns the bytes of the block so
 * far, or 0 if there is no room; then nothing has changed.
 */
MCM_PPP_INLINE unsigned int McmPppAppend(
    MCM_PPP_HEAD *Head, unsigned int Room, MCM_PPP_DATA *Field, const void *Data, unsigned int Length)
{
    unsigned char *to = (unsigned char *)Head + Head->Size;
    const unsigned char *from = (const unsigned char *)Data;
    unsigned int index;

    if (Head->Size > Room || Length > Room - Head->Size) {
        return 0;
    }
    for (index = 0; index < Length; index++) {
        to[index] = from[index];
    }
    Field->Offset = Head->Size;
    Field->Length = Length;
    Head->Size += Length;
    return Head->Size;
}

/*
 * The data of a field of a block, Field->Length bytes; NULL if there is none, or if the block of Length bytes, as
 * MediaSpecific.Length or SapLength says, is not what it should be.
 */
MCM_PPP_INLINE const void *McmPppData(
    const MCM_PPP_HEAD *Head, unsigned int Length, unsigned short FixedSize, const MCM_PPP_DATA *Field)
{
    if (Length < sizeof(*Head) || Head->Type != MCM_PPP_TYPE || Head->Version < MCM_PPP_VERSION ||
        Head->FixedSize < FixedSize || Head->Size < Head->FixedSize || Head->Size > Length) {
        return 0;
    }
    if (Field->Length == 0 || Field->Offset < Head->FixedSize || Field->Offset > Head->Size ||
        Field->Length > Head->Size - Field->Offset) {
        return 0;
    }
    return (const unsigned char *)Head + Field->Offset;
}

#ifdef __cplusplus
}
#endif

#endif /* MCM_PPP_H */
