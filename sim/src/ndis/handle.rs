//! The handles that NDIS gives to a driver.

use std::any::Any;
use std::ffi::c_void;
use std::rc::Rc;

use super::finding;
use crate::machine::Machine;
use crate::memory::BadHandle;

/// `NDIS_HANDLE`.
pub(crate) type Handle = *mut c_void;

/// What a handle stands for.
pub(crate) struct Kind;

#[expect(non_upper_case_globals, reason = "the variants of an enumeration whose values are names")]
impl Kind {
    pub(crate) const Driver: &'static str = "miniport driver";
    pub(crate) const Adapter: &'static str = "adapter";
    pub(crate) const AddressFamily: &'static str = "AF";
    pub(crate) const Sap: &'static str = "SAP";
    pub(crate) const Vc: &'static str = "VC";
    pub(crate) const Configuration: &'static str = "configuration";
    pub(crate) const Pool: &'static str = "NBL pool";
    pub(crate) const BufferPool: &'static str = "NB pool";
    pub(crate) const Timer: &'static str = "timer";
    pub(crate) const WorkItem: &'static str = "work item";
    pub(crate) const Interrupt: &'static str = "interrupt";
    /// Of a protocol, to an adapter.
    pub(crate) const Binding: &'static str = "binding";
    pub(crate) const Dma: &'static str = "SG DMA";
}

/// Makes a handle for `object`.
pub(crate) fn open<T: 'static>(kind: &'static str, object: Rc<T>) -> Handle {
    let object: Rc<dyn Any> = object;
    Machine::current().handles().create(kind, object)
}

/// Ends a handle. Its value stays recognisable.
pub(crate) fn close<T: 'static>(kind: &'static str, handle: Handle) -> Option<Rc<T>> {
    Machine::current().handles().close(handle, kind).ok()
}

/// The object behind a handle from the driver. `dead` is the rule that a closed one breaks; anything else is not a
/// value NDIS issued (`CO-084`).
pub(crate) fn find<T: 'static>(handle: Handle, kind: &'static str, dead: &'static str) -> Option<Rc<T>> {
    match Machine::current().handles().lookup(handle, kind) {
        Ok(object) => Some(object),
        Err(error) => {
            let rule = if matches!(error, BadHandle::Closed(_)) { dead } else { "CO-084" };
            finding(rule, None, error.to_string());
            None
        }
    }
}

/// Whether the handle is or was of this kind.
pub(crate) fn is_of(kind: &'static str, handle: Handle) -> bool {
    Machine::current().handles().kind(handle) == Some(kind)
}

/// Whether the handle is of this kind and open.
pub(crate) fn is_open<T: 'static>(kind: &'static str, handle: Handle) -> bool {
    Machine::current().handles().lookup::<T>(handle, kind).is_ok()
}
