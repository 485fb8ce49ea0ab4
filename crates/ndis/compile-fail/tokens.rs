//! Tokens and levels that are not there.
#![no_std]

use core::time::Duration;

use ndis::{Arrivals, Passive, Ref, SpinLock, Unlocked, Vc};

ndis::lock_order! {
    nested {
        /// The only one.
        Outer,
    }
    alone {}
}

/// A lock taken with no token at all.
pub fn without_token(lock: &SpinLock<u32, Outer>) -> u32 {
    *lock.lock() //~ E0061
}

/// A lock taken at `DISPATCH_LEVEL` by somebody who does not know the level.
pub fn at_dispatch_from_anywhere(lock: &SpinLock<u32, Outer>, token: &mut Unlocked) -> u32 {
    *lock.lock_at_dispatch(token) //~ E0308
}

/// The same at `PASSIVE_LEVEL`.
pub fn at_dispatch_from_passive(lock: &SpinLock<u32, Outer>, irql: &mut Passive) -> u32 {
    *lock.lock_at_dispatch(irql) //~ E0308
}

/// A sleep at any level.
pub fn sleeps_anywhere(token: &mut Unlocked) {
    ndis::sleep(Duration::from_millis(1), token); //~ E0308
}

/// An indication that says that the level is `DISPATCH_LEVEL`, at any.
pub fn indicates_anywhere<V: Vc>(vc: &Ref<V>, arrivals: &mut Arrivals, token: &mut Unlocked) {
    arrivals.indicate(vc, token); //~ E0308
}

/// A token kept for later, on another processor.
pub fn sends_token(token: Unlocked) {
    fn sends(_: impl Send) {}
    sends(token); //~ E0277
}
