//! The smallest conforming miniport call manager: calls connect at once and echo what is sent. One [`Deviation`] makes
//! it break one rule.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::machine::Machine;
use crate::ndis::handle::Handle;
use crate::ndis::parameters::ParameterBlock;
use crate::ndis::status::{self, Status};
use crate::ndis::tables::{
    CallManagerHandlers, CoMiniportCharacteristics, MiniportCharacteristics, ObjectHeader,
};
use crate::ndis::{
    address_family, attributes, configuration, driver, indication, lifecycle, net_buffer, system, timer,
    work_item,
};

use super::calls::{
    close_af, close_call, cm_oid_request, co_oid_request, create_vc, delete_vc, deregister_sap,
    incoming_complete, make_call, oid_request, open_af, register_sap,
};
use super::data::{co_send, return_lists};

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

/// The driver's globals.
#[derive(Default)]
pub(super) struct Mini {
    pub(super) deviation: Cell<Deviation>,
    /// Pend what can be pended, and complete it in a DPC.
    pub(super) pend: Cell<bool>,
    pub(super) driver: Cell<usize>,
    pub(super) adapter: Cell<usize>,
    pub(super) pool: Cell<usize>,
    timer: Cell<usize>,
    work: Cell<usize>,
    next: Cell<usize>,
    pub(super) afs: RefCell<BTreeMap<usize, usize>>,
    pub(super) saps: RefCell<BTreeMap<usize, (usize, usize)>>,
    pub(super) vcs: RefCell<BTreeMap<usize, usize>>,
    /// Parameters of an offered call, by VC context.
    pub(super) offers: RefCell<BTreeMap<usize, ParameterBlock>>,
    /// Data behind the lists in flight, by list.
    pub(super) data: RefCell<BTreeMap<usize, Vec<u8>>>,
    pub(super) received: Cell<usize>,
    pub(super) last_request: Cell<usize>,
    pub(super) pausing: Cell<bool>,
}

thread_local! {
    pub(super) static MINI: Mini = Mini::default();
}

pub(super) fn mini<R>(f: impl FnOnce(&Mini) -> R) -> R {
    MINI.with(f)
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
        _ => {}
    }
    let mut handle = std::ptr::null_mut();
    let out = &raw mut handle;
    let status = ndis!(driver::register, object, path, 7, (&raw const table) as usize, out);
    mini(|it| it.driver.set(handle as usize));
    if deviates("registers twice") {
        ndis!(driver::register, object, path, 7, (&raw const table) as usize, out);
    }
    if deviates("late options") {
        ndis!(driver::set_optional_handlers, handle, 0);
    }
    if deviates("entry fails registered") { status::FAILURE } else { status }
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

unsafe extern "win64" fn unload(_object: usize) {
    if !deviates("stays registered") {
        ndis!(driver::deregister, mini(|it| it.driver.get()) as Handle);
    }
}

unsafe extern "win64" fn initialize(handle: Handle, _context: usize, _parameters: usize) -> Status {
    mini(|it| it.adapter.set(handle as usize));
    if deviates("family before attributes") {
        register_family(0x801);
    }
    let mut configuration = std::ptr::null_mut();
    let object: [u64; 3] = [u64::from_le_bytes([0xA9, 1, 20, 0, 0, 0, 0, 0]), handle as u64, 0];
    let status = ndis!(configuration::open, (&raw const object) as usize, &raw mut configuration);
    if status != status::SUCCESS {
        return fail(status);
    }
    if !deviates("open configuration") {
        ndis!(configuration::close, configuration);
    }
    if deviates("configuration after close") {
        ndis!(configuration::close, configuration);
    }
    let status = if deviates("general first") { set_general(handle) } else { set_registration(handle) };
    if status != status::SUCCESS {
        return fail(status);
    }
    let status = if deviates("no general") { status::SUCCESS } else { set_general(handle) };
    if status != status::SUCCESS {
        return fail(status);
    }
    let status = obtain(handle);
    if status != status::SUCCESS {
        return status;
    }
    register_family(0x801);
    register_family(if deviates("family twice") { 0x801 } else { 6 });
    if deviates("init pends") {
        release();
        return fail(status::PENDING);
    }
    status::SUCCESS
}

/// A failing start tells the error log.
fn fail(status: Status) -> Status {
    if !deviates("silent failure") {
        ndis!(system::write_error_log, adapter(), 0xC000_1389, 0, 0);
    }
    status
}

fn register_family(family: u32) {
    let family = [family, 1, 0];
    ndis!(address_family::register, adapter(), (&raw const family) as usize);
}

pub(super) fn set_registration(handle: Handle) -> Status {
    let mut bytes = [0_u8; 32];
    bytes[..4].copy_from_slice(&[0x9E, 2, 28, 0]);
    bytes[8..16].copy_from_slice(&0xADA0_u64.to_le_bytes());
    bytes[16..20].copy_from_slice(&0x41_u32.to_le_bytes());
    bytes[24..28].copy_from_slice(&5_u32.to_le_bytes());
    ndis!(attributes::set, handle, bytes.as_ptr() as usize)
}

fn set_general(handle: Handle) -> Status {
    let oids = [0x0001_0101_u32];
    let mut bytes = [0_u8; 224];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &[0x9F, 2, 224, 0]);
    put(8, &12_u32.to_le_bytes());
    put(16, &1492_u32.to_le_bytes());
    put(80, &9_u32.to_le_bytes());
    put(92, &6_u16.to_le_bytes());
    put(200, &(oids.as_ptr() as u64).to_le_bytes());
    put(208, &4_u32.to_le_bytes());
    let capabilities = if deviates("no power capabilities") { 0 } else { oids.as_ptr() as u64 };
    put(216, &capabilities.to_le_bytes());
    ndis!(attributes::set, handle, bytes.as_ptr() as usize)
}

/// Pool, timer, work item; on failure nothing stays.
fn obtain(handle: Handle) -> Status {
    let pool_parameters: [u32; 4] = [0x0010_0180, 0x0000_0100, u32::from_le_bytes(*b"mini"), 0];
    let pool = ndis!(net_buffer::allocate_list_pool, handle, (&raw const pool_parameters) as usize);
    mini(|it| it.pool.set(pool as usize));
    let timer_characteristics: [usize; 3] =
        [0x6E69_6D00_0018_0197 | 0x69 << 32, timer_fired as *const () as usize, 1];
    let mut timer = std::ptr::null_mut();
    let status = ndis!(timer::allocate, handle, (&raw const timer_characteristics) as usize, &raw mut timer);
    mini(|it| it.timer.set(if status == status::SUCCESS { timer as usize } else { 0 }));
    let work = ndis!(work_item::allocate, handle);
    mini(|it| it.work.set(work as usize));
    if pool.is_null() || status != status::SUCCESS || work.is_null() {
        if !deviates("leaks on failure") {
            release();
        }
        return fail(status::RESOURCES);
    }
    if deviates("timer left set") {
        ndis!(timer::set, timer, -1_000_000_000, 0, 0);
    }
    if deviates("work item twice") {
        ndis!(work_item::queue, work, work_done as *const () as usize, 0);
        ndis!(work_item::queue, work, work_done as *const () as usize, 0);
    }
    status::SUCCESS
}

fn release() {
    let (pool, timer, work) = mini(|it| (it.pool.take(), it.timer.take(), it.work.take()));
    if pool != 0 && !deviates("pool leak") {
        ndis!(net_buffer::free_list_pool, pool as Handle);
    }
    if timer != 0 && !deviates("timer leak") {
        ndis!(timer::free, timer as Handle);
    }
    if work != 0 && !deviates("work item leak") {
        ndis!(work_item::free, work as Handle);
    }
}

unsafe extern "win64" fn timer_fired(_system: usize, _context: usize, _two: usize, _three: usize) {}

unsafe extern "win64" fn work_done(_context: usize, _item: Handle) {}

unsafe extern "win64" fn halt(_context: usize, _action: u32) {
    let open: Vec<usize> = mini(|it| it.afs.borrow().values().copied().collect());
    for af in open {
        if deviates("silent halt") {
            break;
        }
        ndis!(address_family::notify_close, af as Handle);
        if deviates("notifies twice") {
            ndis!(address_family::notify_close, af as Handle);
        }
    }
    // Not for ever: a deviation may have lost an open.
    for _ in 0..1000 {
        if deviates("silent halt") || mini(|it| it.afs.borrow().is_empty()) {
            break;
        }
        ndis!(system::sleep, 1000);
    }
    release();
    if deviates("late status") {
        let adapter = adapter() as usize;
        Machine::current().spawn("late", move || {
            Machine::current().sleep(std::time::Duration::from_secs(1));
            indicate_link(adapter, 112);
        });
    }
}

/// `NDIS_STATUS_LINK_STATE` for the adapter.
pub(super) fn indicate_link(adapter: usize, size: u16) {
    let state = [0_u8; 40];
    let mut bytes = [0_u8; 112];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &[0x98, 1]);
    put(2, &size.to_le_bytes());
    put(8, &(adapter as u64).to_le_bytes());
    put(20, &0x4001_0017_u32.to_le_bytes());
    put(48, &(state.as_ptr() as u64).to_le_bytes());
    put(56, &40_u32.to_le_bytes());
    ndis!(indication::indicate, adapter as Handle, bytes.as_ptr() as usize);
}

unsafe extern "win64" fn pause(_context: usize, _parameters: usize) -> Status {
    if deviates("pause fails") {
        return status::FAILURE;
    }
    if deviates("pause completed and returned") {
        ndis!(lifecycle::pause_complete, adapter());
        return status::SUCCESS;
    }
    mini(|it| it.pausing.set(true));
    if mini(|it| it.received.get()) == 0 || deviates("pause does not wait") {
        mini(|it| it.pausing.set(false));
        return if mini(|it| it.pend.get()) {
            later(|| ndis!(lifecycle::pause_complete, adapter()))
        } else {
            status::SUCCESS
        };
    }
    status::PENDING
}

unsafe extern "win64" fn restart(_context: usize, _parameters: usize) -> Status {
    if mini(|it| it.pend.get()) {
        return later(|| ndis!(lifecycle::restart_complete, adapter(), status::SUCCESS));
    }
    if deviates("restart completes twice") {
        ndis!(lifecycle::restart_complete, adapter(), status::SUCCESS);
    }
    status::SUCCESS
}

unsafe extern "win64" fn send_connectionless(_context: usize, _list: usize, _port: u32, _flags: u32) {}

unsafe extern "win64" fn cancel(_context: usize, _id: usize) {}

unsafe extern "win64" fn pnp_event(_context: usize, _event: usize) {}

unsafe extern "win64" fn shut_down(_context: usize, _action: u32) {}

unsafe extern "win64" fn co_activate(_vc: usize, _parameters: usize) -> Status {
    status::SUCCESS
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

unsafe extern "win64" fn activated(_status: Status, _vc: usize, _parameters: usize) {}

unsafe extern "win64" fn deactivated(_status: Status, _vc: usize) {}

unsafe extern "win64" fn modify(_vc: usize, _parameters: usize) -> Status {
    status::NOT_SUPPORTED
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
