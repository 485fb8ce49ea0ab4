//! The smallest conforming miniport call manager: calls connect at once and echo what is sent. One [`Deviation`] makes
//! it break one rule.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::answers::{cm_oid_request, co_oid_request, oid_request};
use super::bring_up::{self, halt, initialize, pause, restart};
use super::calls::{
    self, close_af, close_call, create_vc, delete_vc, deregister_sap, incoming_complete, make_call, open_af,
    register_sap,
};
use super::data::{co_send, return_lists};
use super::hardware::{self, Card};
use crate::machine::Machine;
use crate::ndis::activation::Change;
use crate::ndis::handle::Handle;
use crate::ndis::net_buffer::layout::Nbl;
use crate::ndis::parameters::ParameterBlock;
use crate::ndis::status::{self, Status};
use crate::ndis::tables::{
    CallManagerHandlers, CoMiniportCharacteristics, MiniportCharacteristics, ObjectHeader,
};
use crate::ndis::{driver, raw, refused};

/// What this run does wrong: the name of a deviation, or nothing.
pub(super) type Deviation = &'static str;

/// Calls an export.
macro_rules! ndis {
    ($function:path $(, $argument:expr)* $(,)?) => {{
        // SAFETY: the exports take what a driver gives them; this driver's arguments live through the call.
        unsafe { $function($($argument),*) }
    }};
}
pub(super) use ndis;

/// What waits for the status of an activation or deactivation.
pub(super) type Then = Box<dyn FnOnce(Status)>;

/// The driver's globals.
#[derive(Default)]
pub(super) struct Mini {
    pub(super) deviation: Cell<Deviation>,
    /// Pend what can be pended, and complete it in a DPC.
    pub(super) pend: Cell<bool>,
    pub(super) driver: Cell<usize>,
    pub(super) adapter: Cell<usize>,
    pub(super) pool: Cell<usize>,
    pub(super) timer: Cell<usize>,
    pub(super) work: Cell<usize>,
    next: Cell<usize>,
    pub(super) afs: RefCell<BTreeMap<usize, usize>>,
    pub(super) saps: RefCell<BTreeMap<usize, (usize, usize)>>,
    pub(super) vcs: RefCell<BTreeMap<usize, usize>>,
    /// Contexts of the VCs with a call.
    pub(super) calls: RefCell<BTreeSet<usize>>,
    /// Parameters of an offered call, by VC context.
    pub(super) offers: RefCell<BTreeMap<usize, ParameterBlock>>,
    /// `CO_CALL_MANAGER_PARAMETERS` for calls without.
    pub(super) supplied: Cell<[u32; 19]>,
    /// Data behind the lists in flight, by list.
    pub(super) data: RefCell<BTreeMap<usize, Vec<u8>>>,
    pub(super) received: Cell<usize>,
    pub(super) pausing: Cell<bool>,
    /// Sends stay until the card goes to sleep, and those that did.
    pub(super) late: Cell<bool>,
    pub(super) kept: Cell<(usize, usize)>,
    pub(super) gone: Cell<bool>,
    /// `WAN_CO_SET_LINK_INFO`, of any VC.
    pub(super) link: RefCell<Vec<u8>>,
    /// What follows the activation or deactivation of a VC, by its context.
    pub(super) then: RefCell<BTreeMap<(usize, Change), Then>>,
    /// Of the driver's own: an MDL and an open configuration.
    pub(super) mdl: Cell<usize>,
    pub(super) configuration: Cell<usize>,
    /// How often `MiniportDriverUnload` was called.
    pub(super) unloaded: Cell<usize>,
    /// The `DriverUnload` that the driver has replaced.
    unload: Cell<usize>,
    /// `SourceHandle` of the list that was last sent without a VC.
    pub(super) source: Cell<usize>,
    pub(super) card: Card,
}

thread_local! {
    pub(super) static MINI: Mini = Mini::default();
}

pub(super) fn mini<R>(f: impl FnOnce(&Mini) -> R) -> R {
    MINI.with(f)
}

/// Whether this run's driver obtains what it can by its own handle, rather than by its adapter's.
pub(super) fn by_driver() -> bool {
    mini(|it| it.deviation.get()).starts_with("driver's ")
}

/// Whether this run deviates so.
pub(super) fn deviates(deviation: Deviation) -> bool {
    mini(|it| it.deviation.get()) == deviation
}

pub(super) fn adapter() -> Handle {
    mini(|it| it.adapter.get()) as Handle
}

/// Completes something now, or in a DPC while the handler's `PENDING` is on its way.
pub(super) fn later(f: impl FnOnce() + 'static) -> Status {
    if mini(|it| it.pend.get()) {
        Machine::current().queue_dpc(None, "mini", f);
    } else {
        f();
    }
    status::PENDING
}

pub(super) fn context() -> usize {
    mini(|it| {
        it.next.set(it.next.get() + 16);
        0x1000 + it.next.get()
    })
}

pub(super) unsafe extern "win64" fn entry(object: usize, path: usize) -> Status {
    let mut table = MiniportCharacteristics {
        header: ObjectHeader::new(0x8A, 2, 152),
        major_ndis_version: 6,
        minor_ndis_version: 40,
        set_options: Some(set_options),
        initialize: Some(initialize),
        halt: Some(halt),
        unload: Some(unload),
        pause: Some(pause),
        restart: Some(restart),
        oid_request: Some(oid_request),
        send_net_buffer_lists: Some(send_connectionless),
        return_net_buffer_lists: Some(return_lists),
        cancel_send: Some(cancel),
        device_pnp_event_notify: Some(pnp_event),
        shutdown: Some(shut_down),
        cancel_oid_request: Some(cancel),
        ..MiniportCharacteristics::default()
    };
    match mini(|it| it.deviation.get()) {
        "header size" => table.header.size = 136,
        "no pause handler" => table.pause = None,
        "hang without reset" => table.check_for_hang = Some(check_for_hang),
        "no set options" => table.set_options = None,
        "NDIS 5" => table.major_ndis_version = 5,
        "NDIS 6.0" => old(&mut table, 0, 1, 136),
        "NDIS 6.1" => old(&mut table, 1, 2, 152),
        "NDIS 6.20" => old(&mut table, 20, 2, 152),
        "NDIS 6.0 with a later table" => old(&mut table, 0, 2, 152),
        "NDIS 6.1 with an earlier table" => old(&mut table, 1, 1, 136),
        "NDIS 6.45" => table.minor_ndis_version = 45,
        "NDIS of tomorrow" => table.minor_ndis_version = 90,
        _ => {}
    }
    let mut handle = std::ptr::null_mut();
    let out = &raw mut handle;
    let status = ndis!(driver::register, object, path, 7, (&raw const table) as usize, out);
    mini(|it| it.driver.set(handle as usize));
    take_unload(object);
    if deviates("registers twice") {
        ndis!(driver::register, object, path, 7, (&raw const table) as usize, out);
    }
    if deviates("late options") {
        ndis!(driver::set_optional_handlers, handle, 0);
    }
    if deviates("entry fails registered") { status::FAILURE } else { status }
}

/// Declares another version, with the table that belongs to it or does not.
fn old(table: &mut MiniportCharacteristics, minor: u8, revision: u8, size: u16) {
    table.minor_ndis_version = minor;
    table.header = ObjectHeader::new(0x8A, revision, size);
}

unsafe extern "win64" fn check_for_hang(_context: usize) -> u8 {
    0
}

unsafe extern "win64" fn set_options(handle: Handle, _context: usize) -> Status {
    let mut co = CoMiniportCharacteristics {
        header: ObjectHeader::new(0x91, 1, 56),
        co_activate_vc: Some(co_activate),
        co_deactivate_vc: Some(co_deactivate),
        co_send_net_buffer_lists: Some(co_send),
        co_oid_request: Some(co_oid_request),
        ..CoMiniportCharacteristics::default()
    };
    let mut cm = CallManagerHandlers {
        header: ObjectHeader::new(0xA5, 1, 136),
        reserved: 0,
        create_vc: Some(create_vc),
        delete_vc: Some(delete_vc),
        open_af: Some(open_af),
        close_af: Some(close_af),
        register_sap: Some(register_sap),
        deregister_sap: Some(deregister_sap),
        make_call: Some(make_call),
        close_call: Some(close_call),
        incoming_call_complete: Some(incoming_complete),
        add_party: Some(add_party),
        drop_party: Some(drop_party),
        activate_vc_complete: Some(activated),
        deactivate_vc_complete: Some(deactivated),
        modify_call_qos: Some(modify),
        oid_request: Some(cm_oid_request),
        oid_request_complete: Some(cm_oid_complete),
        notify_close_af_complete: Some(notify_closed),
    };
    match mini(|it| it.deviation.get()) {
        "CoCreateVc" => co.co_create_vc = Some(create_vc),
        "no CoSend" => co.co_send_net_buffer_lists = None,
        "co size" => co.header.size = 64,
        "cm size" => cm.header.size = 144,
        "no modify" => cm.modify_call_qos = None,
        "no create" => cm.create_vc = None,
        "one OID handler" => {
            raw::write((&raw mut co.co_oid_request).cast(), cm_oid_request as *const () as usize);
        }
        "unknown table" => co.header.kind = 0x90,
        _ => {}
    }
    let mut status = status::SUCCESS;
    if !deviates("no co table") {
        status = ndis!(driver::set_optional_handlers, handle, (&raw const co) as usize);
    }
    if status == status::SUCCESS && !deviates("no cm table") {
        status = ndis!(driver::set_optional_handlers, handle, (&raw const cm) as usize);
    }
    status
}

/// Some drivers have an unload routine of their own, and call that of NDIS from there or not.
fn take_unload(object: usize) {
    let at = (object + 0x68) as *mut usize;
    let own = own_unload as *const () as usize;
    match mini(|it| it.deviation.get()) {
        "unloads before NDIS" | "unloads by itself" => {
            mini(|it| it.unload.set(raw::read(at.cast_const())));
            raw::write(at, own);
        }
        "no unload routine" => raw::write(at, 0),
        _ => {}
    }
}

unsafe extern "win64" fn own_unload(object: usize) {
    mini(|it| it.unloaded.set(it.unloaded.get() + 10));
    if deviates("unloads by itself") {
        ndis!(driver::deregister, mini(|it| it.driver.get()) as Handle);
        return;
    }
    let unload = mini(|it| it.unload.get());
    // SAFETY: NDIS put this routine into the driver object.
    let unload = unsafe { std::mem::transmute::<usize, unsafe extern "win64" fn(usize)>(unload) };
    // SAFETY: as above.
    unsafe { unload(object) };
}

unsafe extern "win64" fn unload(_object: usize) {
    if by_driver() {
        bring_up::release_driver();
    }
    if !deviates("stays registered") {
        ndis!(driver::deregister, mini(|it| it.driver.get()) as Handle);
    }
    mini(|it| it.unloaded.set(it.unloaded.get() + 1));
}

/// What has no VC goes back.
unsafe extern "win64" fn send_connectionless(_context: usize, list: usize, _port: u32, _flags: u32) {
    mini(|it| it.source.set(Nbl(list).source_handle()));
    Nbl(list).set_status(status::NOT_SUPPORTED);
    if deviates("changes the source of a send") {
        Nbl(list).set_source_handle(adapter() as usize);
    }
    later(move || ndis!(refused::connectionless_complete, adapter(), list, 0));
}

unsafe extern "win64" fn cancel(_context: usize, _id: usize) {}

/// `NetDevicePnPEvent` is at offset 8.
unsafe extern "win64" fn pnp_event(_context: usize, event: usize) {
    let code: u32 = raw::read((event + 8) as *const u32);
    mini(|it| it.gone.set(code == 2));
}

unsafe extern "win64" fn shut_down(_context: usize, _action: u32) {
    if deviates("frees in shutdown") {
        hardware::free_shared();
    }
}

unsafe extern "win64" fn co_activate(_vc: usize, _parameters: usize) -> Status {
    if deviates("miniport activates later") { status::PENDING } else { status::SUCCESS }
}

unsafe extern "win64" fn co_deactivate(_vc: usize) -> Status {
    status::SUCCESS
}

unsafe extern "win64" fn add_party(_vc: usize, _parameters: usize, _party: Handle, _out: usize) -> Status {
    status::NOT_SUPPORTED
}

unsafe extern "win64" fn drop_party(_party: usize, _data: usize, _size: u32) -> Status {
    status::NOT_SUPPORTED
}

unsafe extern "win64" fn activated(status: Status, vc: usize, _parameters: usize) {
    calls::changed((vc, Change::Activation), status);
}

unsafe extern "win64" fn deactivated(status: Status, vc: usize) {
    calls::changed((vc, Change::Deactivation), status);
}

unsafe extern "win64" fn modify(vc: usize, parameters: usize) -> Status {
    if deviates("changes without activation") {
        return status::SUCCESS;
    }
    calls::modify(vc, parameters)
}

unsafe extern "win64" fn notify_closed(_af: usize, _status: Status) {}

unsafe extern "win64" fn cm_oid_complete(
    _af: usize,
    _vc: usize,
    _party: usize,
    _request: usize,
    _status: Status,
) {
}
