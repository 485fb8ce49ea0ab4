//! The life of one VC: its call, what is in flight on it, and who waits for whom.
//!
//! The driver keeps a [`Call`] under the VC's lock, tells it what happened, lets go of the lock and
//! does what the answer says. The call holds the pended `CmMakeCall` and `CmCloseCall` as tokens of
//! the driver's own types `M` and `C`; each leaves exactly once, by value, when it is to be
//! completed, so nothing is completed twice or forgotten.
//!
//! ```text
//!          make_call            connected              activated(true)
//!   Idle ─────────────▶ Connecting ─────────▶ Activating ─────────────▶ Active
//!    ▲                      │ lost, close         │ activated(false)      │   │ lost
//!    │◀─────────────────────┴─────────────────────┘                close │   ▼
//!    │                                                                    │  ClosedByPeer
//!    │        deactivated                    nothing in flight            ▼   │ close
//!    └──────────────────────── Deactivating ◀──────────────────────── Draining◀┘
//! ```
//!
//! **Upcalls.** To complete a make call or to dispatch a close, the driver must let go of the lock
//! and call NDIS, and NDIS calls the client. In that window the client may close the call from
//! another processor, or from within. If the close ran to its end there and then, the client could
//! delete the VC that the first call still speaks about, or see its close completed before its make
//! call. So each such answer carries an [`Upcall`]; while it is out, a close waits, and
//! [`Call::returned`] says what comes next once NDIS has returned.
//!
//! Rules of NDIS behind this: a pended make call is completed exactly once, also when the client
//! closes first (`ProtocolCmCloseCall`); a VC is deactivated only when its sends are complete and
//! its receives returned (`NdisMCmDeactivateVc`), and before the close is completed; after a call
//! has ended the client may delete the VC or use it again.
//!
//! A VC that the driver itself creates for an incoming call starts with a dispatch in place of a
//! make call and ends in `NdisMCmDeleteVc`; nothing below assumes who created the VC.

use crate::call_failure::CallFailure;
use crate::status::Status;

#[cfg(test)]
mod tests;

/// A call into NDIS about this VC that has not returned yet. Give it back to [`Call::returned`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a close of this call waits until the upcall is given back"]
pub struct Upcall(u32);

/// What to do at the start of a teardown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Teardown {
    /// The peer may believe in the session still: send a PADT.
    pub tell_peer: bool,
    /// Nothing is in flight: deactivate the VC, then call [`Call::deactivated`].
    /// When `false`, complete what is queued; [`Call::end_sends`] or [`Call::end_receives`] will say.
    pub deactivate: bool,
}

/// What to do after [`Call::activated`], with the make call's token in hand. Complete it, then call
/// [`Call::returned`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Activated {
    /// Complete the make call with success.
    Complete,
    /// End the session, deactivate the VC if it was activated, and complete with this failure.
    Undo(CallFailure),
}

/// What to do after [`Call::lost`].
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Lost<M> {
    /// Nobody is to be told now.
    Nothing,
    /// Complete the make call with the failure, then call [`Call::returned`].
    CompleteMake(M, Upcall),
    /// Dispatch an incoming close with the failure, then call [`Call::returned`].
    DispatchClose(Upcall),
}

/// What to do after [`Call::close`].
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Close<M, C> {
    /// There is no call: return the status from `CmCloseCall`; nothing pends.
    Refused(C, Status),
    /// Pend. What remains is told by [`Call::returned`] or [`Call::activated`].
    Wait,
    /// Pend; end discovery, complete the make call with [`CallFailure::Aborted`], then call
    /// [`Call::returned`], which hands out the close.
    AbortMake(M, Upcall),
    /// Pend; take the session down.
    Start(Teardown),
}

/// What to do after an upcall has returned.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Next<C> {
    /// Nothing.
    Nothing,
    /// The call was lost meanwhile: dispatch an incoming close, then call [`Call::returned`].
    DispatchClose(CallFailure, Upcall),
    /// The client closed meanwhile: take the session down.
    Start(Teardown),
    /// The client closed meanwhile and the VC is not active: complete the close.
    CompleteClose(C),
}

#[derive(Debug)]
enum State<M, C> {
    Idle,
    Connecting(M),
    Activating,
    Active,
    ClosedByPeer,
    Draining(C),
    Deactivating(C),
    Deleted,
}

/// One VC. `M` is the driver's pended make call, `C` its pended close.
#[derive(Debug)]
pub struct Call<M, C> {
    state: State<M, C>,
    /// A close that arrived while an upcall or an activation was under way.
    held_close: Option<C>,
    /// Why the call is over, once it is.
    lost: Option<CallFailure>,
    /// The upcall that is out and still concerns the present call.
    upcall: Option<u32>,
    last_upcall: u32,
    sends: u32,
    receives: u32,
}

impl<M, C> Default for Call<M, C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M, C> Call<M, C> {
    /// A VC without a call.
    pub const fn new() -> Self {
        Self {
            state: State::Idle,
            held_close: None,
            lost: None,
            upcall: None,
            last_upcall: 0,
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
        self.upcall = None;
        self.state = State::Connecting(make);
        Ok(())
    }

    /// The session is up. Activate the VC and call [`Call::activated`], then complete the make call.
    /// `None` when the call was given up before: end the session.
    pub fn connected(&mut self) -> Option<(M, Upcall)> {
        let make = self.leave_connecting(State::Activating)?;
        Some((make, self.begin_upcall()))
    }

    /// `NdisMCmActivateVc` has returned. From here, on success, data may flow.
    pub fn activated(&mut self, success: bool) -> Activated {
        if !matches!(self.state, State::Activating) {
            return Activated::Undo(CallFailure::Aborted);
        }
        let failure = match self.lost {
            Some(failure) => Some(failure),
            None if self.held_close.is_some() => Some(CallFailure::Aborted),
            None if !success => Some(CallFailure::Resources),
            None => None,
        };
        match failure {
            None => {
                self.state = State::Active;
                Activated::Complete
            }
            Some(failure) => {
                self.state = State::Idle;
                Activated::Undo(failure)
            }
        }
    }

    /// The call failed or ended, and not by the client's wish: discovery gave up, a PADT came, the
    /// link went down, the adapter halts.
    pub fn lost(&mut self, failure: CallFailure) -> Lost<M> {
        if let Some(make) = self.leave_connecting(State::Idle) {
            return Lost::CompleteMake(make, self.begin_upcall());
        }
        match self.state {
            State::Active if self.upcall.is_none() && self.held_close.is_none() => {
                self.lost = Some(failure);
                self.state = State::ClosedByPeer;
                Lost::DispatchClose(self.begin_upcall())
            }
            State::Activating | State::Active | State::Draining(_) => {
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
            State::Draining(_) | State::Deactivating(_) => Close::Refused(close, Status::CLOSING),
            State::Idle | State::Deleted if self.upcall.is_none() => {
                Close::Refused(close, Status::VC_NOT_ACTIVATED)
            }
            State::Active | State::ClosedByPeer if self.upcall.is_none() => {
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
        if self.upcall != Some(number) {
            return Next::Nothing;
        }
        self.upcall = None;
        match (self.held_close.take(), &self.state) {
            (Some(close), State::Active | State::ClosedByPeer) => Next::Start(self.tear_down(close)),
            (Some(close), _) => Next::CompleteClose(close),
            (None, State::Active) => match self.lost {
                Some(failure) => {
                    self.state = State::ClosedByPeer;
                    Next::DispatchClose(failure, self.begin_upcall())
                }
                None => Next::Nothing,
            },
            (None, _) => Next::Nothing,
        }
    }

    /// `NdisMCmDeactivateVc` is done: complete the close with this token. The client may delete the
    /// VC, or call again, from within that completion.
    pub fn deactivated(&mut self) -> Option<C> {
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Deactivating(close) => Some(close),
            other => {
                self.state = other;
                None
            }
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

    /// Whether data may flow: sends are taken and received frames indicated.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Active) && self.held_close.is_none() && self.lost.is_none()
    }

    /// Whether there is anything that halting, sleep or a lost link must end with [`Call::lost`].
    pub const fn has_call(&self) -> bool {
        matches!(self.state, State::Connecting(_) | State::Activating | State::Active)
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
        self.last_upcall = self.last_upcall.wrapping_add(1);
        self.upcall = Some(self.last_upcall);
        Upcall(self.last_upcall)
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
                self.state = State::Deactivating(close);
                true
            }
            other => {
                self.state = other;
                false
            }
        }
    }
}
