//! The flows of a call between its client and the wire: what happens there is told to the client, and what the client wants is
//! done there. How a call ends is in `ending.rs`, how its VC gets active in `activation.rs`, what discovery says in
//! `discovery.rs`, and how a call comes in in `incoming.rs`.
//!
//! Every function here and there changes state under a lock, lets go of it, and only then calls NDIS, which may call back.

use condis::call::{Close, Next, Upcall};
use condis::call_failure::CallFailure;
use ndis::{Answer, CloseCall, MakeCall, PendedCloseCall, PendedMakeCall, Ref, Result, Status, Unlocked};
use pppoe::Discovery;
use pppoe::bounded::Text;

use super::calls::now;
use super::discovery::failure_of;
use super::lines::Line;
use super::request::Wanted;
use super::{Vc, from_condis};

impl Vc {
    /// `CmMakeCall`: begins discovery.
    pub(super) fn make_call(this: &Ref<Self>, request: MakeCall, locks: &mut Unlocked) -> Answer {
        let (index, taken) = match Self::prepare(this, &request, locks) {
            Ok(prepared) => prepared,
            Err(status) => return request.refuse(status),
        };
        let (pended, answer) = request.pend();
        let begun = {
            let mut life = this.life.lock(locks);
            let begun = life.call.make_call(pended);
            if begun.is_ok() {
                life.begin(index, taken);
            }
            begun
        };
        match begun {
            Ok(()) => {
                this.statistics.reset();
                if let Some(failure) = this.adapter().ends_calls(locks) {
                    Self::lost(this, failure, Text::EMPTY, locks);
                } else {
                    this.adapter().drive(index, locks);
                    this.adapter().set_discovery_timer(locks);
                }
            }
            Err((pended, refusal)) => {
                drop(this.adapter().calls.discoveries.lock(locks).remove(index));
                pended.complete(from_condis(refusal), locks);
            }
        }
        answer
    }

    /// Checks a make call and gives it a place among the discoveries, with nothing sent yet.
    fn prepare(this: &Ref<Self>, request: &MakeCall, locks: &mut Unlocked) -> Result<(u32, Line)> {
        let adapter = this.adapter();
        if !adapter.can_call(locks) {
            return Err(Status::NOT_ACCEPTED);
        }
        let wanted = Wanted::parse(request, this.family.kind(), &adapter.settings, &adapter.lines(locks))?;
        if adapter.link_speed(locks).is_none() {
            return Err(from_condis(CallFailure::LinkDown.status()));
        }
        this.supply(request, locks)?;
        let line = Line::take(adapter, wanted.line)?;
        let mut discoveries = adapter.calls.discoveries.lock(locks);
        let random = discoveries.random();
        let discovery = Discovery::new(&wanted.discovery(adapter.station, &adapter.settings), now(), random)
            .map_err(|error| from_condis(failure_of(&error).status()))?;
        Ok((discoveries.add(this, ndis::memory::boxed(discovery)?)?, line))
    }

    /// `CmCloseCall`: in every state of the call.
    pub(super) fn close_call(this: &Ref<Self>, request: CloseCall, locks: &mut Unlocked) -> Answer {
        if !request.data().is_empty() {
            return request.refuse(Status::INVALID_DATA);
        }
        let (pended, answer) = request.pend();
        let close = this.life.lock(locks).call.close(pended);
        match close {
            Close::Refused(pended, status) => pended.complete(from_condis(status), locks),
            Close::Done(pended) => pended.complete(Status::SUCCESS, locks),
            Close::Wait => {}
            Close::AbortMake(make, upcall) => {
                this.leave_wire(false, locks);
                Self::fail(this, make, upcall, CallFailure::Aborted, locks);
            }
            Close::Start(teardown) => Self::tear_down(this, teardown, locks),
        }
        answer
    }

    /// Completes a make call with a failure.
    pub(super) fn fail(
        this: &Ref<Self>,
        make: PendedMakeCall,
        upcall: Upcall,
        failure: CallFailure,
        locks: &mut Unlocked,
    ) {
        make.complete(from_condis(failure.status()), locks);
        Self::returned(this, upcall, locks);
    }

    /// A call into NDIS about this VC has returned: does what waited for that.
    pub(super) fn returned(this: &Ref<Self>, upcall: Upcall, locks: &mut Unlocked) {
        let next = this.life.lock(locks).call.returned(upcall);
        Self::go_on(this, next, locks);
    }

    /// Does what is next, and what follows from it.
    pub(super) fn go_on(this: &Ref<Self>, mut next: Next<PendedCloseCall>, locks: &mut Unlocked) {
        loop {
            let upcall = match next {
                Next::Nothing => return,
                Next::DispatchClose(failure, upcall) => {
                    this.handle.dispatch_incoming_close(from_condis(failure.status()), locks);
                    upcall
                }
                Next::Accept(upcall) => {
                    let Some(upcall) = Self::accept(this, upcall, locks) else { return };
                    upcall
                }
                Next::Reject => {
                    this.leave_wire(true, locks);
                    return Self::deactivate(this, locks);
                }
                Next::Start(teardown) => return Self::tear_down(this, teardown, locks),
                Next::CompleteClose(close) => return close.complete(Status::SUCCESS, locks),
            };
            next = this.life.lock(locks).call.returned(upcall);
        }
    }
}
