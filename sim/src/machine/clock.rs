//! Virtual time and the callbacks that wait for it.
//!
//! Every kernel call costs [`CALL`], so that a driver which polls makes time pass; an idle machine jumps to the next
//! callback. In real-time mode the clock is the host's monotonic one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Machine;
use super::random::Random;

/// Virtual time a kernel call takes.
const CALL: u64 = 50;

/// What the clock of Windows ticks in unless somebody asks for more ticks.
pub const TICK: Duration = Duration::from_micros(15_625);

/// What it ticks in while an application asks for as many as it can get.
const SHORT_TICK: Duration = Duration::from_millis(1);

/// What the clock ticks in by this seed: mostly as long as on a machine that is left alone.
pub fn drawn_tick(seed: u64) -> Duration {
    match Random::new(seed ^ 0x7469_636B).below(4) {
        0 => SHORT_TICK,
        1 => Duration::ZERO,
        _ => TICK,
    }
}

/// Names a callback registered with [`Machine::at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId {
    when: u64,
    sequence: u64,
}

pub(super) struct Clock {
    now: Cell<u64>,
    boot: Option<Instant>,
    /// Nanoseconds between two ticks, and the time of the first; 0 for a clock that is exact.
    tick: u64,
    first_tick: u64,
    sequence: Cell<u64>,
    events: RefCell<BTreeMap<EventId, Box<dyn FnOnce()>>>,
    /// Time of the first event, or `u64::MAX`.
    next: Cell<u64>,
}

impl Clock {
    pub(super) fn new(real_time: bool, tick: Duration, seed: u64) -> Self {
        let tick = nanoseconds(tick);
        Self {
            now: Cell::new(0),
            boot: real_time.then(Instant::now),
            tick,
            // Where in a tick a run begins differs from seed to seed.
            first_tick: if tick == 0 { 0 } else { Random::new(seed ^ 0x0070_6861_7365).below(tick) },
            sequence: Cell::new(0),
            events: RefCell::default(),
            next: Cell::new(u64::MAX),
        }
    }

    /// Drops every callback.
    pub(super) fn clear(&self) {
        self.next.set(u64::MAX);
        drop(self.events.take());
    }

    /// Nanoseconds since boot.
    pub(super) fn now(&self) -> u64 {
        if let Some(boot) = self.boot {
            let elapsed = nanoseconds(boot.elapsed());
            self.now.set(elapsed.max(self.now.get()));
        }
        self.now.get()
    }

    /// The last tick until `when`; 0 before the first.
    fn tick_before(&self, when: u64) -> u64 {
        match when.checked_sub(self.first_tick) {
            Some(since) if self.tick != 0 => when - since % self.tick,
            Some(_) => when,
            None => 0,
        }
    }

    /// The first tick from `when` on.
    fn tick_from(&self, when: u64) -> u64 {
        if self.tick == 0 {
            return when;
        }
        let since = when.saturating_sub(self.first_tick);
        since
            .checked_next_multiple_of(self.tick)
            .map_or(u64::MAX, |since| since.saturating_add(self.first_tick))
    }

    pub(super) fn charge(&self) {
        if self.boot.is_none() {
            self.now.set(self.now.get() + CALL);
        }
    }

    pub(super) fn advance_to(&self, when: u64) {
        if self.boot.is_none() {
            self.now.set(self.now.get().max(when));
        }
    }

    pub(super) fn due(&self) -> bool {
        self.next.get() <= self.now()
    }

    /// Time of the first callback.
    pub(super) fn next(&self) -> Option<u64> {
        Some(self.next.get()).filter(|&next| next != u64::MAX)
    }

    fn insert(&self, when: u64, f: Box<dyn FnOnce()>) -> EventId {
        let id = EventId { when, sequence: self.sequence.get() };
        self.sequence.set(id.sequence + 1);
        self.events.borrow_mut().insert(id, f);
        self.next.set(self.next.get().min(when));
        id
    }

    fn remove(&self, id: EventId) -> bool {
        let mut events = self.events.borrow_mut();
        let removed = events.remove(&id);
        self.next.set(events.keys().next().map_or(u64::MAX, |first| first.when));
        drop(events);
        removed.is_some()
    }

    /// Takes the first callback if its time has come.
    pub(super) fn pop_due(&self) -> Option<Box<dyn FnOnce()>> {
        if !self.due() {
            return None;
        }
        let mut events = self.events.borrow_mut();
        let (_, f) = events.pop_first()?;
        self.next.set(events.keys().next().map_or(u64::MAX, |first| first.when));
        Some(f)
    }
}

/// Saturating conversion: 584 years fit.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Machine {
    /// Virtual time since boot.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.now())
    }

    /// The system time as the last tick left it.
    pub fn system_time(&self) -> Duration {
        Duration::from_nanos(self.clock.tick_before(self.clock.now()))
    }

    /// When a timer expires, or a wait ends, that is given `delay` now: at the first tick at which that much has passed since
    /// the last one. That may be up to a tick too early or too late (page "Timer Accuracy").
    pub fn timer_end(&self, delay: Duration) -> Duration {
        let due = nanoseconds(self.system_time().saturating_add(delay));
        Duration::from_nanos(self.clock.tick_from(due).max(self.clock.now()))
    }

    /// When a delay of a thread ends that begins now: at the first tick that is not too early (page "Timer Accuracy", since
    /// Windows 8).
    pub fn delay_end(&self, delay: Duration) -> Duration {
        if delay.is_zero() {
            return self.now();
        }
        Duration::from_nanos(self.clock.tick_from(nanoseconds(self.now().saturating_add(delay))))
    }

    /// Blocks the current thread as the kernel does: for `time` and until the next tick.
    pub fn delay(&self, time: Duration) {
        self.sleep(self.delay_end(time).saturating_sub(self.now()));
    }

    /// The time that a wait of the kernel lasts which is given `timeout`.
    pub fn timeout(&self, timeout: Duration) -> Duration {
        if timeout.is_zero() { timeout } else { self.timer_end(timeout).saturating_sub(self.now()) }
    }

    /// Has the scheduler call `f` in host context at `when` or as soon after as it can. `f` may queue DPCs, interrupts
    /// and further callbacks; it must not call the driver. Callbacks of the same time run in the order of their
    /// registration.
    pub fn at(&self, when: Duration, f: impl FnOnce() + 'static) -> EventId {
        self.clock.insert(nanoseconds(when), Box::new(f))
    }

    /// As [`Self::at`], `delay` from now.
    pub fn after(&self, delay: Duration, f: impl FnOnce() + 'static) -> EventId {
        self.at(self.now().saturating_add(delay), f)
    }

    /// Takes a callback back; false if it has run or was cancelled already.
    pub fn cancel(&self, id: EventId) -> bool {
        self.clock.remove(id)
    }
}
