//! Registers that read what they should not, and writes that do not arrive (SDM section 13, 82574 datasheet section 10).

use crate::{
    nic::{Fault, Faults, Model},
    pci::{Device, Platform},
};

pub(super) const CTRL: u64 = 0x0000;
const EERD: u64 = 0x0014;
const MDIC: u64 = 0x0020;
const RCTL: u64 = 0x0100;
const RDBAL: u64 = 0x2800;
pub(super) const TDT: u64 = 0x3818;
/// RDBAL, RDBAH, RDLEN, RDH, RDT.
pub(super) const RECEIVE_RING: [u64; 5] = [RDBAL, 0x2804, 0x2808, 0x2810, 0x2818];
/// The same of the transmit ring.
pub(super) const TRANSMIT_RING: [u64; 5] = [0x3800, 0x3804, 0x3808, 0x3810, TDT];

const CTRL_SLU: u64 = 1 << 6;
const CTRL_RST: u64 = 1 << 26;
const RCTL_EN: u64 = 1 << 1;
const MDIC_ERROR: u64 = 1 << 30;
const MDIC_READY: u64 = 1 << 28;
const CTRL_PHY_RST: u64 = 1 << 31;
/// MDIC: a read, a write, and what a write of the PHY's control register resets it by.
const MDIC_READ: u64 = 2 << 26;
const MDIC_WRITE: u64 = 1 << 26;
const PHY_RESET: u64 = 1 << 15;
/// What makes the first word of the EEPROM that of a group's address.
const GROUP: u64 = 1;
/// The word that makes the EEPROM's sum right.
const CHECKSUM: u64 = 0x3f;

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It reaches the card.
    Pass,
    /// It does, and resets it.
    Reset,
    /// It is lost, or comes later.
    Nothing,
}

/// What the register faults have to remember.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    model: Model,
    /// A reset was begun while resets get stuck.
    resetting: bool,
    /// The PHY was asked something, and which register.
    asked: bool,
    phy_register: Option<u64>,
    /// The word of the EEPROM that was asked for.
    word: u64,
    /// The transmit tail that the card does not know of.
    tail: Option<u32>,
}

impl Wrong {
    pub(super) fn new(model: Model) -> Self {
        Self { model, resetting: false, asked: false, phy_register: None, word: 0, tail: None }
    }

    /// Software reads `value` at `off`; what it is told.
    pub(super) fn read(&mut self, off: u64, value: u64, faults: &Faults) -> u64 {
        if value & 0xffff_ffff == 0xffff_ffff {
            // Asleep, or gone for good.
            return value;
        }
        match off {
            CTRL => {
                self.resetting &= faults.has(Fault::ResetStuck);
                if self.resetting { value | CTRL_RST } else { value }
            }
            MDIC if self.asked && faults.has(Fault::PhySilent) => value & !MDIC_READY,
            MDIC if faults.has(Fault::PhyHung) => value & !self.hung_phy_error() | self.hung_phy(),
            EERD => self.eeprom(value, faults),
            TDT => self.tail.map_or(value, u64::from),
            _ => value,
        }
    }

    /// What a PHY that hangs shows besides in the register that was asked for: full counters of receive and idle errors.
    fn hung_phy(&self) -> u64 {
        match self.phy_register {
            Some(21) => 0xffff | MDIC_READY,
            Some(10) => 0x00ff,
            _ => 0,
        }
    }

    /// QEMU's PHY has no counter of receive errors and says so.
    fn hung_phy_error(&self) -> u64 {
        if self.phy_register == Some(21) { MDIC_ERROR } else { 0 }
    }

    fn eeprom(&self, value: u64, faults: &Faults) -> u64 {
        let group = faults.has(Fault::EepromGroupAddress);
        let data = value >> 16;
        let data = match self.word {
            0 if group => data | GROUP,
            CHECKSUM if group => data.wrapping_sub(GROUP),
            CHECKSUM if faults.has(Fault::EepromChecksum) => data ^ 1,
            _ => data,
        };
        value & 0xffff | (data & 0xffff) << 16
    }

    /// Software writes `value` at `off`.
    pub(super) fn write(&mut self, off: u64, value: u64, faults: &Faults) -> Effect {
        match off {
            CTRL if value & CTRL_RST != 0 => {
                faults.clear(Fault::TransmitStuckUntilReset);
                self.resetting = faults.has(Fault::ResetStuck);
                (self.asked, self.tail) = (false, None);
                return Effect::Reset;
            }
            EERD => self.word = if self.model.is_82574() { value >> 2 & 0x3fff } else { value >> 8 & 0xff },
            MDIC => {
                self.asked = true;
                let register = value >> 16 & 31;
                self.phy_register = (value & MDIC_READ != 0).then_some(register);
                if value & MDIC_WRITE != 0 && register == 0 && value & PHY_RESET != 0 {
                    faults.clear(Fault::PhyHung);
                }
            }
            CTRL if value & CTRL_PHY_RST != 0 => faults.clear(Fault::PhyHung),
            RCTL if value & RCTL_EN == 0 && faults.has(Fault::ReceiverUnstoppable) => return Effect::Nothing,
            TDT if is_stuck(faults) => {
                self.tail = Some(u32::try_from(value & 0xffff_ffff).unwrap_or(0));
                return Effect::Nothing;
            }
            TDT => self.tail = None,
            _ => {}
        }
        Effect::Pass
    }

    /// The transmit tail that was held back, once it need not be.
    pub(super) fn released_tail(&mut self, faults: &Faults) -> Option<u32> {
        self.tail.take_if(|_| !is_stuck(faults) && !faults.has(Fault::Gone))
    }
}

fn is_stuck(faults: &Faults) -> bool {
    faults.has(Fault::TransmitStuck) || faults.has(Fault::TransmitStuckUntilReset)
}

/// What makes a receiver go on through a reset: registers and their values, in the order they are to be written in.
pub(super) fn save_receiver(card: &mut impl Device, p: &dyn Platform) -> Vec<(u64, u64)> {
    let ring = RECEIVE_RING.into_iter().chain([RCTL]);
    let kept = ring.map(|off| (off, card.mmio_read(p, 0, off, 4)));
    [(CTRL, CTRL_SLU)].into_iter().chain(kept).collect()
}
