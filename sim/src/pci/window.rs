//! What a driver reaches of a card: its memory windows and its I/O ports.

use std::fmt;
use std::rc::{Rc, Weak};

use super::{BarKind, BarResource, Slot, command};
use crate::machine::Mmio;

/// Why physical addresses could not be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapError {
    /// First physical address asked for.
    pub physical: u64,
    /// Bytes asked for.
    pub len: usize,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}+{:#x} lies in no memory window of the card", self.physical, self.len)
    }
}

impl std::error::Error for MapError {}

impl Slot {
    /// What a debugger sees of a register. Reading may change it, as every read does.
    pub fn peek(&self, bar: usize, off: u64) -> u32 {
        u32::try_from(self.mmio_read(bar, off, 4)).unwrap_or(u32::MAX)
    }

    /// Maps `len` bytes at `physical` for the driver; gives their virtual address.
    ///
    /// # Errors
    /// When they do not lie in one memory window.
    pub fn map(&self, physical: u64, len: usize) -> Result<usize, MapError> {
        let error = MapError { physical, len };
        let inside = |window: &&BarResource| {
            let end = physical.checked_add(len as u64);
            window.kind == BarKind::Memory32
                && physical >= window.physical
                && end.is_some_and(|end| end <= window.physical + window.len)
        };
        let windows = self.windows.borrow();
        let window = windows.iter().find(inside).ok_or(error)?;
        let view = View { slot: self.me(), bar: window.index, offset: physical - window.physical };
        Ok(self.machine().ok_or(error)?.mmio_map(len, Rc::new(view)))
    }

    /// Unmaps what [`Slot::map`] gave; `false` when it is no such address.
    pub fn unmap(&self, va: usize) -> bool {
        self.machine().is_some_and(|machine| machine.mmio_unmap(va))
    }

    /// Gives the driver `count` I/O ports from `first` on; false when they do not lie in one window.
    pub fn map_ports(&self, first: u64, count: u64) -> bool {
        let windows = self.windows.borrow();
        let window = windows.iter().find(|window| {
            window.kind == BarKind::Io
                && first >= window.physical
                && first + count <= window.physical + window.len
        });
        let (Some(window), Some(machine)) = (window, self.machine()) else { return false };
        let ports = Ports { slot: self.me(), bar: window.index, offset: first - window.physical };
        machine.port_map(first, count, Rc::new(ports));
        true
    }

    /// Ends what [`Slot::map_ports`] began; `false` when it is no such port.
    pub fn unmap_ports(&self, first: u64) -> bool {
        self.machine().is_some_and(|machine| machine.port_unmap(first))
    }

    /// Memory windows answer.
    fn decodes(&self) -> bool {
        !self.gone.get() && self.command.get() & command::MEMORY != 0
    }

    /// I/O windows answer.
    fn decodes_ports(&self) -> bool {
        !self.gone.get() && self.command.get() & command::IO != 0
    }

    /// Accesses a memory window as the table's owner, the bus driver, does.
    pub(super) fn poke(&self, bar: usize, off: u64, value: u32) {
        self.with_device(|device| device.mmio_write(self, bar, off, 4, u64::from(value)));
    }

    pub(super) fn mmio_read(&self, bar: usize, off: u64, size: u8) -> u64 {
        let ones = u64::MAX >> (64 - 8 * u32::from(size.clamp(1, 8)));
        if !self.decodes() {
            return ones;
        }
        self.with_device(|device| device.mmio_read(self, bar, off, size)) & ones
    }

    pub(super) fn mmio_write(&self, bar: usize, off: u64, size: u8, value: u64) {
        if self.decodes() {
            self.with_device(|device| device.mmio_write(self, bar, off, size, value));
        }
    }
}

/// A part of a memory window, mapped for the driver.
struct View {
    slot: Weak<Slot>,
    bar: usize,
    offset: u64,
}

impl Mmio for View {
    fn read(&self, offset: u64, size: u8) -> u64 {
        self.slot.upgrade().map_or(u64::MAX, |slot| {
            slot.alone.check(offset);
            slot.mmio_read(self.bar, self.offset + offset, size)
        })
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        if let Some(slot) = self.slot.upgrade() {
            slot.alone.check(offset);
            slot.mmio_write(self.bar, self.offset + offset, size, value);
        }
    }
}

/// A part of an I/O window, given to the driver.
struct Ports {
    slot: Weak<Slot>,
    bar: usize,
    offset: u64,
}

impl Mmio for Ports {
    fn read(&self, offset: u64, size: u8) -> u64 {
        let slot = self.slot.upgrade().filter(|slot| slot.decodes_ports());
        slot.map_or(u64::MAX, |slot| {
            slot.alone.check(offset);
            slot.with_device(|device| device.mmio_read(&*slot, self.bar, self.offset + offset, size))
        })
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        if let Some(slot) = self.slot.upgrade().filter(|slot| slot.decodes_ports()) {
            slot.alone.check(offset);
            slot.with_device(|device| device.mmio_write(&*slot, self.bar, self.offset + offset, size, value));
        }
    }
}
