//! Descriptors that are written back in every way they should not: what the card has written is changed before anybody
//! can see it (SDM sections 3.2.3 and 3.3.3).

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::registers::{RECEIVE_RING, TRANSMIT_RING};
use crate::{
    nic::{Faults, WriteBack},
    pci::{Device, Platform},
    traffic::Doubt,
};

/// From a write-back to its repetition.
const REPETITION: Duration = Duration::from_micros(40);
/// Frames given up after 16 collisions; after a late collision.
const ECOL: u64 = 0x4018;
const LATECOL: u64 = 0x4020;

/// Bytes of a descriptor, and places in it: command (of one to send), status, errors (of a received one).
const LEN: u64 = 16;
const COMMAND: usize = 11;
const STATUS: usize = 12;
const ERRORS: usize = 13;
/// Status: done; end of packet (of a received one); excess and late collisions (of one to send).
const DD: u8 = 1;
const EOP: u8 = 1 << 1;
const EC: u8 = 1 << 1;
const LC: u8 = 1 << 2;
/// Command: report status; extended.
const RS: u8 = 1 << 3;
const DEXT: u8 = 1 << 5;

type Descriptor = [u8; 16];

/// The end of a descriptor and where it goes.
type Part = (u64, Vec<u8>);

/// Which ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Received,
    Sent,
}

impl Side {
    /// Low and high half of the address, length, head and tail.
    fn registers(self) -> [u64; 5] {
        match self {
            Self::Received => RECEIVE_RING,
            Self::Sent => TRANSMIT_RING,
        }
    }

    /// Where the part of a descriptor begins that the card writes.
    fn written(self) -> usize {
        match self {
            Self::Received => 8,
            Self::Sent => 12,
        }
    }

    /// The write-back of this descriptor is that of a frame.
    fn ends_frame(self, desc: &Descriptor) -> bool {
        match self {
            Self::Received => desc[STATUS] & EOP != 0,
            Self::Sent => desc[COMMAND] & RS != 0 && (desc[COMMAND] & DEXT == 0 || desc[10] & 0xf0 != 0),
        }
    }

    fn is_planned(self, faults: &Faults) -> bool {
        match self {
            Self::Received => faults.spoils_received(),
            Self::Sent => faults.spoils_sent(),
        }
    }

    /// Tells what of that is no fault of the driver's.
    fn tell(self, p: &dyn Platform, desc: &Descriptor, how: WriteBack) {
        match (self, how) {
            (Self::Sent, WriteBack::Late | WriteBack::Lost) => p.doubt(Doubt::NotSent),
            (Self::Sent, WriteBack::Twice) => p.doubt(Doubt::SentTwice),
            (Self::Received, WriteBack::Twice) => p.doubt(Doubt::ReceivedTwice),
            (Self::Received, WriteBack::Lost | WriteBack::Endless | WriteBack::Unposted) => {
                p.doubt(Doubt::ReceivedLess);
            }
            (Self::Sent, WriteBack::Errors(_)) => {
                let buffer = u64::from_le_bytes(desc[..8].try_into().unwrap_or_default());
                let mut frame = vec![0; usize::from(u16::from_le_bytes([desc[8], desc[9]]))];
                if p.dma_read(buffer, &mut frame) {
                    p.went_badly(&frame);
                }
            }
            _ => {}
        }
    }

    fn next(self, faults: &Faults) -> WriteBack {
        match self {
            Self::Received => faults.next_received(),
            Self::Sent => faults.next_sent(),
        }
    }
}

/// What is remembered of a ring.
#[derive(Clone, Debug, Default)]
struct Ring {
    /// Where the head was when it was last looked at, while write-backs are to be spoilt.
    head: Option<u32>,
    /// Waits for the next write-back.
    held: Option<Part>,
    again: VecDeque<(Duration, Part)>,
}

/// Both rings.
#[derive(Clone, Debug, Default)]
pub(super) struct Spoiler {
    received: Ring,
    sent: Ring,
    /// What the collisions that were made up add to the card's counters.
    collisions: BTreeMap<u64, u32>,
}

impl Spoiler {
    /// The card is about to do something.
    pub(super) fn before(&mut self, card: &mut impl Device, p: &dyn Platform, faults: &Faults) {
        for (side, ring) in self.rings() {
            if !side.is_planned(faults) && ring.held.is_none() {
                ring.head = None;
            } else if ring.head.is_none() {
                ring.head = read(card, p, side.registers()[3]);
            }
        }
    }

    /// It has done it.
    pub(super) fn after(&mut self, card: &mut impl Device, p: &dyn Platform, faults: &Faults) {
        let mut collisions = std::mem::take(&mut self.collisions);
        for (side, ring) in self.rings() {
            let [low, high, length, head, tail] = side.registers();
            let Some(first) = ring.head else { continue };
            let Some(end) = read(card, p, head).filter(|&end| end != first) else { continue };
            let address = [low, high, length, tail].map(|off| read(card, p, off).unwrap_or(0));
            let [base, count] =
                [u64::from(address[1]) << 32 | u64::from(address[0] & !0xf), u64::from(address[2]) / LEN];
            let at = |index: u32| base + LEN * u64::from(index);
            let mut index = first;
            for _ in 0..count {
                if index == end {
                    break;
                }
                ring.spoil(p, side, at(index), at(address[3]), faults, &mut collisions);
                index = if u64::from(index) + 1 >= count { 0 } else { index + 1 };
            }
            ring.head = Some(end);
        }
        self.collisions = collisions;
    }

    /// Repeats what is due. Where there is no memory any more, it is lost: the card is the culprit.
    pub(super) fn repeat(&mut self, p: &dyn Platform) {
        for (_, ring) in self.rings() {
            while let Some((_, (at, bytes))) = ring.again.pop_front_if(|(at, _)| *at <= p.now()) {
                p.dma_write(at, &bytes);
            }
        }
    }

    /// When the next repetition is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        [&self.received, &self.sent]
            .into_iter()
            .filter_map(|ring| ring.again.front())
            .map(|(at, _)| *at)
            .min()
    }

    /// The card is reset.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// What to add to a counter that is read.
    pub(super) fn counted(&mut self, off: u64) -> u32 {
        self.collisions.remove(&off).unwrap_or(0)
    }

    fn rings(&mut self) -> [(Side, &mut Ring); 2] {
        [(Side::Received, &mut self.received), (Side::Sent, &mut self.sent)]
    }
}

impl Ring {
    /// Does to the descriptor at `at`, just written back, what is planned. The one at `tail` is the driver's.
    fn spoil(
        &mut self,
        p: &dyn Platform,
        side: Side,
        at: u64,
        tail: u64,
        faults: &Faults,
        collisions: &mut BTreeMap<u64, u32>,
    ) {
        let mut desc: Descriptor = [0; 16];
        if !p.dma_read(at, &mut desc) || !side.ends_frame(&desc) {
            return;
        }
        let begin = side.written();
        let part = (at + begin as u64, desc[begin..].to_vec());
        let earlier = self.held.take();
        let how = side.next(faults);
        side.tell(p, &desc, how);
        match how {
            WriteBack::Late if earlier.is_none() => {
                self.held = Some(part);
                desc[STATUS] = 0;
            }
            WriteBack::Good | WriteBack::Late => {}
            WriteBack::Twice => self.again.push_back((p.now() + REPETITION, part)),
            WriteBack::Lost => desc[STATUS] = 0,
            WriteBack::Unposted => finish_unposted(p, side, tail),
            WriteBack::Length(length) => desc[8..10].copy_from_slice(&length.to_le_bytes()),
            WriteBack::Endless => desc[STATUS] &= !EOP,
            WriteBack::Errors(bits) if side == Side::Received => desc[ERRORS] = bits,
            WriteBack::Errors(bits) => {
                desc[STATUS] |= bits;
                for (bit, counter) in [(EC, ECOL), (LC, LATECOL)] {
                    *collisions.entry(counter).or_default() += u32::from(bits & bit != 0);
                }
            }
        }
        p.dma_write(at + begin as u64, &desc[begin..]);
        if let Some((at, bytes)) = earlier {
            p.dma_write(at, &bytes);
        }
    }
}

/// Marks the descriptor at `tail`, which is the driver's, as done.
fn finish_unposted(p: &dyn Platform, side: Side, tail: u64) {
    match side {
        Side::Received => p.dma_write(tail + 8, &[60, 0, 0, 0, DD | EOP, 0, 0, 0]),
        Side::Sent => p.dma_write(tail + 12, &[DD, 0, 0, 0]),
    };
}

fn read(card: &mut impl Device, p: &dyn Platform, off: u64) -> Option<u32> {
    u32::try_from(card.mmio_read(p, 0, off, 4) & 0xffff_ffff).ok().filter(|&value| value != u32::MAX)
}
