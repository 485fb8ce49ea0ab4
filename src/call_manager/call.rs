//! The flows of a call: what happens on the wire, told to the client, and what the client wants, done on the wire.
//!
//! Every function here changes state under a lock, lets go of it, and only then calls NDIS, which may call back.

use condis::call::{Activated, Activation, After, Close, Lost, Next, Teardown, Upcall};
use condis::call_failure::CallFailure;
use condis::flow::Grant;
use ndis::{Answer, CloseCall, MakeCall, PendedCloseCall, PendedMakeCall, Progress, Ref, Result, Status};
use pppoe::bounded::Text;
use pppoe::credit::Agreement;
use pppoe::{Discovery, Error, Event, Inbound, Instant, Padt, Repr, Session, SessionKey};

use super::calls::{Discoveries, now};
use super::lines::Line;
use super::request::Wanted;
use super::{Vc, from_condis};
use crate::adapter::Adapter;

/// Room for any discovery frame.
pub(super) type Frame = [u8; pppoe::ethernet::MAX_FRAME];

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
    fn fail(this: &Ref<Self>, make: PendedMakeCall, upcall: Upcall, failure: CallFailure) {
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

    /// Activates the VC, for a session that is up or for an offer.
    pub(super) fn activate(this: &Ref<Self>, mut activation: Activation<PendedMakeCall>) {
        let progress = match activation.make.as_mut().map(PendedMakeCall::parameters) {
            Some(Some(parameters)) => {
                Self::grant_wish(this, parameters);
                Self::open_account(this).and_then(|()| this.handle.activate(parameters))
            }
            Some(None) => Err(Status::FAILURE),
            None => this.activate_offer(),
        };
        match progress {
            Ok(Progress::Done) => Self::activated(this, activation, true),
            Ok(Progress::Pending) => {
                let early = this.life.lock().call.activation_pended(activation);
                if let Some((activation, success)) = early {
                    Self::activated(this, activation, success);
                }
            }
            Err(_) => Self::activated(this, activation, false),
        }
    }

    /// The session of a call has the account of credits that was agreed on, if any.
    pub(super) fn open_account(this: &Ref<Self>) -> Result<()> {
        let (session, agreement) = {
            let mut life = this.life.lock();
            (life.session, life.credits.take())
        };
        let Some((session, agreement)) = session.zip(agreement) else { return Ok(()) };
        this.adapter().open_account(this, session.key, agreement)
    }

    /// `CmActivateVcComplete`.
    pub(super) fn activation_completed(this: &Ref<Self>, success: bool) {
        if Self::change_activated(this, success) {
            return;
        }
        let pended = this.life.lock().call.activation_completed(success);
        if let Some((activation, success)) = pended {
            Self::activated(this, activation, success);
        }
    }

    /// The VC is active, or cannot be: tells the client.
    fn activated(this: &Ref<Self>, activation: Activation<PendedMakeCall>, success: bool) {
        let outcome = this.life.lock().call.activated(activation, success);
        match outcome {
            Activated::Complete(make, upcall) => {
                this.indicate_granted();
                make.complete(Status::SUCCESS);
                Self::returned(this, upcall);
            }
            Activated::Offer(upcall) => Self::offer(this, upcall),
            Activated::Undo(failure) => {
                this.leave_wire(failure.peer_may_live());
                if success {
                    Self::deactivate(this);
                } else {
                    let after = this.life.lock().call.deactivated();
                    Self::inactive(this, after);
                }
            }
        }
    }

    /// Ends the session, completes what is queued on it, and deactivates the VC when nothing is in flight.
    fn tear_down(this: &Ref<Self>, teardown: Teardown) {
        this.leave_wire(teardown.tell_peer);
        if teardown.deactivate {
            Self::deactivate(this);
        } else {
            this.adapter().abort_sends_of(this);
        }
    }

    /// The last frame in flight is back: the VC can be deactivated, and the close completed.
    pub(super) fn deactivate(this: &Ref<Self>) {
        // There is no reason for it to fail, and no way but on if it does.
        let pending = this.handle.deactivate() == Ok(Progress::Pending);
        let after = {
            let mut life = this.life.lock();
            if pending { life.call.deactivation_pended() } else { life.call.deactivated() }
        };
        Self::inactive(this, after);
    }

    /// `CmDeactivateVcComplete`.
    pub(super) fn deactivation_completed(this: &Ref<Self>) {
        let after = this.life.lock().call.deactivation_completed();
        Self::inactive(this, after);
    }

    /// The VC is inactive: tells the client, and deletes the VC if that is for the driver to do.
    fn inactive(this: &Ref<Self>, after: Option<After<PendedMakeCall, PendedCloseCall>>) {
        match after {
            None => {}
            Some(After::Close(close)) => close.complete(Status::SUCCESS),
            Some(After::CloseAndDelete(close)) => {
                close.complete(Status::SUCCESS);
                Self::delete_own(this);
            }
            Some(After::FailMake(make, upcall, failure)) => Self::fail(this, make, upcall, failure),
            Some(After::Delete) => Self::delete_own(this),
        }
    }

    /// Takes the call off the wire: out of the tables, and if the peer is to be told, with a PADT, or with a PADS that
    /// refuses the session.
    pub(super) fn leave_wire(&self, tell_peer: bool) {
        let adapter = self.adapter();
        let _leaving = adapter.calls.leave();
        let (slot, session, line, request, refusal) = {
            let mut life = self.life.lock();
            let (request, refusal) = (life.request.take(), life.refusal);
            (life.slot.take(), life.session.take(), life.line.take(), request, refusal)
        };
        drop(line);
        if let Some(index) = slot {
            let vc = adapter.calls.discoveries.lock().release(index);
            drop(vc);
            adapter.set_discovery_timer();
        }
        if let Some(request) = request {
            adapter.refuse(request, refusal, tell_peer);
        }
        // Also of a call without a session: a change of its rate may have been under way when it lost that.
        adapter.end_shape(self);
        if let Some(session) = session {
            let removed = adapter.calls.remove_session_of(session.key, self);
            if removed {
                adapter.calls.session_ended(session.key);
            }
            if removed && tell_peer {
                adapter.send_padt(session.key);
            }
        }
    }

    /// The call is over, and not by the client's wish.
    pub(super) fn lost(this: &Ref<Self>, failure: CallFailure, reason: Text) {
        let lost = {
            let mut life = this.life.lock();
            if !reason.is_empty() {
                life.diagnostics = reason;
            }
            life.call.lost(failure)
        };
        Self::follow(this, lost, failure);
    }

    /// Tells the client of a lost call.
    pub(super) fn follow(this: &Ref<Self>, lost: Lost<PendedMakeCall>, failure: CallFailure) {
        match lost {
            Lost::Nothing => {}
            Lost::CompleteMake(make, upcall) => {
                this.leave_wire(false);
                Self::fail(this, make, upcall, failure);
            }
            Lost::DispatchClose(upcall) => {
                this.handle.dispatch_incoming_close(from_condis(failure.status()));
                Self::returned(this, upcall);
            }
        }
    }
}

/// What a discovery packet led to, to be done once the tables are unlocked.
enum Outcome {
    Nothing,
    /// There may be a frame to send.
    Poll(u32),
    Connected(Ref<Vc>, Activation<PendedMakeCall>),
    Failed(Ref<Vc>, Lost<PendedMakeCall>, CallFailure),
    /// A session that nobody wants.
    Unwanted(SessionKey),
}

impl Adapter {
    /// Sends what a discovery has due, and ends it when it gives up.
    pub(super) fn drive(&self, index: u32) {
        let mut frame: Frame = [0; pppoe::ethernet::MAX_FRAME];
        let mut discoveries = self.calls.discoveries.lock();
        let Some(setup) = discoveries.get(index) else { return };
        if setup.vc.is_none() {
            // It lingered long enough.
            drop(discoveries.release(index));
            return;
        }
        match setup.discovery.poll(now(), &mut frame) {
            Ok(transmit) => {
                let deadline = setup.discovery.deadline();
                discoveries.set_timer(index, deadline);
                drop(discoveries);
                if let Some(bytes) = transmit.and_then(|transmit| frame.get(..transmit.len)) {
                    self.send_control(bytes);
                }
            }
            Err(error) => {
                let outcome = give_up(&mut discoveries, index, &error);
                drop(discoveries);
                self.finish(outcome);
            }
        }
    }

    /// The discovery timer has expired.
    pub(super) fn discovery_timer_expired(&self) {
        let time = now();
        loop {
            let expired = self.calls.discoveries.lock().expire(time);
            let Some(index) = expired else { break };
            self.drive(index);
        }
        self.end_forgotten_requests(time);
        self.set_discovery_timer();
    }

    /// Sets the NDIS timer to the next deadline of any discovery, in either role.
    pub(super) fn set_discovery_timer(&self) {
        let Some(timer) = self.timer.get() else { return };
        // Set under the lock: two processors must not set it in the wrong order.
        let discoveries = self.calls.discoveries.lock();
        let requests = self.calls.requests_wake();
        match discoveries.wake().into_iter().chain(requests).min() {
            Some(wake) => timer.set(wake.saturating_since(now())),
            None => timer.cancel(),
        }
    }

    /// A frame that is not a session's arrived.
    pub(crate) fn discovery_received(&self, frame: &[u8]) {
        match Inbound::parse(frame, self.station) {
            Ok(Inbound::Host(packet)) => self.host_packet(&packet),
            Ok(Inbound::Terminate(padt)) => self.terminated(&padt),
            Ok(Inbound::Extension(extension)) => self.extension(&extension),
            Ok(Inbound::Concentrator(packet)) => self.concentrator_packet(&packet),
            Ok(Inbound::Data(_)) => {}
            Err(_) => self.damaged(frame),
        }
    }

    /// A PADO or PADS: for the call whose Host-Uniq it has.
    fn host_packet(&self, packet: &Repr<'_>) {
        let Some(host_uniq) = packet.host_uniq else { return };
        let time = now();
        for nth in 0..CANDIDATES {
            let mut discoveries = self.calls.discoveries.lock();
            let Some(index) = discoveries.candidate(host_uniq, nth) else { return };
            let outcome = self.offer(&mut discoveries, index, time, packet);
            drop(discoveries);
            if let Some(outcome) = outcome {
                self.finish(outcome);
                self.set_discovery_timer();
                return;
            }
        }
    }

    /// Gives a packet to one discovery; `None` if it ignores it.
    fn offer(
        &self,
        discoveries: &mut Discoveries,
        index: u32,
        time: Instant,
        packet: &Repr<'_>,
    ) -> Option<Outcome> {
        let setup = discoveries.get(index)?;
        match setup.discovery.handle(time, packet, |key| self.calls.in_use(key)) {
            Event::Ignored(_) => None,
            Event::Offered(_) => Some(Outcome::Poll(index)),
            Event::Superfluous(key) => Some(Outcome::Unwanted(key)),
            Event::Failed(error) => Some(give_up(discoveries, index, &error)),
            Event::Connected(session) => {
                let credits = setup.discovery.agreement();
                Some(self.connect(discoveries, index, &session, credits))
            }
        }
    }

    /// The session is there: from the discoveries to the sessions, and on to the VC, in one step for all who look.
    fn connect(
        &self,
        discoveries: &mut Discoveries,
        index: u32,
        session: &Session,
        credits: Option<Agreement>,
    ) -> Outcome {
        let Some(vc) = discoveries.release(index) else { return Outcome::Unwanted(session.key) };
        if self.calls.add_session(session.key, &vc).is_err() {
            let mut life = vc.life.lock();
            life.slot = None;
            let lost = life.call.lost(CallFailure::Resources);
            drop(life);
            return Outcome::Failed(vc, lost, CallFailure::Resources);
        }
        let mut life = vc.life.lock();
        life.slot = None;
        let Some(activation) = life.call.connected() else {
            drop(life);
            drop(self.calls.remove_session(session.key));
            return Outcome::Unwanted(session.key);
        };
        life.session = Some(*session);
        life.credits = credits;
        drop(life);
        Outcome::Connected(vc, activation)
    }

    /// Does what a discovery packet led to.
    fn finish(&self, outcome: Outcome) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Poll(index) => self.drive(index),
            Outcome::Connected(vc, activation) => Vc::activate(&vc, activation),
            Outcome::Failed(vc, lost, failure) => Vc::follow(&vc, lost, failure),
            Outcome::Unwanted(key) => self.send_padt(key),
        }
    }

    /// The peer ends a session.
    fn terminated(&self, padt: &Padt) {
        let Some(vc) = self.calls.remove_session(padt.key) else { return };
        self.calls.session_ended(padt.key);
        Vc::lost(&vc, CallFailure::PeerTerminated, padt.reason);
    }

    /// The peer of a session does not answer any more.
    pub(crate) fn peer_is_silent(&self, vc: &Ref<Vc>, key: SessionKey) {
        if self.calls.remove_session_of(key, vc) {
            self.calls.session_ended(key);
            self.send_padt(key);
            Vc::lost(vc, CallFailure::SessionLost, Text::EMPTY);
        }
    }

    /// Tells a peer that a session is over.
    fn send_padt(&self, key: SessionKey) {
        let mut frame: Frame = [0; pppoe::ethernet::MAX_FRAME];
        let length = Padt::new(key).emit(self.station, &mut frame);
        if let Some(bytes) = length.ok().and_then(|length| frame.get(..length)) {
            self.send_control(bytes);
        }
    }

    /// Ends every call: the clients are told why, and will close them; the peers are told while that is possible.
    pub(crate) fn end_all_calls(&self, failure: CallFailure) {
        let mut next = 0;
        while let Some((at, vc)) = self.calls.setup_from(next) {
            Vc::lost(&vc, failure, Text::EMPTY);
            next = at.saturating_add(1);
        }
        self.end_offers(None, failure);
        next = 0;
        while let Some((at, vc)) = self.calls.session_from(next) {
            Vc::lost(&vc, failure, Text::EMPTY);
            vc.leave_wire(failure.peer_may_live());
            next = at.saturating_add(1);
        }
    }
}

/// How many calls with a like Host-Uniq are asked about a packet: a prescribed one may be shared.
const CANDIDATES: usize = 16;

/// A discovery has failed: takes it out and tells its VC.
fn give_up(discoveries: &mut Discoveries, index: u32, error: &Error) -> Outcome {
    let Some(vc) = discoveries.release(index) else { return Outcome::Nothing };
    let failure = failure_of(error);
    let mut life = vc.life.lock();
    life.slot = None;
    if let Error::ServiceName(text) | Error::AcSystem(text) | Error::Generic(text) = error {
        life.diagnostics = *text;
    }
    let lost = life.call.lost(failure);
    drop(life);
    Outcome::Failed(vc, lost, failure)
}

/// Why a call failed, in the words of the client.
fn failure_of(error: &Error) -> CallFailure {
    match error {
        Error::NoOffer | Error::NoConfirmation => CallFailure::NoAnswer,
        Error::ServiceName(_) => CallFailure::ServiceNameError,
        Error::AcSystem(_) => CallFailure::AcSystemError,
        Error::Generic(_) => CallFailure::GenericError,
        Error::TagTooLong(_) | Error::Buffer => CallFailure::NoMatchingOffer,
    }
}

impl ndis::TimerHandler for Adapter {
    fn expired(this: &Ref<Self>, _irql: &ndis::Dispatch) {
        this.discovery_timer_expired();
    }
}
