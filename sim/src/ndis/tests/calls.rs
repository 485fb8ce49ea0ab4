//! The call-manager half of the smallest driver.

use std::cell::Cell;
use std::rc::Rc;

use super::bring_up;
use super::data::indicate;
use super::mini::{adapter, context, deviates, later, mini, ndis};
use crate::machine::{LockKind, Machine};
use crate::ndis::activation::Change;
use crate::ndis::handle::Handle;
use crate::ndis::parameters::{
    CALL_PARAMETERS_CHANGED, CallManagerParameters, CallParameters, FlowSpec, MediaParameters,
    ParameterBlock, TRANSMIT_AND_RECEIVE,
};
use crate::ndis::status::{self, Status};
use crate::ndis::{activation, address_family, call, incoming, modification, raw, sap, system, vc};

pub(super) unsafe extern "win64" fn open_af(
    _adapter: usize,
    family: usize,
    af: Handle,
    out: usize,
) -> Status {
    let [family, major, minor] = raw::read(family as *const [u32; 3]);
    let registered = matches!(family, 0x801 | 6) && (major, minor) == (1, 0);
    if !registered && !deviates("any address family") {
        return status::NOT_SUPPORTED;
    }
    let it = if deviates("same AF context") { 0xAF } else { context() };
    mini(|mini| mini.afs.borrow_mut().insert(it, af as usize));
    if mini(|mini| mini.pend.get()) {
        let af = af as usize;
        return later(move || {
            if deviates("open completed with PENDING") {
                ndis!(address_family::open_complete, status::PENDING, af as Handle, it as Handle);
            }
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
            if deviates("VC for a leaving client") {
                let mut vc = std::ptr::null_mut();
                ndis!(vc::driver_create, adapter(), handle as Handle, context() as Handle, &raw mut vc);
            }
            ndis!(address_family::close_complete, status::SUCCESS, handle as Handle);
            if deviates("AF closed twice") {
                ndis!(address_family::close_complete, status::SUCCESS, handle as Handle);
            }
        });
    }
    if deviates("AF close completes and returns") {
        ndis!(address_family::close_complete, status::SUCCESS, handle as Handle);
    }
    if deviates("AF close fails") { status::FAILURE } else { status::SUCCESS }
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
            if deviates("SAP completed after its failure") {
                ndis!(sap::register_complete, status::FAILURE, handle as Handle, it as Handle);
            }
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
    if deviates("offers on a leaving SAP") {
        crate::machine::Machine::current().stall(std::time::Duration::from_millis(1));
        offer(sap);
    }
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
    let it = if deviates("same VC context") { 0xFC } else { context() };
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
    let busy = mini(|mini| mini.calls.borrow().contains(&vc)) && !deviates("deletes a VC in use");
    if busy || deviates("delete refuses") {
        return status::NOT_ACCEPTED;
    }
    match mini(|mini| mini.deviation.get()) {
        "QoS change without a call" => ndis!(modification::dispatch, handle_of(vc), 0),
        "indicates without a call" => indicate(vc, b"nobody"),
        _ => {}
    }
    let handle = mini(|mini| mini.vcs.borrow_mut().remove(&vc)).unwrap_or(0);
    if deviates("uses a deleted VC") {
        Machine::current().queue_dpc(None, "mini", move || {
            ndis!(activation::deactivate, handle as Handle);
        });
    }
    status::SUCCESS
}

/// The context of the one VC.
pub(super) fn own_vc() -> usize {
    mini(|it| *it.vcs.borrow().keys().next().expect("one"))
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
    if deviates("keeps what a call took") {
        for _ in 0..40 {
            ndis!(system::allocate, adapter(), 16, u32::from_le_bytes(*b"mini"), 0);
        }
    }
    if deviates("call fails") {
        return status::TAPI_DISCONNECTMODE_NOANSWER;
    }
    if deviates("connects synchronously inactive") {
        return status::SUCCESS;
    }
    if deviates("call hangs") {
        return status::PENDING;
    }
    mini(|mini| mini.calls.borrow_mut().insert(vc));
    let pended = later(move || connect(vc, parameters));
    if deviates("call completes and returns") { status::FAILURE } else { pended }
}

/// Activates the VC and completes the call.
fn connect(vc: usize, parameters: usize) {
    let handle = handle_of(vc);
    if deviates("activates without parameters") {
        ndis!(activation::activate, handle, 0);
    }
    if deviates("offers the client's VC") {
        let sap = mini(|mini| mini.saps.borrow().values().next().map_or(0, |&(_, sap)| sap));
        ndis!(incoming::dispatch, sap as Handle, handle, parameters);
    }
    if deviates("completes before active") || deviates("indicates inactive") {
        return connected(vc, parameters, status::SUCCESS);
    }
    change(
        (vc, Change::Activation),
        || ndis!(activation::activate, handle, parameters),
        move |status| connected(vc, parameters, status),
    );
}

/// Begins an activation or deactivation, and goes on at its end: when NDIS tells of it, or on return.
fn change(what: (usize, Change), begin: impl FnOnce() -> Status, then: impl FnOnce(Status) + 'static) {
    mini(|mini| mini.then.borrow_mut().insert(what, Box::new(then)));
    let status = begin();
    if deviates("does not wait for NDIS") {
        changed(what, status::SUCCESS);
    }
    if status != status::PENDING {
        changed(what, status);
    }
}

/// The activation or deactivation has ended.
pub(super) fn changed(what: (usize, Change), status: Status) {
    let then = mini(|mini| mini.then.borrow_mut().remove(&what));
    if let Some(then) = then {
        then(status);
    }
}

/// The VC is active, or not: completes the call.
fn connected(vc: usize, parameters: usize, activated: Status) {
    let handle = handle_of(vc);
    if deviates("activates twice") {
        ndis!(activation::activate, handle, parameters);
    }
    if activated == status::SUCCESS {
        bring_up::indicate_mtu(handle);
    }
    if deviates("closes while making") {
        ndis!(call::dispatch_close, status::FAILURE, handle, 0, 0);
    }
    if deviates("indicates inactive") {
        indicate(vc, b"early");
        ndis!(activation::activate, handle, parameters);
    }
    // Flags |= CALL_PARAMETERS_CHANGED, and the rates of the link, in parameters of its own if there are none.
    if raw::read((parameters + 8) as *const usize) == 0 && !deviates("supplies no parameters") {
        let own = mini(|mini| mini.supplied.as_ptr() as usize);
        raw::write((parameters + 8) as *mut usize, own);
        for flow in [own, own + 32] {
            raw::write(flow as *mut u32, 125_000_000);
        }
    }
    let manager = raw::read((parameters + 8) as *const usize);
    if manager != 0 && !deviates("no rates") {
        let flags: u32 = raw::read(parameters as *const u32);
        raw::write(parameters as *mut u32, if deviates("unflagged change") { flags } else { flags | 2 });
        raw::write((manager + 8) as *mut u32, 125_000_000);
        raw::write((manager + 40) as *mut u32, 125_000_000);
    }
    if deviates("relinks parameters") {
        raw::write((parameters + 16) as *mut usize, manager);
    }
    let null = std::ptr::null_mut();
    let status = match () {
        () if deviates("completes with PENDING") => status::PENDING,
        () if deviates("fails active") => status::FAILURE,
        () => activated,
    };
    let given = if deviates("other parameters") { parameters + 8 } else { parameters };
    let locked = deviates("completes a call under a lock");
    under_lock(locked, || ndis!(call::make_call_complete, status, handle, null, null, given));
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
        ndis!(activation::deactivate, adapter());
    }
    if deviates("connected on outgoing call") {
        ndis!(incoming::connected, handle);
    }
}

pub(super) unsafe extern "win64" fn close_call(vc: usize, _party: usize, _data: usize, _size: u32) -> Status {
    let handle = handle_of(vc) as usize;
    let called = mini(|mini| mini.calls.borrow_mut().remove(&vc));
    let pended = Rc::new(Cell::new(mini(|mini| mini.pend.get())));
    let ended = Rc::new(Cell::new(false));
    let complete = {
        let (pended, ended) = (Rc::clone(&pended), Rc::clone(&ended));
        move |_| {
            ended.set(true);
            if deviates("deactivates twice") {
                ndis!(activation::deactivate, handle as Handle);
            }
            if deviates("indicates after deactivation") {
                indicate(vc, b"late");
            }
            let times = u8::from(pended.get()) + u8::from(deviates("close completed twice"));
            for _ in 0..times {
                ndis!(call::close_call_complete, status::SUCCESS, handle as Handle, std::ptr::null_mut());
            }
        }
    };
    let disconnect = move || {
        if !called || deviates("stays active") {
            return complete(status::SUCCESS);
        }
        change((vc, Change::Deactivation), || ndis!(activation::deactivate, handle as Handle), complete);
    };
    if deviates("slow close") {
        pended.set(true);
        Machine::current().spawn("slow", || {
            Machine::current().sleep(std::time::Duration::from_millis(500));
            disconnect();
        });
        return status::PENDING;
    }
    if pended.get() {
        return later(disconnect);
    }
    disconnect();
    if !ended.get() {
        pended.set(true);
        return status::PENDING;
    }
    if deviates("close completes and returns") {
        ndis!(call::close_call_complete, status::SUCCESS, handle as Handle, std::ptr::null_mut());
    }
    if deviates("close fails") { status::FAILURE } else { status::SUCCESS }
}

/// Offers a call on a SAP, as if the network had called. Returns what the client answered.
pub(super) fn offer(sap: usize) -> Status {
    let (context_of_af, sap_handle) = mini(|mini| mini.saps.borrow()[&sap]);
    let other = mini(|mini| mini.afs.borrow().keys().copied().find(|&it| it != context_of_af));
    let other = other.filter(|_| deviates("VC of another client"));
    let af = mini(|mini| mini.afs.borrow()[&other.unwrap_or(context_of_af)]);
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
    mini(|mini| mini.calls.borrow_mut().insert(it));
    if deviates("connected and inactive") {
        return dispatch(sap_handle, it, address);
    }
    let answer = Rc::new(Cell::new(status::PENDING));
    let told = Rc::clone(&answer);
    change(
        (it, Change::Activation),
        || ndis!(activation::activate, handle, address),
        move |_| told.set(dispatch(sap_handle, it, address)),
    );
    answer.get()
}

fn dispatch(sap: usize, vc: usize, parameters: usize) -> Status {
    let (sap, handle) = (sap as Handle, handle_of(vc));
    let status = ndis!(incoming::dispatch, sap, handle, parameters);
    if deviates("offers twice") {
        ndis!(incoming::dispatch, sap, handle, parameters);
    }
    if status != status::PENDING {
        answered(status, vc);
    }
    status
}

pub(super) unsafe extern "win64" fn incoming_complete(status: Status, vc: usize, _parameters: usize) {
    answered(status, vc);
}

fn answered(status: Status, vc: usize) {
    let handle = handle_of(vc);
    // Some pages have NDIS tell of every answer, also of one that was returned.
    let block = mini(|mini| mini.offers.borrow_mut().remove(&vc));
    if block.is_none() {
        return;
    }
    if status != status::SUCCESS {
        mini(|mini| mini.calls.borrow_mut().remove(&vc));
        change((vc, Change::Deactivation), || ndis!(activation::deactivate, handle), move |_| delete_own(vc));
        return;
    }
    let block = block.filter(|it| it.read().flags & CALL_PARAMETERS_CHANGED != 0);
    let Some(block) = block.filter(|_| !deviates("ignores a changed answer")) else {
        return connected_with(vc);
    };
    let address = block.address();
    change(
        (vc, Change::Activation),
        || ndis!(activation::activate, handle, address),
        move |_| {
            drop(block);
            connected_with(vc);
        },
    );
}

/// Tells the client that its call is up.
fn connected_with(vc: usize) {
    let handle = handle_of(vc);
    ndis!(incoming::connected, handle);
    if deviates("connected twice") {
        ndis!(incoming::connected, handle);
    }
    if deviates("deletes before the close") {
        ndis!(call::dispatch_close, status::TAPI_DISCONNECTMODE_NORMAL, handle, 0, 0);
        ndis!(vc::driver_delete, handle);
    }
    if deviates("deletes a connected VC") {
        ndis!(vc::driver_delete, handle);
    }
}

/// Activates the VC with what the client asks for.
pub(super) fn modify(vc: usize, parameters: usize) -> Status {
    let handle = handle_of(vc);
    change(
        (vc, Change::Activation),
        || ndis!(activation::activate, handle, parameters),
        move |status| {
            if !deviates("keeps a change") {
                ndis!(modification::complete, status, handle_of(vc), parameters);
            }
        },
    );
    status::PENDING
}

/// Deletes a VC that this driver created.
pub(super) fn delete_own(vc: usize) {
    ndis!(vc::driver_delete, handle_of(vc));
    mini(|mini| mini.vcs.borrow_mut().remove(&vc));
}

/// Runs `f`, holding a spin lock if so wished.
pub(super) fn under_lock(locked: bool, f: impl FnOnce()) {
    let machine = Machine::current();
    if locked {
        machine.acquire(1, LockKind::Other);
    }
    f();
    if locked {
        machine.release(1, LockKind::Other);
    }
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
