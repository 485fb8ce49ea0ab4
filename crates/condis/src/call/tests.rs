//! Scripted races, and random histories against a model of the driver and its client.

use super::*;
use proptest::prelude::*;
use std::vec::Vec;

type TestCall = Call<&'static str, &'static str>;

const NOW: Teardown = Teardown { tell_peer: true, deactivate: true };

/// A call being made, its VC being activated.
fn activating() -> (TestCall, Activation<&'static str>) {
    let mut call = TestCall::new();
    call.make_call("make").unwrap();
    let activation = call.connected().unwrap();
    assert_eq!(activation.make, Some("make"));
    (call, activation)
}

/// A call that is up, its make call completed on return.
fn completing() -> (TestCall, Upcall) {
    let (mut call, activation) = activating();
    let Activated::Complete("make", upcall) = call.activated(activation, true) else { panic!() };
    (call, upcall)
}

/// A call that is up, its make call completed.
fn active() -> TestCall {
    let (mut call, upcall) = completing();
    assert_eq!(call.returned(upcall), Next::Nothing);
    assert!(call.is_open());
    call
}

/// A call that comes in, being offered.
fn offering() -> (TestCall, Upcall) {
    let (mut call, activation) = TestCall::incoming();
    assert_eq!(activation.make, None);
    let Activated::Offer(upcall) = call.activated(activation, true) else { panic!() };
    (call, upcall)
}

/// A call that came in and was offered; the client will answer.
fn offered() -> TestCall {
    let (mut call, upcall) = offering();
    assert_eq!(call.offered(upcall, None), Next::Nothing);
    assert!(!call.is_open());
    call
}

/// A call that came in and is up.
fn answered() -> TestCall {
    let mut call = offered();
    let Next::Accept(upcall) = call.answered(true) else { panic!() };
    assert!(call.established() && call.is_open());
    assert_eq!(call.returned(upcall), Next::Nothing);
    call
}

#[test]
fn a_call_from_dial_to_hang_up_and_again() {
    let mut call = active();
    for _ in 0..2 {
        assert_eq!(call.close("close"), Close::Start(NOW));
        assert!(!call.can_delete());
        assert_eq!(call.deactivated(), Some(After::Close("close")));
        assert!(call.can_delete());
        // The VC is used again.
        call.make_call("make").unwrap();
        let activation = call.connected().unwrap();
        let Activated::Complete(_, upcall) = call.activated(activation, true) else { panic!() };
        assert_eq!(call.returned(upcall), Next::Nothing);
    }
}

#[test]
fn a_close_while_connecting_waits_for_the_make_completion() {
    let mut call = TestCall::new();
    call.make_call("make").unwrap();
    let Close::AbortMake(make, upcall) = call.close("close") else { panic!() };
    assert_eq!(make, "make");
    // The session comes up too late, and nothing else may happen before the upcall returns.
    assert_eq!(call.connected(), None);
    assert_eq!(call.lost(CallFailure::NoAnswer), Lost::Nothing);
    assert!(!call.can_delete());
    assert_eq!(call.make_call("again").unwrap_err(), ("again", Status::TAPI_INUSE));
    assert_eq!(call.returned(upcall), Next::CompleteClose("close"));
    assert!(call.can_delete());
}

#[test]
fn a_close_while_activating_undoes_the_activation() {
    let (mut call, activation) = activating();
    assert_eq!(call.close("close"), Close::Wait);
    assert_eq!(call.close("twice"), Close::Refused("twice", Status::CLOSING));
    assert_eq!(call.activated(activation, true), Activated::Undo(CallFailure::Aborted));
    let Some(After::FailMake("make", upcall, CallFailure::Aborted)) = call.deactivated() else { panic!() };
    assert_eq!(call.returned(upcall), Next::CompleteClose("close"));
}

#[test]
fn a_close_from_within_the_make_completion_waits_for_its_return() {
    let (mut call, upcall) = completing();
    assert!(call.begin_sends(1));
    assert_eq!(call.close("close"), Close::Wait);
    assert!(!call.is_open());
    let teardown = Teardown { tell_peer: true, deactivate: false };
    assert_eq!(call.returned(upcall), Next::Start(teardown));
    assert!(call.end_sends(1));
    assert_eq!(call.deactivated(), Some(After::Close("close")));
}

#[test]
fn a_client_may_delete_or_call_again_from_within_a_failed_make() {
    let mut call = TestCall::new();
    call.make_call("first").unwrap();
    let Lost::CompleteMake("first", upcall) = call.lost(CallFailure::NoAnswer) else { panic!() };
    assert!(call.can_delete());
    call.make_call("second").unwrap();
    // The return of the first completion says nothing about the second call.
    assert_eq!(call.returned(upcall), Next::Nothing);
    let Close::AbortMake("second", upcall) = call.close("close") else { panic!() };
    assert_eq!(call.returned(upcall), Next::CompleteClose("close"));
    call.delete().unwrap();
    assert_eq!(call.make_call("dead").unwrap_err().0, "dead");
    assert_eq!(call.close("dead"), Close::Refused("dead", Status::VC_NOT_ACTIVATED));
}

#[test]
fn a_close_that_races_with_the_failure_waits_for_the_make_completion() {
    let mut call = TestCall::new();
    call.make_call("make").unwrap();
    let Lost::CompleteMake(_, upcall) = call.lost(CallFailure::LinkDown) else { panic!() };
    assert_eq!(call.close("close"), Close::Wait);
    assert!(!call.can_delete());
    assert_eq!(call.returned(upcall), Next::CompleteClose("close"));
}

#[test]
fn a_failed_activation_fails_the_call() {
    let (mut call, activation) = activating();
    assert_eq!(call.activated(activation, false), Activated::Undo(CallFailure::Resources));
    assert!(!call.can_delete());
    let Some(After::FailMake("make", upcall, CallFailure::Resources)) = call.deactivated() else { panic!() };
    assert!(call.can_delete());
    assert_eq!(call.returned(upcall), Next::Nothing);
}

#[test]
fn a_pended_activation_ends_with_its_completion() {
    let (mut call, activation) = activating();
    assert_eq!(call.activation_pended(activation), None);
    assert_eq!(call.close("close"), Close::Wait);
    let (activation, true) = call.activation_completed(true).unwrap() else { panic!() };
    assert_eq!(call.activation_completed(true), None);
    assert_eq!(call.activated(activation, true), Activated::Undo(CallFailure::Aborted));
    // The deactivation pends, too.
    assert_eq!(call.deactivation_pended(), None);
    let Some(After::FailMake("make", upcall, _)) = call.deactivation_completed() else { panic!() };
    assert_eq!(call.deactivation_completed(), None);
    assert_eq!(call.returned(upcall), Next::CompleteClose("close"));
}

#[test]
fn completions_may_overtake_what_they_complete() {
    let (mut call, activation) = activating();
    assert_eq!(call.activation_completed(false), None);
    let (activation, false) = call.activation_pended(activation).unwrap() else { panic!() };
    assert_eq!(call.activated(activation, false), Activated::Undo(CallFailure::Resources));
    assert_eq!(call.deactivation_completed(), None);
    assert!(matches!(call.deactivation_pended(), Some(After::FailMake("make", ..))));
}

#[test]
fn completions_that_nobody_waits_for_change_nothing() {
    let mut call = active();
    assert_eq!(call.activation_completed(false), None);
    assert_eq!(call.deactivation_completed(), None);
    assert!(call.is_open());
    let mut call = TestCall::new();
    assert_eq!(call.activation_completed(true), None);
    assert_eq!(call.deactivation_completed(), None);
    assert_eq!(call.deactivation_pended(), None);
    assert!(call.can_delete());
    // And one that came early does not matter if the call itself says that it is done.
    let (mut call, activation) = activating();
    assert_eq!(call.activation_completed(false), None);
    assert!(matches!(call.activated(activation, true), Activated::Complete("make", _)));
}

#[test]
fn a_padt_is_dispatched_and_not_answered() {
    let mut call = active();
    let Lost::DispatchClose(upcall) = call.lost(CallFailure::PeerTerminated) else { panic!() };
    assert!(!call.is_open());
    assert_eq!(call.lost(CallFailure::LinkDown), Lost::Nothing);
    // The client answers from within the dispatch.
    assert_eq!(call.close("close"), Close::Wait);
    assert_eq!(call.returned(upcall), Next::Start(Teardown { tell_peer: false, deactivate: true }));
    assert_eq!(call.close("twice"), Close::Refused("twice", Status::CLOSING));
    assert_eq!(call.deactivated(), Some(After::Close("close")));
    assert_eq!(call.deactivated(), None);
}

#[test]
fn a_client_may_answer_a_dispatch_later() {
    let mut call = active();
    let Lost::DispatchClose(upcall) = call.lost(CallFailure::SessionLost) else { panic!() };
    assert_eq!(call.returned(upcall), Next::Nothing);
    assert!(!call.can_delete());
    assert_eq!(call.close("close"), Close::Start(NOW));
    assert_eq!(call.deactivated(), Some(After::Close("close")));
}

#[test]
fn a_padt_during_the_make_completion_is_dispatched_after_it() {
    let (mut call, upcall) = completing();
    assert_eq!(call.lost(CallFailure::PeerTerminated), Lost::Nothing);
    assert!(!call.is_open());
    let Next::DispatchClose(CallFailure::PeerTerminated, upcall) = call.returned(upcall) else { panic!() };
    assert_eq!(call.returned(upcall), Next::Nothing);
    assert_eq!(call.close("close"), Close::Start(Teardown { tell_peer: false, deactivate: true }));
}

#[test]
fn a_padt_during_activation_fails_the_call() {
    let (mut call, activation) = activating();
    assert_eq!(call.lost(CallFailure::PeerTerminated), Lost::Nothing);
    assert_eq!(call.activated(activation, true), Activated::Undo(CallFailure::PeerTerminated));
    assert!(matches!(call.deactivated(), Some(After::FailMake("make", _, CallFailure::PeerTerminated))));
}

#[test]
fn deactivation_waits_for_sends_and_receives() {
    let mut call = active();
    assert!(call.begin_sends(2) && call.begin_receives(3));
    assert_eq!(call.close("close"), Close::Start(Teardown { tell_peer: true, deactivate: false }));
    assert!(!call.begin_sends(1) && !call.begin_receives(1));
    assert!(!call.end_sends(2) && !call.end_receives(2));
    assert_eq!(call.deactivated(), None);
    assert!(call.end_receives(1));
    assert_eq!(call.in_flight(), (0, 0));
    assert_eq!(call.deactivated(), Some(After::Close("close")));
}

#[test]
fn counters_do_not_overflow() {
    let mut call = active();
    assert!(call.begin_sends(u32::MAX));
    assert!(!call.begin_sends(1));
    assert!(!call.end_sends(u32::MAX));
}

#[test]
fn no_call_nothing_to_close() {
    let mut call = TestCall::new();
    assert_eq!(call.close("close"), Close::Done("close"));
    assert_eq!(call.lost(CallFailure::LinkDown), Lost::Nothing);
    assert_eq!(call.answered(true), Next::Nothing);
}

#[test]
fn an_incoming_call_from_offer_to_deletion() {
    let mut call = answered();
    assert!(call.is_incoming());
    assert_eq!(call.close("close"), Close::Start(NOW));
    assert_eq!(call.delete(), Err(Status::NOT_ACCEPTED), "the driver created it");
    assert_eq!(call.deactivated(), Some(After::CloseAndDelete("close")));
    assert_eq!(call.make_call("make").unwrap_err().0, "make");
}

#[test]
fn an_offer_may_be_answered_at_once_within_or_later() {
    let (mut call, upcall) = offering();
    assert!(matches!(call.offered(upcall, Some(true)), Next::Accept(_)));
    let (mut call, upcall) = offering();
    assert_eq!(call.answered(true), Next::Nothing, "the offer has not returned");
    assert_eq!(call.answered(false), Next::Nothing, "only the first answer counts");
    assert!(matches!(call.offered(upcall, None), Next::Accept(_)));
    let (mut call, upcall) = offering();
    assert_eq!(call.offered(upcall, Some(false)), Next::Reject);
    assert_eq!(call.deactivated(), Some(After::Delete));
    let mut call = offered();
    assert_eq!(call.answered(false), Next::Reject);
    assert_eq!(call.answered(true), Next::Nothing);
    assert_eq!(call.deactivation_pended(), None);
    assert_eq!(call.deactivation_completed(), Some(After::Delete));
}

#[test]
fn a_caller_that_goes_before_the_offer_is_not_mentioned() {
    let (mut call, activation) = TestCall::incoming();
    assert_eq!(call.lost(CallFailure::LinkDown), Lost::Nothing);
    assert_eq!(call.activated(activation, true), Activated::Undo(CallFailure::LinkDown));
    assert_eq!(call.deactivated(), Some(After::Delete));
}

#[test]
fn a_caller_that_goes_while_the_call_is_offered() {
    // The client closes.
    let mut call = offered();
    let Lost::DispatchClose(upcall) = call.lost(CallFailure::NoAnswer) else { panic!() };
    assert_eq!(call.lost(CallFailure::LinkDown), Lost::Nothing);
    assert_eq!(call.returned(upcall), Next::Nothing);
    assert_eq!(call.close("close"), Close::Start(NOW));
    assert_eq!(call.answered(true), Next::Nothing);
    assert_eq!(call.deactivated(), Some(After::CloseAndDelete("close")));
    // It accepts from within, and then closes.
    let mut call = offered();
    let Lost::DispatchClose(upcall) = call.lost(CallFailure::NoAnswer) else { panic!() };
    assert_eq!(call.answered(true), Next::Nothing);
    assert_eq!(call.returned(upcall), Next::Nothing);
    assert_eq!(call.close("close"), Close::Start(NOW));
    // It rejects, which is the end.
    let mut call = offered();
    let Lost::DispatchClose(upcall) = call.lost(CallFailure::NoAnswer) else { panic!() };
    assert_eq!(call.returned(upcall), Next::Nothing);
    assert_eq!(call.answered(false), Next::Reject);
    assert_eq!(call.deactivated(), Some(After::Delete));
}

#[test]
fn a_caller_that_goes_during_the_offer() {
    let (mut call, upcall) = offering();
    assert_eq!(call.lost(CallFailure::LinkDown), Lost::Nothing);
    let Next::DispatchClose(CallFailure::LinkDown, upcall) = call.offered(upcall, None) else { panic!() };
    assert_eq!(call.returned(upcall), Next::Nothing);
    let (mut call, upcall) = offering();
    assert_eq!(call.lost(CallFailure::LinkDown), Lost::Nothing);
    let Next::DispatchClose(_, upcall) = call.offered(upcall, Some(true)) else { panic!() };
    assert_eq!(call.close("close"), Close::Wait);
    assert_eq!(call.returned(upcall), Next::Start(NOW));
}

#[test]
fn a_caller_that_goes_while_the_session_is_opened() {
    let mut call = offered();
    let Next::Accept(upcall) = call.answered(true) else { panic!() };
    assert_eq!(call.lost(CallFailure::NoAnswer), Lost::Nothing);
    assert!(!call.established());
    let Next::DispatchClose(CallFailure::NoAnswer, upcall) = call.returned(upcall) else { panic!() };
    assert_eq!(call.returned(upcall), Next::Nothing);
    assert_eq!(call.close("close"), Close::Start(NOW));
}

#[test]
fn a_client_that_closes_before_its_call_is_up() {
    let mut call = offered();
    assert_eq!(call.close("close"), Close::Start(NOW), "instead of an answer");
    assert_eq!(call.answered(false), Next::Nothing);
    assert_eq!(call.deactivated(), Some(After::CloseAndDelete("close")));
    let (mut call, upcall) = offering();
    assert_eq!(call.close("close"), Close::Wait);
    assert_eq!(call.offered(upcall, None), Next::Start(NOW));
    let mut call = offered();
    let Next::Accept(upcall) = call.answered(true) else { panic!() };
    assert_eq!(call.close("close"), Close::Wait);
    assert!(!call.established());
    assert_eq!(call.returned(upcall), Next::Start(NOW));
    // From within the news that it is connected.
    let mut call = offered();
    let Next::Accept(upcall) = call.answered(true) else { panic!() };
    assert!(call.established());
    assert_eq!(call.close("close"), Close::Wait);
    assert!(!call.is_open());
    assert_eq!(call.returned(upcall), Next::Start(NOW));
}

/// A token that must be used up.
#[derive(Debug)]
struct Token(u32);

/// Something the driver has been told to do and has not done yet. Any of them may be next: each
/// stands for a thread that was preempted before it got there.
#[derive(Debug)]
enum Duty {
    Activate(Activation<Token>),
    /// `CmActivateVcComplete` after PENDING, with the success.
    CompleteActivation(bool),
    CompleteMake(Token, Upcall, bool),
    Offer(Upcall),
    Establish(Upcall),
    Connect(Upcall),
    Dispatch(Upcall),
    Return(Upcall),
    Deactivate,
    /// `CmDeactivateVcComplete` after PENDING.
    CompleteDeactivation,
    CompleteClose(Token, bool),
    DeleteVc,
}

/// What a well-behaved client knows.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Client {
    calling: bool,
    /// Has been offered a call and has not answered.
    ringing: bool,
    /// Has accepted, and was not told yet that the call is up.
    accepted: bool,
    rejected: bool,
    connected: bool,
    closing: bool,
    told_to_close: bool,
}

impl Client {
    const fn has_call(&self) -> bool {
        self.calling || self.ringing || self.accepted || self.connected
    }
}

/// The driver, its client, and the books.
#[derive(Debug)]
struct World {
    call: Call<Token, Token>,
    duties: Vec<Duty>,
    client: Client,
    incoming: bool,
    deleted: bool,
    /// What NDIS knows: activated.
    active: bool,
    tokens: u32,
    finished: Vec<u32>,
    sends: u32,
    receives: u32,
}

impl World {
    fn new(incoming: bool) -> Self {
        let (call, duties) = if incoming {
            let (call, activation) = Call::incoming();
            (call, std::vec![Duty::Activate(activation)])
        } else {
            (Call::new(), Vec::new())
        };
        Self {
            call,
            duties,
            client: Client::default(),
            incoming,
            deleted: false,
            active: false,
            tokens: 0,
            finished: Vec::new(),
            sends: 0,
            receives: 0,
        }
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    fn finish(&mut self, Token(number): Token) {
        assert!(!self.finished.contains(&number), "completed twice");
        self.finished.push(number);
    }

    fn start(&mut self, teardown: Teardown) {
        if teardown.deactivate {
            self.duties.push(Duty::Deactivate);
        }
    }

    fn next(&mut self, next: Next<Token>) {
        match next {
            Next::Nothing => {}
            Next::DispatchClose(_, upcall) => self.duties.push(Duty::Dispatch(upcall)),
            Next::Accept(upcall) => self.duties.push(Duty::Establish(upcall)),
            Next::Reject => self.duties.push(Duty::Deactivate),
            Next::Start(teardown) => self.start(teardown),
            Next::CompleteClose(token) => self.duties.push(Duty::CompleteClose(token, false)),
        }
    }

    fn after(&mut self, after: After<Token, Token>) {
        self.duties.push(match after {
            After::Close(close) => Duty::CompleteClose(close, false),
            After::CloseAndDelete(close) => Duty::CompleteClose(close, true),
            After::FailMake(make, upcall, _) => Duty::CompleteMake(make, upcall, false),
            After::Delete => Duty::DeleteVc,
        });
    }

    fn make_call(&mut self) {
        if self.incoming || self.client.has_call() || self.client.closing {
            return;
        }
        let token = self.token();
        self.call.make_call(token).expect("a client without a call may make one");
        self.client.calling = true;
    }

    fn answer(&mut self, accepted: bool) {
        if !self.client.ringing || self.client.closing {
            return;
        }
        self.client.ringing = false;
        self.client.accepted = accepted;
        self.client.rejected = !accepted;
        let next = self.call.answered(accepted);
        self.next(next);
    }

    fn close(&mut self) {
        if self.client.closing || !self.client.has_call() {
            return;
        }
        let token = self.token();
        self.client.closing = true;
        match self.call.close(token) {
            Close::Refused(..) | Close::Done(_) => panic!("the client has a call"),
            Close::Wait => {}
            Close::AbortMake(make, upcall) => self.duties.push(Duty::CompleteMake(make, upcall, false)),
            Close::Start(teardown) => self.start(teardown),
        }
    }

    fn delete_allowed(&self) {
        if self.incoming {
            assert!(!self.call.can_delete(), "only the driver deletes what it created");
            return;
        }
        let idle = !self.client.has_call() && !self.client.closing;
        assert!(!idle || self.call.can_delete(), "a client without a call may delete");
        if self.call.can_delete() {
            let leaving = self.duties.iter().any(|duty| matches!(duty, Duty::CompleteClose(..)));
            assert!(!self.client.closing || leaving, "deleted while a close is held");
            assert_eq!(self.call.in_flight(), (0, 0));
            assert!(!self.active, "deleted while active");
        }
    }

    fn lose(&mut self) {
        match self.call.lost(CallFailure::PeerTerminated) {
            Lost::Nothing => {}
            Lost::CompleteMake(make, upcall) => self.duties.push(Duty::CompleteMake(make, upcall, false)),
            Lost::DispatchClose(upcall) => self.duties.push(Duty::Dispatch(upcall)),
        }
    }

    fn traffic(&mut self, count: u32) {
        if self.call.begin_sends(count) {
            assert!(self.active && !self.client.closing);
            self.sends += count;
        }
        if self.call.begin_receives(count) {
            self.receives += count;
        }
    }

    fn drain(&mut self, sends: bool) {
        let drained = if sends {
            self.call.end_sends(core::mem::take(&mut self.sends))
        } else {
            self.call.end_receives(core::mem::take(&mut self.receives))
        };
        if drained {
            self.duties.push(Duty::Deactivate);
        }
    }

    fn activated(&mut self, activation: Activation<Token>, success: bool) {
        self.active = success;
        match self.call.activated(activation, success) {
            Activated::Complete(make, upcall) => self.duties.push(Duty::CompleteMake(make, upcall, true)),
            Activated::Offer(upcall) => self.duties.push(Duty::Offer(upcall)),
            Activated::Undo(_) if success => self.duties.push(Duty::Deactivate),
            Activated::Undo(_) => {
                let after = self.call.deactivated().expect("undone on demand");
                self.after(after);
            }
        }
    }

    /// `NdisMCmActivateVc`, by a number: succeeds or fails, at once or pended, with its completion
    /// before or after it, or at once with a completion that nobody asked for.
    fn activate(&mut self, activation: Activation<Token>, number: usize) {
        let success = number % 4 != 3;
        match number % 3 {
            0 => self.activated(activation, success),
            1 => {
                assert_eq!(self.call.activation_completed(success).map(|_| ()), None);
                let (activation, success) = self.call.activation_pended(activation).expect("completed");
                self.activated(activation, success);
            }
            _ => {
                assert!(self.call.activation_pended(activation).is_none());
                self.duties.push(Duty::CompleteActivation(success));
            }
        }
    }

    fn deactivate(&mut self, number: usize) {
        assert!(self.active, "deactivated without an active call");
        assert_eq!((self.sends, self.receives), (0, 0));
        let after = match number % 3 {
            0 => self.call.deactivated(),
            1 => {
                assert!(self.call.deactivation_completed().is_none());
                self.call.deactivation_pended()
            }
            _ => {
                assert!(self.call.deactivation_pended().is_none());
                return self.duties.push(Duty::CompleteDeactivation);
            }
        };
        self.active = false;
        self.after(after.expect("deactivated on demand"));
    }

    /// The offer reaches the client, which may answer or close from within.
    fn offer(&mut self, upcall: Upcall, number: usize) {
        assert!(self.active && !self.client.has_call(), "offered once, on an active VC");
        self.client.ringing = true;
        let mut verdict = None;
        match number {
            0 | 1 => {
                verdict = Some(number == 0);
                self.client.ringing = false;
                self.client.accepted = number == 0;
            }
            2 | 3 => self.answer(number == 2),
            4 => self.close(),
            _ => {}
        }
        let next = self.call.offered(upcall, verdict);
        self.next(next);
    }

    fn duty(&mut self, index: usize) {
        if self.duties.is_empty() {
            return;
        }
        match self.duties.remove(index % self.duties.len()) {
            Duty::Activate(activation) => self.activate(activation, index),
            Duty::CompleteActivation(success) => {
                let (activation, success) = self.call.activation_completed(success).expect("pended");
                self.activated(activation, success);
            }
            Duty::CompleteMake(make, upcall, success) => {
                assert!(self.client.calling, "completed without a make call");
                assert!(success || !self.active, "failed and still active");
                self.client.calling = false;
                self.client.connected = success;
                self.finish(make);
                self.duties.push(Duty::Return(upcall));
            }
            Duty::Offer(upcall) => self.offer(upcall, index),
            Duty::Establish(upcall) => {
                if self.call.established() {
                    self.duties.push(Duty::Connect(upcall));
                } else {
                    self.duties.push(Duty::Return(upcall));
                }
            }
            Duty::Connect(upcall) => {
                assert!(self.client.accepted, "connected without an answer");
                self.client.accepted = false;
                self.client.connected = true;
                self.duties.push(Duty::Return(upcall));
            }
            Duty::Dispatch(upcall) => {
                // A rejection may cross the close.
                let known = self.client.has_call() || self.client.rejected;
                assert!(known, "dispatched to a client without a call");
                assert!(!self.client.told_to_close, "dispatched twice");
                self.client.told_to_close = true;
                self.duties.push(Duty::Return(upcall));
            }
            Duty::Return(upcall) => {
                let next = self.call.returned(upcall);
                self.next(next);
            }
            Duty::Deactivate => self.deactivate(index),
            Duty::CompleteDeactivation => {
                self.active = false;
                let after = self.call.deactivation_completed().expect("pended");
                self.after(after);
            }
            Duty::CompleteClose(close, and_delete) => {
                assert!(self.client.closing && !self.client.calling, "close before make completed");
                self.client = Client::default();
                self.finish(close);
                if and_delete {
                    self.duties.push(Duty::DeleteVc);
                }
            }
            Duty::DeleteVc => {
                assert!(self.incoming && !self.active && !self.deleted);
                assert!(!self.client.has_call() && !self.client.closing, "deleted under the client");
                assert_eq!(self.call.in_flight(), (0, 0));
                self.deleted = true;
            }
        }
    }

    fn step(&mut self, event: u8, number: usize) {
        match event {
            0 => self.make_call(),
            1 => self.close(),
            2 => self.lose(),
            3 => self.traffic(u32::try_from(number % 3).unwrap() + 1),
            4 => self.drain(number.is_multiple_of(2)),
            5 if self.incoming => self.answer(!number.is_multiple_of(3)),
            5 => {
                if let Some(activation) = self.call.connected() {
                    self.duties.push(Duty::Activate(activation));
                }
            }
            _ => self.duty(number),
        }
        self.delete_allowed();
    }

    /// Lets everything end.
    fn settle(&mut self) {
        for round in 0..8 {
            self.close();
            self.drain(true);
            self.drain(false);
            while !self.duties.is_empty() {
                self.duty(round);
                self.delete_allowed();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// In any order of events and preemptions every token leaves exactly once, completions come in the
    /// order NDIS wants, and everything comes to rest once the client hangs up.
    #[test]
    fn tokens_are_used_exactly_once(
        incoming in any::<bool>(),
        events in prop::collection::vec((0_u8..9, 0_usize..8), 0..120),
    ) {
        let mut world = World::new(incoming);
        for (event, number) in events {
            world.step(event, number);
        }
        world.settle();
        prop_assert_eq!(world.finished.len(), world.tokens as usize, "{:?}", world);
        if incoming {
            prop_assert!(world.deleted, "{:?}", world);
        } else {
            prop_assert!(world.call.delete().is_ok());
        }
    }
}
