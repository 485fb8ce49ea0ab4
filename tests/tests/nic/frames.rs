//! Descriptors come back in every way they should not.

use std::time::Duration;

use ndis_sim::{
    ndis::status,
    nic::{Model, WriteBack},
};
use scenarios::{Caller, Card, Record, blocks::Destination, lab::sleep, station::send};

use crate::common::{assert_works, echo, ends, is_intact, missing, on_station, some};

/// Frames of which the fourth is received in this way; the numbers of those that are missing.
fn received(model: Model, how: WriteBack) -> Vec<usize> {
    on_station(1, Card::new(model), move |lab, station| {
        let vc = station.connected();
        let faults = &lab.place(0).faults;
        faults.spoil_received([WriteBack::Good, WriteBack::Good, WriteBack::Good, how]);
        let frames = some(200, 0..12);
        echo(&vc, &frames);
        assert!(faults.is_spent(), "the fault did not happen");
        assert!(is_intact(&vc), "{how:?}: a frame that nobody sent");
        let missing = missing(&vc, &frames);
        assert_works(&vc);
        station.finish(&vc);
        missing
    })
    .clean()
}

#[test]
fn a_bad_received_frame_is_dropped_and_the_others_are_not() {
    for model in Model::ALL {
        for (how, lost) in [
            (WriteBack::Late, vec![]),
            (WriteBack::Twice, vec![]),
            (WriteBack::Unposted, vec![]),
            (WriteBack::Length(0), vec![3]),
            (WriteBack::Length(13), vec![3]),
            (WriteBack::Length(100), vec![3]),
            (WriteBack::Length(2048), vec![]),
            (WriteBack::Length(2049), vec![3]),
            (WriteBack::Length(u16::MAX), vec![3]),
            // The next one continues it.
            (WriteBack::Endless, vec![3, 4]),
            (WriteBack::Errors(0x01), vec![3]),
            (WriteBack::Errors(0x02), vec![3]),
            (WriteBack::Errors(0x04), vec![3]),
            (WriteBack::Errors(0x10), vec![3]),
            (WriteBack::Errors(0x80), vec![3]),
            // Checksums of contents are not the driver's business.
            (WriteBack::Errors(0x60), vec![]),
        ] {
            assert_eq!(received(model, how), lost, "{model}, {how:?}");
        }
    }
}

#[test]
fn many_bad_frames_in_a_row_cost_only_themselves() {
    let run = on_station(2, Card::new(Model::I82574l), |lab, station| {
        let vc = station.connected();
        let bad = [
            WriteBack::Length(0),
            WriteBack::Errors(0xff),
            WriteBack::Endless,
            WriteBack::Twice,
            WriteBack::Length(u16::MAX),
            WriteBack::Late,
            WriteBack::Unposted,
        ];
        // More than a ring full.
        let plan: Vec<_> = (0..1400).map(|n: usize| bad[n * 5 % bad.len()]).collect();
        lab.place(0).faults.spoil_received(plan);
        for round in 0..60 {
            send(&vc, &some(300, round * 32..(round + 1) * 32));
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_secs(1));
        assert!(is_intact(&vc), "a frame that nobody sent");
        assert!(lab.place(0).faults.is_spent());
        assert_works(&vc);
        station.finish(&vc);
    });
    run.clean();
}

#[test]
fn a_bad_answer_to_discovery_is_asked_for_again() {
    for how in [WriteBack::Length(0), WriteBack::Length(30), WriteBack::Endless, WriteBack::Errors(1)] {
        let run = on_station(1, Card::new(Model::I82540em), move |lab, station| {
            lab.place(0).faults.spoil_received([how]);
            let vc = station.vc();
            assert_eq!(station.outcome(&vc, &Destination::default()), status::SUCCESS, "{how:?}");
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean();
    }
}

#[test]
fn a_receive_descriptor_that_never_comes_back_ends_with_the_next_reset() {
    for model in Model::ALL {
        let run = on_station(1, Card::new(model), |lab, station| {
            let vc = station.connected();
            lab.place(0).faults.spoil_received([WriteBack::Lost]);
            // The ring stands still behind it.
            send(&vc, &some(1000, 0..1200));
            sleep(Duration::from_secs(5));
            assert!(is_intact(&vc));
            assert_eq!(Record::of(&vc).in_driver.get(), 0, "sends go on");
            assert!(Caller::hang_up(&vc));
            station.adapter.pause();
            assert_eq!(station.adapter.set_power(4), status::SUCCESS, "to D3");
            assert_eq!(station.adapter.set_power(1), status::SUCCESS, "to D0");
            station.adapter.restart().expect("MiniportRestart succeeds");
            sleep(Duration::from_secs(2));
            assert_eq!(station.outcome(&vc, &Destination::default()), status::SUCCESS);
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean();
    }
}

/// How the sends ended of which the fourth is written back in this way, and whether all frames were echoed.
fn sent(model: Model, how: WriteBack) -> Vec<(String, usize)> {
    on_station(1, Card::new(model), move |lab, station| {
        let vc = station.connected();
        lab.place(0).faults.spoil_sent([WriteBack::Good, WriteBack::Good, WriteBack::Good, how]);
        let frames = some(200, 0..12);
        echo(&vc, &frames);
        sleep(Duration::from_secs(5));
        assert_eq!(Record::of(&vc).in_driver.get(), 0, "{how:?}: a send is not completed");
        assert!(missing(&vc, &frames).is_empty() && is_intact(&vc), "{how:?}");
        let ends = ends(&vc);
        assert_works(&vc);
        station.finish(&vc);
        ends
    })
    .clean()
}

#[test]
fn sends_are_completed_once_however_they_come_back() {
    for model in Model::ALL {
        for how in [WriteBack::Late, WriteBack::Twice, WriteBack::Unposted, WriteBack::Lost] {
            assert_eq!(sent(model, how), [("SUCCESS".to_owned(), 12)], "{model}, {how:?}");
        }
        // Excess and late collisions.
        for how in [WriteBack::Errors(2), WriteBack::Errors(4), WriteBack::Errors(6)] {
            let expected = [("FAILURE".to_owned(), 1), ("SUCCESS".to_owned(), 11)];
            assert_eq!(sent(model, how), expected, "{model}, {how:?}");
        }
    }
}
