//! What the calls of a run add up to, so that who waits for all of them looks at a number and not at each.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
};

use super::Progress;
use crate::{machine::Machine, ndis::Vc};

/// The sums, kept up to date by every [`super::dialler::Record`].
#[derive(Default)]
pub(super) struct Totals {
    /// Calls whose set-up has ended, well or not.
    pub(super) made: Cell<usize>,
    /// Calls on which frames can be sent.
    pub(super) up: Cell<usize>,
    /// Calls whose close has ended.
    pub(super) closed: Cell<usize>,
    pub(super) sent: Cell<u64>,
    pub(super) received: Cell<u64>,
    /// Frames of calls that are up, sent and not come back.
    pub(super) missing: Cell<usize>,
    /// Frames given to the driver and not given back.
    pub(super) in_driver: Cell<usize>,
    /// Calls that may be given a frame, in turn.
    pub(super) turn: RefCell<VecDeque<Rc<Vc>>>,
    /// Who looks on from another OS thread.
    pub(super) progress: Option<Arc<Progress>>,
}

impl Totals {
    pub(super) fn new(progress: Option<Arc<Progress>>) -> Rc<Self> {
        Rc::new(Self { progress, ..Self::default() })
    }

    /// Tells who looks on.
    pub(super) fn tell(&self) {
        if let Some(progress) = &self.progress {
            progress.set(self.up.get(), self.received.get(), Machine::current().now());
        }
    }
}

/// Adds one.
pub(super) fn more(count: &Cell<usize>) {
    count.set(count.get() + 1);
}

/// Takes some away.
pub(super) fn less(count: &Cell<usize>, by: usize) {
    count.set(count.get().saturating_sub(by));
}
