//! The card goes: announced, or not, at any moment; and memory that it must not touch any more.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{Family, HaltAction, State, client, status, wait_for},
    nic::{Fault, Model},
};
use scenarios::{
    Caller, Card, Record, Run, Setup, Station,
    blocks::Destination,
    caller::PATIENCE,
    careful,
    lab::{self, sleep, sleep_below},
    on_qemu, seeds, some_of,
    station::send,
};

use crate::common::{from_peer, some, watched};

/// Waits until every call has ended, closes it, and deletes its VC.
fn wind_up(station: &Station, vcs: &[Rc<ndis_sim::ndis::Vc>]) {
    for vc in vcs {
        let record = Record::of(vc);
        assert!(wait_for(PATIENCE, || record.made.get().is_some()), "a call has no end");
        Caller::let_go(vc);
        if record.made.get() == Some(status::SUCCESS) {
            assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
            assert!(record.closed.get() || Caller::hang_up(vc), "a close does not end");
        }
        assert_eq!(record.in_driver.get(), 0, "a send is not completed");
        assert_eq!(client::delete_vc(vc), status::SUCCESS);
    }
    if station.adapter.state() == State::Running {
        station.adapter.pause();
    }
}

/// A card that vanishes after so many register accesses, counted from when it is up: while calls are made, with
/// traffic. Nobody announces it; the driver has to notice. How many accesses there were before it was noticed.
fn vanishing(model: Model, accesses: u64) -> Run<u64> {
    lab::run(Setup::new(accesses, Card::new(model)), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let faults = lab.place(0).faults.clone();
        let begin = faults.accesses();
        faults.vanish_after(Some(accesses));
        let vcs = [station.vc(), station.vc()];
        for vc in &vcs {
            station.dial(vc, &Destination::default());
        }
        for number in 0..60 {
            for vc in vcs.iter().filter(|vc| Record::of(vc).is_up()) {
                send(vc, &some(600, number * 4..number * 4 + 4));
            }
            sleep_below(80);
        }
        // If it has not vanished yet, the watchdog's looks will do.
        assert!(wait_for(Duration::from_mins(10), || station.adapter.removal_requested()), "nobody noticed");
        let seen = faults.accesses() - begin;
        wind_up(&station, &vcs);
        station.down_as(HaltAction::SurpriseRemoved);
        driver.unload();
        seen
    })
}

#[test]
fn a_card_that_vanishes_unannounced_is_given_up() {
    for model in [Model::I82540em, Model::I82574l] {
        for accesses in some_of((0..40).chain((40..700).step_by(41)), 6) {
            let run = vanishing(model, accesses);
            let blemishes = run.blemishes();
            assert!(blemishes.is_empty(), "{model}, access {accesses}: {blemishes:#?}");
            assert!(run.value.is_some_and(|seen| seen >= accesses), "{model}, access {accesses}");
        }
    }
}

/// What the adapter is doing when its card is pulled out.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Paused, after a restart and before the next.
    Paused,
    /// Asleep.
    Asleep,
    /// Without a link.
    Unlinked,
    /// In the recovery from a hang of the transmitter.
    Recovering(u64),
    /// With received frames in the hands of the client.
    Held,
    /// With more sends than the ring holds.
    Full,
}

fn pulled_out(model: Model, moment: Moment) -> Run<()> {
    lab::run(Setup::new(7, Card::new(model)), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vcs = [station.connected(), station.connected()];
        let faults = &lab.place(0).faults;
        match moment {
            Moment::Paused => station.adapter.pause(),
            Moment::Asleep => {
                station.adapter.pause();
                assert_eq!(station.adapter.set_power(4), status::SUCCESS, "to D3");
            }
            Moment::Unlinked => {
                station.slot.set_link(false);
                sleep(Duration::from_millis(20));
            }
            Moment::Recovering(after) => {
                faults.inject(Fault::TransmitStuckUntilReset);
                send(&vcs[0], &some(500, 0..50));
                while faults.has(Fault::TransmitStuckUntilReset) && after != 0 {
                    sleep(Duration::from_millis(1));
                }
                sleep(Duration::from_millis(after));
            }
            Moment::Held => {
                station.caller.hold.set(true);
                send(&vcs[0], &some(500, 0..50));
                sleep(Duration::from_millis(5));
                assert!(!Record::of(&vcs[0]).held.borrow().is_empty());
            }
            Moment::Full => send(&vcs[1], &some(1400, 0..1500)),
        }
        station.adapter.surprise_remove();
        station.caller.hold.set(false);
        wind_up(&station, &vcs);
        station.down_as(HaltAction::SurpriseRemoved);
        driver.unload();
    })
}

#[test]
fn a_card_may_be_pulled_out_in_every_state() {
    let moments = [Moment::Paused, Moment::Asleep, Moment::Unlinked, Moment::Held, Moment::Full]
        .into_iter()
        .chain([0, 1, 9, 12, 20, 30, 44].map(Moment::Recovering));
    for (number, moment) in moments.enumerate() {
        for model in some_of((0..3).map(|step| Model::ALL[(number + step) % 3]), 3) {
            let run = pulled_out(model, moment);
            let blemishes = run.blemishes();
            assert!(blemishes.is_empty(), "{model}, {moment:?}: {blemishes:#?}");
            assert!(run.value.is_some(), "{model}, {moment:?}");
        }
    }
}

#[test]
fn a_card_may_be_pulled_out_during_pause_restart_and_halt() {
    for seed in seeds(18) {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        let run = lab::run(Setup::new(seed, Card::new(model)), |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
            let vcs = [station.connected(), station.connected()];
            for vc in &vcs {
                send(vc, &some(1000, 0..60));
            }
            // The bus loses it at once; that the system tells of it comes later.
            let slot = Rc::clone(&station.slot);
            let puller = Machine::current().spawn("hand", move || {
                sleep_below(60_000);
                slot.unplug();
            });
            station.adapter.pause();
            station.adapter.restart().expect("MiniportRestart succeeds");
            for vc in &vcs {
                send(vc, &some(1000, 60..90));
            }
            station.adapter.pause();
            station.adapter.halt(HaltAction::DeviceDisabled);
            while !Machine::current().finished(puller) {
                sleep(Duration::from_millis(1));
            }
            driver.unload();
        });
        let blemishes = run.blemishes();
        assert!(blemishes.is_empty(), "seed {seed}: {blemishes:#?}");
        assert!(run.value.is_some(), "seed {seed}");
    }
}

#[test]
fn a_card_may_vanish_at_any_access_of_the_halt() {
    for model in [Model::I82540em, Model::I82574l] {
        let run = lab::run(Setup::new(1, Card::new(model)), |lab| {
            let driver = lab.load();
            let faults = &lab.place(0).faults;
            for accesses in 0.. {
                let adapter = lab.adapter(&driver, 0);
                adapter.start().expect("MiniportInitializeEx succeeds");
                faults.vanish_after(Some(accesses));
                adapter.halt(HaltAction::DeviceDisabled);
                faults.vanish_after(None);
                if !faults.has(Fault::Gone) {
                    return (driver.unload(), accesses).1;
                }
                faults.clear(Fault::Gone);
            }
            unreachable!()
        });
        assert!(run.clean() > 5, "{model}");
    }
}

#[test]
fn a_card_may_vanish_at_any_access_of_waking_up() {
    for model in [Model::I82540em, Model::I82574l] {
        let run = lab::run(Setup::new(1, Card::new(model)), |lab| {
            let driver = lab.load();
            let faults = &lab.place(0).faults;
            for accesses in some_of((0..).step_by(17), 3) {
                let adapter = lab.adapter(&driver, 0);
                adapter.start().expect("MiniportInitializeEx succeeds");
                assert_eq!(adapter.set_power(4), status::SUCCESS, "to D3");
                faults.vanish_after(Some(accesses));
                let woken = adapter.set_power(1);
                faults.vanish_after(None);
                let vanished = faults.has(Fault::Gone);
                assert!(vanished || woken == status::SUCCESS, "to D0: {}", status::name(woken));
                adapter.halt(HaltAction::SurpriseRemoved);
                if !vanished {
                    return (driver.unload(), accesses).1;
                }
                faults.clear(Fault::Gone);
            }
            unreachable!()
        });
        assert!(run.clean() > 300, "{model}");
    }
}

/// The whole life of an adapter with a call, and the card pulled out in the middle of call number `at` that the driver
/// makes; how many calls it makes.
fn pulled_out_at(model: Model, at: Option<u64>) -> Run<u64> {
    lab::run(Setup::new(5, Card::new(model)), move |lab| {
        let machine = Machine::current();
        let slot = Rc::clone(&lab.place(0).slot);
        if let Some(call) = at {
            machine.at_call(call, move || slot.unplug());
        }
        let driver = lab.load();
        careful::call(lab, &driver, Family::TAPI_PROXY);
        driver.unload();
        machine.calls()
    })
}

// covers: MiniportDevicePnPEventNotify, MiniportInitializeEx, MiniportHaltEx, SEQ:surprise-removal
#[test]
fn a_card_may_be_pulled_out_in_the_middle_of_any_call_of_the_driver() {
    for model in Model::ALL {
        let calls = pulled_out_at(model, None).clean();
        assert!(calls > 1000, "{calls} calls");
        let count = if on_qemu() { 4 } else { 24 };
        for sample in 0..count {
            // One of each stretch of the story, by a multiplicative hash.
            let within = (sample * 0x9e37_79b9 + 0x7f4a) % (calls / count);
            let call = sample * (calls / count) + within;
            let run = pulled_out_at(model, Some(call));
            let blemishes = run.blemishes();
            assert!(blemishes.is_empty(), "{model}, call {call} of {calls}: {blemishes:#?}");
            assert!(run.value.is_some(), "{model}, call {call}: no end");
        }
    }
}

#[test]
fn a_card_that_writes_into_freed_memory_is_found_out() {
    for model in Model::ALL {
        let (card, lever) = watched(model);
        let run = lab::run(Setup::new(1, card), move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
            let vc = station.connected();
            let like = lever.sent()[0].clone();
            station.finish(&vc);
            lab.place(0).faults.inject(Fault::ReceiverUnstoppable);
            station.down();
            lever.inject(from_peer(&like, 1, &[0; 100]));
            sleep(Duration::from_millis(10));
            driver.unload();
        });
        let rules: Vec<_> = run.findings.iter().map(|finding| finding.rule.as_ref()).collect();
        assert_eq!(rules, ["NIC.Dma"], "{model}");
    }
}
