//! Counters that are right, and counters that are not.

use super::super::rest::{Counters, compare, compare_losses, difference, tell_difference};
use crate::machine::{Config, Machine};
use crate::traffic::{Totals, Volume};
use crate::verifier::trips::Trip;

/// The rules that are tripped by tests of this part.
pub(crate) const TRIPS: &[Trip] = &[
    ("WIRE.CountSent", sent_frames_are_counted),
    ("WIRE.CountReceived", received_frames_are_counted),
    ("WIRE.CountReceiveLoss", lost_frames_are_counted),
    ("WIRE.CountSendErrors", send_errors_are_counted),
    ("WIRE.CountsAgree", the_counters_are_the_same_everywhere),
];

const fn volume(frames: u64, bytes: u64) -> Volume {
    Volume { frames, bytes }
}

/// Seven frames sent, three of them for nobody any more, and two that were bad; five received, and two lost.
const TOTALS: Totals = Totals {
    succeeded: volume(4, 400),
    left: volume(7, 700),
    others: volume(5, 500),
    wrong: 2,
    starved: 0,
    spoilt: 0,
    indicated: volume(5, 50),
    arrived: 8,
    owed: 2,
};

const RIGHT: Counters = Counters {
    sent: volume(5, 500),
    received: volume(5, 50),
    send_errors: 2,
    receive_errors: 1,
    no_buffer: 1,
};

/// `NDIS_STATISTICS_INFO` with these counters.
fn info(counters: &Counters) -> [u8; 152] {
    let mut info = [0; 152];
    let Counters { sent, received, send_errors, receive_errors, no_buffer } = *counters;
    for (at, value) in [
        (8, receive_errors + no_buffer),
        (16, receive_errors),
        (24, received.bytes),
        (32, received.frames),
        (56, sent.bytes),
        (64, sent.frames),
        (88, send_errors),
        (104, received.bytes),
        (128, sent.bytes),
    ] {
        info[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
    }
    info
}

/// How often a rule is found with counters that a case has changed.
fn found(rule: &str, change: impl Fn(&mut Counters)) -> u64 {
    let machine = Machine::new(Config::default());
    let mut counters = RIGHT;
    change(&mut counters);
    compare("adapter", &counters, &TOTALS, Some(TOTALS.left));
    compare_losses("adapter", &counters, &TOTALS);
    tell_difference("adapter", difference(&info(&counters), &counters));
    let all: u64 = machine.verifier().findings().iter().map(|it| it.count).sum();
    assert_eq!(machine.verifier().count(rule), all, "other rules");
    all
}

#[track_caller]
fn bounds(rule: &str, place: fn(&mut Counters) -> &mut u64, right: std::ops::RangeInclusive<u64>) {
    for value in [right.start() - 1, *right.start(), *right.end(), right.end() + 1] {
        let wrong = u64::from(!right.contains(&value));
        assert_eq!(found(rule, |it| *place(it) = value), wrong, "{rule}: {value}");
    }
}

#[test]
fn right_counters_leave_no_finding() {
    assert_eq!(found("", |_| ()), 0);
}

fn sent_frames_are_counted() {
    bounds("WIRE.CountSent", |it| &mut it.sent.frames, 4..=7);
    bounds("WIRE.CountSent", |it| &mut it.sent.bytes, 400..=700);
}

fn received_frames_are_counted() {
    bounds("WIRE.CountReceived", |it| &mut it.received.frames, 5..=5);
    bounds("WIRE.CountReceived", |it| &mut it.received.bytes, 50..=50);
}

fn lost_frames_are_counted() {
    bounds("WIRE.CountReceiveLoss", |it| &mut it.no_buffer, 1..=2);
    bounds("WIRE.CountReceiveLoss", |it| &mut it.receive_errors, 1..=2);
}

fn send_errors_are_counted() {
    bounds("WIRE.CountSendErrors", |it| &mut it.send_errors, 2..=2);
}

fn the_counters_are_the_same_everywhere() {
    let machine = Machine::new(Config::default());
    for at in [8, 16, 24, 32, 56, 64, 88, 104, 128] {
        let mut wrong = info(&RIGHT);
        wrong[at] += 1;
        let text = difference(&wrong, &RIGHT);
        assert!(text.is_some(), "{at}");
        tell_difference("adapter", text);
    }
    assert_eq!(machine.verifier().count("WIRE.CountsAgree"), 9);
}
