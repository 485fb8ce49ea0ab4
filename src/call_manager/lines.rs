//! The lines that TAPI sees: each carries one call at a time. Calls of clients that know no lines count too: there are no more
//! calls of an adapter than it has lines, its WAN endpoints.

use alloc::vec::Vec;
use condis::status::Status;
use condis::tapi::in_use;
use ndis::{Leaf, Ref, Result, Tie};

use super::from_condis;
use crate::adapter::Adapter;

/// Which lines of an adapter are in use, and by how many calls.
pub(crate) struct Lines {
    count: u32,
    taken: Leaf<Taken>,
}

struct Taken {
    /// Calls, on a line or on none.
    calls: u32,
    words: Vec<u64>,
    /// Where the search for any free line goes on.
    next: u32,
}

impl Lines {
    /// So many lines, all free.
    pub(crate) fn new(count: u32) -> Result<Self> {
        let words = ndis::memory::filled(in_use::words(count) as usize, |_| Ok(0))?;
        Ok(Self { count, taken: Leaf::new(Taken { calls: 0, words, next: 0 }) })
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

impl Taken {
    /// Whether a call could be there: `Err` if not, otherwise the line, unless it is on none.
    fn find(&self, wanted: Place, count: u32) -> core::result::Result<Option<u32>, Status> {
        if self.calls >= count {
            return Err(Status::TAPI_INUSE);
        }
        match wanted {
            Place::Nowhere => Ok(None),
            Place::Anywhere => {
                in_use::find_free(&self.words, count, self.next).map(Some).ok_or(Status::TAPI_INUSE)
            }
            Place::Line(line) if in_use::is_free(&self.words, count, line) => Ok(Some(line)),
            Place::Line(_) => Err(Status::TAPI_INUSE),
        }
    }

    /// Takes a place, if a call could be there.
    fn take(&mut self, wanted: Place, count: u32) -> core::result::Result<Option<u32>, Status> {
        let number = self.find(wanted, count)?;
        if let Some(number) = number {
            // It is free: the lock is held since it was found.
            let _ = in_use::take(&mut self.words, count, number);
            self.next = number.saturating_add(1);
        }
        self.calls = self.calls.saturating_add(1);
        Ok(number)
    }
}

impl Lines {
    /// Whether a call could be there.
    pub(super) fn is_free(&self, wanted: Place) -> bool {
        let count = self.count;
        self.taken.with(move |taken| taken.find(wanted, count).is_ok())
    }
}

/// The place of a call, until it is dropped.
pub(super) struct Line {
    adapter: Tie<Adapter>,
    number: Option<u32>,
}

impl Line {
    /// Takes the place that a call wants.
    ///
    /// Errors: `TAPI_INUSE`.
    pub(super) fn take(adapter: &Ref<Adapter>, wanted: Place) -> Result<Self> {
        let Lines { count, ref taken } = adapter.lines_in_use;
        let number = taken.with(move |taken| taken.take(wanted, count)).map_err(from_condis)?;
        Ok(Self { adapter: Tie::new(adapter), number })
    }

    /// Which line it is, if it is one.
    pub(super) const fn number(&self) -> Option<u32> {
        self.number
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let number = self.number;
        self.adapter.lines_in_use.taken.with(move |taken| {
            taken.calls = taken.calls.saturating_sub(1);
            if let Some(number) = number {
                in_use::release(&mut taken.words, number);
            }
        });
    }
}
