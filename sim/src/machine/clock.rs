//! Virtual time and the callbacks that wait for it.
//!
//! Every kernel call costs [`CALL`], so that a driver which polls makes time pass; an idle machine jumps to the next
//! callback. In real-time mode the clock is the host's monotonic one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Machine;

/// Virtual time a kernel call takes.
const CALL: u64 = 50;

/// Names a callback registered with [`Machine::at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId {
    when: u64,
    sequence: u64,
}

pub(super) struct Clock {
    now: Cell<u64>,
    boot: Option<Instant>,
    sequence: Cell<u64>,
    events: RefCell<BTreeMap<EventId, Box<dyn FnOnce()>>>,
    /// Time of the first event, or `u64::MAX`.
    next: Cell<u64>,
}

impl Clock {
    pub(super) fn new(real_time: bool) -> Self {
        Self {
            now: Cell::new(0),
            boot: real_time.then(Instant::now),
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
