//! Activating and deactivating a VC, which NDIS may do later than the call to it returns.

use super::{Activated, Activation, After, Call, State};
use crate::call_failure::CallFailure;

/// Where a call to NDIS stands that may answer PENDING.
#[derive(Debug)]
pub(super) enum Pend<T, R> {
    /// It has not returned.
    Called,
    /// Nor this time, but its completion has come.
    Early(R),
    /// It returned PENDING.
    Pending(T),
}

impl<M, C> Call<M, C> {
    /// `NdisMCmActivateVc` has answered PENDING. The activation comes back, with its success, from here
    /// if `CmActivateVcComplete` was called before, and else from
    /// [`activation_completed`](Self::activation_completed).
    pub fn activation_pended(&mut self, activation: Activation<M>) -> Option<(Activation<M>, bool)> {
        match core::mem::replace(&mut self.state, State::Activating(Pend::Called)) {
            State::Activating(Pend::Early(success)) => Some((activation, success)),
            State::Activating(_) => {
                self.state = State::Activating(Pend::Pending(activation));
                None
            }
            other => {
                self.state = other;
                Some((activation, false))
            }
        }
    }

    /// `CmActivateVcComplete`: the activation that waited for it.
    pub fn activation_completed(&mut self, success: bool) -> Option<(Activation<M>, bool)> {
        match core::mem::replace(&mut self.state, State::Activating(Pend::Called)) {
            State::Activating(Pend::Pending(activation)) => Some((activation, success)),
            State::Activating(_) => {
                self.state = State::Activating(Pend::Early(success));
                None
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    /// The activation has ended. From here, on success, data may flow on a call that the client made.
    pub fn activated(&mut self, activation: Activation<M>, success: bool) -> Activated<M> {
        let failure = match self.lost {
            Some(failure) => Some(failure),
            None if self.held_close.is_some() => Some(CallFailure::Aborted),
            None if !success => Some(CallFailure::Resources),
            None => None,
        };
        let Activation { make, upcall } = activation;
        match (failure, make) {
            (None, Some(make)) => {
                self.state = State::Active;
                Activated::Complete(make, upcall)
            }
            (None, None) => {
                self.state = State::Offered { answer: None, told: false };
                Activated::Offer(upcall)
            }
            (Some(failure), make) => {
                let after = match make {
                    Some(make) => After::FailMake(make, upcall, failure),
                    None => After::Delete,
                };
                self.state = State::Deactivating(after, Pend::Called);
                Activated::Undo(failure)
            }
        }
    }

    /// `NdisMCmDeactivateVc` has answered PENDING. What follows comes from here if
    /// `CmDeactivateVcComplete` was called before, and else from
    /// [`deactivation_completed`](Self::deactivation_completed).
    pub fn deactivation_pended(&mut self) -> Option<After<M, C>> {
        match &mut self.state {
            State::Deactivating(_, Pend::Early(())) => self.deactivated(),
            State::Deactivating(_, pend) => {
                *pend = Pend::Pending(());
                None
            }
            _ => None,
        }
    }

    /// `CmDeactivateVcComplete`.
    pub fn deactivation_completed(&mut self) -> Option<After<M, C>> {
        match &mut self.state {
            State::Deactivating(_, Pend::Pending(())) => self.deactivated(),
            State::Deactivating(_, pend) => {
                *pend = Pend::Early(());
                None
            }
            _ => None,
        }
    }

    /// The VC is inactive: what follows, once.
    pub fn deactivated(&mut self) -> Option<After<M, C>> {
        let next = if self.incoming { State::Deleted } else { State::Idle };
        match core::mem::replace(&mut self.state, next) {
            State::Deactivating(after, _) => Some(after),
            other => {
                self.state = other;
                None
            }
        }
    }
}
