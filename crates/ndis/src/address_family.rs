//! Address families.

use core::ffi::c_void;

use ndis_sys::{
    CO_ADDRESS_FAMILY, NDIS_HANDLE, NdisCmCloseAddressFamilyComplete, NdisCmNotifyCloseAddressFamily,
    NdisMCmRegisterAddressFamilyEx,
};

use crate::answer::Answer;
use crate::initialize::Initialize;
use crate::irql::Passive;
use crate::lock_order::Unlocked;
use crate::reference::Ref;
use crate::status::{Result, Status};

/// An address family that the call manager offers; its version is 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressFamilyId(pub u32);

/// The version of every family that is registered, and the only one that is opened.
pub(crate) const MAJOR_VERSION: u32 = 1;
const MINOR_VERSION: u32 = 0;

/// Registers the families, in order (`NdisMCmRegisterAddressFamilyEx`). There is no way to take one back but to
/// fail the initialisation, so this is its last step; the first family must succeed, the others may fail.
pub(crate) fn register(init: &Initialize<'_>, families: &[AddressFamilyId]) -> Result<()> {
    let mut first = true;
    for &AddressFamilyId(id) in families {
        let mut family =
            CO_ADDRESS_FAMILY { AddressFamily: id, MajorVersion: MAJOR_VERSION, MinorVersion: MINOR_VERSION };
        let adapter = init.handle();
        // SAFETY: NDIS copies the family.
        let status = Status::from_raw(unsafe { NdisMCmRegisterAddressFamilyEx(adapter.0, &raw mut family) });
        if let Err(status) = status.ok() {
            adapter.log_error(crate::log::ErrorCode::OUT_OF_RESOURCES, id);
            if first {
                return Err(status);
            }
        }
        first = false;
    }
    Ok(())
}

/// The driver's context of an open address family: gives the layer its handle.
pub trait AddressFamily: Send + Sync + 'static {
    /// The handle that [`crate::CallManager::open_address_family`] received.
    fn handle(&self) -> &AddressFamilyHandle;
}

/// `NdisAfHandle` of an open address family; lives until its close is completed.
#[derive(Debug)]
pub struct AddressFamilyHandle(pub(crate) NDIS_HANDLE);

// SAFETY: an opaque handle, usable from any processor.
unsafe impl Send for AddressFamilyHandle {}
// SAFETY: as above.
unsafe impl Sync for AddressFamilyHandle {}

impl AddressFamilyHandle {
    /// `NdisMCmNotifyCloseAddressFamily`: asks the client to close its calls, its SAPs and the family. What it does
    /// comes through the handlers, perhaps after this returned.
    pub fn notify_close(&self, _irql: &mut Passive) {
        // SAFETY: the family is open. PENDING and SUCCESS differ only in who waits: the owner waits for the close.
        let _ = unsafe { NdisCmNotifyCloseAddressFamily(self.0) };
    }
}

/// `CmCloseAf`: the client is done with the family. Answer now, or keep it.
#[derive(Debug)]
pub struct CloseAddressFamily<F> {
    handle: NDIS_HANDLE,
    context: *mut c_void,
    family: core::marker::PhantomData<F>,
}

/// A close of an address family that waits for its calls and SAPs. Dropping it completes it.
#[derive(Debug)]
pub struct PendedCloseAddressFamily<F: Send + Sync + 'static> {
    handle: NDIS_HANDLE,
    context: *mut c_void,
    family: core::marker::PhantomData<F>,
}

// SAFETY: an opaque handle and a counted context, usable from any processor.
unsafe impl<F: Send + Sync + 'static> Send for PendedCloseAddressFamily<F> {}

impl<F: Send + Sync + 'static> CloseAddressFamily<F> {
    pub(crate) const fn new(handle: NDIS_HANDLE, context: *mut c_void) -> Self {
        Self { handle, context, family: core::marker::PhantomData }
    }

    /// The family is closed; its context ends when the handler returns.
    pub fn finish(self) -> Answer {
        Answer::now(Status::SUCCESS)
    }

    /// The family closes when the token is completed.
    pub fn pend(self) -> (PendedCloseAddressFamily<F>, Answer) {
        let pended = PendedCloseAddressFamily {
            handle: self.handle,
            context: self.context,
            family: core::marker::PhantomData,
        };
        (pended, Answer::pending())
    }
}

impl<F: Send + Sync + 'static> PendedCloseAddressFamily<F> {
    /// `NdisMCmCloseAddressFamilyComplete`. IRQL <= `DISPATCH_LEVEL`.
    pub fn complete(self, _locks: &mut Unlocked) {
        drop(self);
    }
}

impl<F: Send + Sync + 'static> Drop for PendedCloseAddressFamily<F> {
    fn drop(&mut self) {
        // SAFETY: the handler answered PENDING; the token's end completes it once.
        unsafe { NdisCmCloseAddressFamilyComplete(Status::SUCCESS.code(), self.handle) };
        // SAFETY: the count that the open handed to NDIS, which does not use the context after the completion.
        drop(unsafe { Ref::<F>::from_raw(self.context) });
    }
}
