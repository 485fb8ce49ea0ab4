//! `DRIVER_OBJECT` and `DEVICE_OBJECT`, as `wdm.h` lays them out for 64-bit targets.
//!
//! Of a driver object all is filled that its page names; `DriverSection` is the loader's and NULL here. Nobody sends IRPs, so the
//! dispatch table has the routine of those who handle none, also after the registration with NDIS.

use std::rc::Rc;

use super::block::Block;
use super::raw;
use crate::machine::{IrqlRange, Machine, enter};

/// `IO_TYPE_DEVICE` and `IO_TYPE_DRIVER`.
const DEVICE: i16 = 3;
const DRIVER: i16 = 4;
/// Bytes of either object, and of a `DRIVER_EXTENSION`.
const LEN: usize = 336;
const EXTENSION_LEN: usize = 40;
/// `IRP_MJ_MAXIMUM_FUNCTION` and one more.
const FUNCTIONS: usize = 28;
/// `STATUS_INVALID_DEVICE_REQUEST`.
const INVALID_DEVICE_REQUEST: i32 = 0xC000_0010_u32.cast_signed();

/// Offsets in `DRIVER_OBJECT`.
mod driver_at {
    pub(super) const DEVICE_OBJECT: usize = 0x08;
    pub(super) const START: usize = 0x18;
    pub(super) const SIZE: usize = 0x20;
    pub(super) const EXTENSION: usize = 0x30;
    pub(super) const NAME: usize = 0x38;
    pub(super) const HARDWARE_DATABASE: usize = 0x48;
    pub(super) const INIT: usize = 0x58;
    pub(super) const UNLOAD: usize = 0x68;
    pub(super) const MAJOR_FUNCTION: usize = 0x70;
}

/// Offsets in `DEVICE_OBJECT`.
mod device_at {
    pub(super) const SIZE: usize = 0x02;
    pub(super) const DRIVER: usize = 0x08;
    pub(super) const NEXT: usize = 0x10;
    pub(super) const ATTACHED: usize = 0x18;
    pub(super) const FLAGS: usize = 0x30;
    pub(super) const CHARACTERISTICS: usize = 0x34;
    pub(super) const TYPE: usize = 0x48;
    pub(super) const STACK_SIZE: usize = 0x4C;
}

/// A `UNICODE_STRING` and its text.
pub(super) struct Text {
    string: Block,
    _text: Block,
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let len = u16::try_from(units.len()).unwrap_or(u16::MAX);
        let text = Block::new("text of a UNICODE_STRING", &units);
        let mut string = [0; 16];
        string[..2].copy_from_slice(&len.to_le_bytes());
        string[2..4].copy_from_slice(&len.to_le_bytes());
        string[8..].copy_from_slice(&(text.address() as u64).to_le_bytes());
        Self { string: Block::new("UNICODE_STRING", &string), _text: text }
    }

    pub(super) fn address(&self) -> usize {
        self.string.address()
    }

    fn bytes(&self) -> Vec<u8> {
        self.string.read()
    }
}

/// Handles no IRP: `IoStatus` says so. There is nobody to complete it for.
unsafe extern "win64" fn invalid_device_request(_device: usize, irp: usize) -> i32 {
    /// Offset of `IoStatus` in `IRP`.
    const IO_STATUS: usize = 0x30;
    let _call = enter("IopInvalidDeviceRequest", IrqlRange::DISPATCH_OR_BELOW);
    raw::write((irp + IO_STATUS) as *mut i32, INVALID_DEVICE_REQUEST);
    raw::write((irp + IO_STATUS + 8) as *mut usize, 0);
    INVALID_DEVICE_REQUEST
}

/// A `DRIVER_OBJECT`.
pub(super) struct DriverObject {
    object: Block,
    _extension: Block,
    _texts: [Text; 3],
}

impl DriverObject {
    /// That of the driver with this name, which begins at `init`: 0 for one that is not simulated.
    pub(super) fn new(name: &str, init: usize) -> Self {
        let object = Block::zeroed("DRIVER_OBJECT", LEN);
        let extension = Block::zeroed("DRIVER_EXTENSION", EXTENSION_LEN);
        let full_name = Text::new(&format!(r"\Driver\{name}"));
        let service = Text::new(name);
        let hardware = Text::new(r"\REGISTRY\MACHINE\HARDWARE\DESCRIPTION\SYSTEM");
        let at = object.address();
        raw::write(at as *mut [i16; 2], [DRIVER, i16::try_from(LEN).expect("16 bits")]);
        let image = Machine::current().image().filter(|image| image.contains(init));
        if let Some(image) = image {
            raw::write((at + driver_at::START) as *mut usize, image.base());
            raw::write((at + driver_at::SIZE) as *mut u32, u32::try_from(image.size()).unwrap_or(u32::MAX));
        }
        raw::write((at + driver_at::EXTENSION) as *mut usize, extension.address());
        raw::store(at + driver_at::NAME, &full_name.bytes());
        raw::write((at + driver_at::HARDWARE_DATABASE) as *mut usize, hardware.address());
        raw::write((at + driver_at::INIT) as *mut usize, init);
        let dispatch = invalid_device_request as *const () as usize;
        raw::write((at + driver_at::MAJOR_FUNCTION) as *mut [usize; FUNCTIONS], [dispatch; FUNCTIONS]);
        // DriverObject, AddDevice, Count, ServiceKeyName.
        raw::write(extension.address() as *mut usize, at);
        raw::store(extension.address() + 0x18, &service.bytes());
        Self { object, _extension: extension, _texts: [full_name, service, hardware] }
    }

    pub(super) fn address(&self) -> usize {
        self.object.address()
    }
}

/// `DriverUnload` of the driver object at this address.
pub(super) fn unload_routine(object: usize) -> usize {
    raw::read((object + driver_at::UNLOAD) as *const usize)
}

/// Sets `DriverUnload`.
pub(super) fn set_unload_routine(object: usize, routine: usize) {
    raw::write((object + driver_at::UNLOAD) as *mut usize, routine);
}

/// What is below each adapter: the drivers of its bus and of the firmware, which nothing else is known of.
pub(super) struct Below {
    bus: DriverObject,
    firmware: DriverObject,
}

impl Below {
    pub(super) fn new() -> Self {
        Self { bus: DriverObject::new("pci", 0), firmware: DriverObject::new("ACPI", 0) }
    }
}

/// The stack of device objects of one adapter: that of the bus driver, on it the firmware's filter, on that NDIS's own.
pub(super) struct Devices {
    physical: Block,
    next: Block,
    functional: Block,
    driver: usize,
    _below: Rc<Below>,
}

/// `DO_DIRECT_IO`, `DO_BUS_ENUMERATED_DEVICE`, `DO_POWER_PAGABLE`.
const DIRECT_IO: u32 = 0x10;
const BUS_ENUMERATED: u32 = 0x1000;
const POWER_PAGABLE: u32 = 0x2000;
/// `FILE_AUTOGENERATED_DEVICE_NAME`, `FILE_DEVICE_SECURE_OPEN`.
const AUTOGENERATED_NAME: u32 = 0x80;
const SECURE_OPEN: u32 = 0x100;
/// `FILE_DEVICE_PHYSICAL_NETCARD`, `FILE_DEVICE_UNKNOWN`.
const NETCARD: u32 = 0x17;
const UNKNOWN: u32 = 0x22;

fn device(
    what: &'static str,
    driver: usize,
    kind: u32,
    (flags, characteristics): (u32, u32),
    stack: u8,
) -> Block {
    let block = Block::zeroed(what, LEN);
    let at = block.address();
    raw::write(at as *mut i16, DEVICE);
    raw::write((at + device_at::SIZE) as *mut u16, u16::try_from(LEN).expect("16 bits"));
    raw::write((at + device_at::DRIVER) as *mut usize, driver);
    raw::write((at + device_at::FLAGS) as *mut u32, flags);
    raw::write((at + device_at::CHARACTERISTICS) as *mut u32, characteristics);
    raw::write((at + device_at::TYPE) as *mut u32, kind);
    raw::write((at + device_at::STACK_SIZE) as *mut u8, stack);
    block
}

impl Devices {
    /// Those of an adapter of the driver whose object is at `driver`: the first in its list of devices.
    pub(super) fn new(driver: usize, below: Rc<Below>) -> Self {
        let pageable = POWER_PAGABLE;
        let physical = device(
            "PDO",
            below.bus.address(),
            UNKNOWN,
            (BUS_ENUMERATED | pageable, AUTOGENERATED_NAME | SECURE_OPEN),
            1,
        );
        let next = device("next device", below.firmware.address(), UNKNOWN, (pageable, SECURE_OPEN), 2);
        let functional = device("FDO", driver, NETCARD, (DIRECT_IO | pageable, SECURE_OPEN), 3);
        raw::write((physical.address() + device_at::ATTACHED) as *mut usize, next.address());
        raw::write((next.address() + device_at::ATTACHED) as *mut usize, functional.address());
        let first = (driver + driver_at::DEVICE_OBJECT) as *mut usize;
        raw::write((functional.address() + device_at::NEXT) as *mut usize, raw::read(first.cast_const()));
        raw::write(first, functional.address());
        Self { physical, next, functional, driver, _below: below }
    }

    /// The addresses of PDO, FDO and the device under that.
    pub(super) fn addresses(&self) -> [usize; 3] {
        [self.physical.address(), self.functional.address(), self.next.address()]
    }

    /// Takes NDIS's device out of the list of the driver's, which lives still.
    pub(super) fn remove(&self) {
        let gone = self.functional.address();
        let mut link = self.driver + driver_at::DEVICE_OBJECT;
        loop {
            let at: usize = raw::read(link as *const usize);
            if at == 0 {
                return;
            }
            let next = at + device_at::NEXT;
            if at == gone {
                let after: usize = raw::read(next as *const usize);
                raw::write(link as *mut usize, after);
                return;
            }
            link = next;
        }
    }
}
