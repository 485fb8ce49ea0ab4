//! VLANs: tags put on and taken off by the card (IEEE 802.1Q; SDM 9, 82574 7.5).
//!
//! CTRL.VME is always set, so that the tag of a received frame is in its descriptor and never in its contents, and one
//! rule decides what is received: with a VLAN configured, the frames tagged with its id; without, the frames that are
//! untagged or tagged with id 0, which is a priority and no VLAN (IEEE 802.1Q 9.6). The card's filter drops foreign
//! tags; as it lets untagged frames pass, and as cards are not to be trusted, the ring judges again.

use crate::registers::{Register, Vfta};
use crate::{Nic, Registers};

/// Bits of a VLAN id in a tag.
const ID: u16 = 0x0FFF;
/// Where the priority begins in a tag.
const PRIORITY_SHIFT: u32 = 13;

/// The id of a VLAN, 1 to 4094.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanId(u16);

impl VlanId {
    /// The VLAN with this id; `None` for 0, which is no VLAN, and for 4095 and above.
    pub fn new(id: u16) -> Option<Self> {
        (1..ID).contains(&id).then_some(Self(id))
    }

    /// The id as a number.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// The tag of a frame to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The VLAN; `None` makes a priority tag, of id 0.
    pub vlan: Option<VlanId>,
    /// The priority, 0 to 7; higher bits are cut off.
    pub priority: u8,
}

impl Tag {
    /// The tag as descriptors hold it (SDM 9.1.1: tag control information).
    pub(crate) fn bits(self) -> u16 {
        u16::from(self.priority & 7) << PRIORITY_SHIFT | id(self.vlan)
    }
}

/// Whether a frame belongs to the configured VLAN, given what its tag was.
pub(crate) fn accepts(vlan: Option<VlanId>, tag: Option<u16>) -> bool {
    match tag {
        None => vlan.is_none(),
        Some(tag) => tag & ID == id(vlan),
    }
}

fn id(vlan: Option<VlanId>) -> u16 {
    vlan.map_or(0, VlanId::get)
}

impl<R: Registers> Nic<R> {
    /// Lets tagged frames of this VLAN pass the filter and no others (SDM 13.5.4).
    pub(crate) fn filter_vlan(&self, vlan: Option<VlanId>) {
        let (word, bit) = (u32::from(id(vlan)) >> 5, id(vlan) & 31);
        for index in 0..Vfta::ROW.count {
            self.bus.write_at(index, Vfta::from_bits(u32::from(index == word) << bit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_a_range() {
        for (id, good) in
            [(0, false), (1, true), (4094, true), (4095, false), (4096, false), (u16::MAX, false)]
        {
            assert_eq!(VlanId::new(id).map(VlanId::get), good.then_some(id));
        }
    }

    #[test]
    fn a_tag_is_priority_and_id() {
        assert_eq!(Tag { vlan: VlanId::new(0xABC), priority: 5 }.bits(), 0xAABC);
        assert_eq!(Tag { vlan: None, priority: 0xF7 }.bits(), 0xE000);
    }
}
