//! Frames out: held back where QEMU would lose them, and padded where it should.

use super::{Correction, card::Card, registers::TDT};
use crate::pci::Platform;

/// Shortest frame without FCS.
const MINIMUM: usize = 60;

impl Card {
    /// Software writes the transmit tail. QEMU sends everything before it returns.
    pub(super) fn write_transmit_tail(&mut self, p: &dyn Platform, tail: u32) {
        let first = self.shadow.get(TDT);
        self.shadow.set(TDT, tail);
        if self.shadow.hung || !self.audit_transmit(p, first, tail) {
            self.shadow.hung = true;
            self.shadow.held_tail = Some(tail);
        } else if self.fidelity.has(Correction::Link) && !self.link() {
            self.shadow.held_tail = Some(tail);
        } else {
            self.shadow.held_tail = None;
            self.write_window(TDT, tail);
        }
    }

    /// The link may have come up: what was held is sent.
    pub(super) fn release_transmit_tail(&mut self) {
        if self.link()
            && !self.shadow.hung
            && let Some(tail) = self.shadow.held_tail.take()
        {
            self.write_window(TDT, tail);
        }
    }

    /// Takes the frames that QEMU has sent so far; whether there were any.
    pub(super) fn take_sent(&mut self, p: &dyn Platform) -> bool {
        let mut any = false;
        while let Some(mut frame) = self.cable.receive() {
            any = true;
            if frame.len() < MINIMUM && self.shadow.pads() && self.fidelity.has(Correction::Padding) {
                frame.resize(MINIMUM, 0);
            }
            if frame.len() < MINIMUM {
                let octets = frame.len() + 4;
                p.finding("NIC.TransmitFrame", format!("{octets} octets: no receiver takes it"));
            } else {
                p.transmit(&frame);
            }
        }
        any
    }
}
