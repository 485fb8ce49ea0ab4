//! A cell that is set once: for parts of a context that can only be made after the context itself exists.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU8, Ordering};

const EMPTY: u8 = 0;
const FILLING: u8 = 1;
const FULL: u8 = 2;

/// A value that is absent until [`Once::set`] and shared from then on.
pub struct Once<T> {
    state: AtomicU8,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value is written once, by whoever moved the state from EMPTY, and only shared afterwards.
unsafe impl<T: Send> Send for Once<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Once<T> {
    /// An empty cell.
    pub const fn new() -> Self {
        Self { state: AtomicU8::new(EMPTY), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// Fills the cell; gives the value back if it was full already.
    pub fn set(&self, value: T) -> Result<(), T> {
        if self.state.compare_exchange(EMPTY, FILLING, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return Err(value);
        }
        // SAFETY: the exchange above makes this the only writer, and nobody reads before FULL.
        let slot = unsafe { &mut *self.value.get() };
        slot.write(value);
        self.state.store(FULL, Ordering::Release);
        Ok(())
    }

    /// The value, if the cell is full.
    pub fn get(&self) -> Option<&T> {
        if self.state.load(Ordering::Acquire) != FULL {
            return None;
        }
        // SAFETY: FULL means that nobody writes any more.
        let slot = unsafe { &*self.value.get() };
        // SAFETY: FULL means that the value is initialised.
        Some(unsafe { slot.assume_init_ref() })
    }

    /// Empties the cell, where exclusive access is proven.
    pub fn take(&mut self) -> Option<T> {
        if core::mem::replace(self.state.get_mut(), EMPTY) != FULL {
            return None;
        }
        // SAFETY: the cell was FULL, and being marked EMPTY it cannot be read again.
        Some(unsafe { self.value.get_mut().assume_init_read() })
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Once<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<T> fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}
