//! The statistics block (SDM section 13.7): cleared by reading, stopping at full scale.

use super::registers::{STATISTICS, STATISTICS_END};

/// A counter of 32 bits, by its offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counter(u64);

/// A counter of 64 bits, by the offset of its low half; the high half follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WideCounter(u64);

/// Receive errors that the PHY signals.
pub(super) const RXERRC: Counter = Counter(0x400c);
/// Missed packets: no room in the packet buffer.
pub(super) const MPC: Counter = Counter(0x4010);
/// XON and XOFF received and transmitted.
pub(super) const XONRXC: Counter = Counter(0x4048);
pub(super) const XONTXC: Counter = Counter(0x404c);
pub(super) const XOFFRXC: Counter = Counter(0x4050);
pub(super) const XOFFTXC: Counter = Counter(0x4054);
/// Frames given up after 16 collisions; after a late collision.
pub(super) const ECOL: Counter = Counter(0x4018);
pub(super) const LATECOL: Counter = Counter(0x4020);
/// First of six counters of received frames by length.
const PRC64: u64 = 0x405c;
/// Good packets received; broadcast; multicast.
pub(super) const GPRC: Counter = Counter(0x4074);
pub(super) const BPRC: Counter = Counter(0x4078);
pub(super) const MPRC: Counter = Counter(0x407c);
/// Good packets transmitted.
pub(super) const GPTC: Counter = Counter(0x4080);
/// Good octets received and transmitted.
pub(super) const GORC: WideCounter = WideCounter(0x4088);
pub(super) const GOTC: WideCounter = WideCounter(0x4090);
/// Frames that arrived when no receive descriptor was free.
pub(super) const RNBC: Counter = Counter(0x40a0);
/// Received undersize and oversize.
pub(super) const RUC: Counter = Counter(0x40a4);
pub(super) const ROC: Counter = Counter(0x40ac);
/// Total octets received and transmitted.
pub(super) const TOR: WideCounter = WideCounter(0x40c0);
pub(super) const TOT: WideCounter = WideCounter(0x40c8);
/// Total packets received and transmitted.
pub(super) const TPR: Counter = Counter(0x40d0);
pub(super) const TPT: Counter = Counter(0x40d4);
/// First of six counters of transmitted frames by length.
const PTC64: u64 = 0x40d8;
/// Multicast and broadcast transmitted.
pub(super) const MPTC: Counter = Counter(0x40f0);
pub(super) const BPTC: Counter = Counter(0x40f4);

/// The low halves of the 64-bit counters.
const WIDE: [u64; 4] = [GORC.0, GOTC.0, TOR.0, TOT.0];

/// All counters.
#[derive(Clone, Debug)]
pub(super) struct Statistics([u32; 64]);

impl Statistics {
    pub(super) fn new() -> Self {
        Self([0; 64])
    }

    fn index(off: u64) -> usize {
        usize::try_from((off - STATISTICS) / 4).unwrap_or(0)
    }

    /// Whether `off` lies in the block.
    pub(super) fn contains(off: u64) -> bool {
        (STATISTICS..=STATISTICS_END).contains(&off)
    }

    pub(super) fn add(&mut self, counter: Counter, n: u32) {
        let value = &mut self.0[Self::index(counter.0)];
        *value = value.saturating_add(n);
    }

    pub(super) fn add_wide(&mut self, counter: WideCounter, n: u64) {
        let low = Self::index(counter.0);
        let value = (u64::from(self.0[low + 1]) << 32 | u64::from(self.0[low])).saturating_add(n);
        self.0[low] = u32::try_from(value & 0xffff_ffff).unwrap_or(u32::MAX);
        self.0[low + 1] = u32::try_from(value >> 32).unwrap_or(u32::MAX);
    }

    /// Counts a received frame of `len` octets with its FCS into its length's class.
    pub(super) fn received_length(&mut self, len: usize) {
        self.add(Counter(PRC64 + 4 * class(len)), 1);
    }

    /// Counts a transmitted frame of `len` octets with its FCS into its length's class.
    pub(super) fn transmitted_length(&mut self, len: usize) {
        self.add(Counter(PTC64 + 4 * class(len)), 1);
    }

    /// Reads and clears. Of a 64-bit counter both halves are cleared by reading the high one.
    pub(super) fn read(&mut self, off: u64) -> u32 {
        let index = Self::index(off);
        if WIDE.contains(&off) {
            return self.0[index];
        }
        if off >= 4 && WIDE.contains(&(off - 4)) {
            self.0[index - 1] = 0;
        }
        std::mem::take(&mut self.0[index])
    }
}

fn class(len: usize) -> u64 {
    match len {
        ..=64 => 0,
        65..=127 => 1,
        128..=255 => 2,
        256..=511 => 3,
        512..=1023 => 4,
        _ => 5,
    }
}
