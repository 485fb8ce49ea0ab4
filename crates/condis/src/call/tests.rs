//! Scripted races, and random histories against a model of the driver and its client.

use super::*;
use proptest::prelude::*;
use std::vec::Vec;

type TestCall = Call<&'static str, &'static str>;

const NOW: Teardown = Teardown { tell_peer: true, deactivate: true };

/// A call that is up, its make call completed.
fn active() -> TestCall {
    let mut call = TestCall::new();
    call.make_call("make").unwrap();
    let (make, upcall) = call.connected().unwrap();
    assert_eq!(make, "make");
    assert_eq!(call.activated(true), Activated::Complete);
    assert_eq!(call.returned(upcall), Next::Nothing);
    assert!(call.is_open());
    call
}

#[test]
fn a_call_from_dial_to_hang_up_and_again() {
    let mut call = active();
    for _ in 0..2 {
        assert_eq!(call.close("close"), Close::Start(NOW));
        assert!(!call.can_delete());
        assert_eq!(call.deactivated(), Some("close"));
        assert!(call.can_delete());
        // The VC is used again.
        call.make_call("make").unwrap();
        let (_, upcall) = call.connected().unwrap();
        assert_eq!(call.activated(true), Activated::Complete);
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
    let mut call = TestCall::new();
    call.make_call("make").unwrap();
    let (_, upcall) = call.connected().unwrap();
    assert_eq!(call.close("close"), Close::Wait);
    assert_eq!(call.close("twice"), Close::Refused("twice", Status::CLOSING));
    assert_eq!(call.activated(true), Activated::Undo(CallFailure::Aborted));
    assert_eq!(call.returned(upcall), Next::CompleteClose("close"));
}

#[test]
fn a_close_from_within_the_make_completion_waits_for_its_return() {
    let mut call = TestCall::new();
    call.make_call("make").unwrap();
    let (_, upcall) = call.connected().unwrap();
    assert_eq!(call.activated(true), Activated::Complete);
    assert!(call.begin_sends(1));
    assert_eq!(call.close("close"), Close::Wait);
    assert!(!call.is_open());
    let teardown = Teardown { tell_peer: true, deactivate: false };
    assert_eq!(call.returned(upcall), Next::Start(teardown));
    assert!(call.end_sends(1));
    assert_eq!(call.deactivated(), Some("close"));
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
    let mut call = TestCall::new();
    call.make_call("make").unwrap();
    let (_, upcall) = call.connected().unwrap();
    assert_eq!(call.activated(false), Activated::Undo(CallFailure::Resources));
    assert_eq!(call.returned(upcall), Next::Nothing);
    assert!(call.can_delete());
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
    assert_eq!(call.deactivated(), Some("close"));
    assert_eq!(call.deactivated(), None);
}

#[test]
fn a_client_may_answer_a_dispatch_later() {
    let mut call = active();
    let Lost::DispatchClose(upcall) = call.lost(CallFailure::SessionLost) else { panic!() };
    assert_eq!(call.returned(upcall), Next::Nothing);
    assert!(!call.can_delete());
    assert_eq!(call.close("close"), Close::Start(NOW));
    assert_eq!(call.deactivated(), Some("close"));
}

#[test]
fn a_padt_during_the_make_completion_is_dispatched_after_it() {
    let mut call = TestCall::new();
    call.make_call("make").unwrap();
    let (_, upcall) = call.connected().unwrap();
    assert_eq!(call.activated(true), Activated::Complete);
    assert_eq!(call.lost(CallFailure::PeerTerminated), Lost::Nothing);
    assert!(!call.is_open());
    let Next::DispatchClose(CallFailure::PeerTerminated, upcall) = call.returned(upcall) else { panic!() };
    assert_eq!(call.returned(upcall), Next::Nothing);
    assert_eq!(call.close("close"), Close::Start(Teardown { tell_peer: false, deactivate: true }));
}

#[test]
fn a_padt_during_activation_fails_the_call() {
    let mut call = TestCall::new();
    call.make_call("make").unwrap();
    let (_, upcall) = call.connected().unwrap();
    assert_eq!(call.lost(CallFailure::PeerTerminated), Lost::Nothing);
    assert_eq!(call.activated(true), Activated::Undo(CallFailure::PeerTerminated));
    assert_eq!(call.returned(upcall), Next::Nothing);
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
    assert_eq!(call.deactivated(), Some("close"));
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
    assert_eq!(call.close("close"), Close::Refused("close", Status::VC_NOT_ACTIVATED));
    assert_eq!(call.lost(CallFailure::LinkDown), Lost::Nothing);
    assert_eq!(call.activated(true), Activated::Undo(CallFailure::Aborted));
}

/// A token that must be used up.
#[derive(Debug)]
struct Token(u32);

/// Something the driver has been told to do and has not done yet. Any of them may be next: each
/// stands for a thread that was preempted before it got there.
#[derive(Debug)]
enum Duty {
    Activate(Token, Upcall),
    CompleteMake(Token, Upcall, bool),
    Dispatch(Upcall),
    Return(Upcall),
    Deactivate,
    CompleteClose(Token),
}

/// What a well-behaved client knows.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Client {
    calling: bool,
    connected: bool,
    closing: bool,
    told_to_close: bool,
}

/// The driver, its client, and the books.
#[derive(Debug, Default)]
struct World {
    call: Call<Token, Token>,
    duties: Vec<Duty>,
    client: Client,
    activated: bool,
    tokens: u32,
    finished: Vec<u32>,
    sends: u32,
    receives: u32,
}

impl World {
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
            Next::Start(teardown) => self.start(teardown),
            Next::CompleteClose(token) => self.duties.push(Duty::CompleteClose(token)),
        }
    }

    fn make_call(&mut self) {
        if self.client.calling || self.client.connected || self.client.closing {
            return;
        }
        let token = self.token();
        self.call.make_call(token).expect("a client without a call may make one");
        self.client.calling = true;
    }

    fn close(&mut self) {
        if self.client.closing || !(self.client.calling || self.client.connected) {
            return;
        }
        let token = self.token();
        self.client.closing = true;
        match self.call.close(token) {
            Close::Refused(..) => panic!("the client has a call"),
            Close::Wait => {}
            Close::AbortMake(make, upcall) => self.duties.push(Duty::CompleteMake(make, upcall, false)),
            Close::Start(teardown) => self.start(teardown),
        }
    }

    fn delete_allowed(&self) {
        let idle = !self.client.calling && !self.client.connected && !self.client.closing;
        assert!(!idle || self.call.can_delete(), "a client without a call may delete");
        if self.call.can_delete() {
            let leaving = self.duties.iter().any(|duty| matches!(duty, Duty::CompleteClose(_)));
            assert!(!self.client.closing || leaving, "deleted while a close is held");
            assert_eq!(self.call.in_flight(), (0, 0));
            assert!(!self.activated, "deleted while active");
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
            assert!(self.activated && !self.client.closing);
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

    fn duty(&mut self, index: usize) {
        if self.duties.is_empty() {
            return;
        }
        match self.duties.remove(index % self.duties.len()) {
            Duty::Activate(make, upcall) => {
                let success = !make.0.is_multiple_of(5);
                self.activated = success;
                let verdict = self.call.activated(success);
                let up = verdict == Activated::Complete;
                self.activated = up;
                self.duties.push(Duty::CompleteMake(make, upcall, up));
            }
            Duty::CompleteMake(make, upcall, success) => {
                assert!(self.client.calling, "completed without a make call");
                self.client.calling = false;
                self.client.connected = success;
                self.finish(make);
                self.duties.push(Duty::Return(upcall));
            }
            Duty::Dispatch(upcall) => {
                assert!(self.client.connected, "dispatched to a client without a call");
                assert!(!self.client.told_to_close, "dispatched twice");
                self.client.told_to_close = true;
                self.duties.push(Duty::Return(upcall));
            }
            Duty::Return(upcall) => {
                let next = self.call.returned(upcall);
                self.next(next);
            }
            Duty::Deactivate => {
                assert!(self.activated, "deactivated without an active call");
                assert_eq!((self.sends, self.receives), (0, 0));
                self.activated = false;
                let close = self.call.deactivated().expect("deactivated on demand");
                self.duties.push(Duty::CompleteClose(close));
            }
            Duty::CompleteClose(close) => {
                assert!(self.client.closing && !self.client.calling, "close before make completed");
                self.client = Client::default();
                self.finish(close);
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
            5 => {
                if let Some((make, upcall)) = self.call.connected() {
                    self.duties.push(Duty::Activate(make, upcall));
                }
            }
            _ => self.duty(number),
        }
        self.delete_allowed();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// In any order of events and preemptions every token leaves exactly once, completions come in the
    /// order NDIS wants, and everything comes to rest once the client hangs up.
    #[test]
    fn tokens_are_used_exactly_once(events in prop::collection::vec((0_u8..9, 0_usize..8), 0..120)) {
        let mut world = World::default();
        for (event, number) in events {
            world.step(event, number);
        }
        world.close();
        for _ in 0..8 {
            world.drain(true);
            world.drain(false);
            while !world.duties.is_empty() {
                world.duty(0);
                world.delete_allowed();
            }
        }
        prop_assert_eq!(world.finished.len(), world.tokens as usize, "{:?}", world);
        prop_assert!(world.call.delete().is_ok());
    }
}
