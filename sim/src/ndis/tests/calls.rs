//! The call-manager half of the smallest driver.

use super::data::indicate;
use super::mini::{adapter, context, deviates, later, mini, ndis};
use crate::machine::Machine;
use crate::ndis::handle::Handle;
use crate::ndis::parameters::{
    CallManagerParameters, CallParameters, FlowSpec, MediaParameters, ParameterBlock, TRANSMIT_AND_RECEIVE,
};
use crate::ndis::status::{self, Status};
use crate::ndis::{address_family, call, incoming, oid, raw, sap, vc};

pub(super) unsafe extern "win64" fn open_af(
    _adapter: usize,
    _family: usize,
    af: Handle,
    out: usize,
) -> Status {
    let it = if deviates("same AF context") { 0xAF } else { context() };
    mini(|mini| mini.afs.borrow_mut().insert(it, af as usize));
    if mini(|mini| mini.pend.get()) {
        let af = af as usize;
        return later(move || {
            ndis!(address_family::open_complete, status::SUCCESS, af as Handle, it as Handle);
        });
    }
    if deviates("open completes and returns") {
        ndis!(address_family::open_complete, status::SUCCESS, af, it as Handle);
    }
    if !deviates("no AF context") {
        raw::write(out as *mut usize, it);
    }
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn close_af(af: usize) -> Status {
    let handle = mini(|mini| mini.afs.borrow_mut().remove(&af)).unwrap_or(0);
    if mini(|mini| mini.pend.get()) {
        return later(move || {
            ndis!(address_family::close_complete, status::SUCCESS, handle as Handle);
            if deviates("AF closed twice") {
                ndis!(address_family::close_complete, status::SUCCESS, handle as Handle);
            }
        });
    }
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn register_sap(
    af: usize,
    _sap: usize,
    handle: Handle,
    out: usize,
) -> Status {
    let it = context();
    mini(|mini| mini.saps.borrow_mut().insert(it, (af, handle as usize)));
    let handle = handle as usize;
    if mini(|mini| mini.pend.get()) {
        return later(move || {
            ndis!(sap::register_complete, status::SUCCESS, handle as Handle, it as Handle);
            if deviates("SAP completed twice") {
                ndis!(sap::register_complete, status::SUCCESS, handle as Handle, it as Handle);
            }
        });
    }
    if !deviates("no SAP context") {
        raw::write(out as *mut usize, it);
    }
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn deregister_sap(sap: usize) -> Status {
    let handle = mini(|mini| mini.saps.borrow_mut().remove(&sap)).map_or(0, |(_, handle)| handle);
    if deviates("deregistration fails") {
        return status::FAILURE;
    }
    if mini(|mini| mini.pend.get()) {
        return later(move || ndis!(sap::deregister_complete, status::SUCCESS, handle as Handle));
    }
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn create_vc(_af: usize, vc: Handle, out: usize) -> Status {
    let it = context();
    mini(|mini| mini.vcs.borrow_mut().insert(it, vc as usize));
    if deviates("create pends") {
        return status::PENDING;
    }
    if !deviates("no VC context") {
        raw::write(out as *mut usize, it);
    }
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn delete_vc(vc: usize) -> Status {
    if deviates("delete refuses") {
        return status::NOT_ACCEPTED;
    }
    let handle = mini(|mini| mini.vcs.borrow_mut().remove(&vc)).unwrap_or(0);
    if deviates("uses a deleted VC") {
        Machine::current().queue_dpc(None, "mini", move || {
            ndis!(vc::deactivate, handle as Handle);
        });
    }
    status::SUCCESS
}

pub(super) fn handle_of(vc: usize) -> Handle {
    mini(|mini| mini.vcs.borrow().get(&vc).copied()).unwrap_or(0) as Handle
}

pub(super) unsafe extern "win64" fn make_call(
    vc: usize,
    parameters: usize,
    _party: Handle,
    out: usize,
) -> Status {
    raw::write(out as *mut usize, usize::from(deviates("party context")));
    if deviates("call fails") {
        return status::TAPI_DISCONNECTMODE_NOANSWER;
    }
    if deviates("connects synchronously inactive") {
        return status::SUCCESS;
    }
    if deviates("call hangs") {
        return status::PENDING;
    }
    let pended = later(move || connect(vc, parameters));
    if deviates("call completes and returns") { status::FAILURE } else { pended }
}

/// Activates the VC and completes the call.
fn connect(vc: usize, parameters: usize) {
    let handle = handle_of(vc);
    if !deviates("completes before active") && !deviates("indicates inactive") {
        ndis!(vc::activate, handle, parameters);
    }
    if deviates("activates twice") {
        ndis!(vc::activate, handle, parameters);
    }
    if deviates("closes while making") {
        ndis!(call::dispatch_close, status::FAILURE, handle, 0, 0);
    }
    if deviates("indicates inactive") {
        indicate(vc, b"early");
        ndis!(vc::activate, handle, parameters);
    }
    // Flags |= CALL_PARAMETERS_CHANGED, and the rates of the link.
    let manager = raw::read((parameters + 8) as *const usize);
    if manager != 0 && !deviates("no rates") {
        let flags: u32 = raw::read(parameters as *const u32);
        raw::write(parameters as *mut u32, if deviates("unflagged change") { flags } else { flags | 2 });
        raw::write((manager + 8) as *mut u32, 125_000_000);
        raw::write((manager + 40) as *mut u32, 125_000_000);
    }
    let null = std::ptr::null_mut();
    let status = match () {
        () if deviates("completes with PENDING") => status::PENDING,
        () if deviates("fails active") => status::FAILURE,
        () => status::SUCCESS,
    };
    let given = if deviates("other parameters") { parameters + 8 } else { parameters };
    ndis!(call::make_call_complete, status, handle, null, null, given);
    if deviates("call completed twice") {
        ndis!(call::make_call_complete, status, handle, null, null, parameters);
    }
    if deviates("network closes") || deviates("network closes twice") {
        ndis!(call::dispatch_close, status::TAPI_DISCONNECTMODE_NORMAL, handle, 0, 0);
    }
    if deviates("network closes twice") {
        ndis!(call::dispatch_close, status::TAPI_DISCONNECTMODE_NORMAL, handle, 0, 0);
    }
    if deviates("close data without size") {
        ndis!(call::dispatch_close, status::TAPI_DISCONNECTMODE_NORMAL, handle, parameters, 0);
    }
    if deviates("deletes the client's VC") {
        ndis!(vc::driver_delete, handle);
    }
    if deviates("wrong kind of handle") {
        ndis!(vc::deactivate, adapter());
    }
    if deviates("connected on outgoing call") {
        ndis!(incoming::connected, handle);
    }
}

pub(super) unsafe extern "win64" fn close_call(vc: usize, _party: usize, _data: usize, _size: u32) -> Status {
    let disconnect = move || {
        let handle = handle_of(vc);
        if !deviates("stays active") {
            ndis!(vc::deactivate, handle);
        }
        if deviates("deactivates twice") {
            ndis!(vc::deactivate, handle);
        }
        if deviates("indicates after deactivation") {
            indicate(vc, b"late");
        }
        handle
    };
    if mini(|mini| mini.pend.get()) {
        return later(move || {
            let handle = disconnect();
            ndis!(call::close_call_complete, status::SUCCESS, handle, std::ptr::null_mut());
            if deviates("close completed twice") {
                ndis!(call::close_call_complete, status::SUCCESS, handle, std::ptr::null_mut());
            }
        });
    }
    let handle = disconnect();
    if deviates("close completes and returns") {
        ndis!(call::close_call_complete, status::SUCCESS, handle, std::ptr::null_mut());
    }
    if deviates("close fails") { status::FAILURE } else { status::SUCCESS }
}

/// Offers a call on a SAP, as if the network had called. Returns what the client answered.
pub(super) fn offer(sap: usize) -> Status {
    let (af, sap_handle) = mini(|mini| mini.saps.borrow()[&sap]);
    let af = mini(|mini| mini.afs.borrow()[&af]);
    let it = context();
    let mut handle = if deviates("dirty handle") { 1_usize as Handle } else { std::ptr::null_mut() };
    let status = ndis!(vc::driver_create, adapter(), af as Handle, it as Handle, &raw mut handle);
    if status != status::SUCCESS {
        return status;
    }
    mini(|mini| mini.vcs.borrow_mut().insert(it, handle as usize));
    let block = ParameterBlock::new(&parameters());
    let address = block.address();
    mini(|mini| mini.offers.borrow_mut().insert(it, block));
    ndis!(vc::activate, handle, address);
    let status = ndis!(incoming::dispatch, sap_handle as Handle, handle, address);
    if deviates("offers twice") {
        ndis!(incoming::dispatch, sap_handle as Handle, handle, address);
    }
    if status != status::PENDING {
        answered(status, it);
    }
    status
}

pub(super) unsafe extern "win64" fn incoming_complete(status: Status, vc: usize, _parameters: usize) {
    answered(status, vc);
}

fn answered(status: Status, vc: usize) {
    let handle = handle_of(vc);
    mini(|mini| mini.offers.borrow_mut().remove(&vc));
    if status != status::SUCCESS {
        ndis!(vc::deactivate, handle);
        delete_own(vc);
        return;
    }
    ndis!(incoming::connected, handle);
    if deviates("connected twice") {
        ndis!(incoming::connected, handle);
    }
    if deviates("deletes a connected VC") {
        ndis!(vc::driver_delete, handle);
    }
}

/// Deletes a VC that this driver created.
pub(super) fn delete_own(vc: usize) {
    ndis!(vc::driver_delete, handle_of(vc));
    mini(|mini| mini.vcs.borrow_mut().remove(&vc));
}

/// Ordinary call parameters.
pub(super) fn parameters() -> CallParameters {
    let flow = FlowSpec::best_effort(1_000_000);
    CallParameters {
        flags: 0,
        call_manager: Some(CallManagerParameters { transmit: flow, receive: flow, specific: <_>::default() }),
        media: Some(MediaParameters { flags: TRANSMIT_AND_RECEIVE, ..MediaParameters::default() }),
    }
}

/// Answers any query of at least four bytes with a number.
fn answer(request: usize) -> Status {
    let set: u32 = raw::read((request + 4) as *const u32);
    let (buffer, length) =
        (raw::read((request + 40) as *const usize), raw::read((request + 48) as *const u32));
    if set == 1 {
        if deviates("set writes") {
            raw::write(buffer as *mut u8, 0xFF);
        }
        raw::write((request + 52) as *mut u32, length);
        return status::SUCCESS;
    }
    let needed = 4;
    if length < needed {
        raw::write((request + 56) as *mut u32, if deviates("no needed size") { 0 } else { needed });
        return status::BUFFER_TOO_SHORT;
    }
    raw::write(buffer as *mut u32, 12);
    let written = if deviates("writes too much") { length + 1 } else { needed };
    raw::write((request + 52) as *mut u32, if deviates("no bytes written") { 0 } else { written });
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn oid_request(_adapter: usize, request: usize) -> Status {
    if mini(|mini| mini.pend.get()) {
        return later(move || {
            let status = answer(request);
            ndis!(oid::miniport_complete, adapter(), request, status);
        });
    }
    answer(request)
}

pub(super) unsafe extern "win64" fn co_oid_request(_adapter: usize, vc: usize, request: usize) -> Status {
    mini(|mini| mini.last_request.set(request));
    if deviates("keeps an OID request") {
        return status::PENDING;
    }
    let handle = if vc == 0 { std::ptr::null_mut() } else { handle_of(vc) };
    let status = answer(request);
    if mini(|mini| mini.pend.get()) {
        return later(move || {
            match () {
                () if deviates("wrong completion") => {
                    ndis!(oid::miniport_complete, adapter(), request, status);
                }
                () if deviates("OID with PENDING") => {
                    ndis!(oid::co_complete, adapter(), handle, request, status::PENDING);
                }
                () => {}
            }
            ndis!(oid::co_complete, adapter(), handle, request, status);
            if deviates("OID completed twice") {
                ndis!(oid::co_complete, adapter(), handle, request, status);
            }
        });
    }
    if deviates("OID completes and returns") {
        ndis!(oid::co_complete, adapter(), handle, request, status);
    }
    status
}

pub(super) unsafe extern "win64" fn cm_oid_request(
    af: usize,
    _vc: usize,
    _party: usize,
    request: usize,
) -> Status {
    let handle = mini(|mini| mini.afs.borrow().get(&af).copied().unwrap_or(0));
    if mini(|mini| mini.pend.get()) {
        return later(move || {
            let status = answer(request);
            let null = std::ptr::null_mut();
            let wrong = if deviates("wrong AF handle") { adapter() } else { handle as Handle };
            ndis!(oid::cm_complete, wrong, null, null, request, status);
        });
    }
    answer(request)
}
