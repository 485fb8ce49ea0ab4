//! The card is reset while frames come, and clients send and return frames: nobody else touches it, and no line storms.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{Family, wait_for},
    nic::{Fault, Model},
};
use scenarios::{
    Card, Record, Setup, Station,
    caller::PATIENCE,
    lab::{self, sleep},
    on_qemu, seeds,
    station::send,
};

use crate::common::{assert_works, from_peer, some, watched};

/// The card hangs under a stream of frames; one processor or two, line or messages.
fn recovers(seed: u64, model: Model, messages: bool, cpus: usize) {
    let (card, lever) = watched(model);
    let setup = Setup { cpus, thorough: false, ..Setup::new(seed, Card { messages, ..card }) };
    let run = lab::run(setup, move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        let session = station.tally.borrow().open[0];
        let like = lever.sent()[0].clone();
        let slot = Rc::clone(&station.slot);
        let stream = Machine::current().spawn("stream", move || {
            for frame in some(100, 1_000_000..1_010_000) {
                lever.inject(from_peer(&like, session, &frame));
                slot.look_at_wire();
                sleep(Duration::from_micros(250));
            }
        });
        lab.place(0).faults.inject(Fault::TransmitStuckUntilReset);
        send(&vc, &some(300, 0..20));
        let record = Record::of(&vc);
        assert!(wait_for(PATIENCE, || record.in_driver.get() == 0), "sends are not completed");
        while !Machine::current().finished(stream) {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(10));
        assert_works(&vc);
        station.finish(&vc);
        station.down();
        driver.unload();
    });
    let resets = run.count_steps("card: reset");
    run.clean();
    // QEMU's cards do not say that they are reset.
    assert!(resets >= 3 || on_qemu(), "{model}: {resets} resets: no recovery");
}

#[test]
fn a_recovery_has_the_card_alone() {
    for seed in seeds(1) {
        for (model, messages) in [
            (Model::I82540em, false),
            (Model::I82545em, false),
            (Model::I82574l, false),
            (Model::I82574l, true),
        ] {
            for cpus in [1, 2] {
                recovers(seed, model, messages, cpus);
            }
        }
    }
}
