//! Cycles: the time stamp counter, which ticks at the processor's nominal frequency whatever the actual one is.

use std::arch::x86_64::{__rdtscp, _mm_lfence, _rdtsc};
use std::time::{Duration, Instant};

/// The counter before something is timed.
#[inline]
pub(crate) fn begin() -> u64 {
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { _mm_lfence() };
    // SAFETY: as above.
    let now = unsafe { _rdtsc() };
    // SAFETY: as above.
    unsafe { _mm_lfence() };
    now
}

/// The counter after it.
#[inline]
pub(crate) fn end() -> u64 {
    let mut processor = 0;
    // SAFETY: every processor with the long mode and virtualization of today has the instruction.
    let now = unsafe { __rdtscp(&raw mut processor) };
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { _mm_lfence() };
    now
}

/// Ticks per second, measured.
pub(crate) fn frequency() -> f64 {
    let (start, ticks) = (Instant::now(), begin());
    std::thread::sleep(Duration::from_millis(100));
    let (time, ticks) = (start.elapsed(), end() - ticks);
    ticks_to_f64(ticks) / time.as_secs_f64()
}

/// A number of ticks or instructions to reckon with.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn ticks_to_f64(ticks: u64) -> f64 {
    ticks as f64
}

/// The mean of the middle half; zero of nothing. Unlike the median it resolves more than the counter's step, and like it, it
/// does not see what an interruption adds to some of the values.
pub(crate) fn middle_mean(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let quarter = values.len() / 4;
    let middle = values.get(quarter..values.len() - quarter).unwrap_or_default();
    middle.iter().fold(0.0, |sum, value| sum + value) / ticks_to_f64(middle.len().max(1) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_do_not_count() {
        let of = |values: &[f64]| middle_mean(&mut values.to_vec()).to_bits();
        assert_eq!(of(&[3.0, 1.0, 1e9, 2.0]), 2.5_f64.to_bits());
        assert_eq!(of(&[7.0]), 7.0_f64.to_bits());
        assert_eq!(of(&[]), 0.0_f64.to_bits());
    }

    #[test]
    fn time_passes() {
        let start = begin();
        assert!(end() > start);
        assert!((1e8..1e10).contains(&frequency()));
    }
}
