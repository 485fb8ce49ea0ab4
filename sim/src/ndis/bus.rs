//! The card on its bus: configuration space, register windows, ports.

use super::adapter::Adapter;
use super::handle::Handle;
use super::io_object::Devices;
use super::ownership::Resource;
use super::status::{self, Status};
use super::{finding, raw};
use crate::machine::{IrqlRange, enter};

/// `PCI_WHICHSPACE_CONFIG`.
const CONFIG: u32 = 0;

fn in_config_space(adapter: &Adapter, function: &str, space: u32, offset: u32, len: u32) -> bool {
    let inside = space == CONFIG && offset.checked_add(len).is_some_and(|end| end <= 4096);
    if !inside {
        let text = format!("{function}: space {space}, {len} bytes at {offset:#x}");
        finding("CO-291", Some(adapter.name()), text);
    }
    inside
}

pub(super) unsafe extern "win64" fn get_data(
    h: Handle,
    space: u32,
    offset: u32,
    buffer: usize,
    len: u32,
) -> u32 {
    let call = enter("NdisMGetBusData", IrqlRange::ANY);
    let Some(adapter) = Adapter::find(h) else { return 0 };
    if !in_config_space(&adapter, "NdisMGetBusData", space, offset, len) {
        return 0;
    }
    let Some(slot) = adapter.slot().filter(|_| !call.machine().should_fail("NdisMGetBusData")) else {
        return 0;
    };
    let mut data = vec![0; len as usize];
    slot.read_config(offset, &mut data);
    raw::store(buffer, &data);
    len
}

pub(super) unsafe extern "win64" fn set_data(
    h: Handle,
    space: u32,
    offset: u32,
    buffer: usize,
    len: u32,
) -> u32 {
    let _call = enter("NdisMSetBusData", IrqlRange::ANY);
    let Some(adapter) = Adapter::find(h) else { return 0 };
    if !in_config_space(&adapter, "NdisMSetBusData", space, offset, len) {
        return 0;
    }
    let Some(slot) = adapter.slot() else { return 0 };
    slot.write_config(offset, &raw::bytes(buffer, len as usize));
    len
}

pub(super) unsafe extern "win64" fn map_io_space(
    out: *mut usize,
    h: Handle,
    physical: u64,
    len: u32,
) -> Status {
    let call = enter("NdisMMapIoSpace", IrqlRange::PASSIVE);
    let Some(adapter) = Adapter::find(h) else { return status::FAILURE };
    adapter.check_initializing("SDV.NdisMMapIoSpace", "NdisMMapIoSpace");
    adapter.check_registered("NdisMMapIoSpace");
    if call.machine().should_fail("NdisMMapIoSpace") {
        return status::RESOURCES;
    }
    let mapped = adapter.slot().and_then(|slot| slot.map(physical, len as usize).ok());
    let Some(va) = mapped else {
        let text = format!("{len} bytes at {physical:#x} are no window of the card");
        finding("CO-292", Some(adapter.name()), text);
        return status::RESOURCE_CONFLICT;
    };
    adapter.own(Resource::IoSpace, va, format!("{len} bytes of mapped registers"));
    raw::write(out, va);
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn unmap_io_space(h: Handle, va: usize, _len: u32) {
    let _call = enter("NdisMUnmapIoSpace", IrqlRange::PASSIVE);
    let Some(adapter) = Adapter::find(h) else { return };
    let unmapped =
        adapter.owned.remove(Resource::IoSpace, va) && adapter.slot().is_some_and(|it| it.unmap(va));
    if !unmapped {
        finding("CO-283", Some(adapter.name()), "unmaps what is not mapped".to_owned());
    }
}

pub(super) unsafe extern "win64" fn register_ports(
    out: *mut usize,
    h: Handle,
    first: u32,
    count: u32,
) -> Status {
    let call = enter("NdisMRegisterIoPortRange", IrqlRange::PASSIVE);
    let Some(adapter) = Adapter::find(h) else { return status::FAILURE };
    adapter.check_initializing("SDV.NdisMRegisterIoPortRange", "NdisMRegisterIoPortRange");
    adapter.check_registered("NdisMRegisterIoPortRange");
    if call.machine().should_fail("NdisMRegisterIoPortRange") {
        return status::RESOURCES;
    }
    let granted = adapter.slot().is_some_and(|slot| slot.map_ports(first.into(), count.into()));
    if !granted {
        return status::RESOURCE_CONFLICT;
    }
    adapter.own(Resource::PortRange, first as usize, format!("{count} I/O ports"));
    // Ports need no mapping on x64: the offset is the port number.
    raw::write(out, first as usize);
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn deregister_ports(h: Handle, first: u32, _count: u32, offset: usize) {
    let _call = enter("NdisMDeregisterIoPortRange", IrqlRange::PASSIVE);
    let Some(adapter) = Adapter::find(h) else { return };
    let mirrored = first as usize == offset
        && adapter.owned.remove(Resource::PortRange, offset)
        && adapter.slot().is_some_and(|slot| slot.unmap_ports(first.into()));
    if !mirrored {
        finding("CO-284", Some(adapter.name()), "deregisters ports that are not registered".to_owned());
    }
}

/// The device objects stay NDIS's and the bus's: "simply handles that are opaque to the miniport driver".
pub(super) unsafe extern "win64" fn device_property(
    h: Handle,
    physical: *mut usize,
    functional: *mut usize,
    next: *mut usize,
    raw_resources: *mut usize,
    translated: *mut usize,
) {
    let _call = enter("NdisMGetDeviceProperty", IrqlRange::PASSIVE);
    let Some(adapter) = Adapter::find(h) else { return };
    let devices = adapter.devices.borrow().as_ref().map_or([0; 3], Devices::addresses);
    for (out, device) in [physical, functional, next].into_iter().zip(devices) {
        raw::out(out, device);
    }
    raw::out(raw_resources, 0);
    raw::out(translated, 0);
}
