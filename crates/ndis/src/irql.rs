//! Interrupt request levels as types.
//!
//! NDIS documents for every function and callback the IRQL it may run at. A [`Passive`] or [`Dispatch`] token
//! stands for that level with no lock held: callbacks that NDIS calls at a known level hand one out, functions that need
//! the level ask for it. A lock borrows the token for as long as it is held, so that nobody sleeps meanwhile. Both are
//! also the token of those who hold no lock ([`Unlocked`]), which is what functions callable at any level up to
//! `DISPATCH_LEVEL` ask for if they take locks or can call back. A token is neither `Send` nor `Clone`, so it cannot
//! outlive the callback that made it.

use core::ops::{Deref, DerefMut};

use crate::lock_order::{Locked, Unlocked};

/// Proof that the code runs at `PASSIVE_LEVEL`: it may wait, sleep and touch pageable memory.
#[derive(Debug)]
pub struct Passive(Unlocked);

/// Proof that the code runs at `DISPATCH_LEVEL` and holds no lock: it cannot be rescheduled and must not wait.
#[derive(Debug)]
pub struct Dispatch(Unlocked);

impl Passive {
    /// Made by the shims of callbacks that NDIS documents as `PASSIVE_LEVEL`.
    pub(crate) const fn documented() -> Self {
        Self(Locked::documented())
    }
}

impl Dispatch {
    /// Made by the shims of callbacks that NDIS documents as `DISPATCH_LEVEL`.
    pub(crate) const fn documented() -> Self {
        Self(Locked::documented())
    }
}

impl Deref for Passive {
    type Target = Unlocked;

    fn deref(&self) -> &Unlocked {
        &self.0
    }
}

impl DerefMut for Passive {
    fn deref_mut(&mut self) -> &mut Unlocked {
        &mut self.0
    }
}

impl Deref for Dispatch {
    type Target = Unlocked;

    fn deref(&self) -> &Unlocked {
        &self.0
    }
}

impl DerefMut for Dispatch {
    fn deref_mut(&mut self) -> &mut Unlocked {
        &mut self.0
    }
}
