//! 802.1Q tags: taken off, put on and filtered (SDM section 9, 82574 datasheet section 7.5).

use super::{
    E1000,
    registers::{CTRL, RCTL, VET, VFTA, ctrl, rctl},
};

/// Where the tag stands in a frame: behind the addresses.
const AT: usize = 12;
/// Bytes of a tag.
const LEN: usize = 4;
/// Canonical form indicator, in the tag.
const CFI: u16 = 1 << 12;

impl E1000 {
    /// The tag control information of a tagged frame.
    fn tag_of(&self, frame: &[u8]) -> Option<u16> {
        let tag = frame.get(AT..AT + LEN)?;
        let ethertype = u32::from(u16::from_be_bytes([tag[0], tag[1]]));
        (ethertype == self.regs.get(VET) & 0xffff).then(|| u16::from_be_bytes([tag[2], tag[3]]))
    }

    /// Whether the VLAN filter lets a frame pass: untagged frames always do.
    pub(super) fn vlan_passes(&self, frame: &[u8]) -> bool {
        let control = self.regs.get(RCTL);
        let Some(tag) = self.tag_of(frame).filter(|_| control & rctl::VFE != 0) else { return true };
        let id = u64::from(tag & 0xfff);
        let known = self.regs.get(VFTA + 4 * (id >> 5)) >> (id & 31) & 1 != 0;
        let canonical = control & rctl::CFIEN == 0 || (tag & CFI != 0) == (control & rctl::CFI != 0);
        known && canonical
    }

    /// Takes the tag off, if `CTRL.VME` asks for it.
    pub(super) fn strip_tag(&self, frame: &mut Vec<u8>) -> Option<u16> {
        let tag = self.tag_of(frame).filter(|_| self.regs.has(CTRL, ctrl::VME))?;
        frame.drain(AT..AT + LEN);
        Some(tag)
    }

    /// Puts a tag on, if `CTRL.VME` allows it.
    pub(super) fn insert_tag(&self, frame: &mut Vec<u8>, tag: u16) {
        if self.regs.has(CTRL, ctrl::VME) && frame.len() >= AT {
            let ethertype = u16::try_from(self.regs.get(VET) & 0xffff).unwrap_or(0);
            frame.splice(AT..AT, [ethertype.to_be_bytes(), tag.to_be_bytes()].concat());
        }
    }
}
