//! Scripted races of calls that go out; those that come in, and random histories, in modules of their own.

mod history;
mod incoming;

use super::*;

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
fn a_change_from_within_the_make_completion_and_a_close_wait_for_each_other() {
    let (mut call, make) = completing();
    let change = call.change().unwrap();
    assert_eq!(call.close("close"), Close::Wait);
    assert_eq!(call.change(), None, "it is being closed");
    assert_eq!(call.returned(change), Next::Nothing, "the make completion has not returned");
    assert_eq!(call.returned(make), Next::Start(NOW));
    // The other way around.
    let (mut call, make) = completing();
    let change = call.change().unwrap();
    assert_eq!(call.returned(make), Next::Nothing);
    assert_eq!(call.lost(CallFailure::PeerTerminated), Lost::Nothing, "the change has not returned");
    let Next::DispatchClose(CallFailure::PeerTerminated, _) = call.returned(change) else { panic!() };
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
