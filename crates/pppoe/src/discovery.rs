//! The Discovery stage of one call, as the Host (section 5).

use crate::bounded::{Bytes, Text};
use crate::config::{Backoff, Config, Timing};
use crate::credit;
use crate::error::Error;
use crate::ethernet::Address;
use crate::instant::{Instant, millis};
use crate::packet::Code;
use crate::random::Random;
use crate::repr::{ErrorTag, MAX_PAYLOAD_DEFAULT, Repr};
use crate::session::{Session, SessionKey};
use crate::tag::TagType;

/// Octets of the longest Service-Name or AC-Name that can be asked for.
pub const NAME_MAX: usize = 128;
/// Octets of the longest Host-Uniq.
pub const HOST_UNIQ_MAX: usize = 64;
/// Octets of the longest AC-Cookie that is returned; in the field they have 16 to 40.
pub const COOKIE_MAX: usize = 512;
/// Octets of the longest Relay-Session-Id that is returned; the RFC expects 12.
pub const RELAY_MAX: usize = 128;

/// The stage of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Waiting for a PADO.
    Soliciting,
    /// Waiting for the PADS of the Access Concentrator chosen.
    Requesting,
    /// Connected.
    Connected,
    /// Failed or cancelled.
    Closed,
}

/// A frame to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Octets, from the start of the buffer.
    pub len: usize,
    /// PADI or PADR.
    pub code: Code,
    /// The how-manieth in a row, from 1.
    pub attempt: u8,
}

/// What a received packet meant to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing; the state has not changed.
    Ignored(Ignored),
    /// An Access Concentrator was chosen; [`Discovery::poll`] has a PADR for it at once.
    Offered(Address),
    /// The session is there; the call needs this [`Discovery`] no longer.
    Connected(Session),
    /// An Access Concentrator confirmed a session this call has no use for: it answered two PADRs with two
    /// sessions, or too late. It wants a PADT ([`Padt::new`](crate::Padt::new)), or it stays open there.
    Superfluous(SessionKey),
    /// The Access Concentrator refused.
    Failed(Error),
}

/// Why a packet was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// Not a PADO or PADS.
    Code,
    /// Not addressed to this station, or from it.
    Address,
    /// Host-Uniq is missing or another.
    HostUniq,
    /// Not expected in this state, such as a second PADO.
    State,
    /// Not from the Access Concentrator wanted or chosen.
    Peer,
    /// A PADO without this tag.
    Missing(TagType),
    /// A PADO from an Access Concentrator of another name.
    AcName,
    /// A PADO without the service wanted.
    ServiceName,
    /// A PADO with a tag too long to be returned.
    TooLong(TagType),
    /// A PADO with an error.
    Error,
    /// The PADS again.
    Duplicate,
    /// A PADS for a session that is in use.
    InUse,
}

/// Discovery of one call.
///
/// Feed it PADO and PADS with [`handle`](Self::handle), call [`poll`](Self::poll) after that and at the
/// [`deadline`](Self::deadline), and send what it writes. The first poll writes the first PADI.
///
/// Takes 1.5 KiB; a call needs it until it is connected and [`linger`](Self::linger) has passed, an
/// established session does not.
///
/// The first acceptable PADO wins. Which are acceptable, [`Config`] says.
#[derive(Debug)]
pub struct Discovery {
    own: Address,
    service_name: Bytes<NAME_MAX>,
    ac_name: Option<Bytes<NAME_MAX>>,
    ac_address: Option<Address>,
    host_uniq: Bytes<HOST_UNIQ_MAX>,
    max_payload: u16,
    credits: Option<credit::Offer>,
    agreement: Option<credit::Agreement>,
    timing: Timing,
    random: Random,
    phase: Phase,
    /// When to send next or give up; of no meaning when connected or closed.
    due: Instant,
    /// How often the packet of this phase has been sent.
    attempt: u8,
    restarts: u8,
    offer: Offer,
    /// To whom the last PADR went and when: who may still owe a PADS.
    requested: Option<(Address, Instant)>,
    /// PADRs sent in all.
    requests: u8,
    /// Why an answer was not acceptable: a better reason than that none came.
    refusal: Option<Error>,
    service: Text,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Soliciting,
    Requesting,
    Connected(Session),
    Closed,
}

/// What a PADO leaves to be returned.
#[derive(Debug)]
struct Offer {
    peer: Address,
    ac_name: Text,
    cookie: Option<Bytes<COOKIE_MAX>>,
    relay: Option<Bytes<RELAY_MAX>>,
}

impl Offer {
    const NONE: Self = Self { peer: Address::BROADCAST, ac_name: Text::EMPTY, cookie: None, relay: None };

    /// Forgets all but the name, should a PADS come after all.
    fn forget(&mut self) {
        self.peer = Address::BROADCAST;
        self.cookie = None;
        self.relay = None;
    }
}

impl Discovery {
    /// A call whose first PADI is due `now`. `random` seeds jitter and, unless the configuration has a
    /// Host-Uniq, is its token: it must differ from call to call and not be guessable; nothing else depends
    /// on it.
    ///
    /// # Errors
    ///
    /// [`Error::TagTooLong`] if a name or Host-Uniq is longer than is stored.
    pub fn new(config: &Config<'_>, now: Instant, random: u64) -> Result<Self, Error> {
        Self::check(config)?;
        Ok(Self::of(config, now, random))
    }

    /// Whether a call can be made so.
    ///
    /// # Errors
    ///
    /// As of [`new`](Self::new).
    pub fn check(config: &Config<'_>) -> Result<(), Error> {
        fits::<NAME_MAX>(TagType::ServiceName, Some(config.service_name))?;
        fits::<NAME_MAX>(TagType::AcName, config.ac_name)?;
        fits::<HOST_UNIQ_MAX>(TagType::HostUniq, config.host_uniq)
    }

    /// [`new`](Self::new) with a configuration that has been [checked](Self::check). It cannot fail, so that it can be
    /// made where it is to be.
    pub fn of(config: &Config<'_>, now: Instant, random: u64) -> Self {
        let mut random = Random::new(random);
        let token = random.next().to_be_bytes();
        Self {
            own: config.own,
            service_name: stored(config.service_name),
            ac_name: config.ac_name.map(stored),
            ac_address: config.ac_address,
            host_uniq: stored(config.host_uniq.unwrap_or(&token)),
            max_payload: config.max_payload,
            credits: config.credits,
            agreement: None,
            timing: config.timing,
            random,
            phase: Phase::Soliciting,
            due: now,
            attempt: 0,
            restarts: config.timing.restarts,
            offer: Offer::NONE,
            requested: None,
            requests: 0,
            refusal: None,
            service: Text::EMPTY,
        }
    }

    /// The stage of the call.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Soliciting => State::Soliciting,
            Phase::Requesting => State::Requesting,
            Phase::Connected(_) => State::Connected,
            Phase::Closed => State::Closed,
        }
    }

    /// The Host-Uniq of all packets of this call, by which to find it.
    pub fn host_uniq(&self) -> &[u8] {
        self.host_uniq.as_slice()
    }

    /// AC-Name of the Access Concentrator chosen; empty before.
    pub fn ac_name(&self) -> &str {
        if let Phase::Soliciting = self.phase { "" } else { self.offer.ac_name.as_str() }
    }

    /// Service-Name of the PADS, which may say more than the one asked for; empty before.
    pub fn service_name(&self) -> &str {
        self.service.as_str()
    }

    /// What the session has of flow control by credits; `None` before there is one.
    pub const fn agreement(&self) -> Option<credit::Agreement> {
        self.agreement
    }

    /// When to call [`poll`](Self::poll) next; `None` once connected or closed.
    pub fn deadline(&self) -> Option<Instant> {
        matches!(self.phase, Phase::Soliciting | Phase::Requesting).then_some(self.due)
    }

    /// Until when a PADS may still come that makes a session [`Superfluous`](Event::Superfluous); `None` if
    /// none is to be expected. Of use once connected or closed: who drops the call before leaves such a
    /// session open at the Access Concentrator.
    pub fn linger(&self) -> Option<Instant> {
        let answered = u8::from(matches!(self.phase, Phase::Connected(_)));
        let (_, sent) = self.requested.filter(|_| self.requests > answered)?;
        Some(sent.saturating_add(self.timing.padr.wait(1)))
    }

    /// Gives the call up. Nothing more is sent; see [`linger`](Self::linger). A connected call stays connected: there is
    /// nothing to give up any more, and the PADS that it has had is not to be waited for.
    pub fn cancel(&mut self) {
        if !matches!(self.phase, Phase::Connected(_)) {
            self.phase = Phase::Closed;
        }
    }

    /// Does what is due: writes a frame, padded, to the start of `buffer`, or gives up. `Ok(None)`: nothing
    /// is due.
    ///
    /// # Errors
    ///
    /// [`Error::Buffer`] if `buffer` is too short; nothing has changed then. Any other error ends the call:
    /// [`Error::NoConfirmation`], or the reason why no offer was acceptable, or [`Error::NoOffer`].
    pub fn poll(&mut self, now: Instant, buffer: &mut [u8]) -> Result<Option<Transmit>, Error> {
        if self.deadline().is_none_or(|due| due > now) {
            return Ok(None);
        }
        let tries = self.backoff().tries.max(1);
        if self.attempt >= tries {
            let failure = match self.phase {
                Phase::Requesting if self.restarts == 0 => Error::NoConfirmation,
                Phase::Requesting => return self.restart(now, buffer),
                _ => self.refusal.unwrap_or(Error::NoOffer),
            };
            self.phase = Phase::Closed;
            return Err(failure);
        }
        self.send(now, buffer).map(Some)
    }

    /// Takes a PADO or PADS. `in_use` says whether a session exists already, of whichever call: such a one is
    /// neither taken twice nor terminated, or one forged PADS would end it.
    pub fn handle(
        &mut self,
        now: Instant,
        packet: &Repr<'_>,
        in_use: impl FnOnce(SessionKey) -> bool,
    ) -> Event {
        if packet.destination != self.own || packet.source == self.own || !packet.source.is_unicast() {
            return Event::Ignored(Ignored::Address);
        }
        if packet.host_uniq != Some(self.host_uniq.as_slice()) {
            return Event::Ignored(Ignored::HostUniq);
        }
        let event = match packet.code {
            Code::Pado => self.offered(now, packet),
            Code::Pads => self.confirmed(packet, in_use),
            _ => Err(Ignored::Code),
        };
        event.unwrap_or_else(Event::Ignored)
    }

    fn backoff(&self) -> Backoff {
        if let Phase::Requesting = self.phase { self.timing.padr } else { self.timing.padi }
    }

    fn send(&mut self, now: Instant, buffer: &mut [u8]) -> Result<Transmit, Error> {
        let requesting = matches!(self.phase, Phase::Requesting);
        let code = if requesting { Code::Padr } else { Code::Padi };
        let offer = requesting.then_some(&self.offer);
        let mut packet = Repr::new(offer.map_or(Address::BROADCAST, |offer| offer.peer), self.own, code);
        packet.service_name = Some(self.service_name.as_slice());
        packet.host_uniq = Some(self.host_uniq.as_slice());
        packet.ac_cookie = offer.and_then(|offer| offer.cookie.as_ref()).map(Bytes::as_slice);
        packet.relay_session_id = offer.and_then(|offer| offer.relay.as_ref()).map(Bytes::as_slice);
        packet.max_payload = Some(self.max_payload).filter(|&octets| octets > MAX_PAYLOAD_DEFAULT);
        if let Some((credits, scale)) = self.credits.filter(|_| requesting).map(credit::Offer::tags) {
            (packet.credits, packet.credit_scale) = (Some(credits), scale);
        }
        let len = packet.emit(buffer)?;

        self.attempt = self.attempt.saturating_add(1);
        let wait = self.backoff().wait(self.attempt);
        let jitter = core::time::Duration::from_millis(self.random.up_to(millis(wait) >> 2));
        self.due = now.saturating_add(wait.saturating_add(jitter));
        if requesting {
            self.requested = Some((self.offer.peer, now));
            self.requests = self.requests.saturating_add(1);
        }
        Ok(Transmit { len, code, attempt: self.attempt })
    }

    /// Goes back to PADI: the Access Concentrator may be gone, and its cookie with it.
    fn restart(&mut self, now: Instant, buffer: &mut [u8]) -> Result<Option<Transmit>, Error> {
        let attempt = core::mem::take(&mut self.attempt);
        self.phase = Phase::Soliciting;
        let sent = self.send(now, buffer);
        if sent.is_ok() {
            self.restarts = self.restarts.saturating_sub(1);
            self.offer.forget();
        } else {
            self.attempt = attempt;
            self.phase = Phase::Requesting;
        }
        sent.map(Some)
    }

    fn offered(&mut self, now: Instant, packet: &Repr<'_>) -> Result<Event, Ignored> {
        if !matches!(self.phase, Phase::Soliciting) || self.attempt == 0 {
            return Err(Ignored::State);
        }
        if self.ac_address.is_some_and(|address| address != packet.source) {
            return Err(Ignored::Peer);
        }
        if let Some(error) = packet.error {
            self.refusal = Some(failure(error));
            return Err(Ignored::Error);
        }
        let ac_name = packet.ac_name.ok_or(Ignored::Missing(TagType::AcName))?;
        if self.ac_name.is_some_and(|wanted| wanted.as_slice() != ac_name) {
            return Err(Ignored::AcName);
        }
        // Asked for any service, Access Concentrators with named ones leave the empty name out of the answer.
        let service = packet.service_name.ok_or(Ignored::Missing(TagType::ServiceName))?;
        let wanted = self.service_name.as_slice();
        if !wanted.is_empty() && service != wanted && !packet.offers(wanted) {
            return Err(Ignored::ServiceName);
        }
        self.returns::<COOKIE_MAX>(TagType::AcCookie, packet.ac_cookie)?;
        self.returns::<RELAY_MAX>(TagType::RelaySessionId, packet.relay_session_id)?;
        self.offer.peer = packet.source;
        self.offer.ac_name = Text::new(ac_name);
        store(&mut self.offer.cookie, packet.ac_cookie);
        store(&mut self.offer.relay, packet.relay_session_id);
        self.phase = Phase::Requesting;
        self.attempt = 0;
        self.due = now;
        Ok(Event::Offered(packet.source))
    }

    /// Whether a tag can be stored that the PADR must carry unmodified. One that cannot makes the offer unacceptable.
    fn returns<const N: usize>(&mut self, kind: TagType, value: Option<&[u8]>) -> Result<(), Ignored> {
        fits::<N>(kind, value).map_err(|error| {
            self.refusal = Some(error);
            Ignored::TooLong(kind)
        })
    }

    fn confirmed(
        &mut self,
        packet: &Repr<'_>,
        in_use: impl FnOnce(SessionKey) -> bool,
    ) -> Result<Event, Ignored> {
        let (peer, _) = self.requested.ok_or(Ignored::State)?;
        if packet.source != peer {
            return Err(Ignored::Peer);
        }
        let requesting = matches!(self.phase, Phase::Requesting) && self.attempt > 0;
        if let Some(error) = packet.error {
            if !requesting {
                return Err(Ignored::State);
            }
            let failure = failure(error);
            self.phase = Phase::Closed;
            return Ok(Event::Failed(failure));
        }
        let key = SessionKey::new(packet.source, packet.session_id).ok_or(Ignored::State)?;
        if matches!(self.phase, Phase::Connected(session) if session.key == key) {
            return Err(Ignored::Duplicate);
        }
        if in_use(key) {
            return Err(Ignored::InUse);
        }
        // Late, after the return to PADI, it is still what was asked for. To terminate it and go on would be worse: a
        // copy of this PADS, under way, would then pass for the confirmation of the next PADR.
        let wanted = match self.phase {
            Phase::Soliciting => true,
            Phase::Requesting => self.offer.peer == peer,
            Phase::Connected(_) | Phase::Closed => false,
        };
        if !wanted {
            return Ok(Event::Superfluous(key));
        }
        // Many Access Concentrators have the tag in the PADO only, so the PADS decides. More than was asked
        // for is not given.
        let session = Session {
            key,
            max_payload: packet.max_payload.unwrap_or(MAX_PAYLOAD_DEFAULT).min(self.max_payload),
        };
        self.agreement = self.credits.and_then(|offer| offer.agreed(packet));
        self.service = Text::new(packet.service_name.unwrap_or_default());
        self.phase = Phase::Connected(session);
        Ok(Event::Connected(session))
    }
}

fn fits<const N: usize>(kind: TagType, value: Option<&[u8]>) -> Result<(), Error> {
    if value.is_none_or(|value| value.len() <= N) { Ok(()) } else { Err(Error::TagTooLong(kind)) }
}

fn stored<const N: usize>(value: &[u8]) -> Bytes<N> {
    Bytes::new(value).unwrap_or(Bytes::EMPTY)
}

/// Stores a tag, of which it is known that it fits, in its place.
fn store<const N: usize>(place: &mut Option<Bytes<N>>, value: Option<&[u8]>) {
    *place = None;
    if let Some(value) = value {
        let _ = place.insert(Bytes::EMPTY).set(value);
    }
}

fn failure(error: ErrorTag<'_>) -> Error {
    let text = Text::new(error.text);
    match error.kind {
        TagType::ServiceNameError => Error::ServiceName(text),
        TagType::AcSystemError => Error::AcSystem(text),
        _ => Error::Generic(text),
    }
}
