//! What a driver says of its clients' frames, held against the wire: sends against what the card has fetched and sent,
//! indications against what has arrived.
//!
//! A frame is known by its contents, the PPP packet, and is followed from the client's `NET_BUFFER` to the bytes that the card
//! puts on the wire, and from the wire to the list that is indicated. Equal frames are counted, VC by VC and session by
//! session. Which session a VC has is nobody's to tell: `ledger` learns it from frames that no other VC has sent. Of a
//! received frame it is told by the header before the data.

mod frame;
mod ledger;
#[cfg(test)]
pub(crate) mod tests;
mod totals;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

pub(crate) use self::frame::{Packet, Session, session_before};
pub(crate) use self::ledger::CallId;
pub(crate) use self::totals::{Totals, Volume};
use self::{frame::Seen, ledger::Ledger};
use crate::{
    machine::Machine,
    verifier::{Rule, Severity, rule},
};

pub(crate) const RULES: &[Rule] = &[
    rule(
        "WIRE.ReceiveOnce",
        Severity::S0,
        "A received frame is indicated as it arrived, and once for each time that it arrived.",
    ),
    rule(
        "WIRE.CountReceived",
        Severity::S1,
        "At rest the counters of received frames and bytes, the adapter's and a VC's, are those of the frames indicated.",
    ),
    rule(
        "WIRE.CountReceiveLoss",
        Severity::S1,
        "At rest the counters of received frames with errors and without a buffer count each frame once that was taken in \
         for a session and not indicated, and none that was not lost.",
    ),
    rule(
        "WIRE.CountSent",
        Severity::S1,
        "At rest the counters of sent frames and bytes, the adapter's and a VC's, are those of the frames that went out well.",
    ),
    rule(
        "WIRE.CountSendErrors",
        Severity::S1,
        "At rest the counter of send errors, the adapter's and a VC's, is that of the frames that could not be sent.",
    ),
    rule(
        "WIRE.CountsAgree",
        Severity::S1,
        "What OID_GEN_STATISTICS says is what the OIDs of single counters say.",
    ),
    rule("WIRE.ReceiveVc", Severity::S0, "A received frame is indicated on the VC of its session."),
    rule(
        "WIRE.SendOnce",
        Severity::S0,
        "A session frame on the wire is one that a client has sent, and there as often as it was sent.",
    ),
    rule(
        "WIRE.SendStatus",
        Severity::S1,
        "A send whose frames have all gone out well does not end with a status that says that they have not.",
    ),
    rule(
        "WIRE.SendSuccess",
        Severity::S0,
        "A send ends with SUCCESS when the card has fetched each of its frames and sent it without an error, not before.",
    ),
];

/// What a card that misbehaves has a driver believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// A descriptor of a frame that was sent was not written back, or late: the driver may have it sent again.
    NotSent,
    /// One was written back twice: the driver may take another frame for sent.
    SentTwice,
    /// A descriptor of a received frame was written back twice: the driver may take it for another frame.
    ReceivedTwice,
    /// A received frame was lost on its way to the driver, or became a part of another one.
    ReceivedLess,
}

/// The frames of one card.
#[derive(Default)]
pub(crate) struct Traffic {
    ledger: RefCell<Ledger>,
    /// Bits of [`Doubt`]s: what is no fault of the driver's any more.
    doubts: Cell<u8>,
    /// The driver has the card send: before that its clients' frames are not for the wire.
    used: Cell<bool>,
    all: RefCell<Totals>,
    calls: RefCell<BTreeMap<CallId, Totals>>,
}

impl Traffic {
    /// A driver starts on the card.
    pub(crate) fn begin(&self) {
        self.used.set(false);
        self.ledger.take();
        self.all.take();
        self.calls.take();
    }

    /// The card misleads the driver.
    pub(crate) fn doubt(&self, doubt: Doubt) {
        self.doubts.set(self.doubts.get() | 1 << doubt as u8);
    }

    /// Whether the driver uses the card, and the card has not misled it in any way.
    pub(crate) fn is_certain(&self) -> bool {
        self.used.get() && self.doubts.get() == 0
    }

    /// What there was of all calls; these are live.
    pub(crate) fn totals(&self, live: &BTreeSet<CallId>) -> Totals {
        Totals { owed: self.ledger.borrow().owed(live), ..*self.all.borrow() }
    }

    /// What there was of a call that has not ended.
    pub(crate) fn totals_of(&self, call: CallId) -> Totals {
        self.calls.borrow().get(&call).copied().unwrap_or_default()
    }

    /// Counts for a call and for all.
    fn count(&self, call: CallId, count: impl Fn(&mut Totals)) {
        count(&mut self.all.borrow_mut());
        count(self.calls.borrow_mut().entry(call).or_default());
    }

    fn doubts(&self, doubts: &[Doubt]) -> bool {
        doubts.iter().any(|&doubt| self.doubts.get() & 1 << doubt as u8 != 0)
    }

    /// The card has put a frame on the wire.
    pub(crate) fn on_wire(&self, frame: &[u8]) {
        self.used.set(true);
        match frame::look(frame, frame::Way::Out) {
            Some(Seen::Data(session, packet)) => {
                self.all.borrow_mut().left.add(packet.len);
                let fits = self.ledger.borrow_mut().on_wire(session, packet.key);
                if !fits && !self.doubts(&[Doubt::NotSent, Doubt::SentTwice]) {
                    let text = format!("{session}: a frame that nobody has sent, or that has gone before");
                    find("WIRE.SendOnce", text);
                }
            }
            Some(Seen::Boundary(session)) => self.ledger.borrow_mut().loosen(session),
            None => {}
        }
    }

    /// The card reports that it could not send a frame that went to the wire.
    pub(crate) fn went_badly(&self, frame: &[u8]) {
        if let Some(Seen::Data(session, packet)) = frame::look(frame, frame::Way::Out) {
            self.all.borrow_mut().left.take(packet.len);
            self.ledger.borrow_mut().went_badly(session, packet.key);
        }
    }

    /// A frame has arrived at the card.
    pub(crate) fn arrived(&self, frame: &[u8]) {
        self.all.borrow_mut().arrived += 1;
        match frame::look(frame, frame::Way::In) {
            Some(Seen::Data(session, packet)) => {
                let mut ledger = self.ledger.borrow_mut();
                ledger.arrived(session, packet.key);
                // With credits before it, the packet is what follows them.
                if let Some(packet) = frame::behind_credits(frame) {
                    ledger.arrived(session, packet.key);
                }
            }
            Some(Seen::Boundary(session)) => self.ledger.borrow_mut().loosen(session),
            None => {}
        }
    }

    /// The card has taken it in: it is in the packet buffer, or counted as lost there.
    pub(crate) fn taken_in(&self, frame: &[u8]) {
        if let Some(Seen::Data(session, _)) = frame::look(frame, frame::Way::In) {
            self.ledger.borrow_mut().owe(session);
        }
    }

    /// The card was reset: what it had taken in may be lost.
    pub(crate) fn reset(&self) {
        self.ledger.borrow_mut().owe_nothing();
    }

    /// A client gives the driver a list with these frames.
    pub(crate) fn sent(&self, call: CallId, packets: &[Packet]) {
        let mut ledger = self.ledger.borrow_mut();
        for packet in packets {
            ledger.sent(call, packet.key);
        }
    }

    /// The driver completes it with SUCCESS.
    pub(crate) fn succeeded(&self, call: CallId, packets: &[Packet], who: &str) {
        self.count(call, |it| packets.iter().for_each(|packet| it.succeeded.add(packet.len)));
        let mut ledger = self.ledger.borrow_mut();
        let early = packets.iter().filter(|packet| !ledger.claimed(call, packet.key)).count();
        drop(ledger);
        if early != 0 && self.used.get() && !self.doubts(&[Doubt::NotSent, Doubt::SentTwice]) {
            let text = format!("{who}: {early} of {} frames are not on the wire", packets.len());
            find("WIRE.SendSuccess", text);
        }
    }

    /// The driver completes it with another status.
    pub(crate) fn ended_otherwise(&self, call: CallId, packets: &[Packet]) {
        self.count(call, |it| packets.iter().for_each(|packet| it.others.add(packet.len)));
    }

    /// The driver completes it with a status that says nothing of its frames.
    pub(crate) fn given_back(&self, call: CallId, packets: &[Packet]) {
        let ledger = self.ledger.borrow();
        let badly = packets.iter().filter(|packet| ledger.went_out_badly(call, packet.key)).count();
        drop(ledger);
        self.count(call, |it| it.spoilt += badly as u64);
    }

    /// The driver completes it for want of memory.
    pub(crate) fn starved(&self, call: CallId, packets: &[Packet]) {
        self.count(call, |it| it.starved += packets.len() as u64);
    }

    /// The driver completes it since something is wrong with one of its frames.
    pub(crate) fn failed(&self, call: CallId, packets: &[Packet], who: &str) {
        let ledger = self.ledger.borrow();
        let badly = packets.iter().filter(|packet| !ledger.went_well(call, packet.key)).count();
        drop(ledger);
        self.count(call, |it| it.wrong += badly as u64);
        let well = !packets.is_empty() && badly == 0;
        if well && !self.doubts(&[Doubt::NotSent, Doubt::SentTwice]) {
            find("WIRE.SendStatus", format!("{who}: failed, and all of its frames are on the wire"));
        }
    }

    /// The driver indicates a frame to a call.
    pub(crate) fn heard(&self, call: CallId, packet: Packet) {
        self.count(call, |it| it.indicated.add(packet.len));
    }

    /// It is a frame of this session.
    pub(crate) fn indicated(&self, call: CallId, session: Session, packet: Packet, who: &str) {
        let (once, right) = self.ledger.borrow_mut().indicated(call, session, packet.key);
        if self.doubts(&[Doubt::ReceivedTwice]) {
            return;
        }
        if !once {
            find(
                "WIRE.ReceiveOnce",
                format!("{who}: {session}: a frame that has not arrived, or only before"),
            );
        }
        if !right {
            find("WIRE.ReceiveVc", format!("{who}: {session} is another's"));
        }
    }

    /// A call has ended: its VC is not active any more.
    pub(crate) fn ended(&self, call: CallId) {
        self.calls.borrow_mut().remove(&call);
        self.ledger.borrow_mut().ended(call);
    }
}

fn find(rule: &'static str, text: String) {
    if let Some(machine) = Machine::try_current() {
        machine.finding(rule, None, text);
    }
}
