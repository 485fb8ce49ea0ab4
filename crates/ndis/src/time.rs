//! Clocks and waiting.

use core::time::Duration;

use ndis_sys::NdisMSleep;
use wdk_sys::LARGE_INTEGER;
use wdk_sys::ntddk::{KeQueryPerformanceCounter, KeQuerySystemTimePrecise, KeStallExecutionProcessor};

use crate::irql::Passive;

/// The longest time that a processor may be kept busy at once (`NdisStallExecution`).
const LONGEST_STALL_MICROSECONDS: u32 = 50;

/// The time since an arbitrary moment, which nobody sets (`KeQueryPerformanceCounter`). Callable at any IRQL.
pub fn now() -> Duration {
    let mut frequency = LARGE_INTEGER { QuadPart: 0 };
    // SAFETY: the frequency is written to memory of ours.
    let counter = unsafe { KeQueryPerformanceCounter(&raw mut frequency) };
    // SAFETY: every bit pattern of the union is a valid 64-bit number.
    let counter = unsafe { counter.QuadPart };
    // SAFETY: as above.
    let frequency = unsafe { frequency.QuadPart };
    let counter = u128::try_from(counter).unwrap_or(0);
    let frequency = u128::try_from(frequency).unwrap_or(1).max(1);
    let nanoseconds = counter.saturating_mul(1_000_000_000).checked_div(frequency).unwrap_or(0);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// The system time in units of 100 ns (`KeQuerySystemTimePrecise`): no measure of intervals, but hard to foresee.
/// Callable at any IRQL.
pub fn ticks() -> u64 {
    let mut time = LARGE_INTEGER { QuadPart: 0 };
    // SAFETY: the time is written to memory of ours.
    unsafe { KeQuerySystemTimePrecise(&raw mut time) };
    // SAFETY: every bit pattern of the union is a valid 64-bit number.
    #[expect(clippy::cast_sign_loss, reason = "any number will do")]
    let ticks = unsafe { time.QuadPart } as u64;
    ticks
}

/// Lets other threads run for at least this long (`NdisMSleep`).
pub fn sleep(time: Duration, _irql: &Passive) {
    let microseconds = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    // SAFETY: the token proves PASSIVE_LEVEL.
    unsafe { NdisMSleep(microseconds) };
}

/// Keeps the processor busy for so many microseconds, at most 50 (`KeStallExecutionProcessor`). Callable at any IRQL.
pub fn stall(microseconds: u32) {
    // SAFETY: no precondition but to be short.
    unsafe { KeStallExecutionProcessor(microseconds.min(LONGEST_STALL_MICROSECONDS)) };
}
