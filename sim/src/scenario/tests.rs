//! Judgement of outcomes; whole runs are in the workspace's tests.

use std::{cell::Cell, rc::Rc, thread};

use super::{
    peer::{Callers, Ready},
    story::Story,
    *,
};
use crate::{
    machine::{Config, Machine},
    ndis,
    nic::{E1000, Faults},
    pci::Slot,
    verifier::trips::Trip,
    wire::Unconnected,
};

/// The rules that are tripped by tests of this part.
pub(crate) const TRIPS: &[Trip] = &[("SIM.Data", a_driver_that_damages_frames_is_found)];

/// The rules that the story finds broken when it is told of a driver that echoes.
fn told(seed: u64, deviation: &'static str) -> Vec<String> {
    let thread = thread::spawn(move || {
        let machine = Machine::new(Config { seed, ..Config::default() });
        let card = E1000::new(Model::I82574l, [2, 0, 0, 0, 0, 1], Faults::default());
        let story = Story {
            scenario: Scenario { calls: 2, frames: 5, seed, ..Scenario::new(PathBuf::new()) },
            entry: ndis::tests::driver(deviation),
            slot: Slot::new(Box::new(card), Box::new(Unconnected), None),
            ready: Ready::AtOnce,
            hosts: Callers::Nobody,
            burst: None,
            tale: Rc::default(),
            totals: Rc::default(),
            removed: Rc::new(Cell::new(false)),
        };
        let tale = Rc::clone(&story.tale);
        let thread = machine.spawn("script", move || story.tell());
        machine.join(thread).expect("the story ends");
        assert_eq!((tale.gave_up.take(), tale.frames_sent.get()), (None, 10));
        machine.verifier().findings().iter().map(|it| it.rule.to_string()).collect()
    });
    thread.join().expect("no panic")
}

#[test]
fn a_conforming_driver_leaves_no_finding() {
    for seed in 0..20 {
        assert_eq!(told(seed, ""), [""; 0], "seed {seed}");
    }
}

#[test]
fn a_driver_that_damages_frames_is_found() {
    assert_eq!(told(1, "spoils an echo"), ["SIM.Data"]);
}

fn clean() -> Outcome {
    Outcome { calls_up: 1, frames_sent: 5, frames_received: 5, ..Outcome::default() }
}

fn found(severity: &str) -> Found {
    Found {
        rule: "CO-001".to_owned(),
        severity: severity.to_owned(),
        statement: None,
        detail: String::new(),
        call_site: None,
        time_ns: 0,
        count: 1,
    }
}

fn judged(mut outcome: Outcome, may_fail: bool) -> bool {
    outcome.judge(may_fail);
    outcome.ok
}

#[test]
fn clean_run_is_ok_and_each_blemish_spoils_it() {
    assert!(judged(clean(), false));
    assert!(!judged(Outcome { leaks: vec!["pool".into()], ..clean() }, false));
    assert!(!judged(Outcome { stopped: Some("stuck".into()), ..clean() }, false));
    assert!(!judged(Outcome { gave_up: Some("no SAP".into()), ..clean() }, false));
    assert!(!judged(Outcome { calls_failed: 1, ..clean() }, false));
    assert!(!judged(Outcome { frames_received: 4, ..clean() }, false));
    assert!(!judged(Outcome { findings: vec![found("S2")], ..clean() }, false));
    assert!(judged(Outcome { findings: vec![found("S3")], ..clean() }, false), "information");
}

#[test]
fn bad_cable_excuses_losses_and_nothing_else() {
    assert!(judged(Outcome { calls_failed: 1, frames_received: 4, ..clean() }, true));
    assert!(!judged(Outcome { findings: vec![found("S0")], ..clean() }, true));
    assert!(!judged(Outcome { leaks: vec!["pool".into()], ..clean() }, true));
}

#[test]
fn missing_image_ends_before_it_begins() {
    let error = Scenario::new("no/such.sys".into()).run(|_, _| ()).expect_err("there is none");
    assert!(error.to_string().contains("no/such.sys"), "{error}");
}

#[test]
fn peers_have_names() {
    for name in ["embedded", "rp-pppoe", "eth0"] {
        let peer: Peer = name.parse().expect("infallible");
        assert_eq!(peer.to_string(), name);
        assert_eq!(peer.is_real(), name != "embedded");
    }
}
