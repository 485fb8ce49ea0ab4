//! What a [`Call`](super::Call) tells the driver to do.

use crate::call_failure::CallFailure;
use crate::status::Status;

/// A call into NDIS about this VC that has not returned yet. Give it back to
/// [`Call::returned`](super::Call::returned).
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a close of this call waits until the upcall is given back"]
pub struct Upcall(pub(super) u32);

/// A VC to be activated: call `NdisMCmActivateVc`, then
/// [`Call::activation_pended`](super::Call::activation_pended) if that is what it answered, or
/// [`Call::activated`](super::Call::activated).
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the call is not completed before its VC is activated"]
pub struct Activation<M> {
    /// The make call to be completed; `None` for a call that comes in.
    pub make: Option<M>,
    pub(super) upcall: Upcall,
}

/// What to do at the start of a teardown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Teardown {
    /// The peer may believe in the session still, or wait for one: send a PADT, or a PADS that refuses.
    pub tell_peer: bool,
    /// Nothing is in flight: deactivate the VC, then call [`Call::deactivated`](super::Call::deactivated).
    /// When `false`, complete what is queued; [`Call::end_sends`](super::Call::end_sends) or
    /// [`Call::end_receives`](super::Call::end_receives) will say.
    pub deactivate: bool,
}

/// What to do after [`Call::activated`](super::Call::activated).
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Activated<M> {
    /// Complete the make call with success, then call [`Call::returned`](super::Call::returned).
    Complete(M, Upcall),
    /// Offer the call to the client, then call [`Call::offered`](super::Call::offered).
    Offer(Upcall),
    /// End the session; if the VC was activated, deactivate it; then call
    /// [`Call::deactivated`](super::Call::deactivated), which hands out what follows.
    Undo(CallFailure),
}

/// What to do after [`Call::lost`](super::Call::lost).
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Lost<M> {
    /// Nobody is to be told now.
    Nothing,
    /// Complete the make call with the failure, then call [`Call::returned`](super::Call::returned).
    CompleteMake(M, Upcall),
    /// Dispatch an incoming close with the failure, then call [`Call::returned`](super::Call::returned).
    DispatchClose(Upcall),
}

/// What to do after [`Call::close`](super::Call::close).
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Close<M, C> {
    /// It cannot be closed: return the status from `CmCloseCall`; nothing pends.
    Refused(C, Status),
    /// There is no call any more: it failed while the client gave it up. The close succeeds.
    Done(C),
    /// Pend. What remains is told by [`Call::returned`](super::Call::returned) or
    /// [`Call::activated`](super::Call::activated).
    Wait,
    /// Pend; end discovery, complete the make call with [`CallFailure::Aborted`], then call
    /// [`Call::returned`](super::Call::returned), which hands out the close.
    AbortMake(M, Upcall),
    /// Pend; take the session down.
    Start(Teardown),
}

/// What to do after an upcall has returned, or the client has answered an offer.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Next<C> {
    /// Nothing.
    Nothing,
    /// The call was lost meanwhile: dispatch an incoming close, then call
    /// [`Call::returned`](super::Call::returned).
    DispatchClose(CallFailure, Upcall),
    /// The client takes the call: open the session, call [`Call::established`](super::Call::established)
    /// before the peer hears of it, then tell both; [`Call::lost`](super::Call::lost) if that fails. In any
    /// case call [`Call::returned`](super::Call::returned) at the end.
    Accept(Upcall),
    /// The client does not take the call: tell the peer, deactivate the VC, then call
    /// [`Call::deactivated`](super::Call::deactivated).
    Reject,
    /// The client closed meanwhile: take the session down.
    Start(Teardown),
    /// The client closed meanwhile and the VC is not active: complete the close.
    CompleteClose(C),
}

/// What to do when a VC is inactive again.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum After<M, C> {
    /// Complete the close. The client may delete the VC, or call again, from within that completion.
    Close(C),
    /// Complete the close, then delete the VC: the driver created it.
    CloseAndDelete(C),
    /// Complete the make call with the failure, then call [`Call::returned`](super::Call::returned).
    FailMake(M, Upcall, CallFailure),
    /// Delete the VC: the driver created it, and the client has no call on it.
    Delete,
}
