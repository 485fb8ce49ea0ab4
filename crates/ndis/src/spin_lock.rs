//! Spin locks that own what they protect.

use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};

use wdk_sys::ntddk::{
    KeAcquireSpinLockAtDpcLevel, KeAcquireSpinLockRaiseToDpc, KeReleaseSpinLock,
    KeReleaseSpinLockFromDpcLevel,
};
use wdk_sys::{KIRQL, KSPIN_LOCK};

use crate::irql::Dispatch;

/// A value behind a `KSPIN_LOCK`.
///
/// Hold it for a few dozen instructions and never across a call into NDIS that can call back: completions and
/// indications may re-enter the driver on the same stack.
#[repr(C)]
pub struct SpinLock<T> {
    lock: UnsafeCell<KSPIN_LOCK>,
    value: UnsafeCell<T>,
}

// SAFETY: the lock lets one processor at a time at the value.
unsafe impl<T: Send> Send for SpinLock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// A free lock around `value` (`KeInitializeSpinLock` stores zero).
    pub const fn new(value: T) -> Self {
        Self { lock: UnsafeCell::new(0), value: UnsafeCell::new(value) }
    }

    /// Acquires the lock and raises to `DISPATCH_LEVEL` until the guard is dropped.
    /// Callable at IRQL <= `DISPATCH_LEVEL` (`KeAcquireSpinLockRaiseToDpc`).
    pub fn lock(&self) -> Guard<'_, T> {
        // SAFETY: the lock is initialised and lives as long as `self`.
        let irql = unsafe { KeAcquireSpinLockRaiseToDpc(self.lock.get()) };
        Guard { owner: self, irql: Some(irql), dispatch: Dispatch::documented() }
    }

    /// Acquires the lock where the IRQL is known to be `DISPATCH_LEVEL`, which saves the change of level
    /// (`KeAcquireSpinLockAtDpcLevel`).
    pub fn lock_at_dispatch(&self, _irql: &Dispatch) -> Guard<'_, T> {
        // SAFETY: the lock is initialised and lives as long as `self`; the token proves the level.
        unsafe { KeAcquireSpinLockAtDpcLevel(self.lock.get()) };
        Guard { owner: self, irql: None, dispatch: Dispatch::documented() }
    }

    /// The value, where exclusive access is proven without the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

/// The right to use the value; dropping it releases the lock.
pub struct Guard<'a, T> {
    owner: &'a SpinLock<T>,
    /// The level to return to; `None` if the lock was acquired at `DISPATCH_LEVEL`.
    irql: Option<KIRQL>,
    dispatch: Dispatch,
}

impl<T> Guard<'_, T> {
    /// The level at which code runs while the lock is held.
    pub const fn irql(&self) -> &Dispatch {
        &self.dispatch
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard holds the lock.
        unsafe { &*self.owner.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard holds the lock.
        unsafe { &mut *self.owner.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        let lock = self.owner.lock.get();
        match self.irql {
            // SAFETY: acquired by `lock` on this processor, which returned this level.
            Some(irql) => unsafe { KeReleaseSpinLock(lock, irql) },
            // SAFETY: acquired by `lock_at_dispatch` on this processor.
            None => unsafe { KeReleaseSpinLockFromDpcLevel(lock) },
        }
    }
}

impl<T> fmt::Debug for SpinLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpinLock")
    }
}
