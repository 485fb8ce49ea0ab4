//! Flow control by credits (RFC 5578): how it is agreed on, and the account of a session that has it.
//!
//! Each side grants the other credits, and sends no more than it has credits for. A Host asks for it with a Credits tag in
//! the PADR, an Access Concentrator agrees with one in the PADS; both tags grant the first credits. A PADG grants more, and
//! the PADC that answers it says what its sender has left. A credit is worth 64 octets, or what a Credit Scale Factor tag
//! says.
//!
//! # Readings
//!
//! Implementations differ in what they count. An [`Account`] sends no more than any of them allows:
//!
//! - a packet costs the credits of all its octets, the protocol field among them, which others leave out;
//! - where the two sides name different scales, the finer one counts for both;
//! - a grant counts once, by its number; the forward credits of a PADC are none;
//! - a PADG that is repeated grants nothing more, so it can be counted twice without harm;
//!
//! and takes the peer at its word where it says what it has left: what it has used is only guessed in between.
//! Frames that the peer sends without credits are not dropped.

use core::time::Duration;

use crate::extension::{Credits, Flow};
use crate::instant::Instant;
use crate::repr::Repr;
use crate::session::SessionKey;

/// Octets that a credit is worth unless a tag says otherwise.
pub const SCALE_DEFAULT: u16 = 64;

/// The most credits that are granted at a time, so that a guess at what the peer has left that is wrong by as much does not
/// take it beyond what 16 bits hold.
pub const GRANT_MAX: u16 = 0x7FFF;

/// How long a PADG waits for its PADC, and a balance that the peer may not know for a PADG.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a PADG is sent before the peer is given up.
const TRIES: u8 = 5;
/// How many PADGs are answered in how long.
const ANSWERS: u16 = 512;
const ANSWERS_TIME: Duration = Duration::from_millis(100);

/// The credits of a grant for so many octets, if each is worth `unit` of them.
pub fn grant_for(octets: u32, unit: u16) -> u16 {
    let credits = octets.div_ceil(unit.max(1).into());
    u16::try_from(credits).unwrap_or(GRANT_MAX).min(GRANT_MAX)
}

/// What a Host asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Credits that the peer gets to begin with and is kept at, at most [`GRANT_MAX`].
    pub grant: u16,
    /// Octets that a credit is worth; said only if it is not [`SCALE_DEFAULT`].
    pub scale: u16,
}

impl Offer {
    /// The tags of the PADR.
    pub(crate) const fn tags(self) -> (Credits, Option<u16>) {
        let credits = Credits { forward: self.grant, backward: 0 };
        (credits, if self.scale == SCALE_DEFAULT { None } else { Some(self.scale) })
    }

    /// What comes of it with the PADS.
    pub(crate) fn agreed(self, pads: &Repr<'_>) -> Option<Agreement> {
        let credits = pads.credits?;
        let unit = pads.credit_scale.unwrap_or(SCALE_DEFAULT).min(self.scale).max(1);
        Some(Agreement { grant: self.grant, granted: credits.forward, unit })
    }
}

/// What a PADR and its PADS have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Credits that this station has granted.
    pub grant: u16,
    /// Credits that the peer has granted.
    pub granted: u16,
    /// Octets that a credit is worth.
    pub unit: u16,
}

/// What an Access Concentrator answers a PADR with: the tags of the PADS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) credits: Credits,
    /// As the Host has it, so that there is one scale; without one in the PADR there is none in the PADS.
    pub(crate) scale: Option<u16>,
}

impl Answer {
    /// The answer of who lets the Host send so many octets; `None` if that did not ask.
    pub(crate) fn new(octets: u32, padr: &Repr<'_>) -> Option<Self> {
        let scale = padr.credit_scale;
        let forward = grant_for(octets, scale.unwrap_or(SCALE_DEFAULT));
        Some(Self { credits: Credits { forward, backward: padr.credits?.forward }, scale })
    }

    /// What is agreed on with it.
    pub(crate) fn agreement(self) -> Agreement {
        let unit = self.scale.unwrap_or(SCALE_DEFAULT).max(1);
        Agreement { grant: self.credits.forward, granted: self.credits.backward, unit }
    }
}

/// The peer leaves PADGs without answer: the session is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

/// The credits of one session, in both directions.
///
/// Ask [`poll`](Self::poll) whether there is a PADG to send after each call that takes the time, and at the
/// [`deadline`](Self::deadline).
#[derive(Debug)]
pub struct Account {
    key: SessionKey,
    unit: u16,
    /// Credits for what is sent.
    left: u16,
    /// The number of the last grant that counted.
    last: Option<u16>,
    /// Credits that the peer is kept at, those that it has, as far as known, and those that it has used since the last PADG.
    window: u16,
    peer: u16,
    used: u32,
    /// The number of the last PADG, how often it has been sent without an answer, and when that is too late.
    sequence: u16,
    tries: u8,
    due: Instant,
    /// When to let the peer know how things stand, though there may be little to grant.
    check: Option<Instant>,
    /// PADGs answered since then.
    answers: u16,
    answers_since: Instant,
}

impl Account {
    /// The account of a session that begins.
    pub fn new(key: SessionKey, agreement: Agreement, now: Instant) -> Self {
        let window = agreement.grant.min(GRANT_MAX);
        Self {
            key,
            unit: agreement.unit.max(1),
            left: agreement.granted,
            last: None,
            window,
            peer: window,
            used: 0,
            sequence: 0,
            tries: 0,
            due: now,
            // A peer that does not take the PADR or PADS for a grant tells so when it is asked.
            check: Some(now.saturating_add(PATIENCE)),
            answers: 0,
            answers_since: now,
        }
    }

    /// The session.
    pub const fn key(&self) -> SessionKey {
        self.key
    }

    /// Credits that are left for what is sent.
    pub const fn left(&self) -> u16 {
        self.left
    }

    /// The credits that a PPP packet of so many octets costs, protocol field included.
    pub fn cost(&self, octets: usize) -> u32 {
        u32::try_from(octets.div_ceil(self.unit.max(1).into())).unwrap_or(u32::MAX)
    }

    /// Whether there are credits for something of this cost. If not, the peer is told how things stand in a while.
    pub fn affords(&mut self, cost: u32, now: Instant) -> bool {
        let affords = cost <= self.left.into();
        if !affords {
            self.check_soon(now);
        }
        affords
    }

    /// Takes the credits for something that is sent.
    pub fn pay(&mut self, cost: u32) {
        self.left = self.left.saturating_sub(u16::try_from(cost).unwrap_or(u16::MAX));
    }

    /// Takes credits back that were paid for something that was not sent after all.
    pub fn pay_back(&mut self, cost: u32) {
        self.left = self.left.saturating_add(u16::try_from(cost).unwrap_or(u16::MAX));
    }

    /// A PADG arrived: the PADC to answer it with. `None`: there are too many of them, and this one has no effect.
    pub fn granted(&mut self, padg: &Flow, now: Instant) -> Option<Flow> {
        if now.saturating_since(self.answers_since) >= ANSWERS_TIME {
            (self.answers, self.answers_since) = (0, now);
        }
        if self.answers >= ANSWERS {
            return None;
        }
        self.answers = self.answers.saturating_add(1);
        // Sequence numbers wrap: the half behind the last one is older.
        let is_new = |last| (1..0x8000).contains(&padg.sequence.wrapping_sub(last));
        if self.last.is_none_or(is_new) {
            self.last = Some(padg.sequence);
            self.left = self.left.saturating_add(padg.credits.forward);
        }
        self.told(padg.credits, now);
        Some(self.flow(padg.sequence, 0))
    }

    /// Credits arrived in front of a PPP packet.
    pub fn granted_in_band(&mut self, credits: Credits, now: Instant) {
        self.left = self.left.saturating_add(credits.forward);
        self.told(credits, now);
    }

    /// A PADC arrived.
    pub fn responded(&mut self, padc: &Flow, now: Instant) {
        if self.tries == 0 || padc.sequence != self.sequence {
            return;
        }
        self.tries = 0;
        self.told(padc.credits, now);
    }

    /// PPP packets arrived.
    pub fn received(&mut self, packets: u32, octets: u64, now: Instant) {
        // Each costs at most one more than its share: too much is as good as too little, and sooner mended.
        let whole = octets.checked_div(self.unit.into()).unwrap_or(0);
        let cost = packets.saturating_add(u32::try_from(whole).unwrap_or(u32::MAX));
        self.used = self.used.saturating_add(cost);
        self.peer = self.peer.saturating_sub(u16::try_from(cost).unwrap_or(u16::MAX));
        self.check_soon(now);
    }

    /// The PADG to send now, if any: with credits as soon as the peer has used half of what it is kept at; a second after
    /// things have changed; and again while it has no answer.
    ///
    /// # Errors
    ///
    /// [`Unanswered`], from then on.
    pub fn poll(&mut self, now: Instant) -> Result<Option<Flow>, Unanswered> {
        if self.tries != 0 {
            if now < self.due {
                return Ok(None);
            }
            if self.tries >= TRIES {
                return Err(Unanswered);
            }
            self.tries = self.tries.saturating_add(1);
            self.due = now.saturating_add(PATIENCE);
            return Ok(Some(self.flow(self.sequence, 0)));
        }
        let deficit = self.window.saturating_sub(self.peer);
        let half_used = self.used != 0 && deficit >= self.window.div_ceil(2);
        if !half_used && self.check.is_none_or(|check| check > now) {
            return Ok(None);
        }
        self.sequence = self.sequence.wrapping_add(1);
        (self.tries, self.due) = (1, now.saturating_add(PATIENCE));
        (self.used, self.check) = (0, None);
        self.peer = self.peer.saturating_add(deficit);
        Ok(Some(self.flow(self.sequence, deficit)))
    }

    /// When to call [`poll`](Self::poll).
    pub const fn deadline(&self) -> Option<Instant> {
        if self.tries == 0 { self.check } else { Some(self.due) }
    }

    /// The peer says what it has left. While a grant may be under way to it, that says nothing.
    fn told(&mut self, credits: Credits, now: Instant) {
        if self.tries == 0 {
            self.peer = credits.backward;
            if self.peer < self.window {
                self.check_soon(now);
            }
        }
    }

    fn check_soon(&mut self, now: Instant) {
        self.check.get_or_insert(now.saturating_add(PATIENCE));
    }

    fn flow(&self, sequence: u16, forward: u16) -> Flow {
        Flow { key: self.key, sequence, credits: Credits { forward, backward: self.left } }
    }
}
