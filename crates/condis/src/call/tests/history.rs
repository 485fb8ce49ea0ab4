//! Random histories against a model of the driver and its client.

use super::*;
use proptest::prelude::*;
use std::vec::Vec;

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
            6 => {
                if let Some(upcall) = self.call.change() {
                    assert!(self.active && !self.client.closing);
                    self.duties.push(Duty::Return(upcall));
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
        events in prop::collection::vec((0_u8..10, 0_usize..8), 0..120),
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
