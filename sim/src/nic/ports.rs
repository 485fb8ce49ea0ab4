//! The I/O window: an address register and a data register, through which every register of the memory window is
//! reached (SDM 4 and 13, "I/O mapped"; 82574 10.1). It is the way to reset an 8254x that works always.

use super::E1000;
use crate::pci::{BarKind, Platform};

/// The address register, and the data register.
const ADDRESS: u64 = 0;
const DATA: u64 = 4;
/// Internal registers end here.
const REGISTERS: u32 = 0x2_0000;

/// What the window remembers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ports {
    address: u32,
    /// A register is being written through the window.
    pub(super) writes: bool,
}

impl E1000 {
    /// Whether window `bar` is that of the ports.
    pub(super) fn is_ports(&self, bar: usize) -> bool {
        self.bars.iter().any(|it| it.index == bar && it.kind == BarKind::Io)
    }

    pub(super) fn read_port(&mut self, p: &dyn Platform, off: u64) -> u32 {
        match off {
            ADDRESS => self.ports.address,
            DATA if self.ports.address < REGISTERS && !self.is_settling(p) => {
                self.read(p, self.ports.address.into())
            }
            _ => u32::MAX,
        }
    }

    pub(super) fn write_port(&mut self, p: &dyn Platform, off: u64, value: u32) {
        match off {
            ADDRESS => self.ports.address = value,
            DATA if self.ports.address < REGISTERS && !self.is_settling(p) => {
                self.ports.writes = true;
                self.write(p, self.ports.address.into(), value);
                self.ports.writes = false;
            }
            _ => {}
        }
    }
}
