//! Token buckets: how much may be sent when.
//!
//! A [`Bucket`] holds at most its size in bytes, fills at its rate, and every frame takes its length out. It counts in
//! billionths of a byte, of which it gets as many in a nanosecond as its rate has bytes a second: so nothing is rounded,
//! and in any `t` seconds no more than size + rate × t bytes pass. What is larger than the bucket passes when that is full,
//! and is paid off before anything else passes.
//!
//! Times are nanoseconds of any clock; it may wrap. While it stands or goes backwards nothing is gained.

use core::num::NonZeroU32;

/// Nanoseconds of a second, and parts of a byte.
const SECOND: u64 = 1_000_000_000;

/// One bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Bytes a second.
    rate: NonZeroU32,
    /// Bytes.
    size: u32,
    /// What was in it `at` that time, in billionths of a byte; below zero while something is paid off.
    level: i64,
    at: u64,
}

impl Bucket {
    /// A full bucket.
    pub const fn new(rate: NonZeroU32, size: u32, now: u64) -> Self {
        Self { rate, size, level: parts(size), at: now }
    }

    /// The same bucket with another rate and size: what is missing stays so, as far as it can.
    #[must_use]
    pub fn changed(&self, rate: NonZeroU32, size: u32, now: u64) -> Self {
        let missing = parts(self.size).saturating_sub(self.level(now));
        Self { rate, size, level: parts(size).saturating_sub(missing), at: now }
    }

    /// Nanoseconds until `bytes` may pass; 0 if they may now.
    pub fn wait(&self, bytes: u32, now: u64) -> u64 {
        let missing = parts(bytes.min(self.size)).saturating_sub(self.level(now));
        u64::try_from(missing).map_or(0, |missing| missing.div_ceil(self.rate.get().into()))
    }

    /// Lets bytes pass, which [`Bucket::wait`] has allowed.
    pub fn take(&mut self, bytes: u32, now: u64) {
        self.level = self.level(now).saturating_sub(parts(bytes));
        self.at = now;
    }

    fn level(&self, now: u64) -> i64 {
        let elapsed = now.wrapping_sub(self.at);
        let elapsed = if elapsed <= u64::MAX >> 1 { elapsed } else { 0 };
        let gained = elapsed.saturating_mul(self.rate.get().into());
        self.level.saturating_add_unsigned(gained).min(parts(self.size))
    }
}

/// How many ticks of two there are in a second: a sender that is let through at ticks of the clock, 15.625 ms apart, may find
/// one of them a little too early, and misses what comes in until the next.
pub(crate) const LOOKS_A_SECOND: u32 = 32;

/// Bytes in billionths: 2^32 times as many fit twice.
const fn parts(bytes: u32) -> i64 {
    (bytes as i64).saturating_mul(SECOND.cast_signed())
}

/// What a call may send: a sustained rate with bursts, and perhaps a peak rate for these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bytes a second, sustained.
    pub rate: NonZeroU32,
    /// Bytes of a burst; at least as many as a frame has.
    pub burst: u32,
    /// Bytes a second within a burst.
    pub peak: Option<NonZeroU32>,
    /// Frames with fewer bytes count as so many.
    pub least: u32,
    /// Bytes of the longest frame.
    pub longest: u32,
}

impl Shape {
    /// What may pass at once at a peak rate: a frame, and what comes in while nobody looks. With less than that the rate could
    /// not be had from a timer.
    const fn depth(&self, peak: NonZeroU32) -> u32 {
        self.longest.saturating_add(peak.get() / LOOKS_A_SECOND)
    }
}

/// Holds the frames of a call to its [`Shape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shaper {
    sustained: Bucket,
    peak: Option<Bucket>,
    least: u32,
}

impl Shaper {
    /// From now on, with a burst to spare.
    pub fn new(shape: &Shape, now: u64) -> Self {
        Self {
            sustained: Bucket::new(shape.rate, shape.burst, now),
            peak: shape.peak.map(|peak| Bucket::new(peak, shape.depth(peak), now)),
            least: shape.least,
        }
    }

    /// From now on by another shape, with no more to spare than before.
    #[must_use]
    pub fn changed(&self, shape: &Shape, now: u64) -> Self {
        let peak = |rate| match &self.peak {
            Some(bucket) => bucket.changed(rate, shape.depth(rate), now),
            None => Bucket::new(rate, shape.depth(rate), now),
        };
        Self {
            sustained: self.sustained.changed(shape.rate, shape.burst, now),
            peak: shape.peak.map(peak),
            least: shape.least,
        }
    }

    /// Lets a frame pass, or several at once.
    ///
    /// # Errors
    /// It must wait: after how many nanoseconds to ask again.
    pub fn pass(&mut self, bytes: u32, now: u64) -> Result<(), u64> {
        let bytes = bytes.max(self.least);
        let wait = self.sustained.wait(bytes, now).max(self.peak.map_or(0, |peak| peak.wait(bytes, now)));
        if wait != 0 {
            return Err(wait);
        }
        self.sustained.take(bytes, now);
        if let Some(peak) = &mut self.peak {
            peak.take(bytes, now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn rate(rate: u32) -> NonZeroU32 {
        NonZeroU32::new(rate).unwrap()
    }

    fn shape(bytes: u32, burst: u32, peak: Option<u32>) -> Shape {
        Shape { rate: rate(bytes), burst, peak: peak.map(rate), least: 0, longest: 1500 }
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut shaper = Shaper::new(&shape(1000, 3000, None), 0);
        for _ in 0..3 {
            assert_eq!(shaper.pass(1000, 0), Ok(()));
        }
        assert_eq!(shaper.pass(1000, 0), Err(SECOND));
        assert_eq!(shaper.pass(500, 0), Err(SECOND / 2));
        assert_eq!(shaper.pass(1000, SECOND - 1), Err(1));
        assert_eq!(shaper.pass(1000, SECOND), Ok(()));
        // More than a burst passes when the bucket is full, and is paid off.
        assert_eq!(shaper.pass(4000, SECOND), Err(3 * SECOND));
        assert_eq!(shaper.pass(4000, 4 * SECOND), Ok(()));
        assert_eq!(shaper.pass(1, 5 * SECOND), Err(SECOND / 1000));
    }

    #[test]
    fn a_peak_spreads_a_burst() {
        let mut shaper = Shaper::new(&shape(1000, 100_000, Some(160_000)), 0);
        // A frame and 1/32 of a second.
        for _ in 0..4 {
            assert_eq!(shaper.pass(1500, 0), Ok(()));
        }
        assert_eq!(shaper.pass(1500, 0), Err(SECOND / 160));
        assert_eq!(shaper.pass(1500, SECOND / 160), Ok(()));
    }

    /// What passes in 2 s if somebody looks whenever a timer lets them, which expires at a tick, and not at the first one from
    /// the time on that was waited for, but up to 2 ms later.
    fn passes_at_ticks(shape: &Shape, frame: u32, late: u64) -> u64 {
        const TICK: u64 = 15_625_000;
        let (mut shaper, mut now, mut sum) = (Shaper::new(shape, 0), 0, 0);
        while now < 2 * SECOND {
            match shaper.pass(frame, now) {
                Ok(()) => sum += u64::from(frame),
                Err(wait) => now = (now + wait + late).next_multiple_of(TICK),
            }
        }
        sum
    }

    proptest! {
        /// The clock's ticks cost nobody the rate that was granted, nor the peak within a burst.
        #[test]
        fn rates_are_had_at_ticks(
            rate in 2_000_u32..1_000_000,
            more in 0_u32..1_000_000,
            frame in 64_u32..1496,
            late in 0_u64..2_000_000,
        ) {
            let burst = 1496 + (rate / LOOKS_A_SECOND).max(1496);
            let peak = NonZeroU32::new(rate + more);
            let shape = Shape { burst, ..self::shape(rate, burst, peak.map(NonZeroU32::get)) };
            let least = |rate: u32| u64::from(rate) * 2 - u64::from(rate) / 32;
            prop_assert!(passes_at_ticks(&shape, frame, late) >= least(rate));
            let endless = Shape { burst: u32::MAX, ..shape };
            prop_assert!(passes_at_ticks(&endless, frame, late) >= least(rate + more));
        }
    }

    #[test]
    fn small_frames_count_as_the_least() {
        let mut shaper = Shaper::new(&Shape { least: 100, ..shape(1000, 1500, None) }, 0);
        for _ in 0..15 {
            assert_eq!(shaper.pass(1, 0), Ok(()));
        }
        assert_eq!(shaper.pass(1, 0), Err(SECOND / 10));
    }

    #[test]
    fn a_change_keeps_what_is_missing() {
        let mut shaper = Shaper::new(&shape(1000, 1500, None), 0);
        assert_eq!(shaper.pass(1500, 0), Ok(()));
        let faster = shaper.changed(&shape(15_000, 1500, None), 0);
        assert_eq!(faster.clone().pass(1500, 0), Err(SECOND / 10));
        // Changing back and forth gains nothing.
        let back = faster.changed(&shape(1000, 1500, None), 0);
        assert_eq!(back.clone().pass(1500, 0), Err(3 * SECOND / 2));
    }

    #[test]
    fn extremes_do_not_overflow() {
        for bytes in [1, u32::MAX] {
            for size in [1, u32::MAX] {
                let mut bucket = Bucket::new(rate(bytes), size, u64::MAX);
                assert_eq!(bucket.wait(size, u64::MAX), 0);
                bucket.take(size, u64::MAX);
                let wait = bucket.wait(size, u64::MAX);
                assert_eq!(bucket.wait(size, u64::MAX.wrapping_add(wait)), 0);
            }
        }
    }

    proptest! {
        /// In no window does more pass than a burst and the rate, wherever the clock stands; and whoever waits as long as he
        /// is told, passes.
        #[test]
        fn the_rate_is_met_and_never_exceeded(
            bytes in 1_u32..2_000_000_000,
            burst in 1500_u32..200_000,
            peak in prop::option::of(1_u32..2_000_000_000),
            start in any::<u64>(),
            frames in prop::collection::vec((1_u32..=1500, 0_u64..50_000_000, any::<bool>()), 1..80),
        ) {
            let peak = peak.map(|peak| peak.max(bytes));
            let shape = shape(bytes, burst, peak);
            let mut shaper = Shaper::new(&shape, start);
            let (mut now, mut passed) = (0_u64, Vec::new());
            for (length, pause, patient) in frames {
                now += pause;
                let at = |now| start.wrapping_add(now);
                match shaper.pass(length, at(now)) {
                    Ok(()) => passed.push((now, length)),
                    Err(wait) if patient => {
                        prop_assert!(wait != 0);
                        prop_assert!(shaper.clone().pass(length, at(now + wait - 1)).is_err(), "not a moment too late");
                        now += wait;
                        prop_assert_eq!(shaper.pass(length, at(now)), Ok(()));
                        passed.push((now, length));
                    }
                    Err(_) => {}
                }
            }
            let limits = [(shape.rate, burst)].into_iter().chain(shape.peak.map(|peak| (peak, 1500)));
            for (rate, burst) in limits {
                for first in 0..passed.len() {
                    let mut sum = 0_u128;
                    for &(at, length) in &passed[first..] {
                        sum += u128::from(length);
                        let span = u128::from(at - passed[first].0);
                        // In bytes times nanoseconds of a second, to be exact.
                        let most = u128::from(burst) * u128::from(SECOND) + u128::from(rate.get()) * span;
                        prop_assert!(sum * u128::from(SECOND) <= most, "{sum} bytes in {span} ns");
                    }
                }
            }
        }

        /// Changes of the shape at any time give nobody more than the larger of the shapes would have.
        #[test]
        fn changes_are_no_way_around(
            rates in prop::collection::vec(1_u32..1_000_000, 1..20),
            pause in 0_u64..10_000_000,
        ) {
            let most = rates.iter().copied().max().unwrap();
            let mut shaper = Shaper::new(&shape(rates[0], 3000, None), 0);
            let (mut now, mut sum) = (0, 0_u128);
            for rate in rates {
                shaper = shaper.changed(&shape(rate, 3000, None), now);
                while shaper.pass(100, now).is_ok() {
                    sum += 100;
                }
                now += pause;
            }
            prop_assert!(sum * u128::from(SECOND) <= 3000 * u128::from(SECOND) + u128::from(most) * u128::from(now));
        }
    }
}
