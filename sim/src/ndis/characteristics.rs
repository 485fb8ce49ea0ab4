//! Checks of the tables of handlers at their registration.

use super::raw;
use super::tables::{CallManagerHandlers, CoMiniportCharacteristics, MiniportCharacteristics, ObjectHeader};

/// `NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS`.
const MINIPORT: u8 = 0x8A;
/// `NDIS_OBJECT_TYPE_CO_MINIPORT_CHARACTERISTICS`.
pub(super) const CO_MINIPORT: u8 = 0x91;
/// `NDIS_OBJECT_TYPE_CO_CALL_MANAGER_OPTIONAL_HANDLERS`.
pub(super) const CALL_MANAGER: u8 = 0xA5;

/// Something wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableError {
    pub(super) rule: &'static str,
    pub(super) text: String,
    /// NDIS refuses the table.
    pub(super) fatal: bool,
}

fn fatal(rule: &'static str, text: String) -> TableError {
    TableError { rule, text, fatal: true }
}

/// Reads as much of a table as its header says, the rest as null.
fn fetch<T: Copy + Default>(table: usize, size: u16) -> T {
    let mut copy = T::default();
    let len = usize::from(size).min(size_of::<T>());
    let bytes = raw::bytes(table, len);
    raw::store((&raw mut copy) as usize, &bytes);
    copy
}

/// The header has to be of the type, and of a revision and size among `known`.
fn check_header(
    header: ObjectHeader,
    kind: u8,
    known: &[(u8, u16)],
    rule: &'static str,
    errors: &mut Vec<TableError>,
) {
    let expected = header.kind == kind && known.contains(&(header.revision, header.size));
    if !expected {
        let text = format!(
            "header type {:#x}, revision {}, size {}; expected type {kind:#x} and one of {known:?}",
            header.kind, header.revision, header.size
        );
        errors.push(fatal(rule, text));
    }
}

pub(super) fn miniport(table: usize) -> (MiniportCharacteristics, Vec<TableError>) {
    let header: ObjectHeader = raw::read(table as *const ObjectHeader);
    let it: MiniportCharacteristics = fetch(table, header.size);
    let mut errors = Vec::new();
    // Revision 2 came with NDIS 6.1, 3 with 6.80 (page of the structure). Those who do without synchronous OID requests keep
    // revision 2.
    let known: &[(u8, u16)] = match it.minor_ndis_version {
        0 => &[(1, 136)],
        1..80 => &[(2, 152)],
        _ => &[(3, 160), (2, 152)],
    };
    check_header(header, MINIPORT, known, "CO-001", &mut errors);
    let optional =
        ["set_options", "check_for_hang", "reset", "direct_oid_request", "cancel_direct_oid_request"];
    for handler in it.missing().into_iter().filter(|name| !optional.contains(name)) {
        errors.push(fatal("CO-002", format!("{handler} is missing")));
    }
    if it.check_for_hang.is_some() && it.reset.is_none() {
        errors.push(fatal("CO-003", "check_for_hang without reset".to_owned()));
    }
    if it.direct_oid_request.is_some() != it.cancel_direct_oid_request.is_some() {
        errors.push(fatal("CO-002", "one of the two direct OID handlers is missing".to_owned()));
    }
    (it, errors)
}

pub(super) fn co_miniport(table: usize) -> (CoMiniportCharacteristics, Vec<TableError>) {
    let header: ObjectHeader = raw::read(table as *const ObjectHeader);
    let it: CoMiniportCharacteristics = fetch(table, header.size);
    let mut errors = Vec::new();
    check_header(header, CO_MINIPORT, &[(1, 56)], "CO-005", &mut errors);
    if it.co_create_vc.is_some() || it.co_delete_vc.is_some() {
        let text = "CoCreateVcHandler and CoDeleteVcHandler are NULL in a miniport call manager".to_owned();
        errors.push(TableError { rule: "CO-006", text, fatal: false });
    }
    for handler in it.missing().into_iter().filter(|name| !["co_create_vc", "co_delete_vc"].contains(name)) {
        errors.push(fatal("CO-007", format!("{handler} is missing")));
    }
    (it, errors)
}

/// `co_oid_request` is the miniport's handler, which has another signature than the call manager's.
pub(super) fn call_manager(
    table: usize,
    co_oid_request: Option<usize>,
) -> (CallManagerHandlers, Vec<TableError>) {
    let header: ObjectHeader = raw::read(table as *const ObjectHeader);
    // NDIS_SIZEOF_CO_CALL_MANAGER_OPTIONAL_HANDLERS_REVISION_1 ends before the last member, which NDIS reads.
    let it: CallManagerHandlers = fetch(table, 144);
    let mut errors = Vec::new();
    check_header(header, CALL_MANAGER, &[(1, 136)], "CO-008", &mut errors);
    let vital = ["create_vc", "delete_vc", "oid_request", "oid_request_complete", "notify_close_af_complete"];
    for handler in it.missing() {
        let rule = if vital.contains(&handler) { "CO-010" } else { "CO-008" };
        errors.push(fatal(rule, format!("{handler} is missing")));
    }
    let oid_request = it.oid_request.map(|it| it as usize);
    if oid_request.is_some() && oid_request == co_oid_request {
        let text = "MiniportCoOidRequest and ProtocolCoOidRequest are one function".to_owned();
        errors.push(fatal("CO-009", text));
    }
    (it, errors)
}
