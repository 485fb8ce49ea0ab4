//! The `NdisMCm*` routines that C has as macros.
//!
//! ndis.lib has no symbol for them: each stands for an export that call managers of every kind share, with the
//! same arguments in the same order. The routines of the family that are exports of their own
//! (`NdisMCmCreateVc`, `NdisMCmActivateVc` ...) are among the generated bindings.

use crate::{
    NDIS_HANDLE, NDIS_STATUS, NdisCmAddPartyComplete, NdisCmCloseAddressFamilyComplete,
    NdisCmCloseCallComplete, NdisCmDeregisterSapComplete, NdisCmDispatchCallConnected,
    NdisCmDispatchIncomingCall, NdisCmDispatchIncomingCallQoSChange, NdisCmDispatchIncomingCloseCall,
    NdisCmDispatchIncomingDropParty, NdisCmDropPartyComplete, NdisCmMakeCallComplete,
    NdisCmModifyCallQoSComplete, NdisCmNotifyCloseAddressFamily, NdisCmOpenAddressFamilyComplete,
    NdisCmRegisterSapComplete, NdisCoOidRequestComplete, PCO_CALL_PARAMETERS, PNDIS_OID_REQUEST, UINT,
};
use wdk_sys::PVOID;

macro_rules! forward {
    ($($(#[$doc:meta])* $name:ident = $export:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// Handles and pointers must be those NDIS gave to this call manager, still alive, at the IRQL stated above
        /// and with no spin lock held: NDIS may call back into the driver before this returns.
        #[inline]
        #[allow(non_snake_case, reason = "the name the documentation gives it")]
        #[allow(clippy::too_many_arguments, reason = "the interface is NDIS's")]
        pub unsafe fn $name($($argument: $type),*) $(-> $result)? {
            // SAFETY: The caller keeps the contract of the export, which is that of the macro.
            unsafe { $export($($argument),*) }
        }
    )*};
}

forward! {
    /// Completes a pended `ProtocolCoOidRequest`. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmOidRequestComplete = NdisCoOidRequestComplete(
        af: NDIS_HANDLE, vc: NDIS_HANDLE, party: NDIS_HANDLE, request: PNDIS_OID_REQUEST, status: NDIS_STATUS,
    );
    /// Completes a pended `ProtocolCmOpenAf`. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmOpenAddressFamilyComplete = NdisCmOpenAddressFamilyComplete(
        status: NDIS_STATUS, af: NDIS_HANDLE, af_context: NDIS_HANDLE,
    );
    /// Asks the client to close an address family: success, or pending until `ProtocolCmNotifyCloseAfComplete`.
    /// IRQL = `PASSIVE_LEVEL`.
    #[must_use]
    NdisMCmNotifyCloseAddressFamily = NdisCmNotifyCloseAddressFamily(af: NDIS_HANDLE) -> NDIS_STATUS;
    /// Completes a pended `ProtocolCmCloseAf`. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmCloseAddressFamilyComplete = NdisCmCloseAddressFamilyComplete(status: NDIS_STATUS, af: NDIS_HANDLE);
    /// Completes a pended `ProtocolCmRegisterSap`. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmRegisterSapComplete = NdisCmRegisterSapComplete(
        status: NDIS_STATUS, sap: NDIS_HANDLE, sap_context: NDIS_HANDLE,
    );
    /// Completes a pended `ProtocolCmDeregisterSap`. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmDeregisterSapComplete = NdisCmDeregisterSapComplete(status: NDIS_STATUS, sap: NDIS_HANDLE);
    /// Completes a pended `ProtocolCmMakeCall`; the call parameters are the client's again. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmMakeCallComplete = NdisCmMakeCallComplete(
        status: NDIS_STATUS, vc: NDIS_HANDLE, party: NDIS_HANDLE, party_context: NDIS_HANDLE,
        parameters: PCO_CALL_PARAMETERS,
    );
    /// Completes a pended `ProtocolCmCloseCall`. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmCloseCallComplete = NdisCmCloseCallComplete(status: NDIS_STATUS, vc: NDIS_HANDLE, party: NDIS_HANDLE);
    /// Completes a pended `ProtocolCmAddParty`. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmAddPartyComplete = NdisCmAddPartyComplete(
        status: NDIS_STATUS, party: NDIS_HANDLE, party_context: NDIS_HANDLE, parameters: PCO_CALL_PARAMETERS,
    );
    /// Completes a pended `ProtocolCmDropParty`. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmDropPartyComplete = NdisCmDropPartyComplete(status: NDIS_STATUS, party: NDIS_HANDLE);
    /// Offers an incoming call to the client that registered the SAP. IRQL <= `DISPATCH_LEVEL`.
    #[must_use]
    NdisMCmDispatchIncomingCall = NdisCmDispatchIncomingCall(
        sap: NDIS_HANDLE, vc: NDIS_HANDLE, parameters: PCO_CALL_PARAMETERS,
    ) -> NDIS_STATUS;
    /// Tells the client that data may flow on an accepted incoming call. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmDispatchCallConnected = NdisCmDispatchCallConnected(vc: NDIS_HANDLE);
    /// Completes a pended `ProtocolCmModifyCallQoS`. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmModifyCallQoSComplete = NdisCmModifyCallQoSComplete(
        status: NDIS_STATUS, vc: NDIS_HANDLE, parameters: PCO_CALL_PARAMETERS,
    );
    /// Tells the client of a change the network made to a call. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmDispatchIncomingCallQoSChange = NdisCmDispatchIncomingCallQoSChange(
        vc: NDIS_HANDLE, parameters: PCO_CALL_PARAMETERS,
    );
    /// Asks the client to close a call that ended. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmDispatchIncomingCloseCall = NdisCmDispatchIncomingCloseCall(
        close_status: NDIS_STATUS, vc: NDIS_HANDLE, buffer: PVOID, size: UINT,
    );
    /// Asks the client to drop a party of a multipoint call. IRQL <= `DISPATCH_LEVEL`.
    NdisMCmDispatchIncomingDropParty = NdisCmDispatchIncomingDropParty(
        drop_status: NDIS_STATUS, party: NDIS_HANDLE, buffer: PVOID, size: UINT,
    );
}
