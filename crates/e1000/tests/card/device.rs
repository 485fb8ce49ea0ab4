//! The card's side of the registers. Offsets and bits are written out here, not taken from the crate under test.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use e1000::{Delay, FlowControl, LinkConfig, Nic, Registers, SpeedDuplex};

pub(crate) const INTEL: u16 = 0x8086;
pub(crate) const I82540EM: u16 = 0x100E;
pub(crate) const I82545EM: u16 = 0x100F;
pub(crate) const I82574L: u16 = 0x10D3;
pub(crate) const ALL: [u16; 3] = [I82540EM, I82545EM, I82574L];

pub(crate) const ADDRESS: [u8; 6] = [0x02, 0x1B, 0x21, 0xA5, 0x5A, 0x07];

/// Everything negotiated.
pub(crate) const AUTO: LinkConfig =
    LinkConfig { speed_duplex: SpeedDuplex::Auto, flow_control: FlowControl::Both };

/// What is wrong with the card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// All ones from this register access on.
    GoneFrom(usize),
    /// EERD never says that it is done.
    EepromSilent,
    /// MDIC never says that it is ready.
    PhySilent,
    /// MDIC reports an error.
    PhyError,
    /// The PHY does not come out of its reset.
    PhyResetStuck,
    /// The PHY reads as this everywhere.
    PhyReads(u16),
    /// CTRL.RST never clears.
    ResetStuck,
    /// 82574: `EECD.AUTO_RD` never comes.
    AutoReadSilent,
    /// 82574: firmware never gives up the PHY.
    PhyOwned,
    /// 82574: requests never end.
    MasterStuck,
    /// This bit of the multicast table's words is stuck at 0.
    StuckBit(u32),
}

/// What the card's I/O window does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ports {
    /// There is none.
    #[default]
    None,
    /// It reaches the registers.
    Work,
    /// It reaches nothing.
    Dummy,
}

/// A card. Interior mutability, as the registers are shared.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) device: u16,
    pub(crate) fault: Cell<Fault>,
    pub(crate) eeprom: RefCell<[u16; 64]>,
    pub(crate) phy: RefCell<[u16; 32]>,
    /// Whether a reset of the PHY loses what its control register holds; Marvell's does not.
    pub(crate) phy_forgets: Cell<bool>,
    /// Values written to the PHY's control register.
    pub(crate) phy_commands: RefCell<Vec<u16>>,
    /// Whether reading ICR clears it with MSI-X too; the 82574 does and does not, depending on its setting.
    pub(crate) read_clears: Cell<bool>,
    registers: RefCell<BTreeMap<u32, u32>>,
    accesses: Cell<usize>,
    /// Microseconds until EERD and MDIC are done.
    busy: Cell<u32>,
    pub(crate) resets: Cell<u32>,
    pub(crate) phy_resets: Cell<u32>,
    pub(crate) ports: Cell<Ports>,
    /// Whether CTRL.RST is taken from memory, too, on an 8254x.
    pub(crate) memory_resets: Cell<bool>,
    /// What was written through the I/O window: its address register, and the registers reached by it.
    port_address: Cell<u32>,
    pub(crate) port_writes: RefCell<Vec<(u32, u32)>>,
    /// Microseconds waited for since the last reset, until the first access.
    settled: Cell<u64>,
    pub(crate) waited: Cell<u64>,
    pub(crate) writes: RefCell<Vec<(u32, u32)>>,
}

impl Card {
    pub(crate) fn new(device: u16) -> Self {
        let mut eeprom = [0x1357_u16; 64];
        for (word, pair) in eeprom.iter_mut().zip(ADDRESS.chunks(2)) {
            *word = u16::from(pair[1]) << 8 | u16::from(pair[0]);
        }
        let sum = eeprom[..63].iter().fold(0_u16, |sum, &word| sum.wrapping_add(word));
        eeprom[63] = 0xBABA_u16.wrapping_sub(sum);
        let mut phy = [0; 32];
        phy[0] = 0x1140;
        // Negotiated, link up; all abilities; a partner with all of them and symmetric PAUSE.
        phy[1] = 0x796D;
        phy[4] = 0x0DE1;
        phy[5] = 0x45E1;
        phy[9] = 0x0E00;
        phy[2] = 0x0141;
        phy[3] = if device == I82574L { 0x0CB1 } else { 0x0C20 };
        let card = Self {
            device,
            fault: Cell::default(),
            eeprom: RefCell::new(eeprom),
            phy: RefCell::new(phy),
            phy_forgets: Cell::default(),
            phy_commands: RefCell::default(),
            read_clears: Cell::new(false),
            registers: RefCell::default(),
            accesses: Cell::new(0),
            busy: Cell::new(0),
            resets: Cell::new(0),
            phy_resets: Cell::new(0),
            ports: Cell::default(),
            memory_resets: Cell::new(true),
            port_address: Cell::new(0),
            port_writes: RefCell::default(),
            settled: Cell::new(u64::MAX),
            waited: Cell::new(0),
            writes: RefCell::default(),
        };
        card.reset();
        card
    }

    /// The driver's view of this card.
    pub(crate) fn nic(&self) -> Nic<&Self> {
        Nic::identify(self, INTEL, self.device).unwrap()
    }

    /// The same, brought up.
    pub(crate) fn up(&self) -> Nic<&Self> {
        self.up_with(AUTO)
    }

    /// The same with another link.
    pub(crate) fn up_with(&self, link: LinkConfig) -> Nic<&Self> {
        let nic = self.nic();
        nic.bring_up(&self, link).unwrap();
        self.writes.borrow_mut().clear();
        nic
    }

    pub(crate) fn with_fault(device: u16, fault: Fault) -> Self {
        let card = Self::new(device);
        card.fault.set(fault);
        card
    }

    /// Looks at a register without side effects.
    pub(crate) fn peek(&self, offset: u32) -> u32 {
        self.registers.borrow().get(&offset).copied().unwrap_or(0)
    }

    /// Sets a register from the card's side.
    pub(crate) fn poke(&self, offset: u32, value: u32) {
        self.registers.borrow_mut().insert(offset, value);
    }

    /// Number of register accesses so far.
    pub(crate) fn accesses(&self) -> usize {
        self.accesses.get()
    }

    /// Sets causes; on the 82574 with the line's `INT_ASSERTED`.
    pub(crate) fn cause(&self, causes: u32) {
        self.poke(0xC0, self.peek(0xC0) | causes);
        if self.pcie() && self.peek(0xC0) & self.peek(0xD0) & 0x7FFF_FFFF != 0 {
            self.poke(0xC0, self.peek(0xC0) | 1 << 31);
        }
    }

    /// Whether the interrupt line is asserted.
    pub(crate) fn line(&self) -> bool {
        self.peek(0xC0) & self.peek(0xD0) != 0
    }

    fn pcie(&self) -> bool {
        self.device == I82574L
    }

    fn reset(&self) {
        let mut registers = self.registers.borrow_mut();
        registers.clear();
        // Link up, 1000 Mb/s, full duplex; the receiver's registers hold what a warm reset may leave.
        registers.extend([
            // Forced speed and duplex, flow control.
            (0x00, 1 << 5 | 1 << 11 | 1 << 12 | 1 << 27 | 1 << 28),
            (0x08, 0x0008_0083),
            (0x5200, 0xDEAD_BEEF),
            (0x5408, 0x1234_5678),
            (0x540C, 0x8000_0000),
            (0x57FC, 1),
        ]);
        // What a register's initial value should not be relied on to be.
        registers.extend(
            [0x28, 0x2C, 0x30, 0x38, 0x170, 0x2160, 0x2168, 0x2820, 0x282C, 0x3820, 0x382C, 0x5000]
                .map(|offset| (offset, 0x77)),
        );
        if self.pcie() {
            registers.extend([(0x5008, 1 << 15), (0xDC, 1 << 21), (0xE0, 1)]);
            registers.extend([
                (0x10, 0x0300),
                (0x18, 1 << 23 | 1 << 24 | 1 << 27),
                (0x3840, 0x7800_0403),
                (0x00, 1 << 29),
            ]);
        }
    }

    fn read_eerd(&self) -> u32 {
        let eerd = self.peek(0x14);
        if self.busy.get() != 0 || self.fault.get() == Fault::EepromSilent || eerd & 1 == 0 {
            return eerd;
        }
        let (word, done) =
            if self.pcie() { (eerd >> 2 & 0x3FFF, 1 << 1) } else { (eerd >> 8 & 0xFF, 1 << 4) };
        let data = self.eeprom.borrow().get(word as usize).copied().unwrap_or(0xFFFF);
        u32::from(data) << 16 | eerd & 0xFFFC | done
    }

    fn write_mdic(&self, value: u32) {
        let register = (value >> 16 & 31) as usize;
        let failed = value >> 21 & 31 != 1 || self.fault.get() == Fault::PhyError;
        let data = match (value >> 26 & 3, self.fault.get()) {
            (1, _) => {
                self.write_phy(register, (value & 0xFFFF) as u16);
                value & 0xFFFF
            }
            (_, Fault::PhyReads(data)) => data.into(),
            _ => self.phy.borrow()[register].into(),
        };
        if self.pcie() {
            assert_ne!(self.peek(0xF00) & 1 << 5, 0, "the PHY was accessed without owning it");
        }
        self.poke(0x20, value & 0x0FFF_0000 | data | u32::from(failed) << 30);
        self.busy.set(64);
    }

    fn write_phy(&self, register: usize, value: u16) {
        let mut phy = self.phy.borrow_mut();
        phy[register] = value;
        if register == 0 {
            self.phy_commands.borrow_mut().push(value);
            if value & 1 << 15 != 0 && self.fault.get() != Fault::PhyResetStuck {
                phy[0] = if self.phy_forgets.get() { 0x1140 } else { value & 0x7FFF };
            }
        }
    }

    fn read_mdic(&self) -> u32 {
        let ready = self.busy.get() == 0 && self.fault.get() != Fault::PhySilent;
        self.peek(0x20) | u32::from(ready) << 28
    }

    fn read_icr(&self) -> u32 {
        let causes = self.peek(0xC0);
        if self.peek(0xE4) == 0 || self.read_clears.get() {
            self.poke(0xC0, 0);
        }
        causes
    }

    fn write_ctrl(&self, value: u32, by_port: bool) {
        if value & 1 << 31 != 0 {
            self.phy_resets.set(self.phy_resets.get() + 1);
        }
        if value & 1 << 26 != 0 && !by_port && !self.pcie() && !self.memory_resets.get() {
            return;
        }
        if value & 1 << 26 != 0 {
            assert_eq!(self.peek(0xD0), 0, "reset with interrupts unmasked");
            assert_eq!(self.peek(0x100) & 2, 0, "reset with the receiver on");
            self.resets.set(self.resets.get() + 1);
            self.settled.set(0);
            self.reset();
            if self.fault.get() == Fault::ResetStuck {
                self.poke(0x00, 1 << 26);
            }
            return;
        }
        let master = u32::from(value & 1 << 2 == 0 || self.fault.get() == Fault::MasterStuck);
        self.poke(0x08, self.peek(0x08) & !(1 << 19) | master << 19);
        self.poke(0x00, value);
    }
}

impl Card {
    /// Nothing may be touched within a microsecond of a reset.
    fn assert_settled(&self) {
        assert!(self.settled.get() != 0, "a register is accessed before the reset has settled");
    }
}

impl Registers for Card {
    fn read(&self, offset: u32) -> u32 {
        self.assert_settled();
        self.accesses.set(self.accesses.get() + 1);
        let fault = self.fault.get();
        if matches!(fault, Fault::GoneFrom(access) if self.accesses.get() > access) {
            return u32::MAX;
        }
        match offset {
            0x10 if fault == Fault::AutoReadSilent => self.peek(offset) & !(1 << 9),
            0x14 => self.read_eerd(),
            0x20 => self.read_mdic(),
            0xC0 => self.read_icr(),
            0xF00 if fault == Fault::PhyOwned => self.peek(offset) & !(1 << 5),
            0x4000..0x4100 => {
                let value = self.peek(offset);
                // The low half of a pair is cleared with the high one.
                if !matches!(offset, 0x4088 | 0x4090) {
                    self.poke(offset, 0);
                }
                if matches!(offset, 0x408C | 0x4094) {
                    self.poke(offset - 4, 0);
                }
                value
            }
            _ => self.peek(offset),
        }
    }

    fn write(&self, offset: u32, value: u32) {
        self.assert_settled();
        self.accesses.set(self.accesses.get() + 1);
        self.writes.borrow_mut().push((offset, value));
        let fault = self.fault.get();
        match offset {
            0x00 => self.write_ctrl(value, false),
            0x08 => panic!("STATUS is read only"),
            0x14 => {
                self.poke(0x14, value);
                self.busy.set(50);
            }
            0x20 => self.write_mdic(value),
            0xC0 => self.poke(0xC0, self.peek(0xC0) & !value),
            0xC8 => self.cause(value),
            0xD0 => {
                self.poke(0xD0, self.peek(0xD0) | value);
                self.cause(0);
            }
            0xD8 => self.poke(0xD0, self.peek(0xD0) & !value),
            0x5200..0x5400 => {
                let stuck = if let Fault::StuckBit(bit) = fault { 1 << bit } else { 0 };
                self.poke(offset, value & !stuck);
            }
            _ => self.poke(offset, value),
        }
    }

    fn write_port(&self, offset: u32, value: u32) -> bool {
        self.assert_settled();
        if self.ports.get() == Ports::None {
            return false;
        }
        match offset {
            0 => self.port_address.set(value),
            4 => {
                let register = self.port_address.get();
                self.port_writes.borrow_mut().push((register, value));
                if self.ports.get() == Ports::Work && register == 0 {
                    self.write_ctrl(value, true);
                }
            }
            _ => panic!("port {offset}"),
        }
        true
    }
}

impl Delay for Card {
    fn microseconds(&self, us: u32) {
        assert!(us <= 25_000, "a single wait is too long");
        self.settled.set(self.settled.get().saturating_add(u64::from(us)));
        self.waited.set(self.waited.get() + u64::from(us));
        self.busy.set(self.busy.get().saturating_sub(us));
    }

    fn clock(&self) -> u64 {
        self.waited.get()
    }
}
