use std::cell::Cell;
use std::rc::Rc;

use super::{machine, rules, run, single};
use crate::machine::{DISPATCH_LEVEL, LockKind, Machine};

const A: usize = 0xA000;
const B: usize = 0xB000;

fn locked(key: usize, f: impl FnOnce()) {
    let machine = Machine::current();
    let old = machine.raise_irql(DISPATCH_LEVEL);
    machine.acquire(key, LockKind::Raising);
    machine.preempt();
    f();
    machine.preempt();
    machine.release(key, LockKind::Raising);
    machine.lower_irql(old);
    machine.preempt();
}

#[test]
fn a_lock_excludes() {
    let mut contended = 0;
    for seed in 0..100 {
        let machine = machine(seed);
        let inside = Rc::new(Cell::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let inside = Rc::clone(&inside);
                machine.spawn("locker", move || {
                    for _ in 0..10 {
                        locked(A, || {
                            assert_eq!(inside.replace(1), 0);
                            Machine::current().preempt();
                            inside.set(0);
                        });
                    }
                })
            })
            .collect();
        machine.run_until(|| threads.iter().all(|&thread| machine.finished(thread))).expect("threads end");
        assert_eq!(rules(&machine), [""; 0]);
        contended += machine.contentions();
    }
    assert!(contended > 0, "some schedule contends for the lock");
}

#[test]
pub(super) fn opposite_orders_are_found_even_when_nothing_hangs() {
    let machine = single(1);
    run(&machine, || locked(A, || locked(B, || {})));
    assert_eq!(rules(&machine), [""; 0]);
    run(&machine, || locked(B, || locked(A, || {})));
    assert_eq!(rules(&machine), ["DV.C4.0x1001"]);
}

#[test]
fn an_order_through_a_third_lock_is_found() {
    const C: usize = 0xC000;
    let machine = single(1);
    run(&machine, || locked(A, || locked(B, || {})));
    run(&machine, || locked(B, || locked(C, || {})));
    assert_eq!(rules(&machine), [""; 0]);
    run(&machine, || locked(C, || locked(A, || {})));
    assert_eq!(rules(&machine), ["DV.C4.0x1001"]);
}

#[test]
pub(super) fn some_schedule_deadlocks_and_the_report_names_both() {
    let mut deadlocks = 0;
    for seed in 0..100 {
        let machine = machine(seed);
        let first = machine.spawn("first", || locked(A, || locked(B, || {})));
        let second = machine.spawn("second", || locked(B, || locked(A, || {})));
        let end = machine.run_until(|| machine.finished(first) && machine.finished(second));
        if let Err(stuck) = end {
            deadlocks += 1;
            let reason = stuck.crash.expect("an end").reason;
            let named = ["deadlock", "thread first", "thread second", "spins for lock#1", "spins for lock#2"];
            assert!(named.iter().all(|name| reason.contains(name)), "{reason}");
            assert!(rules(&machine).contains(&"BC.133".to_owned()));
        }
    }
    assert!(deadlocks > 0);
}

#[test]
fn a_dpc_that_spins_for_the_lock_of_the_thread_below_it_is_found() {
    let deadlock = (0..50).any(|seed| {
        let machine = single(seed);
        let thread = machine.spawn("low", || {
            let machine = Machine::current();
            // Acquired without raising the IRQL: a DPC can interrupt.
            machine.acquire(A, LockKind::AtDpcLevel);
            machine.queue_dpc(None, "high", || {
                Machine::current().acquire(A, LockKind::AtDpcLevel);
                Machine::current().release(A, LockKind::AtDpcLevel);
            });
            for _ in 0..50 {
                machine.preempt();
            }
            machine.release(A, LockKind::AtDpcLevel);
        });
        machine.join(thread).is_err_and(|stuck| stuck.reason.contains("which it interrupted"))
    });
    assert!(deadlock);
}

#[test]
pub(super) fn the_irql_stays_up_while_a_lock_is_held() {
    let machine = machine(1);
    run(&machine, || {
        let machine = Machine::current();
        machine.raise_irql(DISPATCH_LEVEL);
        machine.acquire(A, LockKind::Raising);
        machine.lower_irql(0);
        machine.release(A, LockKind::Raising);
    });
    assert_eq!(rules(&machine), ["DV.C4.0x1003"]);
}

#[test]
pub(super) fn acquiring_a_held_lock_ends_the_run() {
    let machine = machine(1);
    let thread = machine.spawn("recursive", || locked(A, || locked(A, || {})));
    let stuck = machine.join(thread).expect_err("hangs");
    assert!(stuck.crash.is_some());
    assert_eq!(rules(&machine), ["SDV.SpinLock"]);
}

#[test]
pub(super) fn releasing_what_is_not_held_is_found() {
    let machine = machine(1);
    run(&machine, || {
        let machine = Machine::current();
        machine.raise_irql(DISPATCH_LEVEL);
        assert!(!machine.release(A, LockKind::Raising));
        machine.lower_irql(0);
    });
    assert_eq!(rules(&machine), ["SDV.SpinLockRelease"]);
}

#[test]
pub(super) fn the_release_matches_the_acquire() {
    let machine = machine(1);
    run(&machine, || {
        let machine = Machine::current();
        machine.raise_irql(DISPATCH_LEVEL);
        machine.acquire(A, LockKind::AtDpcLevel);
        machine.release(A, LockKind::AtDpcLevel);
        assert_eq!(rules(&machine), [""; 0]);
        machine.acquire(A, LockKind::AtDpcLevel);
        machine.release(A, LockKind::Raising);
        machine.lower_irql(0);
    });
    assert_eq!(rules(&machine), ["SDV.SpinLockDprRelease"]);
}

#[test]
pub(super) fn a_thread_ends_without_locks() {
    let machine = machine(1);
    run(&machine, || {
        let machine = Machine::current();
        machine.raise_irql(DISPATCH_LEVEL);
        machine.acquire(A, LockKind::Raising);
    });
    assert_eq!(rules(&machine), ["DV.C4.0x100A"]);
}

#[test]
pub(super) fn memory_with_a_held_lock_is_not_freed() {
    let machine = machine(1);
    run(&machine, || {
        let machine = Machine::current();
        locked(A, || {});
        machine.forget_locks(A..A + 8);
        assert_eq!(rules(&machine), [""; 0]);
        locked(A, || Machine::current().forget_locks(A..A + 8));
    });
    assert!(rules(&machine).contains(&"DV.C4.0x100B".to_owned()));
}
