//! Activating the VC of a call, and deactivating it.

use condis::call::{Activated, Activation, After};
use ndis::{Chain, PendedCloseCall, PendedMakeCall, Progress, Ref, Result, Status, Unlocked};

use super::Vc;
use super::steps::Step;

impl Vc {
    /// Activates the VC, for a session that is up or for an offer.
    #[inline(never)]
    pub(super) fn activate(
        this: &Ref<Self>,
        mut activation: Activation<PendedMakeCall>,
        ended: &mut Chain<Self>,
        locks: &mut Unlocked,
    ) -> Step {
        let progress = match &mut activation.make {
            Some(make) => Self::activate_made(this, make, ended, locks),
            None => this.activate_offer(locks),
        };
        match progress {
            Ok(Progress::Done) => Step::Activated(activation, true),
            Ok(Progress::Pending) => {
                let early = this.life.lock(locks).call.activation_pended(activation);
                early.map_or(Step::Nothing, |(activation, success)| Step::Activated(activation, success))
            }
            Err(_) => Step::Activated(activation, false),
        }
    }

    /// Activates the VC with the parameters of the client, and what it gets of them.
    fn activate_made(
        this: &Ref<Self>,
        make: &mut PendedMakeCall,
        ended: &mut Chain<Self>,
        locks: &mut Unlocked,
    ) -> Result<Progress> {
        Self::grant_wish(this, make.parameters().ok_or(Status::FAILURE)?, ended, locks);
        Self::open_account(this, locks)?;
        make.activate(&this.handle, locks)
    }

    /// The session of a call has the account of credits that was agreed on, if any.
    pub(super) fn open_account(this: &Ref<Self>, locks: &mut Unlocked) -> Result<()> {
        let (session, agreement) = {
            let mut life = this.life.lock(locks);
            (life.session, life.credits.take())
        };
        let Some((session, agreement)) = session.zip(agreement) else { return Ok(()) };
        this.adapter().open_account(this, session.key, agreement, locks)
    }

    /// `CmActivateVcComplete`.
    pub(super) fn activation_completed(this: &Ref<Self>, success: bool, locks: &mut Unlocked) {
        let step = Self::change_activated(this, success, locks).unwrap_or_else(|| {
            let pended = this.life.lock(locks).call.activation_completed(success);
            pended.map_or(Step::Nothing, |(activation, success)| Step::Activated(activation, success))
        });
        Self::run(this, step, locks);
    }

    /// The VC is active, or cannot be: tells the client.
    #[inline(never)]
    pub(super) fn activated(
        this: &Ref<Self>,
        activation: Activation<PendedMakeCall>,
        success: bool,
        ended: &mut Chain<Self>,
        locks: &mut Unlocked,
    ) -> Step {
        let outcome = this.life.lock(locks).call.activated(activation, success);
        match outcome {
            Activated::Complete(make, upcall) => {
                this.indicate_granted(locks);
                make.complete(Status::SUCCESS, locks);
                Self::returned(this, upcall, locks)
            }
            Activated::Offer(upcall) => Self::offer(this, upcall, locks),
            Activated::Undo(failure) => {
                this.leave_wire(failure.peer_may_live(), ended, locks);
                if success {
                    Step::Deactivate
                } else {
                    Step::inactive(this.life.lock(locks).call.deactivated())
                }
            }
        }
    }

    /// The last frame in flight is back: the VC can be deactivated, and the close completed.
    #[inline(never)]
    pub(super) fn deactivate(this: &Ref<Self>, locks: &mut Unlocked) -> Step {
        // There is no reason for it to fail, and no way but on if it does.
        let pending = this.handle.deactivate(locks) == Ok(Progress::Pending);
        let mut life = this.life.lock(locks);
        Step::inactive(if pending { life.call.deactivation_pended() } else { life.call.deactivated() })
    }

    /// `CmDeactivateVcComplete`.
    pub(super) fn deactivation_completed(this: &Ref<Self>, locks: &mut Unlocked) {
        let step = Step::inactive(this.life.lock(locks).call.deactivation_completed());
        Self::run(this, step, locks);
    }

    /// The VC is inactive: tells the client, and deletes the VC if that is for the driver to do.
    #[inline(never)]
    pub(super) fn inactive(
        this: &Ref<Self>,
        after: After<PendedMakeCall, PendedCloseCall>,
        ended: &mut Chain<Self>,
        locks: &mut Unlocked,
    ) -> Step {
        match after {
            After::Close(close) => close.complete(Status::SUCCESS, locks),
            After::CloseAndDelete(close) => {
                close.complete(Status::SUCCESS, locks);
                Self::delete_own(this, ended, locks);
            }
            After::FailMake(make, upcall, failure) => return Self::fail(this, make, upcall, failure, locks),
            After::Delete => Self::delete_own(this, ended, locks),
        }
        Step::Nothing
    }
}

impl Step {
    /// A VC is inactive, if it is.
    fn inactive(after: Option<After<PendedMakeCall, PendedCloseCall>>) -> Self {
        after.map_or(Self::Nothing, Self::Inactive)
    }
}
