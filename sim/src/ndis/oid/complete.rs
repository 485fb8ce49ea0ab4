//! The ends of OID requests, as the driver reports them, and the driver's own requests to clients.

use std::rc::Rc;

use super::{OidRequest, Path, Request, RequestKind, at};
use crate::machine::{IrqlRange, enter};
use crate::ndis::adapter::Adapter;
use crate::ndis::address_family::AddressFamily;
use crate::ndis::handle::{self, Handle, Kind};
use crate::ndis::parameters::{pointer_at, u32_at};
use crate::ndis::status::{self, Status};
use crate::ndis::vc::{self, Vc};
use crate::ndis::{Ndis, finding, no_locks, raw};

/// The common part of the completion functions. `matches` tells whether the handles are those of the request.
fn complete(function: &'static str, at: usize, status: Status, matches: impl Fn(&Request) -> bool) {
    let ndis = Ndis::current();
    let known = ndis.requests.borrow().get(&at).cloned();
    let Some(request) = known else {
        let text = match ndis.finished.borrow().get(&at) {
            Some(number) => format!("OID request {number} completed again"),
            None => "completes what was not requested".to_owned(),
        };
        finding("CO-145", None, text);
        return;
    };
    no_locks("CO-301", || request.name());
    if request.path.name() != function {
        finding("CO-148", Some(request.name()), format!("completed with {function}"));
    } else if !matches(&request) {
        finding("CO-147", Some(request.name()), "completed with other handles".to_owned());
    }
    if status == status::PENDING {
        finding("CO-146", Some(request.name()), "completed with PENDING".to_owned());
        return;
    }
    if !request.pend.complete() {
        finding("CO-145", Some(request.name()), "completed but not pended".to_owned());
        return;
    }
    request.finish(status);
}

pub(in crate::ndis) unsafe extern "win64" fn miniport_complete(h: Handle, request: usize, status: Status) {
    let _call = enter("NdisMOidRequestComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = Adapter::find(h) else { return };
    complete("NdisMOidRequestComplete", request, status, |it| Rc::ptr_eq(&it.adapter, &adapter));
}

pub(in crate::ndis) unsafe extern "win64" fn co_complete(
    h: Handle,
    vc: Handle,
    request: usize,
    status: Status,
) {
    let _call = enter("NdisMCoOidRequestComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = Adapter::find(h) else { return };
    complete("NdisMCoOidRequestComplete", request, status, |it| {
        Rc::ptr_eq(&it.adapter, &adapter) && handle_of(it.path.vc()) == vc
    });
}

pub(in crate::ndis) unsafe extern "win64" fn cm_complete(
    af: Handle,
    vc: Handle,
    party: Handle,
    request: usize,
    status: Status,
) {
    let _call = enter("NdisCoOidRequestComplete", IrqlRange::DISPATCH_OR_BELOW);
    complete("NdisCoOidRequestComplete", request, status, |it| {
        let same = matches!(&it.path, Path::CallManager(known, _) if known.handle() == af);
        same && handle_of(it.path.vc()) == vc && party.is_null()
    });
}

fn handle_of(vc: Option<&Rc<Vc>>) -> Handle {
    vc.map_or(std::ptr::null_mut(), |vc| vc.handle())
}

/// The call manager asks a client. Answered at once.
pub(in crate::ndis) unsafe extern "win64" fn driver_request(
    af: Handle,
    vc: Handle,
    _party: Handle,
    at: usize,
) -> Status {
    let _call = enter("NdisMCmOidRequest", IrqlRange::DISPATCH_OR_BELOW);
    let Some(af) = handle::find::<AddressFamily>(af, Kind::AddressFamily, "CO-042") else {
        return status::FAILURE;
    };
    no_locks("CO-301", || af.name());
    let vc = if vc.is_null() { None } else { vc::find(vc) };
    let request = raw::bytes(at, at::LEN);
    if request[0] != 0x96 || u16::from_le_bytes([request[2], request[3]]) < 236 {
        finding("CO-315", Some(af.name()), format!("NDIS_OID_REQUEST with header {:x?}", &request[..4]));
        return status::INVALID_PARAMETER;
    }
    let (buffer, length) = (pointer_at(&request, at::BUFFER), u32_at(&request, at::LENGTH) as usize);
    let kind = if u32_at(&request, at::KIND) == 1 { RequestKind::Set } else { RequestKind::Query };
    let data = (buffer != 0).then(|| raw::bytes(buffer, length));
    let what = OidRequest { oid: u32_at(&request, at::OID), kind, buffer: data, id: 0 };
    af.client().oid_request(&af, vc.as_ref(), &what)
}
