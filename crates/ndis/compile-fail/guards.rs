//! Guards and what they lend, kept for too long.
#![no_std]

use ndis::spin_lock::Guard;
use ndis::{Dispatch, Leaf, Locked, SpinLock, Unlocked};

ndis::lock_order! {
    nested {
        /// Taken first.
        Outer,
        /// Taken inside.
        Inner,
    }
    alone {}
}

/// A guard that outlives the token it was taken with.
pub fn outlives_token<'a>(lock: &'a SpinLock<u32, Outer>, irql: &mut Dispatch) -> Guard<'a, u32, Outer> {
    lock.lock_at_dispatch(irql) //~ E0621
}

/// The outer lock released before the inner one.
pub fn released_in_the_wrong_order(
    outer: &SpinLock<u32, Outer>,
    inner: &SpinLock<u32, Inner>,
    token: &mut Unlocked,
) -> u32 {
    let mut outer = outer.lock(token);
    let inner = inner.lock(outer.parts().1);
    drop(outer); //~ E0505
    *inner
}

/// The token of a lock that is not held any more.
pub fn token_outlives_lock<'a>(
    lock: &'a SpinLock<u32, Outer>,
    token: &'a mut Unlocked,
) -> &'a mut Locked<Outer> {
    let mut guard = lock.lock(token);
    guard.parts().1 //~ E0515
}

/// A value that outlives its lock.
pub fn value_outlives_lock(lock: &SpinLock<u32, Outer>, token: &mut Unlocked) -> u32 {
    let mut guard = lock.lock(token);
    let (value, _) = guard.parts();
    drop(guard); //~ E0505
    *value
}

/// Another lock, brought along into a leaf.
pub fn lock_inside_leaf(leaf: &Leaf<u32>, lock: &SpinLock<u32, Outer>, token: &mut Unlocked) -> u32 {
    leaf.with(|value| *value + *lock.lock(token)) //~ E0277
}
