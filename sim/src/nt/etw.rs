//! Event tracing. Nobody listens: registrations are tracked, events are counted and logged.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::c_void;
use std::rc::Rc;

use crate::exports;
use crate::image::Export;
use crate::machine::{Call, IrqlRange, Machine, enter};

const STATUS_SUCCESS: i32 = 0;
const STATUS_INVALID_HANDLE: i32 = 0xC000_0008_u32.cast_signed();

#[derive(Default)]
struct Providers {
    open: RefCell<BTreeSet<u64>>,
    made: std::cell::Cell<u64>,
}

fn providers(machine: &Machine) -> Rc<Providers> {
    machine.extension("nt.etw", Providers::default)
}

/// What an unloaded driver left registered: the system would call its callback.
pub fn audit(machine: &Machine) {
    for handle in providers(machine).open.borrow().iter() {
        machine.finding("DV.C4.0xDC", None, format!("event provider {handle} is registered after unload"));
    }
}

unsafe extern "win64" fn EtwRegister(
    _provider: *const c_void,
    _callback: *const c_void,
    _context: *mut c_void,
    handle: *mut u64,
) -> i32 {
    let call = enter("EtwRegister", IrqlRange::PASSIVE);
    let providers = providers(call.machine());
    let number = providers.made.get() + 1;
    providers.made.set(number);
    providers.open.borrow_mut().insert(number);
    // SAFETY: the driver passes room for the handle.
    unsafe { handle.write(number) };
    STATUS_SUCCESS
}

unsafe extern "win64" fn EtwUnregister(handle: u64) -> i32 {
    let call = enter("EtwUnregister", IrqlRange::PASSIVE);
    if providers(call.machine()).open.borrow_mut().remove(&handle) {
        return STATUS_SUCCESS;
    }
    check(&call, handle)
}

/// Whether the handle is that of a registered provider.
fn check(call: &Call, handle: u64) -> i32 {
    if providers(call.machine()).open.borrow().contains(&handle) {
        return STATUS_SUCCESS;
    }
    call.machine().finding("DV.C4.0xDD", None, "no such event provider is registered".to_owned());
    STATUS_INVALID_HANDLE
}

unsafe extern "win64" fn EtwWrite(
    handle: u64,
    _event: *const c_void,
    _activity: *const c_void,
    _count: u32,
    _data: *const c_void,
) -> i32 {
    check(&enter("EtwWrite", IrqlRange::ANY), handle)
}

unsafe extern "win64" fn EtwWriteEx(
    handle: u64,
    _event: *const c_void,
    _filter: u64,
    _flags: u32,
    _activity: *const c_void,
    _related: *const c_void,
    _count: u32,
    _data: *const c_void,
) -> i32 {
    check(&enter("EtwWriteEx", IrqlRange::ANY), handle)
}

unsafe extern "win64" fn EtwWriteTransfer(
    handle: u64,
    _event: *const c_void,
    _activity: *const c_void,
    _related: *const c_void,
    _count: u32,
    _data: *const c_void,
) -> i32 {
    check(&enter("EtwWriteTransfer", IrqlRange::ANY), handle)
}

unsafe extern "win64" fn EtwSetInformation(
    handle: u64,
    _class: i32,
    _information: *const c_void,
    _len: u32,
) -> i32 {
    check(&enter("EtwSetInformation", IrqlRange::PASSIVE), handle)
}

unsafe extern "win64" fn EtwEventEnabled(_handle: u64, _event: *const c_void) -> u8 {
    let _call = enter("EtwEventEnabled", IrqlRange::ANY);
    0
}

unsafe extern "win64" fn EtwProviderEnabled(_handle: u64, _level: u8, _keyword: u64) -> u8 {
    let _call = enter("EtwProviderEnabled", IrqlRange::ANY);
    0
}

/// Activity identifiers are not kept; what is asked for is all zeros.
unsafe extern "win64" fn EtwActivityIdControl(_control: u32, activity: *mut [u8; 16]) -> i32 {
    let _call = enter("EtwActivityIdControl", IrqlRange::ANY);
    // SAFETY: the driver passes room for an identifier.
    unsafe { activity.write([0; 16]) };
    STATUS_SUCCESS
}

pub(super) fn exports() -> Vec<Export> {
    exports![
        "ntoskrnl.exe": EtwRegister, EtwUnregister, EtwWrite, EtwWriteEx, EtwWriteTransfer, EtwSetInformation,
        EtwEventEnabled, EtwProviderEnabled, EtwActivityIdControl
    ]
}
