//! Frames that wait for a rate, and what ends their wait.

// all cover: CmModifyCallQoS

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::{FailPlan, Machine},
    ndis::{
        Frames, client,
        parameters::FlowSpec,
        status::{self, Status},
        wait_for,
    },
};
use scenarios::{
    Caller, Record,
    caller::{HDLC, PATIENCE},
    lab::sleep,
    rates::{OPEN, flow, modify, request},
    seeds,
    station::{exchange, send, settle},
};

use crate::{SIZE, frames, on_station, set, since, watch};
#[test]
fn a_close_takes_back_what_is_held() {
    for seed in seeds(8) {
        let run = on_station(seed, |_, station, _| {
            let vcs = [station.connected(), station.connected()];
            for vc in &vcs {
                set(vc, flow(20_000));
                send(vc, &frames(200));
            }
            sleep(Duration::from_millis(Machine::current().below(300)));
            let (start, record) = (Machine::current().now(), Record::of(&vcs[0]));
            station.finish(&vcs[0]);
            assert!(since(start) < Duration::from_secs(1), "the close waits for the rate");
            let statuses = record.send_statuses.borrow();
            assert_eq!(statuses.len(), 200);
            assert!(statuses.contains(&status::REQUEST_ABORTED) && statuses.contains(&status::SUCCESS));
            // The other goes on.
            set(&vcs[1], flow(OPEN));
            settle(&vcs[1..]);
            assert!(Record::of(&vcs[1]).is_echoed());
            station.finish(&vcs[1]);
        });
        run.clean();
    }
}

// covers: MiniportCancelSend
#[test]
fn held_sends_are_cancelled_by_their_id() {
    let run = on_station(1, |_, station, _| {
        let vc = station.connected();
        set(&vc, flow(20_000));
        let record = Record::of(&vc);
        for cancel_id in [0x1111, 0x2222] {
            let lists = frames(50).into_iter().map(|frame| [&HDLC[..], &frame].concat());
            record.in_driver.set(record.in_driver.get() + 50);
            client::send(&vc, &Frames { cancel_id, ..Frames::singles(lists) });
        }
        client::cancel_sends(&station.adapter, 0x1111);
        sleep(Duration::from_millis(5));
        assert!(record.in_driver.get() <= 50, "those of the first id are gone");
        let aborted = |it: &&Status| **it == status::SEND_ABORTED;
        assert!(record.send_statuses.borrow().iter().filter(aborted).count() > 40);
        assert!(wait_for(PATIENCE, || record.in_driver.get() == 0), "the others go out");
        assert!(record.send_statuses.borrow().iter().filter(|&&it| it == status::SUCCESS).count() >= 50);
        station.finish(&vc);
    });
    run.clean();
}

// covers: MiniportPause, MiniportRestart
#[test]
fn a_pause_takes_back_what_is_held_and_the_rate_outlives_it() {
    for seed in seeds(4) {
        let run = on_station(seed, |_, station, lever| {
            let vc = station.connected();
            set(&vc, FlowSpec { token_bucket_size: 4000, ..flow(100_000) });
            send(&vc, &frames(200));
            sleep(Duration::from_millis(Machine::current().below(100)));
            station.adapter.pause();
            assert_eq!(Record::of(&vc).in_driver.get(), 0, "a send is not completed");
            station.adapter.restart().expect("MiniportRestart succeeds");
            send(&vc, &frames(200));
            watch(lever, 100_000, 4000, Duration::from_millis(500));
            station.finish(&vc);
        });
        run.clean();
    }
}

// covers: MiniportDevicePnPEventNotify
#[test]
fn a_card_that_is_pulled_out_returns_what_is_held() {
    for seed in seeds(4) {
        let run = on_station(seed, |_, station, _| {
            let vc = station.connected();
            set(&vc, flow(20_000));
            send(&vc, &frames(200));
            sleep(Duration::from_millis(Machine::current().below(100)));
            station.adapter.surprise_remove();
            let record = Record::of(&vc);
            assert!(wait_for(PATIENCE, || record.in_driver.get() == 0), "a send is not completed");
            assert!(Caller::hang_up(&vc), "the close does not end");
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        });
        run.clean_but_for_sessions();
    }
}

// covers: SEQ:link-loss
#[test]
fn a_lost_link_returns_what_is_held_and_nothing_of_it_leaves_later() {
    for seed in seeds(6) {
        let run = on_station(seed, |_, station, lever| {
            let vcs = [station.connected(), station.connected()];
            for vc in &vcs {
                set(vc, flow(20_000));
                send(vc, &frames(200));
            }
            sleep(Duration::from_millis(Machine::current().below(300)));
            station.slot.set_link(false);
            for vc in &vcs {
                let record = Record::of(vc);
                let ended = || record.ended.get().is_some() && record.in_driver.get() == 0;
                assert!(wait_for(Duration::from_secs(5), ended), "no incoming close, or sends are kept");
                assert_eq!(record.ended.get(), Some(status::TAPI_DISCONNECTMODE_UNREACHABLE));
                let statuses = record.send_statuses.borrow();
                assert_eq!(statuses.len(), 200);
                let refused = statuses.iter().filter(|&&it| it != status::SUCCESS).count();
                assert!(refused > 100, "{refused} of 200 held sends fail");
            }
            // One client lets go of its call before the link returns, the other one after.
            station.finish(&vcs[0]);
            let before = lever.sent().len();
            station.slot.set_link(true);
            assert!(wait_for(PATIENCE, || station.caller.link.get() == Some(true)), "no link");
            sleep(Duration::from_secs(3));
            let late = lever.sent()[before..].iter().filter(|frame| frame.payload.len() == SIZE).count();
            assert_eq!(late, 0, "held frames of a call that has ended leave");
            station.finish(&vcs[1]);
            // The next call has no rate of the last one's.
            let vc = station.connected();
            assert!(exchange(&[Rc::clone(&vc)], &[64, 1400], 200));
            station.finish(&vc);
        });
        run.clean_but_for_sessions();
    }
}

/// A change that meets the loss of the link used to give the call's VC a rate when it had left the wire: the VC stayed.
// covers: SEQ:link-loss
#[test]
fn a_change_while_the_link_goes_leaves_nothing() {
    for seed in seeds(40) {
        let run = on_station(seed, |_, station, _| {
            let vc = station.connected();
            station.slot.set_link(false);
            // It may come too early or too late.
            sleep(Duration::from_nanos(Machine::current().below(4_000)));
            modify(&vc, &request(flow(50_000), flow(OPEN)));
            let record = Record::of(&vc);
            assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
            station.finish(&vc);
        });
        run.clean_but_for_sessions();
    }
}

/// Frames whose time had come and for which there was no memory used to wait for ever.
#[test]
fn frames_that_find_no_memory_go_later() {
    for seed in seeds(4) {
        let run = on_station(seed, |_, station, _| {
            let vc = station.connected();
            set(&vc, FlowSpec { token_bucket_size: 4000, ..flow(100_000) });
            let machine = Machine::current();
            machine.set_failures(Some(FailPlan::Random(1, 1)));
            send(&vc, &frames(3));
            sleep(Duration::from_millis(5));
            machine.set_failures(None);
            settle(&[Rc::clone(&vc)]);
            assert!(Record::of(&vc).is_echoed(), "a frame was lost, changed or overtaken");
            station.finish(&vc);
        });
        run.clean();
    }
}
