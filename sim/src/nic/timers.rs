//! The card's own deadlines, of which the platform is told the earliest.

use std::{collections::BTreeMap, time::Duration};

/// What a deadline is for; in the order they are handled when several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The transmitter may send its next frame.
    Transmit,
    /// TIDV is over.
    TransmitDelay,
    /// RDTR or RADV is over.
    ReceiveDelay,
    /// A write-back is due that comes again.
    WriteBack,
    /// The peer's PAUSE is over.
    Pause,
    /// Auto-negotiation is complete.
    Link,
    /// The throttle lets the line be asserted again.
    Line,
    /// The throttle lets this message be sent again.
    Message(usize),
}

/// All deadlines of one card.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers(BTreeMap<Timer, Duration>);

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Duration) {
        self.0.insert(timer, at);
    }

    pub(super) fn cancel(&mut self, timer: Timer) {
        self.0.remove(&timer);
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.0.contains_key(&timer)
    }

    pub(super) fn earliest(&self) -> Option<Duration> {
        self.0.values().min().copied()
    }

    /// Takes the first deadline that has passed.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<Timer> {
        let (&timer, _) =
            self.0.iter().filter(|(_, at)| **at <= now).min_by_key(|(timer, at)| (**at, **timer))?;
        self.0.remove(&timer);
        Some(timer)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
