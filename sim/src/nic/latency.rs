//! How long the card takes over something that software polls for.

use std::time::Duration;

/// Polls after which the card is done whatever the clock says: a driver that polls without waiting sees slow
/// hardware, not a clock that stands still.
const PATIENCE: u32 = 64;

/// An operation under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    until: Duration,
    polls: u32,
}

impl Latency {
    /// Begins at `now` and takes `time`.
    pub(super) fn new(now: Duration, time: Duration) -> Self {
        Self { until: now + time, polls: 0 }
    }

    /// One poll: is it over?
    pub(super) fn over(&mut self, now: Duration) -> bool {
        self.polls += 1;
        now >= self.until || self.polls > PATIENCE
    }
}
