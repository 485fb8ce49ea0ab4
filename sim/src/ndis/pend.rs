//! An operation which a driver may finish in its handler or pend and complete later.
//!
//! Every such operation of NDIS has the same four legal courses: a final status is returned; `PENDING` is
//! returned and the completion follows; the completion arrives before the handler returns `PENDING`; the
//! completion arrives on another processor meanwhile. Everything else is an error of the driver.

use std::cell::Cell;

use super::status::{PENDING, Status};

/// Where the operation stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing is asked of the driver.
    #[default]
    Idle,
    /// The handler runs; it may be completed already in another context.
    Calling,
    /// The handler has returned `PENDING`.
    Pending,
    /// The completion came before the handler returned.
    Early,
}

/// What the return value of the handler means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    /// The handler decided.
    Final(Status),
    /// The completion will come.
    Pending,
    /// The completion came before; the return value agrees with it.
    Early,
    /// The completion came before, and yet the handler returned a final status.
    Twice(Status),
}

/// One operation that may pend; see the module.
#[derive(Debug, Default)]
pub(crate) struct Pend {
    stage: Cell<Stage>,
}

impl Pend {
    /// Where the operation stands.
    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// Whether the driver owes an answer.
    pub(crate) fn outstanding(&self) -> bool {
        matches!(self.stage.get(), Stage::Calling | Stage::Pending)
    }

    /// NDIS is about to call the handler. False if the previous operation has not ended.
    #[must_use]
    pub(crate) fn begin(&self) -> bool {
        let idle = self.stage.get() == Stage::Idle;
        if idle {
            self.stage.set(Stage::Calling);
        }
        idle
    }

    /// As [`Self::begin`], where NDIS has seen to it that nothing is under way.
    pub(crate) fn start(&self) {
        assert!(self.begin(), "one operation of a kind at a time");
    }

    /// The handler returned `status`.
    pub(crate) fn returned(&self, status: Status) -> Returned {
        match (self.stage.get(), status) {
            (Stage::Early, PENDING) => {
                self.stage.set(Stage::Idle);
                Returned::Early
            }
            (Stage::Early, status) => {
                self.stage.set(Stage::Idle);
                Returned::Twice(status)
            }
            (_, PENDING) => {
                self.stage.set(Stage::Pending);
                Returned::Pending
            }
            (_, status) => {
                self.stage.set(Stage::Idle);
                Returned::Final(status)
            }
        }
    }

    /// The driver calls the completion function. False if nothing was pending: it must be ignored.
    #[must_use]
    pub(crate) fn complete(&self) -> bool {
        match self.stage.get() {
            Stage::Idle | Stage::Early => false,
            Stage::Calling => {
                self.stage.set(Stage::Early);
                true
            }
            Stage::Pending => {
                self.stage.set(Stage::Idle);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ndis::status::{FAILURE, SUCCESS};

    #[test]
    fn a_final_status_ends_the_operation() {
        let pend = Pend::default();
        assert!(pend.begin());
        assert!(!pend.begin());
        assert_eq!(pend.returned(FAILURE), Returned::Final(FAILURE));
        assert!(!pend.complete());
        assert!(pend.begin());
    }

    #[test]
    fn a_completion_may_come_before_or_after_the_return() {
        let pend = Pend::default();
        assert!(pend.begin());
        assert!(pend.complete());
        assert!(!pend.complete());
        assert_eq!(pend.returned(PENDING), Returned::Early);
        assert!(pend.begin());
        assert_eq!(pend.returned(PENDING), Returned::Pending);
        assert!(pend.outstanding());
        assert!(pend.complete());
        assert!(!pend.complete());
    }

    #[test]
    fn a_final_status_after_a_completion_is_a_second_completion() {
        let pend = Pend::default();
        assert!(pend.begin());
        assert!(pend.complete());
        assert_eq!(pend.returned(SUCCESS), Returned::Twice(SUCCESS));
    }
}
