use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use super::{machine, run, single};
use crate::machine::{DISPATCH_LEVEL, Event, EventKind, IrqlRange, Machine, enter};

/// Three threads that call exports; returns the order of their calls and the log's hash.
fn interleaving(seed: u64) -> (String, String) {
    let machine = machine(seed);
    let order = Rc::new(RefCell::new(String::new()));
    let threads: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|name| {
            let order = Rc::clone(&order);
            machine.spawn(name, move || {
                for _ in 0..20 {
                    let _call = enter("KeQueryTimeIncrement", IrqlRange::ANY);
                    order.borrow_mut().push_str(name);
                }
            })
        })
        .collect();
    machine.run_until(|| threads.iter().all(|&thread| machine.finished(thread))).expect("threads end");
    (order.take(), machine.log_hash())
}

#[test]
fn a_seed_is_a_run() {
    for seed in 0..20 {
        assert_eq!(interleaving(seed), interleaving(seed));
    }
}

#[test]
fn seeds_differ() {
    let runs: BTreeSet<_> = (0..20).map(interleaving).collect();
    assert!(runs.len() > 15, "{} different runs of 20", runs.len());
}

#[test]
fn threads_of_other_machines_do_not_matter() {
    let expected = interleaving(7);
    let others: Vec<_> = (0..4).map(|_| std::thread::spawn(|| interleaving(7))).collect();
    for other in others {
        assert_eq!(other.join().expect("no panic"), expected);
    }
}

#[test]
fn dpcs_run_at_dispatch_and_interrupts_above() {
    for seed in 0..50 {
        let machine = single(seed);
        let seen = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&seen);
        run(&machine, move || {
            let machine = Machine::current();
            let (dpc, isr) = (Rc::clone(&log), Rc::clone(&log));
            let done = Event::new("both");
            let set = done.clone();
            machine.interrupt(None, 5, "isr", move || {
                let machine = Machine::current();
                isr.borrow_mut().push(("isr", machine.irql()));
                let dpc = Rc::clone(&dpc);
                machine.queue_dpc(None, "dpc", move || {
                    dpc.borrow_mut().push(("dpc", Machine::current().irql()));
                    set.set();
                });
            });
            machine.wait(&done, None);
            log.borrow_mut().push(("thread", machine.irql()));
        });
        assert_eq!(*seen.borrow(), [("isr", 5), ("dpc", DISPATCH_LEVEL), ("thread", 0)], "seed {seed}");
    }
}

#[test]
fn an_interrupt_breaks_into_a_thread_and_a_dpc_does_not_at_dispatch() {
    let (mut interrupted, mut late) = (false, true);
    for seed in 0..50 {
        let machine = single(seed);
        let (isr, dpc) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        let (isr_ran, dpc_ran) = (Rc::clone(&isr), Rc::clone(&dpc));
        let seen = Rc::new(Cell::new((false, false)));
        let result = Rc::clone(&seen);
        run(&machine, move || {
            let machine = Machine::current();
            let old = machine.raise_irql(DISPATCH_LEVEL);
            machine.interrupt(None, 5, "isr", move || isr_ran.set(true));
            machine.queue_dpc(None, "dpc", move || dpc_ran.set(true));
            for _ in 0..200 {
                machine.preempt();
            }
            result.set((isr.get(), dpc.get()));
            machine.lower_irql(old);
        });
        interrupted |= seen.get().0;
        late &= !seen.get().1;
    }
    assert!(interrupted && late, "the ISR runs while the thread is at DISPATCH_LEVEL, the DPC does not");
}

#[test]
fn a_higher_interrupt_nests_over_a_lower_one() {
    let nested = (0..100).any(|seed| {
        let machine = single(seed);
        let order = Rc::new(RefCell::new(Vec::new()));
        let (low, high) = (Rc::clone(&order), Rc::clone(&order));
        run(&machine, move || {
            let machine = Machine::current();
            machine.interrupt(None, 5, "low", move || {
                low.borrow_mut().push("low in");
                let machine = Machine::current();
                machine.interrupt(None, 7, "high", move || high.borrow_mut().push("high"));
                for _ in 0..50 {
                    machine.preempt();
                }
                low.borrow_mut().push("low out");
            });
            for _ in 0..200 {
                machine.preempt();
            }
        });
        *order.borrow() == ["low in", "high", "low out"]
    });
    assert!(nested);
}

#[test]
fn synchronization_events_let_one_waiter_go_and_notification_events_all() {
    for (kind, expected) in [(EventKind::Synchronization, 1), (EventKind::Notification, 3)] {
        let machine = machine(1);
        let event = Event::with_kind("gate", kind);
        let passed = Rc::new(Cell::new(0));
        for _ in 0..3 {
            let (event, passed) = (event.clone(), Rc::clone(&passed));
            machine.spawn("waiter", move || {
                assert!(Machine::current().wait(&event, None));
                passed.set(passed.get() + 1);
            });
        }
        let stuck = machine.run_until(|| false).expect_err("all wait");
        assert_eq!(event.waiters(), 3);
        assert!(stuck.activities.iter().all(|activity| activity.contains("waits for gate")), "{stuck}");
        event.set();
        let _ = machine.run_until(|| false);
        assert_eq!(passed.get(), expected);
        assert_eq!(event.is_set(), kind == EventKind::Notification);
    }
}

#[test]
fn a_machine_whose_activities_have_ended_goes() {
    let machine = machine(1);
    run(&machine, || {});
    drop(machine);
    assert!(Machine::try_current().is_none());
}

#[test]
fn retiring_a_machine_gives_up_its_suspended_threads() {
    let machine = machine(1);
    machine.spawn("waiter", || {
        Machine::current().wait(&Event::new("never"), None);
    });
    assert!(machine.run_until(|| false).is_err());
    let block = machine.pool().allocate(16, 1, true, String::new());
    machine.retire();
    assert!(Machine::try_current().is_none());
    assert!(!block.is_null() && machine.log_text().contains("waiter"));
}

#[test]
#[should_panic(expected = "seen outside")]
fn a_panic_of_a_thread_is_the_callers() {
    let machine = machine(1);
    let thread = machine.spawn("panics", || panic!("seen outside"));
    let _ = machine.join(thread);
}
