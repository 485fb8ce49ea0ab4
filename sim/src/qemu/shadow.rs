//! What software has told the card, as far as the corrections need it: known without asking QEMU.

use std::collections::BTreeMap;

use super::registers::{CTRL, CTRL_SLU, RCTL, RCTL_BSEX, RCTL_EN, RCTL_LPE, TCTL, TCTL_PSP};
use crate::pci::command;

/// The last values written, and what else is remembered.
#[derive(Clone, Debug, Default)]
pub(super) struct Shadow {
    registers: BTreeMap<u64, u32>,
    /// The PCI command register.
    pub(super) command: u32,
    /// D0 to D3.
    pub(super) power_state: u32,
    /// The cable is in.
    pub(super) cable: bool,
    /// The MAC had link when it was last looked at.
    pub(super) link: bool,
    /// The transmit tail that QEMU has not been told.
    pub(super) held_tail: Option<u32>,
    /// What the card was given is not mapped for it: it moves nothing until reset.
    pub(super) hung: bool,
    /// Frames lost to a full FIFO since MPC was last read.
    pub(super) missed: u32,
    /// Frames that found no descriptor since RNBC was last read.
    pub(super) no_buffer: u32,
    /// Causes whose interrupt was waited for and did not come.
    pub(super) in_vain: u32,
    /// Causes that software has enabled and no message has masked since.
    pub(super) armed: u32,
    /// Message control of the MSI-X capability.
    pub(super) message_control: u32,
}

impl Shadow {
    /// A card after power-on with its cable in.
    pub(super) fn new() -> Self {
        Self { cable: true, ..Self::default() }
    }

    /// The value last written to `register`, or after reset.
    pub(super) fn get(&self, register: u64) -> u32 {
        self.registers.get(&register).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, register: u64, value: u32) {
        self.registers.insert(register, value);
    }

    /// The registers are those of a card that was reset.
    pub(super) fn reset(&mut self) {
        self.registers.clear();
        self.held_tail = None;
        self.hung = false;
        self.missed = 0;
        self.no_buffer = 0;
        self.in_vain = 0;
        self.armed = 0;
        self.link = false;
    }

    /// MSI-X is enabled.
    pub(super) fn uses_messages(&self) -> bool {
        self.message_control & 0x8000 != 0
    }

    fn has(&self, register: u64, bits: u32) -> bool {
        self.get(register) & bits == bits
    }

    /// The address in registers `low` and `high`.
    pub(super) fn address(&self, low: u64, high: u64) -> u64 {
        u64::from(self.get(high)) << 32 | u64::from(self.get(low) & !0xf)
    }

    /// Software lets the MAC use the link.
    pub(super) fn link_wanted(&self) -> bool {
        self.has(CTRL, CTRL_SLU)
    }

    pub(super) fn receives(&self) -> bool {
        self.has(RCTL, RCTL_EN)
    }

    pub(super) fn receives_long(&self) -> bool {
        self.has(RCTL, RCTL_LPE)
    }

    pub(super) fn pads(&self) -> bool {
        self.has(TCTL, TCTL_PSP)
    }

    pub(super) fn masters(&self) -> bool {
        self.command & u32::from(command::BUS_MASTER) != 0
    }

    /// Bytes of a receive buffer.
    pub(super) fn buffer_size(&self) -> usize {
        let shift = self.get(RCTL) >> 16 & 3;
        if self.has(RCTL, RCTL_BSEX) && shift != 0 { 0x8000 >> shift } else { 2048 >> shift }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffer_sizes_are_those_of_the_manual() {
        let mut shadow = Shadow::default();
        for (control, size) in [
            (0, 2048),
            (1 << 16, 1024),
            (3 << 16, 256),
            (1 << 25 | 1 << 16, 16_384),
            (1 << 25 | 3 << 16, 4096),
        ] {
            shadow.set(RCTL, control);
            assert_eq!(shadow.buffer_size(), size, "{control:#x}");
        }
    }
}
