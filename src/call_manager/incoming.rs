//! The flows of a call that comes in: offered to a client, taken or not, and then a call like others.
//!
//! As for the others, every function changes state under a lock, lets go of it, and only then calls NDIS.

use alloc::vec::Vec;
use condis::call::{Call, Lost, Next, Upcall};
use condis::call_failure::CallFailure;
use condis::flow::Grant;
use condis::{ppp, tapi};
use ndis::{
    Before, CallParameters, Chain, Granted, IncomingCall, Locked, Once, PendedCloseCall, PendedMakeCall,
    Progress, Ref, Result, Status, Unlocked, Verdict,
};
use pppoe::bounded::Text;
use pppoe::concentrator::{Event, NotAccepted, Refusal, Request, RequestId};
use pppoe::credit::Agreement;
use pppoe::{Code, Instant, Repr, Session};

use super::calls::now;
use super::discovery::room_for_frame;
use super::lines::Line;
use super::offered::{Offered, Offers};
use super::steps::Step;
use super::vc::Life;
use super::{AddressFamily, Sap, Vc, from_condis};
use crate::adapter::Adapter;
use crate::level;

/// What is offered, and to whom.
pub(super) struct Offer {
    sap: Ref<Sap>,
    max_payload: u16,
    parameters: IncomingCall,
    /// The rate that the client takes it with, if that is not the one offered.
    wish: Once<Grant>,
}

impl Offer {
    /// The offer of a call, on a line if the client knows lines.
    fn new(sap: &Ref<Sap>, line: &Line, request: &Request<'_>, locks: &mut Unlocked) -> Result<Ref<Self>> {
        let adapter = sap.family().owner();
        let mut storage = ndis::memory::zeroed(LONGEST_BLOCK)?;
        let (caller, service) = (request.peer.0, request.service_name);
        let (kind, length) = if let Some(line) = line.number() {
            let media_mode = sap.call_mode().ok_or(Status::FAILURE)?;
            let offer = tapi::incoming_call::Offer { line, media_mode, caller, service };
            (0, offer.write(&adapter.lines(locks), &mut storage))
        } else {
            let max_payload = request.max_payload;
            let offer = ppp::incoming_call::Offer { max_payload, caller, service };
            (ppp::TYPE, offer.write(&mut storage))
        };
        let block = length.and_then(|length| storage.get(..length)).ok_or(Status::FAILURE)?;
        let parameters =
            IncomingCall::new(adapter.granted(request.max_payload, &Grant::default(), locks), kind, block)?;
        let max_payload = request.max_payload;
        Ref::new(Self { sap: Ref::clone(sap), max_payload, parameters, wish: Once::new() })
    }

    /// The largest payload of the session.
    pub(super) const fn max_payload(&self) -> u16 {
        self.max_payload
    }

    /// Notes what the client wants; once.
    pub(super) fn note_wish(&self, wish: Grant) {
        let _ = self.wish.set(wish);
    }
}

/// The frame that tells a peer of its session.
struct Pads {
    frame: Vec<u8>,
    length: usize,
}

/// Bytes of the longest media-specific block of an offer.
const LONGEST_BLOCK: usize = if tapi::incoming_call::MAX_LENGTH > ppp::incoming_call::MAX_LENGTH {
    tapi::incoming_call::MAX_LENGTH
} else {
    ppp::incoming_call::MAX_LENGTH
};

impl Adapter {
    /// A PADI or PADR: answers it, or offers the call that it asks for.
    #[inline(never)]
    pub(super) fn concentrator_packet(&self, packet: &Repr<'_>, locks: &mut Unlocked) {
        if !self.can_call(locks) || self.link_speed(locks).is_none() {
            return;
        }
        if let Some((request, sap)) = self.answer(packet, locks) {
            if let Err(status) = Self::offer_call(&request, &sap, locks) {
                self.refuse(request.id, refusal(status), true, locks);
            }
            self.set_discovery_timer(locks);
        }
    }

    /// Answers a PADI or PADR, but for a call to be offered, and the SAP to offer it to.
    #[inline(never)]
    fn answer<'a>(&self, packet: &Repr<'a>, locks: &mut Unlocked) -> Option<(Request<'a>, Ref<Sap>)> {
        let mut frame = room_for_frame().ok()?;
        let mut offered = self.calls.offered.lock(locks);
        let Offered { concentrator: Some(concentrator), saps, .. } = &mut *offered else { return None };
        let (lines, settings) = (&self.lines_in_use, &self.settings.concentrator);
        let offers = Offers { saps, lines, settings, busy: packet.code == Code::Padr };
        match concentrator.handle(now(), packet, &offers, &mut frame) {
            Event::Ignored(_) => None,
            Event::Answer(answer) => {
                drop(offered);
                self.send_control(frame.get(..answer.len)?, locks);
                None
            }
            Event::Requested(request) => {
                let sap = saps.get(usize::try_from(request.offer).ok()?)?;
                Some((request, Ref::clone(sap)))
            }
        }
    }

    /// Offers a call.
    #[inline(never)]
    fn offer_call(request: &Request<'_>, sap: &Ref<Sap>, locks: &mut Unlocked) -> Result<()> {
        let (family, adapter) = (sap.family(), sap.family().owner());
        let line = Line::take(adapter, sap.line())?;
        let offer = Offer::new(sap, &line, request, locks)?;
        let (vc, activation) = Vc::incoming(family, request.id, offer, line, locks)?;
        let noted = adapter.calls.offered.lock(locks).add(request.id, &vc);
        let handle = ndis::AddressFamily::handle(&**family);
        let made = noted.and_then(|()| ndis::vc::create(&adapter.handle, handle, &vc, locks));
        if let Err(status) = made {
            vc.life.lock(locks).refusal = refusal(status);
            vc.leave(true, locks);
            family.object_removed(locks);
            return Err(status);
        }
        Vc::run(&vc, Step::Activate(activation), locks);
        if let Some(failure) = adapter.ends_calls(locks) {
            Vc::lost(&vc, failure, Text::EMPTY, locks);
            vc.leave(failure.peer_may_live(), locks);
        }
        Ok(())
    }

    /// Refuses a request, or takes back the session that it has not been told of.
    #[inline(never)]
    pub(super) fn refuse(&self, request: RequestId, refusal: Refusal, tell_peer: bool, locks: &mut Unlocked) {
        // Without memory the peer hears nothing, and asks again.
        let mut frame = room_for_frame().unwrap_or_default();
        let mut offered = self.calls.offered.lock(locks);
        let vc = offered.remove(request);
        let length = offered
            .concentrator
            .as_mut()
            .and_then(|concentrator| concentrator.reject(now(), request, refusal, &mut frame));
        drop(offered);
        drop(vc);
        if let Some(bytes) = length.filter(|_| tell_peer).and_then(|length| frame.get(..length)) {
            self.send_control(bytes, locks);
        }
        self.set_discovery_timer(locks);
    }

    /// Ends the calls that are being offered to a client which leaves.
    pub(super) fn end_offers_to(&self, client: &AddressFamily, locks: &mut Unlocked) {
        self.end_offers(Some(client), CallFailure::Aborted, locks);
    }

    /// Ends the calls that are being offered, to a client or to all.
    pub(super) fn end_offers(
        &self,
        client: Option<&AddressFamily>,
        failure: CallFailure,
        locks: &mut Unlocked,
    ) {
        while let Some(vc) = self.calls.take_offered(client, locks) {
            Vc::lost(&vc, failure, Text::EMPTY, locks);
            vc.leave(failure.peer_may_live(), locks);
        }
    }

    /// Ends the calls whose callers have given up by now.
    pub(super) fn end_forgotten_requests(&self, time: Instant, locks: &mut Unlocked) {
        loop {
            let expired = self.calls.offered.lock(locks).expire(time);
            let Some((_, vc)) = expired else { return };
            if let Some(vc) = vc {
                vc.life.lock(locks).request = None;
                Vc::lost(&vc, CallFailure::PeerTerminated, Text::EMPTY, locks);
            }
        }
    }
}

impl Vc {
    /// Activates the VC of an offer.
    pub(super) fn activate_offer(&self, locks: &mut Unlocked) -> Result<Progress> {
        let offer = self.life.lock(locks).offer.clone();
        self.handle.activate(&offer.ok_or(Status::FAILURE)?.parameters, locks)
    }

    /// The parameters of the offer, with other rates.
    pub(super) fn offered_with(&self, granted: Granted, locks: &mut Unlocked) -> Result<IncomingCall> {
        let offer = self.life.lock(locks).offer.clone().ok_or(Status::FAILURE)?;
        let mut storage = ndis::memory::zeroed(LONGEST_BLOCK)?;
        let media = offer.parameters.parameters().media_specific(&mut storage);
        let (kind, block, _) = media.ok_or(Status::FAILURE)?;
        IncomingCall::new(granted, kind, block)
    }

    /// The VC is active: asks the client.
    #[inline(never)]
    pub(super) fn offer(this: &Ref<Self>, upcall: Upcall, locks: &mut Unlocked) -> Step {
        let offer = this.life.lock(locks).offer.clone();
        let parameters = offer.as_ref().map(|offer| offer.parameters.parameters());
        let verdict = match &offer {
            Some(offer) if offer.sap.begin_offer(locks) => {
                let sap = ndis::Sap::handle(&*offer.sap);
                let verdict = this.handle.dispatch_incoming_call(sap, &offer.parameters, locks);
                offer.sap.end_offer(locks);
                verdict
            }
            // The SAP was deregistered meanwhile.
            _ => Verdict::Rejected(Status::NOT_ACCEPTED),
        };
        Self::judge(this, verdict, parameters, |call, accepted| call.offered(upcall, accepted), locks)
    }

    /// `CmIncomingCallComplete`.
    pub(super) fn answered(
        this: &Ref<Self>,
        verdict: Verdict,
        parameters: Option<&CallParameters>,
        locks: &mut Unlocked,
    ) {
        let answer = |call: &mut Call<_, _>, accepted: Option<_>| {
            accepted.map_or(Next::Nothing, |accepted| call.answered(accepted))
        };
        let step = Self::judge(this, verdict, parameters, answer, locks);
        Self::run(this, step, locks);
    }

    /// The client has answered, or will: does what follows.
    fn judge(
        this: &Ref<Self>,
        verdict: Verdict,
        parameters: Option<&CallParameters>,
        answer: impl FnOnce(&mut Call<PendedMakeCall, PendedCloseCall>, Option<bool>) -> Next<PendedCloseCall>,
        locks: &mut Unlocked,
    ) -> Step {
        let mut life = this.life.lock(locks);
        let (life, locks) = life.parts();
        let accepted = life.judge(verdict);
        let limits = this.adapter().limits(life.max_payload(), locks);
        // Only the first answer counts.
        let is_answer = accepted == Some(true) && life.call.awaits_answer();
        let refused = is_answer && !life.takes(parameters, limits);
        let lost = if refused { life.call.lost(UNGRANTED) } else { Lost::Nothing };
        match (lost, answer(&mut life.call, accepted)) {
            (Lost::Nothing, next) => Step::Next(next),
            // The answer waits until that has been told.
            (lost, _) => Step::Lost(lost, UNGRANTED),
        }
    }

    /// The client takes the call, perhaps with other parameters: if so activates the VC with these, which keeps the upcall
    /// until it is done.
    pub(super) fn accept(this: &Ref<Self>, upcall: Upcall, locks: &mut Unlocked) -> Step {
        let wish = this.life.lock(locks).offer.as_ref().and_then(|offer| offer.wish.get().copied());
        match wish {
            Some(wish) => Self::change_by_answer(this, wish, upcall, locks),
            None => Step::Confirm(Ok(()), upcall),
        }
    }

    /// The client has taken the call, and the VC is active with what it wants, or is not: opens the session, tells the peer,
    /// then the client.
    #[inline(never)]
    pub(super) fn confirm(
        this: &Ref<Self>,
        activated: Result<()>,
        upcall: Upcall,
        ended: &mut Chain<Self>,
        locks: &mut Unlocked,
    ) -> Step {
        let established = if activated.is_ok() {
            Self::establish(this, locks).and_then(|pads| match pads {
                Some(pads) => Self::open(this, &pads, locks).map(|()| true),
                None => Ok(false),
            })
        } else {
            this.life.lock(locks).refusal = refusal(Status::RESOURCES);
            Err(CallFailure::Resources)
        };
        match established {
            Ok(true) => {
                this.indicate_granted(locks);
                this.handle.dispatch_call_connected(locks);
            }
            Ok(false) => this.leave_wire(true, ended, locks),
            Err(failure) => {
                this.leave_wire(true, ended, locks);
                // The client is told when the upcall is given back.
                let _ = this.life.lock(locks).call.lost(failure);
            }
        }
        Step::Told(upcall)
    }

    /// Opens the session; its PADS, unless the call is over by now.
    #[inline(never)]
    fn establish(this: &Ref<Self>, locks: &mut Unlocked) -> core::result::Result<Option<Pads>, CallFailure> {
        let mut frame = room_for_frame().map_err(|_| CallFailure::Resources)?;
        let calls = &this.adapter().calls;
        let mut guard = calls.offered.lock(locks);
        let (offered, inner) = guard.parts();
        let request = this.life.lock(inner).request.ok_or(CallFailure::PeerTerminated)?;
        let concentrator = offered.concentrator.as_mut().ok_or(CallFailure::Resources)?;
        let accepted = concentrator
            .accept(now(), request, |key| calls.in_use(key, inner), &mut frame)
            .map_err(|error| match error {
                NotAccepted::Gone => CallFailure::PeerTerminated,
                NotAccepted::Resources => CallFailure::Resources,
            })?;
        let key = accepted.session.key;
        // In the tables before the PADS is sent: the peer may be quick.
        calls.add_session(key, this, inner).map_err(|_| CallFailure::Resources)?;
        let (established, offer) = this.establish_session(accepted.session, accepted.credits, inner);
        let vc = if established { offered.remove(request) } else { calls.remove_session(key, inner) };
        drop(guard);
        drop((vc, offer));
        Ok(established.then_some(Pads { frame, length: accepted.len }))
    }

    /// Lets frames flow, and tells the peer.
    fn open(this: &Ref<Self>, pads: &Pads, locks: &mut Unlocked) -> core::result::Result<(), CallFailure> {
        this.statistics.reset();
        // Before the PADS is sent, and the client is told.
        Self::open_account(this, locks).map_err(|_| CallFailure::Resources)?;
        if let Some(bytes) = pads.frame.get(..pads.length) {
            this.adapter().send_control(bytes, locks);
        }
        Ok(())
    }

    /// The session is the VC's, unless the call is over by now; and the offer, which has served.
    fn establish_session(
        &self,
        session: Session,
        credits: Option<Agreement>,
        locks: &mut Locked<impl Before<level::Life>>,
    ) -> (bool, Option<Ref<Offer>>) {
        let mut life = self.life.lock(locks);
        if !life.call.established() {
            return (false, None);
        }
        life.request = None;
        life.session = Some(session);
        life.credits = credits;
        (true, life.offer.take())
    }

    /// The end of a VC that the driver created.
    pub(super) fn delete_own(this: &Ref<Self>, ended: &mut Chain<Self>, locks: &mut Unlocked) {
        // A rate may have been granted with an answer that came too late for a session.
        this.adapter().end_shape(this, ended, locks);
        // It is inactive and has no call: there is no reason to refuse.
        let _ = ndis::vc::delete(this, locks);
        this.family.object_removed(locks);
    }
}

/// The client takes the call with parameters that cannot be had (`NdisMCmDispatchIncomingCloseCall`, first case).
const UNGRANTED: CallFailure = CallFailure::NoMatchingOffer;

impl Life {
    /// Whether the client takes the call; `None`: it has not said. The reason is for the peer.
    fn judge(&mut self, verdict: Verdict) -> Option<bool> {
        match verdict {
            Verdict::Accepted => Some(true),
            Verdict::Rejected(reason) => {
                self.refusal = refusal(reason);
                Some(false)
            }
            Verdict::Pending => None,
        }
    }
}

/// What a peer reads whose call was not taken (RFC 2516, appendix A).
fn refusal(reason: Status) -> Refusal {
    use condis::status::Status as Reason;
    let is = |known| from_condis(known) == reason;
    if is(Reason::TAPI_DISCONNECTMODE_BUSY) || is(Reason::TAPI_INUSE) {
        Refusal::AcSystem("busy")
    } else if is(Reason::RESOURCES)
        || is(Reason::TAPI_RESOURCEUNAVAIL)
        || is(Reason::TAPI_DISCONNECTMODE_CONGESTION)
    {
        Refusal::AcSystem("no resources")
    } else if is(Reason::TAPI_DISCONNECTMODE_BADADDRESS) {
        Refusal::ServiceName("service refused")
    } else {
        CALL_REFUSED
    }
}

/// When there is nothing better to say.
pub(super) const CALL_REFUSED: Refusal = Refusal::Generic("call refused");
