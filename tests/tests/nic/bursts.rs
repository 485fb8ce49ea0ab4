//! More frames at once than a DPC indicates: by its own measure, or by that of NDIS.

use std::time::Duration;

use ndis_sim::{
    ndis::{Family, Limits, Readings, wait_for},
    nic::Model,
    pci::Line,
    scenario::Scenario,
};
use scenarios::{Card, Record, Setup, Station, driver, lab, on_qemu};

use crate::common::{assert_works, from_peer, missing, some, watched, with_number};

/// Cards, and how many messages they are granted: none for the line, one for everything.
const DELIVERIES: [(Model, usize); 5] = [
    (Model::I82540em, 0),
    (Model::I82545em, 0),
    (Model::I82574l, 0),
    (Model::I82574l, 1),
    (Model::I82574l, 5),
];
/// Frames that arrive at once: a few more than the driver indicates in a DPC, twice as many, many times as many.
const BURSTS: [u64; 3] = [300, 480, 1200];
/// A burst has to be with the client by then; the watchdog looks once a second. QEMU's interrupts take time that the simulator
/// does not rule.
fn soon() -> Duration {
    Duration::from_millis(if on_qemu() { 900 } else { 100 })
}

/// How NDIS limits DPCs.
fn throttles() -> impl Iterator<Item = Readings> {
    [(Limits::Never, true), (Limits::Never, false), (Limits::Always, false), (Limits::Sometimes, true)]
        .into_iter()
        .map(|(receive_limits, more_pending_ignored)| Readings {
            receive_limits,
            more_pending_ignored,
            ..Readings::default()
        })
}

/// `count` frames of a call arrive at once, twice.
fn burst(seed: u64, (model, messages): (Model, usize), count: u64) {
    let (card, lever) = watched(model);
    let card = Card { messages: messages != 0, ..with_number(card, "*ReceiveBuffers", 2048) };
    let setup = Setup { thorough: false, ..Setup::new(seed, card) };
    let run = lab::run(setup, move |lab| {
        let driver = lab.load();
        if messages == 1 {
            lab.place(0).slot.rebalance(Line { vector: 0x71, irql: 7 }, 1);
        }
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        let session = station.tally.borrow().open[0];
        for from in [0, count] {
            let frames = some(200, from..from + count);
            let like = &lever.sent()[0];
            for frame in &frames {
                lever.inject(from_peer(like, session, frame));
            }
            station.slot.look_at_wire();
            Record::of(&vc).sent.borrow_mut().extend(frames.iter().cloned());
            let wanted = usize::try_from(from + count).expect("few");
            let all = wait_for(soon(), || Record::of(&vc).received.borrow().len() == wanted);
            assert!(all, "{model}, {messages} messages: missing of {count}: {:?}", missing(&vc, &frames));
        }
        assert!(Record::of(&vc).is_echoed(), "a frame was repeated, changed or overtaken");
        assert_works(&vc);
        station.finish(&vc);
        station.down();
        driver.unload();
    });
    run.clean();
}

// covers: MiniportInterruptDPC, MiniportMessageInterruptDPC, SEQ:receive-throttle
#[test]
fn bursts_of_any_size_come_to_the_client() {
    for (seed, readings) in (1..).zip(throttles()) {
        for delivery in DELIVERIES {
            for count in BURSTS {
                lab::under(readings, || burst(seed, delivery, count));
            }
        }
    }
}

#[test]
fn the_command_makes_bursts() {
    for (seed, readings) in (1..).zip(throttles()) {
        for nic in Model::ALL {
            let backend = scenarios::backend();
            let base = Scenario { seed, nic, backend, readings: Some(readings), ..Scenario::new(driver()) };
            let outcome = Scenario { calls: 3, frames: 2, burst: 480, ..base }.run(|_, _| {}).expect("a run");
            assert!(outcome.ok, "{nic}, {readings:?}: {outcome:#?}");
            assert_eq!(outcome.frames_received, 486, "{nic}, {readings:?}");
        }
    }
}
