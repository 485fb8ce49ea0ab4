//! The interrupt of an adapter: a line, or message-signalled.

use core::ptr;

use alloc::boxed::Box;
use ndis_sys::{
    NDIS_HANDLE, NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS, NDIS_RECEIVE_THROTTLE_PARAMETERS,
    NdisMDeregisterInterruptEx, NdisMRegisterInterruptEx,
};
use wdk_sys::{BOOLEAN, IO_INTERRUPT_MESSAGE_INFO, PBOOLEAN, PULONG, PVOID, ULONG};

use crate::header::header;
use crate::initialize::Initialize;
use crate::irql::Dispatch;
use crate::memory::boxed;
use crate::reference::{Ref, Weak};
use crate::status::{Result, Status};

/// What a service routine found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serviced {
    /// Another device on the line.
    NotOurs,
    /// Ours, and nothing is left to do.
    Done,
    /// Ours; run the DPC on this processor.
    QueueDpc,
}

/// How many frames a DPC may indicate, and whether it left some (`NDIS_RECEIVE_THROTTLE_PARAMETERS`).
#[derive(Debug)]
pub struct Throttle {
    /// At most so many lists; `u32::MAX` for no limit.
    pub max_to_indicate: u32,
    /// Set by the DPC if frames are left; NDIS queues it again then.
    pub more_pending: bool,
}

/// The driver's part of an interrupt. Messages are numbered from zero; a line has none.
pub trait InterruptHandler: Send + Sync + 'static {
    /// `MiniportInterrupt`/`MiniportMessageInterrupt` at device IRQL: `message` is `None` for the line.
    /// May run before the registration returns.
    fn service(&self, message: Option<u32>) -> Serviced;

    /// `MiniportInterruptDPC`/`MiniportMessageInterruptDPC`.
    fn dpc(this: &Ref<Self>, message: Option<u32>, throttle: &mut Throttle, irql: &mut Dispatch)
    where
        Self: Sized;

    /// `MiniportDisableInterruptEx`/`MiniportDisableMessageInterrupt`, at device IRQL.
    fn disable(&self, message: Option<u32>);

    /// `MiniportEnableInterruptEx`/`MiniportEnableMessageInterrupt`, at device IRQL.
    fn enable(&self, message: Option<u32>);
}

/// A registered interrupt; deregistered by Drop at `PASSIVE_LEVEL`, which waits for queued DPCs. Mask the hardware
/// first.
pub struct Interrupt<T> {
    handle: NDIS_HANDLE,
    messages: u32,
    /// Keeps the context alive until after deregistration.
    context: *mut Weak<T>,
}

// SAFETY: an opaque handle and a context that only the shims read.
unsafe impl<T: Send + Sync> Send for Interrupt<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Interrupt<T> {}

impl<T: InterruptHandler> Interrupt<T> {
    /// `NdisMRegisterInterruptEx`, both for the line and for messages; which it is, is known afterwards:
    /// [`Interrupt::messages`]. The hardware must be masked: the service routine may run at once.
    pub fn register(init: &Initialize<'_>, target: &Ref<T>) -> Result<Self> {
        let context = Box::into_raw(boxed(Ref::downgrade(target))?);
        let mut characteristics = NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS {
            Header: header(
                ndis_sys::NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT,
                ndis_sys::NDIS_MINIPORT_INTERRUPT_REVISION_1,
                ndis_sys::NDIS_SIZEOF_MINIPORT_INTERRUPT_CHARACTERISTICS_REVISION_1,
            ),
            InterruptHandler: Some(line_isr::<T>),
            InterruptDpcHandler: Some(line_dpc::<T>),
            DisableInterruptHandler: Some(line_disable::<T>),
            EnableInterruptHandler: Some(line_enable::<T>),
            MsiSupported: 1,
            MsiSyncWithAllMessages: 0,
            MessageInterruptHandler: Some(message_isr::<T>),
            MessageInterruptDpcHandler: Some(message_dpc::<T>),
            DisableMessageInterruptHandler: Some(message_disable::<T>),
            EnableMessageInterruptHandler: Some(message_enable::<T>),
            ..Default::default()
        };
        let mut handle: NDIS_HANDLE = ptr::null_mut();
        let adapter = init.handle();
        // SAFETY: the characteristics are complete; the context lives until after the deregistration.
        let status = unsafe {
            NdisMRegisterInterruptEx(adapter.0, context.cast(), &raw mut characteristics, &raw mut handle)
        };
        if let Err(status) = Status::from_raw(status).ok() {
            // SAFETY: made above; without a registration nothing refers to it.
            drop(unsafe { Box::from_raw(context) });
            return Err(status);
        }
        // SAFETY: NULL, or a table that NDIS keeps as long as the registration.
        let table: Option<&IO_INTERRUPT_MESSAGE_INFO> = unsafe { characteristics.MessageInfoTable.as_ref() };
        let by_message =
            characteristics.InterruptType == ndis_sys::_NDIS_INTERRUPT_TYPE::NDIS_CONNECT_MESSAGE_BASED;
        let messages = if by_message { table.map_or(0, |table| table.MessageCount) } else { 0 };
        Ok(Self { handle, messages, context })
    }

    /// How many messages the bus granted; zero for a line.
    pub const fn messages(&self) -> u32 {
        self.messages
    }
}

impl<T> Drop for Interrupt<T> {
    fn drop(&mut self) {
        // SAFETY: registered by `register`, deregistered once; after it no shim runs.
        unsafe { NdisMDeregisterInterruptEx(self.handle) };
        // SAFETY: made by `register`; no shim refers to it any more.
        drop(unsafe { Box::from_raw(self.context) });
    }
}

impl<T> core::fmt::Debug for Interrupt<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Interrupt").field("messages", &self.messages).finish_non_exhaustive()
    }
}

/// The target of an interrupt, unless the adapter is being taken down.
///
/// # Safety
/// `context` must be the one of a registered [`Interrupt`].
unsafe fn target<T>(context: NDIS_HANDLE) -> Option<Ref<T>> {
    // SAFETY: valid while the interrupt is registered.
    unsafe { &*context.cast_const().cast::<Weak<T>>() }.upgrade()
}

/// Runs the service routine and answers NDIS.
///
/// # Safety
/// `context` as for [`target`]; `queue_dpc` and `processors` must be the pointers that NDIS passed.
unsafe fn service<T: InterruptHandler>(
    context: NDIS_HANDLE,
    message: Option<u32>,
    queue_dpc: PBOOLEAN,
    processors: PULONG,
) -> BOOLEAN {
    // SAFETY: passed on.
    let target = unsafe { target::<T>(context) };
    let serviced = target.map_or(Serviced::NotOurs, |target| target.service(message));
    // SAFETY: NDIS passes a valid pointer.
    unsafe { queue_dpc.write(BOOLEAN::from(serviced == Serviced::QueueDpc)) };
    // No DPC but the default one, on this processor. SAFETY: NDIS passes a valid pointer.
    unsafe { processors.write(0) };
    BOOLEAN::from(serviced != Serviced::NotOurs)
}

/// Runs the DPC with NDIS's receive throttle.
///
/// # Safety
/// `context` as for [`target`]; `throttle` must be the pointer that NDIS passed.
unsafe fn dpc<T: InterruptHandler>(context: NDIS_HANDLE, message: Option<u32>, throttle: PVOID) {
    // SAFETY: passed on.
    let Some(target) = (unsafe { target::<T>(context) }) else { return };
    // SAFETY: NULL, or throttle parameters that are ours for the call (MINIPORT_INTERRUPT_DPC).
    let parameters = unsafe { throttle.cast::<NDIS_RECEIVE_THROTTLE_PARAMETERS>().as_mut() };
    let limit = parameters.as_ref().map_or(u32::MAX, |parameters| parameters.MaxNblsToIndicate);
    let mut throttle = Throttle { max_to_indicate: limit, more_pending: false };
    T::dpc(&target, message, &mut throttle, &mut Dispatch::documented());
    if let Some(parameters) = parameters {
        parameters.set_MoreNblsPending(throttle.more_pending.into());
    }
}

unsafe extern "C" fn line_isr<T: InterruptHandler>(
    context: NDIS_HANDLE,
    queue_dpc: PBOOLEAN,
    processors: PULONG,
) -> BOOLEAN {
    // SAFETY: NDIS passes the registered context and valid pointers.
    unsafe { service::<T>(context, None, queue_dpc, processors) }
}

unsafe extern "C" fn message_isr<T: InterruptHandler>(
    context: NDIS_HANDLE,
    message: ULONG,
    queue_dpc: PBOOLEAN,
    processors: PULONG,
) -> BOOLEAN {
    // SAFETY: NDIS passes the registered context and valid pointers.
    unsafe { service::<T>(context, Some(message), queue_dpc, processors) }
}

unsafe extern "C" fn line_dpc<T: InterruptHandler>(
    context: NDIS_HANDLE,
    _dpc_context: PVOID,
    throttle: PVOID,
    _reserved: PVOID,
) {
    // SAFETY: NDIS passes the registered context and its throttle parameters.
    unsafe { dpc::<T>(context, None, throttle) }
}

unsafe extern "C" fn message_dpc<T: InterruptHandler>(
    context: NDIS_HANDLE,
    message: ULONG,
    _dpc_context: PVOID,
    throttle: PVOID,
    _reserved: PVOID,
) {
    // SAFETY: NDIS passes the registered context and its throttle parameters.
    unsafe { dpc::<T>(context, Some(message), throttle) }
}

unsafe extern "C" fn line_disable<T: InterruptHandler>(context: NDIS_HANDLE) {
    // SAFETY: NDIS passes the registered context.
    if let Some(target) = unsafe { target::<T>(context) } {
        target.disable(None);
    }
}

unsafe extern "C" fn line_enable<T: InterruptHandler>(context: NDIS_HANDLE) {
    // SAFETY: NDIS passes the registered context.
    if let Some(target) = unsafe { target::<T>(context) } {
        target.enable(None);
    }
}

unsafe extern "C" fn message_disable<T: InterruptHandler>(context: NDIS_HANDLE, message: ULONG) {
    // SAFETY: NDIS passes the registered context.
    if let Some(target) = unsafe { target::<T>(context) } {
        target.disable(Some(message));
    }
}

unsafe extern "C" fn message_enable<T: InterruptHandler>(context: NDIS_HANDLE, message: ULONG) {
    // SAFETY: NDIS passes the registered context.
    if let Some(target) = unsafe { target::<T>(context) } {
        target.enable(Some(message));
    }
}
