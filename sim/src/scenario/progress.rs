//! How far a run is, for who looks on from another OS thread. Nothing of it gets back into the run.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The state of a run that is being made.
#[derive(Debug, Default)]
pub struct Progress {
    calls: AtomicU64,
    frames: AtomicU64,
    /// Nanoseconds.
    time: AtomicU64,
}

impl Progress {
    pub(super) fn set(&self, calls: usize, frames: u64, time: Duration) {
        self.calls.store(calls as u64, Ordering::Relaxed);
        self.frames.store(frames, Ordering::Relaxed);
        self.time.store(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Calls that are up.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Frames that have come back.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Simulated time.
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.time.load(Ordering::Relaxed))
    }
}
