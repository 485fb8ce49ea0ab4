//! `CTRL.RST`, as a reset of the card's bus.

use super::{
    Correction, bus,
    card::Card,
    registers::{CTRL, CTRL_SLU, EITR, ITR, SWSM},
};
use crate::pci::offset;

impl Card {
    /// Resets everything behind the root port, and restores what a reset of the card leaves alone: configuration
    /// space and the MSI-X table. The PHY's registers are reset too; the card's own would not be.
    pub(super) fn reset(&mut self) {
        let kept: Vec<_> =
            self.kept_registers().into_iter().map(|at| (at, self.read_configuration(at, 2))).collect();
        self.bring_up();
        for (at, value) in kept {
            bus::write(&mut self.qtest, bus::CARD, at, 2, value);
        }
    }

    /// Resets the bus and gives the card what it needs to be accessible.
    pub(super) fn bring_up(&mut self) {
        bus::reset(&mut self.qtest);
        let bars = self.windows.bars().to_vec();
        self.places = bus::assign(&mut self.qtest, &bars);
        if let Some(messages) = &self.messages {
            // Table accesses need the memory windows open.
            bus::write(&mut self.qtest, bus::CARD, offset::COMMAND, 2, 2);
            for (at, value) in messages.all_given() {
                self.qtest.write(self.places[messages.bar] + at, 4, value.into());
            }
        }
        bus::write(&mut self.qtest, bus::CARD, offset::COMMAND, 2, 2);
        self.shadow.reset();
        self.finish_reset();
        self.fifo.clear();
        self.fifo_bytes = 0;
        self.receive_held = false;
    }

    /// What QEMU's reset leaves out.
    fn finish_reset(&mut self) {
        if self.model.is_82574() {
            if self.fidelity.has(Correction::Reset) {
                for off in [ITR, EITR, EITR + 4, EITR + 8, EITR + 12, EITR + 16] {
                    self.write_window(off, 0);
                }
            }
            if self.fidelity.has(Correction::Semaphore) {
                self.write_window(SWSM, 0);
            }
        }
        let mut control = self.read_window(CTRL);
        if self.fidelity.has(Correction::Link) {
            control &= !CTRL_SLU;
            self.write_window(CTRL, control);
        }
        self.shadow.set(CTRL, control);
    }

    /// The writable 16-bit registers of configuration space, the command register last.
    fn kept_registers(&self) -> Vec<u16> {
        let mut kept = vec![0x0c, offset::INTERRUPT];
        let capabilities = &self.capabilities;
        // Power state; MSI control and address; device and link control; MSI-X control.
        kept.extend(capabilities.power.map(|at| at + 4));
        kept.extend(capabilities.msi.iter().flat_map(|at| [4, 6, 8, 10, 12, 2].map(|off| at + off)));
        kept.extend(capabilities.express.iter().flat_map(|at| [8, 16].map(|off| at + off)));
        kept.extend(capabilities.msix.map(|at| at + 2));
        kept.push(offset::COMMAND);
        kept
    }
}
