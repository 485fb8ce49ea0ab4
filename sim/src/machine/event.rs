//! Events, waits and sleeping.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::activity::{Activity, State};
use super::{DISPATCH_LEVEL, Machine};

/// What becomes of a set event when a waiter has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It stays set, and every waiter goes on.
    Notification,
    /// It is reset, and one waiter goes on.
    Synchronization,
}

/// An event that activities can wait for. Clones are the same event.
#[derive(Clone)]
pub struct Event(Rc<Inner>);

struct Inner {
    name: &'static str,
    kind: EventKind,
    set: Cell<bool>,
    waiters: RefCell<VecDeque<Weak<Activity>>>,
}

impl Event {
    /// A notification event that is not set; `name` tells what a blocked activity waits for.
    pub fn new(name: &'static str) -> Self {
        Self::with_kind(name, EventKind::Notification)
    }

    /// An event that is not set.
    pub fn with_kind(name: &'static str, kind: EventKind) -> Self {
        Self(Rc::new(Inner { name, kind, set: Cell::new(false), waiters: RefCell::default() }))
    }

    /// Sets the event and lets waiters go on; returns whether it was set already. In any context.
    pub fn set(&self) -> bool {
        let was = self.0.set.replace(true);
        if let Some(machine) = Machine::try_current() {
            self.release(&machine);
        }
        was
    }

    fn release(&self, machine: &Machine) {
        while self.0.set.get() {
            let Some(waiter) = self.0.waiters.borrow_mut().pop_front() else { return };
            let Some(activity) = waiter.upgrade() else { continue };
            if matches!(activity.state.get(), State::Blocked(_)) {
                if self.0.kind == EventKind::Synchronization {
                    self.0.set.set(false);
                }
                machine.wake(&activity, false);
            }
        }
    }

    /// Resets the event; returns whether it was set.
    pub fn reset(&self) -> bool {
        self.0.set.replace(false)
    }

    /// Whether the event is set.
    pub fn is_set(&self) -> bool {
        self.0.set.get()
    }

    /// How many activities wait for the event.
    pub fn waiters(&self) -> usize {
        self.0.waiters.borrow().iter().filter(|waiter| waiter.strong_count() > 0).count()
    }
}

impl Machine {
    /// Blocks the current thread until `event` is set (true) or `timeout` has passed (false; never if `None`).
    ///
    /// At `DISPATCH_LEVEL` or above only a zero timeout is allowed; anything else is a finding and does not block.
    ///
    /// # Panics
    /// In host context, unless the event is set or the timeout is zero.
    pub fn wait(&self, event: &Event, timeout: Option<Duration>) -> bool {
        if timeout != Some(Duration::ZERO) && !self.may_block(event.0.name) {
            return event.is_set();
        }
        if event.0.set.get() {
            if event.0.kind == EventKind::Synchronization {
                event.0.set.set(false);
            }
            return true;
        }
        if timeout == Some(Duration::ZERO) {
            return false;
        }
        let activity = self.activity().expect("only an activity can wait");
        event.0.waiters.borrow_mut().push_back(Rc::downgrade(&activity));
        let signalled = self.block(&activity, event.0.name, timeout);
        event.0.waiters.borrow_mut().retain(|waiter| !std::ptr::eq(waiter.as_ptr(), Rc::as_ptr(&activity)));
        signalled
    }

    /// Blocks the current thread for `time`.
    ///
    /// # Panics
    /// In host context.
    pub fn sleep(&self, time: Duration) {
        if self.may_block("sleep") {
            let activity = self.activity().expect("only an activity can sleep");
            self.block(&activity, "sleep", Some(time));
        }
    }

    /// Keeps the current processor busy for `time`: it takes interrupts and does nothing else.
    ///
    /// # Panics
    /// In host context.
    pub fn stall(&self, time: Duration) {
        let activity = self.activity().expect("only an activity can stall");
        let until = self.clock.now().saturating_add(super::clock::nanoseconds(time));
        while self.clock.now() < until {
            activity.state.set(State::Stalling(until));
            activity.suspend();
        }
        activity.state.set(State::Runnable);
    }

    fn may_block(&self, what: &str) -> bool {
        let irql = self.irql();
        if irql >= DISPATCH_LEVEL {
            self.finding("DV.C4.0x3B", None, format!("wait ({what}) at IRQL {irql}"));
        }
        irql < DISPATCH_LEVEL
    }

    /// Suspends the current activity until it is woken; true unless by the timeout.
    fn block(&self, activity: &Rc<Activity>, why: &'static str, timeout: Option<Duration>) -> bool {
        activity.timed_out.set(false);
        activity.state.set(State::Blocked(why));
        let timer = timeout.map(|timeout| {
            let activity = Rc::downgrade(activity);
            self.after(timeout, move || {
                if let (Some(machine), Some(activity)) = (Machine::try_current(), activity.upgrade()) {
                    machine.wake(&activity, true);
                }
            })
        });
        activity.suspend();
        if let Some(timer) = timer {
            self.cancel(timer);
        }
        !activity.timed_out.get()
    }
}
