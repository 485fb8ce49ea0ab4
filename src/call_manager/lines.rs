//! The lines that TAPI sees: each carries one call at a time.

use alloc::vec::Vec;
use condis::status::Status;
use condis::tapi::in_use;
use ndis::{Ref, Result, SpinLock};

use super::from_condis;
use crate::adapter::Adapter;

/// Which lines of an adapter are in use.
pub(crate) struct Lines {
    count: u32,
    taken: SpinLock<Taken>,
}

struct Taken {
    words: Vec<u64>,
    /// Where the search for any free line goes on.
    next: u32,
}

impl Lines {
    /// So many lines, all free.
    pub(crate) fn new(count: u32) -> Result<Self> {
        let words = ndis::memory::filled(in_use::words(count) as usize, |_| Ok(0))?;
        Ok(Self { count, taken: SpinLock::new(Taken { words, next: 0 }) })
    }
}

/// Where a call is to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// On no line: the client knows none.
    Nowhere,
    /// On any line.
    Anywhere,
    /// On this line.
    Line(u32),
}

impl Place {
    /// The line that a client of TAPI's names, or any.
    pub(super) fn of(line: Option<u32>) -> Self {
        line.map_or(Self::Anywhere, Self::Line)
    }
}

impl Lines {
    /// Whether a call could be there.
    pub(super) fn is_free(&self, wanted: Place) -> bool {
        let taken = self.taken.lock();
        match wanted {
            Place::Nowhere => true,
            Place::Anywhere => in_use::find_free(&taken.words, self.count, taken.next).is_some(),
            Place::Line(line) => in_use::is_free(&taken.words, self.count, line),
        }
    }
}

/// A line in use, until it is dropped. Its lock is the innermost of all.
pub(super) struct Line {
    adapter: Ref<Adapter>,
    number: u32,
}

impl Line {
    /// Takes the line that a call wants, if it wants one.
    ///
    /// Errors: `TAPI_INUSE`.
    pub(super) fn take(adapter: &Ref<Adapter>, wanted: Place) -> Result<Option<Self>> {
        let busy = from_condis(Status::TAPI_INUSE);
        let Lines { count, ref taken } = adapter.lines_in_use;
        let mut taken = taken.lock();
        let taken = &mut *taken;
        let number = match wanted {
            Place::Nowhere => return Ok(None),
            Place::Anywhere => in_use::find_free(&taken.words, count, taken.next).ok_or(busy)?,
            Place::Line(line) => line,
        };
        if !in_use::take(&mut taken.words, count, number) {
            return Err(busy);
        }
        taken.next = number.saturating_add(1);
        Ok(Some(Self { adapter: Ref::clone(adapter), number }))
    }

    /// Which it is.
    pub(super) const fn number(&self) -> u32 {
        self.number
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        in_use::release(&mut self.adapter.lines_in_use.taken.lock().words, self.number);
    }
}
