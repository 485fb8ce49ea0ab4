//! Interrupts that come twice, without cause, for others, or not at all; and frames that come too fast.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::wait_for,
    nic::{Fault, Model},
};
use scenarios::{
    Card, Record,
    caller::PATIENCE,
    cannot_on_qemu,
    lab::{sleep, sleep_below},
    seeds,
    station::{exchange, send},
    wires::Lever,
};

use crate::common::{assert_works, from_peer, is_intact, missing, on_station, some, watched, with_number};

#[test]
fn messages_may_come_twice() {
    for seed in seeds(4) {
        let run = on_station(seed, Card::new(Model::I82574l), |lab, station| {
            lab.place(0).faults.inject(Fault::MessagesTwice);
            let vcs = [station.connected(), station.connected()];
            assert!(exchange(&vcs, &[60, 1400], 100), "a frame was lost, changed or overtaken");
            for vc in &vcs {
                station.finish(vc);
            }
        });
        run.clean();
    }
}

#[test]
fn stray_and_foreign_interrupts_do_no_harm() {
    for model in Model::ALL {
        let run = on_station(3, Card::new(model), |_, station| {
            let vc = station.connected();
            let slot = Rc::clone(&station.slot);
            let stray = Machine::current().spawn("stray interrupts", move || {
                for n in 0..300 {
                    if slot.resources().messages.is_empty() {
                        slot.foreign_line_interrupt();
                    } else {
                        slot.stray_message(n % 5);
                    }
                    sleep_below(40);
                }
            });
            assert!(exchange(&[Rc::clone(&vc)], &[60, 1400], 200), "a frame was lost, changed or overtaken");
            while !Machine::current().finished(stray) {
                sleep(Duration::from_millis(1));
            }
            station.finish(&vc);
            station.adapter.pause();
            assert_eq!(station.adapter.set_power(4), 0, "to D3");
            for n in 0..5 {
                station.slot.stray_message(n);
                station.slot.foreign_line_interrupt();
            }
            sleep(Duration::from_millis(1));
            assert_eq!(station.adapter.set_power(1), 0, "to D0");
        });
        run.clean();
    }
}

#[test]
fn an_interrupt_of_another_device_is_not_claimed() {
    for model in [Model::I82540em, Model::I82545em, Model::I82574l] {
        let card = Card { messages: false, ..Card::new(model) };
        let run = on_station(1, card, |_, station| {
            let vc = station.connected();
            for _ in 0..50 {
                sleep(Duration::from_millis(7));
                station.slot.foreign_line_interrupt();
            }
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean();
    }
}

#[test]
fn a_lost_message_delays_and_loses_nothing() {
    for seed in seeds(6) {
        let run = on_station(seed, Card::new(Model::I82574l), |lab, station| {
            let vc = station.connected();
            let faults = &lab.place(0).faults;
            faults.inject(Fault::MessagesLost);
            let frames = some(500, 0..20);
            send(&vc, &frames);
            sleep_below(3_000);
            faults.clear(Fault::MessagesLost);
            let record = Record::of(&vc);
            let all = wait_for(Duration::from_secs(5), || record.received.borrow().len() == frames.len());
            assert!(all, "missing: {:?}", missing(&vc, &frames));
            assert!(record.is_echoed());
            // The frames may be back before the sends are completed.
            assert!(wait_for(PATIENCE, || record.in_driver.get() == 0));
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean();
    }
}

#[test]
fn a_lost_message_of_the_link_is_made_up_for() {
    let run = on_station(1, Card::new(Model::I82574l), |lab, station| {
        let faults = &lab.place(0).faults;
        for up in [false, true, false, true] {
            faults.inject(Fault::MessagesLost);
            station.slot.set_link(up);
            sleep(Duration::from_millis(900));
            faults.clear(Fault::MessagesLost);
            assert!(wait_for(PATIENCE, || station.caller.link.get() == Some(up)), "link {up} is not told");
        }
        let vc = station.connected();
        assert_works(&vc);
        station.finish(&vc);
    });
    run.clean();
}

#[test]
fn an_overrun_costs_only_what_does_not_fit() {
    for model in Model::ALL {
        let (card, lever) = watched(model);
        let run = on_station(1, with_number(card, "*ReceiveBuffers", 64), move |_, station| {
            let vc = station.connected();
            let session = station.tally.borrow().open[0];
            // A burst at once, of more frames than ring and packet buffer hold.
            let frames = some(1400, 0..400);
            let like = &lever.sent()[0];
            for frame in &frames {
                lever.inject(from_peer(like, session, frame));
            }
            sleep(Duration::from_secs(1));
            Record::of(&vc).sent.borrow_mut().extend(frames.iter().cloned());
            assert!(is_intact(&vc));
            let received = Record::of(&vc).received.borrow().len();
            assert!((64..400).contains(&received), "{received} of 400 received");
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean();
    }
}

/// What a storm of frames of no session, at more than 700,000 a second, costs in interrupts, and how many of them the
/// shortest interval that the driver lets them have in a flood would allow.
fn interrupts_of_a_storm(card: Card, lever: Lever) -> (u64, u64) {
    const ROUNDS: u32 = 2000;
    const ROUND: Duration = Duration::from_micros(10);
    const SHORTEST: Duration = Duration::from_micros(50);
    let run = on_station(1, card, move |_, station| {
        let vc = station.connected();
        assert_works(&vc);
        let strange = from_peer(&lever.sent()[0], 0x7777, &some(46, 0..1)[0]);
        let (before, start) = (station.slot.interrupts_served(), Machine::current().now());
        for _ in 0..ROUNDS {
            for _ in 0..8 {
                lever.inject(strange.clone());
            }
            station.slot.look_at_wire();
            sleep(ROUND);
        }
        let served = station.slot.interrupts_served() - before;
        let time = Machine::current().now().saturating_sub(start);
        // Calls live through it.
        assert_works(&vc);
        station.finish(&vc);
        // Some more until the first of them have told that this is a flood.
        (served, u64::try_from(time.as_nanos() / SHORTEST.as_nanos()).expect("short") + 10)
    });
    run.clean()
}

// covers: SEQ:interrupt-storm, MiniportInterrupt, MiniportMessageInterrupt
#[test]
fn a_storm_of_frames_makes_a_bounded_number_of_interrupts() {
    if cannot_on_qemu("its timers fire at once, so nothing moderates") {
        return;
    }
    for model in Model::ALL {
        let (card, lever) = watched(model);
        let (served, bound) = interrupts_of_a_storm(card, lever);
        assert!((1..=bound).contains(&served), "{model}: {served} interrupts, bound {bound}");
        // Without moderation it is more: the bound is one.
        let (card, lever) = watched(model);
        let (served, bound) = interrupts_of_a_storm(with_number(card, "*InterruptModeration", 0), lever);
        assert!(served > bound, "{model}: {served} interrupts without moderation, bound {bound}");
    }
}
