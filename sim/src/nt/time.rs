//! Time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::exports;
use crate::image::Export;
use crate::machine::{BOOT, Event, IrqlRange, Machine, QPC_FREQUENCY, enter};

/// The longest stall that the page of `KeStallExecutionProcessor` allows, in microseconds.
const LONGEST_STALL: u32 = 50;

/// Units of 100 ns since boot.
fn ticks(machine: &Machine) -> i64 {
    i64::try_from(machine.now().as_nanos() / 100).unwrap_or(i64::MAX)
}

/// System time, in 100 ns since 1601. The same in every run.
pub fn system_time(machine: &Machine) -> i64 {
    BOOT.saturating_add(ticks(machine))
}

unsafe extern "win64" fn KeQuerySystemTimePrecise(out: *mut i64) {
    let call = enter("KeQuerySystemTimePrecise", IrqlRange::ANY);
    // SAFETY: the driver passes room for the time.
    unsafe { out.write(system_time(call.machine())) };
}

unsafe extern "win64" fn KeQueryInterruptTimePrecise(counter: *mut u64) -> u64 {
    let call = enter("KeQueryInterruptTimePrecise", IrqlRange::ANY);
    let time = ticks(call.machine()).unsigned_abs();
    // SAFETY: the driver passes room for the counter.
    unsafe { counter.write(time) };
    time
}

unsafe extern "win64" fn KeQueryUnbiasedInterruptTime() -> u64 {
    ticks(enter("KeQueryUnbiasedInterruptTime", IrqlRange::ANY).machine()).unsigned_abs()
}

/// 15.625 ms in units of 100 ns.
unsafe extern "win64" fn KeQueryTimeIncrement() -> u32 {
    let _call = enter("KeQueryTimeIncrement", IrqlRange::ANY);
    156_250
}

unsafe extern "win64" fn KeQueryPerformanceCounter(frequency: *mut i64) -> i64 {
    let call = enter("KeQueryPerformanceCounter", IrqlRange::ANY);
    if !frequency.is_null() {
        // SAFETY: the driver passes NULL or room for the frequency.
        unsafe { frequency.write(QPC_FREQUENCY) };
    }
    ticks(call.machine())
}

unsafe extern "win64" fn KeStallExecutionProcessor(microseconds: u32) {
    let call = enter("KeStallExecutionProcessor", IrqlRange::ANY);
    let machine = call.machine();
    if microseconds > LONGEST_STALL {
        machine.finding("SDV.NdisStallExecution_Delay", None, format!("a stall of {microseconds} us"));
    }
    machine.stall(Duration::from_micros(microseconds.into()));
}

/// Waits behind the DPCs that each processor has queued.
unsafe extern "win64" fn KeFlushQueuedDpcs() {
    let call = enter("KeFlushQueuedDpcs", IrqlRange::PASSIVE);
    let machine = call.machine();
    let cpus = machine.config().cpus;
    let (left, done) = (Rc::new(Cell::new(cpus)), Event::new("queued DPCs"));
    for cpu in 0..cpus {
        let (left, done) = (Rc::clone(&left), done.clone());
        machine.queue_dpc(Some(cpu), "flush", move || {
            left.set(left.get() - 1);
            if left.get() == 0 {
                done.set();
            }
        });
    }
    machine.wait(&done, None);
}

pub(super) fn exports() -> Vec<Export> {
    let mut exports = exports![
        "ntoskrnl.exe": KeQuerySystemTimePrecise, KeQueryInterruptTimePrecise, KeQueryUnbiasedInterruptTime,
        KeQueryTimeIncrement, KeQueryPerformanceCounter, KeStallExecutionProcessor, KeFlushQueuedDpcs
    ];
    exports.extend(exports!["HAL.dll": KeQueryPerformanceCounter, KeStallExecutionProcessor]);
    exports
}
