//! What surrounds a card: its slot, what firmware leaves behind, and how the card behaves where its documents leave it open
//! or other systems' drivers work around it.

use crate::machine::Machine;

/// What surrounds a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// The 82545EM is in a PCI-X slot, as STATUS reports: it reaches all of memory. In a plain PCI slot, where the 82540EM
    /// always is, a card hangs on bus addresses of more than 32 bits.
    pub pci_x: bool,
    /// A write of `CTRL.RST` through memory resets an 8254x. If not, nothing comes of it, for the card cannot acknowledge
    /// what the bus makes of it; the I/O window is what works always.
    pub memory_reset: bool,
    /// Bits 1:0 of the 82574's Link Control as firmware sets them: ASPM L0s and L1. With any of them a transmitter may hang.
    pub aspm: u8,
    /// A message of the 82574 masks its cause only if `CTRL_EXT.EIAME` and the cause's bit of IAM are set (82574 10.2.2 and
    /// 10.2.4); if not, EIAC is enough.
    pub mask_by_eiame: bool,
}

impl Board {
    /// What a driver has to cope with.
    pub const DEFAULT: Self = Self { pci_x: false, memory_reset: false, aspm: 3, mask_by_eiame: false };

    /// Everything works.
    pub const TAME: Self = Self { pci_x: false, memory_reset: true, aspm: 0, mask_by_eiame: false };

    /// One drawn from the machine's seed.
    pub fn drawn(machine: &Machine) -> Self {
        Self {
            pci_x: machine.chance(1, 2),
            memory_reset: machine.chance(1, 2),
            aspm: u8::try_from(machine.below(4)).unwrap_or(0),
            mask_by_eiame: machine.chance(1, 2),
        }
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::DEFAULT
    }
}
