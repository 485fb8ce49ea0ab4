//! Interrupt cause, mask, moderation and vector registers.

use super::registers;

registers! {
    /// Interrupt cause. The bits are [`Causes`](crate::Causes).
    Icr = 0x00C0, W1C, "13.4.17", "10.2.4.1" {}
    /// Interrupt throttling, in units of 256 ns.
    Itr = 0x00C4, RW, "13.4.18", "10.2.4.2" {
        /// Least time between interrupts; 0 turns throttling off.
        INTERVAL: 0..=15;
    }
    /// Sets interrupt causes.
    Ics = 0x00C8, WO, "13.4.19", "10.2.4.4" {}
    /// Reads the interrupt mask and sets bits in it.
    Ims = 0x00D0, RW, "13.4.20", "10.2.4.5" {}
    /// Clears bits of the interrupt mask.
    Imc = 0x00D8, WO, "13.4.21", "10.2.4.6" {}
    /// 82574: causes that their MSI-X message clears.
    Eiac = 0x00DC, RW, "", "10.2.4.7" {}
    /// 82574: causes masked by an interrupt acknowledge, where `CTRL_EXT.IAME` says so.
    Iam = 0x00E0, RW, "", "10.2.4.8" {}
    /// 82574: which MSI-X vector reports which cause. Bit 3 of each field says that the field is valid.
    Ivar = 0x00E4, RW, "", "10.2.4.9" {
        /// Receive queue 0.
        RXQ0: 0..=3;
        /// Transmit queue 0.
        TXQ0: 8..=11;
        /// All other causes.
        OTHER: 16..=19;
        /// A transmit interrupt on every write-back.
        TX_EVERY_WRITE_BACK: 31;
    }
    /// 82574: throttling per MSI-X vector, in units of 256 ns.
    Eitr = 0x00E8[5; 4], RW, "", "10.2.4.3" {
        /// Least time between messages; 0 turns throttling off.
        INTERVAL: 0..=15;
    }
}
