//! Locks taken in the wrong order.
#![no_std]

use ndis::{SpinLock, Unlocked};

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

/// The outer lock inside the inner one.
pub fn outer_inside_inner(outer: &SpinLock<(), Outer>, inner: &SpinLock<(), Inner>, token: &mut Unlocked) {
    let mut inner = inner.lock(token);
    drop(outer.lock(inner.parts().1)); //~ E0277
}

/// Two locks of one level.
pub fn two_of_one_level(one: &SpinLock<(), Inner>, other: &SpinLock<(), Inner>, token: &mut Unlocked) {
    let mut one = one.lock(token);
    drop(other.lock(one.parts().1)); //~ E0277
}

/// A lock that is taken alone, inside another.
pub fn single_inside_outer(outer: &SpinLock<(), Outer>, single: &SpinLock<(), Single>, token: &mut Unlocked) {
    let mut outer = outer.lock(token);
    drop(single.lock(outer.parts().1)); //~ E0277
}

/// Another one inside a lock that is taken alone.
pub fn inner_inside_single(single: &SpinLock<(), Single>, inner: &SpinLock<(), Inner>, token: &mut Unlocked) {
    let mut single = single.lock(token);
    drop(inner.lock(single.parts().1)); //~ E0277
}
