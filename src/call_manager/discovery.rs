//! The flows of discovery packets and of the discovery timer: what they mean to calls that are being made.

use condis::call::{Activation, Lost};
use condis::call_failure::CallFailure;
use ndis::{Locked, PendedMakeCall, Ref, Unlocked};
use pppoe::credit::Agreement;
use pppoe::{Error, Event, Inbound, Instant, Repr, Session, SessionKey};

use super::Vc;
use super::calls::{Discoveries, now};
use crate::adapter::Adapter;
use crate::level;

/// Room for any discovery frame.
pub(super) type Frame = [u8; pppoe::ethernet::MAX_FRAME];

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
    pub(super) fn drive(&self, index: u32, locks: &mut Unlocked) {
        let mut frame: Frame = [0; pppoe::ethernet::MAX_FRAME];
        let mut discoveries = self.calls.discoveries.lock(locks);
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
                    self.send_control(bytes, locks);
                }
            }
            Err(error) => {
                let (table, inner) = discoveries.parts();
                let outcome = give_up(table, index, &error, inner);
                drop(discoveries);
                self.finish(outcome, locks);
            }
        }
    }

    /// The discovery timer has expired.
    pub(super) fn discovery_timer_expired(&self, locks: &mut Unlocked) {
        let time = now();
        loop {
            let expired = self.calls.discoveries.lock(locks).expire(time);
            let Some(index) = expired else { break };
            self.drive(index, locks);
        }
        self.end_forgotten_requests(time, locks);
        self.set_discovery_timer(locks);
    }

    /// Sets the NDIS timer to the next deadline of any discovery, in either role.
    pub(crate) fn set_discovery_timer(&self, locks: &mut Unlocked) {
        let Some(timer) = self.timer.get() else { return };
        // Set under the lock: two processors must not set it in the wrong order.
        let mut discoveries = self.calls.discoveries.lock(locks);
        let (discoveries, locks) = discoveries.parts();
        let requests = self.calls.requests_wake(locks);
        match discoveries.wake().into_iter().chain(requests).min() {
            Some(wake) => timer.set(wake.saturating_since(now())),
            None => timer.cancel(),
        }
    }

    /// A frame that is not a session's arrived.
    pub(crate) fn discovery_received(&self, frame: &[u8], locks: &mut Unlocked) {
        match Inbound::parse(frame, self.station) {
            Ok(Inbound::Host(packet)) => self.host_packet(&packet, locks),
            Ok(Inbound::Terminate(padt)) => self.terminated(&padt, locks),
            Ok(Inbound::Extension(extension)) => self.extension(&extension, locks),
            Ok(Inbound::Concentrator(packet)) => self.concentrator_packet(&packet, locks),
            Ok(Inbound::Data(_)) => {}
            Err(_) => self.damaged(frame, locks),
        }
    }

    /// A PADO or PADS: for the call whose Host-Uniq it has.
    fn host_packet(&self, packet: &Repr<'_>, locks: &mut Unlocked) {
        let Some(host_uniq) = packet.host_uniq else { return };
        let time = now();
        for nth in 0..CANDIDATES {
            let mut discoveries = self.calls.discoveries.lock(locks);
            let Some(index) = discoveries.candidate(host_uniq, nth) else { return };
            let (table, inner) = discoveries.parts();
            let outcome = self.offer(table, index, time, packet, inner);
            drop(discoveries);
            if let Some(outcome) = outcome {
                self.finish(outcome, locks);
                self.set_discovery_timer(locks);
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
        locks: &mut Locked<level::Discoveries>,
    ) -> Option<Outcome> {
        let setup = discoveries.get(index)?;
        match setup.discovery.handle(time, packet, |key| self.calls.in_use(key, locks)) {
            Event::Ignored(_) => None,
            Event::Offered(_) => Some(Outcome::Poll(index)),
            Event::Superfluous(key) => Some(Outcome::Unwanted(key)),
            Event::Failed(error) => Some(give_up(discoveries, index, &error, locks)),
            Event::Connected(session) => {
                let credits = setup.discovery.agreement();
                Some(self.connect(discoveries, index, &session, credits, locks))
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
        locks: &mut Locked<level::Discoveries>,
    ) -> Outcome {
        let Some(vc) = discoveries.release(index) else { return Outcome::Unwanted(session.key) };
        if self.calls.add_session(session.key, &vc, locks).is_err() {
            let mut life = vc.life.lock(locks);
            life.slot = None;
            let lost = life.call.lost(CallFailure::Resources);
            drop(life);
            return Outcome::Failed(vc, lost, CallFailure::Resources);
        }
        let mut life = vc.life.lock(locks);
        life.slot = None;
        let Some(activation) = life.call.connected() else {
            drop(life);
            drop(self.calls.remove_session(session.key, locks));
            return Outcome::Unwanted(session.key);
        };
        life.session = Some(*session);
        life.credits = credits;
        drop(life);
        Outcome::Connected(vc, activation)
    }

    /// Does what a discovery packet led to.
    fn finish(&self, outcome: Outcome, locks: &mut Unlocked) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Poll(index) => self.drive(index, locks),
            Outcome::Connected(vc, activation) => Vc::activate(&vc, activation, locks),
            Outcome::Failed(vc, lost, failure) => Vc::follow(&vc, lost, failure, locks),
            Outcome::Unwanted(key) => self.send_padt(key, locks),
        }
    }
}

/// How many calls with a like Host-Uniq are asked about a packet: a prescribed one may be shared.
const CANDIDATES: usize = 16;

/// A discovery has failed: takes it out and tells its VC.
fn give_up(
    discoveries: &mut Discoveries,
    index: u32,
    error: &Error,
    locks: &mut Locked<level::Discoveries>,
) -> Outcome {
    let Some(vc) = discoveries.release(index) else { return Outcome::Nothing };
    let failure = failure_of(error);
    let mut life = vc.life.lock(locks);
    life.slot = None;
    if let Error::ServiceName(text) | Error::AcSystem(text) | Error::Generic(text) = error {
        life.diagnostics = *text;
    }
    let lost = life.call.lost(failure);
    drop(life);
    Outcome::Failed(vc, lost, failure)
}

/// Why a call failed, in the words of the client.
pub(super) fn failure_of(error: &Error) -> CallFailure {
    match error {
        Error::NoOffer | Error::NoConfirmation => CallFailure::NoAnswer,
        Error::ServiceName(_) => CallFailure::ServiceNameError,
        Error::AcSystem(_) => CallFailure::AcSystemError,
        Error::Generic(_) => CallFailure::GenericError,
        Error::TagTooLong(_) | Error::Buffer => CallFailure::NoMatchingOffer,
    }
}

impl ndis::TimerHandler for Adapter {
    fn expired(this: &Ref<Self>, irql: &mut ndis::Dispatch) {
        this.discovery_timer_expired(irql);
    }
}
