//! AC-Cookies, which keep the state of an offer at the Host (section 5.2 and Appendix A).

use core::time::Duration;

use siphasher::sip128::Hash128;

use crate::ethernet::Address;
use crate::instant::{Instant, millis};
use crate::repr::Repr;
use crate::secret::Key;

/// How long a key is used. It then verifies for as long again, so this is the longest life of a cookie.
pub(super) const ROTATION: Duration = Duration::from_mins(1);

/// Milliseconds of a tick of the time in a cookie, as a power of two.
const TICK_SHIFT: u32 = 8;

/// A cookie: which key, which of many, when, and the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    generation: u16,
    /// Tells cookies of the same time apart: a Host whose Host-Uniq is always the same may end a session and ask for
    /// the next within a tick, and must not be taken to repeat itself.
    serial: u16,
    issued: u32,
    /// Compared in constant time.
    proof: Hash128,
}

/// Why a PADR's cookie is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BadCookie {
    /// There is none.
    Missing,
    /// Not made here, or for another station, Host-Uniq or Relay-Session-Id.
    Forged,
    /// Made here, too long ago.
    Expired,
    /// It has served another request.
    Used,
}

impl Cookie {
    /// Octets.
    pub(super) const LEN: usize = 24;

    pub(super) fn parse(value: Option<&[u8]>) -> Result<Self, BadCookie> {
        let value = value.ok_or(BadCookie::Missing)?;
        let octets = <[u8; Self::LEN]>::try_from(value).map_err(|_| BadCookie::Forged)?;
        let [a0, a1, b0, b1, c0, c1, c2, c3, proof @ ..] = octets;
        let proof = u128::from_be_bytes(proof);
        let half = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default();
        Ok(Self {
            generation: u16::from_be_bytes([a0, a1]),
            serial: u16::from_be_bytes([b0, b1]),
            issued: u32::from_be_bytes([c0, c1, c2, c3]),
            proof: Hash128 { h1: half(proof >> 64), h2: half(proof) },
        })
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut octets = [0; Self::LEN];
        let words = [self.generation, self.serial].into_iter().flat_map(u16::to_be_bytes);
        let proof = [self.proof.h1, self.proof.h2].into_iter().flat_map(u64::to_be_bytes);
        let parts = words.chain(self.issued.to_be_bytes()).chain(proof);
        for (to, from) in octets.iter_mut().zip(parts) {
            *to = from;
        }
        octets
    }

    /// A number to find the cookie by.
    pub(super) fn fingerprint(&self) -> u64 {
        self.proof.h1
    }
}

/// Makes and verifies cookies.
///
/// A cookie is a SipHash-2-4-128 over the Host's address, this station's, Host-Uniq, Relay-Session-Id, a number
/// and the time to a quarter of a second. The key changes every [`ROTATION`]; the one before is kept as long, and those before
/// that are gone: the next key comes from a chain that cannot be walked back.
#[derive(Debug)]
pub(super) struct Jar {
    chain: Key,
    current: Key,
    previous: Option<Key>,
    generation: u16,
    serial: u16,
    since: Instant,
    /// Ticks of a cookie's life.
    lifetime: u32,
    /// Added to the time in cookies, so that they do not tell when this station started.
    offset: u32,
}

impl Jar {
    pub(super) fn new(key: &Key, lifetime: Duration, now: Instant) -> Self {
        let offset = u32::try_from(key.number(0).h1 >> 32).unwrap_or_default();
        Self {
            chain: key.derive("next"),
            current: key.derive("cookie"),
            previous: None,
            generation: 0,
            serial: 0,
            since: now,
            lifetime: u32::try_from(millis(lifetime.min(ROTATION)) >> TICK_SHIFT).unwrap_or_default(),
            offset,
        }
    }

    /// A cookie for the sender of `packet`.
    pub(super) fn issue(&mut self, now: Instant, own: Address, packet: &Repr<'_>) -> Cookie {
        self.rotate(now);
        self.serial = self.serial.wrapping_add(1);
        let (generation, serial, issued) = (self.generation, self.serial, self.ticks(now));
        let proof = proof(&self.current, serial, issued, own, packet);
        Cookie { generation, serial, issued, proof }
    }

    /// Whether `cookie` was made for the sender of `packet`, and lately.
    pub(super) fn verify(
        &mut self,
        now: Instant,
        own: Address,
        packet: &Repr<'_>,
        cookie: &Cookie,
    ) -> Result<(), BadCookie> {
        self.rotate(now);
        let key = match self.generation.wrapping_sub(cookie.generation) {
            0 => Some(&self.current),
            1 => self.previous.as_ref(),
            _ => None,
        };
        let expected = key.map(|key| proof(key, cookie.serial, cookie.issued, own, packet));
        if expected.is_none_or(|expected| expected != cookie.proof) {
            return Err(BadCookie::Forged);
        }
        let age = self.ticks(now).wrapping_sub(cookie.issued);
        if age > self.lifetime { Err(BadCookie::Expired) } else { Ok(()) }
    }

    fn rotate(&mut self, now: Instant) {
        let age = now.saturating_since(self.since);
        if age < ROTATION {
            return;
        }
        let old = core::mem::replace(&mut self.current, self.chain.derive("cookie"));
        self.previous = (age < ROTATION.saturating_mul(2)).then_some(old);
        self.chain = self.chain.derive("next");
        self.generation = self.generation.wrapping_add(1);
        self.since = now;
    }

    fn ticks(&self, now: Instant) -> u32 {
        let ticks = (now.as_millis() >> TICK_SHIFT) & u64::from(u32::MAX);
        u32::try_from(ticks).unwrap_or_default().wrapping_add(self.offset)
    }
}

fn proof(key: &Key, serial: u16, issued: u32, own: Address, packet: &Repr<'_>) -> Hash128 {
    let presence = [u8::from(packet.host_uniq.is_some()), u8::from(packet.relay_session_id.is_some())];
    key.hash(&[
        &packet.source.0,
        &own.0,
        &serial.to_be_bytes(),
        &issued.to_be_bytes(),
        &presence,
        packet.host_uniq.unwrap_or_default(),
        packet.relay_session_id.unwrap_or_default(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Code;
    use proptest::prelude::*;

    const OWN: Address = Address([2, 0, 0, 0, 0xAC, 1]);
    const HOST: Address = Address([2, 0, 0, 0, 0xC1, 1]);
    const LIFE: Duration = Duration::from_secs(8);

    fn jar() -> Jar {
        Jar::new(&Key::new(b"sixteen octets!!"), LIFE, at(5000))
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn host() -> Repr<'static> {
        let mut packet = Repr::new(OWN, HOST, Code::Padr);
        packet.host_uniq = Some(b"token");
        packet
    }

    #[test]
    fn serves_until_it_expires() {
        let mut jar = jar();
        let cookie = jar.issue(at(10_000), OWN, &host());
        assert_eq!(Cookie::parse(Some(&cookie.to_bytes())), Ok(cookie));
        assert_eq!(jar.verify(at(18_000), OWN, &host(), &cookie), Ok(()));
        assert_eq!(jar.verify(at(18_300), OWN, &host(), &cookie), Err(BadCookie::Expired));
        assert_eq!(Cookie::parse(None), Err(BadCookie::Missing));
        assert_eq!(Cookie::parse(Some(&[0; 23])), Err(BadCookie::Forged));
    }

    #[test]
    fn survives_one_rotation() {
        let mut jar = jar();
        let before = jar.issue(at(64_999), OWN, &host());
        let after = jar.issue(at(65_000), OWN, &host());
        assert_eq!((before.generation, after.generation), (0, 1));
        assert_eq!(jar.verify(at(66_000), OWN, &host(), &before), Ok(()));
        assert_eq!(jar.verify(at(66_000), OWN, &host(), &after), Ok(()));
        // Two rotations on, the key itself is gone.
        assert_eq!(jar.verify(at(125_001), OWN, &host(), &after), Err(BadCookie::Expired));
        assert_eq!(jar.verify(at(125_001), OWN, &host(), &before), Err(BadCookie::Forged));
    }

    #[test]
    fn a_long_sleep_forgets_both_keys() {
        let mut jar = jar();
        let cookie = jar.issue(at(6000), OWN, &host());
        assert_eq!(jar.verify(at(500_000), OWN, &host(), &cookie), Err(BadCookie::Forged));
    }

    /// rp-pppoe: the cookie stays the same for the life of the process and does not know Host-Uniq.
    #[test]
    fn is_bound_to_what_it_was_made_for() {
        let mut jar = jar();
        let cookie = jar.issue(at(6000), OWN, &host());
        for later in [6000, 6300] {
            assert!(jar.issue(at(later), OWN, &host()).proof != cookie.proof);
        }
        let mut others = [host(); 5];
        others[0].source = Address([2, 0, 0, 0, 0xC1, 2]);
        others[1].host_uniq = Some(b"tokem");
        others[2].host_uniq = None;
        others[3].relay_session_id = Some(b"");
        others[4].host_uniq = Some(b"toke");
        others[4].relay_session_id = Some(b"n");
        for other in &others {
            assert_eq!(jar.verify(at(6000), OWN, other, &cookie), Err(BadCookie::Forged));
        }
        assert_eq!(jar.verify(at(6000), HOST, &host(), &cookie), Err(BadCookie::Forged));
    }

    proptest! {
        /// No octet of a cookie can be changed.
        #[test]
        fn every_octet_counts(which in 0..Cookie::LEN, flip in 1_u8..) {
            let mut jar = jar();
            let mut octets = jar.issue(at(6000), OWN, &host()).to_bytes();
            octets[which] ^= flip;
            let cookie = Cookie::parse(Some(&octets)).unwrap();
            prop_assert_eq!(jar.verify(at(6000), OWN, &host(), &cookie), Err(BadCookie::Forged));
        }
    }
}
