//! Call-manager parameters for a call whose client has none.

use alloc::boxed::Box;
use core::ptr::NonNull;

use ndis_sys::CO_CALL_MANAGER_PARAMETERS;

use crate::incoming::{NOT_SPECIFIED, flow};
use crate::memory;
use crate::status::{Result, Status};

/// Memory of the driver's, which a client's call parameters point to ([`crate::CallParameters::supply`]). Keep it as long as
/// the VC.
#[derive(Debug)]
pub struct ManagerParameters(NonNull<CO_CALL_MANAGER_PARAMETERS>);

// SAFETY: plain memory, used from any processor, by one at a time.
unsafe impl Send for ManagerParameters {}
// SAFETY: a shared reference gives no access to it.
unsafe impl Sync for ManagerParameters {}

impl ManagerParameters {
    /// Parameters that say nothing. Callable at IRQL <= `DISPATCH_LEVEL`.
    pub fn new() -> Result<Self> {
        let block = memory::boxed(CO_CALL_MANAGER_PARAMETERS::default())?;
        NonNull::new(Box::into_raw(block)).map(Self).ok_or(Status::RESOURCES)
    }

    /// The same memory for another call, with nothing left of the last.
    pub(crate) fn begin(&mut self) -> *mut CO_CALL_MANAGER_PARAMETERS {
        let open = flow(NOT_SPECIFIED, NOT_SPECIFIED, NOT_SPECIFIED, NOT_SPECIFIED);
        let fresh = CO_CALL_MANAGER_PARAMETERS { Transmit: open, Receive: open, ..Default::default() };
        // SAFETY: allocated by `new`; no call uses it, for a VC has one at a time.
        unsafe { self.0.write(fresh) };
        self.0.as_ptr()
    }
}

impl Drop for ManagerParameters {
    fn drop(&mut self) {
        // SAFETY: made by `Box::into_raw` in `new`.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}
