//! Scripted races of calls that come in.

use super::*;

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

#[test]
fn a_client_may_change_a_call_before_it_answers() {
    let mut call = offered();
    let change = call.change().unwrap();
    assert_eq!(call.answered(true), Next::Nothing, "the change has not returned");
    assert_eq!(call.change(), None, "it has answered");
    assert!(matches!(call.returned(change), Next::Accept(_)));
    // From within the offer.
    let (mut call, upcall) = offering();
    let change = call.change().unwrap();
    assert_eq!(call.returned(change), Next::Nothing);
    assert_eq!(call.offered(upcall, Some(false)), Next::Reject);
    // The caller goes meanwhile, and the client closes.
    let mut call = offered();
    let change = call.change().unwrap();
    assert_eq!(call.lost(CallFailure::NoAnswer), Lost::Nothing);
    assert!(call.change().is_none() && !call.awaits_answer());
    let Next::DispatchClose(CallFailure::NoAnswer, upcall) = call.returned(change) else { panic!() };
    assert_eq!(call.close("close"), Close::Wait);
    assert_eq!(call.returned(upcall), Next::Start(NOW));
}
