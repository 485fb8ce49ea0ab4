//! Thousands of calls on one adapter: what is cheap for one must not be dear for all.
//!
//! `cargo xtask test -p scenarios --test scale -- --ignored` does the same with as many calls as an adapter can have, and
//! `cargo xtask bench calls` measures them.

use std::{cell::Cell, rc::Rc};

use ndis_sim::{
    machine::Machine,
    ndis::{
        Family, HaltAction, Value, Vc, client,
        status::{self, Status},
        wait_for,
    },
    nic::Model,
};
use scenarios::{Caller, Card, Record, Run, Setup, Station, blocks::Destination, caller::PATIENCE, lab};

/// Calls of a run, and as many `WanEndpoints`.
const CALLS: u32 = 4096;
/// Calls that have session ids with one access concentrator.
const MOST: u32 = 65_534;
/// Calls that are made at the same time: the card's ring has room for their frames.
const AT_ONCE: usize = 64;
/// Bytes of non-paged pool that an idle call may cost.
const BYTES: usize = 1024;

/// A card with as many lines as calls, if there can be. Every block of thousands has guard pages, but not of more.
fn setup(seed: u64, calls: u32) -> Setup {
    let mut card = Card::new(Model::I82574l);
    card.keywords.insert("WanEndpoints".to_owned(), Value::Integer(calls.min(CALLS)));
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
