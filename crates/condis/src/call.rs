//! The life of one VC: its call, what is in flight on it, and who waits for whom.
//!
//! The driver keeps a [`Call`] under the VC's lock, tells it what happened, lets go of the lock and
//! does what the answer says. The call holds the pended `CmMakeCall` and `CmCloseCall` as tokens of
//! the driver's own types `M` and `C`; each leaves exactly once, by value, when it is to be
//! completed, so nothing is completed twice or forgotten.
//!
//! A call that the client makes, on a VC that the client created:
//!
//! ```text
//!          make_call            connected              activated
//!   Idle ─────────────▶ Connecting ─────────▶ Activating ─────────▶ Active
//!    ▲                      │ lost, close         │ failed           │   │ lost
//!    │◀─────────────────────┴───── Deactivating ◀─┘            close │   ▼
//!    │                                                               │  ClosedByPeer
//!    │        deactivated                nothing in flight           ▼   │ close
//!    └──────────────────────── Deactivating ◀─────────────────── Draining◀┘
//! ```
//!
//! A call that comes in, on a VC that the driver creates for it and deletes after it:
//!
//! ```text
//!   incoming                activated           accepted          established
//!  ──────────▶ Activating ───────────▶ Offered ──────────▶ Accepted ───────────▶ Active, as above
//!                  │ failed, lost         │  │ lost            │ lost
//!                  ▼       rejected       │  ▼                 ▼                    the end:
//!             Deactivating ◀──────────────┤ Offered, told ──▶ ClosedByPeer         Deactivating ─▶ Deleted
//!                  │                      │ close       accepted    │ close
//!                  ▼                      ▼                         ▼
//!               Deleted                Draining                  Draining
//! ```
//!
//! **Upcalls.** To complete a make call, to offer a call or to dispatch a close, the driver must let
//! go of the lock and call NDIS, and NDIS calls the client. In that window the client may answer or
//! close from another processor, or from within. If the close ran to its end there and then, the
//! client could delete the VC that the first call still speaks about, or see its close completed
//! before its make call. So each such answer carries an [`Upcall`]; while it is out, a close waits,
//! an answer to an offer waits, and [`Call::returned`] says what comes next once NDIS has returned.
//!
//! **Activation.** Pages differ on whether `NdisMCmActivateVc` and `NdisMCmDeactivateVc` can answer
//! PENDING to a miniport call manager, and on whether `CmActivateVcComplete` and
//! `CmDeactivateVcComplete` are called for one. Here PENDING waits for the completion, which may come
//! before the PENDING does, and a completion that nobody waits for changes nothing.
//!
//! Rules of NDIS behind this: a pended make call is completed exactly once, also when the client
//! closes first (`ProtocolCmCloseCall`); a VC is deactivated only when its sends are complete and
//! its receives returned (`NdisMCmDeactivateVc`), and before the close is completed; after a call
//! has ended the client may delete its VC or use it again; an offered call whose caller goes away is
//! ended as an active one is (`NdisMCmDispatchIncomingCloseCall`: "an active or offered call").

mod activation;
mod answers;
mod incoming;
#[cfg(test)]
mod tests;

pub use self::answers::{Activated, Activation, After, Close, Lost, Next, Teardown, Upcall};

use self::activation::Pend;
use crate::call_failure::CallFailure;
use crate::status::Status;

#[derive(Debug)]
enum State<M, C> {
    Idle,
    Connecting(M),
    Activating(Pend<Activation<M>, bool>),
    Offered { answer: Option<bool>, told: bool },
    Accepted,
    Active,
    ClosedByPeer,
    Draining(C),
    Deactivating(After<M, C>, Pend<(), ()>),
    Deleted,
}

/// One VC. `M` is the driver's pended make call, `C` its pended close.
#[derive(Debug)]
pub struct Call<M, C> {
    state: State<M, C>,
    /// The driver created the VC, for a call that comes in.
    incoming: bool,
    /// A close that arrived while an upcall or an activation was under way.
    held_close: Option<C>,
    /// Why the call is over, once it is.
    lost: Option<CallFailure>,
    /// Upcalls that are out and concern the present call.
    upcalls: u32,
    /// Counts the calls on the VC: an upcall about an earlier one no longer matters.
    number: u32,
    sends: u32,
    receives: u32,
}

impl<M, C> Default for Call<M, C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M, C> Call<M, C> {
    /// A VC without a call, created by the client.
    pub const fn new() -> Self {
        Self {
            state: State::Idle,
            incoming: false,
            held_close: None,
            lost: None,
            upcalls: 0,
            number: 0,
            sends: 0,
            receives: 0,
        }
    }

    /// `CmMakeCall`: start discovery and return PENDING, or complete with the status given back.
    ///
    /// A client that makes a new call has seen the end of the old one, so an upcall about the old
    /// one no longer matters.
    pub fn make_call(&mut self, make: M) -> Result<(), (M, Status)> {
        if !matches!(self.state, State::Idle) || self.held_close.is_some() {
            return Err((make, Status::TAPI_INUSE));
        }
        self.lost = None;
        self.upcalls = 0;
        self.number = self.number.wrapping_add(1);
        self.state = State::Connecting(make);
        Ok(())
    }

    /// The session is up: activate the VC. `None` when the call was given up before: end the session.
    pub fn connected(&mut self) -> Option<Activation<M>> {
        let make = self.leave_connecting(State::Activating(Pend::Called))?;
        Some(Activation { make: Some(make), upcall: self.begin_upcall() })
    }

    /// The parameters of a call are about to change: activate the VC again. Until [`Call::returned`] a close waits, and an
    /// answer to an offer. `None` unless the call is active, or offered and not answered.
    pub fn change(&mut self) -> Option<Upcall> {
        (self.is_open() || self.awaits_answer()).then(|| self.begin_upcall())
    }

    /// The call failed or ended, and not by the client's wish: discovery gave up, a PADT came, the
    /// link went down, the adapter halts.
    pub fn lost(&mut self, failure: CallFailure) -> Lost<M> {
        if let Some(make) = self.leave_connecting(State::Idle) {
            return Lost::CompleteMake(make, self.begin_upcall());
        }
        let free = self.upcalls == 0 && self.held_close.is_none();
        match &mut self.state {
            State::Active if free => {
                self.lost = Some(failure);
                self.state = State::ClosedByPeer;
                Lost::DispatchClose(self.begin_upcall())
            }
            State::Offered { told, .. } if free && !*told => {
                *told = true;
                self.lost = Some(failure);
                Lost::DispatchClose(self.begin_upcall())
            }
            State::Activating(_)
            | State::Offered { .. }
            | State::Accepted
            | State::Active
            | State::Draining(_) => {
                self.lost.get_or_insert(failure);
                Lost::Nothing
            }
            _ => Lost::Nothing,
        }
    }

    /// `CmCloseCall`.
    pub fn close(&mut self, close: C) -> Close<M, C> {
        if self.held_close.is_some() {
            return Close::Refused(close, Status::CLOSING);
        }
        if let Some(make) = self.leave_connecting(State::Idle) {
            self.held_close = Some(close);
            return Close::AbortMake(make, self.begin_upcall());
        }
        match self.state {
            State::Draining(_)
            | State::Deactivating(After::Close(_) | After::CloseAndDelete(_) | After::Delete, _) => {
                Close::Refused(close, Status::CLOSING)
            }
            State::Idle if self.upcalls == 0 => Close::Done(close),
            State::Deleted if self.upcalls == 0 => Close::Refused(close, Status::VC_NOT_ACTIVATED),
            State::Offered { .. } | State::Active | State::ClosedByPeer if self.upcalls == 0 => {
                Close::Start(self.tear_down(close))
            }
            _ => {
                self.held_close = Some(close);
                Close::Wait
            }
        }
    }

    /// The call into NDIS that `upcall` stands for has returned.
    #[expect(clippy::needless_pass_by_value, reason = "an upcall can be given back only once")]
    pub fn returned(&mut self, upcall: Upcall) -> Next<C> {
        let Upcall(number) = upcall;
        if self.number != number {
            return Next::Nothing;
        }
        self.upcalls = self.upcalls.saturating_sub(1);
        if self.upcalls != 0 {
            return Next::Nothing;
        }
        if let Some(close) = self.held_close.take() {
            return match self.state {
                State::Offered { .. } | State::Accepted | State::Active | State::ClosedByPeer => {
                    Next::Start(self.tear_down(close))
                }
                _ => Next::CompleteClose(close),
            };
        }
        match (&self.state, self.lost) {
            (State::Active | State::Accepted, Some(failure)) => {
                self.state = State::ClosedByPeer;
                Next::DispatchClose(failure, self.begin_upcall())
            }
            (State::Offered { .. }, _) => self.decide(),
            _ => Next::Nothing,
        }
    }

    /// `CmDeleteVc`: whether the VC may go.
    pub fn delete(&mut self) -> Result<(), Status> {
        if !self.can_delete() {
            return Err(Status::NOT_ACCEPTED);
        }
        self.state = State::Deleted;
        Ok(())
    }

    /// Whether [`Call::delete`] would succeed.
    pub const fn can_delete(&self) -> bool {
        matches!(self.state, State::Idle) && self.held_close.is_none()
    }

    /// Whether the driver created the VC, for a call that comes in.
    pub const fn is_incoming(&self) -> bool {
        self.incoming
    }

    /// Whether data may flow: sends are taken and received frames indicated.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Active) && self.held_close.is_none() && self.lost.is_none()
    }

    /// Counts `count` net buffer lists in before they are queued for the card. `false`: refuse them.
    #[must_use]
    pub fn begin_sends(&mut self, count: u32) -> bool {
        Self::begin(self.is_open(), &mut self.sends, count)
    }

    /// Counts `count` net buffer lists in before they are indicated; one more for the call into NDIS
    /// itself keeps the VC alive until it has returned. `false`: drop the frames.
    #[must_use]
    pub fn begin_receives(&mut self, count: u32) -> bool {
        Self::begin(self.is_open(), &mut self.receives, count)
    }

    /// `count` sends were completed. `true`: deactivate the VC, then call [`Call::deactivated`].
    #[must_use]
    pub fn end_sends(&mut self, count: u32) -> bool {
        self.sends = self.sends.saturating_sub(count);
        self.drained()
    }

    /// `count` receives came back. `true`: deactivate the VC, then call [`Call::deactivated`].
    #[must_use]
    pub fn end_receives(&mut self, count: u32) -> bool {
        self.receives = self.receives.saturating_sub(count);
        self.drained()
    }

    /// Sends and receives in flight.
    pub const fn in_flight(&self) -> (u32, u32) {
        (self.sends, self.receives)
    }

    fn begin(open: bool, counter: &mut u32, count: u32) -> bool {
        match counter.checked_add(count) {
            Some(sum) if open => {
                *counter = sum;
                true
            }
            _ => false,
        }
    }

    fn begin_upcall(&mut self) -> Upcall {
        self.upcalls = self.upcalls.saturating_add(1);
        Upcall(self.number)
    }

    /// Takes the make call out of `Connecting`, into `next`.
    fn leave_connecting(&mut self, next: State<M, C>) -> Option<M> {
        match core::mem::replace(&mut self.state, next) {
            State::Connecting(make) => Some(make),
            other => {
                self.state = other;
                None
            }
        }
    }

    fn tear_down(&mut self, close: C) -> Teardown {
        let tell_peer = self.lost.is_none_or(CallFailure::peer_may_live);
        self.state = State::Draining(close);
        Teardown { tell_peer, deactivate: self.drained() }
    }

    /// Moves on to `Deactivating`, once, when nothing is in flight any more.
    fn drained(&mut self) -> bool {
        if self.sends != 0 || self.receives != 0 {
            return false;
        }
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Draining(close) => {
                let after = if self.incoming { After::CloseAndDelete(close) } else { After::Close(close) };
                self.state = State::Deactivating(after, Pend::Called);
                true
            }
            other => {
                self.state = other;
                false
            }
        }
    }
}
