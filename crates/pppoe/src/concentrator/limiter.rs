//! How many answers go out, to one station and to all.

use alloc::vec::Vec;

use crate::error::OutOfMemory;
use crate::ethernet::Address;
use crate::instant::Instant;
use crate::memory;
use crate::secret::Key;

/// Places for stations: so many sessions have one, and no fewer or more places than these. Powers of two.
const SESSIONS_A_PLACE: usize = 4;
const LEAST_PLACES: usize = 1024;
const MOST_PLACES: usize = 4096;

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What it gains in a second, at least 1 and at most 1,000,000.
    pub per_second: u32,
    /// What it holds, at least 1.
    pub burst: u32,
}

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To begin a discovery. Leaves half of the bucket of all stations alone.
    Offer,
    /// To end one. Who has come so far goes first when many call at once: or each would take from the others the answers
    /// that it has been promised, and all would have to begin anew.
    Confirmation,
}

/// A token bucket as the generic cell rate algorithm (ITU-T I.371, virtual scheduling) keeps it: in one number, the
/// microsecond at which the bucket will be full.
#[derive(Clone, Copy, Debug)]
struct Gauge {
    /// Microseconds for a token.
    interval: u64,
    /// How far ahead of the time the number may be.
    slack: u64,
}

impl Gauge {
    fn new(rate: Rate) -> Self {
        let interval = 1_000_000_u64.checked_div(u64::from(rate.per_second.max(1))).unwrap_or(1).max(1);
        Self { interval, slack: interval.saturating_mul(u64::from(rate.burst.max(1)).saturating_sub(1)) }
    }

    /// The same with half of the bucket out of reach.
    fn halved(self) -> Self {
        Self { slack: self.slack / 2, ..self }
    }

    /// The number after one more token; `None` if the bucket is empty.
    fn take(self, full: u64, now: u64) -> Option<u64> {
        (full <= now.saturating_add(self.slack)).then(|| full.max(now).saturating_add(self.interval))
    }
}

/// Both limits, at a constant price in time and memory.
///
/// Stations share the buckets of a table of fixed size by a keyed hash, so that nobody can aim at the bucket of
/// somebody else. A bucket at rest is like a new one, so none has to be freed.
#[derive(Debug)]
pub(super) struct Limiter {
    station: Option<Gauge>,
    all: Option<Gauge>,
    stations: Vec<u64>,
    total: u64,
    key: Key,
}

impl Limiter {
    /// Limits that allow nothing before [`try_fill`](Self::try_fill).
    pub(super) fn new(station: Option<Rate>, all: Option<Rate>, key: Key) -> Self {
        let stations = Vec::new();
        Self { station: station.map(Gauge::new), all: all.map(Gauge::new), stations, total: 0, key }
    }

    /// Full buckets, for the stations of so many sessions.
    pub(super) fn try_fill(&mut self, sessions: u16) -> Result<(), OutOfMemory> {
        let places = (usize::from(sessions) / SESSIONS_A_PLACE).next_power_of_two();
        self.stations = memory::filled(places.clamp(LEAST_PLACES, MOST_PLACES), 0)?;
        Ok(())
    }

    /// Whether one more answer may go to `station`. Only what is allowed is charged, to both buckets: a station over
    /// its limit does not use up the others' share, and a flood that exhausts all does not fill the stations'.
    pub(super) fn admit(&mut self, now: Instant, station: Address, purpose: Purpose) -> bool {
        let now = now.as_millis().saturating_mul(1000);
        let place = usize::try_from(self.key.hash(&[&station.0]).h1 & 0xFFFF_FFFF).unwrap_or_default();
        let mask = self.stations.len().wrapping_sub(1);
        let Some(own) = self.stations.get_mut(place & mask) else { return false };
        let all = if purpose == Purpose::Offer { self.all.map(Gauge::halved) } else { self.all };
        let take = |gauge: Option<Gauge>, full| gauge.map_or(Some(full), |gauge| gauge.take(full, now));
        let (Some(next), Some(total)) = (take(self.station, *own), take(all, self.total)) else {
            return false;
        };
        *own = next;
        self.total = total;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(station: Option<Rate>, all: Option<Rate>) -> Limiter {
        let mut limiter = Limiter::new(station, all, Key::new(&[3; 16]));
        limiter.try_fill(0).unwrap();
        limiter
    }

    fn host(number: u32) -> Address {
        let [a, b, c, d] = number.to_be_bytes();
        Address([2, 0, a, b, c, d])
    }

    /// How many of `asked` a millisecond get through in `millis`.
    fn admitted(limiter: &mut Limiter, millis: u64, asked: u32, host: impl Fn(u32) -> Address) -> u32 {
        let mut number = 0;
        let mut count = 0;
        for now in 0..millis {
            for _ in 0..asked {
                number += 1;
                count +=
                    u32::from(limiter.admit(Instant::from_millis(now), host(number), Purpose::Confirmation));
            }
        }
        count
    }

    #[test]
    fn a_station_gets_its_burst_and_then_its_rate() {
        let mut limiter = limiter(Some(Rate { per_second: 2, burst: 8 }), None);
        assert_eq!(admitted(&mut limiter, 10_001, 5, |_| host(1)), 8 + 20);
        // At rest again.
        assert!((0..8).all(|_| limiter.admit(Instant::from_millis(60_000), host(1), Purpose::Offer)));
        assert!(!limiter.admit(Instant::from_millis(60_000), host(1), Purpose::Offer));
    }

    #[test]
    fn all_stations_share_a_limit() {
        let mut limiter =
            limiter(Some(Rate { per_second: 2, burst: 8 }), Some(Rate { per_second: 100, burst: 50 }));
        assert_eq!(admitted(&mut limiter, 2001, 300, host), 50 + 200);
    }

    #[test]
    fn offers_leave_half_of_the_bucket_to_confirmations() {
        let mut limiter = limiter(None, Some(Rate { per_second: 100, burst: 50 }));
        let mut count = |now, purpose| {
            (0..1000).filter(|&n| limiter.admit(Instant::from_millis(now), host(n), purpose)).count()
        };
        assert_eq!(count(0, Purpose::Offer), 25);
        assert_eq!(count(0, Purpose::Confirmation), 25);
        // What the others take, offers wait for.
        assert_eq!((count(100, Purpose::Offer), count(100, Purpose::Confirmation)), (0, 10));
        assert_eq!((count(600, Purpose::Offer), count(600, Purpose::Confirmation)), (25, 25));
    }

    #[test]
    fn a_noisy_station_costs_the_others_nothing() {
        let rate = Rate { per_second: 10, burst: 10 };
        let mut limiter = limiter(Some(Rate { per_second: 1, burst: 2 }), Some(rate));
        assert_eq!(admitted(&mut limiter, 1, 10_000, |_| host(1)), 2);
        assert!(limiter.admit(Instant::ZERO, host(2), Purpose::Offer));
    }

    #[test]
    fn no_limit_and_absurd_ones() {
        assert_eq!(admitted(&mut limiter(None, None), 10, 1000, |_| host(1)), 10_000);
        let mut closed = limiter(Some(Rate { per_second: 0, burst: 0 }), None);
        assert_eq!(admitted(&mut closed, 2001, 1, |_| host(1)), 3);
        let mut open = limiter(Some(Rate { per_second: u32::MAX, burst: u32::MAX }), None);
        assert_eq!(admitted(&mut open, 10, 1000, |_| host(1)), 10_000);
        assert!(open.admit(Instant::from_millis(u64::MAX), host(1), Purpose::Offer));
    }
}
