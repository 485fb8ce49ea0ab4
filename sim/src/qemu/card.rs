//! A card that QEMU plays, as a PCI device.

use std::{
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use super::{
    Correction, Fidelity, StartError, bus,
    cable::Cable,
    configuration::Windows,
    interrupts::RXQ0,
    messages::Messages,
    process::{self, NETWORK, Process, Started},
    qmp::Qmp,
    qtest::Qtest,
    registers::{
        CAUSE_LSC, CTRL, CTRL_RST, ICS, MDIC, MPC, RCTL, RDT, RNBC, STATUS, STATUS_LINK, STATUS_LU, TDT,
    },
    shadow::Shadow,
};
use crate::{
    memory::{dma::Domain, shared::SharedMemory},
    nic::Model,
    pci::{Bar, Device, Mask, Platform, offset},
    verifier::{Rule, Severity, rule},
};

/// From the last access until QEMU is looked at once more.
const AFTERTHOUGHT: Duration = Duration::from_micros(200);
/// How long QEMU's timers are waited for, in real time: a thread of QEMU has to get its turn.
const PATIENCE: Duration = Duration::from_millis(200);
/// Rounds of QEMU's main loop before the waiting leaves it the processor.
const IMPATIENT: u32 = 8;
/// What is left to it at a time.
const NAP: Duration = Duration::from_micros(50);

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
    /// RCTL was written and no frame has been received since (8254x).
    pub(super) receive_held: bool,
    qmp: Qmp,
    version: String,
    /// The level of the line that the machine was told.
    pub(super) line: bool,
    /// Vectors whose messages have come and that the machine has not been told of.
    pub(super) arrived: u32,
    pub(super) reported_gone: bool,
    pub(super) process: Process,
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
            receive_held: false,
            qmp,
            version,
            line: false,
            arrived: 0,
            reported_gone: false,
            process,
        };
        card.find_capabilities();
        card.bring_up();
        bus::write(&mut card.qtest, bus::CARD, offset::COMMAND, 2, 0);
        match card.qtest.failure() {
            Some(failure) => Err(StartError::Refused(failure.to_owned())),
            None => Ok(card),
        }
    }

    #[cfg(test)]
    pub(super) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Ends QEMU before its time; the card then is one that has fallen off its bus.
    pub fn end_process(&mut self) {
        self.process.end();
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
                p.mask(Mask::Reset);
                let (command, power_state) = (self.shadow.command, self.shadow.power_state);
                self.reset();
                (self.shadow.command, self.shadow.power_state) = (command, power_state);
            }
            TDT => self.write_transmit_tail(p, value),
            _ => {
                self.shadow.set(off, value);
                self.follow_mask(off, value);
                self.tell_mask(p, off, value);
                self.write_window(off, value);
            }
        }
        match off {
            CTRL | RCTL | RDT => {
                // QEMU's 8254x does not receive for a while after a change of RCTL.
                self.receive_held |= off == RCTL && !self.model.is_82574();
                self.follow_link();
                self.deliver(p);
            }
            // It may have told the PHY to negotiate again.
            MDIC => self.wait_for_link(),
            _ => {}
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
            STATUS if !self.link() => value & !STATUS_LINK,
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
        any | self.settle_interrupts(p)
    }

    /// Waits until `done`; false when it took too long.
    pub(super) fn wait(&mut self, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let begin = Instant::now();
        let mut rounds = 0;
        while self.qtest.failure().is_none() && begin.elapsed() < PATIENCE {
            self.qtest.barrier();
            if done(self) {
                return true;
            }
            rounds += 1;
            if rounds > IMPATIENT {
                std::thread::sleep(NAP);
            }
        }
        false
    }

    /// Waits until the PHY has found its partner; QEMU's takes a moment.
    fn wait_for_link(&mut self) {
        if self.shadow.cable && self.read_window(STATUS) & STATUS_LU == 0 {
            self.wait(|card| card.read_window(STATUS) & STATUS_LU != 0);
        }
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
        self.look_at_interrupts(p);
        if self.qtest.failure().is_some() {
            // A card that has fallen off its bus: no correction makes its answers less absent.
            return u64::MAX;
        }
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

    fn receive_message(&self) -> Option<u16> {
        self.message_of(RXQ0)
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
        self.wait_for_link();
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
