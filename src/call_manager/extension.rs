//! What peers say in a session beside PPP (RFC 5578, draft-carrel-info-pppoe-ext), and frames that are damaged: passed
//! on to whom it concerns.
//!
//! Grants, and the answers to them, are for the account of their session, if that has agreed on credits. Metrics of the
//! link behind the peer become the link parameters of the VC; they, messages and routes are what
//! `OID_CO_TAPI_GET_CALL_DIAGNOSTICS` shows while the call is up. Anybody on the segment who knows a session's id and its
//! peer's address can say such things, so they are looked at only so often, and change nothing else.

use condis::call_parameters::bytes_per_second;
use condis::wan::{LinkParams, fragment};
use ndis::{Ref, Status, Unlocked};
use pppoe::bounded::Text;
use pppoe::extension::{Extension, Metrics, Quality};
use pppoe::{Head, SessionKey};

use super::Vc;
use super::calls::now;
use crate::adapter::{Adapter, settings};

/// `NDIS_STATUS_WAN_CO_MTULINKPARAMS`.
const MTU_LINK_PARAMETERS: Status = Status::new(0x4001_0025);

/// `NDIS_STATUS_WAN_CO_FRAGMENT`.
const FRAGMENT: Status = Status::new(0x4001_0015);

/// How often a call's link parameters are indicated because somebody asks: one who asks whenever they are indicated must
/// not go on for ever.
const TOLD_AGAIN: u8 = 8;

/// Milliseconds between two packets of a session that are looked at. Peers send metrics about once a second.
const INTERVAL: u64 = 100;

impl Adapter {
    /// A packet of an extension arrived.
    #[inline(never)]
    pub(super) fn extension(&self, extension: &Extension<'_>, locks: &mut Unlocked) {
        match extension {
            Extension::Quality(Quality { key, metrics: Some(metrics) }) => self.metrics(*key, metrics, locks),
            Extension::Quality(Quality { key, metrics: None }) => self.metrics_asked(*key, locks),
            Extension::Message(message) => self.remark(message.key, || message.text(), locks),
            Extension::Routes(routes) => self.remark(routes.key, || routes.text(), locks),
            Extension::Grant(padg) => {
                if let Some(vc) = self.calls.session(padg.key) {
                    self.credits_granted(&vc, padg, locks);
                }
            }
            Extension::Response(padc) => {
                if let Some(vc) = self.calls.session(padc.key) {
                    self.grant_answered(&vc, padc, locks);
                }
            }
            Extension::Unknown(_) => {}
        }
    }

    /// The peer says what its link is worth: the rate of the VC is that, or what it was granted if that is less.
    #[inline(never)]
    fn metrics(&self, key: SessionKey, metrics: &Metrics, locks: &mut Unlocked) {
        let Some(vc) = self.calls.session(key).filter(|vc| vc.may_speak(key, locks)) else { return };
        vc.remark(key, metrics.text(), locks);
        // Counted as a receive, so that the VC stays active while NDIS is told.
        if !vc.begin_receives(key, 1, locks) {
            return;
        }
        let granted = vc.granted(locks);
        // Zero would mean 28.8 kbit/s.
        let rate = bytes_per_second(metrics.current_rate).clamp(1, granted.bytes_per_second.max(1));
        let transmit =
            if metrics.receive_only { granted.transmit.rate } else { rate.min(granted.transmit.rate) };
        if let Some(max_payload) = vc.max_payload(key, locks) {
            vc.indicate_link_parameters(transmit, rate, max_payload, locks);
        }
        Vc::receives_ended(&vc, 1, locks);
    }

    /// The peer asks what our link is worth.
    #[inline(never)]
    fn metrics_asked(&self, key: SessionKey, locks: &mut Unlocked) {
        if !self.calls.session(key).is_some_and(|vc| vc.may_speak(key, locks)) {
            return;
        }
        let rate = self.link_speed(locks).unwrap_or(0);
        let metrics = Metrics {
            receive_only: false,
            link_quality: if rate == 0 { 0 } else { 100 },
            resources: 100,
            latency: 0,
            current_rate: rate,
            maximum_rate: settings::MAX_LINK_SPEED,
        };
        let mut frame = [0; Quality::FRAME_LEN];
        let length = Quality { key, metrics: Some(metrics) }.emit(self.station, &mut frame);
        if let Some(bytes) = length.ok().and_then(|length| frame.get(..length)) {
            self.send_control(bytes, locks);
        }
    }

    /// The peer has something to say about a session.
    #[inline(never)]
    fn remark(&self, key: SessionKey, text: impl FnOnce() -> Text, locks: &mut Unlocked) {
        if let Some(vc) = self.calls.session(key).filter(|vc| vc.may_speak(key, locks)) {
            vc.remark(key, text(), locks);
        }
    }
}

impl Adapter {
    /// A frame that is not well formed arrived; the VC it names, if there is one, has received a part of a frame.
    #[inline(never)]
    pub(super) fn damaged(&self, frame: &[u8], locks: &mut Unlocked) {
        self.statistics.receive_error();
        let key = frame.first_chunk().and_then(|head| Head::claimed(head, self.station));
        let vc = key.and_then(|key| Some((key, self.calls.session(key)?)));
        let Some((key, vc)) = vc.filter(|(key, vc)| vc.begin_receives(*key, 1, locks)) else { return };
        vc.statistics.receive_error();
        if vc.may_speak(key, locks) {
            vc.handle.indicate_status(
                &self.handle,
                FRAGMENT,
                &mut fragment::to_bytes(fragment::FRAMING),
                locks,
            );
        }
        Vc::receives_ended(&vc, 1, locks);
    }
}

impl Vc {
    /// Whether the peer of a session is to be listened to again.
    fn may_speak(&self, key: SessionKey, locks: &mut Unlocked) -> bool {
        let mut life = self.life.lock(locks);
        let time = now();
        let may = life.session.is_some_and(|session| session.key == key) && life.quiet_until <= time;
        if may {
            life.quiet_until = time.saturating_add(core::time::Duration::from_millis(INTERVAL));
        }
        may
    }

    /// Keeps what the peer said while its session is up.
    fn remark(&self, key: SessionKey, text: Text, locks: &mut Unlocked) {
        let mut life = self.life.lock(locks);
        if life.session.is_some_and(|session| session.key == key) {
            life.diagnostics = text;
        }
    }

    /// The largest payload of a session that is still this VC's.
    fn max_payload(&self, key: SessionKey, locks: &mut Unlocked) -> Option<u16> {
        let life = self.life.lock(locks);
        life.session.filter(|session| session.key == key).map(|session| session.max_payload)
    }

    /// A client has asked about the VC, or has set something: NDISWAN perhaps, which shares the VC only since the call is up
    /// ("Making Outgoing Calls") and has missed what was indicated before, since that reaches those who share the VC
    /// (`NdisMCoIndicateStatusEx`). So it is told again.
    pub(super) fn asked(this: &Ref<Self>, oid: u32, locks: &mut Unlocked) {
        let told = {
            let mut life = this.life.lock(locks);
            let again = life.asked == 0 || (life.asked < TOLD_AGAIN && condis::oid::is_about_link(oid));
            let told = life.told.zip(life.session).filter(|_| again);
            life.asked = life.asked.saturating_add(told.is_some().into());
            told
        };
        let Some(((parameters, max_payload), session)) = told else { return };
        // Counted as a receive, so that the VC stays active while NDIS is told.
        if this.begin_receives(session.key, 1, locks) {
            this.indicate(&parameters, max_payload, locks);
            Self::receives_ended(this, 1, locks);
        }
    }

    /// Tells NDISWAN the rates, in bytes per second, and the frame size of the VC, which must stay active meanwhile.
    pub(super) fn indicate_link_parameters(
        &self,
        transmit: u32,
        receive: u32,
        max_payload: u16,
        locks: &mut Unlocked,
    ) {
        let window = settings::wan(&self.adapter().settings).max_send_window;
        let parameters = LinkParams { transmit_speed: transmit, receive_speed: receive, send_window: window };
        self.life.lock(locks).told = Some((parameters, max_payload));
        self.indicate(&parameters, max_payload, locks);
    }

    fn indicate(&self, parameters: &LinkParams, max_payload: u16, locks: &mut Unlocked) {
        let mut data = parameters.to_bytes_with_mtu(max_payload.into());
        self.handle.indicate_status(&self.adapter().handle, MTU_LINK_PARAMETERS, &mut data, locks);
    }
}
