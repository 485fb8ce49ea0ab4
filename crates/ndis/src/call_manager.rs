//! The call-manager half: [`CallManager`] and the shims behind both CoNDIS tables.
//!
//! Every handler of the tables is set, except the two that the documentation wants NULL for a miniport call manager
//! (`CoCreateVc`, `CoDeleteVc`): an operation that the driver does not have answers `NOT_SUPPORTED`.

use core::ptr::{self, NonNull};
use core::slice;

use ndis_sys::{
    NDIS_CO_CALL_MANAGER_OPTIONAL_HANDLERS, NDIS_HANDLE, NDIS_MINIPORT_CO_CHARACTERISTICS, NDIS_STATUS,
    PCO_ADDRESS_FAMILY, PCO_CALL_PARAMETERS, PCO_SAP, PNDIS_HANDLE, PNDIS_OID_REQUEST, PNET_BUFFER_LIST,
};
use wdk_sys::{PVOID, ULONG};

use crate::address_family;
use crate::address_family::{AddressFamily, AddressFamilyHandle, AddressFamilyId, CloseAddressFamily};
use crate::answer::Answer;
use crate::call::{CallParameters, CloseCall, MakeCall, ModifyCall};
use crate::lock_order::Unlocked;
use crate::miniport::{Miniport, adapter};
use crate::net_buffer_list::Chain;
use crate::oid::{Caller, OidRequest};
use crate::receive::ReturnedChain;
use crate::reference::Ref;
use crate::sap::{DeregisterSap, Sap, SapHandle};
use crate::status::{Result, Status};
use crate::vc::{Vc, VcHandle, Verdict};

/// A miniport that is its own call manager. All functions run at IRQL <= `DISPATCH_LEVEL`.
pub trait CallManager: Miniport {
    /// The families to register, the indispensable one first.
    const ADDRESS_FAMILIES: &'static [AddressFamilyId];

    /// An open address family, one for each open.
    type AddressFamily: AddressFamily;
    /// A registered service access point.
    type Sap: Sap;
    /// A virtual circuit.
    type Vc: Vc;

    /// `CmOpenAf`.
    fn open_address_family(
        this: &Ref<Self>,
        family: AddressFamilyId,
        handle: AddressFamilyHandle,
        locks: &mut Unlocked,
    ) -> Result<Ref<Self::AddressFamily>>;

    /// `CmCloseAf`: finish once the calls and SAPs of this client are gone.
    fn close_address_family(
        family: &Ref<Self::AddressFamily>,
        request: CloseAddressFamily<Self::AddressFamily>,
        locks: &mut Unlocked,
    ) -> Answer;

    /// `CmRegisterSap`: `sap` is the variable part of `CO_SAP`, the client's memory, valid for the call only.
    fn register_sap(
        family: &Ref<Self::AddressFamily>,
        sap_type: u32,
        sap: &[u8],
        handle: SapHandle,
        locks: &mut Unlocked,
    ) -> Result<Ref<Self::Sap>>;

    /// `CmDeregisterSap`: finish once no call is being dispatched to it, and none will be.
    fn deregister_sap(
        sap: &Ref<Self::Sap>,
        request: DeregisterSap<Self::Sap>,
        locks: &mut Unlocked,
    ) -> Answer;

    /// `CmCreateVc`.
    fn create_vc(
        family: &Ref<Self::AddressFamily>,
        handle: VcHandle,
        locks: &mut Unlocked,
    ) -> Result<Ref<Self::Vc>>;

    /// `CmDeleteVc`: refuse while there is a call.
    fn delete_vc(vc: &Ref<Self::Vc>, locks: &mut Unlocked) -> Result<()>;

    /// `CmMakeCall`.
    fn make_call(vc: &Ref<Self::Vc>, request: MakeCall, locks: &mut Unlocked) -> Answer;

    /// `CmCloseCall`.
    fn close_call(vc: &Ref<Self::Vc>, request: CloseCall, locks: &mut Unlocked) -> Answer;

    /// `CmModifyCallQoS`.
    fn modify_call(vc: &Ref<Self::Vc>, request: ModifyCall, locks: &mut Unlocked) -> Answer;

    /// `CmIncomingCallComplete`: the client's answer to a call offered with PENDING; its parameters are given back, perhaps
    /// changed by the client. May be called before the offer has returned.
    fn incoming_call_complete(
        vc: &Ref<Self::Vc>,
        verdict: Verdict,
        parameters: Option<&CallParameters>,
        locks: &mut Unlocked,
    );

    /// `CmActivateVcComplete`: ends an activation that pended. Pages disagree on whether NDIS calls this for a miniport
    /// call manager, and so when: it may come before PENDING is returned, or when nothing pended.
    fn vc_activated(vc: &Ref<Self::Vc>, result: Result<()>, locks: &mut Unlocked);

    /// `CmDeactivateVcComplete`: the same for a deactivation.
    fn vc_deactivated(vc: &Ref<Self::Vc>, locks: &mut Unlocked);

    /// `MiniportCoSendNetBufferLists`: every list must be completed once, whatever happens.
    fn send(vc: &Ref<Self::Vc>, chain: Chain<Self::Vc>, locks: &mut Unlocked);

    /// `MiniportReturnNetBufferLists`: lists of any VCs come back.
    fn receives_returned(this: &Ref<Self>, chain: ReturnedChain<Self::Vc>, locks: &mut Unlocked);

    /// `MiniportCoOidRequest`: not serialised.
    fn co_oid_request(this: &Ref<Self>, vc: Option<&Ref<Self::Vc>>, request: &mut OidRequest<'_>) -> Status;

    /// `CmOidRequest`, through an address family: not serialised.
    fn cm_oid_request(
        family: &Ref<Self::AddressFamily>,
        vc: Option<&Ref<Self::Vc>>,
        request: &mut OidRequest<'_>,
    ) -> Status;
}

pub(crate) fn install_miniport_handlers<A: CallManager>(table: &mut NDIS_MINIPORT_CO_CHARACTERISTICS) {
    table.CoActivateVcHandler = Some(co_activate_vc);
    table.CoDeactivateVcHandler = Some(co_deactivate_vc);
    table.CoSendNetBufferListsHandler = Some(co_send::<A>);
    table.CoOidRequestHandler = Some(co_oid_request::<A>);
}

pub(crate) fn install_call_manager_handlers<A: CallManager>(
    table: &mut NDIS_CO_CALL_MANAGER_OPTIONAL_HANDLERS,
) {
    table.CmCreateVcHandler = Some(create_vc::<A>);
    table.CmDeleteVcHandler = Some(delete_vc::<A>);
    table.CmOpenAfHandler = Some(open_af::<A>);
    table.CmCloseAfHandler = Some(close_af::<A>);
    table.CmRegisterSapHandler = Some(register_sap::<A>);
    table.CmDeregisterSapHandler = Some(deregister_sap::<A>);
    table.CmMakeCallHandler = Some(make_call::<A>);
    table.CmCloseCallHandler = Some(close_call::<A>);
    table.CmIncomingCallCompleteHandler = Some(incoming_call_complete::<A>);
    table.CmAddPartyHandler = Some(add_party);
    table.CmDropPartyHandler = Some(drop_party);
    table.CmActivateVcCompleteHandler = Some(activate_vc_complete::<A>);
    table.CmDeactivateVcCompleteHandler = Some(deactivate_vc_complete::<A>);
    table.CmModifyCallQoSHandler = Some(modify_call_qos::<A>);
    table.CmOidRequestHandler = Some(cm_oid_request::<A>);
    table.CmOidRequestCompleteHandler = Some(oid_request_complete);
    table.CmNotifyCloseAfCompleteHandler = Some(notify_close_af_complete);
}

/// The miniport side of a VC follows the call-manager side, which is the same driver: nothing to do.
/// Some pages say that NDIS does not call this for a miniport call manager, one that it must be there.
unsafe extern "C" fn co_activate_vc(_vc: NDIS_HANDLE, _parameters: PCO_CALL_PARAMETERS) -> NDIS_STATUS {
    Status::SUCCESS.code()
}

/// See [`co_activate_vc`].
unsafe extern "C" fn co_deactivate_vc(_vc: NDIS_HANDLE) -> NDIS_STATUS {
    Status::SUCCESS.code()
}

unsafe extern "C" fn co_send<A: CallManager>(vc: NDIS_HANDLE, chain: PNET_BUFFER_LIST, _flags: ULONG) {
    // Among many VCs each is news to the caches; the chain is walked meanwhile.
    Ref::<A::Vc>::prefetch(vc);
    // SAFETY: MiniportVcContext of a miniport call manager is the context that CmCreateVc returned. Counted once more: when
    // the last list is completed, the client may end the call and delete the VC, which may be before `A::send` returns.
    let vc = Ref::clone(&*unsafe { Ref::<A::Vc>::borrow_raw(vc) });
    // SAFETY: NDIS passes a valid chain, ours from here on.
    let chain = unsafe { Chain::from_send(&vc, chain) };
    A::send(&vc, chain, &mut Unlocked::documented());
}

unsafe extern "C" fn co_oid_request<A: CallManager>(
    context: NDIS_HANDLE,
    vc: NDIS_HANDLE,
    request: PNDIS_OID_REQUEST,
) -> NDIS_STATUS {
    // SAFETY: NDIS passes the registered context.
    let Some(adapter) = (unsafe { adapter::<A>(context) }) else { return Status::NOT_ACCEPTED.code() };
    // SAFETY: NULL, or the context of a VC (see `co_send`). Counted once more: what is indicated to its client from within
    // may make it delete the VC.
    let vc = unsafe { optional::<A::Vc>(vc) }.map(|vc| Ref::clone(&*vc));
    // SAFETY: the request is valid and ours until the handler answers.
    let Some(mut request) = (unsafe { OidRequest::new(request, Caller::Any(Unlocked::documented())) }) else {
        return Status::INVALID_DATA.code();
    };
    A::co_oid_request(adapter, vc.as_ref(), &mut request).code()
}

/// Borrows the reference behind a context that may be NULL.
///
/// # Safety
/// `context` must be NULL or come from [`Ref::into_raw`] of a `T` that outlives the borrow.
unsafe fn optional<T>(context: NDIS_HANDLE) -> Option<core::mem::ManuallyDrop<Ref<T>>> {
    // SAFETY: passed on.
    (!context.is_null()).then(|| unsafe { Ref::borrow_raw(context) })
}

unsafe extern "C" fn create_vc<A: CallManager>(
    family: NDIS_HANDLE,
    vc: NDIS_HANDLE,
    context: PNDIS_HANDLE,
) -> NDIS_STATUS {
    // SAFETY: the context that CmOpenAf returned.
    let family = unsafe { Ref::<A::AddressFamily>::borrow_raw(family) };
    let handle = VcHandle::new(vc);
    match A::create_vc(&family, handle, &mut Unlocked::documented()) {
        Ok(made) => {
            // SAFETY: NDIS passes a valid place for the context.
            unsafe { context.write(Ref::into_raw(made)) };
            Status::SUCCESS.code()
        }
        Err(status) => status.code(),
    }
}

unsafe extern "C" fn delete_vc<A: CallManager>(context: NDIS_HANDLE) -> NDIS_STATUS {
    // SAFETY: the context that CmCreateVc returned.
    let vc = unsafe { Ref::<A::Vc>::borrow_raw(context) };
    if let Err(status) = A::delete_vc(&vc, &mut Unlocked::documented()) {
        return status.code();
    }
    vc.handle().delete();
    // SAFETY: the count that CmCreateVc handed to NDIS, which does not use the context after a successful delete.
    drop(unsafe { Ref::<A::Vc>::from_raw(context) });
    Status::SUCCESS.code()
}

unsafe extern "C" fn open_af<A: CallManager>(
    context: NDIS_HANDLE,
    family: PCO_ADDRESS_FAMILY,
    handle: NDIS_HANDLE,
    af_context: PNDIS_HANDLE,
) -> NDIS_STATUS {
    // SAFETY: for a miniport call manager the binding context is the adapter's.
    let Some(adapter) = (unsafe { adapter::<A>(context) }) else { return Status::NOT_ACCEPTED.code() };
    // SAFETY: NDIS passes a valid family.
    let Some(family) = (unsafe { family.as_ref() }) else { return Status::INVALID_DATA.code() };
    if family.MajorVersion != address_family::MAJOR_VERSION {
        return Status::BAD_VERSION.code();
    }
    let id = AddressFamilyId(family.AddressFamily);
    match A::open_address_family(adapter, id, AddressFamilyHandle(handle), &mut Unlocked::documented()) {
        Ok(made) => {
            // SAFETY: NDIS passes a valid place for the context.
            unsafe { af_context.write(Ref::into_raw(made)) };
            Status::SUCCESS.code()
        }
        Err(status) => status.code(),
    }
}

unsafe extern "C" fn close_af<A: CallManager>(context: NDIS_HANDLE) -> NDIS_STATUS {
    // SAFETY: the context that CmOpenAf returned. Counted once more: the close may be completed before
    // `A::close_address_family` returns.
    let family = Ref::clone(&*unsafe { Ref::<A::AddressFamily>::borrow_raw(context) });
    let request = CloseAddressFamily::new(family.handle().0, context);
    let status = A::close_address_family(&family, request, &mut Unlocked::documented()).into_status();
    if status == Status::SUCCESS {
        // SAFETY: the count that CmOpenAf handed to NDIS, which does not use the context after a successful close.
        drop(unsafe { Ref::<A::AddressFamily>::from_raw(context) });
    }
    status.code()
}

unsafe extern "C" fn register_sap<A: CallManager>(
    context: NDIS_HANDLE,
    sap: PCO_SAP,
    handle: NDIS_HANDLE,
    sap_context: PNDIS_HANDLE,
) -> NDIS_STATUS {
    // SAFETY: the context that CmOpenAf returned.
    let family = unsafe { Ref::<A::AddressFamily>::borrow_raw(context) };
    // SAFETY: NULL or valid for the call.
    let Some(fixed) = (unsafe { sap.as_ref() }) else { return Status::INVALID_DATA.code() };
    // SAFETY: inside the structure; taken from the pointer that covers what follows it.
    let bytes = unsafe { &raw const (*sap).Sap }.cast::<u8>();
    // SAFETY: SapLength bytes follow (CO_SAP).
    let bytes = unsafe { slice::from_raw_parts(bytes, fixed.SapLength as usize) };
    match A::register_sap(&family, fixed.SapType, bytes, SapHandle(handle), &mut Unlocked::documented()) {
        Ok(made) => {
            // SAFETY: NDIS passes a valid place for the context.
            unsafe { sap_context.write(Ref::into_raw(made)) };
            Status::SUCCESS.code()
        }
        Err(status) => status.code(),
    }
}

unsafe extern "C" fn deregister_sap<A: CallManager>(context: NDIS_HANDLE) -> NDIS_STATUS {
    // SAFETY: the context that CmRegisterSap returned. Counted once more: the deregistration may be completed before
    // `A::deregister_sap` returns.
    let sap = Ref::clone(&*unsafe { Ref::<A::Sap>::borrow_raw(context) });
    let status =
        A::deregister_sap(&sap, DeregisterSap::new(sap.handle().0, context), &mut Unlocked::documented())
            .into_status();
    if status == Status::SUCCESS {
        // SAFETY: the count that CmRegisterSap handed to NDIS, which does not use the context after the deregistration.
        drop(unsafe { Ref::<A::Sap>::from_raw(context) });
    }
    status.code()
}

unsafe extern "C" fn make_call<A: CallManager>(
    context: NDIS_HANDLE,
    parameters: PCO_CALL_PARAMETERS,
    party: NDIS_HANDLE,
    party_context: PNDIS_HANDLE,
) -> NDIS_STATUS {
    // SAFETY: the context that CmCreateVc returned. Counted once more: the client may delete the VC as soon as the
    // call is completed, which may be before `A::make_call` returns.
    let vc = Ref::clone(&*unsafe { Ref::<A::Vc>::borrow_raw(context) });
    if let Some(party_context) = NonNull::new(party_context) {
        // SAFETY: NDIS passes NULL or a valid place.
        unsafe { party_context.write(ptr::null_mut()) };
    }
    let Some(parameters) = NonNull::new(parameters) else { return Status::INVALID_DATA.code() };
    A::make_call(
        &vc,
        MakeCall::new(vc.handle().raw(), parameters, !party.is_null()),
        &mut Unlocked::documented(),
    )
    .into_status()
    .code()
}

unsafe extern "C" fn close_call<A: CallManager>(
    context: NDIS_HANDLE,
    _party: NDIS_HANDLE,
    data: PVOID,
    size: u32,
) -> NDIS_STATUS {
    // SAFETY: the context that CmCreateVc returned; counted once more as in `make_call`.
    let vc = Ref::clone(&*unsafe { Ref::<A::Vc>::borrow_raw(context) });
    let data = NonNull::new(data.cast::<u8>()).map(|bytes| (bytes, size));
    A::close_call(&vc, CloseCall::new(vc.handle().raw(), data), &mut Unlocked::documented())
        .into_status()
        .code()
}

unsafe extern "C" fn cm_oid_request<A: CallManager>(
    family: NDIS_HANDLE,
    vc: NDIS_HANDLE,
    _party: NDIS_HANDLE,
    request: PNDIS_OID_REQUEST,
) -> NDIS_STATUS {
    // SAFETY: the context that CmOpenAf returned.
    let family = unsafe { Ref::<A::AddressFamily>::borrow_raw(family) };
    // SAFETY: NULL, or the context that CmCreateVc returned.
    let vc = unsafe { optional::<A::Vc>(vc) };
    // SAFETY: the request is valid and ours until the handler answers.
    let Some(mut request) = (unsafe { OidRequest::new(request, Caller::Any(Unlocked::documented())) }) else {
        return Status::INVALID_DATA.code();
    };
    A::cm_oid_request(&family, vc.as_deref(), &mut request).code()
}

unsafe extern "C" fn incoming_call_complete<A: CallManager>(
    status: NDIS_STATUS,
    context: NDIS_HANDLE,
    parameters: PCO_CALL_PARAMETERS,
) {
    // SAFETY: the context given to NdisMCmCreateVc; counted once more as in `make_call`.
    let vc = Ref::clone(&*unsafe { Ref::<A::Vc>::borrow_raw(context) });
    // The offer is answered: nothing of it is lent any more. The client answers with the same parameters or with its own.
    let offered = vc.handle().offer_answered();
    let parameters = NonNull::new(parameters).filter(|_| offered.is_some()).map(CallParameters::new);
    let status = Status::from_raw(status);
    // An answer that says that it is none is none.
    let verdict =
        if status == Status::PENDING { Verdict::Rejected(Status::FAILURE) } else { Verdict::of(status) };
    A::incoming_call_complete(&vc, verdict, parameters.as_ref(), &mut Unlocked::documented());
    drop(offered);
}

/// Point-to-multipoint does not exist in PPPoE.
unsafe extern "C" fn add_party(
    _vc: NDIS_HANDLE,
    _parameters: PCO_CALL_PARAMETERS,
    _party: NDIS_HANDLE,
    _context: PNDIS_HANDLE,
) -> NDIS_STATUS {
    Status::NOT_SUPPORTED.code()
}

/// See [`add_party`].
unsafe extern "C" fn drop_party(_party: NDIS_HANDLE, _data: PVOID, _size: u32) -> NDIS_STATUS {
    Status::NOT_SUPPORTED.code()
}

unsafe extern "C" fn activate_vc_complete<A: CallManager>(
    status: NDIS_STATUS,
    context: NDIS_HANDLE,
    _parameters: PCO_CALL_PARAMETERS,
) {
    // SAFETY: the context of the VC; counted once more as in `make_call`.
    let vc = Ref::clone(&*unsafe { Ref::<A::Vc>::borrow_raw(context) });
    let lent = vc.handle().activation_completed();
    A::vc_activated(&vc, Status::from_raw(status).ok(), &mut Unlocked::documented());
    drop(lent);
}

unsafe extern "C" fn deactivate_vc_complete<A: CallManager>(_status: NDIS_STATUS, context: NDIS_HANDLE) {
    // SAFETY: the context of the VC; counted once more as in `make_call`.
    let vc = Ref::clone(&*unsafe { Ref::<A::Vc>::borrow_raw(context) });
    A::vc_deactivated(&vc, &mut Unlocked::documented());
}

unsafe extern "C" fn modify_call_qos<A: CallManager>(
    context: NDIS_HANDLE,
    parameters: PCO_CALL_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: the context of the VC; counted once more as in `make_call`.
    let vc = Ref::clone(&*unsafe { Ref::<A::Vc>::borrow_raw(context) });
    let Some(parameters) = NonNull::new(parameters) else { return Status::INVALID_DATA.code() };
    let request = ModifyCall::new(vc.handle().raw(), parameters);
    A::modify_call(&vc, request, &mut Unlocked::documented()).into_status().code()
}

/// The driver sends no requests to clients, so none can complete.
unsafe extern "C" fn oid_request_complete(
    _family: NDIS_HANDLE,
    _vc: NDIS_HANDLE,
    _party: NDIS_HANDLE,
    _request: PNDIS_OID_REQUEST,
    _status: NDIS_STATUS,
) {
}

/// The halt waits for the close of the family itself, which comes in any case.
unsafe extern "C" fn notify_close_af_complete(_family: NDIS_HANDLE, _status: NDIS_STATUS) {}
