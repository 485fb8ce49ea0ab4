//! From initialization to halt of the smallest driver.

use super::hardware;
use super::mini::{adapter, by_driver, deviates, later, mini, ndis};
use crate::machine::Machine;
use crate::ndis::handle::Handle;
use crate::ndis::status::{self, Status};
use crate::ndis::{
    address_family, attributes, configuration, driver, indication, lifecycle, net_buffer, system, timer,
    work_item,
};

pub(super) unsafe extern "win64" fn initialize(handle: Handle, _context: usize, parameters: usize) -> Status {
    mini(|it| it.adapter.set(handle as usize));
    if deviates("slow start") {
        // Looks every 100 us, and sleeps until the next tick each time.
        (0..300).for_each(|_| ndis!(system::sleep, 100));
    }
    match mini(|it| it.deviation.get()) {
        "family before attributes" => register_family(0x801),
        "status before attributes" => indicate_link(handle as usize, 112),
        "interrupt before attributes" => _ = hardware::connect(),
        _ => {}
    }
    let (status, configuration) = open_configuration(handle);
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
    if deviates("does not accept its configuration") {
        return status::NOT_ACCEPTED;
    }
    let mut status = obtain(handle);
    if status == status::SUCCESS {
        status = hardware::obtain(handle, parameters);
    }
    if status != status::SUCCESS || deviates("silent failure") || deviates("leaks on failure") {
        if !deviates("leaks on failure") {
            release();
        }
        return fail(if status == status::SUCCESS { status::FAILURE } else { status });
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
    let (flags, hang): (u32, u32) = match mini(|it| it.deviation.get()) {
        "no bus master" => (0x01, 0),
        "no binding to NDPROXY" => (0x51, 0),
        "hang time" => (0x41, 3),
        _ => (0x41, 0),
    };
    if mini(|it| it.deviation.get()).starts_with("NDIS 6") {
        bytes[1] = 1;
    }
    if deviates("no adapter context") {
        bytes[8..16].fill(0);
    }
    bytes[16..20].copy_from_slice(&flags.to_le_bytes());
    bytes[20..24].copy_from_slice(&hang.to_le_bytes());
    bytes[24..28].copy_from_slice(&5_u32.to_le_bytes());
    ndis!(attributes::set, handle, bytes.as_ptr() as usize)
}

/// `MtuSize`.
const MTU: u32 = 1492;

fn set_general(handle: Handle) -> Status {
    let oids = [0x0001_0101_u32];
    let mut bytes = [0_u8; 224];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &[0x9F, 2, 224, 0]);
    put(8, &12_u32.to_le_bytes());
    put(16, &MTU.to_le_bytes());
    put(56, &1_u32.to_le_bytes());
    put(80, &9_u32.to_le_bytes());
    put(92, &6_u16.to_le_bytes());
    put(200, &(oids.as_ptr() as u64).to_le_bytes());
    put(208, &4_u32.to_le_bytes());
    if deviates("NDIS 6.0") || deviates("NDIS 6.1") {
        put(0, &[0x9F, 1, 216, 0]);
        return ndis!(attributes::set, handle, bytes.as_ptr() as usize);
    }
    let capabilities = if deviates("no power capabilities") { 0 } else { oids.as_ptr() as u64 };
    put(216, &capabilities.to_le_bytes());
    ndis!(attributes::set, handle, bytes.as_ptr() as usize)
}

/// `NDIS_CONFIGURATION_OBJECT` for an adapter or a driver.
fn open_configuration(handle: Handle) -> (Status, Handle) {
    let object: [u64; 3] = [u64::from_le_bytes([0xA9, 1, 20, 0, 0, 0, 0, 0]), handle as u64, 0];
    let mut configuration = std::ptr::null_mut();
    let status = ndis!(configuration::open, (&raw const object) as usize, &raw mut configuration);
    (status, configuration)
}

/// What is the driver's own, from the first start of an adapter to the unload.
fn obtain_for_driver(handle: Handle) -> Status {
    let mdl = ndis!(net_buffer::allocate_mdl, handle, 0x1000, 16);
    let (status, configuration) = open_configuration(handle);
    mini(|it| it.mdl.set(mdl));
    mini(|it| it.configuration.set(configuration as usize));
    if mdl == 0 { status::RESOURCES } else { status }
}

/// Frees what is the driver's own, but for what the run's deviation forgets.
pub(super) fn release_driver() {
    release_parts();
    let (mdl, configuration) = mini(|it| (it.mdl.take(), it.configuration.take()));
    if mdl != 0 && !deviates("driver's MDL") {
        ndis!(net_buffer::free_mdl, mdl);
    }
    if configuration != 0 && !deviates("driver's configuration") {
        ndis!(configuration::close, configuration as Handle);
    }
}

/// Pool, timer, work item; on failure nothing stays.
fn obtain(handle: Handle) -> Status {
    let handle = match mini(|it| it.deviation.get()) {
        _ if by_driver() => mini(|it| it.driver.get()) as Handle,
        "things of nobody" => std::ptr::null_mut(),
        _ => handle,
    };
    if by_driver() && obtain_for_driver(handle) != status::SUCCESS {
        release_driver();
        return status::RESOURCES;
    }
    let pool_parameters: [u32; 4] = [0x0010_0180, 0x0000_0100, u32::from_le_bytes(*b"mini"), 0];
    // The page of the function calls its handle optional.
    let of = if deviates("driver's pool of nobody") { std::ptr::null_mut() } else { handle };
    let pool = ndis!(net_buffer::allocate_list_pool, of, (&raw const pool_parameters) as usize);
    mini(|it| it.pool.set(pool as usize));
    let timer_characteristics: [usize; 3] =
        [0x6E69_6D00_0018_0197 | 0x69 << 32, timer_fired as *const () as usize, 1];
    let mut timer = std::ptr::null_mut();
    let status = ndis!(timer::allocate, handle, (&raw const timer_characteristics) as usize, &raw mut timer);
    mini(|it| it.timer.set(if status == status::SUCCESS { timer as usize } else { 0 }));
    let work = ndis!(work_item::allocate, handle);
    mini(|it| it.work.set(work as usize));
    if pool.is_null() || status != status::SUCCESS || work.is_null() {
        return status::RESOURCES;
    }
    if deviates("timer left set") {
        ndis!(timer::set, timer, -1_000_000_000, 0, 0);
    }
    if deviates("work item twice") || deviates("work item freed queued") {
        ndis!(work_item::queue, work, work_done as *const () as usize, 0);
    }
    match mini(|it| it.deviation.get()) {
        "work item twice" => ndis!(work_item::queue, work, work_done as *const () as usize, 0),
        "work item freed queued" => ndis!(work_item::free, mini(|it| it.work.take()) as Handle),
        _ => {}
    }
    status::SUCCESS
}

fn release() {
    hardware::release();
    if !by_driver() {
        release_parts();
    }
}

fn release_parts() {
    let (pool, timer, work) = mini(|it| (it.pool.take(), it.timer.take(), it.work.take()));
    if pool != 0 && !deviates("pool leak") && !deviates("driver's pool") {
        ndis!(net_buffer::free_list_pool, pool as Handle);
    }
    if timer != 0 && !deviates("timer leak") && !deviates("driver's timer") {
        ndis!(timer::free, timer as Handle);
    }
    if work != 0 && !deviates("work item leak") && !deviates("driver's work item") {
        ndis!(work_item::free, work as Handle);
    }
}

unsafe extern "win64" fn timer_fired(_system: usize, _context: usize, _two: usize, _three: usize) {}

unsafe extern "win64" fn work_done(_context: usize, _item: Handle) {}

pub(super) unsafe extern "win64" fn halt(_context: usize, _action: u32) {
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
    if deviates("early deregistration") {
        ndis!(driver::deregister, mini(|it| it.driver.get()) as Handle);
    }
    if deviates("late status") {
        let adapter = adapter() as usize;
        Machine::current().spawn("late", move || {
            Machine::current().sleep(std::time::Duration::from_secs(1));
            indicate_link(adapter, 112);
        });
    }
}

/// `NDIS_STATUS_LINK_STATE` for the adapter, in a structure that says it has `size` bytes.
pub(super) fn indicate_link(adapter: usize, size: u16) {
    indicate(adapter, 0x4001_0017, size);
}

/// `NDIS_STATUS_WAN_CO_MTULINKPARAMS` for a VC.
pub(super) fn indicate_mtu(vc: Handle) {
    let mtu = if deviates("wider than the adapter") { MTU + 1 } else { MTU };
    let mut parameters = [0_u8; 40];
    parameters[16..20].copy_from_slice(&mtu.to_le_bytes());
    indicate_on(mini(|it| it.adapter.get()), vc, 0x4001_0025, 112, &parameters);
}

/// Any status with 40 bytes, for the adapter.
pub(super) fn indicate(adapter: usize, code: u32, size: u16) {
    indicate_on(adapter, std::ptr::null_mut(), code, size, &[0; 40]);
}

fn indicate_on(adapter: usize, vc: Handle, code: u32, size: u16, state: &[u8; 40]) {
    let mut bytes = [0_u8; 112];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &[0x98, 1]);
    put(2, &size.to_le_bytes());
    put(8, &(adapter as u64).to_le_bytes());
    put(20, &code.to_le_bytes());
    put(48, &(state.as_ptr() as u64).to_le_bytes());
    put(56, &40_u32.to_le_bytes());
    if deviates("connectionless status") {
        ndis!(indication::indicate, adapter as Handle, bytes.as_ptr() as usize);
    } else {
        ndis!(indication::co_indicate, adapter as Handle, vc, bytes.as_ptr() as usize);
    }
}

pub(super) unsafe extern "win64" fn pause(_context: usize, _parameters: usize) -> Status {
    if deviates("pause fails") {
        return status::FAILURE;
    }
    if deviates("pause hangs") {
        return status::PENDING;
    }
    if deviates("pause completed and returned") {
        ndis!(lifecycle::pause_complete, adapter());
        return status::SUCCESS;
    }
    if deviates("slow pause") {
        Machine::current().spawn("slow", || {
            Machine::current().sleep(std::time::Duration::from_millis(500));
            ndis!(lifecycle::pause_complete, adapter());
        });
        return status::PENDING;
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

pub(super) unsafe extern "win64" fn restart(_context: usize, _parameters: usize) -> Status {
    hardware::restart();
    if mini(|it| it.pend.get()) {
        return later(|| ndis!(lifecycle::restart_complete, adapter(), status::SUCCESS));
    }
    if deviates("restart completes twice") {
        ndis!(lifecycle::restart_complete, adapter(), status::SUCCESS);
    }
    status::SUCCESS
}
