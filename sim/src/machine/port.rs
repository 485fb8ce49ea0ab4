//! I/O ports: IN and OUT are privileged, so each of the driver's is a fault, which the machine turns into a call of the
//! device.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use super::registers::{Registers, mask};
use super::{Machine, Mmio};

struct Range {
    count: u64,
    handler: Rc<dyn Mmio>,
}

/// The ports of the machine.
#[derive(Default)]
pub(super) struct Ports {
    /// Those that drivers may access, by the first of each range.
    ranges: RefCell<BTreeMap<u64, Range>>,
    /// How many have been set aside for devices.
    set_aside: Cell<u64>,
}

impl Ports {
    pub(super) fn clear(&self) {
        drop(self.ranges.take());
    }

    /// The device that has `size` ports from `port` on, and the offset among its ports.
    fn find(&self, port: u64, size: u8) -> Option<(Rc<dyn Mmio>, u64)> {
        let ranges = self.ranges.borrow();
        let (&first, range) = ranges.range(..=port).next_back()?;
        let offset = port - first;
        (offset + u64::from(size) <= range.count).then(|| (Rc::clone(&range.handler), offset))
    }
}

impl Machine {
    /// Sets `count` ports aside for a device; how many other devices have got. The processor has one space of ports for all.
    pub fn set_ports_aside(&self, count: u64) -> u64 {
        self.ports.set_aside.replace(self.ports.set_aside.get() + count)
    }

    /// Lets the driver access `count` ports from `first` on, which are `handler`'s.
    pub fn port_map(&self, first: u64, count: u64, handler: Rc<dyn Mmio>) {
        self.ports.ranges.borrow_mut().insert(first, Range { count, handler });
    }

    /// Ends what [`Self::port_map`] began; false if `first` is no such port. Later accesses are faults.
    pub fn port_unmap(&self, first: u64) -> bool {
        self.ports.ranges.borrow_mut().remove(&first).is_some()
    }

    /// Carries out IN or OUT; false if the instruction is neither, or the ports are nobody's.
    pub(super) fn access_port(&self, instruction: &Instruction, registers: &mut Registers<'_>) -> bool {
        self.emulate_port(instruction, registers).is_some()
    }

    fn emulate_port(&self, instruction: &Instruction, registers: &mut Registers<'_>) -> Option<()> {
        let (port_operand, data, writes) = match instruction.mnemonic() {
            Mnemonic::In => (1, instruction.op0_register(), false),
            Mnemonic::Out => (0, instruction.op1_register(), true),
            _ => return None,
        };
        let port = if instruction.op_kind(port_operand) == OpKind::Immediate8 {
            instruction.immediate8().into()
        } else {
            registers.read(Register::DX)?
        };
        let size = u8::try_from(data.size()).ok()?;
        let (device, offset) = self.ports.find(port, size)?;
        let bits = mask(size.into());
        if writes {
            device.write(offset, size, registers.read(data)? & bits);
            return Some(());
        }
        registers.write(data, device.read(offset, size) & bits)
    }
}
