//! The flows of discovery packets and of the discovery timer: what they mean to calls that are being made.

use alloc::vec::Vec;
use condis::call::{Activation, Lost};
use condis::call_failure::CallFailure;
use ndis::{Locked, PendedMakeCall, Ref, Result, Unlocked};
use pppoe::bounded::Text;
use pppoe::credit::Agreement;
use pppoe::{Error, Event, Inbound, Instant, Repr, Session, SessionKey};

use super::Vc;
use super::calls::{Discoveries, now};
use super::steps::Step;
use crate::adapter::Adapter;
use crate::level;

/// Room for any discovery frame: from pool, since a stack has little.
pub(super) fn room_for_frame() -> Result<Vec<u8>> {
    ndis::memory::zeroed(pppoe::ethernet::MAX_FRAME)
}

/// What a discovery packet led to, to be done once the tables are unlocked.
pub(super) enum Outcome {
    Nothing,
    /// There may be a frame to send.
    Poll(u32),
    Connected(Ref<Vc>, Activation<PendedMakeCall>),
    Failed(Ref<Vc>, Lost<PendedMakeCall>, CallFailure),
    /// A session that nobody wants.
    Unwanted(SessionKey),
}

impl Adapter {
    /// Sends what a discovery has due, and ends it when it gives up, or has no memory to send from.
    #[inline(never)]
    fn drive(&self, index: u32, locks: &mut Unlocked) -> Outcome {
        let frame = room_for_frame();
        let mut discoveries = self.calls.discoveries.lock(locks);
        let (table, inner) = discoveries.parts();
        let Some(setup) = table.get(index) else { return Outcome::Nothing };
        if setup.vc.is_none() {
            // It lingered long enough.
            drop(table.release(index));
            return Outcome::Nothing;
        }
        let Ok(mut frame) = frame else {
            return give_up(table, index, CallFailure::Resources, None, inner);
        };
        match setup.discovery.poll(now(), &mut frame) {
            Ok(transmit) => {
                let deadline = setup.discovery.deadline();
                table.set_timer(index, deadline);
                drop(discoveries);
                if let Some(bytes) = transmit.and_then(|transmit| frame.get(..transmit.len)) {
                    self.send_control(bytes, locks);
                }
                Outcome::Nothing
            }
            Err(error) => give_up(table, index, failure_of(&error), reason_of(&error), inner),
        }
    }

    /// The discovery timer has expired.
    pub(super) fn discovery_timer_expired(&self, locks: &mut Unlocked) {
        let time = now();
        loop {
            let expired = self.calls.discoveries.lock(locks).expire(time);
            let Some(index) = expired else { break };
            self.finish(Outcome::Poll(index), locks);
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
    #[inline(never)]
    pub(crate) fn discovery_received(&self, frame: &[u8], locks: &mut Unlocked) {
        if let Some(outcome) = self.judge(frame, locks) {
            self.finish(outcome, locks);
            self.set_discovery_timer(locks);
        }
    }

    /// What a frame leads to; what it leads to at once is done.
    #[inline(never)]
    fn judge(&self, frame: &[u8], locks: &mut Unlocked) -> Option<Outcome> {
        match Inbound::parse(frame, self.station) {
            Ok(Inbound::Host(packet)) => return self.host_packet(&packet, locks),
            Ok(Inbound::Terminate(padt)) => self.terminated(&padt, locks),
            Ok(Inbound::Extension(extension)) => self.extension(&extension, locks),
            Ok(Inbound::Concentrator(packet)) => self.concentrator_packet(&packet, locks),
            Ok(Inbound::Data(_)) => {}
            Err(_) => self.damaged(frame, locks),
        }
        None
    }

    /// A PADO or PADS: for the call whose Host-Uniq it has.
    #[inline(never)]
    fn host_packet(&self, packet: &Repr<'_>, locks: &mut Unlocked) -> Option<Outcome> {
        let host_uniq = packet.host_uniq?;
        let time = now();
        for nth in 0..CANDIDATES {
            let mut discoveries = self.calls.discoveries.lock(locks);
            let index = discoveries.candidate(host_uniq, nth)?;
            let (table, inner) = discoveries.parts();
            let outcome = self.offer(table, index, time, packet, inner);
            drop(discoveries);
            if outcome.is_some() {
                return outcome;
            }
        }
        None
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
            Event::Failed(error) => {
                Some(give_up(discoveries, index, failure_of(&error), reason_of(&error), locks))
            }
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
    #[inline(never)]
    pub(super) fn finish(&self, outcome: Outcome, locks: &mut Unlocked) {
        let outcome = if let Outcome::Poll(index) = outcome { self.drive(index, locks) } else { outcome };
        match outcome {
            // What has just been driven has nothing due.
            Outcome::Nothing | Outcome::Poll(_) => {}
            Outcome::Connected(vc, activation) => Vc::run(&vc, Step::Activate(activation), locks),
            Outcome::Failed(vc, lost, failure) => Vc::run(&vc, Step::Lost(lost, failure), locks),
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
    failure: CallFailure,
    reason: Option<&Text>,
    locks: &mut Locked<level::Discoveries>,
) -> Outcome {
    let Some(vc) = discoveries.release(index) else { return Outcome::Nothing };
    let mut life = vc.life.lock(locks);
    life.slot = None;
    if let Some(reason) = reason {
        life.diagnostics = *reason;
    }
    let lost = life.call.lost(failure);
    drop(life);
    Outcome::Failed(vc, lost, failure)
}

/// What the peer said, if it has refused.
const fn reason_of(error: &Error) -> Option<&Text> {
    match error {
        Error::ServiceName(text) | Error::AcSystem(text) | Error::Generic(text) => Some(text),
        _ => None,
    }
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
