//! A cable that loses, repeats, delays and so reorders frames, by a seed.

use std::{
    collections::{BTreeMap, btree_map::OccupiedEntry},
    os::fd::RawFd,
    time::Duration,
};

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

use super::{
    Wire,
    frame::{DISCOVERY, Frame},
};

/// What happens to the frames of one kind, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Impairment {
    /// Frames lost, of a thousand.
    pub drop: u16,
    /// Frames that arrive twice, of a thousand.
    pub duplicate: u16,
    /// Longest additional delay; each copy draws its own, so that frames overtake each other.
    pub delay: Duration,
}

/// How bad the cable is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What happens to discovery frames.
    pub discovery: Impairment,
    /// What happens to all other frames.
    pub data: Impairment,
}

impl Plan {
    /// What a call must survive: every tenth discovery frame lost, every tenth repeated, delays up to 50 ms; data
    /// are delayed a little and not lost.
    pub fn hostile() -> Self {
        let discovery = Impairment { drop: 100, duplicate: 100, delay: Duration::from_millis(50) };
        Self { discovery, data: Impairment { delay: Duration::from_micros(300), ..Impairment::default() } }
    }
}

/// Frames under way in one direction, by arrival and then by departure.
type InFlight = BTreeMap<(Duration, u64), Vec<u8>>;

/// A bad cable in front of a wire.
pub struct Impaired {
    inner: Box<dyn Wire>,
    plan: Plan,
    random: Pcg64,
    sequence: u64,
    out: InFlight,
    back: InFlight,
}

impl Impaired {
    /// Puts the cable between the card and `inner`.
    pub fn new(inner: Box<dyn Wire>, plan: Plan, seed: u64) -> Self {
        let (out, back) = (InFlight::new(), InFlight::new());
        Self { inner, plan, random: Pcg64::seed_from_u64(seed), sequence: 0, out, back }
    }

    fn per_mille(&mut self, chance: u16) -> bool {
        self.random.next_u64() % 1000 < u64::from(chance)
    }

    /// The times at which the copies of a frame arrive.
    fn fate(&mut self, now: Duration, frame: &[u8]) -> Vec<(Duration, u64)> {
        let discovery = Frame::parse(frame).is_some_and(|frame| frame.ethertype == DISCOVERY);
        let impairment = if discovery { self.plan.discovery } else { self.plan.data };
        if self.per_mille(impairment.drop) {
            return Vec::new();
        }
        let copies = if self.per_mille(impairment.duplicate) { 2 } else { 1 };
        let span = u64::try_from(impairment.delay.as_nanos()).unwrap_or(u64::MAX - 1);
        let arrival = |_| {
            self.sequence += 1;
            (now + Duration::from_nanos(self.random.next_u64() % (span + 1)), self.sequence)
        };
        (0..copies).map(arrival).collect()
    }

    /// Moves what is due across the cable, in order of time.
    fn carry(&mut self, now: Duration) {
        while let Some(entry) = self.out.first_entry().filter(|entry| entry.key().0 <= now) {
            let at = entry.key().0;
            let frame = entry.remove();
            self.inner.send(at, &frame);
        }
        while let Some(frame) = self.inner.receive(now) {
            for arrival in self.fate(now, &frame) {
                self.back.insert(arrival, frame.clone());
            }
        }
    }
}

impl Wire for Impaired {
    fn send(&mut self, now: Duration, frame: &[u8]) {
        for arrival in self.fate(now, frame) {
            self.out.insert(arrival, frame.to_vec());
        }
        self.carry(now);
    }

    fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.carry(now);
        self.back.first_entry().filter(|entry| entry.key().0 <= now).map(OccupiedEntry::remove)
    }

    fn deadline(&self) -> Option<Duration> {
        let first = |flight: &InFlight| flight.keys().next().map(|(at, _)| *at);
        [first(&self.out), first(&self.back), self.inner.deadline()].into_iter().flatten().min()
    }

    fn fd(&self) -> Option<RawFd> {
        self.inner.fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::SESSION;

    /// Sends every frame back at once.
    #[derive(Default)]
    struct Mirror(Vec<Vec<u8>>);

    impl Wire for Mirror {
        fn send(&mut self, _now: Duration, frame: &[u8]) {
            self.0.push(frame.to_vec());
        }

        fn receive(&mut self, _now: Duration) -> Option<Vec<u8>> {
            if self.0.is_empty() { None } else { Some(self.0.remove(0)) }
        }

        fn deadline(&self) -> Option<Duration> {
            (!self.0.is_empty()).then_some(Duration::ZERO)
        }

        fn fd(&self) -> Option<RawFd> {
            None
        }
    }

    fn run(plan: Plan, seed: u64, ethertype: u16) -> Vec<u16> {
        let mut wire = Impaired::new(Box::new(Mirror::default()), plan, seed);
        for session in 0..200 {
            let frame =
                Frame { destination: [2; 6], source: [4; 6], ethertype, code: 9, session, payload: vec![] };
            wire.send(Duration::from_millis(u64::from(session)), &frame.to_bytes());
        }
        let mut back = Vec::new();
        while let Some(at) = wire.deadline() {
            while let Some(bytes) = wire.receive(at) {
                back.push(Frame::parse(&bytes).expect("PPPoE").session);
            }
        }
        back
    }

    #[test]
    fn a_good_cable_changes_nothing() {
        assert_eq!(run(Plan::default(), 1, DISCOVERY), (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn a_bad_cable_loses_repeats_and_reorders_discovery() {
        let back = run(Plan::hostile(), 1, DISCOVERY);
        let mut once = back.clone();
        once.sort_unstable();
        once.dedup();
        assert!(once.len() < 190, "{} of 200 arrived", once.len());
        assert!(back.len() > once.len(), "some twice");
        assert!(!back.is_sorted());
        assert_eq!(back, run(Plan::hostile(), 1, DISCOVERY), "the same seed, the same cable");
        assert_ne!(back, run(Plan::hostile(), 2, DISCOVERY));
    }

    #[test]
    fn data_are_spared() {
        let mut back = run(Plan::hostile(), 1, SESSION);
        back.sort_unstable();
        assert_eq!(back, (0..200).collect::<Vec<_>>());
    }
}
