//! Calls that come in: hosts on the wire dial the card, whose clients take the calls or do not.

use std::{cell::RefCell, rc::Rc, time::Duration};

use ndis_sim::{
    ndis::{Family, Vc, client, oid::OidRequest, status, wait_for},
    nic::Model,
    wire::{
        Hosts, Hub,
        frame::{code, tag},
        host::{CallState, Control, Dial, View},
    },
};
use scenarios::{
    Answer, Caller, Card, Record, Run, Setup, Station, caller::PATIENCE, lab, station::exchange,
};

const FAMILIES: [u32; 2] = [Family::TAPI_PROXY, Family::PPP];
const LATENCY: Duration = Duration::from_micros(20);

/// A card with hosts beside the access concentrator on its cable.
fn card(model: Model, control: &Control) -> Card {
    let control = control.clone();
    Card::new(model)
        .wrapped(move |inner| Box::new(Hub::new(vec![inner, Box::new(Hosts::new(control, LATENCY))])))
}

/// A station whose client answers calls.
struct Office {
    station: Station,
    control: Control,
}

impl Office {
    /// Waits until a call of a host is over or up.
    fn settled(&self, call: usize) -> View {
        let open = |view: &View| matches!(view.state, CallState::Soliciting | CallState::Requesting);
        let done = || self.control.call(call).is_some_and(|view| !open(&view));
        assert!(wait_for(PATIENCE, done), "the host's call hangs: {:?}", self.control.call(call));
        self.control.call(call).expect("just seen")
    }

    /// The VC of the nth offer.
    fn offered(&self, nth: usize) -> Rc<Vc> {
        let offered = &self.station.caller.offered;
        assert!(wait_for(PATIENCE, || offered.borrow().len() > nth), "no call was offered");
        Rc::clone(&offered.borrow()[nth])
    }

    /// A host's call that is up.
    fn connected(&self, dial: Dial) -> (usize, Rc<Vc>) {
        let nth = self.station.caller.offered.borrow().len();
        let call = self.control.dial(dial);
        let vc = self.offered(nth);
        assert!(matches!(self.settled(call).state, CallState::Up(_)), "{:?}", self.control.call(call));
        assert!(wait_for(PATIENCE, || Record::of(&vc).made.get().is_some()), "not connected");
        (call, vc)
    }

    /// Closes an incoming call; the driver deletes its VC.
    fn hang_up(vc: &Rc<Vc>) {
        let record = Record::of(vc);
        assert!(Caller::hang_up(vc), "the close does not end");
        gone(&record);
    }
}

/// Waits until the driver has deleted the VC of a call.
fn gone(record: &Record) {
    assert!(wait_for(PATIENCE, || record.deleted.get()), "a VC is not deleted");
}

/// Runs a story in an office that answers in a way.
fn story<T: Send + 'static>(
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

/// The ways in which a client can take a call.
const YES: [Answer; 3] =
    [Answer::Now(status::SUCCESS), Answer::Inline(status::SUCCESS), Answer::Elsewhere(status::SUCCESS)];

// covers: NdisMCmCreateVc, NdisMCmDispatchIncomingCall, CmIncomingCallComplete, NdisMCmDispatchCallConnected, NdisMCmDeleteVc, SEQ:incoming-call, RFC2516:5.2, RFC2516:5.4
#[test]
fn a_host_calls_talks_and_is_hung_up_on() {
    for (seed, model) in (1..).zip(Model::ALL) {
        for family in FAMILIES {
            for answer in YES {
                let control = Control::new();
                let setup = Setup::new(seed, card(model, &control));
                let run = story(setup, &control, family, answer, |office| {
                    let (call, vc) = office.connected(Dial::default());
                    assert!(exchange(&[Rc::clone(&vc)], &[42, 512, 1494], 10), "frames of the call");
                    Office::hang_up(&vc);
                    let ended = || office.control.call(call).unwrap().state == CallState::EndedByPeer;
                    assert!(wait_for(PATIENCE, ended), "no PADT");
                });
                run.clean();
            }
        }
    }
}

// covers: OID_CO_TAPI_GET_CALL_DIAGNOSTICS@cm, OID_WAN_CO_GET_LINK_INFO@co, SEQ:incoming-call
#[test]
fn a_call_that_came_in_says_so() {
    let control = Control::new();
    let setup = Setup::new(1, card(Model::I82574l, &control));
    let run = story(setup, &control, Family::TAPI_PROXY, YES[0], |office| {
        let (_, vc) = office.connected(Dial::default());
        // LINECALLORIGIN_INBOUND, LINECALLREASON_DIRECT, and nothing said.
        let request = OidRequest::query(0xFE00_1007, 24);
        let data = client::cm_oid_request(&office.station.af, Some(&vc), request).data;
        assert_eq!(data[..8], [0x80, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(data[8..10], [0, 0]);
        let request = OidRequest::query(0x0401_0182, 32);
        let data = client::co_oid_request(&office.station.adapter, Some(&vc), request).data;
        assert_eq!(data[..4], 1492_u32.to_le_bytes());
        Office::hang_up(&vc);
    });
    run.clean();
}
