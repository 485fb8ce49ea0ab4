//! What a handler that may answer later answers.
//!
//! A request token leaves its handler in one of two ways: `finish(status)` makes the final [`Answer`], `pend()`
//! makes the pending answer together with a token whose completion gives the final one. An answer cannot be made
//! in any other way, so a handler can neither answer twice nor forget to.

use crate::status::Status;

/// The answer of a handler, made by a request token.
#[derive(Debug)]
#[must_use = "NDIS waits for the answer of the handler"]
pub struct Answer(Status);

impl Answer {
    pub(crate) const fn now(status: Status) -> Self {
        Self(status)
    }

    pub(crate) const fn pending() -> Self {
        Self(Status::PENDING)
    }

    pub(crate) const fn into_status(self) -> Status {
        self.0
    }
}
