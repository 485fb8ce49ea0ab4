//! The miniport half: [`Miniport`] and the shims behind `NDIS_MINIPORT_DRIVER_CHARACTERISTICS`.

use core::ffi::c_void;
use core::ptr::NonNull;

use alloc::boxed::Box;
use ndis_sys::{
    NDIS_HALT_ACTION, NDIS_HANDLE, NDIS_MINIPORT_DRIVER_CHARACTERISTICS, NDIS_PORT_NUMBER,
    NDIS_SHUTDOWN_ACTION, NDIS_STATUS, NdisMPauseComplete, NdisMRemoveMiniport,
    NdisMSendNetBufferListsComplete, NdisMSleep, PNDIS_MINIPORT_INIT_PARAMETERS,
    PNDIS_MINIPORT_PAUSE_PARAMETERS, PNDIS_MINIPORT_RESTART_PARAMETERS, PNDIS_OID_REQUEST, PNET_BUFFER_LIST,
    PNET_DEVICE_PNP_EVENT,
};
use wdk_sys::ULONG;

use crate::answer::Answer;
use crate::call_manager::CallManager;
use crate::initialize::Initialize;
use crate::irql::Passive;
use crate::lock_order::Unlocked;
use crate::log::ErrorCode;
use crate::memory::boxed;
use crate::oid::{Caller, OidRequest};
use crate::once::Once;
use crate::receive::ReturnedChain;
use crate::reference::Ref;
use crate::status::{Result, Status};

/// The miniport handle of one adapter: the first argument of the `NdisM*` functions. It dies with the adapter, whose it is;
/// others borrow it.
#[derive(Debug, PartialEq, Eq)]
pub struct AdapterHandle(pub(crate) NDIS_HANDLE);

// SAFETY: the handle is opaque; NDIS synchronises its own state behind it.
unsafe impl Send for AdapterHandle {}
// SAFETY: as above.
unsafe impl Sync for AdapterHandle {}

impl AdapterHandle {
    /// Another one, for owners of this crate that the adapter owns.
    pub(crate) const fn same(&self) -> Self {
        Self(self.0)
    }

    /// `NdisMRemoveMiniport`: the card has failed for good; NDIS takes the adapter down as if it were removed.
    /// IRQL <= `DISPATCH_LEVEL`.
    pub fn remove(&self, _locks: &mut Unlocked) {
        // SAFETY: the handle is that of an initialised adapter. There is nothing to do if NDIS declines.
        let _ = unsafe { NdisMRemoveMiniport(self.0) };
    }
}

/// Why an adapter is halted (`NDIS_HALT_ACTION`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HaltAction(pub u32);

/// What happened to the device (`NET_DEVICE_PNP_EVENT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PnpEvent {
    /// The card is gone: no register may be touched any more.
    SurpriseRemoved,
    /// Anything else (power profile, resources), for information.
    Other(u32),
}

/// One adapter of the driver.
///
/// Every function is called by the shims of this module, at the IRQL that NDIS documents for the handler.
pub trait Miniport: Sized + Send + Sync + 'static {
    /// The handle that [`Initialize::own_handle`] gave.
    fn handle(&self) -> &AdapterHandle;

    /// `MiniportInitializeEx`: builds the adapter in the documented order. Whatever it made is freed by Drop when
    /// it returns an error; NDIS does not call `MiniportHaltEx` then.
    fn initialize(init: &Initialize<'_>) -> Result<Ref<Self>>;

    /// The last part of `MiniportInitializeEx`: connects interrupts and timers, which refer back to the adapter.
    /// On an error the adapter is [dropped](Ref::try_drop_last) as by a halt, without a call of [`Miniport::halt`].
    fn connect(this: &Ref<Self>, init: &mut Initialize<'_>) -> Result<()>;

    /// `MiniportHaltEx`: stop the hardware and wait until no client refers to the adapter. The adapter is dropped
    /// afterwards, inside the handler, as soon as the caller's is the last reference.
    fn halt(this: &Ref<Self>, action: HaltAction, irql: &mut Passive);

    /// `MiniportPause`.
    fn pause(this: &Ref<Self>, request: PauseRequest, irql: &mut Passive) -> Answer;

    /// `MiniportRestart`.
    fn restart(this: &Ref<Self>, irql: &mut Passive) -> Status;

    /// `MiniportOidRequest`.
    fn oid_request(this: &Ref<Self>, request: &mut OidRequest<'_>) -> Status;

    /// `MiniportCancelSend`: queued sends with this cancel id end with `SEND_ABORTED`. IRQL <= `DISPATCH_LEVEL`.
    fn cancel_send(this: &Ref<Self>, cancel_id: *mut c_void, locks: &mut Unlocked);

    /// `MiniportDevicePnPEventNotify`.
    fn pnp_event(this: &Ref<Self>, event: PnpEvent, irql: &mut Passive);

    /// `MiniportShutdownEx`: only quiesce the hardware: no lock, no allocation, no NDIS call.
    /// IRQL: `PASSIVE_LEVEL`, or `HIGH_LEVEL` in a bug check.
    fn shutdown(&self);
}

/// `MiniportAdapterContext`: what NDIS keeps for one adapter. It exists from the registration attributes on,
/// the adapter in it from the end of `Miniport::initialize`.
pub(crate) struct AdapterContext<A> {
    adapter: Once<Ref<A>>,
}

/// Borrows the adapter behind a context.
///
/// # Safety
/// `context` must be a `MiniportAdapterContext` of this driver that was not freed yet.
pub(crate) unsafe fn adapter<'a, A>(context: NDIS_HANDLE) -> Option<&'a Ref<A>> {
    // SAFETY: NDIS passes the pointer that `initialize` registered, valid until that adapter's halt returns.
    let context = unsafe { &*context.cast_const().cast::<AdapterContext<A>>() };
    context.adapter.get()
}

/// Fills the handlers of the miniport half.
pub(crate) fn install_handlers<A: CallManager>(table: &mut NDIS_MINIPORT_DRIVER_CHARACTERISTICS) {
    table.InitializeHandlerEx = Some(initialize::<A>);
    table.HaltHandlerEx = Some(halt::<A>);
    table.PauseHandler = Some(pause::<A>);
    table.RestartHandler = Some(restart::<A>);
    table.OidRequestHandler = Some(oid_request::<A>);
    table.CancelOidRequestHandler = Some(cancel_oid_request);
    table.SendNetBufferListsHandler = Some(send_net_buffer_lists::<A>);
    table.ReturnNetBufferListsHandler = Some(return_net_buffer_lists::<A>);
    table.CancelSendHandler = Some(cancel_send::<A>);
    table.DevicePnPEventNotifyHandler = Some(device_pnp_event_notify::<A>);
    table.ShutdownHandlerEx = Some(shutdown::<A>);
}

unsafe extern "C" fn initialize<A: CallManager>(
    handle: NDIS_HANDLE,
    _driver_context: NDIS_HANDLE,
    parameters: PNDIS_MINIPORT_INIT_PARAMETERS,
) -> NDIS_STATUS {
    let Ok(context) = boxed(AdapterContext::<A> { adapter: Once::new() }) else {
        AdapterHandle(handle).log_error(ErrorCode::OUT_OF_RESOURCES, 0);
        return Status::RESOURCES.code();
    };
    let context = Box::into_raw(context);
    // SAFETY: NDIS passes valid parameters for the duration of the call.
    let parameters = unsafe { parameters.as_ref() };
    let mut init = Initialize::new(AdapterHandle(handle), context.cast(), parameters, Passive::documented());
    // SAFETY: allocated above, and freed only by `take_down`.
    let built = bring_up::<A>(&mut init, unsafe { &*context });
    if let Err(status) = built {
        // SAFETY: allocated above; with an error returned NDIS will not use the context.
        unsafe { take_down(context, init.irql()) };
        return status.code();
    }
    Status::SUCCESS.code()
}

/// Builds the adapter, puts it where callbacks find it, connects it, and offers its address families.
fn bring_up<A: CallManager>(init: &mut Initialize<'_>, context: &AdapterContext<A>) -> Result<()> {
    let adapter = A::initialize(init)?;
    let kept = Ref::clone(&adapter);
    if context.adapter.set(kept).is_err() {
        return Err(Status::FAILURE);
    }
    A::connect(&adapter, init)?;
    crate::address_family::register(init, A::ADDRESS_FAMILIES)
}

/// Frees a context and the adapter in it, waiting for timers and interrupts that still look at it.
///
/// # Safety
/// `context` must come from `Box::into_raw`, and nothing may use it afterwards.
unsafe fn take_down<A>(context: *mut AdapterContext<A>, _irql: &Passive) {
    // SAFETY: by the caller's promise.
    let mut context = unsafe { Box::from_raw(context) };
    let mut adapter = context.adapter.take();
    while let Some(reference) = adapter {
        adapter = Ref::try_drop_last(reference).err();
        if adapter.is_some() {
            // A callback is about to let go of its reference. SAFETY: PASSIVE_LEVEL, as the token proves.
            unsafe { NdisMSleep(100) };
        }
    }
}

unsafe extern "C" fn halt<A: CallManager>(context: NDIS_HANDLE, action: NDIS_HALT_ACTION) {
    let mut irql = Passive::documented();
    // SAFETY: NDIS passes the registered context.
    if let Some(adapter) = unsafe { adapter::<A>(context) } {
        #[expect(clippy::cast_sign_loss, reason = "a C enumeration of small values")]
        A::halt(adapter, HaltAction(action as u32), &mut irql);
    }
    // SAFETY: registered by `initialize`; NDIS does not use the context after the halt handler.
    unsafe { take_down(context.cast::<AdapterContext<A>>(), &irql) };
}

/// A pause that NDIS asks for; answer it now or keep it.
#[derive(Debug)]
pub struct PauseRequest(NDIS_HANDLE);

/// A pause that was answered with PENDING. Dropping it completes it: a pause cannot fail.
#[derive(Debug)]
pub struct PendedPause(NDIS_HANDLE);

// SAFETY: an opaque handle, usable from any processor.
unsafe impl Send for PendedPause {}

impl PauseRequest {
    /// The adapter is paused.
    pub fn finish(self) -> Answer {
        Answer::now(Status::SUCCESS)
    }

    /// The adapter will be paused when the token is completed.
    pub fn pend(self) -> (PendedPause, Answer) {
        (PendedPause(self.0), Answer::pending())
    }
}

impl PendedPause {
    /// `NdisMPauseComplete`. IRQL <= `DISPATCH_LEVEL`.
    pub fn complete(self, _locks: &mut Unlocked) {
        drop(self);
    }
}

impl Drop for PendedPause {
    fn drop(&mut self) {
        // SAFETY: the handler answered PENDING; the token's end completes it once.
        unsafe { NdisMPauseComplete(self.0) };
    }
}

unsafe extern "C" fn pause<A: CallManager>(
    context: NDIS_HANDLE,
    _parameters: PNDIS_MINIPORT_PAUSE_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: NDIS passes the registered context.
    let Some(adapter) = (unsafe { adapter::<A>(context) }) else { return Status::SUCCESS.code() };
    let handle = A::handle(adapter).0;
    A::pause(adapter, PauseRequest(handle), &mut Passive::documented()).into_status().code()
}

unsafe extern "C" fn restart<A: CallManager>(
    context: NDIS_HANDLE,
    _parameters: PNDIS_MINIPORT_RESTART_PARAMETERS,
) -> NDIS_STATUS {
    // SAFETY: NDIS passes the registered context.
    let Some(adapter) = (unsafe { adapter::<A>(context) }) else { return Status::FAILURE.code() };
    A::restart(adapter, &mut Passive::documented()).code()
}

unsafe extern "C" fn oid_request<A: CallManager>(
    context: NDIS_HANDLE,
    request: PNDIS_OID_REQUEST,
) -> NDIS_STATUS {
    // SAFETY: NDIS passes the registered context.
    let Some(adapter) = (unsafe { adapter::<A>(context) }) else { return Status::NOT_ACCEPTED.code() };
    // SAFETY: the request is valid and ours until the handler answers.
    let Some(mut request) = (unsafe { OidRequest::new(request, Caller::Passive(Passive::documented())) })
    else {
        return Status::INVALID_DATA.code();
    };
    A::oid_request(adapter, &mut request).code()
}

/// Every request is answered before its handler returns, so there is never one to cancel.
unsafe extern "C" fn cancel_oid_request(_context: NDIS_HANDLE, _request_id: *mut c_void) {}

/// Connectionless sends do not exist on a CoNDIS adapter: each comes back as not supported.
unsafe extern "C" fn send_net_buffer_lists<A: CallManager>(
    context: NDIS_HANDLE,
    chain: PNET_BUFFER_LIST,
    _port: NDIS_PORT_NUMBER,
    _flags: ULONG,
) {
    // SAFETY: NDIS passes the registered context.
    let Some(adapter) = (unsafe { adapter::<A>(context) }) else { return };
    let mut next = chain;
    while let Some(list) = NonNull::new(next) {
        // SAFETY: NDIS passes a valid chain that is ours until completed.
        let list = unsafe { &mut *list.as_ptr() };
        crate::net_buffer_list::set_status(list, Status::NOT_SUPPORTED);
        next = crate::net_buffer_list::next_of(list);
    }
    if !chain.is_null() {
        // SAFETY: the chain is handed back whole, once.
        unsafe { NdisMSendNetBufferListsComplete(A::handle(adapter).0, chain, 0) };
    }
}

unsafe extern "C" fn return_net_buffer_lists<A: CallManager>(
    context: NDIS_HANDLE,
    chain: PNET_BUFFER_LIST,
    _flags: ULONG,
) {
    // SAFETY: NDIS passes the registered context.
    if let Some(adapter) = unsafe { adapter::<A>(context) } {
        // SAFETY: the chain consists of lists that this adapter indicated, ours again from here on.
        let chain = unsafe { ReturnedChain::new(chain) };
        A::receives_returned(adapter, chain, &mut Unlocked::documented());
    }
}

unsafe extern "C" fn cancel_send<A: CallManager>(context: NDIS_HANDLE, cancel_id: *mut c_void) {
    // SAFETY: NDIS passes the registered context.
    if let Some(adapter) = unsafe { adapter::<A>(context) } {
        A::cancel_send(adapter, cancel_id, &mut Unlocked::documented());
    }
}

unsafe extern "C" fn device_pnp_event_notify<A: CallManager>(
    context: NDIS_HANDLE,
    event: PNET_DEVICE_PNP_EVENT,
) {
    // SAFETY: NDIS passes a valid event for the duration of the call.
    let Some(event) = (unsafe { event.as_ref() }) else { return };
    let event = match event.DevicePnPEvent {
        ndis_sys::_NDIS_DEVICE_PNP_EVENT::NdisDevicePnPEventSurpriseRemoved => PnpEvent::SurpriseRemoved,
        #[expect(clippy::cast_sign_loss, reason = "a C enumeration of small values")]
        other => PnpEvent::Other(other as u32),
    };
    // SAFETY: NDIS passes the registered context.
    if let Some(adapter) = unsafe { adapter::<A>(context) } {
        A::pnp_event(adapter, event, &mut Passive::documented());
    }
}

unsafe extern "C" fn shutdown<A: CallManager>(context: NDIS_HANDLE, _action: NDIS_SHUTDOWN_ACTION) {
    // SAFETY: NDIS passes the registered context.
    if let Some(adapter) = unsafe { adapter::<A>(context) } {
        A::shutdown(adapter);
    }
}
