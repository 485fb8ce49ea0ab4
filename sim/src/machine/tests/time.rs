use std::cell::{Cell, RefCell};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use super::{machine, rules, run, single};
use crate::machine::{Config, DISPATCH_LEVEL, Event, FailPlan, Machine};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn callbacks_run_in_the_order_of_their_times() {
    let machine = machine(1);
    let order = Rc::new(RefCell::new(Vec::new()));
    let note = |what: &'static str| {
        let order = Rc::clone(&order);
        move || order.borrow_mut().push((what, Machine::current().now()))
    };
    machine.at(SECOND * 2, note("late"));
    machine.at(SECOND, note("early"));
    machine.at(SECOND * 2, note("later"));
    let cancelled = machine.at(SECOND, note("never"));
    assert!(machine.cancel(cancelled));
    assert!(!machine.cancel(cancelled));
    machine.run_for(SECOND * 3).expect("time passes");
    assert_eq!(*order.borrow(), [("early", SECOND), ("late", SECOND * 2), ("later", SECOND * 2)]);
}

#[test]
fn waits_end_at_their_timeout_or_when_the_event_is_set() {
    for seed in 0..20 {
        let machine = machine(seed);
        run(&machine, || {
            let machine = Machine::current();
            let (start, event) = (machine.now(), Event::new("event"));
            assert!(!machine.wait(&event, Some(SECOND)));
            assert!(machine.now() >= start + SECOND && machine.now() < start + SECOND * 2);
            let set = event.clone();
            machine.after(SECOND, move || {
                set.set();
            });
            assert!(machine.wait(&event, Some(SECOND * 5)));
            assert!(machine.now() < start + SECOND * 3);
            machine.sleep(SECOND * 60);
            assert!(machine.now() >= start + SECOND * 62);
        });
        assert_eq!(rules(&machine), [""; 0]);
    }
}

#[test]
pub(super) fn nothing_waits_at_dispatch() {
    let machine = machine(1);
    run(&machine, || {
        let machine = Machine::current();
        let old = machine.raise_irql(DISPATCH_LEVEL);
        assert!(!machine.wait(&Event::new("event"), Some(Duration::ZERO)), "a poll is allowed");
        assert_eq!(rules(&machine), [""; 0]);
        assert!(!machine.wait(&Event::new("event"), None));
        machine.lower_irql(old);
    });
    assert_eq!(rules(&machine), ["DV.C4.0x3B"]);
}

#[test]
fn stalling_takes_time_and_not_the_other_processors() {
    for seed in 0..20 {
        let machine = machine(seed);
        let other = Rc::new(Cell::new(0));
        let count = Rc::clone(&other);
        let long = machine.spawn("stalls", || Machine::current().stall(SECOND));
        let short = machine.spawn("counts", move || {
            for _ in 0..100 {
                Machine::current().preempt();
                count.set(count.get() + 1);
            }
        });
        machine.join(short).expect("ends");
        machine.join(long).expect("ends");
        assert_eq!(other.get(), 100);
        assert!(machine.now() >= SECOND && machine.now() < SECOND * 2);
    }
}

#[test]
fn two_stalling_threads_share_a_processor() {
    for seed in 0..20 {
        let machine = single(seed);
        let threads = [0, 1].map(|_| machine.spawn("stalls", || Machine::current().stall(SECOND)));
        machine.run_until(|| threads.iter().all(|&thread| machine.finished(thread))).expect("both end");
    }
}

#[test]
fn the_time_limit_ends_an_endless_run() {
    let machine = Machine::new(Config { limit: SECOND, ..Config::default() });
    machine.spawn("endless", || {
        loop {
            Machine::current().sleep(SECOND / 10);
        }
    });
    let stuck = machine.run_until(|| false).expect_err("endless");
    assert!(stuck.reason.contains("time limit"), "{stuck}");
}

#[test]
fn real_time_follows_the_clock_and_watches_descriptors() {
    let machine = Machine::new(Config { real_time: true, ..Config::default() });
    let (reader, writer) = std::os::unix::net::UnixDatagram::pair().expect("sockets");
    let received = Rc::new(Cell::new(0));
    let (count, fd) = (Rc::clone(&received), reader.as_raw_fd());
    machine.register_fd(fd, move || {
        let mut buffer = [0; 16];
        count.set(count.get() + reader.recv(&mut buffer).expect("a datagram"));
    });
    let sender = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        writer.send(b"frame").expect("sent");
        writer
    });
    let start = std::time::Instant::now();
    machine.run_until(|| received.get() > 0).expect("a frame comes");
    assert_eq!(received.get(), 5);
    assert!(start.elapsed() >= Duration::from_millis(20));
    run(&machine, || Machine::current().sleep(Duration::from_millis(10)));
    assert!(start.elapsed() >= Duration::from_millis(30));
    machine.unregister_fd(fd);
    sender.join().expect("no panic");
}

#[test]
fn failures_follow_their_plan() {
    let plans = [
        (FailPlan::Nth(2), [false, false, true, false]),
        (FailPlan::Named("b", 1), [false, false, false, true]),
        (FailPlan::Random(1, 1), [true; 4]),
        (FailPlan::Random(0, 1), [false; 4]),
    ];
    for (plan, expected) in plans {
        let machine = Machine::new(Config { fail: Some(plan), ..Config::default() });
        assert_eq!(["a", "b", "a", "b"].map(|what| machine.should_fail(what)), expected);
        assert_eq!(machine.fallible_calls(), 4);
    }
}

#[test]
fn the_plan_of_failures_may_change() {
    let machine = Machine::new(Config::default());
    assert!(!machine.should_fail("a"));
    for _ in 0..2 {
        machine.set_failures(Some(FailPlan::Nth(1)));
        assert_eq!(["a", "a", "a"].map(|what| machine.should_fail(what)), [false, true, false]);
    }
    machine.set_failures(None);
    assert!(!machine.should_fail("a"));
    assert_eq!((machine.fallible_calls(), machine.injected_failures()), (8, 2));
}

#[test]
fn the_clock_of_the_kernel_ticks() {
    for seed in 0..50 {
        let tick = Duration::from_micros(15_625);
        let machine = Machine::new(Config { seed, ..Config::default() });
        run(&machine, move || {
            let machine = Machine::current();
            for _ in 0..20 {
                machine.sleep(Duration::from_micros(machine.below(40_000)));
                let delay = Duration::from_micros(machine.below(50_000) + 1);
                let (now, last) = (machine.now(), machine.system_time());
                assert!(last <= now && now.saturating_sub(last) < tick);
                let (timer, end) = (machine.timer_end(delay), machine.delay_end(delay));
                // A timer may be early; the delay of a thread is not.
                assert!(timer + tick > now + delay && timer < now + delay + tick, "{timer:?}");
                assert!(end >= now + delay && end < now + delay + tick, "{end:?}");
                machine.delay(delay);
                assert!(machine.now() >= end && machine.system_time() == end);
            }
        });
        assert_eq!(rules(&machine), [""; 0]);
    }
}

#[test]
fn an_exact_clock_does_not_tick() {
    let machine = Machine::new(Config { tick: Duration::ZERO, ..Config::default() });
    run(&machine, || {
        let machine = Machine::current();
        machine.sleep(Duration::from_micros(17));
        let wanted = machine.now() + Duration::from_micros(3);
        assert_eq!(machine.timer_end(Duration::from_micros(3)), wanted);
        assert_eq!(machine.delay_end(Duration::from_micros(3)), wanted);
        assert_eq!(machine.system_time(), machine.now());
    });
}
