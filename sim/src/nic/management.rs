//! What software sets the card up through: control and status, EEPROM, PHY, reset.

use std::time::Duration;

use super::{
    E1000, Fault, Model, config,
    filter::receive_address,
    latency::Latency,
    phy::{self, Speed},
    receive::Receiver,
    registers::{CTRL, EECD, MDIC, RAH0, RAL0, RCTL, Registers, STATUS, cause, ctrl, eecd, rctl, status},
    statistics::Statistics,
    transmit::Transmitter,
};
use crate::pci::{Deeds, Platform};

/// From `CTRL.RST` until it reads as zero.
const RESET_TIME: Duration = Duration::from_micros(1);
/// From a reset until the card has loaded itself from the EEPROM.
const AUTO_READ_TIME: Duration = Duration::from_millis(1);
/// One 64-bit exchange at 2.5 MHz.
const MDIO_TIME: Duration = Duration::from_micros(26);
/// From `CTRL.GIO_MASTER_DISABLE` until the last transaction is over.
const MASTER_DRAIN_TIME: Duration = Duration::from_micros(5);

const MDIC_READY: u32 = 1 << 28;
const MDIC_INTERRUPT: u32 = 1 << 29;
const MDIC_ERROR: u32 = 1 << 30;

/// Operations under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Busy {
    resetting: Option<Latency>,
    /// Nothing may be touched before.
    settled_at: Duration,
    /// Something was: the reset does not end.
    broken: bool,
    loading: Option<Latency>,
    mdio: Option<Latency>,
    draining: Option<Latency>,
}

impl E1000 {
    pub(super) fn load_address(&mut self) {
        let (low, high) = receive_address(self.eeprom.mac());
        self.regs.set(RAL0, low);
        self.regs.set(RAH0, high);
    }

    /// Speed and duplex mode of the MAC: forced, or the PHY's.
    fn mode(&self) -> (Speed, bool) {
        let (speed, full) = self.link_mode();
        let control = self.regs.get(CTRL);
        let speed = if control & ctrl::FRCSPD == 0 { speed } else { Speed::from_bits(control >> 8) };
        (speed, if control & ctrl::FRCDPX == 0 { full } else { control & ctrl::FD != 0 })
    }

    /// Speed and duplex mode of the link.
    fn link_mode(&self) -> (Speed, bool) {
        if self.faults.has(Fault::LinkSlow) { (Speed::Mbps100, true) } else { self.phy.mode() }
    }

    /// Time of a bit on the wire.
    pub(super) fn bit_time(&self) -> Duration {
        Duration::from_nanos(match self.mode().0 {
            Speed::Mbps10 => 100,
            Speed::Mbps100 => 10,
            Speed::Mbps1000 => 1,
        })
    }

    /// The PHY has link, and software lets the MAC use it at the PHY's speed.
    pub(super) fn link_up(&self) -> bool {
        self.phy.link() && self.regs.has(CTRL, ctrl::SLU) && self.mode().0 == self.link_mode().0
    }

    /// `CTRL.RST`: everything but the PHY, the configuration space and the MSI-X table.
    fn reset(&mut self, p: &dyn Platform) {
        let now = p.now();
        p.was_reset();
        self.compare_control(p);
        self.deeds = Deeds::default();
        let kept = self.save_receiver();
        self.faults.clear(Fault::TransmitStuckUntilReset);
        self.reset_interrupts(p);
        self.regs = Registers::reset(self.model);
        self.stats = Statistics::new();
        self.tx = Transmitter::default();
        self.rx = Receiver::default();
        self.flow = super::pause::FlowControl::default();
        self.timers.clear();
        self.eeprom.reset();
        self.link = false;
        p.link_is(false);
        self.busy = Busy {
            resetting: Some(Latency::new(now, RESET_TIME)),
            settled_at: now + RESET_TIME,
            loading: Some(Latency::new(now, AUTO_READ_TIME)),
            ..Busy::default()
        };
        self.load_address();
        for (off, value) in kept {
            self.regs.set(off, self.regs.get(off) | value);
        }
    }

    /// Whether a reset has just begun, which this access breaks: nothing may be read or written before it has settled
    /// (SDM 13.4.1, 82574 10.2.2.1: a microsecond).
    pub(super) fn is_settling(&mut self, p: &dyn Platform) -> bool {
        let settling = self.busy.resetting.is_some() && p.now() < self.busy.settled_at;
        if settling && !self.busy.broken {
            self.busy.broken = true;
            p.finding(
                "NIC.ResetTouched",
                "a register is accessed within a microsecond of CTRL.RST".to_owned(),
            );
        }
        settling
    }

    /// The transmitter is turned on: the link must not save power.
    pub(super) fn check_link_power(&self, p: &dyn Platform) {
        if self.saves_link_power() {
            let control = self.config.read8(config::LINK_CONTROL);
            p.finding(
                "NIC.LinkPower",
                format!("Link Control is {control:#04x} when the transmitter is turned on"),
            );
        }
    }

    /// ASPM is on.
    pub(super) fn saves_link_power(&self) -> bool {
        self.model.is_82574() && self.config.read8(config::LINK_CONTROL) & config::ASPM != 0
    }

    /// Whether the card hangs on a bus address that the driver gave it; reports that.
    pub(super) fn hangs_on(&self, p: &dyn Platform, bus: u64) -> bool {
        let narrow = match self.model {
            Model::I82540em => true,
            Model::I82545em => !self.board.pci_x,
            Model::I82574l => false,
        };
        let hangs = narrow && bus >> 32 != 0;
        if hangs {
            p.finding("NIC.Address64", format!("bus address {bus:#x} on a plain PCI bus"));
        }
        hangs
    }

    pub(super) fn read_ctrl(&mut self, now: Duration) -> u32 {
        let stuck = self.busy.broken || self.faults.has(Fault::ResetStuck);
        if self.busy.resetting.as_mut().is_some_and(|reset| stuck || !reset.over(now)) {
            return self.regs.get(CTRL) | ctrl::RST;
        }
        self.busy.resetting = None;
        self.regs.get(CTRL)
    }

    /// Whether the card has loaded itself from the EEPROM.
    pub(super) fn loaded(&mut self, now: Duration) -> bool {
        if self.busy.loading.as_mut().is_none_or(|loading| loading.over(now)) {
            self.busy.loading = None;
        }
        self.busy.loading.is_none()
    }

    pub(super) fn read_status(&mut self, now: Duration) -> u32 {
        let mut value = self.regs.get(STATUS) & status::PHYRA;
        if self.model == Model::I82545em && self.board.pci_x {
            value |= status::PCIX_MODE;
        }
        if self.link_up() {
            let (speed, full) = self.mode();
            // The speed, and again as speed detection (bits 9:8) found it.
            value |= status::LU | speed.bits() << 6 | speed.bits() << 8;
            if full {
                value |= status::FD;
            }
            if self.is_paused() {
                value |= status::TXOFF;
            }
        }
        if self.model.is_82574() {
            let busy = self.busy.draining.as_mut().is_some_and(|draining| !draining.over(now));
            if !self.master_disabled() || busy || self.faults.has(Fault::MasterStuck) {
                value |= status::GIO_MASTER_ENABLE;
            }
        }
        value
    }

    pub(super) fn read_eecd(&mut self, now: Duration) -> u32 {
        let mut value = self.regs.get(EECD) & !(eecd::GNT | eecd::AUTO_RD) | eecd::PRES;
        if value & eecd::REQ != 0 {
            value |= eecd::GNT;
        }
        if self.model.is_82574() && self.loaded(now) {
            value |= eecd::AUTO_RD;
        }
        value
    }

    pub(super) fn read_mdic(&mut self, now: Duration) -> u32 {
        let silent = self.faults.has(Fault::PhySilent);
        let busy = self.busy.mdio.as_mut().is_some_and(|mdio| silent || !mdio.over(now));
        let value = self.regs.get(MDIC);
        if busy { value & !MDIC_READY } else { value }
    }

    pub(super) fn write_mdic(&mut self, now: Duration, value: u32) {
        let reg = (value >> 16 & 0x1f) as usize;
        let mut result = value & !(MDIC_READY | MDIC_ERROR) & 0xffff_0000;
        match (value >> 21 & 0x1f == phy::ADDRESS, value >> 26 & 3) {
            (true, 1) => {
                let value = (value & 0xffff) as u16;
                if phy::is_reset(reg, value) {
                    self.faults.clear(Fault::PhyHung);
                }
                self.phy.write(now, reg, value);
                result |= u32::from(value);
            }
            (true, 2) => {
                let hung = if self.faults.has(Fault::PhyHung) { phy::hung(reg) } else { 0 };
                result |= u32::from(self.phy.read(reg) | hung);
            }
            _ => result |= MDIC_ERROR,
        }
        self.regs.set(MDIC, result | MDIC_READY);
        self.busy.mdio = Some(Latency::new(now, MDIO_TIME));
        if value & MDIC_INTERRUPT != 0 && !self.faults.has(Fault::PhySilent) {
            self.raise(cause::MDAC);
        }
    }

    pub(super) fn write_ctrl(&mut self, p: &dyn Platform, value: u32) {
        if value & ctrl::RST != 0 {
            if !self.model.is_82574() && !self.board.memory_reset && !self.ports.writes {
                p.step("reset not acknowledged");
                return;
            }
            p.step("reset");
            self.reset(p);
            return;
        }
        if value & ctrl::GIO_MASTER_DISABLE != 0 && !self.regs.has(CTRL, ctrl::GIO_MASTER_DISABLE) {
            self.busy.draining = Some(Latency::new(p.now(), MASTER_DRAIN_TIME));
        }
        self.regs.set(CTRL, value & !ctrl::PHY_RST);
        if value & ctrl::PHY_RST != 0 {
            self.faults.clear(Fault::PhyHung);
            self.phy.reset(p.now());
            self.regs.set(STATUS, self.regs.get(STATUS) | status::PHYRA);
        }
        self.drain(p);
    }

    pub(super) fn write_rctl(&mut self, p: &dyn Platform, value: u32) {
        self.may_be_started(RCTL, value);
        if value & rctl::EN != 0 && !self.regs.has(RCTL, rctl::EN) {
            p.step("receiver on");
        }
        if value & rctl::EN != 0 || !self.faults.has(Fault::ReceiverUnstoppable) {
            self.regs.set(RCTL, value);
        }
        self.drain(p);
    }
}
