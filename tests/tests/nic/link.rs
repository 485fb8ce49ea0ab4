//! A link that comes and goes, at all speeds, with a peer that asks for silence.

use std::{cell::Cell, rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{client, status, wait_for},
    nic::Model,
};
use scenarios::{
    Caller, Card, Record,
    blocks::Destination,
    caller::PATIENCE,
    cannot_on_qemu,
    lab::{sleep, sleep_below},
    seeds,
    station::send,
    wires::{Pass, gated},
};

use crate::common::{assert_works, is_intact, on_station, some, watched, with_number};

#[test]
fn calls_end_one_way_or_the_other_when_the_link_flaps() {
    for seed in seeds(24) {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        let run = on_station(seed, Card::new(model), |_, station| {
            let slot = Rc::clone(&station.slot);
            let flapping = Machine::current().spawn("loose plug", move || {
                for _ in 0..6 {
                    sleep_below(2_000);
                    slot.set_link(false);
                    // Shorter and longer than negotiation takes.
                    sleep_below(1_200_000);
                    slot.set_link(true);
                    sleep_below(1_200_000);
                }
                slot.set_link(true);
            });
            while !Machine::current().finished(flapping) {
                let vc = station.vc();
                let record = station.dial(&vc, &Destination::default());
                assert!(wait_for(PATIENCE, || record.made.get().is_some()), "the call has no end");
                if record.made.get() == Some(status::SUCCESS) {
                    send(&vc, &some(400, 0..20));
                    sleep_below(3_000);
                    assert!(Caller::hang_up(&vc), "the close does not end");
                }
                assert_eq!(record.in_driver.get(), 0, "a send is not completed");
                assert!(is_intact(&vc));
                assert_eq!(client::delete_vc(&vc), status::SUCCESS);
                sleep_below(100_000);
            }
            assert!(wait_for(PATIENCE, || station.caller.link.get() == Some(true)), "no link");
            let vc = station.connected();
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean_but_for_sessions();
    }
}

#[test]
fn a_call_ends_when_the_link_does_and_sends_come_back() {
    for model in Model::ALL {
        let run = on_station(1, Card::new(model), |_, station| {
            let vc = station.connected();
            send(&vc, &some(1400, 0..300));
            station.slot.set_link(false);
            let record = Record::of(&vc);
            assert!(wait_for(Duration::from_secs(5), || record.ended.get().is_some()), "no incoming close");
            assert!(wait_for(Duration::from_secs(5), || record.in_driver.get() == 0), "sends are kept");
            assert!(Caller::hang_up(&vc), "the close does not end");
            station.slot.set_link(true);
            assert!(wait_for(PATIENCE, || station.caller.link.get() == Some(true)), "no link");
            sleep(Duration::from_secs(3));
            assert_eq!(station.outcome(&vc, &Destination::default()), status::SUCCESS);
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean_but_for_sessions();
    }
}

// covers: SEQ:link-lost-with-sends
#[test]
fn nothing_of_a_call_that_the_link_ended_leaves_when_it_returns() {
    for model in Model::ALL {
        let (card, lever) = watched(model);
        let run = on_station(1, card, move |_, station| {
            for _ in 0..2 {
                let vc = station.connected();
                let session = *station.tally.borrow().open.last().expect("a session");
                send(&vc, &some(1400, 0..700));
                station.slot.set_link(false);
                let record = Record::of(&vc);
                let ended = || record.ended.get().is_some() && record.in_driver.get() == 0;
                assert!(wait_for(Duration::from_secs(5), ended), "no incoming close, or sends are kept");
                assert!(Caller::hang_up(&vc), "the close does not end");
                assert_eq!(client::delete_vc(&vc), status::SUCCESS);
                sleep(Duration::from_millis(200));
                let before = lever.sent().len();
                station.slot.set_link(true);
                assert!(wait_for(PATIENCE, || station.caller.link.get() == Some(true)), "no link");
                sleep(Duration::from_secs(2));
                let late = lever.sent()[before..].iter().filter(|frame| frame.session == session).count();
                assert_eq!(late, 0, "{model}: frames of a dead session");
            }
            let vc = station.connected();
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean_but_for_sessions();
    }
}

/// The link returns while the card still has frames of sessions that it ended, and gets rid of them.
// covers: SEQ:link-lost-with-sends
#[test]
fn a_link_that_returns_at_once_carries_nothing_of_dead_sessions() {
    if cannot_on_qemu("its links need no time to come up") {
        return;
    }
    for seed in seeds(24) {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        let forced = with_number(Card::new(model), "*SpeedDuplex", 4);
        let (card, lever) = gated(forced, Pass::Everything);
        let run = on_station(seed, card, move |_, station| {
            for _ in 0..4 {
                let vc = station.connected();
                let session = *station.tally.borrow().open.last().expect("a session");
                send(&vc, &some(1400, 0..400));
                sleep_below(1_000);
                station.slot.set_link(false);
                sleep(Duration::from_micros(200));
                let before = lever.sent().len();
                sleep_below(60_000);
                station.slot.set_link(true);
                let record = Record::of(&vc);
                assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
                assert_eq!(record.in_driver.get(), 0, "sends are kept");
                assert!(Caller::hang_up(&vc), "the close does not end");
                assert_eq!(client::delete_vc(&vc), status::SUCCESS);
                sleep(Duration::from_secs(2));
                let late = lever.sent()[before..].iter().filter(|frame| frame.session == session).count();
                assert_eq!(late, 0, "{model}: frames of a dead session");
            }
            let vc = station.connected();
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean_but_for_sessions();
    }
}

/// A PAUSE frame for so many quanta of 512 bits.
fn pause(quanta: u16) -> Vec<u8> {
    let mut frame = vec![0x01, 0x80, 0xc2, 0x00, 0x00, 0x01, 2, 0, 0, 0, 0xac, 1, 0x88, 0x08, 0x00, 0x01];
    frame.extend(quanta.to_be_bytes());
    frame.resize(60, 0);
    frame
}

#[test]
fn the_peer_may_ask_for_silence_for_long() {
    if cannot_on_qemu("its models know no PAUSE") {
        return;
    }
    for model in Model::ALL {
        let (card, lever) = watched(model);
        let run = on_station(1, card, move |_, station| {
            let vc = station.connected();
            // 33 ms each, for five seconds: that is no hang.
            for round in 0..160 {
                lever.inject(pause(0xffff));
                if round == 1 {
                    send(&vc, &some(300, 0..20));
                }
                sleep(Duration::from_millis(31));
            }
            let record = Record::of(&vc);
            assert_eq!(record.in_driver.get(), 20, "sent though the peer asked for silence");
            lever.inject(pause(0));
            assert!(wait_for(Duration::from_secs(1), || record.is_echoed()));
            assert_works(&vc);
            station.finish(&vc);
        });
        assert!(!run.has_step("logs error"), "{model}: silence was taken for a hang");
        run.clean();
    }
}

// covers: CmCloseCall, MiniportPause, SEQ:peer-pauses-for-ever
#[test]
fn a_peer_that_asks_for_silence_for_ever_holds_up_neither_a_close_nor_a_pause() {
    if cannot_on_qemu("its models know no PAUSE") {
        return;
    }
    for model in Model::ALL {
        let (card, lever) = watched(model);
        let run = on_station(1, card, move |_, station| {
            let vcs = [station.connected(), station.connected()];
            let silent = Rc::new(Cell::new(true));
            let go_on = Rc::clone(&silent);
            let other = lever.clone();
            let peer = Machine::current().spawn("silence", move || {
                while go_on.get() {
                    other.inject(pause(0xffff));
                    sleep(Duration::from_millis(31));
                }
            });
            sleep(Duration::from_millis(50));
            for vc in &vcs {
                send(vc, &some(900, 0..700));
            }
            assert!(Caller::hang_up(&vcs[0]), "the close does not end");
            assert_eq!(client::delete_vc(&vcs[0]), status::SUCCESS);
            send(&vcs[1], &some(900, 700..720));
            station.adapter.pause();
            station.adapter.restart().expect("MiniportRestart succeeds");
            assert_eq!(Record::of(&vcs[1]).in_driver.get(), 0);
            silent.set(false);
            while !Machine::current().finished(peer) {
                sleep(Duration::from_millis(1));
            }
            lever.inject(pause(0));
            sleep(Duration::from_secs(2));
            assert_works(&vcs[1]);
            station.finish(&vcs[1]);
        });
        assert!(!run.has_step("logs error"), "{model}: silence was taken for a hang");
        run.clean();
    }
}

// covers: MiniportCoSendNetBufferLists
#[test]
fn sends_of_a_long_silence_come_back_and_the_next_are_not_taken_for_them() {
    if cannot_on_qemu("its models know no PAUSE") {
        return;
    }
    for model in Model::ALL {
        let (card, lever) = watched(model);
        let run = on_station(1, card, move |_, station| {
            let vcs = [station.connected(), station.connected()];
            let [first, second] = [&vcs[0], &vcs[1]].map(|vc| Record::of(vc));
            lever.inject(pause(0xffff));
            send(&vcs[0], &some(300, 0..20));
            // 33 ms each: until the driver gives them back, with copies of them in the ring.
            for _ in 0..1000 {
                if first.in_driver.get() == 0 {
                    break;
                }
                lever.inject(pause(0xffff));
                sleep(Duration::from_millis(31));
            }
            assert_eq!(first.in_driver.get(), 0, "sends do not come back");
            lever.inject(pause(0xffff));
            send(&vcs[1], &some(300, 20..40));
            // Time for some of the copies.
            lever.inject(pause(0));
            sleep(Duration::from_micros(20));
            lever.inject(pause(0xffff));
            sleep(Duration::from_millis(20));
            assert_eq!(second.in_driver.get(), 20, "sends end with frames of others");
            lever.inject(pause(0));
            assert!(wait_for(PATIENCE, || second.in_driver.get() == 0), "sends are not completed");
            // What came back for the copies is no echo of what follows.
            sleep(Duration::from_millis(20));
            for vc in &vcs {
                assert_works(vc);
                station.finish(vc);
            }
        });
        run.clean();
    }
}

#[test]
fn flow_control_does_what_the_registry_says() {
    if cannot_on_qemu("the partner of its PHYs never agrees to PAUSE, and its models know none") {
        return;
    }
    for model in Model::ALL {
        for (setting, sends, obeys) in [(0, 0, 0), (1, 1, 0), (2, 0, 1), (3, 1, 1)] {
            let (card, lever) = watched(model);
            let run = on_station(1, with_number(card, "*FlowControl", setting), move |_, station| {
                let control = station.slot.peek(0, 0);
                assert_eq!(control >> 28 & 1, sends, "CTRL.TFCE with setting {setting}");
                assert_eq!(control >> 27 & 1, obeys, "CTRL.RFCE with setting {setting}");
                let vc = station.connected();
                lever.inject(pause(0xffff));
                sleep(Duration::from_millis(2));
                send(&vc, &some(300, 0..5));
                sleep(Duration::from_millis(10));
                let waiting = Record::of(&vc).in_driver.get();
                assert_eq!(waiting, if obeys == 1 { 5 } else { 0 }, "setting {setting}");
                sleep(Duration::from_millis(50));
                assert_works(&vc);
                station.finish(&vc);
            });
            run.clean();
        }
    }
}

#[test]
fn speed_and_duplex_are_what_the_registry_says() {
    // STATUS: speed (7:6), link up, full duplex.
    if cannot_on_qemu("its models negotiate nothing but 1000 Mb/s") {
        return;
    }
    let wanted =
        [(0, 0x83, 1000), (1, 0x02, 10), (2, 0x03, 10), (3, 0x42, 100), (4, 0x43, 100), (6, 0x83, 1000)];
    for model in Model::ALL {
        for (setting, status, megabits) in wanted {
            let card = with_number(Card::new(model), "*SpeedDuplex", setting);
            let run = on_station(1, card, move |_, station| {
                assert_eq!(station.slot.peek(0, 8) & 0xc3, status, "*SpeedDuplex {setting}");
                let speed = crate::statistics::link_speed(station);
                assert_eq!(speed, megabits * 1_000_000, "*SpeedDuplex {setting}");
                let vc = station.connected();
                assert_works(&vc);
                station.finish(&vc);
            });
            run.clean();
        }
    }
}
