//! The flows of a call between its client and the wire: what happens there is told to the client, and what the client wants is
//! done there. What follows from what is in `steps.rs`, how a call ends in `ending.rs`, how its VC gets active in
//! `activation.rs`, what discovery says in `discovery.rs`, and how a call comes in in `incoming.rs`.
//!
//! Every function here and there changes state under a lock, lets go of it, and only then calls NDIS, which may call back.

use condis::call::{Close, Lost, Next};
use condis::call_failure::CallFailure;
use ndis::{Answer, CloseCall, MakeCall, Ref, Result, Status, Unlocked};
use pppoe::Discovery;
use pppoe::bounded::Text;

use super::calls::now;
use super::discovery::{Outcome, failure_of};
use super::lines::Line;
use super::request::Wanted;
use super::steps::Step;
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
                    this.adapter().finish(Outcome::Poll(index), locks);
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
    #[inline(never)]
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
        let config = wanted.discovery(adapter.station, &adapter.settings);
        Discovery::check(&config).map_err(|error| from_condis(failure_of(&error).status()))?;
        let mut discoveries = adapter.calls.discoveries.lock(locks);
        let random = discoveries.random();
        let discovery = ndis::memory::boxed_with(|| Discovery::of(&config, now(), random))?;
        Ok((discoveries.add(this, discovery)?, line))
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
                let lost = Lost::CompleteMake(make, upcall);
                Self::run(this, Step::Lost(lost, CallFailure::Aborted), locks);
            }
            Close::Start(teardown) => Self::run(this, Step::Next(Next::Start(teardown)), locks),
        }
        answer
    }
}
