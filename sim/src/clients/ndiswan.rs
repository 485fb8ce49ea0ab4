//! NDISWAN's end of a call: it shares the VC only when the call is up and an application of TAPI's has asked for it
//! (`lineGetID`, "Making Outgoing Calls"), asks and sets then, and goes by what it has been told.

use std::rc::Rc;
use std::time::Duration;

use super::answers::{finding, word};
use crate::machine::Machine;
use crate::ndis::client::{self, Client};
use crate::ndis::oid::{OidRequest, OidResult};
use crate::ndis::status;
use crate::ndis::{Adapter, CallState, Indication, Vc, readings};

const OID_GET_INFO: u32 = 0x0401_0180;
const OID_SET_LINK_INFO: u32 = 0x0401_0181;
const OID_GET_LINK_INFO: u32 = 0x0401_0182;
const OID_GET_STATS_INFO: u32 = 0x0401_0282;
/// `NDIS_STATUS_WAN_CO_MTULINKPARAMS`; its MTU is at 16.
const MTU_LINK_PARAMETERS: u32 = 0x4001_0025;
const PPP_FRAMING: u32 = 0x100;
/// What a receiver must be able to take (RFC 1661 section 6.1).
const RFC_1661: u32 = 1500;
/// Longest time, in microseconds, from the end of the make call until the application asks.
const LATER: u64 = 20_000;

/// NDISWAN on one VC.
struct Endpoint;

impl Client for Endpoint {
    fn name(&self) -> &'static str {
        "NDISWAN"
    }

    fn status(&self, _adapter: &Rc<Adapter>, vc: Option<&Rc<Vc>>, indication: &Indication) {
        if let Some(vc) = vc.filter(|_| indication.code == MTU_LINK_PARAMETERS) {
            vc.set_told(word(&indication.data, 16));
        }
    }
}

/// Takes part in a call of NDPROXY's that is up, after a while; what it may send is then known ([`Vc::told`]). The VC stays
/// until this returns. `PASSIVE_LEVEL`.
pub fn join(vc: &Rc<Vc>) {
    let machine = Machine::current();
    machine.sleep(Duration::from_micros(machine.below(LATER)));
    let is_up = || vc.call_state() == CallState::Connected && vc.is_active();
    let ask = |request: OidRequest| -> Option<OidResult> {
        is_up().then(|| client::co_oid_request(vc.adapter(), Some(vc), request))
    };
    // What NDISWAN knows since it was bound.
    let info = client::co_oid_request(vc.adapter(), None, OidRequest::query(OID_GET_INFO, 16));
    if info.status != status::SUCCESS || !is_up() {
        return;
    }
    // NDPROXY passes the parameters of the call on.
    vc.read_supplied();
    vc.share(Rc::new(Endpoint));
    vc.set_told(word(&info.data, 0));
    if !readings().wan_does_not_ask {
        let Some(link) = ask(OidRequest::query(OID_GET_LINK_INFO, 32)) else { return };
        if link.status == status::SUCCESS {
            vc.set_told(word(&link.data, 0));
        }
    }
    let Some(send) = vc.told() else { return };
    let words = [send, send.max(RFC_1661), PPP_FRAMING, PPP_FRAMING, 0, 0, 0, 0];
    let wanted: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    let Some(set) = ask(OidRequest::set(OID_SET_LINK_INFO, &wanted)) else { return };
    if set.status != status::SUCCESS && is_up() {
        let text = format!("frames of {send} and {} bytes: {}", words[1], status::name(set.status));
        finding("CO-320", text);
    }
}

/// CO-335: asks for what a call begins with; to be asked before any frame goes either way. `PASSIVE_LEVEL`.
pub fn ask_fresh(vc: &Rc<Vc>) {
    let ask = |oid, len| client::co_oid_request(vc.adapter(), Some(vc), OidRequest::query(oid, len));
    let statistics = ask(OID_GET_STATS_INFO, 116);
    let link = ask(OID_GET_LINK_INFO, 32);
    let counters: Vec<u32> = (0x0002_0101..=0x0002_0105).map(|oid| word(&ask(oid, 8).data, 0)).collect();
    if vc.call_state() != CallState::Connected {
        return;
    }
    let counted = statistics.data.iter().any(|&byte| byte != 0) || counters.iter().any(|&it| it != 0);
    if statistics.status == status::SUCCESS && counted {
        finding("CO-335", format!("VC {}: statistics {:?}, {counters:?}", vc.number(), statistics.data));
    }
    let negotiated = [8, 12].iter().any(|&at| word(&link.data, at) != PPP_FRAMING)
        || [16, 20, 24, 28].iter().any(|&at| word(&link.data, at) != 0)
        || word(&link.data, 0) != word(&link.data, 4);
    if link.status == status::SUCCESS && negotiated {
        finding("CO-335", format!("VC {}: link parameters {:02x?}", vc.number(), link.data));
    }
}
