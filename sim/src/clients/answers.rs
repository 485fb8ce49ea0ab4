//! Judging answers to OID requests.

use crate::machine::Machine;
use crate::ndis::oid::{OidRequest, OidResult};
use crate::ndis::status;
use crate::verifier::{Rule, Severity, rule};

/// The rules that the clients check by asking.
pub(crate) const RULES: &[Rule] = &[
    rule("CO-157", Severity::S1, "Unknown OIDs are refused, for any buffer."),
    rule("CO-158", Severity::S2, "A set of what can only be queried is refused."),
    rule("CO-161", Severity::S0, "An OID that needs a buffer is refused without one."),
    rule("CO-162", Severity::S1, "The mandatory general OIDs of CoNDIS are answered."),
    rule("CO-163", Severity::S1, "The mandatory statistics are answered in 4 and in 8 bytes."),
    rule("CO-165", Severity::S2, "The list of supported OIDs is sorted and complete."),
    rule("CO-166", Severity::S2, "The driver version is the NDIS version it registered."),
    rule("CO-167", Severity::S2, "The MAC options do not contain the reserved bit."),
    rule("CO-319", Severity::S1, "OID_WAN_CO_GET_INFO describes a usable WAN link."),
    rule("CO-320", Severity::S1, "What OID_WAN_CO_SET_LINK_INFO sets, OID_WAN_CO_GET_LINK_INFO gets."),
    rule(
        "CO-335",
        Severity::S1,
        "A call begins with statistics of zero and nothing negotiated, whatever calls its VC has had.",
    ),
    rule("CO-321", Severity::S1, "OID_WAN_CO_GET_STATS_INFO is answered for each VC."),
    rule("CO-322", Severity::S1, "TAPI capabilities are consistent structures of variable length."),
];

/// Records a violation.
pub(super) fn finding(rule: &'static str, text: String) {
    Machine::current().finding(rule, None, text);
}

/// The 32-bit word at an offset, zero if the data ends before.
pub(super) fn word(data: &[u8], at: usize) -> u32 {
    data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// Asks, and reports a refusal or a short answer by `rule`.
pub(super) fn must(
    rule: &'static str,
    oid: u32,
    len: usize,
    ask: &dyn Fn(OidRequest) -> OidResult,
) -> Option<Vec<u8>> {
    let result = ask(OidRequest::query(oid, len));
    if result.status != status::SUCCESS {
        finding(rule, format!("{oid:#010x} in {len} bytes: {}", status::name(result.status)));
        return None;
    }
    Some(result.data)
}

/// Asks with buffers that are too small, and with none: the driver must refuse, and tell a size that does.
pub(super) fn probe(oid: u32, needed: usize, ask: &dyn Fn(OidRequest) -> OidResult) {
    for len in [0, 1, needed.saturating_sub(1)] {
        let result = ask(OidRequest::query(oid, len));
        if len < needed && result.status == status::SUCCESS {
            finding("CO-153", format!("{oid:#010x} is answered in {len} bytes"));
        }
    }
    let nothing = ask(OidRequest { buffer: None, ..OidRequest::query(oid, 0) });
    if nothing.status == status::SUCCESS {
        finding("CO-161", format!("{oid:#010x} is answered without a buffer"));
    }
}
