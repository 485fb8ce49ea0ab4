//! What becomes of calls when the adapter pauses, sleeps, goes or shuts down.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{
        Family, HaltAction,
        client::{self, Client},
        status, wait_for,
    },
    wire::frame::{Frame, code},
};

use super::{AT_ONCE, strange_padi};
use crate::{
    Caller, Card, Record, Run, Setup, Station,
    blocks::Destination,
    caller::PATIENCE,
    lab::{self, sleep, sleep_below},
    station::{exchange, frame, open, send, settle},
    wires::{Pass, gated},
};

/// `NdisDeviceStateD0` and `NdisDeviceStateD3`.
const D0: u32 = 1;
const D3: u32 = 4;

/// Pause and restart, with calls up and frames under way both ways.
pub fn paused(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let vcs = [station.connected(), station.connected()];
        for round in 0..3 {
            for vc in &vcs {
                let frames: Vec<_> = (0..32).map(|number| frame(900, round << 32 | number)).collect();
                send(vc, &frames);
            }
            sleep_below(2_000);
            station.adapter.pause();
            let busy = vcs.iter().any(|vc| Record::of(vc).in_driver.get() != 0);
            assert!(!busy, "paused with sends in the driver");
            // A protocol that has not heard of the pause yet.
            for vc in &vcs {
                send(vc, &[frame(60, round)]);
                let statuses = Record::of(vc).send_statuses.borrow().clone();
                assert_eq!(statuses.last(), Some(&status::PAUSED), "a send while paused");
            }
            sleep(Duration::from_millis(5));
            station.adapter.restart().expect("MiniportRestart succeeds");
        }
        for vc in &vcs {
            assert_eq!(Record::of(vc).strangers(), 0);
            // What the pause cost is known; from here on nothing may be missing.
            Record::of(vc).sent.borrow_mut().clear();
            Record::of(vc).received.borrow_mut().clear();
        }
        assert!(exchange(&vcs, &[300], 20), "calls survive a pause");
        for vc in &vcs {
            station.finish(vc);
        }
        station.down();
        driver.unload();
    })
}

/// The client keeps frames while the adapter pauses: the pause waits for them.
pub fn paused_with_frames_out(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let vc = station.connected();
        station.caller.hold.set(true);
        send(&vc, &(0..8).map(|number| frame(300, number)).collect::<Vec<_>>());
        settle(&[Rc::clone(&vc)]);
        assert_eq!(Record::of(&vc).held.borrow().len(), 8);
        let (machine, other) = (Machine::current(), Rc::clone(&vc));
        let before = machine.now();
        Machine::current().spawn("slow client", move || {
            sleep(Duration::from_millis(30));
            Caller::let_go(&other);
        });
        station.adapter.pause();
        assert!(machine.now() >= before + Duration::from_millis(30), "paused with frames at the client");
        station.caller.hold.set(false);
        station.adapter.restart().expect("MiniportRestart succeeds");
        station.finish(&vc);
        station.down();
        driver.unload();
    })
}

/// Sleep and wake with a call up: the call ends, and a new one works afterwards.
pub fn slept(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        for _ in 0..2 {
            let vc = station.connected();
            assert!(exchange(&[Rc::clone(&vc)], &[200], 10));
            station.adapter.pause();
            assert_eq!(station.adapter.set_power(D3), status::SUCCESS, "to D3");
            let record = Record::of(&vc);
            assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
            assert_eq!(record.ended.get(), Some(status::TAPI_DISCONNECTMODE_UNAVAIL));
            station.finish(&vc);
            sleep(Duration::from_secs(3));
            assert!(station.tally.borrow().open.is_empty(), "no PADT before sleep");
            assert_eq!(station.adapter.set_power(D0), status::SUCCESS, "to D0");
            station.adapter.restart().expect("MiniportRestart succeeds");
            sleep(Duration::from_secs(10));
        }
        let vc = station.connected();
        assert!(exchange(&[Rc::clone(&vc)], &[200], 10), "frames after sleep");
        station.finish(&vc);
        station.down();
        driver.unload();
    })
}

/// The card is pulled out at a random moment of call set-up, traffic and close.
pub fn pulled_out(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let up = station.connected();
        let vcs = [up, station.vc(), station.vc()];
        for vc in &vcs[1..] {
            station.dial(vc, &Destination::default());
        }
        let machine = Machine::current();
        let talking = Rc::clone(&vcs[0]);
        let talker = machine.spawn("talker", move || {
            for number in 0..30 {
                if !Record::of(&talking).is_up() {
                    break;
                }
                send(&talking, &[frame(500, number)]);
                sleep_below(100);
            }
        });
        sleep_below(2_500);
        station.adapter.surprise_remove();
        while !machine.finished(talker) {
            sleep(Duration::from_millis(1));
        }
        let busy = Record::of(&vcs[0]);
        assert!(wait_for(AT_ONCE, || busy.in_driver.get() == 0), "sends wait for a card that is gone");
        for vc in &vcs {
            let record = Record::of(vc);
            assert!(wait_for(PATIENCE, || record.made.get().is_some()), "a call does not end");
            if record.made.get() == Some(status::SUCCESS) {
                assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
                assert!(Caller::hang_up(vc), "a close does not end");
            }
            assert_eq!(record.in_driver.get(), 0, "a send is not completed");
            assert_eq!(client::delete_vc(vc), status::SUCCESS);
        }
        station.adapter.pause();
        station.down_as(HaltAction::SurpriseRemoved);
        driver.unload();
    })
}

/// The adapter is halted with calls up and address families open: the driver asks the clients to leave.
pub fn halted_while_open(seed: u64, card: Card) -> Run<()> {
    let (card, lever) = gated(card, Pass::Everything);
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let second = Caller::new();
        let bound: Rc<dyn Client> = Rc::<Caller>::clone(&second);
        station.adapter.bind(&bound);
        open(&station.adapter, &second, Family::PPP);
        let vc = station.connected();
        send(&vc, &[frame(500, 1), frame(500, 2)]);
        station.adapter.pause();
        station.adapter.halt(HaltAction::DeviceDisabled);
        assert!(station.caller.asked_to_leave.get() && second.asked_to_leave.get(), "clients were not asked");
        assert!(station.caller.closed.get() && second.closed.get(), "a family is open");
        // A card that was not stopped would still receive.
        lever.inject(strange_padi());
        sleep(Duration::from_millis(20));
        driver.unload();
    })
}

/// The system shuts down with a call up: afterwards the card is silent.
pub fn shut_down(seed: u64, card: Card) -> Run<()> {
    let (card, lever) = gated(card, Pass::Everything);
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        assert!(exchange(&[Rc::clone(&vc)], &[200], 10));
        station.adapter.shut_down();
        let received = Record::of(&vc).received.borrow().len();
        // A frame of the session, as the peer would send it: nothing may come of it.
        let echo = lever.sent().into_iter().rev().find(|frame| frame.code == code::DATA).expect("data");
        let back = Frame { destination: echo.source, source: echo.destination, ..echo };
        lever.inject(back.to_bytes());
        sleep(Duration::from_millis(50));
        assert_eq!(Record::of(&vc).received.borrow().len(), received, "a frame after MiniportShutdownEx");
        station.finish(&vc);
        station.down();
        driver.unload();
    })
}
