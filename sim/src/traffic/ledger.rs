//! Frames, counted by contents: what clients have sent, what the driver says of it, and what the wire has seen.
//!
//! The frames of a call and those of its session are in one account once it is known that they belong together. Until then
//! all such calls and sessions are held against each other as one.

use std::collections::{BTreeMap, BTreeSet};

use super::Session;

/// Names a call: the number of its VC, and which of its calls it is.
pub(crate) type CallId = (u64, u64);

/// How often a frame of some contents was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sent {
    /// Given to the driver.
    given: u32,
    /// Completed with SUCCESS.
    claimed: u32,
    /// Put on the wire, and of these without an error.
    left: u32,
    good: u32,
}

impl Sent {
    fn add(&mut self, other: Self) {
        self.given += other.given;
        self.claimed += other.claimed;
        self.left += other.left;
        self.good += other.good;
    }

    /// Takes out what was added.
    fn take(&mut self, other: Self) {
        self.given -= other.given;
        self.claimed -= other.claimed;
        self.left -= other.left;
        self.good -= other.good;
    }

    /// Nothing is to be expected any more.
    fn is_even(self) -> bool {
        [self.claimed, self.left, self.good] == [self.given; 3]
    }
}

/// How often a frame of some contents arrived, and was indicated.
#[derive(Clone, Copy, Debug, Default)]
struct Received {
    arrived: u32,
    indicated: u32,
}

type Sends = BTreeMap<u64, Sent>;

/// What a client sends on a call, and what its session has carried, if that is known.
#[derive(Debug, Default)]
struct Call {
    sends: Sends,
    session: Option<Session>,
    ended: bool,
}

/// What the wire has seen of a session.
#[derive(Debug, Default)]
struct Line {
    /// While the call is not known.
    sends: Sends,
    call: Option<CallId>,
    /// The call that had a session of this name before: some of its frames may still come.
    former: Option<CallId>,
    /// There was a PADS or PADT: it may be another's by now.
    loose: bool,
    received: BTreeMap<u64, Received>,
    /// Whom its frames are indicated to.
    listener: Option<CallId>,
    /// Frames that the card has taken in for the call and that were not indicated.
    owed: u64,
}

/// What calls of which the session is not known and sessions of which the call is not known have of some contents.
#[derive(Debug, Default)]
struct Pooled {
    sent: Sent,
    /// One of the calls, and whether there are others.
    sender: Option<CallId>,
    several: bool,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    calls: BTreeMap<CallId, Call>,
    lines: BTreeMap<Session, Line>,
    pool: BTreeMap<u64, Pooled>,
}

impl Ledger {
    /// A client gives the driver a frame.
    pub(super) fn sent(&mut self, call: CallId, key: u64) {
        let account = self.calls.entry(call).or_default();
        account.sends.entry(key).or_default().given += 1;
        if account.session.is_none() {
            let pooled = self.pool.entry(key).or_default();
            pooled.sent.given += 1;
            pooled.several |= pooled.sender.is_some_and(|sender| sender != call);
            pooled.sender = Some(call);
        }
    }

    /// The driver says that it was sent; false if it cannot have been.
    pub(super) fn claimed(&mut self, call: CallId, key: u64) -> bool {
        let Some(account) = self.calls.get_mut(&call) else { return false };
        let Some(sent) = account.sends.get_mut(&key) else { return false };
        sent.claimed += 1;
        if account.session.is_some() {
            let fits = sent.claimed <= sent.good;
            self.forget_even(call, key);
            return fits;
        }
        let Some(pooled) = self.pool.get_mut(&key) else { return false };
        pooled.sent.claimed += 1;
        pooled.sent.claimed <= pooled.sent.good
    }

    /// Whether every frame like this that the call has sent has gone out well.
    pub(super) fn went_well(&self, call: CallId, key: u64) -> bool {
        self.sent_of(call, key).is_some_and(|sent| sent.good >= sent.given)
    }

    /// Whether a frame like this that the call has sent has gone out badly.
    pub(super) fn went_out_badly(&self, call: CallId, key: u64) -> bool {
        self.sent_of(call, key).is_some_and(|sent| sent.good < sent.left)
    }

    /// What is known of frames like this of the call.
    fn sent_of(&self, call: CallId, key: u64) -> Option<Sent> {
        let account = self.calls.get(&call)?;
        match account.session {
            Some(_) => account.sends.get(&key).copied(),
            None => self.pool.get(&key).map(|pooled| pooled.sent),
        }
    }

    /// A frame of a session is on the wire; false if nobody can have sent it.
    pub(super) fn on_wire(&mut self, session: Session, key: u64) -> bool {
        let line = self.lines.entry(session).or_default();
        let (call, former, loose) = (line.call, line.former, line.loose);
        for known in call.into_iter().chain(former) {
            if self.leaves(known, key) {
                return true;
            }
        }
        if let Some(call) = call {
            if !loose {
                return false;
            }
            // The session is another's.
            line_of(&mut self.lines, session, |line| (line.former, line.call) = (Some(call), None));
        }
        let only = self.pool.get(&key).filter(|pooled| !pooled.several).and_then(|pooled| pooled.sender);
        if let Some(call) = only {
            let fits = self.join(call, session);
            return self.leaves(call, key) && fits;
        }
        let one = Sent { left: 1, good: 1, ..Sent::default() };
        line_of(&mut self.lines, session, |line| line.sends.entry(key).or_default().add(one));
        let pooled = self.pool.entry(key).or_default();
        pooled.sent.add(one);
        pooled.sent.left <= pooled.sent.given
    }

    /// The session of a call has a frame on the wire, if the call has sent one.
    fn leaves(&mut self, call: CallId, key: u64) -> bool {
        let sent = self.calls.get_mut(&call).and_then(|account| account.sends.get_mut(&key));
        let Some(sent) = sent.filter(|sent| sent.left < sent.given) else { return false };
        sent.left += 1;
        sent.good += 1;
        self.forget_even(call, key);
        true
    }

    /// The last frame like this that a session had on the wire did not go well.
    pub(super) fn went_badly(&mut self, session: Session, key: u64) {
        let Some(line) = self.lines.get_mut(&session) else { return };
        for call in line.call.into_iter().chain(line.former) {
            let sent = self.calls.get_mut(&call).and_then(|account| account.sends.get_mut(&key));
            if let Some(sent) = sent.filter(|sent| sent.good != 0) {
                sent.good -= 1;
                return;
            }
        }
        if let Some(sent) = line.sends.get_mut(&key).filter(|sent| sent.good != 0) {
            sent.good -= 1;
            if let Some(pooled) = self.pool.get_mut(&key) {
                pooled.sent.good -= 1;
            }
        }
    }

    /// It is known now that a session is a call's; false if what is known of the two does not fit.
    fn join(&mut self, call: CallId, session: Session) -> bool {
        let Some(account) = self.calls.get_mut(&call) else { return true };
        let Some(line) = self.lines.get_mut(&session) else { return true };
        account.session = Some(session);
        (line.call, line.loose) = (Some(call), false);
        let mut moved = account.sends.clone();
        for (key, sent) in std::mem::take(&mut line.sends) {
            moved.entry(key).or_default().add(sent);
            account.sends.entry(key).or_default().add(sent);
        }
        let mut fits = true;
        for (key, sent) in moved {
            fits &= sent.claimed <= sent.good && sent.left <= sent.given;
            if let Some(pooled) = self.pool.get_mut(&key) {
                pooled.sent.take(sent);
                let rest = pooled.sent;
                fits &= rest.claimed <= rest.good && rest.left <= rest.given;
                if rest == Sent::default() {
                    self.pool.remove(&key);
                } else if pooled.sender == Some(call) && !pooled.several {
                    pooled.sender = None;
                }
            }
            self.forget_even(call, key);
        }
        fits
    }

    /// A PADS or PADT names the session.
    pub(super) fn loosen(&mut self, session: Session) {
        if let Some(line) = self.lines.get_mut(&session) {
            line.loose = true;
            line.listener = None;
            line.owed = 0;
        }
    }

    /// A frame of a session has arrived.
    pub(super) fn arrived(&mut self, session: Session, key: u64) {
        self.lines.entry(session).or_default().received.entry(key).or_default().arrived += 1;
    }

    /// The card has taken one in, for a call that is known.
    pub(super) fn owe(&mut self, session: Session) {
        line_of(&mut self.lines, session, |line| line.owed += u64::from(line.call.is_some() && !line.loose));
    }

    /// The card has lost what it had taken in.
    pub(super) fn owe_nothing(&mut self) {
        self.lines.values_mut().for_each(|line| line.owed = 0);
    }

    /// How many there are of these calls that were not indicated.
    pub(super) fn owed(&self, calls: &BTreeSet<CallId>) -> u64 {
        let of_these = |line: &&Line| line.call.is_some_and(|call| calls.contains(&call));
        self.lines.values().filter(of_these).map(|line| line.owed).sum()
    }

    /// One is indicated to a call; whether it has arrived so often, and whether the session is that call's.
    pub(super) fn indicated(&mut self, call: CallId, session: Session, key: u64) -> (bool, bool) {
        let line = self.lines.entry(session).or_default();
        line.owed = line.owed.saturating_sub(1);
        let received = line.received.entry(key).or_default();
        received.indicated += 1;
        let once = received.indicated <= received.arrived;
        if received.indicated == received.arrived {
            line.received.remove(&key);
        }
        let right = line.listener.is_none_or(|listener| listener == call);
        line.listener = Some(call);
        let open = line.call.is_none() || line.loose && line.call != Some(call);
        let account = self.calls.entry(call).or_default();
        match account.session {
            Some(known) => (once, right && known == session),
            None if !open => (once, false),
            None => {
                if line.loose && line.call.is_some() {
                    (line.former, line.call) = (line.call, None);
                }
                self.join(call, session);
                (once, right)
            }
        }
    }

    /// A call has ended.
    pub(super) fn ended(&mut self, call: CallId) {
        let Some(account) = self.calls.get_mut(&call) else { return };
        account.ended = true;
        if let Some(session) = account.session {
            line_of(&mut self.lines, session, |line| {
                if line.listener == Some(call) {
                    line.listener = None;
                }
                if line.call == Some(call) {
                    (line.former, line.call) = (Some(call), None);
                }
                line.owed = 0;
            });
        }
        if account.sends.is_empty() {
            self.calls.remove(&call);
        }
    }

    /// Forgets frames of a call whose session is known, of which nothing more is to be expected.
    fn forget_even(&mut self, call: CallId, key: u64) {
        let Some(account) = self.calls.get_mut(&call) else { return };
        if account.sends.get(&key).is_some_and(|sent| sent.is_even()) {
            account.sends.remove(&key);
            if account.ended && account.sends.is_empty() {
                self.calls.remove(&call);
            }
        }
    }
}

fn line_of(lines: &mut BTreeMap<Session, Line>, session: Session, act: impl FnOnce(&mut Line)) {
    if let Some(line) = lines.get_mut(&session) {
        act(line);
    }
}
