//! A transmitter that hangs, and getting it going again without losing frames.

use e1000::{
    BUFFER_SIZE, Delivery, Error, FlowControl, FrameNote, LinkConfig, MacAddress, Nic, Progress, SpeedDuplex,
    Tag, TransmitRing, VlanId,
};
use proptest::prelude::*;

use crate::device::{ALL, AUTO, Card, Fault, I82540EM, I82574L};
use crate::memory::Memory;

const COUNT: usize = 8;
const STATION: MacAddress = MacAddress([2, 3, 4, 5, 6, 7]);
const TXOFF: u32 = 1 << 4;

struct Bench {
    card: &'static Card,
    nic: Nic<&'static Card>,
    ring: TransmitRing<Memory, Vec<FrameNote>>,
    descriptors: Memory,
    buffers: Memory,
}

fn bench(device: u16) -> Bench {
    let card: &'static Card = Box::leak(Box::new(Card::new(device)));
    let nic = card.up();
    let descriptors = Memory::new(0x1_2345_6780, COUNT * 16);
    let buffers = Memory::new(0x9_0000_0000, COUNT * BUFFER_SIZE);
    let notes = vec![FrameNote::default(); COUNT];
    let mut ring = TransmitRing::new(descriptors.clone(), buffers.clone(), notes).unwrap();
    nic.start_transmit(&mut ring).unwrap();
    Bench { card, nic, ring, descriptors, buffers }
}

/// A frame as the card finds it: contents, command and tag.
type Frame = (Vec<u8>, u8, u16);

impl Bench {
    fn push(&mut self, frame: &[u8], tag: Option<Tag>) -> usize {
        let mut slot = self.ring.reserve().unwrap();
        assert!(slot.write(0, frame));
        slot.push(frame.len(), tag, 0).unwrap()
    }

    /// Takes the frame at the card's head, as the card does, and writes the descriptor back.
    fn transmit(&self) -> Option<Frame> {
        let (head, tail) = (self.card.peek(0x3810) as usize, self.card.peek(0x3818));
        if head == tail as usize {
            return None;
        }
        let frame = self.fetch(head);
        self.descriptors.put(head * 16 + 12, &[1]);
        self.card.poke(0x3810, u32::try_from((head + 1) % COUNT).unwrap());
        Some(frame)
    }

    fn fetch(&self, descriptor: usize) -> Frame {
        let bytes = self.descriptors.get(descriptor * 16, 16);
        assert_eq!(bytes[12], 0, "status clear");
        let address = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let offset = self.buffers.offset(address, length).expect("inside the buffers");
        (self.buffers.get(offset, length), bytes[11], u16::from_le_bytes([bytes[14], bytes[15]]))
    }

    fn reclaim(&mut self) -> Vec<usize> {
        let mut indices = Vec::new();
        self.ring.reclaim(|index, _, _| indices.push(index));
        indices
    }

    fn recover(&mut self) {
        self.nic.recover(&self.card, STATION, AUTO, false).unwrap();
    }

    fn is_hung(&self, progress: &mut Progress) -> bool {
        self.ring.is_hung(&self.nic, progress).unwrap()
    }
}

#[test]
fn pending_frames_are_sent_again_under_their_indices() {
    for device in ALL {
        let mut bench = bench(device);
        let frame = |n: u8| vec![n; 60 + usize::from(n)];
        let tag =
            |n: u8| (n % 2 == 1).then_some(Tag { vlan: VlanId::new(0x100 + u16::from(n)), priority: 3 });
        for n in 0..7 {
            assert_eq!(bench.push(&frame(n), tag(n)), usize::from(n));
        }
        bench.ring.doorbell(&bench.nic);
        // Five leave the card, of which two are reclaimed in time; then it hangs, having scribbled over the ring.
        for _ in 0..2 {
            bench.transmit().unwrap();
        }
        assert_eq!(bench.reclaim(), [0, 1]);
        for _ in 0..3 {
            bench.transmit().unwrap();
        }
        assert_eq!([bench.push(&frame(7), tag(7)), bench.push(&frame(8), tag(8))], [7, 0]);
        for index in [5, 6, 7, 0] {
            bench.descriptors.put(index * 16, &[0xFF; 12]);
        }
        bench.recover();
        assert_eq!(bench.reclaim(), [2, 3, 4], "what had been sent");
        bench.card.writes.borrow_mut().clear();
        bench.nic.start_transmit(&mut bench.ring).unwrap();
        assert_eq!([bench.card.peek(0x3810), bench.card.peek(0x3818)], [0, 4], "at the front");
        assert_eq!(bench.card.writes.borrow().last(), Some(&(0x3818, 4)), "the tail after TCTL.EN");
        assert_eq!((bench.ring.pending(), bench.ring.free()), (4, 3));
        for n in 5..9 {
            let (contents, command, special) = bench.transmit().unwrap();
            assert_eq!(contents, frame(n));
            let tagged = n % 2 == 1;
            assert_eq!((command, special), if tagged { (0x4B, 0x6100 + u16::from(n)) } else { (0x0B, 0) });
        }
        assert_eq!(bench.transmit(), None, "and nothing twice");
        assert_eq!(bench.reclaim(), [5, 6, 7, 0]);
        // New frames go on from there.
        assert_eq!(bench.push(&frame(1), None), 1);
        bench.ring.doorbell(&bench.nic);
        assert_eq!(bench.transmit().unwrap().0, frame(1));
        assert_eq!(bench.reclaim(), [1]);
    }
}

#[test]
fn an_abandoned_ring_sends_nothing_again() {
    let mut bench = bench(I82540EM);
    for n in 0..3 {
        bench.push(&[n; 60], None);
    }
    bench.ring.doorbell(&bench.nic);
    bench.recover();
    let mut lost = Vec::new();
    assert_eq!(bench.ring.abandon(|index| lost.push(index)), 3);
    assert_eq!(lost, [0, 1, 2]);
    bench.nic.start_transmit(&mut bench.ring).unwrap();
    assert_eq!((bench.transmit(), bench.push(&[1; 60], None)), (None, 0));
}

#[test]
fn recovery_restores_everything_but_rings_and_interrupts() {
    let link = LinkConfig { speed_duplex: SpeedDuplex::Full1000, flow_control: FlowControl::Both };
    for device in ALL {
        let card = Card::new(device);
        let nic = card.up_with(link);
        nic.set_station_address(STATION);
        let counted = 0x4074;
        let restored = |card: &Card| {
            let arrays = (0x5200..0x5480).step_by(4);
            let registers =
                [0x00, 0x18, 0x28, 0x2C, 0x30, 0x38, 0x170, 0x410, 0x2160, 0x2168, 0x3840, 0x5B00, 0x5B64];
            arrays.chain(registers).map(|offset| (offset, card.peek(offset))).collect::<Vec<_>>()
        };
        let before = restored(&card);
        let (commands, eeprom) = (card.phy_commands.borrow().len(), card.peek(0x14));
        card.poke(0x14, 0x1234);
        nic.enable_interrupts(Delivery::Line).unwrap();
        let waited = card.waited.get();
        assert_eq!(nic.recover(&card, STATION, link, false), Ok(()));
        assert_eq!(restored(&card), before, "{device:04X}h");
        assert_eq!((card.phy_commands.borrow().len(), card.resets.get()), (commands, 2), "the link stays up");
        assert_eq!((card.peek(0xD0), card.peek(0x100), card.peek(0x400)), (0, 0, 0), "masked and off");
        assert!(card.waited.get() - waited < 50_000);
        assert!(!card.writes.borrow().iter().any(|&(offset, _)| offset == 0x14), "no EEPROM: {eeprom}");
        card.poke(counted, 5);
        let mut statistics = e1000::Statistics::default();
        nic.update_statistics(&mut statistics).unwrap();
        assert_ne!(statistics, e1000::Statistics::default());
    }
}

#[test]
fn what_cannot_be_recovered_says_so() {
    for (fault, error) in [
        (Fault::ResetStuck, Error::ResetTimeout),
        (Fault::PhySilent, Error::PhyTimeout { register: 4 }),
        (Fault::AutoReadSilent, Error::EepromAutoRead),
    ] {
        let card = Card::new(I82574L);
        let nic = card.up();
        card.fault.set(fault);
        assert_eq!(nic.recover(&card, STATION, AUTO, false), Err(error));
    }
}

#[test]
fn a_frame_that_stays_is_a_hang() {
    let mut bench = bench(I82540EM);
    let mut progress = Progress::default();
    assert_eq!([bench.is_hung(&mut progress), bench.is_hung(&mut progress)], [false; 2], "idle");
    bench.push(&[1; 60], None);
    bench.push(&[2; 60], None);
    bench.ring.doorbell(&bench.nic);
    assert!(!bench.is_hung(&mut progress), "it may just have been pushed");
    bench.transmit();
    bench.reclaim();
    assert!(!bench.is_hung(&mut progress), "one went");
    assert!(bench.is_hung(&mut progress), "one stays");
    assert!(!bench.is_hung(&mut progress), "begins anew");
    // After a restart the frame has another interval.
    bench.recover();
    bench.nic.start_transmit(&mut bench.ring).unwrap();
    assert!(!bench.is_hung(&mut progress));
    // So has another frame in its place.
    bench.ring.abandon(|_| ());
    bench.push(&[3; 60], None);
    assert!(!bench.is_hung(&mut progress));
    assert!(bench.is_hung(&mut progress));
}

#[test]
fn waiting_for_the_link_or_the_peer_is_no_hang() {
    for waiting in [0x81, 0x83 | TXOFF] {
        let mut bench = bench(I82540EM);
        let mut progress = Progress::default();
        bench.push(&[1; 60], None);
        bench.card.poke(0x08, waiting);
        assert_eq!([bench.is_hung(&mut progress), bench.is_hung(&mut progress)], [false; 2]);
        // It could not be sent for the whole interval.
        bench.card.poke(0x08, 0x83);
        assert!(!bench.is_hung(&mut progress));
        bench.card.poke(0x08, waiting);
        assert!(!bench.is_hung(&mut progress));
        bench.card.poke(0x08, 0x83);
        assert_eq!([bench.is_hung(&mut progress), bench.is_hung(&mut progress)], [false, true]);
    }
}

#[test]
fn a_frame_that_the_peer_holds_up_is_held() {
    let mut bench = bench(I82540EM);
    let mut progress = Progress::default();
    let mut looks = |bench: &Bench| [(); 3].map(|()| bench.ring.is_held(&bench.nic, &mut progress).unwrap());
    bench.card.poke(0x08, 0x83 | TXOFF);
    assert_eq!(looks(&bench), [false; 3], "nothing to send");
    bench.push(&[1; 60], None);
    bench.push(&[2; 60], None);
    assert_eq!(looks(&bench), [false, true, true]);
    bench.ring.doorbell(&bench.nic);
    bench.transmit();
    bench.reclaim();
    assert_eq!(looks(&bench), [false, true, true], "one got through");
    for other in [0x83, 0x81 | TXOFF] {
        bench.card.poke(0x08, other);
        assert_eq!(looks(&bench), [false; 3], "no PAUSE, or no link");
    }
}

#[test]
fn a_card_that_is_gone_is_not_hung() {
    let mut bench = bench(I82540EM);
    let mut progress = Progress::default();
    bench.push(&[1; 60], None);
    bench.card.fault.set(Fault::GoneFrom(0));
    assert_eq!(bench.ring.is_hung(&bench.nic, &mut progress), Err(Error::Gone));
}

proptest! {
    /// With resets at any moment, every frame leaves in order, at least once, and is reclaimed exactly once.
    #[test]
    fn no_frame_is_lost(steps in prop::collection::vec(0..8_u8, 0..300)) {
        let mut bench = bench(I82574L);
        let mut next = 0_u32;
        let mut owners = std::collections::BTreeMap::new();
        let mut pushed = std::collections::VecDeque::new();
        let mut sent = std::collections::VecDeque::new();
        let mut reclaimed = 0_u32;
        for step in steps.into_iter().chain([3, 3, 3, 3, 3, 3, 3, 5]) {
            match step {
                0..=2 => if bench.ring.free() != 0 {
                    let mut frame = vec![0; 64];
                    frame[..4].copy_from_slice(&next.to_le_bytes());
                    let index = bench.push(&frame, None);
                    prop_assert_eq!(owners.insert(index, next), None, "an index in use is not given out");
                    pushed.push_back(frame);
                    next += 1;
                },
                3 | 4 => {
                    bench.ring.doorbell(&bench.nic);
                    if let Some((frame, ..)) = bench.transmit() {
                        prop_assert_eq!(Some(&frame), pushed.front());
                        sent.push_back(pushed.pop_front().unwrap());
                    }
                }
                5 | 6 => for index in bench.reclaim() {
                    prop_assert_eq!(owners.remove(&index), Some(reclaimed));
                    prop_assert!(sent.pop_front().is_some());
                    reclaimed += 1;
                },
                _ => {
                    bench.recover();
                    bench.nic.start_transmit(&mut bench.ring).unwrap();
                    // Not reclaimed before, on purpose: these go out twice.
                    while let Some(frame) = sent.pop_back() {
                        pushed.push_front(frame);
                    }
                }
            }
            prop_assert_eq!(bench.ring.pending(), owners.len());
        }
        prop_assert_eq!(reclaimed, next, "all came back");
    }
}
