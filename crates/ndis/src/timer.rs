//! One-shot timers.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use alloc::boxed::Box;
use ndis_sys::{
    NDIS_HANDLE, NDIS_TIMER_CHARACTERISTICS, NdisAllocateTimerObject, NdisCancelTimerObject,
    NdisFreeTimerObject, NdisSetTimerObject,
};
use wdk_sys::LARGE_INTEGER;
use wdk_sys::ntddk::KeFlushQueuedDpcs;

use crate::header::header;
use crate::initialize::Initialize;
use crate::irql::{Dispatch, Passive};
use crate::memory::boxed;
use crate::reference::{Ref, Weak};
use crate::status::{Result, Status};

/// What a timer does when it expires. `K` tells the timers of one type of target apart.
pub trait TimerHandler<K = ()>: Send + Sync + 'static {
    /// `NdisTimerFunction`. May run once more after the timer was set again.
    fn expired(this: &Ref<Self>, irql: &mut Dispatch)
    where
        Self: Sized;
}

struct Context<T> {
    target: Weak<T>,
    /// Those who are setting the timer, and whether it may be set at all.
    gate: AtomicU32,
}

/// The timer is not to be set.
const SUSPENDED: u32 = 1 << 31;

/// How long to wait at a time for who is setting the timer: some instructions, unless their thread was preempted.
const LOOK: Duration = Duration::from_millis(1);

/// A timer object; freed by Drop at `PASSIVE_LEVEL`, which cancels it and waits for a running function.
pub struct Timer<T, K = ()> {
    handle: NDIS_HANDLE,
    context: *mut Context<T>,
    kind: PhantomData<fn(K)>,
}

// SAFETY: an opaque handle and a context of atomics.
unsafe impl<T: Send + Sync, K> Send for Timer<T, K> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync, K> Sync for Timer<T, K> {}

impl<T: TimerHandler<K>, K> Timer<T, K> {
    /// `NdisAllocateTimerObject`. The timer keeps only a weak reference to its target.
    pub fn new(init: &Initialize<'_>, tag: u32, target: &Ref<T>) -> Result<Self> {
        let context =
            Box::into_raw(boxed(Context { target: Ref::downgrade(target), gate: AtomicU32::new(0) })?);
        let mut characteristics = NDIS_TIMER_CHARACTERISTICS {
            Header: header(
                ndis_sys::NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS,
                ndis_sys::NDIS_TIMER_CHARACTERISTICS_REVISION_1,
                ndis_sys::NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1,
            ),
            AllocationTag: tag,
            TimerFunction: Some(expired::<T, K>),
            FunctionContext: context.cast(),
        };
        let mut handle: NDIS_HANDLE = ptr::null_mut();
        let adapter = init.handle();
        // SAFETY: the characteristics are complete and copied; the context lives until after the timer is freed.
        let status = unsafe { NdisAllocateTimerObject(adapter.0, &raw mut characteristics, &raw mut handle) };
        if let Err(status) = Status::from_raw(status).ok() {
            // SAFETY: made above; without a timer nothing refers to it.
            drop(unsafe { Box::from_raw(context) });
            return Err(status);
        }
        Ok(Self { handle, context, kind: PhantomData })
    }
}

impl<T, K> Timer<T, K> {
    /// Lets the timer expire once, `delay` from now, in place of what was set before, unless it is suspended. It expires at
    /// a tick of the clock, and so up to a tick earlier or later (page "Timer Accuracy"). IRQL <= `DISPATCH_LEVEL`.
    pub fn set(&self, delay: Duration) {
        // SAFETY: lives until Drop.
        let gate = unsafe { &(*self.context).gate };
        if gate.fetch_add(1, Ordering::AcqRel) & SUSPENDED == 0 {
            self.arm(delay);
        }
        gate.fetch_sub(1, Ordering::Release);
    }

    /// Cancels the timer and keeps it from being set until [`Timer::resume`]. Its function may run once more.
    pub fn suspend(&self, irql: &Passive) {
        // SAFETY: lives until Drop.
        let gate = unsafe { &(*self.context).gate };
        gate.fetch_or(SUSPENDED, Ordering::AcqRel);
        while gate.load(Ordering::Acquire) != SUSPENDED {
            crate::time::sleep(LOOK, irql);
        }
        self.cancel();
    }

    /// Lets the timer be set again.
    pub fn resume(&self) {
        // SAFETY: lives until Drop.
        let gate = unsafe { &(*self.context).gate };
        gate.fetch_and(!SUSPENDED, Ordering::AcqRel);
    }

    fn arm(&self, delay: Duration) {
        // A negative due time is relative, in units of 100 ns.
        let units = i64::try_from(delay.as_nanos() / 100).unwrap_or(i64::MAX).max(1);
        let due = LARGE_INTEGER { QuadPart: units.wrapping_neg() };
        // SAFETY: the timer is allocated; period 0 makes it one-shot; NULL keeps the context of the allocation.
        unsafe { NdisSetTimerObject(self.handle, due, 0, ptr::null_mut()) };
    }

    /// Takes back an expiration that has not begun. IRQL <= `DISPATCH_LEVEL`.
    pub fn cancel(&self) {
        // SAFETY: the timer is allocated.
        unsafe { NdisCancelTimerObject(self.handle) };
    }
}

impl<T, K> Drop for Timer<T, K> {
    fn drop(&mut self) {
        self.cancel();
        // Expirations cannot be counted: one that comes while the DPC of another is queued adds none. So this waits for
        // all DPCs, and the function, whose target is going, does not set the timer again.
        // SAFETY: timers are dropped at PASSIVE_LEVEL.
        unsafe { KeFlushQueuedDpcs() };
        // SAFETY: neither queued nor running.
        unsafe { NdisFreeTimerObject(self.handle) };
        // SAFETY: made by `new`; no function refers to it any more.
        drop(unsafe { Box::from_raw(self.context) });
    }
}

impl<T, K> core::fmt::Debug for Timer<T, K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Timer")
    }
}

/// `NDIS_TIMER_FUNCTION`.
unsafe extern "C" fn expired<T: TimerHandler<K>, K>(
    _system1: *mut c_void,
    context: *mut c_void,
    _system2: *mut c_void,
    _system3: *mut c_void,
) {
    // SAFETY: the context of the allocation, which Drop keeps until this DPC has ended.
    let context = unsafe { &*context.cast_const().cast::<Context<T>>() };
    if let Some(target) = context.target.upgrade() {
        T::expired(&target, &mut Dispatch::documented());
    }
}
