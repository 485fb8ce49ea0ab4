//! Descriptors come back in every way they should not.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    ndis::{Vc, client, status, wait_for},
    nic::{Model, WriteBack},
};
use scenarios::{
    Caller, Card, Lab, Record, Run, blocks::Destination, caller::PATIENCE, lab::sleep, station::send,
};

use crate::common::{assert_works, echo, ends, forget, is_intact, missing, on_station, some, with_number};

/// How the fourth of twelve frames is received, and the numbers of those that are then missing.
const RECEIVED: [(WriteBack, &[usize]); 16] = [
    (WriteBack::Late, &[]),
    (WriteBack::Twice, &[]),
    (WriteBack::Unposted, &[]),
    (WriteBack::Length(0), &[3]),
    (WriteBack::Length(13), &[3]),
    (WriteBack::Length(100), &[3]),
    (WriteBack::Length(2048), &[]),
    (WriteBack::Length(2049), &[3]),
    (WriteBack::Length(u16::MAX), &[3]),
    // The next one continues it.
    (WriteBack::Endless, &[3, 4]),
    (WriteBack::Errors(0x01), &[3]),
    (WriteBack::Errors(0x02), &[3]),
    (WriteBack::Errors(0x04), &[3]),
    (WriteBack::Errors(0x10), &[3]),
    (WriteBack::Errors(0x80), &[3]),
    // Checksums of contents are not the driver's business.
    (WriteBack::Errors(0x60), &[]),
];

// covers: SEQ:receive-descriptor-bad
#[test]
fn a_bad_received_frame_is_dropped_and_the_others_are_not() {
    for model in Model::ALL {
        let run = on_station(1, Card::new(model), move |lab, station| {
            let vc = station.connected();
            let faults = &lab.place(0).faults;
            for (how, lost) in RECEIVED {
                forget(&vc);
                faults.spoil_received([WriteBack::Good, WriteBack::Good, WriteBack::Good, how]);
                let frames = some(200, 0..12);
                echo(&vc, &frames);
                assert!(faults.is_spent(), "{how:?}: the fault did not happen");
                assert!(is_intact(&vc), "{how:?}: a frame that nobody sent");
                assert_eq!(missing(&vc, &frames), lost, "{model}, {how:?}");
                assert_works(&vc);
            }
            station.finish(&vc);
        });
        run.clean();
    }
}

/// Nothing is wrong but that the card may have written into a buffer after it had said, once too often, that it was done
/// with it.
fn assert_clean_but_for_the_card(run: &Run<()>) {
    let blemishes = run.blemishes();
    let others: Vec<_> = blemishes.iter().filter(|it| !it.contains("CO-216")).collect();
    assert!(others.is_empty() && run.value.is_some() && run.sessions.is_empty(), "{others:#?}");
}

/// Sends `batch` frames at a time until all that was planned has happened, and once more round the ring: a write-back
/// that came again may lie there and wait for its turn. Whether it has all happened after so many rounds.
fn send_until_spent(lab: &Lab, vc: &Rc<Vc>, rounds: u64, batch: u64) -> bool {
    for round in 0..rounds {
        if lab.place(0).faults.is_spent() {
            break;
        }
        let before = Record::of(vc).received.borrow().len();
        send(vc, &some(300, round * batch..(round + 1) * batch));
        sleep(Duration::from_millis(1));
        if Record::of(vc).received.borrow().len() == before {
            sleep(Duration::from_secs(3));
        }
    }
    for round in 0..=(512 / batch) {
        send(vc, &some(300, round * batch..(round + 1) * batch));
        sleep(Duration::from_millis(1));
    }
    sleep(Duration::from_secs(3));
    lab.place(0).faults.is_spent()
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
        // A repetition may put the ring out of step: then it takes the watchdog to go on.
        assert!(send_until_spent(lab, &vc, 120, 32), "the faults did not happen");
        assert!(is_intact(&vc), "a frame that nobody sent");
        assert_works(&vc);
        station.finish(&vc);
    });
    assert_clean_but_for_the_card(&run);
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

// covers: SEQ:receive-descriptor-lost
#[test]
fn a_receive_descriptor_that_never_comes_back_stops_reception_for_a_moment_only() {
    for model in Model::ALL {
        let run = on_station(1, Card::new(model), |lab, station| {
            let vcs = [station.connected(), station.connected()];
            for _ in 0..2 {
                lab.place(0).faults.spoil_received([WriteBack::Lost]);
                // The ring stands still behind it.
                send(&vcs[0], &some(1000, 0..1200));
                sleep(Duration::from_secs(5));
                assert!(lab.place(0).faults.is_spent() && is_intact(&vcs[0]));
                assert_eq!(Record::of(&vcs[0]).in_driver.get(), 0, "sends go on");
                for vc in &vcs {
                    assert_works(vc);
                }
            }
            for vc in &vcs {
                station.finish(vc);
            }
        });
        assert!(run.has_step("logs error"), "{model}: no entry in the error log");
        run.clean();
    }
}

// covers: SEQ:receive-descriptor-stray
#[test]
fn a_receive_descriptor_that_comes_once_too_often_stops_reception_for_a_moment_only() {
    for model in Model::ALL {
        // The ring is used up before the descriptor comes again: it is the card's once more.
        let card = with_number(Card::new(model), "*ReceiveBuffers", 64);
        let run = on_station(1, card, |lab, station| {
            let vc = station.connected();
            lab.place(0).faults.spoil_received(std::iter::repeat_n(WriteBack::Twice, 640));
            assert!(send_until_spent(lab, &vc, 200, 60), "the faults did not happen");
            assert!(is_intact(&vc), "a frame that nobody sent");
            assert_works(&vc);
            station.finish(&vc);
        });
        // A descriptor that comes again while the card has it gives the driver a buffer that the card will still write: what
        // a client sees of that is the card's fault.
        run.clean_but_for("CO-216");
    }
}

// covers: SEQ:receiver-lost
#[test]
fn a_receiver_that_loses_every_descriptor_is_given_up() {
    for model in Model::ALL {
        let run = on_station(1, Card::new(model), |lab, station| {
            let vc = station.connected();
            lab.place(0).faults.spoil_received(std::iter::repeat_n(WriteBack::Lost, 10_000));
            let record = Record::of(&vc);
            for round in 0..300 {
                if record.ended.get().is_some() {
                    break;
                }
                send(&vc, &some(100, round..round + 1));
                sleep(Duration::from_millis(100));
            }
            assert!(wait_for(PATIENCE, || station.adapter.removal_requested()), "nobody noticed");
            assert_eq!(record.ended.get(), Some(status::TAPI_DISCONNECTMODE_UNAVAIL));
            assert!(Caller::hang_up(&vc), "the close does not end");
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        });
        assert!(run.has_step("logs error"), "{model}: no entry in the error log");
        run.clean_but_for_sessions();
    }
}

/// How the fourth of twelve sends is written back, and how many of them then fail.
const SENT: [(WriteBack, usize); 7] = [
    (WriteBack::Late, 0),
    (WriteBack::Twice, 0),
    (WriteBack::Unposted, 0),
    (WriteBack::Lost, 0),
    // Excess and late collisions.
    (WriteBack::Errors(2), 1),
    (WriteBack::Errors(4), 1),
    (WriteBack::Errors(6), 1),
];

// covers: SEQ:send-descriptor-bad
#[test]
fn sends_are_completed_once_however_they_come_back() {
    for model in Model::ALL {
        let run = on_station(1, Card::new(model), move |lab, station| {
            let vc = station.connected();
            for (how, failed) in SENT {
                forget(&vc);
                lab.place(0).faults.spoil_sent([WriteBack::Good, WriteBack::Good, WriteBack::Good, how]);
                let frames = some(200, 0..12);
                echo(&vc, &frames);
                sleep(Duration::from_secs(5));
                assert_eq!(Record::of(&vc).in_driver.get(), 0, "{how:?}: a send is not completed");
                assert!(missing(&vc, &frames).is_empty() && is_intact(&vc), "{how:?}");
                let expected = [("FAILURE".to_owned(), failed), ("SUCCESS".to_owned(), 12 - failed)];
                let expected: Vec<_> = expected.into_iter().filter(|(_, count)| *count != 0).collect();
                assert_eq!(ends(&vc), expected, "{model}, {how:?}");
                assert_works(&vc);
            }
            station.finish(&vc);
        });
        assert_clean_but_for_the_card(&run);
    }
}
