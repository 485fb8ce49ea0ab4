//! A station that is called: hosts on its cable dial, its client answers.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    ndis::{Vc, wait_for},
    nic::Model,
    wire::{
        Hosts, Hub,
        host::{CallState, Control, Dial, View},
    },
};

use crate::{Answer, Caller, Card, Record, Run, Setup, Station, caller::PATIENCE, lab};

/// How long a frame of a host is under way.
const LATENCY: Duration = Duration::from_micros(20);

/// A card with hosts beside the access concentrator on its cable.
pub fn card(model: Model, control: &Control) -> Card {
    let control = control.clone();
    Card::new(model)
        .wrapped(move |inner| Box::new(Hub::new(vec![inner, Box::new(Hosts::new(control, LATENCY))])))
}

/// A station whose client answers calls.
pub struct Office {
    /// The station.
    pub station: Station,
    /// The hosts.
    pub control: Control,
}

impl Office {
    /// Waits until a call of a host is over or up.
    ///
    /// # Panics
    /// If it is neither for long.
    pub fn settled(&self, call: usize) -> View {
        let open = |view: &View| matches!(view.state, CallState::Soliciting | CallState::Requesting);
        let done = || self.control.call(call).is_some_and(|view| !open(&view));
        assert!(wait_for(PATIENCE, done), "the host's call hangs: {:?}", self.control.call(call));
        self.control.call(call).expect("just seen")
    }

    /// Waits until a host's call has this state.
    ///
    /// # Panics
    /// If it does not get there.
    pub fn becomes(&self, call: usize, state: &CallState) {
        let there = || self.control.call(call).is_some_and(|view| view.state == *state);
        assert!(wait_for(PATIENCE, there), "not {state:?} but {:?}", self.control.call(call));
    }

    /// The VC of the nth offer, and its record.
    ///
    /// # Panics
    /// If there is none for long.
    pub fn offered(&self, nth: usize) -> (Rc<Vc>, Rc<Record>) {
        let offered = &self.station.caller.offered;
        assert!(wait_for(PATIENCE, || offered.borrow().len() > nth), "no call was offered");
        offered.borrow()[nth].clone()
    }

    /// A call that a host dials and that is offered: the host's number for it, the VC, and its record.
    pub fn ringing(&self, dial: Dial) -> (usize, Rc<Vc>, Rc<Record>) {
        let nth = self.station.caller.offered.borrow().len();
        let call = self.control.dial(dial);
        let (vc, record) = self.offered(nth);
        (call, vc, record)
    }

    /// A host's call that is up.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn connected(&self, dial: Dial) -> (usize, Rc<Vc>) {
        let (call, vc, record) = self.ringing(dial);
        assert!(matches!(self.settled(call).state, CallState::Up(_)), "{:?}", self.control.call(call));
        assert!(wait_for(PATIENCE, || record.made.get().is_some()), "not connected");
        (call, vc)
    }

    /// Closes an incoming call; the driver deletes its VC.
    ///
    /// # Panics
    /// If either does not end.
    pub fn hang_up(vc: &Rc<Vc>) {
        let record = Record::of(vc);
        assert!(Caller::hang_up(vc), "the close does not end");
        gone(&record);
    }
}

/// Waits until the driver has deleted the VC of a call.
///
/// # Panics
/// If it does not.
pub fn gone(record: &Record) {
    assert!(wait_for(PATIENCE, || record.deleted.get()), "a VC is not deleted");
}

/// Runs a story in an office whose client answers in a way.
pub fn story<T: Send + 'static>(
    setup: Setup,
    control: &Control,
    family: u32,
    answer: Answer,
    story: impl FnOnce(&Office) -> T + Send + 'static,
) -> Run<T> {
    let control = control.clone();
    lab::run(setup, move |lab| {
        let driver = lab.load();
        let office = Office { station: Station::up(lab, &driver, 0, family), control };
        office.station.caller.answer.set(answer);
        let value = story(&office);
        office.station.down();
        driver.unload();
        value
    })
}
