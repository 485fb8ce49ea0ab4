//! What a machine is made from, and the plan of the failures to inject.

use std::cell::Cell;

use super::Machine;

/// The configuration of a machine; with the scripts it is all that a run depends on.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct Config {
    /// Seed of every decision.
    pub seed: u64,
    /// Number of virtual processors, 1 to 64.
    pub cpus: usize,
    /// Virtual time follows the clock, and an idle machine waits for file descriptors.
    pub real_time: bool,
    /// Print the event log to standard error as it grows.
    pub trace: bool,
    /// Keep an event log at all; without, [`Machine::log_hash`] is that of the empty log.
    pub log: bool,
    /// Guard pages around pool blocks; without, damage is found only when a block is freed.
    pub guard: bool,
    /// Which fallible kernel calls fail.
    pub fail: Option<FailPlan>,
    /// Virtual time at which [`Machine::run_until`] gives up.
    pub limit: std::time::Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            cpus: 2,
            real_time: false,
            trace: false,
            log: true,
            guard: true,
            fail: None,
            limit: std::time::Duration::from_hours(24),
        }
    }
}

/// Which fallible kernel calls fail.
#[derive(Clone, Debug)]
pub enum FailPlan {
    /// The n-th one (from zero), whichever it is.
    Nth(u64),
    /// The n-th one (from zero) of this name.
    Named(&'static str, u64),
    /// Each one with this probability (numerator, denominator).
    Random(u64, u64),
}

#[derive(Default)]
pub(super) struct Failures {
    calls: Cell<u64>,
    named: Cell<u64>,
    injected: Cell<u64>,
}

impl Machine {
    /// Whether the fallible kernel call `what` is to fail now. Each export that can fail asks once a call.
    pub fn should_fail(&self, what: &'static str) -> bool {
        let calls = self.failures.calls.get();
        self.failures.calls.set(calls + 1);
        let fail = match self.config().fail {
            None => false,
            Some(FailPlan::Nth(n)) => n == calls,
            Some(FailPlan::Named(name, n)) => {
                name == what && {
                    let named = self.failures.named.get();
                    self.failures.named.set(named + 1);
                    n == named
                }
            }
            Some(FailPlan::Random(numerator, denominator)) => self.chance(numerator, denominator),
        };
        if fail {
            self.failures.injected.set(self.failures.injected.get() + 1);
            self.log(format_args!("{what} is made to fail"));
        }
        fail
    }

    /// How many fallible calls the driver has made: the range of [`FailPlan::Nth`].
    pub fn fallible_calls(&self) -> u64 {
        self.failures.calls.get()
    }

    /// How many calls were made to fail.
    pub fn injected_failures(&self) -> u64 {
        self.failures.injected.get()
    }
}
