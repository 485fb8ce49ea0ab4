//! NDISWAN on the adapter: what it asks when it binds and when it takes a call over (ndiswan.h, ntddndis.h).

use std::rc::Rc;

use super::answers::{finding, must, probe, word};
use crate::ndis::client;
use crate::ndis::oid::{OidRequest, OidResult};
use crate::ndis::status;
use crate::ndis::{Adapter, Vc};

const OID_SUPPORTED_LIST: u32 = 0x0001_0101;
const OID_DRIVER_VERSION: u32 = 0x0001_0110;
const OID_PROTOCOL_OPTIONS: u32 = 0x0001_0112;
const OID_MAC_OPTIONS: u32 = 0x0001_0113;
const OID_WAN_MEDIUM_SUBTYPE: u32 = 0x0401_0105;
const OID_WAN_LINE_COUNT: u32 = 0x0401_010A;
const OID_WAN_CO_GET_INFO: u32 = 0x0401_0180;
const OID_WAN_CO_SET_LINK_INFO: u32 = 0x0401_0181;
const OID_WAN_CO_GET_LINK_INFO: u32 = 0x0401_0182;
const OID_WAN_CO_GET_STATS_INFO: u32 = 0x0401_0282;
/// `PPP_FRAMING`.
const PPP_FRAMING: u32 = 0x100;
/// `NdisWanMediumPppoe`.
const PPPOE: u32 = 12;

/// `OID_GEN_CO_*` that every CoNDIS miniport answers, with the size of the answer.
const MANDATORY: &[(u32, usize)] = &[
    (0x0001_0102, 4),
    (0x0001_0103, 4),
    (0x0001_0104, 4),
    (0x0001_0107, 8),
    (0x0001_010C, 4),
    (OID_DRIVER_VERSION, 2),
    (OID_MAC_OPTIONS, 4),
    (0x0001_0114, 4),
    (0x0001_0116, 4),
    (0x0002_0120, 4),
];
/// `OID_GEN_CO_XMIT_PDUS_OK` and the four after it.
const STATISTICS: std::ops::RangeInclusive<u32> = 0x0002_0101..=0x0002_0105;

pub use super::ndiswan::{ask_fresh, join};

/// `NDIS_WAN_CO_INFO`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Bytes.
    pub max_frame_size: u32,
    /// Sends that may be outstanding on a VC.
    pub max_send_window: u32,
    /// `PPP_FRAMING` and so on.
    pub framing_bits: u32,
    /// `OID_WAN_LINE_COUNT`.
    pub lines: u32,
}

/// Asks what NDISWAN asks when it binds, and every general OID. Answers that are missing or wrong are findings
/// (`CO-157` to `CO-167`, `CO-319`). `PASSIVE_LEVEL`.
pub fn ask(adapter: &Rc<Adapter>) -> Info {
    let ask = |request: OidRequest| client::co_oid_request(adapter, None, request);
    let info = must("CO-319", OID_WAN_CO_GET_INFO, 16, &ask).unwrap_or_default();
    let subtype = must("CO-319", OID_WAN_MEDIUM_SUBTYPE, 4, &ask).unwrap_or_default();
    let lines = must("CO-319", OID_WAN_LINE_COUNT, 4, &ask).unwrap_or_default();
    let it = Info {
        max_frame_size: word(&info, 0),
        max_send_window: word(&info, 4),
        framing_bits: word(&info, 8),
        lines: word(&lines, 0),
    };
    let usable = it.max_send_window >= 1 && it.framing_bits & PPP_FRAMING != 0 && it.lines >= 1;
    if !usable || it.max_frame_size < 1492 || word(&subtype, 0) != PPPOE {
        finding("CO-319", format!("{it:?}, medium subtype {}", word(&subtype, 0)));
    }
    for &(oid, len) in MANDATORY {
        must("CO-162", oid, len, &ask);
        probe(oid, len, &ask);
    }
    for oid in STATISTICS {
        must("CO-163", oid, 4, &ask);
        must("CO-163", oid, 8, &ask);
    }
    ask_odd(adapter, &ask);
    it
}

/// What is not asked in good faith: unknown OIDs, sets of what is only queried.
fn ask_odd(adapter: &Rc<Adapter>, ask: &dyn Fn(OidRequest) -> OidResult) {
    let options = ask(OidRequest::set(OID_PROTOCOL_OPTIONS, &0_u32.to_le_bytes()));
    if options.status != status::SUCCESS {
        finding("CO-162", format!("OID_GEN_CO_PROTOCOL_OPTIONS: {}", status::name(options.status)));
    }
    for oid in [0xFF00_0001, 0x0001_FFFF, 0] {
        for request in [OidRequest::query(oid, 64), OidRequest::set(oid, &[0; 4])] {
            if ask(request).status == status::SUCCESS {
                finding("CO-157", format!("{oid:#010x} is no OID"));
            }
        }
    }
    if ask(OidRequest::set(OID_SUPPORTED_LIST, &[0; 4])).status == status::SUCCESS {
        finding("CO-158", "OID_GEN_CO_SUPPORTED_LIST can be set".to_owned());
    }
    if let Some(list) = must("CO-162", OID_SUPPORTED_LIST, 1024, ask) {
        let oids: Vec<u32> = list.chunks_exact(4).map(|oid| word(oid, 0)).collect();
        if !oids.is_sorted() || list.len() % 4 != 0 {
            finding("CO-165", "the list of supported OIDs is not sorted".to_owned());
        }
        let missing = MANDATORY.iter().find(|(oid, _)| !oids.contains(oid));
        if let Some((oid, _)) = missing {
            finding("CO-165", format!("{oid:#010x} is answered and not listed"));
        }
    }
    let version = must("CO-162", OID_DRIVER_VERSION, 2, ask).unwrap_or_default();
    let (major, minor) = adapter.ndis_version();
    if version != [minor, major] {
        finding("CO-166", format!("driver version {version:?}, registered {major}.{minor}"));
    }
    let mac = must("CO-162", OID_MAC_OPTIONS, 4, ask).unwrap_or_default();
    if word(&mac, 0) & 0x8000_0000 != 0 {
        finding("CO-167", "NDIS_MAC_OPTION_RESERVED".to_owned());
    }
}

/// Asks what NDISWAN asks of a VC it takes over: the link's parameters, which it sets and reads back (`CO-320`), and
/// statistics (`CO-321`, `CO-163`). `PASSIVE_LEVEL`.
pub fn ask_link(vc: &Rc<Vc>) {
    let ask = |request: OidRequest| client::co_oid_request(vc.adapter(), Some(vc), request);
    let Some(before) = must("CO-320", OID_WAN_CO_GET_LINK_INFO, 32, &ask) else { return };
    let (send, receive) = (word(&before, 0), word(&before, 4));
    if before.len() != 32 || send == 0 || receive == 0 {
        finding("CO-320", format!("frames of {send} and {receive} bytes"));
    }
    probe(OID_WAN_CO_GET_LINK_INFO, 32, &ask);
    let mut wanted = before.clone();
    wanted[..4].copy_from_slice(&1400_u32.to_le_bytes());
    let set = ask(OidRequest::set(OID_WAN_CO_SET_LINK_INFO, &wanted));
    let after = must("CO-320", OID_WAN_CO_GET_LINK_INFO, 32, &ask).unwrap_or_default();
    if set.status != status::SUCCESS || after != wanted {
        finding("CO-320", format!("set: {}, then {after:02x?}", status::name(set.status)));
    }
    ask(OidRequest::set(OID_WAN_CO_SET_LINK_INFO, &before));
    let mut huge = before.clone();
    huge[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    ask(OidRequest::set(OID_WAN_CO_SET_LINK_INFO, &huge));
    let after = must("CO-320", OID_WAN_CO_GET_LINK_INFO, 32, &ask).unwrap_or_default();
    if word(&after, 0) > send || word(&after, 4) > receive {
        finding("CO-320", "frames of 4 GiB are promised".to_owned());
    }
    ask(OidRequest::set(OID_WAN_CO_SET_LINK_INFO, &before));
    let statistics = ask(OidRequest::query(OID_WAN_CO_GET_STATS_INFO, 116));
    if statistics.status == status::SUCCESS && statistics.bytes != 116 {
        finding("CO-321", format!("statistics of {} bytes", statistics.bytes));
    }
    for oid in STATISTICS {
        must("CO-163", oid, 8, &ask);
    }
    let adapter_wide =
        client::co_oid_request(vc.adapter(), None, OidRequest::query(OID_WAN_CO_GET_LINK_INFO, 32));
    if adapter_wide.status == status::SUCCESS {
        finding("CO-320", "link parameters without a VC".to_owned());
    }
}
