//! The receive address filter: exact addresses, the multicast hash, broadcast and the promiscuous bits.

use super::{
    E1000,
    registers::{MTA, RAH0, RAL0, RCTL, rctl},
};

/// How a frame passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// Its address is one of the receive addresses, or everything passes.
    Exact,
    /// Only the multicast hash let it in; software has to look again.
    Inexact,
}

/// Address valid, bit 31 of RAH.
const AV: u32 = 1 << 31;

/// RAL and RAH that make `address` one of the card's own.
pub(super) fn receive_address(address: [u8; 6]) -> (u32, u32) {
    let mut bytes = [0; 8];
    bytes[..6].copy_from_slice(&address);
    let value = u64::from_le_bytes(bytes);
    (u32::try_from(value & 0xffff_ffff).unwrap_or(0), u32::try_from(value >> 32).unwrap_or(0) | AV)
}

impl E1000 {
    /// Whether the frame's destination (its first six bytes) is wanted.
    pub(super) fn filter(&self, frame: &[u8]) -> Option<Match> {
        let destination: [u8; 6] = frame.get(..6)?.try_into().ok()?;
        let control = self.regs.get(RCTL);
        let group = destination[0] & 1 != 0;
        let passes = if destination == [0xff; 6] {
            control & rctl::BAM != 0
        } else {
            let promiscuous = if group { rctl::MPE } else { rctl::UPE };
            control & promiscuous != 0 || self.is_own(destination)
        };
        if passes {
            return Some(Match::Exact);
        }
        (group && self.hashes(destination, control)).then_some(Match::Inexact)
    }

    fn is_own(&self, destination: [u8; 6]) -> bool {
        let (low, high) = receive_address(destination);
        (0..16).any(|i| {
            // Bits 17:16 select destination (00) or source comparison.
            self.regs.get(RAL0 + 8 * i) == low && self.regs.get(RAH0 + 8 * i) & (AV | 0x0003_ffff) == high
        })
    }

    fn hashes(&self, destination: [u8; 6], control: u32) -> bool {
        let [.., e, f] = destination;
        let bits = u32::from(e) | u32::from(f) << 8;
        // RCTL.MO: bits 47:36, 46:35, 45:34 or 43:32 of the address.
        let hash = bits >> [4, 3, 2, 0][(control >> 12 & 3) as usize] & 0xfff;
        self.regs.get(MTA + 4 * u64::from(hash >> 5)) >> (hash & 31) & 1 != 0
    }
}
