//! Calls that come in, until they have a session: who takes them, who is asked, and the protocol engine.

use alloc::boxed::Box;
use alloc::vec::Vec;
use condis::config::{self, Settings};
use ndis::{Ref, Result, Status, Unlocked};
use pppoe::bounded::Bytes;
use pppoe::concentrator::{Concentrator, Config, Limits, Rate, RequestId, Services};
use pppoe::{Instant, SessionKey};

use super::calls::now;
use super::lines::Lines;
use super::{AddressFamily, Sap, Vc};
use crate::adapter::{Adapter, settings};

/// The access concentrator of an adapter.
pub(super) struct Offered {
    /// Made with the first SAP, if at all: it takes memory, and a secret.
    pub(super) concentrator: Option<Box<Concentrator>>,
    secret: [u8; 16],
    /// In the order in which they were registered, which is that of their chances.
    pub(super) saps: Vec<Ref<Sap>>,
    /// VCs whose requests have not been answered.
    calls: Vec<(RequestId, Ref<Vc>)>,
}

/// The SAPs as what an access concentrator offers.
pub(super) struct Offers<'a> {
    pub(super) saps: &'a [Ref<Sap>],
    pub(super) lines: &'a Lines,
    pub(super) settings: &'a config::Concentrator,
    /// Whether a SAP whose lines are all in use is better than none: who only asks around shall ask elsewhere, who has
    /// asked for a session shall hear why there is none.
    pub(super) busy: bool,
}

impl Services for Offers<'_> {
    fn find(&self, name: &[u8]) -> Option<u32> {
        let fits = |sap: &Ref<Sap>| sap.wanted.accepts(name, self.settings);
        let is_free = |sap: &Ref<Sap>| self.lines.is_free(sap.line());
        let free = self.saps.iter().position(|sap| fits(sap) && is_free(sap));
        let place = free.or_else(|| self.saps.iter().position(|sap| self.busy && fits(sap)))?;
        u32::try_from(place).ok()
    }

    fn name(&self, nth: u32) -> Option<&[u8]> {
        let named = self.saps.iter().filter_map(|sap| sap.wanted.service());
        let listed =
            self.settings.services.iter().filter(|_| self.saps.iter().any(|sap| sap.call_mode().is_some()));
        named.chain(listed).nth(usize::try_from(nth).ok()?)
    }
}

impl Offered {
    /// Nothing is offered. `secret` must not be guessable by a peer.
    pub(super) const fn new(secret: [u8; 16]) -> Self {
        Self { concentrator: None, secret, saps: Vec::new(), calls: Vec::new() }
    }

    /// Notes whose call a request is.
    pub(super) fn add(&mut self, request: RequestId, vc: &Ref<Vc>) -> Result<()> {
        ndis::memory::push(&mut self.calls, (request, Ref::clone(vc)))
    }

    /// A request has been answered: its VC, if it was still noted.
    pub(super) fn remove(&mut self, request: RequestId) -> Option<Ref<Vc>> {
        let place = self.calls.iter().position(|(id, _)| *id == request)?;
        Some(self.calls.swap_remove(place).1)
    }

    /// Any call that is noted, of a client or of all.
    pub(super) fn take(&mut self, client: Option<&AddressFamily>) -> Option<Ref<Vc>> {
        let is_wanted = |vc: &Vc| client.is_none_or(|client| core::ptr::eq(client, &raw const *vc.family));
        let place = self.calls.iter().rposition(|(_, vc)| is_wanted(vc))?;
        Some(self.calls.swap_remove(place).1)
    }

    /// A request that waited too long; its VC, if it was still noted.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(RequestId, Option<Ref<Vc>>)> {
        let request = self.concentrator.as_mut()?.expire(now)?;
        Some((request, self.remove(request)))
    }

    /// When [`Self::expire`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.concentrator.as_ref()?.deadline()
    }

    /// A session is over.
    pub(super) fn session_ended(&mut self, key: SessionKey) {
        if let Some(concentrator) = &mut self.concentrator {
            concentrator.close(key);
        }
    }

    fn sap_added(&mut self, sap: &Ref<Sap>) -> Result<()> {
        ndis::memory::push(&mut self.saps, Ref::clone(sap))
    }

    fn sap_removed(&mut self, sap: &Sap) -> Option<Ref<Sap>> {
        let place = self.saps.iter().position(|other| core::ptr::eq(&raw const **other, sap))?;
        Some(self.saps.remove(place))
    }
}

impl Adapter {
    /// Offers calls to a SAP from now on; the first one makes an access concentrator of the adapter, if the registry allows
    /// that: whoever opens a line may have NDPROXY register SAPs, and nobody else has asked for a server on the network.
    #[inline(never)]
    pub(super) fn sap_added(&self, sap: &Ref<Sap>, locks: &mut Unlocked) -> Result<()> {
        let (missing, secret) = {
            let offered = self.calls.offered.lock(locks);
            (offered.concentrator.is_none(), offered.secret)
        };
        let missing = missing && self.settings.concentrator.enabled;
        let fresh = if missing { Some(self.concentrator(&secret)?) } else { None };
        let mut offered = self.calls.offered.lock(locks);
        offered.sap_added(sap)?;
        let spare = match (fresh, &mut offered.concentrator) {
            (Some(fresh), place @ None) => place.replace(fresh),
            (spare, _) => spare,
        };
        drop(offered);
        drop(spare);
        Ok(())
    }

    /// Offers no more calls to a SAP.
    pub(super) fn sap_removed(&self, sap: &Sap, locks: &mut Unlocked) {
        let removed = self.calls.offered.lock(locks).sap_removed(sap);
        drop(removed);
    }

    #[inline(never)]
    fn concentrator(&self, secret: &[u8; 16]) -> Result<Box<Concentrator>> {
        let config = config(self.station, &self.settings).ok_or(Status::FAILURE)?;
        let mut concentrator = ndis::memory::boxed_with(|| Concentrator::new(&config, secret, now()))?;
        concentrator.try_fill().map_err(|_| Status::RESOURCES)?;
        Ok(concentrator)
    }
}

/// How the access concentrator presents itself. A station may have as many calls as there are lines: who asks for more
/// than one is a relay, or runs a test.
fn config(station: pppoe::Address, settings: &Settings) -> Option<Config> {
    let concentrator = &settings.concentrator;
    let name = match concentrator.name.as_bytes() {
        [] => Bytes::new(&name_of(station)?)?,
        name => Bytes::new(name)?,
    };
    let mut config = Config::new(station, name);
    config.max_payload = settings.max_payload;
    config.credits = settings::credits_to_agree_to(settings);
    let lines = u16::try_from(settings.wan_endpoints).unwrap_or(u16::MAX);
    let of_station = u8::try_from(lines).unwrap_or(u8::MAX);
    let answers = concentrator.answers;
    config.limits = Limits {
        station: Some(Rate { per_second: 2, burst: u32::from(of_station).saturating_mul(2).max(10) }),
        all: Some(Rate { per_second: answers, burst: (answers / 4).max(LEAST_BURST) }),
        starting: concentrator.offered(settings.wan_endpoints),
        requests: concentrator.requests(settings.wan_endpoints),
        sessions: lines.min(Limits::DEFAULT.sessions),
        station_sessions: of_station,
        station_requests: of_station.max(Limits::DEFAULT.station_requests),
    };
    Some(config)
}

/// Answers that may go out at once, however few in a second: half of them for offers.
const LEAST_BURST: u32 = 4;

/// A name that no other station has.
fn name_of(station: pppoe::Address) -> Option<[u8; 16]> {
    let mut name = *b"mcm-000000000000";
    let digits = name.get_mut(4..)?.chunks_exact_mut(2);
    for (pair, octet) in digits.zip(station.0) {
        pair.copy_from_slice(&[digit(octet >> 4), digit(octet & 15)]);
    }
    Some(name)
}

/// The digit of a number below 16, in hexadecimal.
const fn digit(number: u8) -> u8 {
    let letter = if number < 10 { b'0' } else { b'a'.wrapping_sub(10) };
    letter.wrapping_add(number)
}
