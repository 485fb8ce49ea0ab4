//! What the other files here are held against: the same in the right order, which compiles.
#![no_std]

use core::time::Duration;

use ndis::{
    Arrivals, Dispatch, IncomingCall, Leaf, Locked, Passive, PendedMakeCall, PendedPause, Ref, SpinLock,
    Unlocked, Vc, VcHandle,
};

ndis::lock_order! {
    nested {
        /// Taken first.
        Outer,
        /// Taken inside.
        Inner,
    }
    alone {
        /// Taken with no other.
        Single,
    }
}

/// One lock of each kind.
pub struct Locks {
    outer: SpinLock<u32, Outer>,
    inner: SpinLock<u32, Inner>,
    single: SpinLock<u32, Single>,
    leaf: Leaf<u32>,
}

/// In order, and the leaf inside.
pub fn in_order(locks: &Locks, token: &mut Unlocked) -> u32 {
    let mut outer = locks.outer.lock(token);
    let (outer, token) = outer.parts();
    let inner = locks.inner.lock(token);
    *outer + *inner + locks.leaf.with(|leaf| *leaf)
}

/// One after the other, in any order.
pub fn one_after_the_other(locks: &Locks, token: &mut Unlocked) {
    *locks.inner.lock(token) += 1;
    let outer = locks.outer.lock(token);
    drop(outer);
    *locks.single.lock(token) += 1;
}

/// A function that takes an inner lock, for those who hold the outer one and for those who hold none.
pub fn inside(locks: &Locks, token: &mut Locked<impl ndis::Before<Inner>>) -> u32 {
    *locks.inner.lock(token)
}

/// Calls it with each token.
pub fn from_everywhere(locks: &Locks, passive: &mut Passive, dispatch: &mut Dispatch) -> u32 {
    let mut outer = locks.outer.lock(passive);
    let sum = inside(locks, outer.parts().1);
    drop(outer);
    sum + inside(locks, passive) + inside(locks, dispatch)
}

/// At `DISPATCH_LEVEL`.
pub fn at_dispatch(locks: &Locks, irql: &mut Dispatch) {
    *locks.outer.lock_at_dispatch(irql) += 1;
}

/// With no lock held any more.
pub fn sleeps(locks: &Locks, irql: &mut Passive) {
    *locks.outer.lock(irql) += 1;
    ndis::sleep(Duration::from_millis(1), irql);
}

/// With no lock held any more.
pub fn completes(locks: &Locks, pause: PendedPause, token: &mut Unlocked) {
    *locks.outer.lock(token) += 1;
    pause.complete(token);
}

/// With no lock held any more.
pub fn indicates<V: Vc>(locks: &Locks, vc: &Ref<V>, arrivals: &mut Arrivals, irql: &mut Dispatch) {
    *locks.outer.lock_at_dispatch(irql) += 1;
    arrivals.indicate(vc, irql);
}

/// With the driver's parameters, which the VC keeps, and with a client's, which the make call keeps.
pub fn activates(vc: &VcHandle, own: IncomingCall, make: &mut PendedMakeCall, locks: &mut Unlocked) -> bool {
    let activated = vc.activate(&own, locks).is_ok();
    drop(own);
    activated && make.activate(vc, locks).is_ok()
}
