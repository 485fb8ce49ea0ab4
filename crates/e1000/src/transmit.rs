//! Sending: the transmit ring and its buffers (SDM 3.3 and 14.5, 82574 7.2 and 10.2.6).
//!
//! Each descriptor has its own buffer of [`BUFFER_SIZE`] bytes, into which the caller copies the frame; so no memory of the
//! caller's is ever shared with the card. Completion is read from the descriptors (DD) alone: "reading the head register
//! is not reliable" (SDM 3.3.3).

use core::sync::atomic::{Ordering, fence};

use bitflags::bitflags;

use crate::descriptor::{DONE, Descriptors};
use crate::link::collision_distance;
use crate::registers::{Register, Tadv, Tctl, Tdbah, Tdbal, Tdh, Tdlen, Tdt, Tidv, Txdctl};
use crate::{BUFFER_SIZE, DmaMemory, Error, Family, MIN_FRAME, Nic, Registers};

/// Command bits: end of packet, insert FCS, report status (SDM 3.3.3.1).
const COMMAND: u32 = (1 << 0 | 1 << 1 | 1 << 3) << 24;

bitflags! {
    /// What became of a frame (SDM 3.3.3.2). Empty is success.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct TransmitStatus: u32 {
        /// Given up after 16 collisions.
        const EXCESS_COLLISIONS = 1 << 1;
        /// Given up after a late collision.
        const LATE_COLLISION = 1 << 2;
    }
}

/// A transmit ring: descriptors and as many buffers.
#[derive(Debug)]
pub struct TransmitRing<M> {
    descriptors: Descriptors<M>,
    buffers: M,
    /// The oldest descriptor that is not reclaimed.
    head: usize,
    /// The next descriptor to fill.
    tail: usize,
    /// The tail the card knows.
    announced: usize,
    /// Filled and not yet reclaimed.
    pending: usize,
    completed: u64,
}

impl<M: DmaMemory> TransmitRing<M> {
    /// Makes an empty ring of `descriptors` (16 bytes each) and `buffers` ([`BUFFER_SIZE`] bytes each).
    ///
    /// # Errors
    /// [`Error::RingMemory`].
    pub fn new(descriptors: M, buffers: M) -> Result<Self, Error> {
        let descriptors = Descriptors::new(descriptors)?;
        if buffers.len() / BUFFER_SIZE < descriptors.count() {
            return Err(Error::RingMemory);
        }
        Ok(Self { descriptors, buffers, head: 0, tail: 0, announced: 0, pending: 0, completed: 0 })
    }

    /// Number of descriptors: indices are below this.
    pub fn count(&self) -> usize {
        self.descriptors.count()
    }

    /// Number of frames that can be pushed now.
    pub fn free(&self) -> usize {
        self.descriptors.count().saturating_sub(1).saturating_sub(self.pending)
    }

    /// Number of frames pushed and not yet reclaimed.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Number of frames reclaimed so far. A watchdog compares two readings: with frames pending and the link up, it has
    /// to move.
    pub fn completed(&self) -> u64 {
        self.completed
    }

    /// The next free slot, `None` if the ring is full. Dropping the slot leaves it free.
    pub fn reserve(&mut self) -> Option<Slot<'_, M>> {
        if self.free() == 0 { None } else { Some(Slot { ring: self }) }
    }

    /// Tells the card of all frames pushed since the last time. One register write, none without new frames.
    pub fn doorbell<R: Registers>(&mut self, nic: &Nic<R>) {
        if self.announced == self.tail {
            return;
        }
        self.announced = self.tail;
        // The card must see the descriptors no later than the tail that points beyond them.
        fence(Ordering::SeqCst);
        nic.bus.write(Tdt::from_bits(index_bits(self.tail)));
    }

    /// Calls `done` with the slot index and outcome of every frame the card has finished, in order; returns how many.
    /// Bounded by the ring's size.
    pub fn reclaim(&mut self, mut done: impl FnMut(usize, TransmitStatus)) -> usize {
        let mut count = 0_usize;
        while self.pending != 0 {
            let status = self.descriptors.status(self.head);
            if status & DONE == 0 {
                break;
            }
            // What the caller does with the buffer must not be moved before the read of DD.
            fence(Ordering::Acquire);
            self.retire(TransmitStatus::from_bits_truncate(status), &mut done);
            self.completed = self.completed.wrapping_add(1);
            count = count.wrapping_add(1);
        }
        count
    }

    /// Gives up all pending frames and empties the ring. Only after [`Nic::stop`] or [`Nic::reset`].
    pub fn abandon(&mut self, mut done: impl FnMut(usize)) -> usize {
        let count = self.pending;
        while self.pending != 0 {
            self.retire(TransmitStatus::empty(), &mut |index, _| done(index));
        }
        self.head = 0;
        self.tail = 0;
        self.announced = 0;
        count
    }

    fn retire(&mut self, status: TransmitStatus, done: &mut impl FnMut(usize, TransmitStatus)) {
        let index = self.head;
        self.head = self.descriptors.next(index);
        self.pending = self.pending.saturating_sub(1);
        done(index, status);
    }
}

/// A free descriptor and its buffer.
#[derive(Debug)]
pub struct Slot<'ring, M> {
    ring: &'ring mut TransmitRing<M>,
}

impl<M: DmaMemory> Slot<'_, M> {
    /// The index by which [`TransmitRing::reclaim`] will report the frame.
    pub fn index(&self) -> usize {
        self.ring.tail
    }

    /// Copies a part of the frame to `offset` in the slot's buffer; `false`, copying nothing, if it does not fit.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) -> bool {
        let Some(end) = offset.checked_add(bytes.len()) else { return false };
        end <= BUFFER_SIZE && self.ring.buffers.write_bytes(self.start().wrapping_add(offset), bytes)
    }

    /// Puts the frame, the first `length` bytes of the buffer, into the ring, and returns its index. A frame shorter
    /// than [`MIN_FRAME`] is padded with zeros. The card learns of it with [`TransmitRing::doorbell`].
    ///
    /// # Errors
    /// [`Error::FrameLength`]: `length` is 0 or more than [`BUFFER_SIZE`]; the slot stays free.
    pub fn push(mut self, length: usize) -> Result<usize, Error> {
        if length == 0 || length > BUFFER_SIZE {
            return Err(Error::FrameLength);
        }
        if let Some(padding) = [0; MIN_FRAME].get(length..) {
            // TCTL.PSP would pad too, but not in every implementation; and the buffer holds an earlier frame.
            self.write(length, padding);
        }
        let index = self.ring.tail;
        let address = self.ring.buffers.bus_address().wrapping_add(self.start() as u64);
        let length = u32::try_from(length.max(MIN_FRAME)).unwrap_or(0);
        self.ring.descriptors.fill(index, address, length | COMMAND);
        self.ring.tail = self.ring.descriptors.next(index);
        self.ring.pending = self.ring.pending.wrapping_add(1);
        Ok(index)
    }

    fn start(&self) -> usize {
        self.ring.tail.wrapping_mul(BUFFER_SIZE)
    }
}

/// A descriptor index as the registers hold it.
pub(crate) fn index_bits(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(0)
}

impl<R: Registers> Nic<R> {
    /// Connects an empty ring and turns the transmitter on. After [`Nic::bring_up`]; up to `DISPATCH_LEVEL`.
    ///
    /// # Errors
    /// [`Error::RingFull`] unless the ring is empty ([`TransmitRing::abandon`]); [`Error::Gone`].
    pub fn start_transmit<M: DmaMemory>(&self, ring: &mut TransmitRing<M>) -> Result<(), Error> {
        if ring.pending != 0 {
            return Err(Error::RingFull);
        }
        self.bus.write(Tctl::default().set(Tctl::PSP));
        let full_duplex = self.link()?.full_duplex;
        ring.abandon(|_| ());
        let (low, high, length) = ring.descriptors.registers();
        self.bus.write(Tdbal::from_bits(low));
        self.bus.write(Tdbah::from_bits(high));
        self.bus.write(Tdlen::from_bits(length));
        self.bus.write(Tdh::default());
        self.bus.write(Tdt::default());
        self.bus.write(Tidv::default());
        self.bus.write(Tadv::default());
        // Write back each descriptor as soon as it is done; thresholds count descriptors.
        let mut thresholds = Txdctl::default().set(Txdctl::GRAN).with(Txdctl::WTHRESH, 1);
        let mut control = Tctl::default()
            .set(Tctl::EN)
            .set(Tctl::PSP)
            .set(Tctl::RTLC)
            .with(Tctl::CT, 0x0F)
            .with(Tctl::COLD, collision_distance(full_duplex));
        if self.model.family == Family::I82574 {
            thresholds = thresholds.set(Txdctl::COUNT_DESC);
            control = control.set(Tctl::MULR);
        }
        self.bus.write(thresholds);
        self.bus.write(control);
        Ok(())
    }
}
