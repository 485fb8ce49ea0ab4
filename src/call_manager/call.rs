//! The flows of a call between its client and the wire: what happens there is told to the client, and what the client wants is
//! done there. How a call ends is in `ending.rs`, how its VC gets active in `activation.rs`, what discovery says in
//! `discovery.rs`, and how a call comes in in `incoming.rs`.
//!
//! Every function here and there changes state under a lock, lets go of it, and only then calls NDIS, which may call back.

use condis::call::{Close, Next, Upcall};
use condis::call_failure::CallFailure;
use condis::flow::Grant;
use ndis::{Answer, CloseCall, MakeCall, PendedCloseCall, PendedMakeCall, Ref, Result, Status};
use pppoe::Discovery;
use pppoe::bounded::Text;

use super::calls::now;
use super::discovery::failure_of;
use super::lines::Line;
use super::request::Wanted;
use super::{Vc, from_condis};

impl Vc {
    /// `CmMakeCall`: begins discovery.
    pub(super) fn make_call(this: &Ref<Self>, request: MakeCall) -> Answer {
        let (index, taken) = match Self::prepare(this, &request) {
            Ok(prepared) => prepared,
            Err(status) => return request.refuse(status),
        };
        let (pended, answer) = request.pend();
        let begun = {
            let mut life = this.life.lock();
            let begun = life.call.make_call(pended);
            if begun.is_ok() {
                life.slot = Some(index);
                life.line = Some(taken);
                life.diagnostics = Text::EMPTY;
                life.link_info = None;
                life.grant = Grant::default();
            }
            begun
        };
        match begun {
            Ok(()) => {
                this.statistics.reset();
                if let Some(failure) = this.adapter().ends_calls() {
                    Self::lost(this, failure, Text::EMPTY);
                } else {
                    this.adapter().drive(index);
                    this.adapter().set_discovery_timer();
                }
            }
            Err((pended, refusal)) => {
                drop(this.adapter().calls.discoveries.lock().remove(index));
                pended.complete(from_condis(refusal));
            }
        }
        answer
    }

    /// Checks a make call and gives it a place among the discoveries, with nothing sent yet.
    fn prepare(this: &Ref<Self>, request: &MakeCall) -> Result<(u32, Line)> {
        let adapter = this.adapter();
        if !adapter.can_call() {
            return Err(Status::NOT_ACCEPTED);
        }
        let wanted = Wanted::parse(request, this.family.kind(), &adapter.settings, &adapter.lines())?;
        if adapter.link_speed().is_none() {
            return Err(from_condis(CallFailure::LinkDown.status()));
        }
        let line = Line::take(adapter, wanted.line)?;
        let mut discoveries = adapter.calls.discoveries.lock();
        let random = discoveries.random();
        let discovery = Discovery::new(&wanted.discovery(adapter.station, &adapter.settings), now(), random)
            .map_err(|error| from_condis(failure_of(&error).status()))?;
        Ok((discoveries.add(this, ndis::memory::boxed(discovery)?)?, line))
    }

    /// `CmCloseCall`: in every state of the call.
    pub(super) fn close_call(this: &Ref<Self>, request: CloseCall) -> Answer {
        if !request.data().is_empty() {
            return request.refuse(Status::INVALID_DATA);
        }
        let (pended, answer) = request.pend();
        let close = this.life.lock().call.close(pended);
        match close {
            Close::Refused(pended, status) => pended.complete(from_condis(status)),
            Close::Done(pended) => pended.complete(Status::SUCCESS),
            Close::Wait => {}
            Close::AbortMake(make, upcall) => {
                this.leave_wire(false);
                Self::fail(this, make, upcall, CallFailure::Aborted);
            }
            Close::Start(teardown) => Self::tear_down(this, teardown),
        }
        answer
    }

    /// Completes a make call with a failure.
    pub(super) fn fail(this: &Ref<Self>, make: PendedMakeCall, upcall: Upcall, failure: CallFailure) {
        make.complete(from_condis(failure.status()));
        Self::returned(this, upcall);
    }

    /// A call into NDIS about this VC has returned: does what waited for that.
    pub(super) fn returned(this: &Ref<Self>, upcall: Upcall) {
        let next = this.life.lock().call.returned(upcall);
        Self::go_on(this, next);
    }

    /// Does what is next, and what follows from it.
    pub(super) fn go_on(this: &Ref<Self>, mut next: Next<PendedCloseCall>) {
        loop {
            let upcall = match next {
                Next::Nothing => return,
                Next::DispatchClose(failure, upcall) => {
                    this.handle.dispatch_incoming_close(from_condis(failure.status()));
                    upcall
                }
                Next::Accept(upcall) => {
                    let Some(upcall) = Self::accept(this, upcall) else { return };
                    upcall
                }
                Next::Reject => {
                    this.leave_wire(true);
                    return Self::deactivate(this);
                }
                Next::Start(teardown) => return Self::tear_down(this, teardown),
                Next::CompleteClose(close) => return close.complete(Status::SUCCESS),
            };
            next = this.life.lock().call.returned(upcall);
        }
    }
}
