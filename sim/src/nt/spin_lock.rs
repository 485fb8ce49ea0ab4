//! Spin locks. The lock's word says whether it is held, so that a lock in memory that is gone faults.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::exports;
use crate::image::Export;
use crate::machine::{Call, DISPATCH_LEVEL, IrqlRange, LockKind, enter};

/// The IRQLs that held locks will restore, by the lock's address.
#[derive(Default)]
struct Saved(RefCell<BTreeMap<usize, u8>>);

fn saved(call: &Call) -> std::rc::Rc<Saved> {
    call.machine().extension("nt.spin_lock", Saved::default)
}

unsafe extern "win64" fn KeInitializeSpinLock(lock: *mut usize) {
    let call = enter("KeInitializeSpinLock", IrqlRange::ANY);
    call.machine().forget_locks(lock.addr()..lock.addr() + 1);
    // SAFETY: the driver vouches for the lock; a wrong pointer faults and ends the run.
    unsafe { lock.write_volatile(0) };
}

fn acquire(call: &Call, lock: *mut usize, kind: LockKind) {
    // SAFETY: the driver vouches for the lock; a wrong pointer faults and ends the run.
    unsafe { lock.read_volatile() };
    call.machine().acquire(lock.addr(), kind);
    // SAFETY: as above.
    unsafe { lock.write_volatile(1) };
}

fn release(call: &Call, lock: *mut usize, kind: LockKind) {
    if call.machine().release(lock.addr(), kind) {
        // SAFETY: the driver vouches for the lock; a wrong pointer faults and ends the run.
        unsafe { lock.write_volatile(0) };
    }
}

unsafe extern "win64" fn KeAcquireSpinLockRaiseToDpc(lock: *mut usize) -> u8 {
    let call = enter("KeAcquireSpinLockRaiseToDpc", IrqlRange::DISPATCH_OR_BELOW);
    let machine = call.machine();
    let old = machine.irql();
    if old < DISPATCH_LEVEL {
        machine.raise_irql(DISPATCH_LEVEL);
    }
    acquire(&call, lock, LockKind::Raising);
    saved(&call).0.borrow_mut().insert(lock.addr(), old);
    old
}

unsafe extern "win64" fn KeReleaseSpinLock(lock: *mut usize, irql: u8) {
    let call = enter("KeReleaseSpinLock", IrqlRange::DISPATCH);
    let was = saved(&call).0.borrow_mut().remove(&lock.addr());
    if let Some(was) = was.filter(|&was| was != irql) {
        let detail = format!("the release restores IRQL {irql}, the acquire saved {was}");
        call.machine().finding("DDI.IrqlKeReleaseSpinLock", None, detail);
    }
    release(&call, lock, LockKind::Raising);
    call.machine().lower_irql(irql);
}

unsafe extern "win64" fn KeAcquireSpinLockAtDpcLevel(lock: *mut usize) {
    let call = enter("KeAcquireSpinLockAtDpcLevel", IrqlRange::DISPATCH_OR_ABOVE);
    acquire(&call, lock, LockKind::AtDpcLevel);
}

unsafe extern "win64" fn KeReleaseSpinLockFromDpcLevel(lock: *mut usize) {
    let call = enter("KeReleaseSpinLockFromDpcLevel", IrqlRange::DISPATCH_OR_ABOVE);
    release(&call, lock, LockKind::AtDpcLevel);
}

unsafe extern "win64" fn KeTryToAcquireSpinLockAtDpcLevel(lock: *mut usize) -> u8 {
    let call = enter("KeTryToAcquireSpinLockAtDpcLevel", IrqlRange::DISPATCH_OR_ABOVE);
    let free = call.machine().lock_is_free(lock.addr());
    if free {
        acquire(&call, lock, LockKind::Tried);
    }
    free.into()
}

pub(super) fn exports() -> Vec<Export> {
    exports![
        "ntoskrnl.exe": KeInitializeSpinLock, KeAcquireSpinLockRaiseToDpc, KeReleaseSpinLock,
        KeAcquireSpinLockAtDpcLevel, KeReleaseSpinLockFromDpcLevel, KeTryToAcquireSpinLockAtDpcLevel
    ]
}
