//! Services of NDIS that are thin covers of the kernel's: memory, events, sleep, the error log, the version.

use std::time::Duration;

use super::adapter::Adapter;
use super::handle::Handle;
use super::{Ndis, finding, note, raw};
use crate::machine::{Event, IrqlRange, Machine, Step, enter};
use crate::memory::pool::PoolError;

/// The version of NDIS: the major number in the high half, the minor one in the low half.
pub(super) fn version_of(machine: &Machine) -> u32 {
    let (major, minor) = machine.config().windows.ndis;
    u32::from(major) << 16 | u32::from(minor)
}

pub(super) unsafe extern "win64" fn version() -> u32 {
    version_of(enter("NdisGetVersion", IrqlRange::DISPATCH_OR_BELOW).machine())
}

pub(super) unsafe extern "win64" fn up_time(out: *mut u64) {
    let call = enter("NdisGetSystemUpTimeEx", IrqlRange::ANY);
    let milliseconds = u64::try_from(call.machine().system_time().as_millis()).unwrap_or(u64::MAX);
    raw::write(out, milliseconds);
}

pub(super) unsafe extern "win64" fn allocate(_h: Handle, len: u32, tag: u32, _priority: u32) -> usize {
    let call = enter("NdisAllocateMemoryWithTagPriority", IrqlRange::DISPATCH_OR_BELOW);
    if tag == 0 {
        finding("SDV.NdisAllocateMemoryWithTagPriority", None, "memory without a tag".to_owned());
    }
    if len == 0 || call.machine().should_fail("NdisAllocateMemoryWithTagPriority") {
        return 0;
    }
    let site = "NdisAllocateMemoryWithTagPriority".to_owned();
    call.machine().pool().allocate(len as usize, tag, false, site) as usize
}

pub(super) unsafe extern "win64" fn free(memory: usize, len: u32, _flags: u32) {
    let call = enter("NdisFreeMemory", IrqlRange::DISPATCH_OR_BELOW);
    match call.machine().pool().free(memory as *mut u8, None, "NdisFreeMemory".to_owned()) {
        Ok(actual) if len != 0 && len as usize != actual => {
            finding("CO-287", None, format!("{actual} bytes freed as {len}"));
        }
        Ok(_) => {}
        Err(error @ PoolError::DoubleFree(..)) => finding("DV.C4.0x13", None, format!("{error:?}")),
        Err(error @ PoolError::Damaged(_)) => finding("BC.C1.0x24", None, format!("{error:?}")),
        Err(error) => finding("DV.C4.0x10", None, format!("{error:?}")),
    }
}

/// The event behind an `NDIS_EVENT`, by its address.
fn event(at: usize, initialize: bool) -> Event {
    let ndis = Ndis::current();
    let mut events = ndis.events.borrow_mut();
    if initialize {
        events.insert(at, Event::new("NDIS_EVENT"));
    } else if !events.contains_key(&at) {
        finding("CO-289", None, "an NDIS_EVENT that is not initialized".to_owned());
    }
    events.entry(at).or_insert_with(|| Event::new("NDIS_EVENT")).clone()
}

pub(super) unsafe extern "win64" fn initialize_event(at: usize) {
    let _call = enter("NdisInitializeEvent", IrqlRange::ANY);
    event(at, true);
}

pub(super) unsafe extern "win64" fn set_event(at: usize) {
    let _call = enter("NdisSetEvent", IrqlRange::DISPATCH_OR_BELOW);
    event(at, false).set();
}

pub(super) unsafe extern "win64" fn reset_event(at: usize) {
    let _call = enter("NdisResetEvent", IrqlRange::DISPATCH_OR_BELOW);
    event(at, false).reset();
}

/// Zero milliseconds mean for ever.
pub(super) unsafe extern "win64" fn wait_event(at: usize, milliseconds: u32) -> u8 {
    let call = enter("NdisWaitEvent", IrqlRange::PASSIVE);
    let timeout = Duration::from_millis(u64::from(milliseconds));
    let timeout = (milliseconds != 0).then(|| call.machine().timeout(timeout));
    u8::from(call.machine().wait(&event(at, false), timeout))
}

pub(super) unsafe extern "win64" fn sleep(microseconds: u32) {
    let call = enter("NdisMSleep", IrqlRange::APC);
    super::no_locks("CO-285", || "NdisMSleep".to_owned());
    call.machine().delay(Duration::from_micros(u64::from(microseconds)));
}

/// The values after the count are variable arguments; the first two of them come by register and stack.
pub(super) unsafe extern "win64" fn write_error_log(h: Handle, code: u32, count: u32, first: u32) {
    let _call = enter("NdisWriteErrorLogEntry", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = Adapter::find(h) else { return };
    adapter.error_logged.set(true);
    let value = if count == 0 { String::new() } else { format!(", value {first:#x}") };
    note(Step::new("driver", format!("logs error {code:#x}{value}")));
}
