//! Sleep and wake.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{HaltAction, State, client, status, wait_for},
    nic::{Fault, Model},
};
use scenarios::{
    Caller, Card, Record,
    blocks::Destination,
    caller::PATIENCE,
    lab::{self, sleep, sleep_below},
    rates::{OPEN, flow, modify, request},
    seeds,
    station::send,
};

use crate::common::{assert_works, forget, on_station, some, watched};

/// `NdisDeviceStateD0` and `NdisDeviceStateD3`.
const D0: u32 = 1;
const D3: u32 = 4;

#[test]
fn a_card_that_sleeps_is_left_alone_and_works_when_it_wakes() {
    for model in Model::ALL {
        let run = on_station(1, Card::new(model), |lab, station| {
            for round in 0..3 {
                let vc = station.connected();
                forget(&vc);
                send(&vc, &some(900, 0..100));
                station.adapter.pause();
                assert_eq!(station.adapter.set_power(D3), status::SUCCESS, "to D3");
                let record = Record::of(&vc);
                assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
                assert_eq!(record.in_driver.get(), 0, "a send is not completed");
                // While it sleeps: close, a call, requests, the cable, the watchdog's time, interrupts of others.
                let accesses = lab.place(0).faults.accesses();
                assert!(Caller::hang_up(&vc), "the close does not end");
                let status = station.outcome(&vc, &Destination::default());
                assert_ne!(status, status::SUCCESS, "a call on a card that sleeps");
                assert_eq!(client::delete_vc(&vc), status::SUCCESS);
                crate::statistics::general(station);
                station.slot.set_link(false);
                sleep(Duration::from_secs(3));
                station.slot.set_link(round != 1);
                station.slot.foreign_line_interrupt();
                sleep(Duration::from_secs(3));
                assert_eq!(lab.place(0).faults.accesses(), accesses, "registers are touched in D3");
                assert_eq!(station.adapter.set_power(D0), status::SUCCESS, "to D0");
                station.slot.set_link(true);
                station.adapter.restart().expect("MiniportRestart succeeds");
                sleep(Duration::from_secs(3));
                // A link that is up as before is not told again.
                assert_ne!(station.caller.link.get(), Some(false), "the link after waking up");
            }
            let vc = station.connected();
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean();
    }
}

#[test]
fn a_card_that_does_not_wake_up_is_halted_cleanly() {
    for model in Model::ALL {
        for fault in [Fault::Gone, Fault::ResetStuck, Fault::PhySilent, Fault::EepromChecksum] {
            let run = lab::run(scenarios::Setup::new(1, Card::new(model)), move |lab| {
                let driver = lab.load();
                let station = scenarios::Station::up(lab, &driver, 0, ndis_sim::ndis::Family::PPP);
                let vc = station.connected();
                station.adapter.pause();
                assert_eq!(station.adapter.set_power(D3), status::SUCCESS, "to D3");
                assert!(Caller::hang_up(&vc), "the close does not end");
                let faults = Rc::new(lab.place(0).faults.clone());
                faults.inject(fault);
                let woken = station.adapter.set_power(D0);
                assert_ne!(woken, status::SUCCESS, "{fault:?}: to D0");
                sleep(Duration::from_secs(3));
                assert_ne!(station.outcome(&vc, &Destination::default()), status::SUCCESS);
                assert_eq!(client::delete_vc(&vc), status::SUCCESS);
                station.down_as(HaltAction::DeviceDisabled);
                driver.unload();
            });
            // That the request fails is what the verifier would complain of, and right here.
            let others: Vec<_> =
                run.blemishes().into_iter().filter(|it| !it.contains("NV.NdisOidComplete")).collect();
            assert!(others.is_empty(), "{model}, {fault:?}: {others:#?}");
            assert!(run.value.is_some());
        }
    }
}

// covers: MiniportShutdownEx, SEQ:shutdown-bug-check
#[test]
fn a_crash_of_the_system_silences_the_card_whatever_it_is_doing() {
    for seed in seeds(12) {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        let (card, lever) = watched(model);
        let run = on_station(seed, card, move |_, station| {
            let vcs = [station.connected(), station.connected()];
            for vc in &vcs {
                send(vc, &some(1200, 0..40));
            }
            sleep_below(400);
            station.adapter.shut_down_in_bug_check();
            let [rctl, tctl] = [0x100, 0x400].map(|off| station.slot.peek(0, off));
            assert_eq!((rctl & 2, tctl & 2), (0, 0), "{model}: RCTL.EN, TCTL.EN");
            // Nothing of the driver runs after a crash; here it does, and finds a card that is silent.
            let received = || vcs.iter().map(|vc| Record::of(vc).received.borrow().len()).sum::<usize>();
            sleep(Duration::from_millis(1));
            let (before, sent) = (received(), lever.sent().len());
            sleep(Duration::from_millis(20));
            assert_eq!((received(), lever.sent().len()), (before, sent), "{model}");
            for vc in &vcs {
                assert!(Caller::hang_up(vc), "the close does not end");
                assert_eq!(client::delete_vc(vc), status::SUCCESS);
            }
        });
        run.clean_but_for_sessions();
    }
}

/// The card used to be stopped between the end of a session and its PADT, if the client closed the call just then.
// covers: SEQ:sleep-wake, RFC2516:5.5
#[test]
fn a_close_that_meets_the_sleep_still_sends_its_padt() {
    for seed in seeds(24) {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        let run = on_station(seed, Card::new(model), |_, station| {
            let vc = station.connected();
            let (closing, power) = (Rc::clone(&vc), Rc::clone(&station.adapter));
            let offset = Duration::from_nanos(Machine::current().below(6_000));
            let closes = Machine::current().spawn("client", move || {
                sleep(offset);
                assert!(Caller::hang_up(&closing), "the close does not end");
            });
            sleep(Duration::from_micros(2));
            power.pause();
            assert_eq!(power.set_power(D3), status::SUCCESS, "to D3");
            while !Machine::current().finished(closes) {
                sleep(Duration::from_millis(1));
            }
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
            assert_eq!(power.set_power(D0), status::SUCCESS, "to D0");
        });
        run.clean();
    }
}

// covers: OID_PNP_SET_POWER@miniport, SEQ:sleep-wake
#[test]
fn a_card_that_goes_to_sleep_as_it_runs_gives_sends_back_for_that() {
    for seed in seeds(12) {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        let run = on_station(seed, Card::new(model), |_, station| {
            let vc = station.connected();
            let record = Record::of(&vc);
            // What waits for its rate, and what does not.
            let (status, _) = modify(&vc, &request(flow(20_000), flow(OPEN)));
            assert_eq!(status, status::SUCCESS);
            send(&vc, &some(900, 0..100));
            sleep_below(3_000);
            assert_ne!(record.in_driver.get(), 0, "all sent at 20 kB/s");
            assert_eq!(station.adapter.set_power(D3), status::SUCCESS, "to D3");
            assert_eq!(record.in_driver.get(), 0, "a send is not completed");
            let statuses = record.send_statuses.borrow().clone();
            assert!(statuses.contains(&status::LOW_POWER_STATE), "{statuses:x?}");
            let others = statuses.iter().filter(|it| ![0, status::LOW_POWER_STATE].contains(it)).count();
            assert_eq!(others, 0, "{statuses:x?}");
            assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
            assert!(Caller::hang_up(&vc), "the close does not end");
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
            sleep(Duration::from_secs(3));
            assert_eq!(station.adapter.set_power(D0), status::SUCCESS, "to D0");
            station.slot.set_link(true);
            sleep(Duration::from_secs(3));
            let vc = station.connected();
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean();
    }
}

/// Each wait of the bring-up, of the halt and of sleep ends at a tick of the clock, and they are not many.
// covers: MiniportInitializeEx, MiniportHaltEx, OID_PNP_SET_POWER@miniport
#[test]
fn a_card_comes_up_goes_and_sleeps_in_time_whatever_is_wrong_with_it() {
    let limit = Duration::from_secs(2);
    for model in Model::ALL {
        let faults = [Fault::ResetStuck, Fault::PhySilent, Fault::TransmitStuck, Fault::MasterStuck];
        for fault in faults.map(Some).into_iter().chain([None]) {
            let run = lab::run(scenarios::Setup::new(1, Card::new(model)), move |lab| {
                let took = |what: &mut dyn FnMut()| {
                    let start = Machine::current().now();
                    what();
                    Machine::current().now().saturating_sub(start)
                };
                let driver = lab.load();
                let station = scenarios::Station::up(lab, &driver, 0, ndis_sim::ndis::Family::PPP);
                let vc = station.connected();
                if let Some(fault) = fault {
                    lab.place(0).faults.inject(fault);
                }
                send(&vc, &some(900, 0..20));
                assert!(Caller::hang_up(&vc), "the close does not end");
                assert_eq!(client::delete_vc(&vc), status::SUCCESS);
                if station.adapter.state() == State::Running {
                    station.adapter.pause();
                }
                let (mut slept, mut woken) = (0, 0);
                let down = took(&mut || slept = station.adapter.set_power(D3));
                let up = took(&mut || woken = station.adapter.set_power(D0));
                assert!(down < limit && up < limit, "{fault:?}: {down:?} down, {up:?} up");
                let _ = (slept, woken);
                station.down_as(HaltAction::DeviceDisabled);
                driver.unload();
            });
            let others: Vec<_> =
                run.blemishes().into_iter().filter(|it| !it.contains("NV.NdisOidComplete")).collect();
            assert!(others.is_empty(), "{model}, {fault:?}: {others:#?}");
            assert!(run.value.is_some());
        }
    }
}
