//! The receive ring, and the card filling it, well and badly.

use e1000::{
    BUFFER_SIZE, Buffer, DmaMemory, Error, Filter, Nic, Progress, ReceiveConfig, ReceiveRing, Received,
    VlanId,
};
use proptest::prelude::*;

use crate::device::{ALL, AUTO, Card, Fault, I82540EM, I82574L};
use crate::memory::Memory;

const COUNT: usize = 8;
const DONE: u8 = 1;
const EOP: u8 = 2;

struct Bench {
    card: &'static Card,
    nic: Nic<&'static Card>,
    ring: ReceiveRing<Memory, Vec<Buffer>>,
    descriptors: Memory,
}

fn buffer(id: u32) -> Buffer {
    Buffer { id, address: 0x4_0000_0000 + u64::from(id) * 2048 }
}

fn ring(descriptors: &Memory) -> ReceiveRing<Memory, Vec<Buffer>> {
    ReceiveRing::new(descriptors.clone(), vec![Buffer::default(); COUNT]).unwrap()
}

fn bench(device: u16) -> Bench {
    let card: &'static Card = Box::leak(Box::new(Card::new(device)));
    let nic = card.up();
    let descriptors = Memory::new(0x1_2345_6780, COUNT * 16);
    let mut ring = ring(&descriptors);
    for id in 0..7 {
        ring.give(buffer(100 + id)).unwrap();
    }
    nic.start_receive(&mut ring, &ReceiveConfig::default()).unwrap();
    Bench { card, nic, ring, descriptors }
}

impl Bench {
    /// What the card does when it is finished with a descriptor.
    fn write_back(&self, index: usize, length: u16, status: u8, errors: u8) {
        let [low, high] = length.to_le_bytes();
        // Without the status bit that says so, the special field is no tag.
        self.descriptors.put(index * 16 + 8, &[low, high, 0x55, 0xAA, status & !8, errors, 0x12, 0x34]);
    }

    fn address(&self, index: usize) -> u64 {
        u64::from_le_bytes(self.descriptors.get(index * 16, 8).try_into().unwrap())
    }
}

fn frame(id: u32, length: usize) -> Received {
    Received { buffer: buffer(id), length }
}

#[test]
fn the_ring_is_programmed_and_filled() {
    for device in ALL {
        let bench = bench(device);
        let registers = [0x2800, 0x2804, 0x2808, 0x2810, 0x2818, 0x2820, 0x282C, 0x5000, 0x5008];
        assert_eq!(registers.map(|offset| bench.card.peek(offset)), [0x2345_6780, 1, 128, 0, 7, 0, 0, 0, 0]);
        assert_eq!(bench.card.peek(0x2828), 1 << 24 | 1 << 16);
        let control = 1 << 26 | 1 << 18 | 1 << 15 | 2 << 8 | 1 << 1;
        assert_eq!(bench.card.peek(0x100), control, "SECRC, VFE, BAM, EN");
        for index in 0..7_u8 {
            assert_eq!(bench.address(usize::from(index)), buffer(100 + u32::from(index)).address);
            assert_eq!(bench.descriptors.get(usize::from(index) * 16 + 8, 8), [0; 8]);
        }
    }
}

#[test]
fn long_packets_and_filters_are_asked_for() {
    let bench = bench(I82574L);
    let mut ring = ring(&bench.descriptors);
    let config = ReceiveConfig { long_packets: true, filter: Filter::all(), vlan: None };
    bench.nic.start_receive(&mut ring, &config).unwrap();
    let filters = 1 << 15 | 1 << 4 | 1 << 3;
    assert_eq!(bench.card.peek(0x100), 1 << 26 | 1 << 18 | filters | 2 << 8 | 1 << 5 | 1 << 1);
    assert_eq!(bench.card.peek(0x2818), 0, "an empty ring");
}

#[test]
fn unsuitable_memory_is_refused() {
    assert!(Memory::new(0, 0).is_empty() && !Memory::new(0, 128).is_empty());
    let buffers = vec![Buffer::default(); COUNT];
    let ring = ReceiveRing::new(Memory::new(8, COUNT * 16), buffers.clone());
    assert_eq!(ring.unwrap_err(), Error::RingMemory);
    let ring = ReceiveRing::new(Memory::new(0, COUNT * 32), buffers);
    assert_eq!(ring.unwrap_err(), Error::RingMemory);
}

#[test]
fn frames_arrive_in_order_and_buffers_return_in_any() {
    for device in ALL {
        let mut bench = bench(device);
        assert_eq!(bench.ring.poll(), None);
        for index in 0..3 {
            bench.write_back(index, 60 + u16::try_from(index).unwrap(), DONE | EOP, 0);
        }
        for index in 0..3 {
            assert_eq!(bench.ring.poll(), Some(frame(100 + index, 60 + index as usize)));
        }
        assert_eq!(bench.ring.poll(), None);
        assert_eq!((bench.ring.posted(), bench.ring.free()), (4, 3));
        for id in [102, 100, 555] {
            bench.ring.give(buffer(id)).unwrap();
        }
        assert_eq!(bench.ring.give(buffer(9)), Err(Error::RingFull));
        bench.card.writes.borrow_mut().clear();
        bench.ring.doorbell(&bench.nic);
        bench.ring.doorbell(&bench.nic);
        assert_eq!(*bench.card.writes.borrow(), [(0x2818, 2)]);
        assert_eq!([7, 0, 1].map(|index| bench.address(index)), [102, 100, 555].map(|id| buffer(id).address));
    }
}

#[test]
fn write_backs_out_of_order_wait_for_their_turn() {
    let mut bench = bench(I82540EM);
    bench.write_back(1, 61, DONE | EOP, 0);
    assert_eq!(bench.ring.poll(), None);
    bench.write_back(0, 60, DONE | EOP, 0);
    assert_eq!([bench.ring.poll(), bench.ring.poll()], [Some(frame(100, 60)), Some(frame(101, 61))]);
}

#[test]
fn a_gap_holds_back_what_follows() {
    let mut bench = bench(I82574L);
    for index in [3, 0, 2] {
        bench.write_back(index, 60 + u16::try_from(index).unwrap(), DONE | EOP, 0);
    }
    assert_eq!([bench.ring.poll(), bench.ring.poll()], [Some(frame(100, 60)), None]);
    bench.write_back(1, 61, DONE | EOP, 0);
    let rest = std::iter::from_fn(|| bench.ring.poll()).collect::<Vec<_>>();
    assert_eq!(rest, [frame(101, 61), frame(102, 62), frame(103, 63)]);
}

/// The second write-back of a descriptor means nothing while the driver has the buffer, and counts for the buffer that is
/// there by then, never for the one that is gone.
#[test]
fn a_repeated_write_back_gives_no_buffer_twice() {
    let mut bench = bench(I82540EM);
    bench.write_back(0, 60, DONE | EOP, 0);
    assert_eq!(bench.ring.poll(), Some(frame(100, 60)));
    bench.write_back(0, 60, DONE | EOP, 0);
    assert_eq!(bench.ring.poll(), None);
    // Around the ring: descriptor 0 gets another buffer, which clears the stale status.
    bench.ring.give(buffer(200)).unwrap();
    bench.ring.doorbell(&bench.nic);
    for index in 1..7 {
        bench.write_back(index, 64, DONE | EOP, 0);
        assert_eq!(bench.ring.poll(), Some(frame(100 + u32::try_from(index).unwrap(), 64)));
    }
    bench.write_back(7, 65, DONE | EOP, 0);
    assert_eq!(bench.ring.poll(), Some(frame(200, 65)));
    bench.ring.give(buffer(201)).unwrap();
    assert_eq!(bench.ring.poll(), None, "the card does not know of it");
    bench.ring.doorbell(&bench.nic);
    assert_eq!(bench.ring.poll(), None, "no stale status");
    bench.write_back(0, 66, DONE | EOP, 0);
    bench.write_back(0, 67, DONE | EOP, 0);
    assert_eq!([bench.ring.poll(), bench.ring.poll()], [Some(frame(201, 67)), None]);
    assert_eq!((bench.ring.posted(), bench.ring.drops().total()), (0, 0));
}

/// What looks like the first frame of a ring without VLANs is looked at closely all the same where it matters.
#[test]
fn a_word_without_done_is_no_frame_whatever_else_it_says() {
    for vlan in [None, VlanId::new(7)] {
        let mut bench = bench(I82574L);
        let config = ReceiveConfig { vlan, ..ReceiveConfig::default() };
        bench.nic.start_receive(&mut bench.ring, &config).unwrap();
        for status in [0, EOP] {
            bench.write_back(0, 60, status, 0);
            assert_eq!(bench.ring.poll(), None);
        }
        // The end of a frame whose beginning was dropped.
        bench.write_back(0, 2048, DONE, 0);
        assert_eq!((bench.ring.poll(), bench.ring.drops().spanning), (None, 1));
        bench.write_back(1, 60, DONE | EOP, 0);
        bench.write_back(2, 60, DONE | EOP, 0);
        assert_eq!(bench.ring.plain().count(), 0);
        let rest = if vlan.is_some() { None } else { Some(frame(102, 60)) };
        assert_eq!(bench.ring.poll(), rest);
    }
}

#[test]
fn done_on_a_descriptor_without_buffer_means_nothing() {
    let mut bench = bench(I82540EM);
    bench.write_back(7, 60, DONE | EOP, 0);
    for index in 0..7 {
        bench.write_back(index, 60, DONE | EOP, 0);
    }
    assert_eq!((0..20).filter_map(|_| bench.ring.poll()).count(), 7);
}

#[test]
fn an_untrue_length_is_not_believed() {
    for length in [0, 2049, 16_384, 65_535] {
        let mut bench = bench(I82540EM);
        bench.write_back(0, length, DONE | EOP, 0);
        bench.write_back(1, 2048, DONE | EOP, 0);
        assert_eq!(bench.ring.poll(), Some(frame(101, 2048)));
        assert_eq!((bench.ring.drops().bad_length, bench.ring.drops().total()), (1, 1));
        bench.ring.doorbell(&bench.nic);
        assert_eq!(bench.card.peek(0x2818), 0, "the buffer went back");
        assert_eq!(bench.address(7), buffer(100).address);
    }
}

#[test]
fn a_frame_over_several_descriptors_is_dropped_whole() {
    let mut bench = bench(I82540EM);
    bench.write_back(0, 2048, DONE, 0);
    assert_eq!(bench.ring.poll(), None);
    bench.write_back(1, 2048, DONE, 0);
    assert_eq!(bench.ring.poll(), None);
    // The end looks like a frame of its own.
    bench.write_back(2, 60, DONE | EOP, 0);
    bench.write_back(3, 70, DONE | EOP, 0);
    assert_eq!(bench.ring.poll(), Some(frame(103, 70)));
    assert_eq!((bench.ring.drops().spanning, bench.ring.drops().total()), (1, 1));
    // As some implementations do with a frame of exactly one buffer: an end of length 0.
    bench.write_back(4, 2048, DONE, 0);
    bench.write_back(5, 0, DONE | EOP, 0);
    bench.write_back(6, 80, DONE | EOP, 0);
    assert_eq!(bench.ring.poll(), Some(frame(106, 80)));
    assert_eq!((bench.ring.drops().spanning, bench.ring.drops().total()), (2, 2));
    assert_eq!(bench.ring.posted(), 5);
}

#[test]
fn damaged_frames_are_dropped_and_checksum_remarks_are_not_damage() {
    for (errors, good) in
        [(0x01, false), (0x02, false), (0x04, false), (0x10, false), (0x80, false), (0x60, true)]
    {
        let mut bench = bench(I82540EM);
        bench.write_back(0, 60, DONE | EOP, errors);
        assert_eq!(bench.ring.poll().is_some(), good, "{errors:02X}h");
        assert_eq!(bench.ring.drops().damaged, u64::from(!good));
    }
}

#[test]
fn the_card_cannot_change_which_buffer_is_returned() {
    let mut bench = bench(I82540EM);
    bench.descriptors.put(0, &[0xFF; 8]);
    bench.write_back(0, 60, DONE | EOP, 0);
    assert_eq!(bench.ring.poll(), Some(frame(100, 60)));
}

/// A card that keeps claiming that every descriptor is done must not keep the caller.
#[test]
fn one_poll_passes_over_one_ring_at_most() {
    let mut bench = bench(I82540EM);
    for index in 0..COUNT {
        bench.write_back(index, 0, DONE | EOP, 0);
    }
    assert_eq!(bench.ring.poll(), None);
    assert_eq!((bench.ring.drops().total(), bench.ring.posted()), (7, 7));
}

#[test]
fn all_buffers_come_back_when_the_ring_is_drained() {
    let mut bench = bench(I82574L);
    bench.write_back(0, 2048, DONE, 0);
    assert_eq!(bench.ring.poll(), None);
    bench.nic.stop(&bench.card).unwrap();
    let mut ids = Vec::new();
    assert_eq!(bench.ring.drain(|buffer| ids.push(buffer.id)), 7);
    ids.sort_unstable();
    assert_eq!(ids, [100, 101, 102, 103, 104, 105, 106]);
    assert_eq!((bench.ring.posted(), bench.ring.free()), (0, 7));
    // It begins anew, and not in the middle of a frame.
    bench.ring.give(buffer(1)).unwrap();
    bench.ring.doorbell(&bench.nic);
    bench.write_back(0, 60, DONE | EOP, 0);
    assert_eq!(bench.ring.poll(), Some(frame(1, 60)));
}

#[test]
fn a_restart_keeps_the_posted_buffers() {
    for device in ALL {
        let mut bench = bench(device);
        bench.write_back(0, 60, DONE | EOP, 0);
        bench.write_back(1, 60, DONE | EOP, 0);
        assert_eq!(bench.ring.poll(), Some(frame(100, 60)));
        bench.nic.stop(&bench.card).unwrap();
        bench.nic.bring_up(&bench.card, AUTO).unwrap();
        bench.nic.start_receive(&mut bench.ring, &ReceiveConfig::default()).unwrap();
        assert_eq!([bench.card.peek(0x2810), bench.card.peek(0x2818)], [1, 7]);
        assert_eq!(bench.ring.poll(), None, "what had arrived before the reset is lost");
        bench.write_back(1, 64, DONE | EOP, 0);
        assert_eq!(bench.ring.poll(), Some(frame(101, 64)));
    }
}

#[test]
fn a_missing_card_does_not_start() {
    let mut bench = bench(I82540EM);
    bench.card.fault.set(Fault::GoneFrom(0));
    assert_eq!(bench.nic.start_receive(&mut bench.ring, &ReceiveConfig::default()), Err(Error::Gone));
}

/// Looks twice.
fn looks(bench: &Bench, progress: &mut Progress) -> [bool; 2] {
    [(); 2].map(|()| bench.ring.is_hung(&bench.nic, progress).unwrap())
}

#[test]
fn a_card_that_is_past_its_descriptor_hangs() {
    let mut bench = bench(I82540EM);
    let mut progress = Progress::default();
    assert_eq!(looks(&bench, &mut progress), [false; 2], "idle");
    bench.card.poke(0x2810, 2);
    assert_eq!(looks(&bench, &mut progress), [false, true], "it has received, and tells nothing");
    assert_eq!(looks(&bench, &mut progress), [false, true], "and anew");
    bench.write_back(0, 60, DONE | EOP, 0);
    assert_eq!(looks(&bench, &mut progress), [false; 2], "a frame that nobody has taken");
    bench.ring.poll().unwrap();
    assert!(!looks(&bench, &mut progress)[0]);
    bench.write_back(1, 60, DONE | EOP, 0);
    bench.ring.poll().unwrap();
    assert_eq!(looks(&bench, &mut progress), [false; 2], "it has caught up");
    // One that was not received yet is taken: the card is behind.
    bench.write_back(2, 60, DONE | EOP, 0);
    bench.ring.poll().unwrap();
    assert_eq!(looks(&bench, &mut progress), [false, true]);
    bench.card.fault.set(Fault::GoneFrom(0));
    assert_eq!(bench.ring.is_hung(&bench.nic, &mut progress), Err(Error::Gone));
}

proptest! {
    /// Whatever the card writes, wherever: lengths stay in bounds, and no buffer is lost or given out twice.
    #[test]
    fn buffers_are_conserved(
        vlan in prop::option::of(1..4095_u16),
        steps in prop::collection::vec((0..5_u8, 0..COUNT, any::<u16>(), any::<u8>(), any::<u8>(), any::<[u8; 16]>()), 0..300)
    ) {
        let mut bench = bench(I82540EM);
        let config = ReceiveConfig { vlan: vlan.and_then(VlanId::new), ..ReceiveConfig::default() };
        bench.nic.start_receive(&mut bench.ring, &config).unwrap();
        let mut ours: Vec<Buffer> = Vec::new();
        for (step, index, length, status, errors, bytes) in steps {
            match step {
                0 | 1 => bench.write_back(index, length % 2100, status, errors & 0x81),
                4 => bench.descriptors.put(index * 16, &bytes),
                2 => if let Some(received) = { let plain = bench.ring.plain().next(); plain.or_else(|| bench.ring.poll()) } {
                    prop_assert!((1..=BUFFER_SIZE).contains(&received.length));
                    prop_assert!(!ours.contains(&received.buffer));
                    ours.push(received.buffer);
                },
                _ => if let Some(buffer) = ours.pop() {
                    bench.ring.give(buffer).unwrap();
                },
            }
            bench.ring.doorbell(&bench.nic);
            prop_assert!((bench.card.peek(0x2818) as usize) < COUNT);
            prop_assert_eq!(bench.ring.posted() + ours.len(), 7);
        }
        bench.ring.drain(|buffer| ours.push(buffer));
        ours.sort_unstable_by_key(|buffer| buffer.id);
        prop_assert_eq!(ours, (100..107).map(buffer).collect::<Vec<_>>());
    }
}
