//! Interrupt causes, masks, moderation, and the way they leave the card: `INTx#` or MSI-X messages.
//!
//! The 8254x (SDM section 13.4.17 on) has one line, and reading ICR clears it. The 82574 (datasheet sections 7.4
//! and 10.2.4) reports whether the line is its own in ICR.31, and spreads the causes over five messages through
//! IVAR, of which those in EIAC are acknowledged and masked by the message itself.

use std::time::Duration;

use super::{
    E1000, Fault, config,
    registers::{CTRL_EXT, EIAC, EITR, IAM, ITR, IVAR, cause, ctrl_ext},
    timers::Timer,
};
use crate::pci::{Mask, Platform};

/// Unit of ITR and EITR.
const THROTTLE_UNIT: Duration = Duration::from_nanos(256);
/// Causes that get a field of IVAR, in the order of the fields.
const VECTORED: [u32; 5] = [cause::RXQ0, cause::RXQ1, cause::TXQ0, cause::TXQ1, cause::OTHER];
/// Causes that [`cause::OTHER`] stands for.
const OTHERS: u32 = cause::LSC | cause::RXO | cause::MDAC | cause::SRPD | cause::ACK | cause::MNG;
/// The causes of each family that are not reserved.
const CAUSES_8254X: u32 = 0x0001_f6df;
const CAUSES_82574: u32 = 0x01f7_82d7;

/// What the interrupt logic remembers beside its registers.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupts {
    icr: u32,
    ims: u32,
    /// The mask before software last masked something.
    masked: u32,
    /// Something was enabled since the card was reset.
    opened: bool,
    line: bool,
    /// How often a cause was found set and enabled, or was read by software that had it masked for the moment.
    pub(super) caused: u64,
    /// Causes whose message has gone out and that have not been cleared since.
    sent: u32,
    line_quiet_until: Duration,
    message_quiet_until: [Duration; config::VECTORS],
}

impl E1000 {
    /// Causes that exist in this model.
    fn causes(&self) -> u32 {
        if self.model.is_82574() { CAUSES_82574 } else { CAUSES_8254X }
    }

    /// Something happened.
    pub(super) fn raise(&mut self, causes: u32) {
        let mut causes = causes & self.causes();
        if self.msix.enabled() {
            if causes & (cause::RXT0 | cause::RXDMT0) != 0 {
                causes |= cause::RXQ0;
            }
            if causes & (cause::TXDW | cause::TXQE) != 0 {
                causes |= cause::TXQ0;
            }
            if causes & OTHERS & self.irq.ims != 0 {
                causes |= cause::OTHER;
            }
        }
        self.irq.icr |= causes;
    }

    /// Software reads ICR.
    pub(super) fn read_icr(&mut self, p: &dyn Platform) -> u32 {
        let mut value = self.irq.icr;
        self.irq.caused += u64::from(value & (self.irq.ims | self.irq.masked) != 0);
        if !self.model.is_82574() {
            self.irq.icr = 0;
            return value;
        }
        let asserted = self.irq.icr & self.irq.ims != 0;
        if asserted {
            value |= cause::INT_ASSERTED;
        } else if self.irq.ims != 0 && !self.msix.enabled() {
            p.finding("NIC.CauseRead", format!("ICR is read in vain with IMS {:#010x}", self.irq.ims));
        }
        let auto_mask = asserted && self.regs.has(CTRL_EXT, ctrl_ext::IAME);
        if !self.msix.enabled() || self.irq.ims == 0 || auto_mask {
            self.irq.icr = 0;
        }
        if auto_mask {
            self.irq.ims &= !self.regs.get(IAM);
        }
        value
    }

    /// Software writes ones to ICR.
    pub(super) fn write_icr(&mut self, value: u32) {
        if self.irq.icr & self.irq.ims != 0 && self.regs.has(CTRL_EXT, ctrl_ext::IAME) {
            self.irq.ims &= !self.regs.get(IAM);
        }
        self.irq.icr &= !value;
    }

    /// The mask, as IMS reads.
    pub(super) fn mask(&self) -> u32 {
        self.irq.ims
    }

    /// The causes, as ICS reads on the 82574.
    pub(super) fn pending_causes(&self) -> u32 {
        self.irq.icr
    }

    /// The message of a cause that has one.
    pub(super) fn message_of(&self, bit: u32) -> Option<u16> {
        let field = VECTORED.into_iter().position(|it| it == bit).filter(|_| self.msix.enabled())?;
        let allocation = self.regs.get(IVAR) >> (4 * field) & 0xf;
        (allocation & 8 != 0).then_some(allocation as u16 & 7)
    }

    /// Software writes IMS.
    pub(super) fn write_ims(&mut self, p: &dyn Platform, value: u32) {
        if !self.msix.enabled() && value & self.causes() != 0 {
            p.mask(Mask::Open(None));
        }
        for message in
            VECTORED.into_iter().filter(|bit| value & bit != 0).filter_map(|bit| self.message_of(bit))
        {
            p.mask(Mask::Open(Some(message)));
        }
        let new = value & self.causes() & !self.irq.ims;
        if new != 0 && !std::mem::replace(&mut self.irq.opened, true) && self.deeds.link_since().is_some() {
            self.deeds.link(p.now());
        }
        self.irq.ims |= new;
        self.compare_told(p);
        if self.msix.enabled() && self.irq.icr & new & OTHERS != 0 {
            self.irq.icr |= cause::OTHER;
        }
    }

    /// Software writes IMC.
    pub(super) fn write_imc(&mut self, value: u32) {
        self.irq.masked = self.irq.ims;
        self.irq.ims &= !value;
    }

    /// Brings the line and the messages into agreement with causes and masks.
    pub(super) fn drive_interrupts(&mut self, p: &dyn Platform) {
        self.irq.caused += u64::from(self.irq.icr & self.irq.ims != 0);
        if self.dead() {
            self.set_line(p, false);
        } else if self.msix.enabled() {
            self.set_line(p, false);
            self.send_messages(p);
        } else {
            self.drive_line(p);
        }
    }

    fn drive_line(&mut self, p: &dyn Platform) {
        self.timers.cancel(Timer::Line);
        if self.irq.icr & self.irq.ims == 0 {
            self.set_line(p, false);
        } else if !self.irq.line {
            let now = p.now();
            if now < self.irq.line_quiet_until {
                self.timers.set(Timer::Line, self.irq.line_quiet_until);
            } else {
                self.irq.line_quiet_until = now + THROTTLE_UNIT * (self.regs.get(ITR) & 0xffff);
                self.set_line(p, true);
            }
        }
    }

    fn set_line(&mut self, p: &dyn Platform, level: bool) {
        if self.irq.line != level {
            self.irq.line = level;
            p.set_intx(level);
        }
    }

    fn send_messages(&mut self, p: &dyn Platform) {
        self.irq.sent &= self.irq.icr & self.irq.ims;
        for (field, bit) in VECTORED.into_iter().enumerate() {
            let allocation = self.regs.get(IVAR) >> (4 * field) & 0xf;
            let vector = (allocation & 7) as usize;
            let due = self.irq.icr & self.irq.ims & !self.irq.sent & bit != 0;
            if !due || allocation & 8 == 0 || vector >= config::VECTORS {
                continue;
            }
            let (now, quiet_until) = (p.now(), self.irq.message_quiet_until[vector]);
            if now < quiet_until {
                self.timers.set(Timer::Message(vector), quiet_until);
                continue;
            }
            let interval = self.regs.get(EITR + 4 * vector as u64) & 0xffff;
            self.irq.message_quiet_until[vector] = now + THROTTLE_UNIT * interval;
            self.irq.sent |= bit;
            let automatic = self.regs.get(EIAC) & bit;
            self.irq.icr &= !automatic;
            self.irq.ims &= !self.masked_by_message(bit, automatic);
            if !self.faults.has(Fault::MessagesLost) {
                self.msix.raise(p, vector);
            }
            if self.faults.has(Fault::MessagesTwice) {
                self.msix.raise(p, vector);
            }
        }
    }

    /// What the message of cause `bit` masks, which EIAC clears if it is `automatic`.
    fn masked_by_message(&self, bit: u32, automatic: u32) -> u32 {
        if self.board.mask_by_eiame {
            let masks = self.regs.has(CTRL_EXT, ctrl_ext::EIAME);
            return if masks { self.regs.get(IAM) & bit } else { 0 };
        }
        if self.regs.has(CTRL_EXT, ctrl_ext::IAME) { 0 } else { automatic }
    }

    /// What a reset does to the interrupt logic.
    pub(super) fn reset_interrupts(&mut self, p: &dyn Platform) {
        p.mask(Mask::Reset);
        self.set_line(p, false);
        self.irq = Interrupts { caused: self.irq.caused, ..Interrupts::default() };
    }
}
