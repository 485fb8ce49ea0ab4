//! The transmit ring, and the card fetching from it.

use e1000::{BUFFER_SIZE, Error, FrameNote, TransmitRing, TransmitStatus};
use proptest::prelude::*;

use crate::device::{ALL, AUTO, Card, Fault, I82540EM, I82574L};
use crate::memory::Memory;

const COUNT: usize = 8;
const DONE: u8 = 1;

type Ring = TransmitRing<Memory, Vec<FrameNote>>;

fn notes(count: usize) -> Vec<FrameNote> {
    vec![FrameNote::default(); count]
}

/// A running ring and the card's view of its memory.
struct Bench {
    card: &'static Card,
    nic: e1000::Nic<&'static Card>,
    ring: Ring,
    descriptors: Memory,
    buffers: Memory,
}

fn bench(device: u16) -> Bench {
    let card: &'static Card = Box::leak(Box::new(Card::new(device)));
    let nic = card.up();
    let descriptors = Memory::new(0x1_2345_6780, COUNT * 16);
    let buffers = Memory::new(0x9_0000_0000, COUNT * BUFFER_SIZE);
    let mut ring = Ring::new(descriptors.clone(), buffers.clone(), notes(COUNT)).unwrap();
    card.poke(0x3810, 5);
    card.poke(0x3818, 5);
    nic.start_transmit(&mut ring).unwrap();
    Bench { card, nic, ring, descriptors, buffers }
}

impl Bench {
    fn push(&mut self, frame: &[u8]) -> usize {
        let mut slot = self.ring.reserve().unwrap();
        assert!(slot.write(0, frame));
        slot.push(frame.len(), None, 0).unwrap()
    }

    /// Pushes frames as one burst; how many found room.
    fn burst(&mut self, kept: usize, frames: &[(Vec<u8>, u8)]) -> usize {
        let mut burst = self.ring.burst(kept, None);
        for (frame, mark) in frames {
            let (head, body) = frame.split_first_chunk::<20>().unwrap();
            let full = burst.is_full();
            let expected = if full { Err(Error::RingFull) } else { Ok(()) };
            assert_eq!((burst.push(head, body, *mark), burst.left() == 0), (expected, burst.is_full()));
        }
        burst.pushed()
    }

    fn push_some(&mut self, count: usize) {
        for _ in 0..count {
            self.push(&[1; 60]);
        }
    }

    /// What the card would send for a descriptor: the frame as it lies in memory.
    fn fetch(&self, index: usize) -> Vec<u8> {
        let descriptor = self.descriptors.get(index * 16, 16);
        let address = u64::from_le_bytes(descriptor[..8].try_into().unwrap());
        let length = usize::from(u16::from_le_bytes(descriptor[8..10].try_into().unwrap()));
        assert_eq!(descriptor[10..], [0, 0x0B, 0, 0, 0, 0], "EOP, IFCS and RS; status clear");
        self.buffers.get(self.buffers.offset(address, length).expect("inside the buffers"), length)
    }

    fn finish(&self, index: usize, status: u8) {
        self.descriptors.put(index * 16 + 12, &[status]);
    }

    fn reclaim(&mut self) -> Vec<usize> {
        let mut indices = Vec::new();
        let count = self.ring.reclaim(|index, _, _| indices.push(index));
        assert_eq!(count, indices.len());
        indices
    }
}

#[test]
fn the_ring_is_programmed() {
    for device in ALL {
        let bench = bench(device);
        let registers = [0x3800, 0x3804, 0x3808, 0x3810, 0x3818, 0x3820, 0x382C];
        assert_eq!(
            registers.map(|offset| bench.card.peek(offset)),
            [0x2345_6780, 1, 128, 0, 0, 1, 0],
            "{device:04X}h"
        );
        let mulr = u32::from(device == I82574L) << 28;
        assert_eq!(bench.card.peek(0x400), mulr | 1 << 24 | 0x40 << 12 | 0x0F << 4 | 1 << 3 | 1 << 1);
        let count_desc = u32::from(device == I82574L) << 22;
        assert_eq!(bench.card.peek(0x3828), 1 << 24 | 1 << 16 | count_desc);
        assert_eq!(bench.card.writes.borrow()[0], (0x400, 1 << 3), "off before it is changed");
        let enabled = bench.card.writes.borrow().iter().rposition(|write| write.0 == 0x400).unwrap();
        assert_eq!(enabled, bench.card.writes.borrow().len() - 1, "enabled last");
    }
}

#[test]
fn half_duplex_has_a_longer_collision_distance() {
    let card = Card::new(I82540EM);
    let nic = card.up();
    card.poke(0x08, 0x42);
    let mut ring = Ring::new(Memory::new(0, 128), Memory::new(0, 8 * BUFFER_SIZE), notes(8)).unwrap();
    nic.start_transmit(&mut ring).unwrap();
    assert_eq!(card.peek(0x400) >> 12 & 0x3FF, 0x200);
}

#[test]
fn unsuitable_memory_is_refused() {
    let buffers = |count: usize| Memory::new(0, count * BUFFER_SIZE);
    for (bus, len) in [(0x1008, 128), (0, 0), (0, 112), (0, 120), (0, 144), (0, 64), (0, 4104 * 16)] {
        let ring = Ring::new(Memory::new(bus, len), buffers(4200), notes(len / 16));
        assert_eq!(ring.unwrap_err(), Error::RingMemory, "{len} at {bus:X}h");
    }
    for (buffer_count, note_count) in [(7, 8), (8, 7), (8, 9)] {
        let ring = Ring::new(Memory::new(0, 128), buffers(buffer_count), notes(note_count));
        assert_eq!(ring.unwrap_err(), Error::RingMemory);
    }
    assert!(Ring::new(Memory::new(0, 4096 * 16), buffers(4096), notes(4096)).is_ok());
}

#[test]
fn a_batch_is_one_doorbell_and_comes_back_in_order() {
    for device in ALL {
        let mut bench = bench(device);
        let frames: Vec<Vec<u8>> = (0..5).map(|n| vec![n; 60 + usize::from(n)]).collect();
        for (index, frame) in frames.iter().enumerate() {
            assert_eq!(bench.push(frame), index);
        }
        bench.card.writes.borrow_mut().clear();
        bench.ring.doorbell(&bench.nic);
        bench.ring.doorbell(&bench.nic);
        assert_eq!(*bench.card.writes.borrow(), [(0x3818, 5)]);
        for (index, frame) in frames.iter().enumerate() {
            assert_eq!(bench.fetch(index), *frame);
        }
        (0..5).for_each(|index| bench.finish(index, DONE));
        assert_eq!(bench.reclaim(), [0, 1, 2, 3, 4]);
        assert_eq!((bench.ring.pending(), bench.ring.completed()), (0, 5));
    }
}

#[test]
fn one_descriptor_stays_empty() {
    let mut bench = bench(I82540EM);
    for _ in 0..COUNT - 1 {
        bench.push(&[1; 60]);
    }
    assert_eq!(bench.ring.free(), 0);
    assert!(bench.ring.reserve().is_none());
    bench.ring.doorbell(&bench.nic);
    assert_eq!(bench.card.peek(0x3818), 7, "never equal to the head");
    bench.finish(0, DONE);
    assert_eq!(bench.reclaim(), [0]);
    assert_eq!(bench.push(&[2; 60]), 7);
    bench.ring.doorbell(&bench.nic);
    assert_eq!(bench.card.peek(0x3818), 0, "wrapped around");
}

#[test]
fn write_backs_out_of_order_wait_for_their_turn() {
    let mut bench = bench(I82540EM);
    bench.push_some(3);
    bench.finish(1, DONE);
    bench.finish(2, DONE);
    assert_eq!(bench.reclaim(), []);
    bench.finish(0, DONE);
    assert_eq!(bench.reclaim(), [0, 1, 2]);
}

#[test]
fn done_on_descriptors_that_hold_no_frame_means_nothing() {
    let mut bench = bench(I82540EM);
    (0..COUNT).for_each(|index| bench.finish(index, DONE));
    assert_eq!(bench.reclaim(), []);
    bench.push(&[1; 60]);
    assert_eq!(bench.reclaim(), [], "pushing clears the status");
}

#[test]
fn short_frames_are_padded_with_zeros_and_nothing_else() {
    let mut bench = bench(I82540EM);
    bench.push(&[0xAA; 100]);
    bench.finish(0, DONE);
    bench.reclaim();
    // Around the ring, so that slot 0 with its old contents is used again.
    for _ in 0..COUNT {
        let index = bench.push(&[0xBB; 14]);
        let mut frame = vec![0xBB; 14];
        frame.resize(60, 0);
        assert_eq!(bench.fetch(index), frame);
        bench.finish(index, DONE);
        bench.reclaim();
    }
}

#[test]
fn frames_of_impossible_length_are_refused_and_leave_the_slot_free() {
    let mut bench = bench(I82540EM);
    for length in [0, BUFFER_SIZE + 1, 65_535, usize::MAX] {
        assert_eq!(bench.ring.reserve().unwrap().push(length, None, 0), Err(Error::FrameLength));
    }
    assert!(bench.ring.reserve().is_some(), "and dropped");
    assert_eq!((bench.ring.pending(), bench.ring.reserve().unwrap().index()), (0, 0));
    assert_eq!(bench.ring.reserve().unwrap().push(BUFFER_SIZE, None, 0), Ok(0));
}

#[test]
fn a_slot_cannot_be_written_beyond_its_buffer() {
    let mut bench = bench(I82540EM);
    let mut slot = bench.ring.reserve().unwrap();
    assert!(slot.write(BUFFER_SIZE - 4, &[1; 4]));
    assert!(!slot.write(BUFFER_SIZE - 3, &[1; 4]));
    assert!(!slot.write(usize::MAX, &[1; 4]));
    assert_eq!(bench.buffers.get(BUFFER_SIZE, 4), [0xEE; 4]);
}

#[test]
fn what_became_of_a_frame_is_told() {
    let mut bench = bench(I82540EM);
    bench.push_some(3);
    for (index, status) in [0xF1, 0x03, 0x05].into_iter().enumerate() {
        bench.finish(index, status);
    }
    let mut outcomes = Vec::new();
    bench.ring.reclaim(|_, _, status| outcomes.push(status));
    let expected =
        [TransmitStatus::empty(), TransmitStatus::EXCESS_COLLISIONS, TransmitStatus::LATE_COLLISION];
    assert_eq!(outcomes, expected);
}

#[test]
fn bursts_fill_the_ring_all_around_and_leave_what_is_kept() {
    let mut bench = bench(I82574L);
    let frames: Vec<_> = (0..8_u8).map(|n| (vec![n; 20 + 30 * usize::from(n)], 0)).collect();
    for start in 0..COUNT {
        assert_eq!(bench.burst(2, &frames), COUNT - 3);
        for (ahead, (frame, _)) in frames[..COUNT - 3].iter().enumerate() {
            let index = (start + ahead) % COUNT;
            let mut expected = frame.clone();
            expected.resize(frame.len().max(60), 0);
            assert_eq!(bench.fetch(index), expected, "{ahead} of {start}");
            bench.finish(index, DONE);
        }
        assert_eq!(bench.reclaim().len(), COUNT - 3);
        // On to the next start.
        bench.push_some(4);
        (0..4).for_each(|ahead| bench.finish((start + COUNT - 3 + ahead) % COUNT, DONE));
        assert_eq!(bench.ring.reclaim_unmarked(), 4);
    }
}

#[test]
fn a_burst_refuses_what_is_too_long() {
    let mut bench = bench(I82574L);
    let mut burst = bench.ring.burst(0, None);
    assert_eq!(burst.push(&[1; 20], &[2; BUFFER_SIZE - 19], 0), Err(Error::FrameLength));
    assert_eq!(burst.push(&[1; 20], &[2; BUFFER_SIZE - 20], 0), Ok(()));
    drop(burst);
    assert_eq!((bench.ring.pending(), bench.fetch(0).len()), (1, BUFFER_SIZE));
}

#[test]
fn frames_behind_a_restart_go_on_behind_the_buffers_of_those_before_it() {
    let mut bench = bench(I82574L);
    bench.push_some(6);
    (0..4).for_each(|index| bench.finish(index, DONE));
    assert_eq!(bench.ring.reclaim_unmarked(), 4);
    bench.nic.stop(&bench.card).unwrap();
    bench.nic.start_transmit(&mut bench.ring).unwrap();
    let frames: Vec<_> = (0..5).map(|n| (vec![n; 70], 0)).collect();
    assert_eq!(bench.burst(0, &frames), 5);
    for (ahead, (frame, _)) in frames.iter().enumerate() {
        assert_eq!(bench.fetch(2 + ahead), *frame);
    }
    (0..7).for_each(|index| bench.finish(index, DONE));
    assert_eq!(bench.reclaim(), [4, 5, 6, 7, 0, 1, 2]);
}

#[test]
fn unmarked_frames_are_reclaimed_by_number_up_to_one_that_failed() {
    let mut bench = bench(I82540EM);
    bench.push_some(5);
    for (index, status) in [(0, DONE), (1, DONE), (2, DONE | 2), (3, DONE)] {
        bench.finish(index, status);
    }
    assert_eq!((bench.ring.reclaim_unmarked(), bench.ring.reclaim_unmarked()), (2, 0));
    assert_eq!(bench.reclaim(), [2, 3]);
    bench.finish(4, DONE);
    assert_eq!(bench.ring.reclaim_unmarked(), 1);
    assert_eq!((bench.ring.pending(), bench.ring.completed()), (0, 5));
}

#[test]
fn a_mark_keeps_frames_from_being_reclaimed_by_number() {
    let mut bench = bench(I82540EM);
    assert_eq!(bench.burst(0, &[(vec![1; 80], 0), (vec![1; 80], 7), (vec![1; 80], 0)]), 3);
    (0..3).for_each(|index| bench.finish(index, DONE));
    assert_eq!(bench.ring.reclaim_unmarked(), 0);
    let mut marks = Vec::new();
    marks.extend(bench.ring.finished().take(2).map(|(_, mark, _)| mark));
    assert_eq!(marks, [0, 7]);
    assert_eq!(bench.ring.reclaim_unmarked(), 1, "the marked one is out");
    bench.push_some(2);
    bench.ring.mark_all(9);
    (3..5).for_each(|index| bench.finish(index, DONE));
    assert_eq!(bench.ring.reclaim_unmarked(), 0);
    assert_eq!(bench.ring.finished().map(|(_, mark, _)| mark).collect::<Vec<_>>(), [9, 9]);
    // What is given up is forgotten.
    bench.push_some(1);
    bench.ring.mark_all(9);
    bench.nic.stop(&bench.card).unwrap();
    bench.ring.abandon(|_| ());
    bench.nic.start_transmit(&mut bench.ring).unwrap();
    bench.push_some(1);
    bench.finish(0, DONE);
    assert_eq!(bench.ring.reclaim_unmarked(), 1);
}

#[test]
fn after_a_reset_the_ring_starts_anew() {
    let mut bench = bench(I82574L);
    bench.push_some(3);
    bench.ring.doorbell(&bench.nic);
    bench.nic.stop(&bench.card).unwrap();
    let mut lost = Vec::new();
    assert_eq!(bench.ring.abandon(|index| lost.push(index)), 3);
    assert_eq!(lost, [0, 1, 2]);
    assert_eq!(bench.ring.completed(), 0);
    bench.nic.bring_up(&bench.card, AUTO).unwrap();
    bench.nic.start_transmit(&mut bench.ring).unwrap();
    assert_eq!([bench.card.peek(0x3810), bench.card.peek(0x3818)], [0, 0]);
    assert_eq!(bench.push(&[1; 60]), 0);
    // So does one whose frames had all come back.
    bench.finish(0, DONE);
    assert_eq!(bench.reclaim(), [0]);
    bench.nic.stop(&bench.card).unwrap();
    bench.nic.start_transmit(&mut bench.ring).unwrap();
    assert_eq!(bench.push(&[1; 60]), 0, "where TDH is");
}

#[test]
fn a_missing_card_does_not_start() {
    let bench = bench(I82540EM);
    let mut ring = bench.ring;
    bench.card.fault.set(Fault::GoneFrom(0));
    assert_eq!(bench.nic.start_transmit(&mut ring), Err(Error::Gone));
}

proptest! {
    /// Against a queue: frames come back exactly once, in order, whenever and in whatever order the card finishes them.
    #[test]
    fn the_ring_is_a_queue(steps in prop::collection::vec((0..3_u8, any::<u8>(), 1..200_usize), 0..200)) {
        let mut bench = bench(I82540EM);
        let mut sent: std::collections::VecDeque<(usize, bool)> = [].into();
        for (step, byte, length) in steps {
            match step {
                0 if sent.len() < COUNT - 1 => {
                    let index = bench.push(&vec![byte; length]);
                    let mut frame = vec![byte; length];
                    frame.resize(length.max(60), 0);
                    prop_assert_eq!(bench.fetch(index), frame);
                    sent.push_back((index, false));
                }
                0 => prop_assert!(bench.ring.reserve().is_none()),
                1 if !sent.is_empty() => {
                    let which = usize::from(byte) % sent.len();
                    sent[which].1 = true;
                    bench.finish(sent[which].0, DONE);
                }
                _ => {
                    let mut expected = Vec::new();
                    while let Some(&(index, true)) = sent.front() {
                        expected.push(index);
                        sent.pop_front();
                    }
                    prop_assert_eq!(bench.reclaim(), expected);
                }
            }
            prop_assert_eq!(bench.ring.pending(), sent.len());
            bench.ring.doorbell(&bench.nic);
            prop_assert!((bench.card.peek(0x3818) as usize) < COUNT);
        }
    }
}
