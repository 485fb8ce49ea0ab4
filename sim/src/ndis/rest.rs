//! Statistics at rest: when nothing is under way, every counter that the driver answers with is held against what clients,
//! card and wire have counted (`WIRE.Count*`).

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use super::adapter::{Adapter, Phase, State};
use super::finding;
use super::oid::{OidRequest, co_request};
use super::parameters::{u32_at, u64_at};
use super::status;
use super::vc::{CallState, Vc};
use crate::machine::PASSIVE_LEVEL;
use crate::traffic::{CallId, Totals, Volume};

const OID_GEN_XMIT_OK: u32 = 0x0002_0101;
const OID_GEN_RCV_OK: u32 = 0x0002_0102;
const OID_GEN_XMIT_ERROR: u32 = 0x0002_0103;
const OID_GEN_RCV_ERROR: u32 = 0x0002_0104;
const OID_GEN_RCV_NO_BUFFER: u32 = 0x0002_0105;
const OID_GEN_STATISTICS: u32 = 0x0002_0106;
const OID_GEN_DIRECTED_BYTES_XMIT: u32 = 0x0002_0201;
const OID_GEN_DIRECTED_BYTES_RCV: u32 = 0x0002_0207;
const OID_WAN_CO_GET_STATS_INFO: u32 = 0x0401_0282;

/// How long frames that the card has taken in may wait for a driver that was not interrupted.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// VCs that are asked at once.
const VCS: usize = 16;

/// The counters of an adapter or of a VC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) sent: Volume,
    pub(super) received: Volume,
    pub(super) send_errors: u64,
    pub(super) receive_errors: u64,
    pub(super) no_buffer: u64,
}

/// Looks at the counters, if everything is at rest. In a thread, not in the driver.
pub(super) fn check(adapter: &Rc<Adapter>) {
    for last in [false, true] {
        let Some(totals) = quiet(adapter) else { return };
        let Some(counters) = Counters::ask(adapter, None) else { return };
        let difference = disagreement(adapter, &counters);
        if quiet(adapter) != Some(totals) {
            // Something happened while they were asked for.
            return;
        }
        let lost = counters.receive_errors + counters.no_buffer;
        if !last && lost < totals.owed {
            adapter.machine().sleep(LOOK_AGAIN);
            continue;
        }
        tell_difference(&adapter.name(), difference);
        compare(&adapter.name(), &counters, &totals, Some(totals.left));
        compare_losses(&adapter.name(), &counters, &totals);
        break;
    }
    let vcs = adapter.vcs();
    vcs.iter().filter(|vc| is_live(vc)).take(VCS).for_each(check_vc);
}

/// Looks at the counters of a VC, if everything is at rest.
pub(super) fn check_vc(vc: &Rc<Vc>) {
    let (adapter, Some(slot)) = (vc.adapter(), vc.adapter().slot()) else { return };
    let Some(all) = quiet(adapter) else { return };
    let totals = slot.traffic().totals_of(vc.call_id());
    let Some(counters) = Counters::ask(adapter, Some(vc)) else { return };
    if !is_live(vc) {
        return;
    }
    let info = co_request(adapter, Some(vc), OidRequest::query(OID_WAN_CO_GET_STATS_INFO, 116));
    if quiet(adapter) != Some(all) || info.status != status::SUCCESS || info.data.len() != 116 {
        return;
    }
    compare(&vc.name(), &counters, &totals, None);
    // Those of 32 bits wrap.
    let low = |value: u64| value & u64::from(u32::MAX);
    let words =
        [counters.sent.bytes, counters.received.bytes, counters.sent.frames, counters.received.frames];
    if (0..).zip(words).any(|(at, value)| u64::from(u32_at(&info.data, 4 * at)) != low(value)) {
        let text = "OID_WAN_CO_GET_STATS_INFO says otherwise than the single counters";
        finding("WIRE.CountsAgree", Some(vc.name()), text.to_owned());
    }
}

/// What there was, if nothing is under way and nothing has misled the driver.
fn quiet(adapter: &Rc<Adapter>) -> Option<Totals> {
    let machine = adapter.machine();
    let slot = adapter.slot().filter(|slot| !slot.is_gone() && slot.traffic().is_certain())?;
    let vcs = adapter.vcs();
    let live: BTreeSet<CallId> = vcs.iter().filter(|vc| is_live(vc)).map(|vc| vc.call_id()).collect();
    let still = machine.irql() == PASSIVE_LEVEL
        && machine.current_thread().is_some()
        && machine.extent().is_empty()
        && !machine.driver_is_at_work_elsewhere()
        && matches!(adapter.state(), State::Running | State::Paused)
        && adapter.phase.get() == Phase::Other
        && !adapter.removed.get()
        && !adapter.removal_requested()
        && !adapter.oids.is_busy()
        && vcs.iter().all(|vc| vc.sends_outstanding() == 0 && vc.change.get().is_none());
    still.then(|| slot.traffic().totals(&live))
}

/// Frames of the session reach the client, or are lost.
fn is_live(vc: &Rc<Vc>) -> bool {
    vc.is_active() && vc.call_state() == CallState::Connected && !vc.close_dispatched.get()
}

impl Counters {
    /// Asks for each counter; `None` if one is not answered.
    fn ask(adapter: &Rc<Adapter>, vc: Option<&Rc<Vc>>) -> Option<Self> {
        // A call that ends meanwhile takes its VC along.
        let there = || vc.is_none_or(is_live);
        let one = |oid| {
            let answer = there().then(|| co_request(adapter, vc, OidRequest::query(oid, 8)))?;
            (answer.status == status::SUCCESS && answer.data.len() == 8).then(|| u64_at(&answer.data, 0))
        };
        Some(Self {
            sent: Volume { frames: one(OID_GEN_XMIT_OK)?, bytes: one(OID_GEN_DIRECTED_BYTES_XMIT)? },
            received: Volume { frames: one(OID_GEN_RCV_OK)?, bytes: one(OID_GEN_DIRECTED_BYTES_RCV)? },
            send_errors: one(OID_GEN_XMIT_ERROR)?,
            receive_errors: one(OID_GEN_RCV_ERROR)?,
            no_buffer: one(OID_GEN_RCV_NO_BUFFER)?,
        })
    }
}

/// How `OID_GEN_STATISTICS` differs from the single counters, if it does.
fn disagreement(adapter: &Rc<Adapter>, counters: &Counters) -> Option<String> {
    let answer = co_request(adapter, None, OidRequest::query(OID_GEN_STATISTICS, 152));
    let answered = answer.status == status::SUCCESS && answer.data.len() == 152;
    answered.then(|| difference(&answer.data, counters)).flatten()
}

/// How an `NDIS_STATISTICS_INFO` differs from the single counters, if it does.
pub(super) fn difference(info: &[u8], counters: &Counters) -> Option<String> {
    let Counters { sent, received, send_errors, receive_errors, no_buffer } = *counters;
    [
        (8, "ifInDiscards", receive_errors + no_buffer),
        (16, "ifInErrors", receive_errors),
        (24, "ifHCInOctets", received.bytes),
        (32, "ifHCInUcastPkts", received.frames),
        (56, "ifHCOutOctets", sent.bytes),
        (64, "ifHCOutUcastPkts", sent.frames),
        (88, "ifOutErrors", send_errors),
        (104, "ifHCInUcastOctets", received.bytes),
        (128, "ifHCOutUcastOctets", sent.bytes),
    ]
    .into_iter()
    .find_map(|(at, name, value)| {
        let said = u64_at(info, at);
        (said != value).then(|| format!("{name} is {said}, the single counters make it {value}"))
    })
}

/// Holds the counters of an adapter's lost frames against what there was.
pub(super) fn compare_losses(who: &str, counters: &Counters, totals: &Totals) {
    let lost = counters.receive_errors + counters.no_buffer;
    let most = totals.arrived.saturating_sub(totals.indicated.frames).max(totals.owed);
    tell("WIRE.CountReceiveLoss", who, "lost frames", lost, totals.owed..=most);
}

/// Holds counters against what there was; `left` is what went out well, if that is known.
pub(super) fn compare(who: &str, counters: &Counters, totals: &Totals, left: Option<Volume>) {
    let least = totals.succeeded;
    let most = left.unwrap_or(Volume {
        frames: least.frames + totals.others.frames,
        bytes: least.bytes + totals.others.bytes,
    });
    let Counters { sent, received, send_errors, .. } = *counters;
    tell("WIRE.CountSent", who, "sent frames", sent.frames, least.frames..=most.frames);
    tell("WIRE.CountSent", who, "sent bytes", sent.bytes, least.bytes..=most.bytes);
    let indicated = totals.indicated;
    tell("WIRE.CountReceived", who, "received frames", received.frames, indicated.frames..=indicated.frames);
    tell("WIRE.CountReceived", who, "received bytes", received.bytes, indicated.bytes..=indicated.bytes);
    let wrong = totals.wrong..=totals.wrong + totals.starved + totals.spoilt;
    tell("WIRE.CountSendErrors", who, "send errors", send_errors, wrong);
}

pub(super) fn tell_difference(who: &str, difference: Option<String>) {
    if let Some(text) = difference {
        finding("WIRE.CountsAgree", Some(who.to_owned()), text);
    }
}

fn tell(rule: &'static str, who: &str, what: &str, said: u64, right: RangeInclusive<u64>) {
    if !right.contains(&said) {
        let right = if right.start() == right.end() {
            format!("{}", right.start())
        } else {
            format!("{} to {}", right.start(), right.end())
        };
        finding(rule, Some(who.to_owned()), format!("{what}: {said}, and there were {right}"));
    }
}
