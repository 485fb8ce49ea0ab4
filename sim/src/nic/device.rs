//! The card as a PCI device: dispatch of register accesses, and time.

use std::time::Duration;

use super::{
    Board, Fault, Faults, Model, config,
    eeprom::Eeprom,
    interrupts::Interrupts,
    management::Busy,
    pause::FlowControl,
    phy::Phy,
    ports::Ports,
    receive::Receiver,
    registers::{
        CTRL, EECD, EERD, GCR, ICR, ICS, IMC, IMS, MDIC, RCTL, RDBAL, RDH, RDLEN, RDT, RFCTL, Registers,
        STATUS, SWSM, TCTL, TDBAL, TDH, TDLEN, TDT, cause, ctrl, rctl, status, stored_bits, tctl,
    },
    statistics::Statistics,
    timers::{Timer, Timers},
    told::Told,
    transmit::Transmitter,
};
use crate::pci::{Bar, ConfigSpace, Deeds, Device, MsixTable, Platform, command};

/// RFCTL.EXSTEN.
const EXTENDED_STATUS: u32 = 1 << 15;
/// One card of the e1000 family.
#[derive(Debug)]
pub struct E1000 {
    pub(super) model: Model,
    pub(super) board: Board,
    pub(super) faults: Faults,
    pub(super) regs: Registers,
    pub(super) stats: Statistics,
    pub(super) irq: Interrupts,
    pub(super) msix: MsixTable,
    pub(super) tx: Transmitter,
    pub(super) rx: Receiver,
    pub(super) timers: Timers,
    pub(super) config: ConfigSpace,
    pub(super) bars: Vec<Bar>,
    pub(super) eeprom: Eeprom,
    pub(super) phy: Phy,
    pub(super) ports: Ports,
    pub(super) busy: Busy,
    pub(super) flow: FlowControl,
    pub(super) deeds: Deeds,
    pub(super) told: Told,
    /// What STATUS.LU last was, to notice changes.
    pub(super) link: bool,
}

impl E1000 {
    /// A card after power-on whose EEPROM holds `mac`, with the cable in and the PHY's partner found, where everything
    /// works.
    pub fn new(model: Model, mac: [u8; 6], faults: Faults) -> Self {
        Self::on(Board::TAME, model, mac, faults)
    }

    /// The same with other surroundings.
    pub fn on(board: Board, model: Model, mac: [u8; 6], faults: Faults) -> Self {
        let vectors = if model.is_82574() { config::VECTORS } else { 0 };
        let mut card = Self {
            model,
            board,
            faults,
            regs: Registers::reset(model),
            stats: Statistics::new(),
            irq: Interrupts::default(),
            msix: MsixTable::new(vectors),
            tx: Transmitter::default(),
            rx: Receiver::default(),
            timers: Timers::default(),
            config: config::space(model, board),
            bars: config::bars(model),
            eeprom: Eeprom::new(model, mac),
            phy: Phy::new(model),
            ports: Ports::default(),
            busy: Busy::default(),
            flow: FlowControl::default(),
            deeds: Deeds::default(),
            told: Told::default(),
            link: false,
        };
        card.load_address();
        card
    }

    /// The card may start transactions.
    pub(super) fn may_master(&self) -> bool {
        let enabled = self.config.command() & command::BUS_MASTER != 0;
        enabled && !self.dead() && !self.master_disabled()
    }

    pub(super) fn master_disabled(&self) -> bool {
        self.model.is_82574() && self.regs.has(CTRL, ctrl::GIO_MASTER_DISABLE)
    }

    fn powered_down(&self) -> bool {
        self.model.is_82574() && self.config.read8(config::PMCSR) & 3 == 3
    }

    /// Software reaches nothing: the card is asleep or gone.
    pub(super) fn dead(&self) -> bool {
        self.powered_down() || self.faults.has(Fault::Gone)
    }

    /// After every access or event: what follows from it, and when to be called next.
    fn settle(&mut self, p: &dyn Platform) {
        if self.link != self.link_up() {
            self.link = self.link_up();
            self.deeds.link(p.now());
            self.raise(cause::LSC);
            p.link_is(self.link);
        }
        match self.phy.deadline() {
            Some(at) => self.timers.set(Timer::Link, at),
            None => self.timers.cancel(Timer::Link),
        }
        self.kick_transmitter(p);
        self.drive_interrupts(p);
        p.schedule(self.timers.earliest());
    }

    pub(super) fn read(&mut self, p: &dyn Platform, off: u64) -> u32 {
        let now = p.now();
        match off {
            CTRL => self.read_ctrl(now),
            STATUS => self.read_status(now),
            EECD => self.read_eecd(now),
            EERD => {
                let ready = self.loaded(now);
                self.eeprom.read(now, ready, &self.faults)
            }
            MDIC => self.read_mdic(now),
            ICR => self.read_icr(p),
            ICS if self.model.is_82574() => self.pending_causes(),
            IMS => self.mask(),
            ICS | IMC => 0,
            SWSM if self.model.is_82574() => {
                // SMBI is set by being read.
                let value = self.regs.get(SWSM);
                self.regs.set(SWSM, value | 1);
                value
            }
            _ if Statistics::contains(off) => self.stats.read(off),
            _ => self.regs.get(off),
        }
    }

    pub(super) fn write(&mut self, p: &dyn Platform, off: u64, value: u32) {
        match off {
            CTRL => self.write_ctrl(p, value),
            STATUS => {
                // Only PHYRA is writable, and only to zero.
                self.regs.set(STATUS, self.regs.get(STATUS) & (value | !status::PHYRA));
            }
            EERD => self.eeprom.write(p.now(), value),
            MDIC => self.write_mdic(p.now(), value),
            ICR => self.write_icr(value),
            ICS => self.raise(value),
            IMS => self.write_ims(p, value),
            IMC => self.write_imc(value),
            RDBAL | TDBAL => self.regs.set(off, value & !0xf),
            RFCTL => {
                if value & EXTENDED_STATUS != 0 && self.model.is_82574() {
                    p.finding("NIC.NotModelled", "RFCTL.EXSTEN: descriptors stay legacy".to_owned());
                }
                self.regs.set(RFCTL, value & !EXTENDED_STATUS);
            }
            RDLEN | TDLEN => self.write_length(p, off, value),
            RDH | TDH => self.write_head(p, off, value),
            RDT => {
                self.write_tail(p, off, RDLEN, value);
                self.drain(p);
            }
            TDT => {
                self.check_tail(p, value);
                self.write_tail(p, off, TDLEN, value);
            }
            TCTL => {
                self.may_be_started(TCTL, value);
                if value & tctl::EN != 0 && !self.regs.has(TCTL, tctl::EN) {
                    self.check_link_power(p);
                    p.step("transmitter on");
                }
                self.regs.set(TCTL, value);
            }
            RCTL => self.write_rctl(p, value),
            _ if Statistics::contains(off) => {}
            _ if off >= GCR && !self.model.is_82574() => {}
            _ => self.regs.set(off, value & stored_bits(self.model, off)),
        }
    }

    fn enabled(&self, ring: u64) -> bool {
        if ring < TDBAL { self.regs.has(RCTL, rctl::EN) } else { self.regs.has(TCTL, tctl::EN) }
    }

    fn write_length(&mut self, p: &dyn Platform, off: u64, value: u32) {
        if !value.is_multiple_of(128) || value > 0xf_ff80 {
            p.finding("NIC.RingLength", format!("{value} bytes: not a multiple of 128 up to 1,048,448"));
        }
        if self.enabled(off) {
            p.finding("NIC.RingWhileEnabled", format!("length register {off:#06x} written while enabled"));
        }
        self.regs.set(off, value & 0xf_ff80);
    }

    fn write_head(&mut self, p: &dyn Platform, off: u64, value: u32) {
        if self.enabled(off) {
            p.finding("NIC.RingWhileEnabled", format!("head register {off:#06x} written while enabled"));
        }
        self.regs.set(off, value & 0xffff);
    }

    fn write_tail(&mut self, p: &dyn Platform, off: u64, length: u64, value: u32) {
        let count = self.regs.get(length) / 16;
        if value >= count && value != 0 {
            p.finding("NIC.RingTail", format!("tail register {off:#06x} = {value} in a ring of {count}"));
            return;
        }
        self.regs.set(off, value);
    }
}

impl Device for E1000 {
    fn config_read(&mut self, off: u16, size: u8) -> u32 {
        if self.faults.has(Fault::Gone) {
            return u32::MAX >> (32 - 8 * u32::from(size.clamp(1, 4)));
        }
        self.config.read(off, size)
    }

    fn config_write(&mut self, p: &dyn Platform, off: u16, size: u8, value: u32) {
        if self.faults.has(Fault::Gone) {
            return;
        }
        self.config.write(off, size, value);
        if self.model.is_82574() {
            let control = self.config.read16(config::MSIX + 2);
            self.msix.control(p, control);
        }
        self.drain(p);
        self.settle(p);
    }

    fn bars(&self) -> &[Bar] {
        &self.bars
    }

    fn mmio_read(&mut self, p: &dyn Platform, bar: usize, off: u64, size: u8) -> u64 {
        let ones = u64::MAX >> (64 - 8 * u32::from(size.clamp(1, 8)));
        self.faults.access();
        if self.dead() {
            self.drive_interrupts(p);
            return ones;
        }
        if size != 4 || !off.is_multiple_of(4) {
            p.finding(
                "NIC.AccessSize",
                format!("{size}-byte read at {off:#06x} of window {bar}: not a dword"),
            );
            return ones;
        }
        let value = match bar {
            0 if self.is_settling(p) => u32::MAX,
            0 => self.read(p, off),
            _ if self.is_ports(bar) => self.read_port(p, off),
            config::MSIX_BAR if self.model.is_82574() => match off {
                config::PENDING => self.msix.pending(),
                _ => self.msix.read(usize::try_from(off).unwrap_or(usize::MAX)),
            },
            // The flash is not populated.
            _ => u32::MAX,
        };
        self.settle(p);
        u64::from(value)
    }

    fn mmio_write(&mut self, p: &dyn Platform, bar: usize, off: u64, size: u8, value: u64) {
        self.faults.access();
        if self.dead() {
            self.drive_interrupts(p);
            return;
        }
        if size != 4 || !off.is_multiple_of(4) {
            p.finding(
                "NIC.AccessSize",
                format!("{size}-byte write at {off:#06x} of window {bar}: not a dword"),
            );
            return;
        }
        let value = u32::try_from(value & 0xffff_ffff).unwrap_or(u32::MAX);
        match bar {
            0 if self.is_settling(p) => {}
            0 => self.write(p, off, value),
            _ if self.is_ports(bar) => self.write_port(p, off, value),
            config::MSIX_BAR => self.msix.write(p, usize::try_from(off).unwrap_or(usize::MAX), value),
            _ => {}
        }
        self.settle(p);
    }

    fn is_faulty(&self) -> bool {
        self.faults.ever()
    }

    fn held_until(&self) -> Option<Duration> {
        self.flow.held_until()
    }

    fn link_is_lost(&mut self, p: &dyn Platform) {
        self.remember_dead(p);
    }

    fn causes(&self) -> Option<u64> {
        Some(self.irq.caused)
    }

    fn deeds(&mut self) -> Option<&mut Deeds> {
        (!self.faults.ever()).then_some(&mut self.deeds)
    }

    fn settings(&mut self, settings: &str) {
        self.set_settings(settings);
    }

    fn receive_message(&self) -> Option<u16> {
        self.message_of(cause::RXQ0)
    }

    fn receive(&mut self, p: &dyn Platform, frame: &[u8]) {
        if !self.dead() {
            self.receive_frame(p, frame);
            self.settle(p);
        }
    }

    fn set_link(&mut self, p: &dyn Platform, up: bool) {
        self.phy.set_cable(p.now(), up);
        self.settle(p);
    }

    fn timer(&mut self, p: &dyn Platform) {
        let now = p.now();
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Transmit => self.transmit_step(p),
                Timer::TransmitDelay => self.raise(cause::TXDW),
                Timer::ReceiveDelay => self.receive_delay_over(),
                Timer::WriteBack => self.repeat_write_backs(p),
                Timer::Pause => self.pause_over(),
                Timer::Link => self.phy.tick(now),
                // Settling sends what the throttle held back.
                Timer::Line | Timer::Message(_) => {}
            }
        }
        self.settle(p);
    }
}
