//! What happens to calls that come in when the client, the link, the card or the adapter goes.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::{FailPlan, Machine},
    ndis::{Family, HaltAction, Readings, Value, client, status, wait_for},
    nic::Model,
    wire::{
        frame::code,
        host::{CallState, Control, Dial},
    },
};
use scenarios::{
    Answer, Caller, Run, Setup, Station,
    caller::PATIENCE,
    lab,
    office::{Office, card, gone, story},
    station::exchange,
};

const FAMILIES: [u32; 2] = [Family::TAPI_PROXY, Family::PPP];
const D0: u32 = 1;
const D3: u32 = 4;

fn family(seed: u64) -> u32 {
    FAMILIES[usize::try_from(seed % 2).unwrap()]
}

fn model(seed: u64) -> Model {
    Model::ALL[usize::try_from(seed % 3).unwrap()]
}

fn host(number: u8) -> Dial {
    Dial { mac: [0x02, 0, 0, 0, 0xbb, number], ..Dial::default() }
}

/// A card with SAPs for two lines in mind.
fn setup(seed: u64, control: &Control) -> Setup {
    Setup { readings: None, windows: None, ..Setup::new(seed, card(model(seed), control)) }
}

/// What takes the calls away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Link,
    Sleep,
    Removal,
}

/// A call is up or being offered when something takes it away; the client closes what it is told has ended.
fn struck(seed: u64, blow: Blow, up: bool, at_once: bool) -> Run<()> {
    let control = Control::new();
    let setup = setup(seed, &control);
    lab::run(setup, move |lab| {
        let driver = lab.load();
        let office = Office { station: Station::up(lab, &driver, 0, family(seed)), control };
        let answer = if up { Answer::Inline(status::SUCCESS) } else { Answer::Later };
        office.station.caller.answer.set(answer);
        office.station.caller.close_at_once.set(at_once);
        let (call, vc, record) = office.ringing(host(1));
        if up {
            assert!(matches!(office.settled(call).state, CallState::Up(_)));
            assert!(wait_for(PATIENCE, || record.made.get().is_some()));
        }
        match blow {
            Blow::Link => office.station.slot.set_link(false),
            Blow::Sleep => {
                office.station.adapter.pause();
                assert_eq!(office.station.adapter.set_power(D3), status::SUCCESS, "to D3");
            }
            Blow::Removal => {
                office.station.slot.unplug();
                office.station.adapter.surprise_remove();
            }
        }
        assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "the client is not told");
        if !at_once {
            assert!(Caller::hang_up(&vc), "the close does not end");
        }
        gone(&record);
        match blow {
            Blow::Link => {
                office.station.slot.set_link(true);
                assert!(wait_for(PATIENCE, || office.station.caller.link.get() == Some(true)));
            }
            Blow::Sleep => {
                assert_eq!(office.station.adapter.set_power(D0), status::SUCCESS, "to D0");
                office.station.adapter.restart().expect("MiniportRestart succeeds");
                lab::sleep(Duration::from_secs(10));
            }
            Blow::Removal => {
                office.station.adapter.pause();
                office.station.down_as(HaltAction::SurpriseRemoved);
                driver.unload();
                return;
            }
        }
        // Life goes on.
        office.station.caller.answer.set(Answer::Now(status::SUCCESS));
        let (_, again) = office.connected(host(2));
        assert!(exchange(&[Rc::clone(&again)], &[100], 3));
        Office::hang_up(&again);
        office.station.down();
        driver.unload();
    })
}

// covers: SEQ:link-loss, SEQ:sleep-wake, SEQ:surprise-removal, OID_PNP_SET_POWER@miniport
#[test]
fn calls_end_with_the_link_before_sleep_and_with_the_card() {
    for blow in [Blow::Link, Blow::Sleep, Blow::Removal] {
        for seed in 0..6 {
            struck(seed, blow, seed % 2 == 0, seed % 4 < 2).clean();
        }
    }
}

// covers: SEQ:halt-with-open-afs, CmCloseAf, NdisMCmNotifyCloseAddressFamily
#[test]
fn a_halting_adapter_asks_clients_with_calls_to_leave() {
    for seed in 0..6 {
        for up in [false, true] {
            let control = Control::new();
            let setup = setup(seed, &control);
            let run = lab::run(setup, move |lab| {
                let driver = lab.load();
                let office = Office { station: Station::up(lab, &driver, 0, family(seed)), control };
                let answer = if up { Answer::Inline(status::SUCCESS) } else { Answer::Later };
                office.station.caller.answer.set(answer);
                let (call, ..) = office.ringing(host(1));
                if up {
                    assert!(matches!(office.settled(call).state, CallState::Up(_)));
                }
                office.station.adapter.pause();
                office.station.adapter.halt(HaltAction::DeviceDisabled);
                assert!(office.station.caller.closed.get(), "the family is open");
                driver.unload();
                if up {
                    office.becomes(call, &CallState::EndedByPeer);
                } else {
                    let state = office.control.call(call).expect("a call").state;
                    assert!(matches!(state, CallState::Refused(..)), "{state:?}");
                }
            });
            run.clean();
        }
    }
}

// covers: CmCloseAf, SEQ:af-close-with-live-objects
#[test]
fn a_family_closes_when_its_calls_and_saps_are_gone() {
    for seed in 0..4 {
        let control = Control::new();
        let run = story(setup(seed, &control), &control, family(seed), Answer::Later, |office| {
            // A second client, which leaves while a call is offered to it.
            let second = Caller::new();
            second.answer.set(Answer::Later);
            let bound: Rc<dyn client::Client> = Rc::<Caller>::clone(&second);
            office.station.adapter.bind(&bound);
            assert_eq!(client::deregister_sap(&office.station.sap), status::SUCCESS);
            let family = office.station.family;
            let (af, sap) = scenarios::station::open(&office.station.adapter, &second, family);
            let call = office.control.dial(host(1));
            assert!(wait_for(PATIENCE, || !second.offered.borrow().is_empty()), "no call was offered");
            let (vc, record) = second.offered.borrow()[0].clone();
            // The offer may not have come back from the client yet.
            if client::deregister_sap(&sap) == status::PENDING {
                assert!(wait_for(PATIENCE, || second.sap_deregistered.get()), "the SAP stays");
            }
            assert_eq!(client::close_address_family(&af), status::PENDING, "a call is offered");
            // Closing tells the caller that there is nobody.
            assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "the call stays");
            assert!(Caller::hang_up(&vc));
            gone(&record);
            assert!(wait_for(PATIENCE, || second.closed.get()), "CmCloseAf does not end");
            assert!(matches!(office.settled(call).state, CallState::Refused(..)));
        });
        run.clean();
    }
}

// covers: MiniportPause, MiniportRestart
#[test]
fn calls_come_in_while_the_adapter_is_paused() {
    for seed in 0..4 {
        let control = Control::new();
        let run =
            story(setup(seed, &control), &control, family(seed), Answer::Inline(status::SUCCESS), |office| {
                office.station.adapter.pause();
                let (call, vc) = office.connected(host(1));
                office.station.adapter.restart().expect("MiniportRestart succeeds");
                assert!(exchange(&[Rc::clone(&vc)], &[42, 1494], 5), "frames");
                Office::hang_up(&vc);
                office.becomes(call, &CallState::EndedByPeer);
            });
        run.clean();
    }
}

/// A call that comes in, talks and ends, in which calls of the kernel may fail.
fn with_failures(fail: Option<FailPlan>, family: u32) -> Run<bool> {
    let control = Control::new();
    let mut card = card(Model::I82540em, &control);
    for keyword in ["*TransmitBuffers", "*ReceiveBuffers"] {
        card.keywords.insert(keyword.to_owned(), Value::Integer(80));
    }
    let setup = Setup { fail, readings: Some(Readings::default()), ..Setup::new(1, card) };
    lab::run(setup, move |lab| {
        let Ok(driver) = lab.try_load() else { return false };
        let adapter = lab.adapter(&driver, 0);
        let caller = Caller::new();
        caller.answer.set(Answer::Elsewhere(status::SUCCESS));
        let bound: Rc<dyn client::Client> = Rc::<Caller>::clone(&caller);
        adapter.bind(&bound);
        if adapter.start().is_err() {
            driver.unload();
            return false;
        }
        adapter.restart().expect("MiniportRestart succeeds");
        let registered = adapter.families().iter().find(|it| it.family == family).copied();
        let opened = registered.map(|family| client::open_address_family(&adapter, family, &bound).1);
        let mut up = false;
        if let Some(af) = opened.filter(|af| af.is_open()) {
            let (kind, sap) = scenarios::blocks::sap(family);
            let (_, sap) = client::register_sap(&af, kind, &sap);
            let call = control.dial(host(1));
            let over = || {
                let view = control.call(call);
                view.is_some_and(|it| !matches!(it.state, CallState::Soliciting | CallState::Requesting))
            };
            assert!(wait_for(PATIENCE, over), "the host's call hangs");
            lab::sleep(Duration::from_millis(1));
            for (vc, record) in caller.offered.borrow().clone() {
                if record.deleted.get() {
                    continue;
                }
                up |= record.is_up();
                if record.is_up() {
                    exchange(&[Rc::clone(&vc)], &[100], 3);
                }
                Caller::hang_up(&vc);
                gone(&record);
            }
            if sap.is_registered() {
                client::deregister_sap(&sap);
            }
            if client::close_address_family(&af) == status::SUCCESS {
                caller.closed.set(true);
            }
            assert!(wait_for(PATIENCE, || caller.closed.get()), "CmCloseAf does not end");
        }
        adapter.pause();
        adapter.halt(HaltAction::DeviceDisabled);
        driver.unload();
        up
    })
}

// covers: NdisMCmCreateVc, NdisMCmActivateVc, CmRegisterSap
#[test]
fn each_failure_of_an_incoming_call_is_survived() {
    for family in FAMILIES {
        let good = with_failures(None, family);
        let calls = good.fallible_calls;
        assert!(good.clean(), "the call comes up");
        // What fails in the start is looked at elsewhere: here the end counts.
        for nth in calls.saturating_sub(60)..calls {
            let run = with_failures(Some(FailPlan::Nth(nth)), family);
            let blemishes = run.blemishes();
            assert!(blemishes.is_empty(), "call {nth} of {calls}: {blemishes:#?}");
        }
    }
}

// covers: SEQ:deregister-sap-during-offer, CmDeregisterSap
#[test]
fn a_sap_goes_the_moment_a_call_is_offered() {
    for seed in 0..40 {
        let control = Control::new();
        let answer = Answer::Elsewhere(status::SUCCESS);
        let run = story(setup(seed, &control), &control, family(seed), answer, |office| {
            let call = office.control.dial(host(1));
            let confirmed = || office.control.count(code::PADO) != 0;
            assert!(wait_for(PATIENCE, confirmed), "no offer");
            Machine::current().sleep(Duration::from_micros(Machine::current().below(120)));
            let status = client::deregister_sap(&office.station.sap);
            if status == status::PENDING {
                let done = || office.station.caller.sap_deregistered.get();
                assert!(wait_for(PATIENCE, done), "CmDeregisterSap does not end");
            }
            office.settled(call);
            lab::sleep(Duration::from_millis(1));
            for (vc, record) in office.station.caller.offered.borrow().clone() {
                if !record.deleted.get() {
                    assert!(Caller::hang_up(&vc));
                    gone(&record);
                }
            }
        });
        run.clean();
    }
}
