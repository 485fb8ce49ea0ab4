//! What must not be done with a lock held.
#![no_std]

use core::time::Duration;

use ndis::{AdapterHandle, Arrivals, Chain, Dispatch, Passive, PendedPause, Ref, SpinLock, Unlocked, Vc};

ndis::lock_order! {
    nested {
        /// The only one.
        Outer,
    }
    alone {}
}

type Lock = SpinLock<u32, Outer>;

/// Sleeps.
pub fn sleeps(lock: &Lock, irql: &mut Passive) -> u32 {
    let guard = lock.lock(irql);
    ndis::sleep(Duration::from_millis(1), irql); //~ E0502
    *guard
}

/// Completes a request: NDIS may call back.
pub fn completes(lock: &Lock, pause: PendedPause, token: &mut Unlocked) -> u32 {
    let guard = lock.lock(token);
    pause.complete(token); //~ E0499
    *guard
}

/// Completes sends: their sender may send again.
pub fn completes_sends<V: Vc>(lock: &Lock, mut chain: Chain<V>, token: &mut Unlocked) -> u32 {
    let guard = lock.lock(token);
    let _ = chain.complete_sends(token); //~ E0499
    *guard
}

/// Indicates receives.
pub fn indicates<V: Vc>(lock: &Lock, vc: &Ref<V>, arrivals: &mut Arrivals, irql: &mut Dispatch) -> u32 {
    let guard = lock.lock_at_dispatch(irql);
    arrivals.indicate(vc, irql); //~ E0499
    *guard
}

/// Indicates a status.
pub fn indicates_link(lock: &Lock, adapter: &AdapterHandle, token: &mut Unlocked) -> u32 {
    let guard = lock.lock(token);
    adapter.indicate_link_state(None, false, token); //~ E0499
    *guard
}

/// Asks NDIS to deactivate a VC.
pub fn deactivates<V: Vc>(lock: &Lock, vc: &V, token: &mut Unlocked) -> u32 {
    let guard = lock.lock(token);
    let _ = vc.handle().deactivate(token); //~ E0499
    *guard
}

/// Takes the same lock again.
pub fn locks_twice(lock: &Lock, token: &mut Unlocked) -> u32 {
    let guard = lock.lock(token);
    *guard + *lock.lock(token) //~ E0499
}
