//! What waits for credits, and what ends its wait.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::{FailPlan, Machine},
    ndis::{Family, Frames, HaltAction, Value, Vc, client, parameters::FlowSpec, status, wait_for},
    wire::{credits::Plan, frame::code},
};
use scenarios::{
    Caller, Record, Run, Setup, Station,
    caller::{HDLC, PATIENCE},
    careful,
    credits::{card, frames},
    lab::{self, sleep},
    on_qemu, rates, seeds, some_of,
    station::{send, settle},
};

use crate::{call, on_the_wire};

/// `NdisDeviceStateD0` and `NdisDeviceStateD3`.
const D0: u32 = 1;
const D3: u32 = 4;

/// Whoever ends what waits: each list comes back once, at once, with the status of what ended it.
// covers: RFC5578:charging, CmCloseCall
#[test]
fn what_is_held_comes_back_at_a_close() {
    for seed in seeds(6) {
        let run = call(seed, card(&Plan::once(20)), |_, station, _| {
            let vc = station.connected();
            send(&vc, &frames(50));
            sleep(Duration::from_millis(Machine::current().below(1500)));
            let (start, record) = (Machine::current().now(), Record::of(&vc));
            station.finish(&vc);
            assert!(Machine::current().now().saturating_sub(start) < Duration::from_secs(1));
            let statuses = record.send_statuses.borrow();
            assert_eq!(statuses.len(), 50);
            assert_eq!(statuses.iter().filter(|it| **it == status::REQUEST_ABORTED).count(), 48);
            // The next call on a VC begins anew.
            let vc = station.connected();
            send(&vc, &frames(2));
            settle(&[Rc::clone(&vc)]);
            assert_eq!(Record::of(&vc).in_driver.get(), 0);
            station.finish(&vc);
        });
        run.clean();
    }
}

/// A pause takes back what is held, and a call that outlives it goes on.
// covers: MiniportPause, MiniportRestart
#[test]
fn what_is_held_comes_back_at_a_pause() {
    for seed in seeds(4) {
        let run = call(
            seed,
            card(&Plan { refill: Some((20, Duration::from_mins(1))), ..Plan::once(20) }),
            |_, station, lever| {
                let vc = station.connected();
                send(&vc, &frames(10));
                // Nearly too long.
                sleep(Duration::from_millis(11_500));
                assert_eq!(Record::of(&vc).in_driver.get(), 8);
                station.adapter.pause();
                assert_eq!(Record::of(&vc).in_driver.get(), 0);
                station.adapter.restart().expect("MiniportRestart");
                send(&vc, &frames(3));
                // What comes now has not waited as long.
                sleep(Duration::from_secs(10));
                assert_eq!((on_the_wire(lever), Record::of(&vc).in_driver.get()), (2, 3));
                station.finish(&vc);
            },
        );
        run.clean();
    }
}

/// The link goes while sends are held.
#[test]
fn what_is_held_comes_back_when_the_link_goes() {
    for seed in seeds(4) {
        let run = call(seed, card(&Plan::once(20)), |_, station, _| {
            let vc = station.connected();
            send(&vc, &frames(20));
            sleep(Duration::from_millis(Machine::current().below(1200)));
            station.slot.set_link(false);
            let record = Record::of(&vc);
            assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "the call goes on without a link");
            assert!(Caller::hang_up(&vc));
            assert_eq!(record.in_driver.get(), 0);
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        });
        run.clean_but_for_sessions();
    }
}

/// A peer that never grants: what has waited for long enough is given back, and what comes later waits in its turn.
// covers: RFC5578:charging
#[test]
fn what_has_waited_too_long_comes_back() {
    for seed in seeds(2) {
        let run = call(seed, card(&Plan::once(20)), |_, station, lever| {
            let vc = station.connected();
            let record = Record::of(&vc);
            for _ in 0..60 {
                send(&vc, &frames(5));
                sleep(Duration::from_secs(1));
                assert!(record.in_driver.get() <= 24 * 5 + 5, "{} wait", record.in_driver.get());
            }
            assert!(record.send_statuses.borrow().iter().filter(|it| **it == status::FAILURE).count() >= 150);
            // Its neighbour has credits of its own.
            let other = station.connected();
            send(&other, &frames(2));
            settle(&[Rc::clone(&other)]);
            assert_eq!(Record::of(&other).in_driver.get(), 0);
            let starving = lever.count(code::PADG);
            assert!(
                (40..=70).contains(&starving),
                "a PADG a second says that there is nothing left: {starving}"
            );
            station.finish(&other);
            station.finish(&vc);
        });
        // No send took half a minute.
        run.clean();
    }
}

/// Sends of a cancel id are taken out of what waits.
// covers: MiniportCancelSend
#[test]
fn held_sends_are_cancelled_by_their_id() {
    let run = call(1, card(&Plan::once(20)), |_, station, _| {
        let vc = station.connected();
        let record = Record::of(&vc);
        for cancel_id in [0x1111, 0x2222] {
            let lists = frames(10).into_iter().map(|frame| [&HDLC[..], &frame].concat());
            record.in_driver.set(record.in_driver.get() + 10);
            client::send(&vc, &Frames { cancel_id, ..Frames::singles(lists) });
        }
        client::cancel_sends(&station.adapter, 0x1111);
        sleep(Duration::from_millis(5));
        assert_eq!(record.in_driver.get(), 10);
        let aborted = record.send_statuses.borrow().iter().filter(|&&it| it == status::SEND_ABORTED).count();
        assert_eq!(aborted, 8);
        station.finish(&vc);
        assert_eq!(record.in_driver.get(), 0);
    });
    run.clean();
}

/// Gives a call a rate.
fn set_rate(vc: &Rc<Vc>, rate: u32, burst: u32) {
    let transmit = FlowSpec { token_bucket_size: burst, ..rates::flow(rate) };
    let (status, _) = rates::modify(vc, &rates::request(transmit, rates::flow(rates::OPEN)));
    assert_eq!(status, status::SUCCESS);
}

/// The slower of the two counts, whichever that is, and a rate that is taken off leaves the credits.
// covers: RFC5578:charging, CmModifyCallQoS
#[test]
fn a_call_with_a_rate_keeps_to_both() {
    // Ten frames' credits each 100 ms, that is 63,000 octets a second.
    let plan = Plan { refill: Some((100, Duration::from_millis(100))), ..Plan::once(100) };
    for seed in seeds(3) {
        let run = call(seed, card(&plan), |_, station, lever| {
            let vc = station.connected();
            let rate_over = |time: Duration| {
                let before = on_the_wire(lever);
                sleep(time);
                on_the_wire(lever) - before
            };
            set_rate(&vc, 12_640, 2000);
            send(&vc, &frames(400));
            sleep(Duration::from_millis(200));
            let slow = rate_over(Duration::from_secs(1));
            assert!((18..=22).contains(&slow), "{slow} frames in a second of 20");
            set_rate(&vc, 1_000_000, 10_000);
            let credited = rate_over(Duration::from_secs(1));
            assert!((80..=112).contains(&credited), "{credited} frames in a second of 100");
            set_rate(&vc, rates::OPEN, rates::OPEN);
            let credited = rate_over(Duration::from_secs(1));
            assert!((80..=112).contains(&credited), "{credited} frames in a second of 100");
            set_rate(&vc, 12_640, 2000);
            let record = Record::of(&vc);
            assert!(record.in_driver.get() > 100);
            station.finish(&vc);
            assert_eq!(record.in_driver.get(), 0);
        });
        run.clean();
    }
}

/// Sleep takes back what is held, with or without a rate, and the peer is told.
// covers: OID_PNP_SET_POWER@miniport
#[test]
fn what_is_held_comes_back_when_the_card_sleeps() {
    for seed in seeds(6) {
        let run = call(seed, card(&Plan::once(20)), move |_, station, _| {
            let vc = station.connected();
            let record = Record::of(&vc);
            if seed % 2 == 0 {
                set_rate(&vc, 1000, 2000);
            }
            send(&vc, &frames(20));
            sleep(Duration::from_millis(Machine::current().below(1500)));
            station.adapter.pause();
            assert_eq!(station.adapter.set_power(D3), status::SUCCESS, "to D3");
            assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
            assert_eq!(record.in_driver.get(), 0, "sends outlive the power");
            // The times at which a grant and a stale send would be due.
            sleep(Duration::from_secs(30));
            assert!(Caller::hang_up(&vc));
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
            assert_eq!(station.adapter.set_power(D0), status::SUCCESS, "to D0");
            station.adapter.restart().expect("MiniportRestart");
            sleep(Duration::from_secs(3));
            let vc = station.connected();
            send(&vc, &frames(2));
            settle(&[Rc::clone(&vc)]);
            station.finish(&vc);
        });
        run.clean();
    }
}

/// A card that is pulled out takes nothing with it.
// covers: MiniportDevicePnPEventNotify
#[test]
fn what_is_held_comes_back_when_the_card_is_pulled_out() {
    for seed in seeds(6) {
        let run = lab::run(Setup::new(seed, card(&Plan::once(20))), |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, Family::PPP);
            let vc = station.connected();
            let record = Record::of(&vc);
            send(&vc, &frames(20));
            sleep(Duration::from_millis(Machine::current().below(1500)));
            station.adapter.surprise_remove();
            assert!(wait_for(PATIENCE, || record.in_driver.get() == 0), "sends outlive the card");
            sleep(Duration::from_secs(30));
            assert!(Caller::hang_up(&vc));
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
            station.down_as(HaltAction::SurpriseRemoved);
            driver.unload();
        });
        run.clean_but_for_sessions();
    }
}

/// A call with credits on a card with few buffers, in which a call of the kernel may fail.
fn failing(fail: Option<FailPlan>) -> Run<bool> {
    let mut card =
        card(&Plan { initial: 15, refill: Some((15, Duration::from_millis(20))), ..Plan::default() });
    for keyword in ["*TransmitBuffers", "*ReceiveBuffers"] {
        card.keywords.insert(keyword.to_owned(), Value::Integer(80));
    }
    lab::run(Setup { fail, ..Setup::new(1, card) }, |lab| {
        let Ok(driver) = lab.try_load() else { return false };
        let up = careful::call(lab, &driver, Family::PPP);
        driver.unload();
        up
    })
}

/// Without memory for an account there is no call, and nothing is left of it.
// covers: CmMakeCall
#[test]
fn each_failure_of_a_call_with_credits_leaves_nothing() {
    let whole = failing(None);
    // All those after the start, which are few.
    let end = whole.fallible_calls;
    assert!(whole.clean(), "the call comes up when nothing fails");
    let mut failed = 0;
    for nth in some_of(end.saturating_sub(60)..end, 5) {
        let run = failing(Some(FailPlan::Nth(nth)));
        let blemishes = run.blemishes();
        assert!(blemishes.is_empty(), "call {nth}: {blemishes:#?}");
        failed += u32::from(!run.value.expect("an end"));
    }
    assert!(failed > 3 || on_qemu(), "{failed} failures end a call");
}
