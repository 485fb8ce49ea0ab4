//! A card that QEMU plays, as a PCI device.

use std::{collections::VecDeque, rc::Rc, time::Duration};

use super::{
    Correction, Fidelity, StartError, bus,
    cable::Cable,
    configuration::Windows,
    messages::Messages,
    process::{self, NETWORK, Process, Started},
    qmp::Qmp,
    qtest::Qtest,
    registers::{
        CAUSE_LSC, CTRL, CTRL_GIO_MASTER_DISABLE, CTRL_RST, EIAC, ICS, IMS, MPC, RCTL, RDT, RNBC, STATUS,
        STATUS_GIO_MASTER_ENABLE, STATUS_LINK, TDT,
    },
    shadow::Shadow,
};
use crate::{
    memory::{dma::Domain, shared::SharedMemory},
    nic::Model,
    pci::{Bar, Device, Platform, command, offset},
    verifier::{Rule, Severity, rule},
};

/// From the last access until QEMU is looked at once more.
const AFTERTHOUGHT: Duration = Duration::from_micros(200);
/// Rounds of QEMU's main loop that an interrupt may be held back for.
const THROTTLED: u32 = 50;

pub(crate) const RULES: &[Rule] = &[
    rule("QEMU.Gone", Severity::S0, "QEMU answers until the end of the run."),
    rule("QEMU.StrayDma", Severity::S0, "The card touches memory that is mapped for it, and none besides."),
];

/// Where the capabilities are.
#[derive(Clone, Debug, Default)]
pub(super) struct Capabilities {
    pub(super) power: Option<u16>,
    pub(super) msi: Option<u16>,
    pub(super) express: Option<u16>,
    pub(super) msix: Option<u16>,
}

/// One card, played by a QEMU process of its own, which ends with it.
pub struct Card {
    pub(super) model: Model,
    pub(super) fidelity: Fidelity,
    pub(super) qtest: Qtest,
    pub(super) cable: Cable,
    pub(super) memory: Rc<SharedMemory>,
    pub(super) windows: Windows,
    /// Where the windows are in QEMU's address space.
    pub(super) places: [u64; 6],
    pub(super) capabilities: Capabilities,
    pub(super) messages: Option<Messages>,
    pub(super) shadow: Shadow,
    /// Frames that have arrived and wait for descriptors, and their bytes with FCS.
    pub(super) fifo: VecDeque<Vec<u8>>,
    pub(super) fifo_bytes: usize,
    qmp: Qmp,
    version: String,
    line: bool,
    reported_gone: bool,
    _process: Process,
}

impl Card {
    /// Starts a QEMU that plays `model`, whose EEPROM holds `mac`.
    pub fn start(model: Model, mac: [u8; 6], fidelity: Fidelity) -> Result<Self, StartError> {
        let Started { process, version, mut qtest, qmp, cable, memory } = process::start(model, mac)?;
        bus::enable(&mut qtest);
        qtest.intercept_interrupts();
        let bars = bus::enumerate(&mut qtest, model)?;
        let mut card = Self {
            model,
            fidelity,
            qtest,
            cable,
            memory,
            windows: Windows::new(bars),
            places: [0; 6],
            capabilities: Capabilities::default(),
            messages: None,
            shadow: Shadow::new(),
            fifo: VecDeque::new(),
            fifo_bytes: 0,
            qmp,
            version,
            line: false,
            reported_gone: false,
            _process: process,
        };
        card.find_capabilities();
        card.bring_up();
        bus::write(&mut card.qtest, bus::CARD, offset::COMMAND, 2, 0);
        match card.qtest.failure() {
            Some(failure) => Err(StartError::Refused(failure.to_owned())),
            None => Ok(card),
        }
    }

    /// QEMU's version, such as `7.2.22`.
    pub fn version(&self) -> &str {
        &self.version
    }

    fn find_capabilities(&mut self) {
        let mut at = u16::try_from(self.read_configuration(offset::CAPABILITIES, 1)).unwrap_or(0);
        // No list is longer than the space it lies in.
        for _ in 0..64 {
            if at == 0 || self.read_configuration(offset::STATUS, 2) & 0x10 == 0 {
                break;
            }
            let found = match self.read_configuration(at, 1) {
                0x01 => &mut self.capabilities.power,
                0x05 => &mut self.capabilities.msi,
                0x10 => &mut self.capabilities.express,
                0x11 => &mut self.capabilities.msix,
                _ => &mut None,
            };
            *found = Some(at);
            at = u16::try_from(self.read_configuration(at + 1, 1)).unwrap_or(0);
        }
        if let Some(at) = self.capabilities.msix {
            let vectors = (self.read_configuration(at + 2, 2) & 0x7ff) + 1;
            let pointer = self.read_configuration(at + 4, 4);
            let (bar, table) = ((pointer & 7) as usize, u64::from(pointer & !7));
            self.messages = Some(Messages::new(bar, table, vectors as usize));
        }
    }

    /// Reads a register, uncorrected.
    pub(super) fn read_window(&mut self, off: u64) -> u32 {
        u32::try_from(self.qtest.read(self.places[0] + off, 4)).unwrap_or(u32::MAX)
    }

    /// Writes a register, uncorrected.
    pub(super) fn write_window(&mut self, off: u64, value: u32) {
        self.qtest.write(self.places[0] + off, 4, value.into());
    }

    /// The MAC has link.
    pub(super) fn link(&self) -> bool {
        self.shadow.cable && (!self.fidelity.has(Correction::Link) || self.shadow.link_wanted())
    }

    fn asleep(&self) -> bool {
        self.shadow.power_state == 3 && self.fidelity.has(Correction::PowerState)
    }

    fn write_register(&mut self, p: &dyn Platform, off: u64, value: u32) {
        match off {
            CTRL if value & CTRL_RST != 0 && self.fidelity.has(Correction::Reset) => {
                self.audit_memory(p);
                let (command, power_state) = (self.shadow.command, self.shadow.power_state);
                self.reset();
                (self.shadow.command, self.shadow.power_state) = (command, power_state);
            }
            TDT => self.write_transmit_tail(p, value),
            _ => {
                self.shadow.set(off, value);
                self.write_window(off, value);
            }
        }
        if matches!(off, CTRL | RCTL | RDT) {
            // The timers of a change of RCTL come first.
            self.qtest.barrier();
            self.follow_link();
            self.deliver(p);
        }
    }

    /// Reports a change of the link that QEMU sees none in.
    fn follow_link(&mut self) {
        if self.shadow.link != self.link() && self.fidelity.has(Correction::Link) {
            self.shadow.link = self.link();
            self.write_window(ICS, CAUSE_LSC);
            self.release_transmit_tail();
        }
    }

    fn corrected(&mut self, off: u64, value: u32) -> u32 {
        match off {
            STATUS => {
                let mut status = value;
                if !self.link() {
                    status &= !STATUS_LINK;
                }
                let disabled = self.shadow.get(CTRL) & CTRL_GIO_MASTER_DISABLE != 0;
                if self.model.is_82574() && disabled && self.fidelity.has(Correction::MasterDisable) {
                    status &= !STATUS_GIO_MASTER_ENABLE;
                }
                status
            }
            TDT => self.shadow.held_tail.unwrap_or(value),
            RNBC => value.saturating_add(std::mem::take(&mut self.shadow.no_buffer)),
            MPC => value.saturating_add(std::mem::take(&mut self.shadow.missed)),
            _ => value,
        }
    }

    /// Waits until QEMU is quiet and takes what it has for the machine; whether there was anything.
    fn settle(&mut self, p: &dyn Platform) -> bool {
        let mut any = false;
        loop {
            self.qtest.barrier();
            if !self.take_sent(p) {
                break;
            }
            any = true;
        }
        any |= self.notice(p);
        for _ in 0..THROTTLED {
            if !self.interrupt_is_due() {
                break;
            }
            self.qtest.barrier();
            any |= self.notice(p);
        }
        any
    }

    /// QEMU holds an enabled cause back until a timer fires, which takes some rounds of its main loop.
    fn interrupt_is_due(&mut self) -> bool {
        // A message acknowledges the causes in EIAC: what is left has not been sent.
        let looked_at = if self.shadow.messages { self.shadow.get(EIAC) } else { u32::MAX };
        let disabled = !self.shadow.messages && self.shadow.command & u32::from(command::INTX_DISABLE) != 0;
        if looked_at == 0 || disabled || self.line {
            return false;
        }
        self.read_window(ICS) & self.read_window(IMS) & looked_at != 0
    }

    /// Takes interrupts that QEMU has reported; whether there were any.
    fn notice(&mut self, p: &dyn Platform) -> bool {
        if let Some(failure) = self.qtest.failure()
            && !self.reported_gone
        {
            self.reported_gone = true;
            p.finding("QEMU.Gone", failure.to_owned());
        }
        let level = self.qtest.asserted();
        let changed = level != self.line;
        if changed {
            self.line = level;
            p.set_intx(level);
        }
        let arrived = self.messages.as_ref().map(|messages| messages.take(&self.memory));
        let arrived = arrived.and_then(Result::ok).unwrap_or_default();
        for vector in &arrived {
            p.message(*vector);
        }
        changed || !arrived.is_empty()
    }

    fn look_again(p: &dyn Platform) {
        p.schedule(Some(p.now() + AFTERTHOUGHT));
    }
}

impl Device for Card {
    fn config_read(&mut self, off: u16, size: u8) -> u32 {
        self.read_configuration(off, size)
    }

    fn config_write(&mut self, p: &dyn Platform, off: u16, size: u8, value: u32) {
        self.write_configuration(off, size, value);
        self.settle(p);
        Self::look_again(p);
    }

    fn domain(&self) -> Domain {
        Domain::shared(Rc::clone(&self.memory))
    }

    fn bars(&self) -> &[Bar] {
        self.windows.bars()
    }

    fn mmio_read(&mut self, p: &dyn Platform, bar: usize, off: u64, size: u8) -> u64 {
        let place = self.places.get(bar).copied().unwrap_or(0);
        if self.asleep() || place == 0 {
            return u64::MAX;
        }
        if let Some(messages) = &self.messages
            && let Some((vector, word)) = messages.find(bar, off)
        {
            return messages.read(vector, word).into();
        }
        let mut value = self.qtest.read(place + off, size);
        if bar == 0 && size == 4 {
            value = self.corrected(off, u32::try_from(value).unwrap_or(u32::MAX)).into();
        }
        self.notice(p);
        value
    }

    fn mmio_write(&mut self, p: &dyn Platform, bar: usize, off: u64, size: u8, value: u64) {
        let place = self.places.get(bar).copied().unwrap_or(0);
        if self.asleep() || place == 0 {
            return;
        }
        let dword = u32::try_from(value & 0xffff_ffff).unwrap_or(u32::MAX);
        if bar == 0 && size == 4 {
            self.write_register(p, off, dword);
        } else if let Some(messages) = &mut self.messages
            && let Some((vector, word)) = messages.find(bar, off)
        {
            let given = messages.write(vector, word, dword);
            self.qtest.write(place + off, 4, given.into());
        } else {
            self.qtest.write(place + off, size, value);
        }
        self.settle(p);
        Self::look_again(p);
    }

    fn receive(&mut self, p: &dyn Platform, frame: &[u8]) {
        if self.asleep() {
            return;
        }
        self.arrive(p, frame);
        self.settle(p);
        Self::look_again(p);
    }

    fn set_link(&mut self, p: &dyn Platform, up: bool) {
        self.shadow.cable = up;
        if let Err(error) = self.qmp.set_link(NETWORK, up) {
            p.finding("QEMU.Gone", error.to_string());
        }
        self.qtest.barrier();
        self.shadow.link = self.link();
        self.release_transmit_tail();
        self.settle(p);
        Self::look_again(p);
    }

    fn timer(&mut self, p: &dyn Platform) {
        self.deliver(p);
        let busy = self.settle(p) || self.cable.pending();
        if busy {
            Self::look_again(p);
        } else {
            self.audit_memory(p);
        }
    }
}
