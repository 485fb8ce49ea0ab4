//! The end of a call, whoever ends it: off the wire, and told to whom it concerns.

use condis::call::{Lost, Teardown};
use condis::call_failure::CallFailure;
use ndis::{Chain, PendedMakeCall, Ref, Unlocked};
use pppoe::bounded::Text;
use pppoe::{Padt, SessionKey};

use super::steps::Step;
use super::{Vc, from_condis};
use crate::adapter::Adapter;

impl Vc {
    /// Ends the session, completes what is queued on it, and deactivates the VC when nothing is in flight.
    pub(super) fn tear_down(
        this: &Ref<Self>,
        teardown: Teardown,
        ended: &mut Chain<Self>,
        locks: &mut Unlocked,
    ) -> Step {
        this.leave_wire(teardown.tell_peer, ended, locks);
        if teardown.deactivate {
            return Step::Deactivate;
        }
        this.adapter().abort_sends_of(this, ended, locks);
        Step::Nothing
    }

    /// Takes the call off the wire: out of the tables, and if the peer is to be told, with a PADT, or with a PADS that
    /// refuses the session.
    #[inline(never)]
    pub(super) fn leave_wire(&self, tell_peer: bool, ended: &mut Chain<Self>, locks: &mut Unlocked) {
        let adapter = self.adapter();
        let _leaving = adapter.calls.leave();
        let (slot, session, line, request, refusal) = {
            let mut life = self.life.lock(locks);
            let (request, refusal) = (life.request.take(), life.refusal);
            (life.slot.take(), life.session.take(), life.line.take(), request, refusal)
        };
        drop(line);
        if let Some(index) = slot {
            let vc = adapter.calls.discoveries.lock(locks).release(index);
            drop(vc);
            adapter.set_discovery_timer(locks);
        }
        if let Some(request) = request {
            adapter.refuse(request, refusal, tell_peer, locks);
        }
        // Also of a call without a session: a change of its rate may have been under way when it lost that.
        adapter.end_shape(self, ended, locks);
        if let Some(session) = session {
            let removed = adapter.calls.remove_session_of(session.key, self, locks);
            if removed {
                adapter.calls.session_ended(session.key, locks);
            }
            if removed && tell_peer {
                adapter.send_padt(session.key, locks);
            }
        }
    }

    /// The same, with the completion of what waited for that.
    pub(super) fn leave(&self, tell_peer: bool, locks: &mut Unlocked) {
        let mut ended = Chain::new();
        self.leave_wire(tell_peer, &mut ended, locks);
        self.adapter().complete(ended, locks);
    }

    /// The call is over, and not by the client's wish.
    pub(super) fn lost(this: &Ref<Self>, failure: CallFailure, reason: Text, locks: &mut Unlocked) {
        let lost = {
            let mut life = this.life.lock(locks);
            if !reason.is_empty() {
                life.diagnostics = reason;
            }
            life.call.lost(failure)
        };
        Self::run(this, Step::Lost(lost, failure), locks);
    }

    /// Tells the client of a lost call.
    #[inline(never)]
    pub(super) fn follow(
        this: &Ref<Self>,
        lost: Lost<PendedMakeCall>,
        failure: CallFailure,
        ended: &mut Chain<Self>,
        locks: &mut Unlocked,
    ) -> Step {
        match lost {
            Lost::Nothing => Step::Nothing,
            Lost::CompleteMake(make, upcall) => {
                this.leave_wire(false, ended, locks);
                Self::fail(this, make, upcall, failure, locks)
            }
            Lost::DispatchClose(upcall) => {
                this.handle.dispatch_incoming_close(from_condis(failure.status()), locks);
                Self::returned(this, upcall, locks)
            }
        }
    }
}

impl Adapter {
    /// The peer ends a session.
    #[inline(never)]
    pub(super) fn terminated(&self, padt: &Padt, locks: &mut Unlocked) {
        let Some(vc) = self.calls.remove_session(padt.key, locks) else { return };
        self.calls.session_ended(padt.key, locks);
        Vc::lost(&vc, CallFailure::PeerTerminated, padt.reason, locks);
    }

    /// The peer of a session does not answer any more.
    #[inline(never)]
    pub(crate) fn peer_is_silent(&self, vc: &Ref<Vc>, key: SessionKey, locks: &mut Unlocked) {
        if self.calls.remove_session_of(key, vc, locks) {
            self.calls.session_ended(key, locks);
            self.send_padt(key, locks);
            Vc::lost(vc, CallFailure::SessionLost, Text::EMPTY, locks);
        }
    }

    /// Tells a peer that a session is over.
    #[inline(never)]
    pub(super) fn send_padt(&self, key: SessionKey, locks: &mut Unlocked) {
        let mut frame = [0; pppoe::ethernet::MIN_FRAME];
        let length = Padt::new(key).emit(self.station, &mut frame);
        if let Some(bytes) = length.ok().and_then(|length| frame.get(..length)) {
            self.send_control(bytes, locks);
        }
    }

    /// Ends every call: the clients are told why, and will close them; the peers are told while that is possible.
    pub(crate) fn end_all_calls(&self, failure: CallFailure, locks: &mut Unlocked) {
        let mut next = 0;
        while let Some((at, vc)) = self.calls.setup_from(next, locks) {
            Vc::lost(&vc, failure, Text::EMPTY, locks);
            next = at.saturating_add(1);
        }
        self.end_offers(None, failure, locks);
        next = 0;
        while let Some((at, vc)) = self.calls.session_from(next, locks) {
            Vc::lost(&vc, failure, Text::EMPTY, locks);
            vc.leave(failure.peer_may_live(), locks);
            next = at.saturating_add(1);
        }
    }
}
