//! A transmitter that stops, a ring that is full, sends that are taken back.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::{FailPlan, Machine},
    ndis::{Family, Frames, Vc, client, status, wait_for},
    nic::{Fault, Model, WriteBack},
};
use scenarios::{
    Caller, Card, Record, Setup, Station,
    blocks::Destination,
    caller::{HDLC, PATIENCE},
    cannot_on_qemu,
    lab::{self, sleep, sleep_below},
    seeds,
    station::{frame, send, settle},
};

use crate::common::{
    assert_works, echo, ends, forget, is_intact, missing, on_station, some, watched, with_number,
};

#[test]
fn a_transmitter_that_hangs_is_brought_back_without_losing_a_call_or_a_frame() {
    for (seed, model) in (0..).zip(Model::ALL) {
        let run = on_station(seed, Card::new(model), |lab, station| {
            let vcs = [station.connected(), station.connected()];
            for round in 0..3 {
                let frames = some(700, round * 40..round * 40 + 40);
                for vc in &vcs {
                    send(vc, &frames[..20]);
                }
                sleep_below(300);
                lab.place(0).faults.inject(Fault::TransmitStuckUntilReset);
                for vc in &vcs {
                    send(vc, &frames[20..]);
                }
                let done = || vcs.iter().all(|vc| Record::of(vc).in_driver.get() == 0);
                assert!(wait_for(Duration::from_secs(6), done), "sends are not completed");
                assert!(!lab.place(0).faults.has(Fault::TransmitStuckUntilReset));
                sleep(Duration::from_millis(10));
                for vc in &vcs {
                    assert!(missing(vc, &frames).is_empty(), "missing: {:?}", missing(vc, &frames));
                    assert!(is_intact(vc));
                }
            }
            for vc in &vcs {
                assert_eq!(ends(vc), [("SUCCESS".to_owned(), 120)]);
                assert_works(vc);
                station.finish(vc);
            }
        });
        assert!(run.has_step("logs error"), "{model}: no entry in the error log");
        run.clean();
    }
}

#[test]
fn a_transmitter_that_never_sends_again_ends_the_calls() {
    for model in [Model::I82540em, Model::I82574l] {
        let run = on_station(1, Card::new(model), |lab, station| {
            let vc = station.connected();
            lab.place(0).faults.inject(Fault::TransmitStuck);
            send(&vc, &some(700, 0..20));
            let record = Record::of(&vc);
            // The verifier gives a send 30 seconds.
            wait_for(Duration::from_mins(1), || record.in_driver.get() == 0);
            assert_eq!(record.in_driver.get(), 0, "sends are not completed");
            wait_for(PATIENCE, || station.adapter.removal_requested());
            let end = (record.ended.get().map(status::name), station.adapter.removal_requested());
            assert!(Caller::hang_up(&vc), "the close does not end");
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
            end
        });
        let end = run.clean_but_for_sessions();
        assert_eq!(end, (Some("TAPI_DISCONNECTMODE_UNAVAIL".to_owned()), true), "{model}");
    }
}

// covers: NdisMRemoveMiniport
#[test]
fn a_recovery_that_fails_gives_the_card_up() {
    for model in Model::ALL {
        for fault in [Fault::ResetStuck, Fault::PhySilent, Fault::Gone] {
            let run = on_station(1, Card::new(model), move |lab, station| {
                let vcs = [station.connected(), station.connected()];
                lab.place(0).faults.inject(Fault::TransmitStuckUntilReset);
                send(&vcs[0], &some(700, 0..20));
                sleep(Duration::from_millis(10));
                lab.place(0).faults.inject(fault);
                for vc in &vcs {
                    let record = Record::of(vc);
                    assert!(
                        wait_for(PATIENCE, || record.ended.get().is_some()),
                        "{fault:?}: no incoming close"
                    );
                    let done = || record.in_driver.get() == 0;
                    assert!(wait_for(PATIENCE, done), "{fault:?}: a send is not completed");
                    assert!(Caller::hang_up(vc), "{fault:?}: the close does not end");
                    assert_eq!(client::delete_vc(vc), status::SUCCESS);
                }
                assert!(wait_for(PATIENCE, || station.adapter.removal_requested()), "{fault:?}");
                // A call on a card that is lost.
                let vc = station.vc();
                let status = station.outcome(&vc, &Destination::default());
                assert_ne!(status, status::SUCCESS);
                assert_eq!(client::delete_vc(&vc), status::SUCCESS);
            });
            assert!(run.has_step("logs error"), "{model}, {fault:?}: no entry in the error log");
            run.clean_but_for_sessions();
        }
    }
}

#[test]
fn a_full_ring_is_shared_fairly() {
    if cannot_on_qemu("it sends in no time, so the ring is never full") {
        return;
    }
    let (card, lever) = watched(Model::I82574l);
    let run = on_station(1, with_number(card, "*TransmitBuffers", 64), move |_, station| {
        let vcs: Vec<_> = (0..8).map(|_| station.connected()).collect();
        let before = lever.sent().len();
        // The first is greedy, the others come behind it.
        send(&vcs[0], &some(1000, 0..600));
        for vc in &vcs[1..] {
            send(vc, &some(1000, 0..20));
        }
        settle(&vcs);
        assert!(vcs.iter().all(|vc| Record::of(vc).is_echoed()), "a frame was lost, changed or overtaken");
        // 8 VCs in turn: 7 times 20 frames are through when each VC had some 20 turns, behind what filled the ring.
        let sessions: Vec<_> = lever.sent()[before..].iter().map(|frame| frame.session).collect();
        let greedy = sessions[0];
        let last = sessions.iter().rposition(|&session| session != greedy).expect("others were served");
        for vc in &vcs {
            station.finish(vc);
        }
        (last, sessions.len())
    });
    let (last, all) = run.clean();
    assert_eq!(all, 740);
    assert!(last < 64 + 8 * 20 + 40, "the last of the modest was served as number {last} of {all}");
}

#[test]
fn sends_are_cancelled_by_their_id_only() {
    let card = with_number(Card::new(Model::I82540em), "*TransmitBuffers", 64);
    let run = on_station(1, card, |lab, station| {
        let vcs = [station.connected(), station.connected()];
        lab.place(0).faults.inject(Fault::TransmitStuck);
        for vc in &vcs {
            for cancel_id in [0x1111, 0x2222] {
                let frames = some(500, 0..100);
                let with_prefix = frames.iter().map(|frame| [&HDLC[..], frame].concat());
                let lists = Frames { cancel_id, ..Frames::singles(with_prefix) };
                let record = Record::of(vc);
                record.in_driver.set(record.in_driver.get() + 100);
                client::send(vc, &lists);
            }
        }
        client::cancel_sends(&station.adapter, 0x3333);
        assert!(vcs.iter().all(|vc| Record::of(vc).in_driver.get() == 200), "nobody's id");
        client::cancel_sends(&station.adapter, 0x2222);
        let left: Vec<_> = vcs.iter().map(|vc| Record::of(vc).in_driver.get()).collect();
        // What is in the ring already is sent all the same.
        assert_eq!(left, [100, 100], "those in the ring are of the first id");
        lab.place(0).faults.clear(Fault::TransmitStuck);
        assert!(wait_for(PATIENCE, || vcs.iter().all(|vc| Record::of(vc).in_driver.get() == 0)));
        for vc in &vcs {
            assert_eq!(ends(vc), [("SEND_ABORTED".to_owned(), 100), ("SUCCESS".to_owned(), 100)]);
            sleep(Duration::from_millis(5));
            assert_works(vc);
            station.finish(vc);
        }
    });
    run.clean();
}

#[test]
fn sends_race_with_the_close_of_their_call() {
    for seed in seeds(24) {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        let card = with_number(Card::new(model), "*TransmitBuffers", 64);
        let run = on_station(seed, card, |_, station| {
            let vcs = [station.connected(), station.connected()];
            let talker = Rc::clone(&vcs[0]);
            let thread = Machine::current().spawn("talker", move || {
                for number in 0..40 {
                    if Record::of(&talker).closed.get() {
                        break;
                    }
                    send(&talker, &some(300, number * 10..number * 10 + 10));
                    sleep_below(20);
                }
            });
            sleep_below(400);
            assert!(Caller::hang_up(&vcs[0]), "the close does not end");
            while !Machine::current().finished(thread) {
                sleep(Duration::from_millis(1));
            }
            assert_eq!(Record::of(&vcs[0]).in_driver.get(), 0, "a send is not completed");
            assert_eq!(client::delete_vc(&vcs[0]), status::SUCCESS);
            assert_works(&vcs[1]);
            station.finish(&vcs[1]);
        });
        run.clean();
    }
}

#[test]
fn a_frame_that_is_too_long_costs_only_itself() {
    let run = on_station(1, Card::new(Model::I82574l), |_, station| {
        let vc = station.connected();
        let mut frames = some(400, 0..6);
        frames[2] = some(1495, 0..1).remove(0);
        echo(&vc, &frames);
        assert_eq!(missing(&vc, &frames), [2]);
        let expected = [("INVALID_LENGTH".to_owned(), 1), ("SUCCESS".to_owned(), 5)];
        assert_eq!(ends(&vc), expected);
        assert_works(&vc);
        station.finish(&vc);
    });
    run.clean();
}

/// Sends lists as they are, and says how they ended.
fn ends_of(vc: &Rc<Vc>, lists: Vec<Vec<Vec<u8>>>) -> Vec<(String, usize)> {
    forget(vc);
    let record = Record::of(vc);
    record.in_driver.set(record.in_driver.get() + lists.len());
    client::send(vc, &Frames { lists, ..Frames::default() });
    assert!(wait_for(PATIENCE, || record.in_driver.get() == 0), "a send is not completed");
    sleep(Duration::from_millis(1));
    ends(vc)
}

// covers: MiniportCoSendNetBufferLists, RFC2516:7
#[test]
fn a_frame_without_address_and_control_field_may_be_as_long_as_one_with_them_and_no_longer() {
    let run = on_station(1, Card::new(Model::I82574l), |_, station| {
        let vc = station.connected();
        // 1,492 bytes of payload behind the protocol field.
        for (size, good) in [(1, false), (2, true), (1494, true), (1495, false), (1496, false), (1497, false)]
        {
            let expected = [(if good { "SUCCESS" } else { "INVALID_LENGTH" }.to_owned(), 1)];
            let bare = frame(size, 7);
            let framed = [&HDLC[..], &bare].concat();
            for whole in [bare.clone(), framed] {
                let length = whole.len();
                assert_eq!(ends_of(&vc, vec![vec![whole]]), expected, "{length} bytes, {size} of PPP");
                assert_eq!(Record::of(&vc).received.borrow().len(), usize::from(good));
            }
        }
        assert_works(&vc);
        station.finish(&vc);
    });
    run.clean();
}

// covers: MiniportCoSendNetBufferLists, NdisMCoSendNetBufferListsComplete
#[test]
fn a_list_goes_out_with_all_of_its_frames_or_with_none() {
    let run = on_station(1, with_number(Card::new(Model::I82574l), "*TransmitBuffers", 64), |_, station| {
        let vc = station.connected();
        let with_hdlc = |frame: &Vec<u8>| [&HDLC[..], frame].concat();
        for bad in 0..3 {
            let mut frames = some(300, 0..3);
            frames[bad] = frame(1495, 9);
            let lists = vec![frames.iter().map(with_hdlc).collect(), vec![with_hdlc(&frame(300, 10))]];
            let expected = [("INVALID_LENGTH".to_owned(), 1), ("SUCCESS".to_owned(), 1)];
            assert_eq!(ends_of(&vc, lists), expected);
            assert_eq!(*Record::of(&vc).received.borrow(), [frame(300, 10)]);
        }
        // As many frames as the ring ever takes at once, and one more.
        for (count, status) in [(55, "SUCCESS"), (56, "INVALID_LENGTH")] {
            let frames: Vec<_> = some(300, 0..count).iter().map(with_hdlc).collect();
            assert_eq!(ends_of(&vc, vec![frames]), [(status.to_owned(), 1)], "{count} frames");
        }
        assert_works(&vc);
        station.finish(&vc);
    });
    run.clean();
}

// covers: MiniportCoSendNetBufferLists
#[test]
fn a_list_fails_if_a_frame_before_the_last_cannot_be_read() {
    let mut setup = Setup::new(1, Card::new(Model::I82574l));
    setup.fail = Some(FailPlan::Named("NdisGetDataBuffer", 1));
    let run = lab::run(setup, |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        let frames: Vec<_> = some(300, 0..3).iter().map(|frame| [&HDLC[..], frame].concat()).collect();
        let ended = ends_of(&vc, vec![frames.clone()]);
        // The first frame had left for the ring.
        let arrived = Record::of(&vc).received.borrow().len();
        let again = ends_of(&vc, vec![frames]);
        assert_works(&vc);
        station.finish(&vc);
        station.down();
        driver.unload();
        (ended, arrived, again)
    });
    let expected = ([("RESOURCES".to_owned(), 1)].to_vec(), 1, [("SUCCESS".to_owned(), 1)].to_vec());
    assert_eq!(run.clean(), expected);
}

// covers: NdisMCoSendNetBufferListsComplete
#[test]
fn a_frame_that_went_badly_spoils_no_list_but_its_own() {
    let mut setup = Setup::new(1, Card::new(Model::I82574l));
    setup.fail = Some(FailPlan::Named("NdisGetDataBuffer", 1));
    let run = lab::run(setup, |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        let frames: Vec<_> = some(300, 0..3).iter().map(|frame| [&HDLC[..], frame].concat()).collect();
        // The first frame is on its way when the second turns out not to be readable, and collides.
        lab.place(0).faults.spoil_sent([WriteBack::Errors(2)]);
        let ended = ends_of(&vc, vec![frames.clone(), frames]);
        assert!(lab.place(0).faults.is_spent());
        assert_works(&vc);
        station.finish(&vc);
        station.down();
        driver.unload();
        ended
    });
    assert_eq!(run.clean(), [("RESOURCES".to_owned(), 1), ("SUCCESS".to_owned(), 1)]);
}

// covers: SEQ:link-lost-with-sends
#[test]
fn a_list_that_was_spoilt_and_given_back_spoils_no_other() {
    if cannot_on_qemu("it sends both frames at once") {
        return;
    }
    for model in Model::ALL {
        let run = on_station(1, Card::new(model), |lab, station| {
            let vc = station.connected();
            let faults = &lab.place(0).faults;
            faults.spoil_sent([WriteBack::Errors(2)]);
            let list = some(1400, 0..2).iter().map(|frame| [&HDLC[..], frame].concat()).collect();
            let record = Record::of(&vc);
            record.in_driver.set(1);
            client::send(&vc, &Frames { lists: vec![list], ..Frames::default() });
            // The first frame is out, and takes 11 us.
            sleep(Duration::from_micros(4));
            faults.inject(Fault::TransmitStuck);
            sleep(Duration::from_millis(2));
            station.slot.set_link(false);
            let ended = || record.ended.get().is_some() && record.in_driver.get() == 0;
            assert!(wait_for(PATIENCE, ended), "no incoming close, or sends are kept");
            assert!(Caller::hang_up(&vc), "the close does not end");
            faults.clear(Fault::TransmitStuck);
            station.slot.set_link(true);
            assert!(wait_for(PATIENCE, || station.caller.link.get() == Some(true)), "no link");
            sleep(Duration::from_secs(3));
            assert_eq!(station.outcome(&vc, &Destination::default()), status::SUCCESS);
            assert_works(&vc);
            assert_eq!(ends(&vc), [("SUCCESS".to_owned(), 20)]);
            station.finish(&vc);
        });
        run.clean_but_for_sessions();
    }
}
