//! What a machine is made from, and the plan of the failures to inject.

use std::cell::{Cell, RefCell};

use super::{Machine, TICK, Windows};

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
    /// What the clock of the kernel ticks in; zero for a clock that is exact.
    pub tick: std::time::Duration,
    /// The release of Windows that runs.
    pub windows: Windows,
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
            tick: TICK,
            windows: Windows::NEWEST,
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

pub(super) struct Failures {
    plan: RefCell<Option<FailPlan>>,
    calls: Cell<u64>,
    /// Those since the plan was made, and of these the ones of the plan's name.
    planned: Cell<u64>,
    named: Cell<u64>,
    injected: Cell<u64>,
}

impl Failures {
    pub(super) fn new(plan: Option<FailPlan>) -> Self {
        let zero = || Cell::new(0);
        Self { plan: RefCell::new(plan), calls: zero(), planned: zero(), named: zero(), injected: zero() }
    }
}

impl Machine {
    /// Has fallible kernel calls fail by another plan from now on. What [`FailPlan::Nth`] and [`FailPlan::Named`] count
    /// begins anew.
    pub fn set_failures(&self, plan: Option<FailPlan>) {
        self.failures.plan.replace(plan);
        self.failures.planned.set(0);
        self.failures.named.set(0);
    }

    /// Whether the fallible kernel call `what` is to fail now. Each export that can fail asks once a call.
    pub fn should_fail(&self, what: &'static str) -> bool {
        self.failures.calls.set(self.failures.calls.get() + 1);
        let next = |count: &Cell<u64>| count.replace(count.get() + 1);
        let nth = next(&self.failures.planned);
        let fail = match *self.failures.plan.borrow() {
            None => false,
            Some(FailPlan::Nth(n)) => n == nth,
            Some(FailPlan::Named(name, n)) => name == what && n == next(&self.failures.named),
            Some(FailPlan::Random(numerator, denominator)) => self.chance(numerator, denominator),
        };
        if fail {
            self.failures.injected.set(self.failures.injected.get() + 1);
            self.log(format_args!("{what} is made to fail"));
        }
        fail
    }

    /// How many fallible calls the driver has made: the range of [`FailPlan::Nth`] in a run with one plan.
    pub fn fallible_calls(&self) -> u64 {
        self.failures.calls.get()
    }

    /// How many calls were made to fail.
    pub fn injected_failures(&self) -> u64 {
        self.failures.injected.get()
    }
}
