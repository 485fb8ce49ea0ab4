//! The binary interface, checked when the crate is compiled.
//!
//! Sizes and offsets that drivers and NDIS agree on, whichever headers the bindings were generated from. They are
//! those of x64 and of ARM64, in bytes, for a driver of contract 6.40.

#![allow(clippy::wildcard_imports, reason = "a table of most of the crate's structures")]

use crate::*;
use core::mem::{offset_of, size_of};

macro_rules! layout {
    ($($structure:ident $size:literal { $($field:ident @ $offset:literal),* $(,)? })*) => {$(
        const _: () = {
            assert!(size_of::<$structure>() == $size);
            $(assert!(offset_of!($structure, $field) == $offset);)*
        };
    )*};
}

macro_rules! revision {
    ($($constant:ident = $size:literal;)*) => {$( const _: () = assert!($constant == $size); )*};
}

// What `Size` of the object header says, which may leave out the end of the structure.
revision! {
    NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1 = 136;
    NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2 = 152;
    NDIS_SIZEOF_MINIPORT_CO_CHARACTERISTICS_REVISION_1 = 56;
    NDIS_SIZEOF_CO_CALL_MANAGER_OPTIONAL_HANDLERS_REVISION_1 = 136;
    NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2 = 28;
    NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2 = 224;
    NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_1 = 52;
    NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_2 = 60;
    NDIS_SIZEOF_MINIPORT_INTERRUPT_CHARACTERISTICS_REVISION_1 = 96;
    NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1 = 36;
    NDIS_SIZEOF_STATUS_INDICATION_REVISION_1 = 112;
    NDIS_SIZEOF_LINK_STATE_REVISION_1 = 40;
    NDIS_SIZEOF_STATISTICS_INFO_REVISION_1 = 152;
    NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1 = 24;
    NDIS_SIZEOF_OID_REQUEST_REVISION_1 = 236;
}

// Tables of entry points.
layout! {
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS 152 {
        Header @ 0, MajorNdisVersion @ 4, Flags @ 8, SetOptionsHandler @ 16, InitializeHandlerEx @ 24,
        HaltHandlerEx @ 32, UnloadHandler @ 40, PauseHandler @ 48, RestartHandler @ 56, OidRequestHandler @ 64,
        SendNetBufferListsHandler @ 72, ReturnNetBufferListsHandler @ 80, CancelSendHandler @ 88,
        CheckForHangHandlerEx @ 96, ResetHandlerEx @ 104, DevicePnPEventNotifyHandler @ 112,
        ShutdownHandlerEx @ 120, CancelOidRequestHandler @ 128, DirectOidRequestHandler @ 136,
        CancelDirectOidRequestHandler @ 144,
    }
    NDIS_MINIPORT_CO_CHARACTERISTICS 56 {
        Header @ 0, Flags @ 4, CoCreateVcHandler @ 8, CoDeleteVcHandler @ 16, CoActivateVcHandler @ 24,
        CoDeactivateVcHandler @ 32, CoSendNetBufferListsHandler @ 40, CoOidRequestHandler @ 48,
    }
    NDIS_CO_CALL_MANAGER_OPTIONAL_HANDLERS 144 {
        Header @ 0, Reserved @ 4, CmCreateVcHandler @ 8, CmDeleteVcHandler @ 16, CmOpenAfHandler @ 24,
        CmCloseAfHandler @ 32, CmRegisterSapHandler @ 40, CmDeregisterSapHandler @ 48, CmMakeCallHandler @ 56,
        CmCloseCallHandler @ 64, CmIncomingCallCompleteHandler @ 72, CmAddPartyHandler @ 80,
        CmDropPartyHandler @ 88, CmActivateVcCompleteHandler @ 96, CmDeactivateVcCompleteHandler @ 104,
        CmModifyCallQoSHandler @ 112, CmOidRequestHandler @ 120, CmOidRequestCompleteHandler @ 128,
        CmNotifyCloseAfCompleteHandler @ 136,
    }
    NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS 96 {
        InterruptHandler @ 8, InterruptDpcHandler @ 16, DisableInterruptHandler @ 24, EnableInterruptHandler @ 32,
        MsiSupported @ 40, MsiSyncWithAllMessages @ 41, MessageInterruptHandler @ 48,
        MessageInterruptDpcHandler @ 56, DisableMessageInterruptHandler @ 64, EnableMessageInterruptHandler @ 72,
        InterruptType @ 80, MessageInfoTable @ 88,
    }
    NDIS_TIMER_CHARACTERISTICS 24 { AllocationTag @ 4, TimerFunction @ 8, FunctionContext @ 16 }
    NDIS_SG_DMA_DESCRIPTION 40 {
        Flags @ 4, MaximumPhysicalMapping @ 8, ProcessSGListHandler @ 16, SharedMemAllocateCompleteHandler @ 24,
        ScatterGatherListSize @ 32,
    }
}

// Adapters.
layout! {
    NDIS_OBJECT_HEADER 4 { Type @ 0, Revision @ 1, Size @ 2 }
    NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES 32 {
        MiniportAdapterContext @ 8, AttributeFlags @ 16, CheckForHangTimeInSeconds @ 20, InterfaceType @ 24,
    }
    NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES 224 {}
    NDIS_PM_CAPABILITIES 60 {}
    NDIS_STATUS_INDICATION 112 {}
    NDIS_LINK_STATE 40 {}
    NDIS_STATISTICS_INFO 152 {}
}

// Call parameters.
layout! {
    CO_CALL_PARAMETERS 24 { Flags @ 0, CallMgrParameters @ 8, MediaParameters @ 16 }
    CO_CALL_MANAGER_PARAMETERS 76 { Transmit @ 0, Receive @ 32, CallMgrSpecific @ 64 }
    CO_MEDIA_PARAMETERS 32 { Flags @ 0, ReceivePriority @ 4, ReceiveSizeHint @ 8, MediaSpecific @ 16 }
    CO_SPECIFIC_PARAMETERS 12 { ParamType @ 0, Length @ 4, Parameters @ 8 }
    FLOWSPEC 32 {
        TokenRate @ 0, TokenBucketSize @ 4, PeakBandwidth @ 8, Latency @ 12, DelayVariation @ 16, ServiceType @ 20,
        MaxSduSize @ 24, MinimumPolicedSize @ 28,
    }
    CO_ADDRESS_FAMILY 12 { AddressFamily @ 0, MajorVersion @ 4, MinorVersion @ 8 }
    CO_SAP 12 { SapType @ 0, SapLength @ 4, Sap @ 8 }
    CO_PVC 24 {}
    NDIS_VAR_DATA_DESC 16 { Length @ 0, MaximumLength @ 2, Offset @ 8 }
}

// WAN.
layout! {
    NDIS_WAN_CO_INFO 16 { MaxFrameSize @ 0, MaxSendWindow @ 4, FramingBits @ 8, DesiredACCM @ 12 }
    NDIS_WAN_CO_GET_LINK_INFO 32 {}
    NDIS_WAN_CO_SET_LINK_INFO 32 {}
    NDIS_WAN_CO_GET_STATS_INFO 116 {}
    WAN_CO_LINKPARAMS 12 {}
    WAN_CO_MTULINKPARAMS 20 {}
}

// TAPI.
layout! {
    CO_TAPI_CM_CAPS 12 {}
    CO_TAPI_LINE_CAPS 300 { ulLineID @ 0, ulFlags @ 4, LineDevCaps @ 8 }
    CO_TAPI_ADDRESS_CAPS 240 { ulLineID @ 0, ulAddressID @ 4, ulFlags @ 8, LineAddressCaps @ 12 }
    CO_TAPI_CALL_DIAGNOSTICS 24 { ulOrigin @ 0, ulReason @ 4, DiagInfo @ 8 }
    CO_AF_TAPI_SAP 12 { ulLineID @ 0, ulAddressID @ 4, ulMediaModes @ 8 }
    CO_AF_TAPI_MAKE_CALL_PARAMETERS 48 {
        ulLineID @ 0, ulAddressID @ 4, ulFlags @ 8, DestAddress @ 16, LineCallParams @ 32,
    }
    CO_AF_TAPI_INCOMING_CALL_PARAMETERS 32 { ulLineID @ 0, ulAddressID @ 4, ulFlags @ 8, LineCallInfo @ 16 }
    LINE_DEV_CAPS 292 {
        ulProviderInfoSize @ 12, ulProviderInfoOffset @ 16, ulPermanentLineID @ 28, ulLineNameSize @ 32,
        ulStringFormat @ 40, ulAddressModes @ 44, ulNumAddresses @ 48, ulBearerModes @ 52, ulMaxRate @ 56,
        ulMediaModes @ 60, ulDevCapFlags @ 112, ulMaxNumActiveCalls @ 116, ulLineStates @ 128,
        MinDialParams @ 156, MaxDialParams @ 172, DefaultDialParams @ 188, ulLineFeatures @ 236,
        PermanentLineGuid @ 252, ulAddressTypes @ 268, ProtocolGuid @ 272, ulAvailableTracking @ 288,
    }
    LINE_ADDRESS_CAPS 228 {
        ulLineDeviceID @ 12, ulAddressSharing @ 32, ulAddressStates @ 36, ulCallInfoStates @ 40, ulCallStates @ 64,
        ulDisconnectModes @ 80, ulMaxNumActiveCalls @ 84, ulAddrCapFlags @ 104, ulCallFeatures @ 108,
        ulAddressFeatures @ 176, ulAvailableMediaModes @ 224,
    }
    LINE_CALL_PARAMS 180 {
        ulTotalSize @ 0, ulBearerMode @ 4, ulMinRate @ 8, ulMaxRate @ 12, ulMediaMode @ 16, ulCallParamFlags @ 20,
        ulAddressMode @ 24, ulAddressID @ 28, DialParams @ 32, ulCalledPartySize @ 64, ulUserUserInfoSize @ 80,
        ulDevSpecificSize @ 104, ulAddressType @ 176,
    }
    LINE_CALL_INFO 344 {
        ulLineDeviceID @ 16, ulAddressID @ 20, ulBearerMode @ 24, ulRate @ 28, ulMediaMode @ 32, ulCallStates @ 52,
        ulOrigin @ 80, ulReason @ 84, ulCallerIDFlags @ 108, ulCalledIDFlags @ 128,
    }
}
