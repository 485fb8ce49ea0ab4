//! Thousands of calls on one adapter: what is cheap for one must not be dear for all.
//!
//! `cargo xtask test -p scenarios --test scale -- --ignored` does the same with as many calls as an adapter can have, and
//! `cargo xtask bench calls` measures them.

use std::{cell::Cell, rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{
        Family, HaltAction, Value, Vc, client,
        status::{self, Status},
        wait_for,
    },
    nic::Model,
    wire::{
        frame::code,
        host::{CallState, Control, Dial},
    },
};
use scenarios::{
    Answer, Caller, Card, Record, Run, Setup, Station,
    blocks::Destination,
    caller::PATIENCE,
    lab,
    office::{self, Office, gone},
};

/// Calls of a run, and as many `WanEndpoints`.
const CALLS: u32 = 4096;
/// Calls that come in: each from a host of its own.
const INCOMING: u16 = 512;
/// Hosts that call after a power cut.
const STREET: u16 = 1500;
/// Time between the calls of hosts that come in at once: the driver's limits let five thousand a second through.
const PAUSE: Duration = Duration::from_millis(100);
/// Calls that have session ids with one access concentrator.
const MOST: u32 = 65_534;
/// Calls that are made at the same time: the card's ring has room for their frames.
const AT_ONCE: usize = 64;
/// Bytes of non-paged pool that an idle call may cost.
const BYTES: usize = 1024;

/// A card with as many lines as calls. Every block of thousands has guard pages, but not of more.
fn setup(seed: u64, calls: u32) -> Setup {
    let mut card = Card::new(Model::I82574l);
    card.keywords.insert("WanEndpoints".to_owned(), Value::Integer(calls));
    Setup { thorough: calls <= CALLS, ..Setup::new(seed, card) }
}

/// Waits until all are as they should be. A VC that is so stays so, and is not looked at again.
fn all(vcs: &[Rc<Vc>], is: impl Fn(&Record) -> bool) -> bool {
    let next = Cell::new(0);
    wait_for(PATIENCE, || {
        while vcs.get(next.get()).is_some_and(|vc| is(&Record::of(vc))) {
            next.set(next.get() + 1);
        }
        next.get() == vcs.len()
    })
}

/// Makes so many calls.
fn dial(station: &Station, count: u32) -> Vec<Rc<Vc>> {
    let vcs: Vec<_> = (0..count).map(|_| station.vc()).collect();
    for some in vcs.chunks(AT_ONCE) {
        for vc in some {
            station.dial(vc, &Destination::default());
        }
        assert!(all(some, |record| record.made.get().is_some()), "calls neither come up nor fail");
    }
    assert!(vcs.iter().all(|vc| Record::of(vc).is_up()), "a call has failed");
    vcs
}

/// Ends calls and deletes their VCs, the last one first.
fn hang_up(vcs: &[Rc<Vc>]) {
    for some in vcs.rchunks(AT_ONCE) {
        for vc in some {
            if client::close_call(vc) == status::SUCCESS {
                Record::of(vc).closed.set(true);
            }
        }
        assert!(all(some, |record| record.closed.get()), "closes do not end");
    }
    for vc in vcs {
        assert_eq!(client::delete_vc(vc), status::SUCCESS, "CmDeleteVc");
    }
}

fn on_a_station(seed: u64, family: u32, calls: u32, script: impl Fn(&Station) + Send + 'static) -> Run<()> {
    lab::run(setup(seed, calls), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        script(&station);
        station.down();
        driver.unload();
    })
}

fn up_and_down(seed: u64, family: u32, calls: u32) {
    let run = on_a_station(seed, family, calls, move |station| {
        let bytes = || Machine::current().pool().bytes();
        let before = bytes();
        let vcs = dial(station, calls);
        let each = (bytes() - before) / vcs.len();
        assert!(each <= BYTES, "an idle call takes {each} bytes");
        hang_up(&vcs);
    });
    run.clean();
}

fn lose_the_link(seed: u64, calls: u32) {
    let run = on_a_station(seed, Family::PPP, calls, move |station| {
        let vcs = dial(station, calls);
        station.slot.set_link(false);
        assert!(all(&vcs, |record| record.ended.get().is_some()), "calls that are not told");
        hang_up(&vcs);
        station.slot.set_link(true);
        assert!(wait_for(PATIENCE, || station.caller.link.get() == Some(true)), "no link");
        if calls < MOST {
            hang_up(&dial(station, 4));
        }
    });
    // The peer cannot be told.
    run.clean_but_for_sessions();
}

fn halt(seed: u64, calls: u32) {
    lab::run(setup(seed, calls), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::PPP);
        drop(dial(&station, calls));
        station.adapter.pause();
        station.adapter.halt(HaltAction::DeviceDisabled);
        assert!(station.caller.asked_to_leave.get() && station.caller.closed.get());
        driver.unload();
    })
    .clean();
}

// covers: CmCreateVc, CmMakeCall, CmCloseCall, CmDeleteVc, SEQ:many-calls
#[test]
fn thousands_of_calls_come_up_and_end() {
    up_and_down(1, Family::PPP, CALLS);
    up_and_down(2, Family::TAPI_PROXY, CALLS / 4);
}

// covers: SEQ:many-calls, SEQ:link-loss, NdisMCmDispatchIncomingCloseCall
#[test]
fn thousands_of_calls_lose_their_link() {
    lose_the_link(3, CALLS);
}

// covers: SEQ:many-calls, SEQ:halt-with-open-afs, MiniportHaltEx
#[test]
fn an_adapter_halts_with_thousands_of_calls() {
    halt(4, CALLS);
}

#[test]
#[ignore = "takes minutes"]
fn as_many_calls_as_there_are_session_ids_come_up_and_end() {
    up_and_down(6, Family::PPP, MOST);
}

#[test]
#[ignore = "takes minutes"]
fn as_many_calls_as_there_are_session_ids_lose_their_link() {
    lose_the_link(7, MOST);
}

#[test]
#[ignore = "takes minutes"]
fn an_adapter_halts_with_as_many_calls_as_there_are_session_ids() {
    halt(8, MOST);
}

/// Calls of many hosts, all up.
fn take_calls(office: &Office) -> Vec<Rc<Vc>> {
    let numbers: Vec<_> = (0..INCOMING).collect();
    for some in numbers.chunks(AT_ONCE) {
        for number in some {
            let [high, low] = number.to_be_bytes();
            office.control.dial(Dial { mac: [2, 0, 0, 1, high, low], ..Dial::default() });
        }
        let last = some.last().map_or(0, |number| usize::from(*number));
        office.offered(last);
        Machine::current().sleep(PAUSE);
    }
    let offered = office.station.caller.offered.borrow();
    let vcs: Vec<_> = offered.iter().map(|(vc, _)| Rc::clone(vc)).collect();
    drop(offered);
    assert!(all(&vcs, |record| record.made.get().is_some()), "calls that are not connected");
    for call in 0..usize::from(INCOMING) {
        let view = office.control.call(call).expect("was dialled");
        assert!(matches!(view.state, CallState::Up(_)), "{call}: {view:?}");
    }
    vcs
}

/// Closes calls that came in; the driver deletes their VCs.
fn end_taken(vcs: &[Rc<Vc>]) {
    let records: Vec<_> = vcs.iter().map(|vc| Record::of(vc)).collect();
    for vc in vcs {
        if client::close_call(vc) == status::SUCCESS {
            Record::of(vc).closed.set(true);
        }
    }
    for record in &records {
        assert!(wait_for(PATIENCE, || record.closed.get()), "a close does not end");
        gone(record);
    }
}

fn in_an_office(seed: u64, story: impl FnOnce(&Office) + Send + 'static) -> Run<()> {
    let control = Control::new();
    let mut card = office::card(Model::I82574l, &control);
    card.keywords.insert("WanEndpoints".to_owned(), Value::Integer(INCOMING.into()));
    let taken = Answer::Elsewhere(status::SUCCESS);
    office::story(Setup::new(seed, card), &control, Family::PPP, taken, story)
}

// covers: NdisMCmCreateVc, CmIncomingCallComplete, NdisMCmDispatchCallConnected, NdisMCmDeleteVc, SEQ:many-calls
#[test]
fn hundreds_of_hosts_call() {
    let run = in_an_office(11, |office| {
        let bytes = || Machine::current().pool().bytes();
        let before = bytes();
        let vcs = take_calls(office);
        // What the driver remembers of their requests is forgotten by then.
        Machine::current().sleep(Duration::from_mins(1));
        let each = (bytes() - before) / vcs.len();
        assert!(each <= BYTES, "an idle call takes {each} bytes");
        end_taken(&vcs);
        for call in 0..usize::from(INCOMING) {
            office.becomes(call, &CallState::EndedByPeer);
        }
    });
    run.clean();
}

// covers: SEQ:many-calls, RFC2516:8
/// More than the ring has room for, and than the driver offers at a time. What 65,000 need `pppoe` shows: `crowd`.
#[test]
fn a_street_calls_at_once() {
    let control = Control::new();
    let mut card = office::card(Model::I82574l, &control);
    card.keywords.insert("WanEndpoints".to_owned(), Value::Integer(STREET.into()));
    let taken = Answer::Elsewhere(status::SUCCESS);
    let run = office::story(Setup::new(14, card), &control, Family::PPP, taken, |office| {
        let start = Machine::current().now();
        for number in 0..STREET {
            let [high, low] = number.to_be_bytes();
            office.control.dial(Dial { mac: [2, 0, 0, 1, high, low], ..Dial::default() });
        }
        let up = || office.control.count(code::PADS) >= usize::from(STREET);
        assert!(wait_for(PATIENCE, up), "{} are up", office.control.count(code::PADS));
        let took = Machine::current().now().saturating_sub(start);
        assert!(took < Duration::from_secs(12), "after {took:?}");
        let offered = office.station.caller.offered.borrow().clone();
        let vcs: Vec<_> = offered.into_iter().map(|(vc, _)| vc).collect();
        assert!(all(&vcs, |record| record.made.get().is_some()), "calls that are not connected");
        assert_eq!(vcs.len(), usize::from(STREET));
        end_taken(&vcs);
    });
    run.clean();
}

// covers: SEQ:many-calls, SEQ:link-loss, NdisMCmDispatchIncomingCloseCall
#[test]
fn hundreds_of_hosts_lose_their_link() {
    let run = in_an_office(12, |office| {
        let vcs = take_calls(office);
        office.station.slot.set_link(false);
        assert!(all(&vcs, |record| record.ended.get().is_some()), "calls that are not told");
        end_taken(&vcs);
    });
    run.clean_but_for_sessions();
}

// covers: SEQ:many-calls, SEQ:halt-with-open-afs, MiniportHaltEx
#[test]
fn an_adapter_halts_with_hundreds_of_hosts() {
    let control = Control::new();
    let mut card = office::card(Model::I82574l, &control);
    card.keywords.insert("WanEndpoints".to_owned(), Value::Integer(INCOMING.into()));
    let run = lab::run(Setup::new(13, card), move |lab| {
        let driver = lab.load();
        let office = Office { station: Station::up(lab, &driver, 0, Family::PPP), control };
        office.station.caller.answer.set(Answer::Now(status::SUCCESS));
        drop(take_calls(&office));
        office.station.adapter.pause();
        office.station.adapter.halt(HaltAction::DeviceDisabled);
        assert!(office.station.caller.closed.get(), "the family is open");
        for call in 0..usize::from(INCOMING) {
            office.becomes(call, &CallState::EndedByPeer);
        }
        driver.unload();
    });
    run.clean();
}

/// `WanEndpoints` are the lines that TAPI sees, of one call each; a line is free again when its call has ended.
// covers: SEQ:line-limit
#[test]
fn tapi_calls_are_no_more_than_lines() {
    let run = on_a_station(5, Family::TAPI_PROXY, 16, |station| {
        let vcs = dial(station, 16);
        let one_more = |station: &Station| -> Status {
            let vc = station.vc();
            let outcome = station.outcome(&vc, &Destination::default());
            if outcome == status::SUCCESS {
                assert!(Caller::hang_up(&vc));
            }
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
            outcome
        };
        assert_eq!(one_more(station), status::TAPI_INUSE);
        let (last, others) = vcs.split_last().expect("calls");
        station.finish(last);
        assert_eq!(one_more(station), status::SUCCESS);
        hang_up(others);
    });
    run.clean();
}
