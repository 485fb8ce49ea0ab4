//! The rates of a call: what the client asks for, what it gets, and what becomes of that when the link changes.

use condis::call::Upcall;
use condis::call_parameters::flags::CALL_PARAMETERS_CHANGED;
use condis::call_parameters::{FlowSpec, bytes_per_second};
use condis::flow::{self, Grant, Limits};
use ndis::{
    Answer, CallParameters, Granted, IncomingCall, ModifyCall, PendedModifyCall, Progress, Ref, Result,
    Status, TransmitRate,
};

use super::vc::Life;
use super::{Vc, from_condis};
use crate::adapter::{Adapter, settings};

/// Address, control and protocol field, which come on top of a payload.
const FRAMING: u32 = 4;

/// A change of the parameters of an active call, for which its VC is activated once more.
#[derive(Default)]
pub(super) enum Change {
    /// There is none.
    #[default]
    None,
    /// NDIS is being asked; whether it has told meanwhile that the VC is active.
    Asking(Option<bool>),
    /// NDIS will tell.
    Pending(Changed),
}

/// What changes.
pub(super) struct Changed {
    by: Whose,
    upcall: Upcall,
    before: Grant,
    after: Grant,
}

/// Whose wish it is.
enum Whose {
    Client(PendedModifyCall),
    /// The network's, with the parameters that the client will be told.
    Network(IncomingCall),
}

/// The flows of a request, sent and received; without any, nothing is asked for.
fn flows(parameters: &CallParameters) -> Option<(FlowSpec, FlowSpec)> {
    let [transmit, receive] = parameters.flows()?;
    Some((FlowSpec::from_fields(transmit), FlowSpec::from_fields(receive)))
}

impl Life {
    /// Begins a change of an active call, one at a time.
    fn begin_change(&mut self) -> Option<Upcall> {
        if !matches!(self.change, Change::None) {
            return None;
        }
        let upcall = self.call.change()?;
        self.change = Change::Asking(None);
        Some(upcall)
    }
}

impl Vc {
    /// `CmModifyCallQoS`: another transmit rate, if it can be had; all other wishes are refused.
    pub(super) fn modify_call(this: &Ref<Self>, request: ModifyCall) -> Answer {
        let Some((transmit, receive)) = flows(request.parameters()) else {
            return request.refuse(Status::INVALID_DATA);
        };
        let begun = {
            let mut life = this.life.lock();
            let limits = this.adapter().limits(life.session.map(|session| session.max_payload));
            let before = life.grant;
            flow::change(&transmit, &receive, &before, &limits).map_err(from_condis).and_then(|after| {
                let upcall = life.begin_change().ok_or(Status::FAILURE)?;
                Ok((before, after, upcall))
            })
        };
        let (before, after, upcall) = match begun {
            Ok(begun) => begun,
            Err(status) => return request.refuse(status),
        };
        let (pended, answer) = request.pend();
        Self::change(this, Changed { by: Whose::Client(pended), upcall, before, after });
        answer
    }

    /// The link has another speed: tells the client what the call has now.
    pub(super) fn link_changed(this: &Ref<Self>) {
        let begun = {
            let mut life = this.life.lock();
            let grant = life.grant;
            life.begin_change().map(|upcall| (grant, upcall))
        };
        let Some((grant, upcall)) = begun else { return };
        if let Ok(parameters) = IncomingCall::new(this.granted(), 0, &[]) {
            let by = Whose::Network(parameters);
            Self::change(this, Changed { by, upcall, before: grant, after: grant });
        } else {
            this.life.lock().change = Change::None;
            Self::returned(this, upcall);
        }
    }

    /// Activates the VC with other parameters.
    fn change(this: &Ref<Self>, mut changed: Changed) {
        let granted = this.granted_by(&changed.after);
        let progress =
            this.adapter().shape(this, changed.after.shape.as_ref()).and_then(|()| match &mut changed.by {
                Whose::Client(pended) => {
                    let parameters = pended.parameters().ok_or(Status::FAILURE)?;
                    parameters.grant(granted);
                    this.handle.activate(parameters)
                }
                Whose::Network(parameters) => this.handle.activate(parameters.parameters()),
            });
        let (changed, result) = {
            let mut life = this.life.lock();
            let told = match &life.change {
                Change::Asking(told) => *told,
                _ => None,
            };
            let done = match (progress, told) {
                (Ok(Progress::Done), _) | (Ok(Progress::Pending), Some(true)) => Ok(()),
                (Ok(Progress::Pending), Some(false)) => Err(Status::FAILURE),
                (Err(status), _) => Err(status),
                (Ok(Progress::Pending), None) => {
                    life.change = Change::Pending(changed);
                    return;
                }
            };
            life.change = Change::None;
            (changed, done)
        };
        Self::changed(this, changed, result);
    }

    /// `CmActivateVcComplete`, if it is about a change; false otherwise.
    pub(super) fn change_activated(this: &Ref<Self>, success: bool) -> bool {
        let changed = {
            let mut life = this.life.lock();
            match core::mem::take(&mut life.change) {
                Change::None => return false,
                Change::Asking(_) => {
                    life.change = Change::Asking(Some(success));
                    return true;
                }
                Change::Pending(changed) => changed,
            }
        };
        Self::changed(this, changed, if success { Ok(()) } else { Err(Status::FAILURE) });
        true
    }

    /// The VC is active with other parameters, or goes on with those that it had: tells the client.
    fn changed(this: &Ref<Self>, changed: Changed, result: Result<()>) {
        let Changed { by, upcall, before, after } = changed;
        if result.is_ok() {
            this.life.lock().grant = after;
            this.indicate_granted();
        } else {
            // It had room for this before.
            let _ = this.adapter().shape(this, before.shape.as_ref());
        }
        match by {
            Whose::Client(mut pended) => {
                if let (Err(_), Some(parameters)) = (result, pended.parameters()) {
                    parameters.grant(this.granted_by(&before));
                }
                // Whoever is told may change it again at once.
                let next = this.life.lock().call.returned(upcall);
                pended.complete(result.into());
                Self::go_on(this, next);
            }
            Whose::Network(parameters) => {
                if result.is_ok() {
                    this.handle.dispatch_qos_change(parameters.parameters());
                }
                Self::returned(this, upcall);
            }
        }
    }

    /// A session is up: the call gets the rate that it asks for, as far as that can be had.
    pub(super) fn grant_wish(this: &Ref<Self>, parameters: &mut CallParameters) {
        let max_payload = this.life.lock().session.map(|session| session.max_payload);
        let limits = this.adapter().limits(max_payload);
        let wish = flows(parameters).map(|(transmit, _)| flow::grant(&transmit, &limits));
        let wish = wish.filter(|wish| this.adapter().shape(this, wish.shape.as_ref()).is_ok());
        this.life.lock().grant = wish.unwrap_or_default();
        parameters.grant(this.granted());
    }

    /// The client takes a call that came in with other parameters than it was offered: whether they can be had.
    pub(super) fn grant_changes(this: &Ref<Self>, parameters: &CallParameters) -> bool {
        if parameters.flags() & CALL_PARAMETERS_CHANGED == 0 {
            return true;
        }
        let limits = this.adapter().limits(None);
        let Some((transmit, receive)) = flows(parameters) else { return true };
        let Ok(grant) = flow::change(&transmit, &receive, &Grant::default(), &limits) else { return false };
        let shaped = this.adapter().shape(this, grant.shape.as_ref()).is_ok();
        if shaped {
            this.life.lock().grant = grant;
        }
        shaped
    }

    /// What the client has.
    pub(super) fn granted(&self) -> Granted {
        let grant = self.life.lock().grant;
        self.granted_by(&grant)
    }

    fn granted_by(&self, grant: &Grant) -> Granted {
        let session = self.life.lock().session;
        let max_payload = session.map_or(self.adapter().settings.max_payload, |session| session.max_payload);
        self.adapter().granted(max_payload, grant)
    }

    /// Tells NDISWAN the rates and the frame size of the VC.
    pub(super) fn indicate_granted(&self) {
        let granted = self.granted();
        let max_payload = u16::try_from(granted.max_sdu).unwrap_or(u16::MAX);
        self.indicate_link_parameters(granted.transmit.rate, granted.bytes_per_second, max_payload);
    }
}

impl Adapter {
    /// What limits a call with payloads of this size.
    fn limits(&self, max_payload: Option<u16>) -> Limits {
        let speed = self.link_speed().unwrap_or(settings::MAX_LINK_SPEED);
        let max_payload = max_payload.unwrap_or(self.settings.max_payload);
        Limits { link_rate: bytes_per_second(speed), longest: u32::from(max_payload).saturating_add(FRAMING) }
    }

    /// What a call with payloads of this size gets.
    pub(super) fn granted(&self, max_payload: u16, grant: &Grant) -> Granted {
        let limits = self.limits(Some(max_payload));
        let transmit =
            TransmitRate { rate: grant.rate(&limits), peak: grant.peak(&limits), burst: grant.burst() };
        Granted { bytes_per_second: limits.link_rate, transmit, max_sdu: max_payload.into() }
    }

    /// The link has another speed: so have the calls.
    pub(crate) fn renew_grants(&self) {
        let mut place = 0;
        while let Some((at, vc)) = self.calls.session_from(place) {
            Vc::link_changed(&vc);
            place = at.saturating_add(1);
        }
    }
}
