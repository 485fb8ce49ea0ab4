//! Spin locks that own what they protect.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use wdk_sys::ntddk::{
    KeAcquireSpinLockAtDpcLevel, KeAcquireSpinLockRaiseToDpc, KeReleaseSpinLock,
    KeReleaseSpinLockFromDpcLevel,
};
use wdk_sys::{KIRQL, KSPIN_LOCK};

use crate::irql::Dispatch;
use crate::lock_order::{Before, Level, Locked};

/// A value behind a `KSPIN_LOCK` of level `L`.
///
/// Hold it for a few dozen instructions. Calls into NDIS that can call back ask for the token of those who hold no lock:
/// completions and indications may re-enter the driver on the same stack.
#[repr(C)]
pub struct SpinLock<T, L> {
    lock: UnsafeCell<KSPIN_LOCK>,
    value: UnsafeCell<T>,
    level: PhantomData<fn(L)>,
}

// SAFETY: the lock lets one processor at a time at the value.
unsafe impl<T: Send, L> Send for SpinLock<T, L> {}
// SAFETY: as above.
unsafe impl<T: Send, L> Sync for SpinLock<T, L> {}

impl<T, L> SpinLock<T, L> {
    /// A free lock around `value` (`KeInitializeSpinLock` stores zero).
    pub const fn new(value: T) -> Self {
        Self { lock: UnsafeCell::new(0), value: UnsafeCell::new(value), level: PhantomData }
    }

    /// Acquires the lock until the guard is dropped: at `DISPATCH_LEVEL` if another one is held already
    /// (`KeAcquireSpinLockAtDpcLevel`), or raising to it (`KeAcquireSpinLockRaiseToDpc`).
    pub fn lock<'a, O: Before<L>>(&'a self, _locks: &'a mut Locked<O>) -> Guard<'a, T, L>
    where
        L: Level,
    {
        if O::HELD { self.acquire_at_dispatch() } else { self.acquire() }
    }

    /// Acquires the lock where the IRQL is known to be `DISPATCH_LEVEL`, which saves the change of level
    /// (`KeAcquireSpinLockAtDpcLevel`).
    pub fn lock_at_dispatch<'a>(&'a self, _irql: &'a mut Dispatch) -> Guard<'a, T, L>
    where
        L: Level,
    {
        self.acquire_at_dispatch()
    }

    /// The value, where exclusive access is proven without the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    fn acquire(&self) -> Guard<'_, T, L> {
        // SAFETY: the lock is initialised and lives as long as `self`.
        let irql = unsafe { KeAcquireSpinLockRaiseToDpc(self.lock.get()) };
        Guard { owner: self, irql: Some(irql), locks: Locked::documented(), outer: PhantomData }
    }

    /// To be called at `DISPATCH_LEVEL`.
    fn acquire_at_dispatch(&self) -> Guard<'_, T, L> {
        // SAFETY: the lock is initialised and lives as long as `self`; the caller's token proves the level.
        unsafe { KeAcquireSpinLockAtDpcLevel(self.lock.get()) };
        Guard { owner: self, irql: None, locks: Locked::documented(), outer: PhantomData }
    }
}

/// The right to use the value; dropping it releases the lock. It borrows the token that the lock was taken with, and
/// lends the one for the locks inside.
#[must_use = "the lock is released with the guard"]
pub struct Guard<'a, T, L> {
    owner: &'a SpinLock<T, L>,
    /// The level to return to; `None` if the lock was acquired at `DISPATCH_LEVEL`.
    irql: Option<KIRQL>,
    locks: Locked<L>,
    outer: PhantomData<&'a mut ()>,
}

impl<T, L> Guard<'_, T, L> {
    /// The value, and the token to take the locks inside with.
    pub const fn parts(&mut self) -> (&mut T, &mut Locked<L>) {
        // SAFETY: this guard holds the lock.
        (unsafe { &mut *self.owner.value.get() }, &mut self.locks)
    }
}

impl<T, L> Deref for Guard<'_, T, L> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard holds the lock.
        unsafe { &*self.owner.value.get() }
    }
}

impl<T, L> DerefMut for Guard<'_, T, L> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard holds the lock.
        unsafe { &mut *self.owner.value.get() }
    }
}

impl<T, L> Drop for Guard<'_, T, L> {
    fn drop(&mut self) {
        let lock = self.owner.lock.get();
        match self.irql {
            // SAFETY: acquired by `acquire` on this processor, which returned this level.
            Some(irql) => unsafe { KeReleaseSpinLock(lock, irql) },
            // SAFETY: acquired by `acquire_at_dispatch` on this processor.
            None => unsafe { KeReleaseSpinLockFromDpcLevel(lock) },
        }
    }
}

impl<T, L> fmt::Debug for SpinLock<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpinLock")
    }
}

/// A lock inside all others, for destructors and others who have no token. While it is held nothing is called.
pub struct Leaf<T>(SpinLock<T, Inmost>);

/// The level of leaves, which no other level is behind.
#[derive(Debug)]
pub(crate) enum Inmost {}

impl<T> Leaf<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(SpinLock::new(value))
    }

    /// Acquires the lock for as long as `act` takes. IRQL <= `DISPATCH_LEVEL`.
    ///
    /// What `act` captures is `Copy` and borrows nothing: so it can bring no token and no lock along.
    pub fn with<R>(&self, act: impl FnOnce(&mut T) -> R + Copy + 'static) -> R {
        act(&mut self.acquire())
    }

    /// The same for this crate, which must keep to that by itself.
    pub(crate) fn acquire(&self) -> Guard<'_, T, Inmost> {
        self.0.acquire()
    }
}

impl<T> fmt::Debug for Leaf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leaf")
    }
}
