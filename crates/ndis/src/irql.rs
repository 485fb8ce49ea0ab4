//! Interrupt request levels as types.
//!
//! NDIS documents for every function and callback the IRQL it may run at. A [`Passive`] or [`Dispatch`] token
//! stands for that level: callbacks that NDIS calls at a known level hand one out, functions that need the level
//! ask for a reference. A token is neither `Send` nor `Clone`, so it cannot outlive the callback that made it.
//! Functions callable at any level up to `DISPATCH_LEVEL` ask for none.

use core::marker::PhantomData;

/// Proof that the code runs at `PASSIVE_LEVEL`: it may wait, sleep and touch pageable memory.
#[derive(Debug)]
pub struct Passive(PhantomData<*const ()>);

/// Proof that the code runs at `DISPATCH_LEVEL`: it cannot be rescheduled and must not wait.
#[derive(Debug)]
pub struct Dispatch(PhantomData<*const ()>);

impl Passive {
    /// Made by the shims of callbacks that NDIS documents as `PASSIVE_LEVEL`.
    pub(crate) const fn documented() -> Self {
        Self(PhantomData)
    }
}

impl Dispatch {
    /// Made by the shims of callbacks that NDIS documents as `DISPATCH_LEVEL`, and by held spin locks.
    pub(crate) const fn documented() -> Self {
        Self(PhantomData)
    }
}
