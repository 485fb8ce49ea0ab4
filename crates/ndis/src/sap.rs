//! Service access points.

use core::ffi::c_void;
use core::marker::PhantomData;

use ndis_sys::{NDIS_HANDLE, NdisCmDeregisterSapComplete};

use crate::answer::Answer;
use crate::lock_order::Unlocked;
use crate::reference::Ref;
use crate::status::Status;

/// The driver's context of a registered SAP: gives the layer the handle.
pub trait Sap: Send + Sync + 'static {
    /// The handle that [`crate::CallManager::register_sap`] received.
    fn handle(&self) -> &SapHandle;
}

/// `NdisSapHandle` of a registered SAP; lives until its deregistration is completed.
#[derive(Debug)]
pub struct SapHandle(pub(crate) NDIS_HANDLE);

// SAFETY: an opaque handle, usable from any processor.
unsafe impl Send for SapHandle {}
// SAFETY: as above.
unsafe impl Sync for SapHandle {}

/// `CmDeregisterSap`: the client wants no more calls. Answer now, or keep it.
#[derive(Debug)]
pub struct DeregisterSap<S> {
    handle: NDIS_HANDLE,
    context: *mut c_void,
    sap: PhantomData<S>,
}

/// A deregistration that waits for offers under way. Dropping it completes it.
#[derive(Debug)]
pub struct PendedDeregisterSap<S: Send + Sync + 'static> {
    handle: NDIS_HANDLE,
    context: *mut c_void,
    sap: PhantomData<S>,
}

// SAFETY: an opaque handle and a counted context, usable from any processor.
unsafe impl<S: Send + Sync + 'static> Send for PendedDeregisterSap<S> {}

impl<S: Send + Sync + 'static> DeregisterSap<S> {
    pub(crate) const fn new(handle: NDIS_HANDLE, context: *mut c_void) -> Self {
        Self { handle, context, sap: PhantomData }
    }

    /// The SAP is gone; its context ends when the handler returns.
    pub fn finish(self) -> Answer {
        Answer::now(Status::SUCCESS)
    }

    /// The SAP is gone when the token is completed.
    pub fn pend(self) -> (PendedDeregisterSap<S>, Answer) {
        let pended = PendedDeregisterSap { handle: self.handle, context: self.context, sap: PhantomData };
        (pended, Answer::pending())
    }
}

impl<S: Send + Sync + 'static> PendedDeregisterSap<S> {
    /// `NdisMCmDeregisterSapComplete`. IRQL <= `DISPATCH_LEVEL`.
    pub fn complete(self, _locks: &mut Unlocked) {
        drop(self);
    }
}

impl<S: Send + Sync + 'static> Drop for PendedDeregisterSap<S> {
    fn drop(&mut self) {
        // SAFETY: the handler answered PENDING; the token's end completes it once.
        unsafe { NdisCmDeregisterSapComplete(Status::SUCCESS.code(), self.handle) };
        // SAFETY: the count that the registration handed to NDIS, which does not use the context after the completion.
        drop(unsafe { Ref::<S>::from_raw(self.context) });
    }
}
