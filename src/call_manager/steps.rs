//! What happens to a call, step by step.
//!
//! A step changes state under a lock, lets go of it, calls NDIS, and says which step is next. The steps do not call each
//! other: a call that comes in late in a chain of events would pile up all of them on a stack that is small and shared.
//! For the same reason a step does not complete sends, whose completion may begin another VC's steps: it leaves them to
//! whoever runs it.

use condis::call::{Activation, After, Lost, Next, Upcall};
use condis::call_failure::CallFailure;
use ndis::{Chain, PendedCloseCall, PendedMakeCall, Ref, Result, Status, Unlocked};

use super::change::Changing;
use super::{Vc, from_condis};

/// What is to be done next about a call.
pub(super) enum Step {
    Nothing,
    /// The VC is to be activated.
    Activate(Activation<PendedMakeCall>),
    /// It has been, or cannot be.
    Activated(Activation<PendedMakeCall>, bool),
    /// It is to be activated once more, with other parameters.
    Change(Changing),
    /// It has been, or cannot be.
    Changed(Changing, Result<()>),
    /// The client has taken a call that came in, and the VC is active with what it wants, or cannot be.
    Confirm(Result<()>, Upcall),
    /// A change is over, and told to whom it concerns.
    Told(Upcall),
    /// What was due has been done: what the call says to that.
    Next(Next<PendedCloseCall>),
    /// The call is over, and not by the client's wish.
    Lost(Lost<PendedMakeCall>, CallFailure),
    /// Nothing is in flight any more.
    Deactivate,
    /// The VC is inactive.
    Inactive(After<PendedMakeCall, PendedCloseCall>),
}

impl Vc {
    /// Takes a step and all that follow from it.
    pub(super) fn run(this: &Ref<Self>, step: Step, locks: &mut Unlocked) {
        let mut ended = Chain::new();
        Self::steps(this, step, &mut ended, locks);
        this.adapter().complete(ended, locks);
    }

    /// The same; sends that end on the way are added to `ended`, for the caller to complete.
    pub(super) fn steps(this: &Ref<Self>, first: Step, ended: &mut Chain<Self>, locks: &mut Unlocked) {
        let mut step = first;
        loop {
            step = match step {
                Step::Nothing | Step::Next(Next::Nothing) | Step::Lost(Lost::Nothing, _) => return,
                Step::Activate(activation) => Self::activate(this, activation, ended, locks),
                Step::Activated(activation, success) => {
                    Self::activated(this, activation, success, ended, locks)
                }
                Step::Change(changing) => Self::change(this, changing, ended, locks),
                Step::Changed(changing, result) => Self::changed(this, changing, result, ended, locks),
                Step::Confirm(result, upcall) => Self::confirm(this, result, upcall, ended, locks),
                Step::Told(upcall) => Self::told(this, upcall, locks),
                Step::Next(next) => Self::go_on(this, next, ended, locks),
                Step::Lost(lost, failure) => Self::follow(this, lost, failure, ended, locks),
                Step::Deactivate => Self::deactivate(this, locks),
                Step::Inactive(after) => Self::inactive(this, after, ended, locks),
            };
        }
    }

    /// A call into NDIS about this VC has returned: what waited for that.
    pub(super) fn returned(this: &Ref<Self>, upcall: Upcall, locks: &mut Unlocked) -> Step {
        Step::Next(this.life.lock(locks).call.returned(upcall))
    }

    /// Completes a make call with a failure.
    pub(super) fn fail(
        this: &Ref<Self>,
        make: PendedMakeCall,
        upcall: Upcall,
        failure: CallFailure,
        locks: &mut Unlocked,
    ) -> Step {
        make.complete(from_condis(failure.status()), locks);
        Self::returned(this, upcall, locks)
    }

    /// What the call says is next.
    #[inline(never)]
    fn go_on(
        this: &Ref<Self>,
        next: Next<PendedCloseCall>,
        ended: &mut Chain<Self>,
        locks: &mut Unlocked,
    ) -> Step {
        match next {
            Next::Nothing => Step::Nothing,
            Next::DispatchClose(failure, upcall) => {
                this.handle.dispatch_incoming_close(from_condis(failure.status()), locks);
                Self::returned(this, upcall, locks)
            }
            Next::Accept(upcall) => Self::accept(this, upcall, locks),
            Next::Reject => {
                this.leave_wire(true, ended, locks);
                Step::Deactivate
            }
            Next::Start(teardown) => Self::tear_down(this, teardown, ended, locks),
            Next::CompleteClose(close) => {
                close.complete(Status::SUCCESS, locks);
                Step::Nothing
            }
        }
    }
}
