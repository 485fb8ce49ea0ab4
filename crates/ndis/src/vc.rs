//! Virtual circuits.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use ndis_sys::{NDIS_HANDLE, NdisCmDispatchIncomingCloseCall, NdisMCmActivateVc, NdisMCmDeactivateVc};

use crate::call::CallParameters;
use crate::miniport::AdapterHandle;
use crate::status::{Result, Status};

/// The driver's VC context: gives the layer the handle.
pub trait Vc: Send + Sync + 'static {
    /// The handle that [`crate::CallManager::create_vc`] received.
    fn handle(&self) -> &VcHandle;
}

/// `NdisVcHandle` of a VC that a client created. It dies with `CmDeleteVc`, after which all functions fail.
#[derive(Debug)]
pub struct VcHandle {
    adapter: AdapterHandle,
    raw: AtomicPtr<c_void>,
}

impl VcHandle {
    pub(crate) const fn new(adapter: AdapterHandle, raw: NDIS_HANDLE) -> Self {
        Self { adapter, raw: AtomicPtr::new(raw) }
    }

    pub(crate) fn raw(&self) -> NDIS_HANDLE {
        self.raw.load(Ordering::Acquire)
    }

    /// `CmDeleteVc` succeeded.
    pub(crate) fn delete(&self) {
        self.raw.store(ptr::null_mut(), Ordering::Release);
    }

    fn live(&self) -> Result<NDIS_HANDLE> {
        let raw = self.raw();
        if raw.is_null() { Err(Status::CLOSING) } else { Ok(raw) }
    }

    /// `NdisMCmActivateVc`: data may flow with these parameters. IRQL <= `DISPATCH_LEVEL`, no lock held.
    pub fn activate(&self, parameters: &CallParameters) -> Result<()> {
        let vc = self.live()?;
        // SAFETY: the VC lives, and so do the parameters, until the make call is completed.
        let status = Status::from_raw(unsafe { NdisMCmActivateVc(vc, parameters.raw()) });
        // PENDING would be completed through CmActivateVcComplete; the call manager of the same driver need not wait.
        if status == Status::PENDING { Ok(()) } else { status.ok() }
    }

    /// `NdisMCmDeactivateVc`, after the last send was completed and the last receive returned.
    /// IRQL <= `DISPATCH_LEVEL`, no lock held.
    pub fn deactivate(&self) -> Result<()> {
        let vc = self.live()?;
        // SAFETY: the VC lives.
        let status = Status::from_raw(unsafe { NdisMCmDeactivateVc(vc) });
        if status == Status::PENDING { Ok(()) } else { status.ok() }
    }

    /// `NdisMCmDispatchIncomingCloseCall`: the call is over for the given reason; the client will close it.
    /// IRQL <= `DISPATCH_LEVEL`, no lock held.
    pub fn dispatch_incoming_close(&self, reason: Status) {
        if let Ok(vc) = self.live() {
            // SAFETY: the VC lives; there is no close data.
            unsafe { NdisCmDispatchIncomingCloseCall(reason.code(), vc, ptr::null_mut(), 0) };
        }
    }

    /// `NdisMCoIndicateStatusEx` for this VC; NDIS copies the data. IRQL <= `DISPATCH_LEVEL`, no lock held.
    pub fn indicate_status(&self, code: Status, data: &mut [u8]) {
        if let Ok(vc) = self.live() {
            self.adapter.indicate_co_status(Some(vc), code, data);
        }
    }
}
