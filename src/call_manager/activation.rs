//! Activating the VC of a call, and deactivating it.

use condis::call::{Activated, Activation, After};
use ndis::{PendedCloseCall, PendedMakeCall, Progress, Ref, Result, Status};

use super::Vc;

impl Vc {
    /// Activates the VC, for a session that is up or for an offer.
    pub(super) fn activate(this: &Ref<Self>, mut activation: Activation<PendedMakeCall>) {
        let progress = match activation.make.as_mut().map(PendedMakeCall::parameters) {
            Some(Some(parameters)) => {
                Self::grant_wish(this, parameters);
                Self::open_account(this).and_then(|()| this.handle.activate(parameters))
            }
            Some(None) => Err(Status::FAILURE),
            None => this.activate_offer(),
        };
        match progress {
            Ok(Progress::Done) => Self::activated(this, activation, true),
            Ok(Progress::Pending) => {
                let early = this.life.lock().call.activation_pended(activation);
                if let Some((activation, success)) = early {
                    Self::activated(this, activation, success);
                }
            }
            Err(_) => Self::activated(this, activation, false),
        }
    }

    /// The session of a call has the account of credits that was agreed on, if any.
    pub(super) fn open_account(this: &Ref<Self>) -> Result<()> {
        let (session, agreement) = {
            let mut life = this.life.lock();
            (life.session, life.credits.take())
        };
        let Some((session, agreement)) = session.zip(agreement) else { return Ok(()) };
        this.adapter().open_account(this, session.key, agreement)
    }

    /// `CmActivateVcComplete`.
    pub(super) fn activation_completed(this: &Ref<Self>, success: bool) {
        if Self::change_activated(this, success) {
            return;
        }
        let pended = this.life.lock().call.activation_completed(success);
        if let Some((activation, success)) = pended {
            Self::activated(this, activation, success);
        }
    }

    /// The VC is active, or cannot be: tells the client.
    fn activated(this: &Ref<Self>, activation: Activation<PendedMakeCall>, success: bool) {
        let outcome = this.life.lock().call.activated(activation, success);
        match outcome {
            Activated::Complete(make, upcall) => {
                this.indicate_granted();
                make.complete(Status::SUCCESS);
                Self::returned(this, upcall);
            }
            Activated::Offer(upcall) => Self::offer(this, upcall),
            Activated::Undo(failure) => {
                this.leave_wire(failure.peer_may_live());
                if success {
                    Self::deactivate(this);
                } else {
                    let after = this.life.lock().call.deactivated();
                    Self::inactive(this, after);
                }
            }
        }
    }

    /// The last frame in flight is back: the VC can be deactivated, and the close completed.
    pub(super) fn deactivate(this: &Ref<Self>) {
        // There is no reason for it to fail, and no way but on if it does.
        let pending = this.handle.deactivate() == Ok(Progress::Pending);
        let after = {
            let mut life = this.life.lock();
            if pending { life.call.deactivation_pended() } else { life.call.deactivated() }
        };
        Self::inactive(this, after);
    }

    /// `CmDeactivateVcComplete`.
    pub(super) fn deactivation_completed(this: &Ref<Self>) {
        let after = this.life.lock().call.deactivation_completed();
        Self::inactive(this, after);
    }

    /// The VC is inactive: tells the client, and deletes the VC if that is for the driver to do.
    fn inactive(this: &Ref<Self>, after: Option<After<PendedMakeCall, PendedCloseCall>>) {
        match after {
            None => {}
            Some(After::Close(close)) => close.complete(Status::SUCCESS),
            Some(After::CloseAndDelete(close)) => {
                close.complete(Status::SUCCESS);
                Self::delete_own(this);
            }
            Some(After::FailMake(make, upcall, failure)) => Self::fail(this, make, upcall, failure),
            Some(After::Delete) => Self::delete_own(this),
        }
    }
}
