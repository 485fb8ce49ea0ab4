//! The network card: an in-process model of Intel's 82540EM, 82545EM and 82574L, written from the
//! datasheet's facts with a register table of its own, so that a wrong offset in the driver cannot cancel out.

mod board;
mod config;
mod device;
mod eeprom;
mod fault;
mod fcs;
mod filter;
mod interrupts;
mod latency;
mod management;
mod pause;
mod phy;
mod ports;
mod receive;
mod registers;
mod rules;
mod statistics;
#[cfg(test)]
pub(crate) mod tests;
mod timers;
mod told;
mod transmit;
mod vlan;
mod write_back;

use std::{fmt, str::FromStr};

pub use board::Board;
pub use device::E1000;
pub use fault::{Fault, Faults, WriteBack};
pub(crate) use rules::RULES;

/// Which card is modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// 82540EM, PCI, device id 100E: legacy interrupts only.
    I82540em,
    /// 82545EM, PCI-X, device id 100F: legacy interrupts only.
    I82545em,
    /// 82574L, PCI Express, device id 10D3: `INTx`, MSI and MSI-X.
    I82574l,
}

impl Model {
    /// All models, in the order of their device ids' age.
    pub const ALL: [Self; 3] = [Self::I82540em, Self::I82545em, Self::I82574l];

    /// PCI device id; the vendor is always 8086.
    pub fn device_id(self) -> u16 {
        match self {
            Self::I82540em => 0x100e,
            Self::I82545em => 0x100f,
            Self::I82574l => 0x10d3,
        }
    }

    /// PCI subsystem id, as Intel's own boards have it.
    pub fn subsystem(self) -> u16 {
        match self {
            Self::I82540em => 0x001e,
            Self::I82545em => 0x1001,
            Self::I82574l => 0xa01f,
        }
    }

    /// The PCI Express member of the family, which has MSI-X and different EEPROM and interrupt registers.
    pub fn is_82574(self) -> bool {
        self == Self::I82574l
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I82540em => "82540em",
            Self::I82545em => "82545em",
            Self::I82574l => "82574l",
        })
    }
}

/// A name that is none of the models'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownModel(String);

impl fmt::Display for UnknownModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no card is called {:?}: use 82540em, 82545em or 82574l", self.0)
    }
}

impl std::error::Error for UnknownModel {}

impl FromStr for Model {
    type Err = UnknownModel;

    fn from_str(name: &str) -> Result<Self, UnknownModel> {
        Self::ALL
            .into_iter()
            .find(|model| model.to_string().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownModel(name.to_owned()))
    }
}
