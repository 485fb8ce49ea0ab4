//! VLANs: what is received, and what tags are sent.

use e1000::{BUFFER_SIZE, Buffer, FrameNote, Nic, ReceiveConfig, ReceiveRing, Tag, TransmitRing, VlanId};
use proptest::prelude::*;

use crate::device::{ALL, Card, I82540EM};
use crate::memory::Memory;

const DONE: u8 = 1;
const EOP: u8 = 2;
const TAGGED: u8 = 8;

struct Receiver {
    card: &'static Card,
    nic: Nic<&'static Card>,
    ring: ReceiveRing<Memory, Vec<Buffer>>,
    descriptors: Memory,
}

fn receiver(device: u16, vlan: Option<u16>) -> Receiver {
    let card: &'static Card = Box::leak(Box::new(Card::new(device)));
    let nic = card.up();
    let descriptors = Memory::new(0, 128);
    let mut ring = ReceiveRing::new(descriptors.clone(), vec![Buffer::default(); 8]).unwrap();
    ring.give(Buffer::default()).unwrap();
    // Bits that a restart with another VLAN has to clear.
    (0x5600..0x5800).step_by(4).for_each(|offset| card.poke(offset, 0xFFFF_FFFF));
    let vlan = vlan.map(|id| VlanId::new(id).unwrap());
    nic.start_receive(&mut ring, &ReceiveConfig { vlan, ..ReceiveConfig::default() }).unwrap();
    Receiver { card, nic, ring, descriptors }
}

impl Receiver {
    /// Whether a frame is delivered whose tag, if it has one, is this.
    fn accepts(&mut self, tag: Option<u16>) -> bool {
        // On every descriptor: one of them is posted.
        let [low, high] = tag.unwrap_or(0xFFFF).to_le_bytes();
        let status = DONE | EOP | if tag.is_some() { TAGGED } else { 0 };
        for index in 0..8 {
            self.descriptors.put(index * 16 + 8, &[60, 0, 0, 0, status, 0, low, high]);
        }
        let received = self.ring.poll();
        if let Some(received) = received {
            self.ring.give(received.buffer).unwrap();
        }
        self.ring.doorbell(&self.nic);
        received.is_some()
    }
}

#[test]
fn the_card_filters_tags() {
    for device in ALL {
        for (vlan, id) in [(None, 0_u32), (Some(1), 1), (Some(35), 35), (Some(4094), 4094)] {
            let receiver = receiver(device, vlan);
            let card = receiver.card;
            assert_eq!(card.peek(0x00) >> 30 & 1, 1, "CTRL.VME");
            assert_eq!(card.peek(0x100) >> 18 & 1, 1, "RCTL.VFE");
            assert_eq!(card.peek(0x38), 0x8100, "VET");
            for word in 0..128 {
                let expected = if word == id / 32 { 1 << (id % 32) } else { 0 };
                assert_eq!(card.peek(0x5600 + 4 * word), expected, "VFTA of {id}");
            }
        }
    }
}

#[test]
fn without_a_vlan_untagged_frames_and_priority_tags_are_received() {
    let mut receiver = receiver(I82540EM, None);
    for (tag, expected) in [(None, true), (Some(0x0000), true), (Some(0xF000), true), (Some(0x0001), false)] {
        assert_eq!(receiver.accepts(tag), expected, "{tag:X?}");
    }
    assert_eq!((receiver.ring.drops().foreign_vlan, receiver.ring.drops().total()), (1, 1));
}

#[test]
fn with_a_vlan_only_its_frames_are_received() {
    let mut receiver = receiver(I82540EM, Some(7));
    for (tag, expected) in [
        (None, false),
        (Some(0), false),
        (Some(0xE000), false),
        (Some(7), true),
        (Some(0xF007), true),
        (Some(0x0807), false),
    ] {
        assert_eq!(receiver.accepts(tag), expected, "{tag:X?}");
    }
    assert_eq!((receiver.ring.drops().foreign_vlan, receiver.ring.drops().total()), (4, 4));
}

/// The command byte and the special field of a frame sent with this tag.
fn sent(tag: Option<Tag>) -> (u8, u16) {
    let card = Card::new(I82540EM);
    let nic = card.up();
    let descriptors = Memory::new(0, 128);
    let buffers = Memory::new(0x1_0000, 8 * BUFFER_SIZE);
    let mut ring = TransmitRing::new(descriptors.clone(), buffers, vec![FrameNote::default(); 8]).unwrap();
    nic.start_transmit(&mut ring).unwrap();
    ring.reserve().unwrap().push(60, tag, 0).unwrap();
    let bytes = descriptors.get(0, 16);
    assert_eq!((bytes[8], bytes[12]), (60, 0), "length without tag, status clear");
    (bytes[11], u16::from_le_bytes([bytes[14], bytes[15]]))
}

#[test]
fn the_tag_is_in_the_descriptor() {
    assert_eq!(sent(None), (0x0B, 0));
    assert_eq!(sent(Some(Tag { vlan: VlanId::new(0x123), priority: 6 })), (0x4B, 0xC123));
    assert_eq!(sent(Some(Tag { vlan: None, priority: 7 })), (0x4B, 0xE000));
}

proptest! {
    #[test]
    fn every_tag_is_judged_by_its_id(vlan in 0..4095_u16, tag in any::<u16>(), near in any::<bool>()) {
        let tag = if near { tag & 0xF000 | vlan } else { tag };
        let mut receiver = receiver(I82540EM, (vlan != 0).then_some(vlan));
        prop_assert_eq!(receiver.accepts(Some(tag)), tag & 0xFFF == vlan);
        prop_assert_eq!(receiver.accepts(None), vlan == 0);
    }
}
