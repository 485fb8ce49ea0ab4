//! The part of a call's life that only calls that come in have: from the offer to the session.

use super::{Activation, Call, Next, Pend, State, Upcall};

impl<M, C> Call<M, C> {
    /// A VC that the driver creates for a call that comes in, and its first step: create the VC, then
    /// activate it. If it cannot be created, drop both.
    pub fn incoming() -> (Self, Activation<M>) {
        let mut call = Self { state: State::Activating(Pend::Called), incoming: true, ..Self::new() };
        let upcall = call.begin_upcall();
        (call, Activation { make: None, upcall })
    }

    /// `NdisMCmDispatchIncomingCall` has returned: the client took the call, or did not, or will answer
    /// with `CmIncomingCallComplete` (`None`), which may have been called meanwhile.
    pub fn offered(&mut self, upcall: Upcall, verdict: Option<bool>) -> Next<C> {
        if let State::Offered { answer, .. } = &mut self.state {
            *answer = answer.or(verdict);
        }
        self.returned(upcall)
    }

    /// `CmIncomingCallComplete`: the client's answer to the offer. Only the first counts.
    pub fn answered(&mut self, accepted: bool) -> Next<C> {
        match &mut self.state {
            State::Offered { answer: answer @ None, .. } => *answer = Some(accepted),
            _ => return Next::Nothing,
        }
        // The answer may come from within the offer, or from within a close dispatched after it.
        if self.upcalls != 0 { Next::Nothing } else { self.decide() }
    }

    /// Whether the call is offered, wanted still, and the client has not answered.
    pub const fn awaits_answer(&self) -> bool {
        matches!(self.state, State::Offered { answer: None, .. })
            && self.held_close.is_none()
            && self.lost.is_none()
    }

    /// The session of an accepted call is ready. `true`: data may flow, tell the peer and the client.
    /// `false`: the call is over; take the session back.
    #[must_use]
    pub fn established(&mut self) -> bool {
        let wanted =
            matches!(self.state, State::Accepted) && self.held_close.is_none() && self.lost.is_none();
        if wanted {
            self.state = State::Active;
        }
        wanted
    }

    /// What the answer to an offer leads to, with no upcall out and no close held.
    pub(super) fn decide(&mut self) -> Next<C> {
        let State::Offered { answer, told } = &mut self.state else { return Next::Nothing };
        match (*answer, self.lost) {
            (Some(false), _) => {
                self.state = State::Deactivating(super::After::Delete, Pend::Called);
                Next::Reject
            }
            (Some(true), None) => {
                self.state = State::Accepted;
                Next::Accept(self.begin_upcall())
            }
            // The client knows that the call is over, and will close what it has just accepted.
            (Some(true), Some(_)) if *told => {
                self.state = State::ClosedByPeer;
                Next::Nothing
            }
            (Some(true), Some(failure)) => {
                self.state = State::ClosedByPeer;
                Next::DispatchClose(failure, self.begin_upcall())
            }
            (None, Some(failure)) if !*told => {
                *told = true;
                Next::DispatchClose(failure, self.begin_upcall())
            }
            (None, _) => Next::Nothing,
        }
    }
}
