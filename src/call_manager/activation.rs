//! Activating the VC of a call, and deactivating it.

use condis::call::{Activated, Activation, After};
use ndis::{PendedCloseCall, PendedMakeCall, Progress, Ref, Result, Status, Unlocked};

use super::Vc;

impl Vc {
    /// Activates the VC, for a session that is up or for an offer.
    pub(super) fn activate(
        this: &Ref<Self>,
        mut activation: Activation<PendedMakeCall>,
        locks: &mut Unlocked,
    ) {
        let progress = match &mut activation.make {
            Some(make) => Self::activate_made(this, make, locks),
            None => this.activate_offer(locks),
        };
        match progress {
            Ok(Progress::Done) => Self::activated(this, activation, true, locks),
            Ok(Progress::Pending) => {
                let early = this.life.lock(locks).call.activation_pended(activation);
                if let Some((activation, success)) = early {
                    Self::activated(this, activation, success, locks);
                }
            }
            Err(_) => Self::activated(this, activation, false, locks),
        }
    }

    /// Activates the VC with the parameters of the client, and what it gets of them.
    fn activate_made(this: &Ref<Self>, make: &mut PendedMakeCall, locks: &mut Unlocked) -> Result<Progress> {
        Self::grant_wish(this, make.parameters().ok_or(Status::FAILURE)?, locks);
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
        if Self::change_activated(this, success, locks) {
            return;
        }
        let pended = this.life.lock(locks).call.activation_completed(success);
        if let Some((activation, success)) = pended {
            Self::activated(this, activation, success, locks);
        }
    }

    /// The VC is active, or cannot be: tells the client.
    fn activated(
        this: &Ref<Self>,
        activation: Activation<PendedMakeCall>,
        success: bool,
        locks: &mut Unlocked,
    ) {
        let outcome = this.life.lock(locks).call.activated(activation, success);
        match outcome {
            Activated::Complete(make, upcall) => {
                this.indicate_granted(locks);
                make.complete(Status::SUCCESS, locks);
                Self::returned(this, upcall, locks);
            }
            Activated::Offer(upcall) => Self::offer(this, upcall, locks),
            Activated::Undo(failure) => {
                this.leave_wire(failure.peer_may_live(), locks);
                if success {
                    Self::deactivate(this, locks);
                } else {
                    let after = this.life.lock(locks).call.deactivated();
                    Self::inactive(this, after, locks);
                }
            }
        }
    }

    /// The last frame in flight is back: the VC can be deactivated, and the close completed.
    pub(super) fn deactivate(this: &Ref<Self>, locks: &mut Unlocked) {
        // There is no reason for it to fail, and no way but on if it does.
        let pending = this.handle.deactivate(locks) == Ok(Progress::Pending);
        let after = {
            let mut life = this.life.lock(locks);
            if pending { life.call.deactivation_pended() } else { life.call.deactivated() }
        };
        Self::inactive(this, after, locks);
    }

    /// `CmDeactivateVcComplete`.
    pub(super) fn deactivation_completed(this: &Ref<Self>, locks: &mut Unlocked) {
        let after = this.life.lock(locks).call.deactivation_completed();
        Self::inactive(this, after, locks);
    }

    /// The VC is inactive: tells the client, and deletes the VC if that is for the driver to do.
    fn inactive(
        this: &Ref<Self>,
        after: Option<After<PendedMakeCall, PendedCloseCall>>,
        locks: &mut Unlocked,
    ) {
        match after {
            None => {}
            Some(After::Close(close)) => close.complete(Status::SUCCESS, locks),
            Some(After::CloseAndDelete(close)) => {
                close.complete(Status::SUCCESS, locks);
                Self::delete_own(this, locks);
            }
            Some(After::FailMake(make, upcall, failure)) => Self::fail(this, make, upcall, failure, locks),
            Some(After::Delete) => Self::delete_own(this, locks),
        }
    }
}
