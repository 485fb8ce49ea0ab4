//! Events and waiting.
//!
//! A `KEVENT` is known by its address; its `SignalState` shows what Windows would show. `NdisInitializeEvent` and its
//! family use the same objects.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use crate::abi::KEVENT;
use crate::exports;
use crate::image::Export;
use crate::machine::{DISPATCH_LEVEL, Event, EventKind, IrqlRange, Machine, enter};

const STATUS_SUCCESS: i32 = 0;
const STATUS_TIMEOUT: i32 = 0x102;
const STATUS_WAIT_0: i32 = 0;
const WAIT_ALL: i32 = 0;

#[derive(Default)]
struct Events(RefCell<BTreeMap<usize, Event>>);

fn events(machine: &Machine) -> Rc<Events> {
    machine.extension("nt.event", Events::default)
}

fn show(event: *mut KEVENT, object: &Event) {
    let state = event.wrapping_byte_add(std::mem::offset_of!(KEVENT, Header.SignalState)).cast::<i32>();
    // SAFETY: the driver vouches for the event; a wrong pointer faults and ends the run.
    unsafe { state.write_volatile(object.is_set().into()) };
}

/// Makes the event at `event` an object of the machine.
pub fn initialize(machine: &Machine, event: *mut KEVENT, kind: EventKind, set: bool) -> Event {
    let object = Event::with_kind("an event", kind);
    if set {
        object.set();
    }
    show(event, &object);
    let former = events(machine).0.borrow_mut().insert(event.addr(), object.clone());
    if former.is_some_and(|former| former.waiters() > 0) {
        machine.finding("CO-289", None, "an event with waiters is initialised again".to_owned());
    }
    object
}

/// The object of the event at `event`; one that was not initialised is a finding.
pub fn find(machine: &Machine, event: *mut KEVENT) -> Event {
    let known = events(machine).0.borrow().get(&event.addr()).cloned();
    known.unwrap_or_else(|| {
        machine.finding("CO-289", None, "the event was not initialised".to_owned());
        initialize(machine, event, EventKind::Notification, false)
    })
}

/// Sets the event; returns whether it was set.
pub fn set(machine: &Machine, event: *mut KEVENT) -> bool {
    let object = find(machine, event);
    let was = object.set();
    show(event, &object);
    was
}

/// Resets the event; returns whether it was set.
pub fn reset(machine: &Machine, event: *mut KEVENT) -> bool {
    let object = find(machine, event);
    let was = object.reset();
    show(event, &object);
    was
}

/// Waits for the event; false when the timeout has passed.
pub fn wait(machine: &Machine, event: *mut KEVENT, timeout: Option<Duration>) -> bool {
    if timeout != Some(Duration::ZERO) && machine.locks_held() > 0 && machine.irql() < DISPATCH_LEVEL {
        machine.finding("CO-301", None, "a wait while a spin lock is held".to_owned());
    }
    let object = find(machine, event);
    let signalled = machine.wait(&object, timeout);
    show(event, &object);
    signalled
}

/// The memory of `range` is free: events in it are gone. Those waited for are findings.
pub(super) fn forget(machine: &Machine, range: Range<usize>) {
    let events = events(machine);
    let gone: Vec<usize> = events.0.borrow().range(range).map(|(&address, _)| address).collect();
    for address in gone {
        let event = events.0.borrow_mut().remove(&address);
        if event.is_some_and(|event| event.waiters() > 0) {
            machine.finding("CO-289", None, "memory with an event that is waited for is freed".to_owned());
        }
    }
}

/// A kernel timeout: in 100 ns; negative from now, else a system time; `None` for ever.
///
/// # Safety
/// The pointer must be null or that of a timeout.
unsafe fn timeout(machine: &Machine, timeout: *const i64) -> Option<Duration> {
    if timeout.is_null() {
        return None;
    }
    // SAFETY: the caller vouches for the pointer.
    let value = unsafe { timeout.read() };
    let ticks = if value < 0 {
        value.unsigned_abs()
    } else {
        value.unsigned_abs().saturating_sub(super::time::system_time(machine).unsigned_abs())
    };
    Some(Duration::from_nanos(ticks.saturating_mul(100)))
}

unsafe extern "win64" fn KeInitializeEvent(event: *mut KEVENT, kind: i32, state: u8) {
    let call = enter("KeInitializeEvent", IrqlRange::ANY);
    let kind = if kind == 0 { EventKind::Notification } else { EventKind::Synchronization };
    initialize(call.machine(), event, kind, state != 0);
}

unsafe extern "win64" fn KeSetEvent(event: *mut KEVENT, _increment: i32, wait: u8) -> i32 {
    let range = if wait == 0 { IrqlRange::DISPATCH_OR_BELOW } else { IrqlRange::APC };
    let call = enter("KeSetEvent", range);
    set(call.machine(), event).into()
}

unsafe extern "win64" fn KeResetEvent(event: *mut KEVENT) -> i32 {
    let call = enter("KeResetEvent", IrqlRange::DISPATCH_OR_BELOW);
    reset(call.machine(), event).into()
}

unsafe extern "win64" fn KeClearEvent(event: *mut KEVENT) {
    let call = enter("KeClearEvent", IrqlRange::DISPATCH_OR_BELOW);
    reset(call.machine(), event);
}

unsafe extern "win64" fn KeReadStateEvent(event: *mut KEVENT) -> i32 {
    let call = enter("KeReadStateEvent", IrqlRange::DISPATCH_OR_BELOW);
    find(call.machine(), event).is_set().into()
}

unsafe extern "win64" fn KeWaitForSingleObject(
    object: *mut KEVENT,
    _reason: i32,
    _mode: i8,
    _alertable: u8,
    limit: *const i64,
) -> i32 {
    // The wait itself says what is wrong with the IRQL: a poll is allowed at DISPATCH_LEVEL.
    let call = enter("KeWaitForSingleObject", IrqlRange::DISPATCH_OR_BELOW);
    // SAFETY: the driver passes NULL or a timeout.
    let limit = unsafe { timeout(call.machine(), limit) }.map(|limit| call.machine().timeout(limit));
    if wait(call.machine(), object, limit) { STATUS_SUCCESS } else { STATUS_TIMEOUT }
}

unsafe extern "win64" fn KeWaitForMultipleObjects(
    count: u32,
    objects: *const *mut KEVENT,
    kind: i32,
    _reason: i32,
    _mode: i8,
    _alertable: u8,
    limit: *const i64,
    _blocks: *mut std::ffi::c_void,
) -> i32 {
    let call = enter("KeWaitForMultipleObjects", IrqlRange::DISPATCH_OR_BELOW);
    let machine = call.machine();
    // SAFETY: the driver passes NULL or a timeout.
    let limit = unsafe { timeout(machine, limit) };
    // SAFETY: the driver passes `count` pointers.
    let objects = unsafe { std::slice::from_raw_parts(objects, count as usize) };
    let end = limit.map(|limit| machine.timer_end(limit));
    loop {
        let set: Vec<bool> = objects.iter().map(|&object| find(machine, object).is_set()).collect();
        let ready = if kind == WAIT_ALL {
            set.iter().all(|&set| set).then_some(0)
        } else {
            set.iter().position(|&set| set)
        };
        if let Some(first) = ready {
            let taken = if kind == WAIT_ALL { objects } else { &objects[first..=first] };
            for &object in taken {
                wait(machine, object, Some(Duration::ZERO));
            }
            return STATUS_WAIT_0 + i32::try_from(first).unwrap_or(0);
        }
        if end.is_some_and(|end| machine.now() >= end) {
            return STATUS_TIMEOUT;
        }
        if machine.irql() >= DISPATCH_LEVEL {
            machine.finding("DV.C4.0x3B", None, "wait for several objects at DISPATCH_LEVEL".to_owned());
            return STATUS_TIMEOUT;
        }
        machine.sleep(Duration::from_micros(100));
    }
}

unsafe extern "win64" fn KeDelayExecutionThread(_mode: i8, _alertable: u8, interval: *const i64) -> i32 {
    let call = enter("KeDelayExecutionThread", IrqlRange::APC);
    // SAFETY: the driver passes an interval.
    let time = unsafe { timeout(call.machine(), interval) };
    call.machine().delay(time.unwrap_or_default());
    STATUS_SUCCESS
}

pub(super) fn exports() -> Vec<Export> {
    exports![
        "ntoskrnl.exe": KeInitializeEvent, KeSetEvent, KeResetEvent, KeClearEvent, KeReadStateEvent,
        KeWaitForSingleObject, KeWaitForMultipleObjects, KeDelayExecutionThread
    ]
}
