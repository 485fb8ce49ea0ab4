//! The register file: offsets and bits, and the storage behind them.
//!
//! Offsets and bits are those of the PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's
//! Manual, section 13, and of the 82574 datasheet, section 10. They are the model's own: the driver keeps its own.

use super::Model;

/// Bytes of the window.
pub(super) const WINDOW: u64 = 0x2_0000;
/// Device control.
pub(super) const CTRL: u64 = 0x0000;
/// Device status.
pub(super) const STATUS: u64 = 0x0008;
/// EEPROM/flash control.
pub(super) const EECD: u64 = 0x0010;
/// EEPROM read.
pub(super) const EERD: u64 = 0x0014;
/// Extended device control.
pub(super) const CTRL_EXT: u64 = 0x0018;
/// MDI control.
pub(super) const MDIC: u64 = 0x0020;
/// Address of PAUSE frames, low and high, and their ethertype.
pub(super) const FCAL: u64 = 0x0028;
pub(super) const FCAH: u64 = 0x002c;
pub(super) const FCT: u64 = 0x0030;
/// VLAN ethertype.
pub(super) const VET: u64 = 0x0038;
/// Interrupt cause read.
pub(super) const ICR: u64 = 0x00c0;
/// Interrupt throttling.
pub(super) const ITR: u64 = 0x00c4;
/// Interrupt cause set.
pub(super) const ICS: u64 = 0x00c8;
/// Interrupt mask set/read.
pub(super) const IMS: u64 = 0x00d0;
/// Interrupt mask clear.
pub(super) const IMC: u64 = 0x00d8;
/// Extended interrupt auto clear (82574).
pub(super) const EIAC: u64 = 0x00dc;
/// Interrupt acknowledge auto mask (82574).
pub(super) const IAM: u64 = 0x00e0;
/// Interrupt vector allocation (82574).
pub(super) const IVAR: u64 = 0x00e4;
/// First of five extended interrupt throttling registers (82574).
pub(super) const EITR: u64 = 0x00e8;
/// Receive control.
pub(super) const RCTL: u64 = 0x0100;
/// Flow control: time of a pause, thresholds of the receive FIFO to end and to ask for one.
pub(super) const FCTTV: u64 = 0x0170;
pub(super) const FCRTL: u64 = 0x2160;
pub(super) const FCRTH: u64 = 0x2168;
/// Transmit control.
pub(super) const TCTL: u64 = 0x0400;
/// Transmit inter-packet gap.
pub(super) const TIPG: u64 = 0x0410;
/// LED control.
pub(super) const LEDCTL: u64 = 0x0e00;
/// Packet buffer allocation.
pub(super) const PBA: u64 = 0x1000;
/// Receive descriptor base, low and high.
pub(super) const RDBAL: u64 = 0x2800;
pub(super) const RDBAH: u64 = 0x2804;
/// Receive ring length in bytes, head, tail.
pub(super) const RDLEN: u64 = 0x2808;
pub(super) const RDH: u64 = 0x2810;
pub(super) const RDT: u64 = 0x2818;
/// Receive interrupt delay timer and its absolute bound.
pub(super) const RDTR: u64 = 0x2820;
pub(super) const RXDCTL: u64 = 0x2828;
pub(super) const RADV: u64 = 0x282c;
/// Transmit descriptor base, low and high.
pub(super) const TDBAL: u64 = 0x3800;
pub(super) const TDBAH: u64 = 0x3804;
/// Transmit ring length in bytes, head, tail.
pub(super) const TDLEN: u64 = 0x3808;
pub(super) const TDH: u64 = 0x3810;
pub(super) const TDT: u64 = 0x3818;
/// Transmit interrupt delay.
pub(super) const TIDV: u64 = 0x3820;
/// Its absolute bound.
pub(super) const TADV: u64 = 0x382c;
/// Transmit arbitration of queue 0 and 1 (82574).
pub(super) const TARC0: u64 = 0x3840;
pub(super) const TARC1: u64 = 0x3940;
/// Statistics, first and last.
pub(super) const STATISTICS: u64 = 0x4000;
pub(super) const STATISTICS_END: u64 = 0x40fc;
/// Receive checksum control.
pub(super) const RXCSUM: u64 = 0x5000;
/// Receive filter control (82574).
pub(super) const RFCTL: u64 = 0x5008;
/// Multicast table array: 128 dwords.
pub(super) const MTA: u64 = 0x5200;
/// Receive addresses: 16 pairs of low and high.
pub(super) const RAL0: u64 = 0x5400;
pub(super) const RAH0: u64 = 0x5404;
/// VLAN filter table array: 128 dwords.
pub(super) const VFTA: u64 = 0x5600;
/// PCI Express control (82574).
pub(super) const GCR: u64 = 0x5b00;
/// Who may use PHY and EEPROM (82574).
pub(super) const EXTCNF_CTRL: u64 = 0x0f00;
/// Software semaphore (82574).
pub(super) const SWSM: u64 = 0x5b50;

/// Bits of [`CTRL`].
pub(super) mod ctrl {
    pub(in super::super) const FD: u32 = 1;
    pub(in super::super) const GIO_MASTER_DISABLE: u32 = 1 << 2;
    pub(in super::super) const SLU: u32 = 1 << 6;
    pub(in super::super) const SPEED: u32 = 3 << 8;
    pub(in super::super) const FRCSPD: u32 = 1 << 11;
    pub(in super::super) const FRCDPX: u32 = 1 << 12;
    pub(in super::super) const RST: u32 = 1 << 26;
    pub(in super::super) const RFCE: u32 = 1 << 27;
    pub(in super::super) const TFCE: u32 = 1 << 28;
    pub(in super::super) const VME: u32 = 1 << 30;
    pub(in super::super) const PHY_RST: u32 = 1 << 31;
}

/// Bits of [`STATUS`].
pub(super) mod status {
    pub(in super::super) const FD: u32 = 1;
    pub(in super::super) const LU: u32 = 1 << 1;
    pub(in super::super) const TXOFF: u32 = 1 << 4;
    pub(in super::super) const PHYRA: u32 = 1 << 10;
    /// 82545EM: the bus is PCI-X.
    pub(in super::super) const PCIX_MODE: u32 = 1 << 13;
    pub(in super::super) const GIO_MASTER_ENABLE: u32 = 1 << 19;
}

/// Bits of [`EECD`].
pub(super) mod eecd {
    pub(in super::super) const REQ: u32 = 1 << 6;
    pub(in super::super) const GNT: u32 = 1 << 7;
    pub(in super::super) const PRES: u32 = 1 << 8;
    pub(in super::super) const AUTO_RD: u32 = 1 << 9;
}

/// Bits of [`CTRL_EXT`].
pub(super) mod ctrl_ext {
    pub(in super::super) const EIAME: u32 = 1 << 24;
    pub(in super::super) const IAME: u32 = 1 << 27;
}

/// Interrupt causes: bits of [`ICR`], [`ICS`], [`IMS`] and [`IMC`].
pub(super) mod cause {
    pub(in super::super) const TXDW: u32 = 1;
    pub(in super::super) const TXQE: u32 = 1 << 1;
    pub(in super::super) const LSC: u32 = 1 << 2;
    pub(in super::super) const RXDMT0: u32 = 1 << 4;
    pub(in super::super) const RXO: u32 = 1 << 6;
    pub(in super::super) const RXT0: u32 = 1 << 7;
    pub(in super::super) const MDAC: u32 = 1 << 9;
    pub(in super::super) const SRPD: u32 = 1 << 16;
    pub(in super::super) const ACK: u32 = 1 << 17;
    pub(in super::super) const MNG: u32 = 1 << 18;
    pub(in super::super) const RXQ0: u32 = 1 << 20;
    pub(in super::super) const RXQ1: u32 = 1 << 21;
    pub(in super::super) const TXQ0: u32 = 1 << 22;
    pub(in super::super) const TXQ1: u32 = 1 << 23;
    pub(in super::super) const OTHER: u32 = 1 << 24;
    pub(in super::super) const INT_ASSERTED: u32 = 1 << 31;
}

/// Bits of [`RCTL`].
pub(super) mod rctl {
    pub(in super::super) const EN: u32 = 1 << 1;
    pub(in super::super) const UPE: u32 = 1 << 3;
    pub(in super::super) const MPE: u32 = 1 << 4;
    pub(in super::super) const LPE: u32 = 1 << 5;
    pub(in super::super) const BAM: u32 = 1 << 15;
    pub(in super::super) const VFE: u32 = 1 << 18;
    pub(in super::super) const CFIEN: u32 = 1 << 19;
    pub(in super::super) const CFI: u32 = 1 << 20;
    pub(in super::super) const BSEX: u32 = 1 << 25;
    pub(in super::super) const SECRC: u32 = 1 << 26;
}

/// Bits of [`TCTL`].
pub(super) mod tctl {
    pub(in super::super) const EN: u32 = 1 << 1;
    pub(in super::super) const PSP: u32 = 1 << 3;
    pub(in super::super) const COLD: u32 = 0x3ff << 12;
}

/// The bits of the register at `off` that keep what is written to them, as far as the default is not all.
pub(super) fn stored_bits(model: Model, off: u64) -> u32 {
    match off {
        VET | ITR | FCTTV | RDTR | RADV | TIDV | TADV => 0xffff,
        FCRTL => 0x8000_fff8,
        FCRTH => 0x0000_fff8,
        _ if model.is_82574() && (EITR..EITR + 20).contains(&off) => 0xffff,
        _ => u32::MAX,
    }
}

/// Storage of every dword of the 128 KiB window.
#[derive(Clone, Debug)]
pub(super) struct Registers(Vec<u32>);

impl Registers {
    /// Values after power-on or `CTRL.RST`.
    pub(super) fn reset(model: Model) -> Self {
        let mut regs = Self(vec![0; 0x2_0000 / 4]);
        regs.set(TIPG, 0x0060_2008);
        regs.set(VET, 0x8100);
        if model.is_82574() {
            // Three LEDs; the others have four.
            regs.set(LEDCTL, 0x0006_8302);
            regs.set(CTRL, ctrl::FD | 0x0010_0000);
            regs.set(PBA, 0x0014_0014);
            regs.set(TARC0, 0x0000_0403);
            regs.set(TARC1, 0x0000_0403);
            regs.set(RXDCTL, 0x0001_0000);
            regs.set(RXCSUM, 0x0000_0300);
        } else {
            regs.set(LEDCTL, 0x0706_8302);
            regs.set(CTRL, ctrl::FD);
            regs.set(PBA, 0x0010_0030);
        }
        regs
    }

    /// The dword at `off`; zero outside of the window.
    pub(super) fn get(&self, off: u64) -> u32 {
        usize::try_from(off / 4).ok().and_then(|i| self.0.get(i)).copied().unwrap_or(0)
    }

    /// Stores the dword at `off`.
    pub(super) fn set(&mut self, off: u64, value: u32) {
        if let Some(word) = usize::try_from(off / 4).ok().and_then(|i| self.0.get_mut(i)) {
            *word = value;
        }
    }

    /// Whether all of `bits` are set in the dword at `off`.
    pub(super) fn has(&self, off: u64, bits: u32) -> bool {
        self.get(off) & bits == bits
    }

    /// A 64-bit value from a low and a high dword.
    pub(super) fn wide(&self, low: u64, high: u64) -> u64 {
        u64::from(self.get(high)) << 32 | u64::from(self.get(low))
    }
}
