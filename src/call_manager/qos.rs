//! The rates of a call: what the client asks for, what it gets, and what becomes of that when the link changes.

use condis::call_parameters::flags::CALL_PARAMETERS_CHANGED;
use condis::call_parameters::{FlowSpec, bytes_per_second};
use condis::flow::{self, Grant, Limits};
use ndis::{
    Answer, Before, CallParameters, Chain, Granted, Locked, MakeCall, ManagerParameters, ModifyCall, Ref,
    Result, TransmitRate, Unlocked,
};

use super::Vc;
use super::change::By;
use super::vc::Life;
use crate::adapter::{Adapter, settings};
use crate::level;

/// Address, control and protocol field, which come on top of a payload.
const FRAMING: u32 = 4;

/// The flows of a request, sent and received; without any, nothing is asked for.
pub(super) fn flows(parameters: &CallParameters) -> Option<(FlowSpec, FlowSpec)> {
    let [transmit, receive] = parameters.flows()?;
    Some((FlowSpec::from_fields(transmit), FlowSpec::from_fields(receive)))
}

impl Life {
    /// The largest payload of the session that there is, or will be if the client takes what it is offered.
    pub(super) fn max_payload(&self) -> Option<u16> {
        let offered = || self.offer.as_ref().map(|offer| offer.max_payload());
        self.session.map(|session| session.max_payload).or_else(offered)
    }

    /// The client takes a call that came in: whether it can have that with the parameters that it has made of those it was
    /// offered. What it wants is noted in the offer.
    pub(super) fn takes(&self, parameters: Option<&CallParameters>, limits: Limits) -> bool {
        let changed = parameters.filter(|it| it.flags() & CALL_PARAMETERS_CHANGED != 0);
        let Some((transmit, receive)) = changed.and_then(flows) else { return true };
        let wish = flow::change(&transmit, &receive, &self.grant, &limits);
        if let (Ok(wish), Some(offer)) = (wish, &self.offer) {
            offer.note_wish(wish);
        }
        wish.is_ok()
    }
}

impl Vc {
    /// `CmModifyCallQoS`: another transmit rate, if it can be had; all other wishes are refused. Also of a call that is
    /// offered: the client may negotiate before it answers (`NdisClIncomingCallComplete`).
    pub(super) fn modify_call(this: &Ref<Self>, request: ModifyCall, locks: &mut Unlocked) -> Answer {
        let (pended, answer) = request.pend();
        Self::request_change(this, By::Client(pended), locks);
        answer
    }

    /// NDPROXY may make a call without call-manager parameters: the driver is to supply them then ("Making Outgoing Calls"),
    /// so that TAPI learns the rates.
    pub(super) fn supply(&self, request: &MakeCall, locks: &mut Unlocked) -> Result<()> {
        let needed = self.is_proxied() && !request.parameters().has_manager();
        if needed && self.life.lock(locks).supplied.is_none() {
            let fresh = ManagerParameters::new()?;
            self.life.lock(locks).supplied = Some(fresh);
        }
        Ok(())
    }

    /// A session is up: the call gets the rate that it asks for, as far as that can be had. NDPROXY asks for none: of its
    /// parameters only those of TAPI mean something (the same page), and what else is there may be the rate of a link that
    /// was.
    pub(super) fn grant_wish(
        this: &Ref<Self>,
        parameters: &mut CallParameters,
        ended: &mut Chain<Self>,
        locks: &mut Unlocked,
    ) {
        let max_payload = this.life.lock(locks).max_payload();
        let limits = this.adapter().limits(max_payload, locks);
        let asked = if this.is_proxied() { None } else { flows(parameters) };
        let wish = asked.map(|(transmit, _)| flow::grant(&transmit, &limits));
        if let Some(own) = &mut this.life.lock(locks).supplied {
            parameters.supply(own);
        }
        let wish = wish.filter(|wish| this.adapter().shape(this, wish.shape.as_ref(), ended, locks).is_ok());
        this.life.lock(locks).grant = wish.unwrap_or_default();
        parameters.grant(this.granted(locks));
    }

    /// What the client has.
    pub(super) fn granted(&self, locks: &mut Unlocked) -> Granted {
        let grant = self.life.lock(locks).grant;
        self.granted_by(&grant, locks)
    }

    /// What the client would have.
    pub(super) fn granted_by(&self, grant: &Grant, locks: &mut Unlocked) -> Granted {
        let max_payload = self.life.lock(locks).max_payload();
        self.adapter().granted(max_payload.unwrap_or(self.adapter().settings.max_payload), grant, locks)
    }

    /// Tells NDISWAN the rates and the frame size of the VC.
    pub(super) fn indicate_granted(&self, locks: &mut Unlocked) {
        let granted = self.granted(locks);
        let max_payload = u16::try_from(granted.max_sdu).unwrap_or(u16::MAX);
        self.indicate_link_parameters(granted.transmit.rate, granted.bytes_per_second, max_payload, locks);
    }
}

impl Adapter {
    /// What limits a call with payloads of this size.
    pub(super) fn limits(
        &self,
        max_payload: Option<u16>,
        locks: &mut Locked<impl Before<level::Link>>,
    ) -> Limits {
        let speed = self.link_speed(locks).unwrap_or(settings::MAX_LINK_SPEED);
        let max_payload = max_payload.unwrap_or(self.settings.max_payload);
        Limits { link_rate: bytes_per_second(speed), longest: u32::from(max_payload).saturating_add(FRAMING) }
    }

    /// What a call with payloads of this size gets.
    pub(super) fn granted(&self, max_payload: u16, grant: &Grant, locks: &mut Unlocked) -> Granted {
        let limits = self.limits(Some(max_payload), locks);
        let transmit =
            TransmitRate { rate: grant.rate(&limits), peak: grant.peak(&limits), burst: grant.burst() };
        Granted { bytes_per_second: limits.link_rate, transmit, max_sdu: max_payload.into() }
    }

    /// The link has another speed: so have the calls.
    pub(crate) fn renew_grants(&self, locks: &mut Unlocked) {
        let mut place = 0;
        while let Some((at, vc)) = self.calls.session_from(place, locks) {
            Vc::request_change(&vc, By::Network, locks);
            place = at.saturating_add(1);
        }
    }
}
