//! Flow control by credits (RFC 5578) as the far end plays it: what it grants, what it does with what it is granted, and
//! whether the card keeps to it. It shares no code with the driver's accounts.

use std::{collections::VecDeque, time::Duration};

use super::frame::{Frame, code, push_tag, tag};

/// Octets that a credit is worth when nobody says.
const SCALE: u16 = 64;
/// Octets of the PPP protocol field, which not everybody counts.
const PROTOCOL: usize = 2;
/// How long the first tag has to be: two numbers.
const NUMBERS: usize = 4;
/// Octets of a Credits tag, and of what a session frame carries at most without RFC 4638.
const TAG: usize = 8;
const LONGEST: usize = 1494;

/// What a packet costs credits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// All of it.
    Packet,
    /// What is behind the protocol field.
    Payload,
}

/// How a peer does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Credits in the PADR or PADS.
    pub initial: u16,
    /// What the card is brought back to, and how often; `None`: it gets no more.
    pub refill: Option<(u16, Duration)>,
    /// The scale that is named; `None`: a host names none, an access concentrator the host's, if that has named one.
    pub scale: Option<u16>,
    /// Whether an access concentrator grants credits to who has not asked.
    pub unasked: bool,
    /// Whether PADGs are answered.
    pub answers: bool,
    /// Whether grants ride on session frames.
    pub in_band: bool,
    /// What is counted of what is sent to the card.
    pub count: Count,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            initial: 500,
            refill: Some((500, Duration::from_millis(20))),
            scale: None,
            unasked: false,
            answers: true,
            in_band: false,
            count: Count::Packet,
        }
    }
}

impl Plan {
    /// Credits, and no more of them.
    pub fn once(initial: u16) -> Self {
        Self { initial, refill: None, ..Self::default() }
    }
}

/// What was seen of the card's part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Session frames that it had no credits for.
    pub violations: u64,
    /// PADGs, and the credits in them.
    pub grants: u64,
    /// Credits in the card's PADGs.
    pub granted: u64,
    /// PADCs that answer the PADG they should.
    pub answers: u64,
    /// PADCs that answer nothing.
    pub stray_answers: u64,
    /// What the card said last that it has left.
    pub balance: u16,
}

impl Seen {
    /// Brings a sum up to date of which one session's part was `before` and is `now`.
    pub(super) fn replace(&mut self, before: Self, now: Self) {
        self.violations += now.violations - before.violations;
        self.grants += now.grants - before.grants;
        self.granted += now.granted - before.granted;
        self.answers += now.answers - before.answers;
        self.stray_answers += now.stray_answers - before.stray_answers;
        self.balance = now.balance;
    }
}

/// The credits of one session, both ways.
#[derive(Clone, Debug)]
pub(super) struct Purse {
    plan: Plan,
    /// Octets of a credit for what goes to the card, and for what it sends: the finer of two.
    own_unit: usize,
    unit: usize,
    /// What the card may send at most.
    allowed: u32,
    /// What it is thought to have.
    thought: u16,
    /// What may be sent to it.
    left: u32,
    sequence: u16,
    unanswered: bool,
    pub(super) next: Option<Duration>,
    held: VecDeque<Vec<u8>>,
    pub(super) seen: Seen,
}

/// The Credits and Credit Scale Factor tags of a PADR or PADS.
pub(super) fn read(tags: &[(u16, &[u8])]) -> Option<(u16, Option<u16>)> {
    let find = |kind| tags.iter().find(|(found, _)| *found == kind).map(|(_, value)| *value);
    let credits = find(tag::CREDITS).filter(|value| value.len() == NUMBERS)?;
    let scale = find(tag::CREDIT_SCALE).and_then(|value| value.try_into().ok()).map(u16::from_be_bytes);
    Some((u16::from_be_bytes([credits[0], credits[1]]), scale))
}

/// Appends a Credits tag.
pub(super) fn push(payload: &mut Vec<u8>, forward: u16, backward: u16) {
    push_tag(payload, tag::CREDITS, &[forward.to_be_bytes(), backward.to_be_bytes()].concat());
}

impl Purse {
    /// The purse of a session whose card has granted `granted` and named `theirs` as its scale.
    pub(super) fn new(
        plan: &Plan,
        granted: u16,
        ours: Option<u16>,
        theirs: Option<u16>,
        now: Duration,
    ) -> Self {
        let (ours, theirs) = (ours.unwrap_or(SCALE), theirs.unwrap_or(SCALE));
        Self {
            own_unit: ours.max(1).into(),
            unit: ours.min(theirs).max(1).into(),
            allowed: plan.initial.into(),
            thought: plan.initial,
            left: granted.into(),
            sequence: 0,
            unanswered: false,
            next: plan.refill.map(|(_, every)| now + every),
            held: VecDeque::new(),
            seen: Seen::default(),
            plan: plan.clone(),
        }
    }

    fn flow(&self, sequence: u16, forward: u16) -> Vec<u8> {
        let mut payload = Vec::new();
        push_tag(&mut payload, tag::SEQUENCE_NUMBER, &sequence.to_be_bytes());
        push(&mut payload, forward, u16::try_from(self.left).unwrap_or(u16::MAX));
        payload
    }

    /// A session frame came from the card.
    pub(super) fn took(&mut self, octets: usize) {
        let cost = u32::try_from(octets.div_ceil(self.unit)).unwrap_or(u32::MAX);
        if cost > self.allowed {
            self.seen.violations += 1;
        }
        self.allowed = self.allowed.saturating_sub(cost);
        self.thought = self.thought.saturating_sub(u16::try_from(cost).unwrap_or(u16::MAX));
    }

    /// Something is to go to the card: what can go now, of that and of what has waited.
    pub(super) fn send(&mut self, payload: Vec<u8>) -> Vec<Vec<u8>> {
        self.held.push_back(payload);
        self.release()
    }

    fn release(&mut self) -> Vec<Vec<u8>> {
        let mut free = Vec::new();
        while let Some(payload) = self.held.front() {
            let counted = payload.len() - if self.plan.count == Count::Payload { PROTOCOL } else { 0 };
            let cost = u32::try_from(counted.div_ceil(self.own_unit)).unwrap_or(u32::MAX);
            if cost > self.left {
                break;
            }
            self.left -= cost;
            let payload = self.held.pop_front().expect("just seen");
            // A frame must not become too long by it.
            let fits = payload.len() + TAG <= LONGEST;
            free.push(if self.plan.in_band && fits { self.with_grant(&payload) } else { payload });
        }
        free
    }

    /// A session frame with what the card lacks.
    fn with_grant(&mut self, ppp: &[u8]) -> Vec<u8> {
        let mut payload = Vec::new();
        let forward = self.top_up();
        push(&mut payload, forward, u16::try_from(self.left).unwrap_or(u16::MAX));
        payload.extend(ppp);
        payload
    }

    /// Grants what the card lacks.
    fn top_up(&mut self) -> u16 {
        let lack = self.plan.refill.map_or(0, |(level, _)| level.saturating_sub(self.thought));
        self.allowed = (self.allowed + u32::from(lack)).min(u16::MAX.into());
        self.thought += lack;
        lack
    }

    /// A PADG or PADC came: the PADC to send, and what can go now.
    pub(super) fn control(&mut self, frame: &Frame) -> (Option<Vec<u8>>, Vec<Vec<u8>>) {
        let Some(tags) = frame.tags() else { return (None, Vec::new()) };
        let sequence = tags.iter().find(|(kind, _)| *kind == tag::SEQUENCE_NUMBER);
        let sequence = sequence.and_then(|(_, value)| (*value).try_into().ok()).map(u16::from_be_bytes);
        let credits = tags.iter().find(|(kind, value)| *kind == tag::CREDITS && value.len() == NUMBERS);
        let (Some(sequence), Some((_, credits))) = (sequence, credits) else { return (None, Vec::new()) };
        let forward = u16::from_be_bytes([credits[0], credits[1]]);
        self.seen.balance = u16::from_be_bytes([credits[2], credits[3]]);
        match frame.code {
            code::PADG => {
                self.seen.grants += 1;
                self.seen.granted += u64::from(forward);
                self.left = (self.left + u32::from(forward)).min(u16::MAX.into());
                let free = self.release();
                (self.plan.answers.then(|| self.flow(sequence, 0)), free)
            }
            code::PADC if self.unanswered && sequence == self.sequence => {
                self.seen.answers += 1;
                self.unanswered = false;
                self.thought = self.seen.balance;
                (None, Vec::new())
            }
            _ => {
                self.seen.stray_answers += 1;
                (None, Vec::new())
            }
        }
    }

    /// The PADG that is due.
    pub(super) fn due(&mut self, now: Duration) -> Option<Vec<u8>> {
        let (_, every) = self.plan.refill?;
        self.next.filter(|at| *at <= now)?;
        self.next = Some(now + every);
        // One that was not answered is sent again, without credits.
        let forward = if self.unanswered {
            0
        } else {
            self.sequence = self.sequence.wrapping_add(1);
            self.unanswered = true;
            self.top_up()
        };
        Some(self.flow(self.sequence, forward))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::DISCOVERY;

    fn purse(plan: &Plan) -> Purse {
        Purse::new(plan, 3, None, None, Duration::ZERO)
    }

    fn packet(code: u8, sequence: u16, forward: u16, backward: u16) -> Frame {
        let mut payload = Vec::new();
        push_tag(&mut payload, tag::SEQUENCE_NUMBER, &sequence.to_be_bytes());
        push(&mut payload, forward, backward);
        Frame { destination: [2; 6], source: [4; 6], ethertype: DISCOVERY, code, session: 1, payload }
    }

    #[test]
    fn frames_without_credits_are_seen() {
        let mut purse = purse(&Plan::once(3));
        purse.took(128);
        purse.took(64);
        assert_eq!(purse.seen.violations, 0);
        purse.took(1);
        assert_eq!(purse.seen.violations, 1);
    }

    #[test]
    fn it_sends_what_it_has_credits_for() {
        let mut purse = purse(&Plan::once(3));
        assert_eq!(purse.send(vec![0; 128]).len(), 1);
        assert_eq!(purse.send(vec![1; 65]).len(), 0);
        assert_eq!(purse.send(vec![2; 64]).len(), 0, "in order");
        let (answer, free) = purse.control(&packet(code::PADG, 9, 2, 7));
        assert_eq!((answer, free.len()), (Some(purse.flow(9, 0)), 2));
        assert_eq!((purse.seen.granted, purse.seen.balance, purse.left), (2, 7, 0));
    }

    #[test]
    fn grants_are_answered_or_repeated() {
        let plan = Plan { refill: Some((10, Duration::from_secs(1))), ..Plan::once(3) };
        let mut purse = purse(&plan);
        assert_eq!(purse.due(Duration::ZERO), None);
        assert_eq!(purse.due(Duration::from_secs(1)), Some(purse.flow(1, 7)));
        assert_eq!(purse.due(Duration::from_secs(2)), Some(purse.flow(1, 0)), "again, with nothing");
        purse.control(&packet(code::PADC, 2, 0, 0));
        purse.control(&packet(code::PADC, 1, 0, 4));
        assert_eq!((purse.seen.answers, purse.seen.stray_answers, purse.thought), (1, 1, 4));
        assert_eq!(purse.due(Duration::from_secs(3)), Some(purse.flow(2, 6)));
    }
}
