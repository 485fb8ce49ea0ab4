//! Everything that can go wrong with a card.

use core::fmt;

/// Why an operation on the card failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A register read all ones: the card has been removed or its bus is down.
    Gone,
    /// No row of [`MODELS`](crate::MODELS) has this vendor and device id.
    UnknownDevice {
        /// PCI vendor id.
        vendor: u16,
        /// PCI device id.
        device: u16,
    },
    /// The EEPROM did not answer a read of this word.
    EepromTimeout {
        /// Word address.
        word: u8,
    },
    /// The EEPROM's words 00h to 3Fh do not add up to `BABAh` (SDM 5.6.35).
    EepromChecksum {
        /// What they add up to, modulo 65536.
        sum: u16,
    },
    /// The EEPROM was not read by the card within 10 ms after a reset (`EECD.AUTO_RD`).
    EepromAutoRead,
    /// The Ethernet address in the EEPROM is a group address or zero.
    InvalidAddress,
    /// The PHY did not answer an access to this register.
    PhyTimeout {
        /// PHY register number.
        register: u8,
    },
    /// The card reported an error for an access to this PHY register (MDIC.E).
    PhyAccess {
        /// PHY register number.
        register: u8,
    },
    /// The PHY's identifier is all zeros or all ones: no PHY is there.
    PhyMissing,
    /// Firmware did not give up the PHY and EEPROM (`EXTCNF_CTRL.MDIO_SW_OWNERSHIP`).
    SemaphoreTimeout,
    /// The card did not come out of CTRL.RST.
    ResetTimeout,
    /// A register did not hold the value written to it.
    RegisterTest {
        /// Byte offset in BAR 0.
        offset: u32,
        /// What was written.
        wrote: u32,
        /// What was read back.
        read: u32,
    },
    /// The descriptor ring's memory is not 16-byte aligned, not a multiple of 128 bytes long, shorter than 8 or longer
    /// than 4096 descriptors, or its companion storage has a different number of entries.
    RingMemory,
    /// The card has no MSI-X vectors.
    NoMessages,
    /// The frame is empty or longer than a transmit buffer.
    FrameLength,
    /// All descriptors of the ring are in use.
    RingFull,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Gone => f.write_str("the card is gone"),
            Self::UnknownDevice { vendor, device } => write!(f, "unknown device {vendor:04X}:{device:04X}"),
            Self::EepromTimeout { word } => write!(f, "EEPROM word {word:02X}h was not read in time"),
            Self::EepromChecksum { sum } => write!(f, "EEPROM sum is {sum:04X}h, not BABAh"),
            Self::EepromAutoRead => f.write_str("the card did not load its EEPROM after reset"),
            Self::InvalidAddress => f.write_str("the EEPROM holds no station address"),
            Self::PhyTimeout { register } => write!(f, "PHY register {register} did not answer in time"),
            Self::PhyAccess { register } => write!(f, "PHY register {register} cannot be accessed"),
            Self::PhyMissing => f.write_str("no PHY answers"),
            Self::SemaphoreTimeout => f.write_str("firmware keeps the PHY"),
            Self::ResetTimeout => f.write_str("the card did not come out of reset"),
            Self::RegisterTest { offset, wrote, read } => {
                write!(f, "register {offset:05X}h was written {wrote:08X}h and reads {read:08X}h")
            }
            Self::RingMemory => f.write_str("the ring's memory is unsuitable"),
            Self::NoMessages => f.write_str("the card has no MSI-X vectors"),
            Self::FrameLength => f.write_str("the frame's length is out of range"),
            Self::RingFull => f.write_str("the ring is full"),
        }
    }
}

impl core::error::Error for Error {}
