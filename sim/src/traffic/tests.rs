//! Each rule broken, and the same story with nothing wrong.

use std::rc::Rc;

use super::{CallId, Doubt, Packet, Traffic, session_before};
use crate::{
    machine::{Config, Machine},
    verifier::trips::Trip,
    wire::frame::{DISCOVERY, Frame, SESSION, code},
};

/// The rules that are tripped by tests of this part.
pub(crate) const TRIPS: &[Trip] = &[
    ("WIRE.SendSuccess", success_before_the_wire_is_found),
    ("WIRE.SendOnce", a_frame_that_goes_out_twice_is_found),
    ("WIRE.SendStatus", a_failure_that_was_none_is_found),
    ("WIRE.ReceiveOnce", a_frame_that_is_indicated_twice_is_found),
    ("WIRE.ReceiveVc", a_frame_on_the_wrong_vc_is_found),
];

const CARD: [u8; 6] = [2, 0, 0, 0, 0, 1];
const PEER: [u8; 6] = [2, 0, 0, 0, 0, 9];
const FIRST: CallId = (1, 0);
const SECOND: CallId = (2, 0);

/// The traffic of a card, and the machine that it is in.
struct Bench {
    machine: Rc<Machine>,
    traffic: Traffic,
}

impl Bench {
    fn new() -> Self {
        Self { machine: Machine::new(Config::default()), traffic: Traffic::default() }
    }

    /// A client sends a list of such packets, each after address and control field.
    fn give(&self, call: CallId, packets: &[u8]) {
        self.traffic.sent(call, &keys(packets));
    }

    fn succeed(&self, call: CallId, packets: &[u8]) {
        self.traffic.succeeded(call, &keys(packets), "send");
    }

    fn fail(&self, call: CallId, packets: &[u8]) {
        self.traffic.failed(call, &keys(packets), "send");
    }

    fn leave(&self, session: u16, packet: u8) {
        self.traffic.on_wire(&frame(PEER, CARD, session, packet));
    }

    fn arrive(&self, session: u16, packet: u8) {
        self.traffic.arrived(&frame(CARD, PEER, session, packet));
    }

    fn indicate(&self, call: CallId, session: u16, packet: u8) {
        let bytes = frame(CARD, PEER, session, packet);
        let session = session_before(&bytes[..20]).expect("a session frame");
        self.traffic.indicated(call, session, Packet::of(&bytes[20..]), "list");
    }

    /// What was found: rules and how often.
    fn found(&self) -> Vec<(String, u64)> {
        self.machine.verifier().findings().iter().map(|it| (it.rule.to_string(), it.count)).collect()
    }
}

fn packet(number: u8) -> Vec<u8> {
    vec![0, 0x21, number, number]
}

fn keys(packets: &[u8]) -> Vec<Packet> {
    packets.iter().map(|&number| Packet::in_frame(&[vec![0xff, 3], packet(number)].concat())).collect()
}

fn frame(destination: [u8; 6], source: [u8; 6], session: u16, number: u8) -> Vec<u8> {
    let payload = packet(number);
    Frame { destination, source, ethertype: SESSION, code: code::DATA, session, payload }.to_bytes()
}

#[track_caller]
fn only(bench: &Bench, rule: &str) {
    assert_eq!(bench.found(), [(rule.to_owned(), 1)]);
}

fn success_before_the_wire_is_found() {
    let bench = Bench::new();
    bench.give(FIRST, &[1, 2]);
    bench.leave(7, 1);
    bench.succeed(FIRST, &[1, 2]);
    only(&bench, "WIRE.SendSuccess");
}

#[test]
fn success_of_a_frame_that_went_badly_is_found() {
    for known in [false, true] {
        let bench = Bench::new();
        if !known {
            // The same from another call: whose it is cannot be told.
            bench.give(SECOND, &[1]);
        }
        bench.give(FIRST, &[1]);
        bench.leave(7, 1);
        bench.traffic.went_badly(&frame(PEER, CARD, 7, 1));
        bench.fail(FIRST, &[1]);
        assert_eq!(bench.found(), []);
        bench.succeed(FIRST, &[1]);
        only(&bench, "WIRE.SendSuccess");
    }
}

fn a_frame_that_goes_out_twice_is_found() {
    let bench = Bench::new();
    bench.give(FIRST, &[1]);
    bench.leave(7, 1);
    bench.succeed(FIRST, &[1]);
    bench.leave(7, 1);
    only(&bench, "WIRE.SendOnce");
}

#[test]
fn one_that_failed_may_go_out_once_all_the_same() {
    let bench = Bench::new();
    bench.give(FIRST, &[1, 2]);
    bench.leave(7, 1);
    bench.succeed(FIRST, &[1]);
    bench.fail(FIRST, &[2]);
    bench.traffic.ended(FIRST);
    bench.leave(7, 2);
    assert_eq!(bench.found(), []);
    bench.leave(7, 2);
    only(&bench, "WIRE.SendOnce");
}

fn a_failure_that_was_none_is_found() {
    let bench = Bench::new();
    bench.give(FIRST, &[1, 2]);
    bench.leave(7, 1);
    bench.fail(FIRST, &[1, 2]);
    assert_eq!(bench.found(), [], "the second is not out");
    bench.leave(7, 2);
    bench.fail(FIRST, &[1, 2]);
    only(&bench, "WIRE.SendStatus");
}

fn a_frame_that_is_indicated_twice_is_found() {
    let bench = Bench::new();
    bench.arrive(7, 1);
    bench.indicate(FIRST, 7, 1);
    bench.arrive(7, 1);
    bench.indicate(FIRST, 7, 1);
    assert_eq!(bench.found(), []);
    bench.indicate(FIRST, 7, 1);
    only(&bench, "WIRE.ReceiveOnce");
}

fn a_frame_on_the_wrong_vc_is_found() {
    let bench = Bench::new();
    bench.arrive(7, 1);
    bench.arrive(7, 2);
    bench.indicate(FIRST, 7, 1);
    bench.indicate(SECOND, 7, 2);
    only(&bench, "WIRE.ReceiveVc");
}

#[test]
fn equal_frames_of_several_calls_are_counted_together_until_their_sessions_are_known() {
    let bench = Bench::new();
    bench.give(FIRST, &[1]);
    bench.give(SECOND, &[1]);
    bench.leave(8, 1);
    bench.succeed(SECOND, &[1]);
    assert_eq!(bench.found(), []);
    // It was the session of the first.
    bench.arrive(8, 3);
    bench.indicate(FIRST, 8, 3);
    bench.succeed(FIRST, &[1]);
    assert_eq!(bench.found(), [], "its own frame is out");
    bench.leave(7, 1);
    bench.leave(7, 1);
    only(&bench, "WIRE.SendOnce");
}

#[test]
fn success_for_the_wrong_one_of_two_calls_is_found() {
    let bench = Bench::new();
    for (call, own, session) in [(FIRST, 11, 7), (SECOND, 12, 8)] {
        bench.give(call, &[own]);
        bench.leave(session, own);
        bench.succeed(call, &[own]);
        bench.give(call, &[1]);
    }
    bench.leave(7, 1);
    bench.succeed(SECOND, &[1]);
    only(&bench, "WIRE.SendSuccess");
}

#[test]
fn the_name_of_a_session_can_be_anothers_later() {
    let bench = Bench::new();
    for (call, last) in [(FIRST, 5), (SECOND, 6)] {
        bench.give(call, &[1, last]);
        bench.leave(7, last);
        bench.leave(7, 1);
        bench.succeed(call, &[1, last]);
        bench.arrive(7, last);
        bench.indicate(call, 7, last);
        // The peer ends the session, and gives its name away before the call has ended here.
        let (destination, source) = (CARD, PEER);
        let padt = Frame {
            destination,
            source,
            ethertype: DISCOVERY,
            code: code::PADT,
            session: 7,
            payload: vec![],
        };
        bench.traffic.arrived(&padt.to_bytes());
    }
    bench.traffic.ended(FIRST);
    bench.traffic.ended(SECOND);
    assert_eq!(bench.found(), []);
}

#[test]
fn credits_before_a_packet_are_no_part_of_it() {
    let bench = Bench::new();
    let payload = [vec![1, 6, 0, 4, 0, 1, 0, 2], packet(1)].concat();
    let (destination, source) = (CARD, PEER);
    let frame = Frame { destination, source, ethertype: SESSION, code: code::DATA, session: 7, payload };
    let bytes = frame.to_bytes();
    bench.traffic.arrived(&bytes);
    let session = session_before(&bytes[..28]).expect("a session frame");
    bench.traffic.indicated(FIRST, session, Packet::of(&bytes[28..]), "list");
    assert_eq!(bench.found(), []);
}

#[test]
fn a_card_that_misleads_its_driver_is_the_culprit() {
    let bench = Bench::new();
    bench.traffic.doubt(Doubt::SentTwice);
    bench.traffic.doubt(Doubt::ReceivedTwice);
    bench.give(FIRST, &[1]);
    bench.succeed(FIRST, &[1]);
    bench.indicate(FIRST, 7, 1);
    assert_eq!(bench.found(), []);
}

#[test]
fn a_driver_that_leaves_the_card_alone_is_not_held_to_its_wire() {
    let bench = Bench::new();
    bench.give(FIRST, &[1]);
    bench.succeed(FIRST, &[1]);
    assert_eq!(bench.found(), []);
}

#[test]
fn a_tag_hides_no_frame() {
    let bench = Bench::new();
    bench.give(FIRST, &[1]);
    let mut bytes = frame(PEER, CARD, 7, 1);
    bytes.splice(12..12, [0x81, 0, 0, 5]);
    bytes.resize(64, 0);
    bench.traffic.on_wire(&bytes);
    bench.succeed(FIRST, &[1]);
    assert_eq!(bench.found(), []);
}
