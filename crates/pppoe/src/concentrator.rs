//! The Discovery stage as the Access Concentrator (sections 5.2 to 5.5): calls that come in.
//!
//! A PADI is answered from the packet alone. What the PADO promised stands in its AC-Cookie, so that a Host costs
//! nothing before it has shown, with a PADR that returns the cookie, that it can hear. Only then there is a request:
//! the caller offers it to whoever takes calls, and answers when that has decided.
//!
//! # Use
//!
//! ```
//! use pppoe::bounded::Bytes;
//! use pppoe::concentrator::{Concentrator, Config, Event, Refusal};
//! # use pppoe::{Address, Inbound, Instant, SessionKey, SessionTable};
//! # fn send(_: &[u8]) {}
//! # fn offer_the_call(_: pppoe::concentrator::RequestId, _: u32) {}
//! # fn sketch(
//! #     own: Address, now: Instant, frame: &[u8], secret: [u8; 16], sessions: &SessionTable,
//! #     request: pppoe::concentrator::RequestId, key: SessionKey,
//! # ) -> Option<()> {
//! // Once, at PASSIVE_LEVEL, with octets from a cryptographic generator (BCryptGenRandom):
//! let config = Config::new(own, Bytes::new(b"mcm")?);
//! let mut concentrator = Concentrator::try_new(&config, &secret, now).ok()?;
//!
//! // A frame came. The names are those that clients registered SAPs for; an index finds the SAP again.
//! let services: [&[u8]; 2] = [b"internet", b"voice"];
//! let mut buffer = [0; pppoe::ethernet::MAX_FRAME];
//! if let Ok(Inbound::Concentrator(packet)) = Inbound::parse(frame, own) {
//!     match concentrator.handle(now, &packet, &services, &mut buffer) {
//!         Event::Answer(answer) => send(buffer.get(..answer.len)?),
//!         // Without the lock: create a VC, dispatch the incoming call; keep the id with the VC.
//!         Event::Requested(request) => offer_the_call(request.id, request.offer),
//!         Event::Ignored(_) => {}
//!     }
//! }
//!
//! // The client took the call. The session goes into the tables before the PADS leaves, for the Host may be quick.
//! match concentrator.accept(now, request, |key| sessions.contains(key), &mut buffer) {
//!     Ok(accepted) => send(buffer.get(..accepted.len)?),
//!     // The Host gave up meanwhile, or there is no room: the call is over; tell the client.
//!     Err(_) => { let _ = concentrator.reject(now, request, Refusal::AcSystem("busy"), &mut buffer); }
//! }
//! // Or it did not, or its VC could not be activated (also after `accept`, while the PADS has not been sent):
//! if let Some(len) = concentrator.reject(now, request, Refusal::AcSystem("refused"), &mut buffer) {
//!     send(buffer.get(..len)?);
//! }
//! // The session is over, by a PADT from the Host or by a `Padt` sent to it:
//! concentrator.close(key);
//! // At `deadline()`: requests that waited too long. Their calls are over.
//! while let Some(request) = concentrator.expire(now) { /* tell the client */ }
//! # None
//! # }
//! ```
//!
//! # What it withstands
//!
//! - Answers go to a unicast source that is another station, one for one packet, at a limited [`Rate`]; what exceeds
//!   it is ignored. So it is no amplifier worth the name.
//! - A cookie is bound to the Host's address, Host-Uniq and Relay-Session-Id, and serves one request, for seconds.
//!   Anything else than that has no effect, and leaves no state.
//! - A repeated PADR gets the answer its first one got, for as long as its cookie would serve and longer. So a lost
//!   PADS does not leave a session open here that the Host does not know of.
//! - The number of requests and sessions is limited, in all and for each station ([`Limits`]); a request takes less
//!   than 2 KiB, without being looked for in lists.
//! - An answer that does not fit a frame, because the Host asks to have too much returned, is not sent.
//!
//! # Extensions
//!
//! PPP-Max-Payload (RFC 4638) is granted up to [`Config::max_payload`]. Flow control by credits (RFC 5578) is agreed to
//! if [`Config::credits`] is set and the PADR asks for it; the PADS has Credits then, and the Credit Scale Factor of the
//! PADR, if that has one. PADG, PADC and PADQ never get here, since they are
//! [`Inbound::Extension`](crate::Inbound::Extension).

mod answer;
mod config;
mod cookie;
mod event;
mod limiter;
mod reception;
mod requests;
mod service;
mod session_id;

pub use config::{Config, Limits};
pub use cookie::BadCookie;
pub use event::{Accepted, Answer, Event, Ignored, NotAccepted, Refusal, Request, RequestId};
pub use limiter::Rate;
pub use service::Services;

use core::time::Duration;

use cookie::Jar;
use limiter::Limiter;
use requests::{Requests, State};
use session_id::SessionIds;

use crate::credit;
use crate::error::OutOfMemory;
use crate::ethernet::Address;
use crate::instant::Instant;
use crate::packet::Code;
use crate::repr::{MAX_PAYLOAD_DEFAULT, Repr};
use crate::secret::{Key, Sequence};
use crate::session::{Session, SessionKey};
use crate::table::Table;

/// How many ids are tried for a session: each may be in use between the same stations the other way around, in a
/// call that this station made.
const ID_TRIES: usize = 64;

/// The Access Concentrator of one interface.
///
/// Takes 137 KiB when idle, most of it for the ids, and about 32 octets more for each session that is allowed; grows with
/// requests, by what [`Limits`] allows.
/// Not synchronised. Every function may be called at `IRQL <= DISPATCH_LEVEL`.
#[derive(Debug)]
pub struct Concentrator {
    config: Config,
    jar: Jar,
    limiter: Limiter,
    requests: Requests,
    ids: SessionIds,
    /// The ids of the sessions of each station.
    sessions: Table,
}

impl Concentrator {
    /// An Access Concentrator without sessions. `secret` is what its cookies and ids rest on: from a cryptographic
    /// generator, and never the same again.
    pub fn try_new(config: &Config, secret: &[u8; 16], now: Instant) -> Result<Self, OutOfMemory> {
        let mut concentrator = Self::new(config, secret, now);
        concentrator.try_fill()?;
        Ok(concentrator)
    }

    /// The same without memory: it answers nobody before [`try_fill`](Self::try_fill). It cannot fail, so that it can be
    /// made where it is to be.
    pub fn new(config: &Config, secret: &[u8; 16], now: Instant) -> Self {
        let key = Key::new(secret);
        let mut random = Sequence::new(key.derive("tables"));
        let limits = config.limits;
        Self {
            config: *config,
            jar: Jar::new(&key.derive("cookies"), config.cookie_lifetime, now),
            limiter: Limiter::new(limits.station, limits.all, key.derive("stations")),
            sessions: Table::new(random.next()),
            requests: Requests::new([random.next(), random.next()], now),
            ids: SessionIds::new(Sequence::new(key.derive("ids"))),
        }
    }

    /// Gets the memory of one that is [new](Self::new), once.
    pub fn try_fill(&mut self) -> Result<(), OutOfMemory> {
        let limits = self.config.limits;
        self.sessions.try_reserve(limits.sessions.into())?;
        self.limiter.try_fill(limits.sessions)?;
        self.requests.try_fill()?;
        self.ids.try_fill()
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Sessions that are open.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Requests that wait for [`accept`](Self::accept) or [`reject`](Self::reject).
    pub fn waiting(&self) -> usize {
        self.requests.waiting()
    }

    /// Requests that take memory: those that wait, and those remembered.
    pub fn requests(&self) -> usize {
        self.requests.len()
    }

    /// When to call [`expire`](Self::expire) next; `None` while there are no requests.
    pub fn deadline(&self) -> Option<Instant> {
        self.requests.wake()
    }

    /// Takes a PADI or PADR. An answer is written, padded, to the start of `buffer`, which should have
    /// [`MAX_FRAME`](crate::ethernet::MAX_FRAME) octets.
    pub fn handle<'a>(
        &mut self,
        now: Instant,
        packet: &Repr<'a>,
        services: &(impl Services + ?Sized),
        buffer: &mut [u8],
    ) -> Event<'a> {
        let own = self.config.own;
        let for_us = packet.destination == own
            || (packet.destination == Address::BROADCAST && packet.code == Code::Padi);
        if !for_us || packet.source == own || !packet.source.is_unicast() {
            return Event::Ignored(Ignored::Address);
        }
        if packet.error.is_some() {
            return Event::Ignored(Ignored::Error);
        }
        let event = match packet.code {
            Code::Padi => self.solicited(now, packet, services, buffer),
            Code::Padr => self.requested(now, packet, services, buffer),
            _ => Err(Ignored::Code),
        };
        event.unwrap_or_else(Event::Ignored)
    }

    /// Opens the session of a request, under an id for which `in_use` does not know a session, and writes the PADS to
    /// the start of `buffer`. Have the session ready before the PADS is sent.
    pub fn accept(
        &mut self,
        now: Instant,
        request: RequestId,
        in_use: impl FnMut(SessionKey) -> bool,
        buffer: &mut [u8],
    ) -> Result<Accepted, NotAccepted> {
        let entry = self.requests.get(request).filter(|entry| entry.state == State::Waiting);
        let entry = entry.ok_or(NotAccepted::Gone)?;
        let (peer, max_payload) = (entry.peer, entry.max_payload);
        let credits = entry.credits.map(credit::Answer::agreement);
        self.sessions.try_reserve(1).map_err(|_| NotAccepted::Resources)?;
        let key = allocate(&mut self.ids, peer, in_use).ok_or(NotAccepted::Resources)?;
        let pads = answer::confirmation(self.config.own, entry, key.id(), buffer);
        let Ok(len) = pads else {
            self.ids.free(key.id());
            return Err(NotAccepted::Resources);
        };
        // Room is reserved.
        let _ = self.sessions.try_insert(requests::station(peer), key.id().into());
        self.settle(now, request, State::Accepted(key.id()));
        let max_payload = max_payload.unwrap_or_else(|| self.usual_max_payload());
        Ok(Accepted { session: Session { key, max_payload }, credits, len })
    }

    /// Refuses a request, or takes back its session while the PADS has not been sent, and writes a PADS that says why
    /// to the start of `buffer`. `None`: there is nothing to send, since the request has gone, or has been answered
    /// otherwise.
    pub fn reject(
        &mut self,
        now: Instant,
        request: RequestId,
        refusal: Refusal,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let entry = self.requests.get(request)?;
        let (peer, state) = (entry.peer, entry.state);
        let pads = match state {
            State::Waiting | State::Accepted(_) => {
                answer::rejection(self.config.own, peer, &entry.returned, refusal, buffer)
            }
            State::Rejected(_) | State::Over => return None,
        };
        if let State::Accepted(id) = state {
            self.release(peer, id);
        }
        self.settle(now, request, State::Rejected(refusal));
        pads.ok()
    }

    /// Notes that a session is over, whoever ended it: its id rests, then serves again. Whether there was one: a
    /// session that this station opened as a Host is not of this Access Concentrator.
    pub fn close(&mut self, key: SessionKey) -> bool {
        if !self.release(key.peer(), key.id()) {
            return false;
        }
        if let Some(request) = self.requests.of_session(key.peer(), key.id()) {
            self.requests.settle(request, State::Over);
        }
        true
    }

    /// Forgets what is due and yields a request that has waited too long: the Host has given up, and the call is
    /// over. `None`: there are no more.
    pub fn expire(&mut self, now: Instant) -> Option<RequestId> {
        loop {
            let (id, entry) = self.requests.expire(now)?;
            if entry.state == State::Waiting {
                return Some(id);
            }
        }
    }

    /// Gives a request the answer that is remembered.
    fn settle(&mut self, now: Instant, request: RequestId, state: State) {
        self.requests.settle(request, state);
        let memory = self.config.memory.max(self.cookie_life());
        self.requests.keep_until(request, now.saturating_add(memory));
    }

    fn release(&mut self, peer: Address, id: u16) -> bool {
        let removed = self.sessions.remove(requests::station(peer), id.into());
        if removed {
            self.ids.free(id);
        }
        removed
    }

    /// How long after its first PADR a cookie may still be young enough, with the inexactness of its time.
    fn cookie_life(&self) -> Duration {
        self.config.cookie_lifetime.saturating_add(Duration::from_secs(1))
    }

    /// What a session without PPP-Max-Payload carries.
    fn usual_max_payload(&self) -> u16 {
        self.config.max_payload.min(MAX_PAYLOAD_DEFAULT)
    }
}

/// An id for a session with `peer`.
fn allocate(
    ids: &mut SessionIds,
    peer: Address,
    mut in_use: impl FnMut(SessionKey) -> bool,
) -> Option<SessionKey> {
    for _ in 0..ID_TRIES {
        let id = ids.allocate()?;
        let key = SessionKey::new(peer, id)?;
        if !in_use(key) {
            return Some(key);
        }
        ids.free(id);
    }
    None
}
