//! What comes of a PADI and of a PADR.

use super::answer::{self, Returned};
use super::cookie::{BadCookie, Cookie};
use super::event::{Answer, Event, Ignored, Refusal, Request, RequestId};
use super::limiter::Purpose;
use super::requests::{self, Entry, State};
use super::service::Services;
use super::{Concentrator, Config, Limits};
use crate::credit;
use crate::error::OutOfMemory;
use crate::ethernet::Address;
use crate::instant::Instant;
use crate::packet::Code;
use crate::repr::{MAX_PAYLOAD_DEFAULT, Repr};

impl Concentrator {
    /// A PADI.
    pub(super) fn solicited<'a>(
        &mut self,
        now: Instant,
        padi: &Repr<'a>,
        services: &(impl Services + ?Sized),
        buffer: &mut [u8],
    ) -> Result<Event<'a>, Ignored> {
        let name = padi.service_name.ok_or(Ignored::ServiceName)?;
        services.find(name).ok_or(Ignored::ServiceName)?;
        if self.is_busy() || !self.has_room(padi.source) {
            return Err(Ignored::Full);
        }
        self.admit(now, padi.source, Purpose::Offer)?;
        let Config { own, ac_name, .. } = self.config;
        let cookie = self.jar.issue(now, own, padi);
        let granted = self.granted(padi);
        let len = answer::pado(own, ac_name.as_slice(), padi, cookie, granted, services, buffer)
            .map_err(|_| Ignored::TooLong)?;
        Ok(Event::Answer(Answer { len, code: Code::Pado, refusal: None }))
    }

    /// A PADR.
    pub(super) fn requested<'a>(
        &mut self,
        now: Instant,
        padr: &Repr<'a>,
        services: &(impl Services + ?Sized),
        buffer: &mut [u8],
    ) -> Result<Event<'a>, Ignored> {
        let cookie = Cookie::parse(padr.ac_cookie).map_err(Ignored::Cookie)?;
        if let Some((_, entry)) = self.requests.find(padr.source, &cookie) {
            let limiter = &mut self.limiter;
            return repeated(
                self.config.own,
                entry,
                padr,
                || limiter.admit(now, padr.source, Purpose::Confirmation),
                buffer,
            );
        }
        self.jar.verify(now, self.config.own, padr, &cookie).map_err(Ignored::Cookie)?;
        if self.is_busy() {
            return Err(Ignored::Full);
        }
        self.admit(now, padr.source, Purpose::Confirmation)?;
        if Returned::len(padr) > Returned::MAX {
            return Err(Ignored::TooLong);
        }
        let service_name = padr.service_name.unwrap_or_default();
        let Some(offer) = services.find(service_name) else {
            return self.refuse(padr, Refusal::ServiceName("service not offered"), buffer);
        };
        let added = if self.has_room(padr.source) { self.add(now, padr, cookie) } else { Err(OutOfMemory) };
        let Ok(id) = added else {
            return self.refuse(padr, Refusal::AcSystem("no more sessions"), buffer);
        };
        let max_payload = self.granted(padr).unwrap_or_else(|| self.usual_max_payload());
        Ok(Event::Requested(Request { id, peer: padr.source, service_name, offer, max_payload }))
    }

    /// Answers a PADR with an error, without state: another one with this cookie may do better.
    fn refuse<'a>(&self, padr: &Repr<'a>, refusal: Refusal, buffer: &mut [u8]) -> Result<Event<'a>, Ignored> {
        let len = answer::refusal(self.config.own, padr, refusal, buffer).map_err(|_| Ignored::TooLong)?;
        Ok(Event::Answer(Answer { len, code: Code::Pads, refusal: Some(refusal) }))
    }

    /// Adds a request that waits.
    fn add(&mut self, now: Instant, padr: &Repr<'_>, cookie: Cookie) -> Result<RequestId, OutOfMemory> {
        if self.requests.count_of(padr.source) >= usize::from(self.config.limits.station_requests) {
            return Err(OutOfMemory);
        }
        let entry = Entry {
            peer: padr.source,
            cookie,
            returned: Returned::try_new(padr)?,
            max_payload: self.granted(padr),
            credits: self.config.credits.and_then(|octets| credit::Answer::new(octets, padr)),
            state: State::Waiting,
        };
        self.requests.try_insert(entry, now.saturating_add(self.config.patience.max(self.cookie_life())))
    }

    /// Whether there are as many requests as may be. That passes within seconds: silence has a Host ask again, where an
    /// error would end its call.
    fn is_busy(&self) -> bool {
        let Limits { starting, requests, .. } = self.config.limits;
        self.requests.waiting() >= usize::from(starting) || self.requests.len() >= usize::from(requests)
    }

    /// Whether one more session with `peer` could be begun.
    fn has_room(&self, peer: Address) -> bool {
        let Limits { sessions, station_sessions, .. } = self.config.limits;
        let begun = self.sessions.len().saturating_add(self.requests.waiting());
        let of_peer = self.sessions.get(requests::station(peer)).count();
        begun < usize::from(sessions)
            && of_peer.saturating_add(self.requests.waiting_of(peer)) < usize::from(station_sessions)
    }

    fn admit(&mut self, now: Instant, peer: Address, purpose: Purpose) -> Result<(), Ignored> {
        if self.limiter.admit(now, peer, purpose) { Ok(()) } else { Err(Ignored::Rate) }
    }

    /// The PPP-Max-Payload to answer with (RFC 4638): not without being asked, nor more than asked for.
    fn granted(&self, packet: &Repr<'_>) -> Option<u16> {
        let granted = packet.max_payload?.min(self.config.max_payload);
        (granted > MAX_PAYLOAD_DEFAULT).then_some(granted)
    }
}

/// A PADR whose cookie has served the request `entry`: the answer is the same again.
fn repeated<'a>(
    own: Address,
    entry: &Entry,
    padr: &Repr<'_>,
    admit: impl FnOnce() -> bool,
    buffer: &mut [u8],
) -> Result<Event<'a>, Ignored> {
    if !entry.returned.is_of(padr) {
        return Err(Ignored::Cookie(BadCookie::Used));
    }
    let (session_id, refusal) = match entry.state {
        State::Waiting => return Err(Ignored::Waiting),
        State::Over => return Err(Ignored::Over),
        State::Accepted(id) => (id, None),
        State::Rejected(refusal) => (0, Some(refusal)),
    };
    if !admit() {
        return Err(Ignored::Rate);
    }
    let written = match refusal {
        None => answer::confirmation(own, entry, session_id, buffer),
        Some(refusal) => answer::rejection(own, entry.peer, &entry.returned, refusal, buffer),
    };
    let len = written.map_err(|_| Ignored::TooLong)?;
    Ok(Event::Answer(Answer { len, code: Code::Pads, refusal }))
}
