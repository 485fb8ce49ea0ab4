//! Sending: the transmit ring and its buffers (SDM 3.3 and 14.5, 82574 7.2 and 10.2.6).
//!
//! Each descriptor has its own buffer of [`BUFFER_SIZE`] bytes, into which the caller copies the frame; so no memory of the
//! caller's is ever shared with the card. Completion is read from the descriptors (DD) alone: reading the head
//! register for it is not reliable (SDM 13.4.39).
//!
//! A frame is known by the index of its buffer. Which descriptor points to that buffer changes when a reset makes the
//! card begin at descriptor 0 again ([`Nic::start_transmit`]): frames that wait move to the front, their buffers stay.

use core::sync::atomic::{Ordering, fence};

use bitflags::bitflags;

use crate::descriptor::{DONE, Descriptors, SPECIAL_SHIFT, following};
use crate::link::collision_distance;
use crate::registers::{Register, Tadv, Tctl, Tdbah, Tdbal, Tdh, Tdlen, Tdt, Tidv, Txdctl};
use crate::{BUFFER_SIZE, DmaMemory, Error, Family, FrameMemory, MIN_FRAME, Nic, Registers, Tag};

/// Command bits: end of packet, insert FCS, report status (SDM 3.3.3.1).
const COMMAND: u64 = (1 << 0 | 1 << 1 | 1 << 3) << 24;
/// Command bit: insert a VLAN tag (SDM 3.3.3.1; only with CTRL.VME, which is always set).
const INSERT_TAG: u64 = (1 << 6) << 24;
/// Where the tag goes.
const TAG_SHIFT: u32 = 32 + SPECIAL_SHIFT;

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

/// What a ring remembers of a buffer and the frame in it, in memory that the card cannot change: its address, which stays, and
/// what follows that in the descriptor, with the caller's mark in the field for checksums, which is not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameNote {
    address: u64,
    word: u64,
}

impl FrameNote {
    const MARK_SHIFT: u32 = 40;
    const MARK: u64 = 0xFF << Self::MARK_SHIFT;

    /// There is a frame of `length` bytes, at most [`BUFFER_SIZE`], with a mark or 0; `command` comes from [`command`].
    #[inline]
    pub(crate) fn describe(&mut self, command: u64, length: usize, mark: u8) {
        self.word = command | length as u64 | u64::from(mark) << Self::MARK_SHIFT;
    }

    /// The descriptor's word.
    #[inline]
    pub(crate) const fn word(self) -> u64 {
        self.word & !Self::MARK
    }

    #[inline]
    const fn mark(self) -> u8 {
        self.word.to_le_bytes()[5]
    }
}

/// A descriptor's word for a frame with this tag, without its length.
pub(crate) fn command(tag: Option<Tag>) -> u64 {
    COMMAND | tag.map_or(0, |tag| INSERT_TAG | u64::from(tag.bits()) << TAG_SHIFT)
}

/// A transmit ring: descriptors in `M`, as many buffers, and a note `S` of what each buffer holds.
///
/// `S` is a slice of [`FrameNote`]s that the caller allocates: an array or a box.
#[derive(Debug)]
pub struct TransmitRing<M: DmaMemory, S> {
    pub(crate) descriptors: Descriptors<M>,
    pub(crate) buffers: M::Frames,
    pub(crate) notes: S,
    /// The buffer of descriptor 0; the others follow.
    first: usize,
    /// The oldest descriptor that is not reclaimed.
    head: usize,
    /// The next descriptor to fill.
    tail: usize,
    /// The tail the card knows.
    announced: usize,
    /// Filled and not yet reclaimed, and those of them that have a mark.
    pending: usize,
    marked: usize,
    completed: u64,
    /// Changes with every frame that leaves the ring and with every restart.
    progress: u64,
}

impl<M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> TransmitRing<M, S> {
    /// Makes an empty ring of `descriptors` (16 bytes each) and `buffers` ([`BUFFER_SIZE`] bytes each). `notes` has one
    /// entry per descriptor; what is in it does not matter.
    ///
    /// # Errors
    /// [`Error::RingMemory`].
    pub fn new(descriptors: M, buffers: M::Frames, mut notes: S) -> Result<Self, Error> {
        let descriptors = Descriptors::new(descriptors)?;
        let count = descriptors.count();
        if buffers.count() < count || notes.as_ref().len() != count {
            return Err(Error::RingMemory);
        }
        for (buffer, note) in notes.as_mut().iter_mut().enumerate() {
            note.address = buffers.bus_address(buffer).ok_or(Error::RingMemory)?;
        }
        Ok(Self {
            descriptors,
            buffers,
            notes,
            first: 0,
            head: 0,
            tail: 0,
            announced: 0,
            pending: 0,
            marked: 0,
            completed: 0,
            progress: 0,
        })
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

    /// Number of frames reclaimed so far.
    pub fn completed(&self) -> u64 {
        self.completed
    }

    /// Differs between two calls if a frame has left the ring meanwhile, or the card was restarted.
    pub(crate) fn progress(&self) -> u64 {
        self.progress
    }

    /// The next free slot, `None` if the ring is full. Dropping the slot leaves it free.
    pub fn reserve(&mut self) -> Option<Slot<'_, M, S>> {
        if self.free() == 0 {
            return None;
        }
        let index = self.next_buffer();
        Some(Slot { ring: self, index })
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

    /// Calls `done` for every frame the card has finished, in order, with its slot index, its mark, and its outcome;
    /// returns how many. Bounded by the ring's size.
    pub fn reclaim(&mut self, mut done: impl FnMut(usize, u8, TransmitStatus)) -> usize {
        let mut finished = self.finished();
        for (index, mark, status) in finished.by_ref() {
            done(index, mark, status);
        }
        finished.count
    }

    /// Takes frames without a mark that the card has sent out of the ring, in order, as long as no other frame is in it, and up
    /// to the first that could not be sent; how many. [`TransmitRing::finished`] takes the others.
    pub fn reclaim_unmarked(&mut self) -> usize {
        const SENT: u32 = DONE | TransmitStatus::all().bits();
        let mut count = 0_usize;
        // Up to the last descriptor, and on from the first.
        while self.marked == 0 && count != self.pending {
            let rest = self.descriptors.count().wrapping_sub(self.head);
            let run = rest.min(self.pending.wrapping_sub(count));
            let sent = self.descriptors.count_while(self.head, run, |status| status & SENT == DONE);
            count = count.wrapping_add(sent);
            self.head = if sent == rest { 0 } else { self.head.wrapping_add(sent) };
            if sent != run {
                break;
            }
        }
        // What the caller does with the buffers must not be moved before the reads of DD.
        fence(Ordering::Acquire);
        self.reclaimed(count);
        count
    }

    fn reclaimed(&mut self, count: usize) {
        self.pending = self.pending.wrapping_sub(count);
        self.progress = self.progress.wrapping_add(count as u64);
        self.completed = self.completed.wrapping_add(count as u64);
    }

    /// Whether the card has finished a frame that is in the ring.
    pub fn has_finished(&self) -> bool {
        self.pending != 0 && self.descriptors.status(self.head) & DONE != 0
    }

    /// Takes frames that the card has finished out of the ring, in order.
    pub fn finished(&mut self) -> Finished<'_, M, S> {
        let head = self.head;
        let index = self.buffer_of(head);
        Finished { ring: self, head, index, count: 0 }
    }

    /// Gives all pending frames the same mark, which is not 0.
    pub fn mark_all(&mut self, mark: u8) {
        self.notes.as_mut().iter_mut().for_each(|note| note.describe(note.word(), 0, mark));
        self.marked = self.pending;
    }

    /// Gives up all pending frames and empties the ring. Only after [`Nic::stop`] or [`Nic::reset`].
    pub fn abandon(&mut self, mut done: impl FnMut(usize)) -> usize {
        let count = self.pending;
        while self.pending != 0 {
            let index = self.buffer_of(self.head);
            self.head = self.descriptors.next(self.head);
            self.pending = self.pending.wrapping_sub(1);
            done(index);
        }
        self.marked = 0;
        self.requeue();
        count
    }

    /// Moves the pending frames to the front of the ring, where a card that has been reset begins. Their buffers, and so
    /// their indices, stay.
    fn requeue(&mut self) {
        self.progress = self.progress.wrapping_add(1);
        self.first = if self.pending == 0 { 0 } else { self.buffer_of(self.head) };
        self.head = 0;
        self.tail = 0;
        self.announced = 0;
        let pending = core::mem::take(&mut self.pending);
        self.post(pending);
    }

    /// Puts `count` frames into the ring, which lie in the next buffers and have their notes. There is room for them.
    pub(crate) fn post(&mut self, count: usize) {
        let size = self.descriptors.count();
        self.pending = self.pending.wrapping_add(count);
        let mut left = count;
        while left != 0 {
            // Up to the last descriptor or buffer, and on from the first.
            let (tail, buffer) = (self.tail, self.next_buffer());
            let run = left.min(size.wrapping_sub(tail.max(buffer)));
            let notes = self.notes.as_ref().get(buffer..buffer.wrapping_add(run)).unwrap_or_default();
            self.descriptors.fill(tail, notes, |note| [note.address, note.word()]);
            let next = tail.wrapping_add(run);
            self.tail = if next < size { next } else { 0 };
            left = left.wrapping_sub(run);
        }
    }

    /// Counts a frame that is pushed with a mark.
    #[inline]
    pub(crate) fn count_mark(&mut self, mark: u8) {
        if mark != 0 {
            self.marked = self.marked.wrapping_add(1);
        }
    }

    /// The buffer of the next frame.
    pub(crate) fn next_buffer(&self) -> usize {
        self.buffer_of(self.tail)
    }

    /// Fills a short frame up with zeros. TCTL.PSP would do it too, but not in every implementation; and the buffer holds
    /// an earlier frame.
    #[cold]
    #[inline(never)]
    pub(crate) fn pad(&self, buffer: usize, length: usize) {
        if let Some(padding) = [0; MIN_FRAME].get(length..) {
            self.buffers.write_bytes(buffer, length, padding);
        }
    }

    /// The index of the buffer that a descriptor has.
    fn buffer_of(&self, descriptor: usize) -> usize {
        let buffer = descriptor.wrapping_add(self.first);
        let count = self.descriptors.count();
        if buffer < count { buffer } else { buffer.wrapping_sub(count) }
    }
}

/// Frames that the card has finished: slot index, mark and outcome of each. Those that were asked for are out of the ring
/// when this is dropped.
#[derive(Debug)]
pub struct Finished<'ring, M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> {
    ring: &'ring mut TransmitRing<M, S>,
    head: usize,
    index: usize,
    count: usize,
}

impl<M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> Iterator for Finished<'_, M, S> {
    type Item = (usize, u8, TransmitStatus);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.count >= self.ring.pending {
            return None;
        }
        let status = self.ring.descriptors.status(self.head);
        if status & DONE == 0 {
            return None;
        }
        // What the caller does with the buffer must not be moved before the read of DD.
        fence(Ordering::Acquire);
        let index = self.index;
        let mark = self.ring.notes.as_ref().get(index).map_or(0, |note| note.mark());
        let count = self.ring.descriptors.count();
        self.head = following(self.head, count);
        self.index = following(index, count);
        self.count = self.count.wrapping_add(1);
        if mark != 0 {
            self.ring.marked = self.ring.marked.saturating_sub(1);
        }
        Some((index, mark, TransmitStatus::from_bits_truncate(status)))
    }
}

impl<M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> Drop for Finished<'_, M, S> {
    fn drop(&mut self) {
        self.ring.head = self.head;
        self.ring.reclaimed(self.count);
    }
}

/// A free descriptor and its buffer.
#[derive(Debug)]
pub struct Slot<'ring, M: DmaMemory, S> {
    ring: &'ring mut TransmitRing<M, S>,
    index: usize,
}

impl<M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> Slot<'_, M, S> {
    /// The index by which [`TransmitRing::reclaim`] will report the frame.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Copies a part of the frame to `offset` in the slot's buffer; `false`, copying nothing, if it does not fit.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) -> bool {
        self.ring.buffers.write_bytes(self.index, offset, bytes)
    }

    /// Puts the frame, the first `length` bytes of the buffer, into the ring, and returns its index. A frame shorter
    /// than [`MIN_FRAME`] is padded with zeros; the card adds the tag. It learns of the frame with
    /// [`TransmitRing::doorbell`]. [`TransmitRing::reclaim`] hands `mark` back; 0 is none.
    ///
    /// # Errors
    /// [`Error::FrameLength`]: `length` is 0 or more than [`BUFFER_SIZE`]; the slot stays free.
    #[inline]
    pub fn push(self, length: usize, tag: Option<Tag>, mark: u8) -> Result<usize, Error> {
        if length == 0 || length > BUFFER_SIZE {
            return Err(Error::FrameLength);
        }
        if length < MIN_FRAME {
            self.ring.pad(self.index, length);
        }
        let Self { ring, index } = self;
        let Some(place) = ring.notes.as_mut().get_mut(index) else {
            return Err(Error::RingFull);
        };
        place.describe(command(tag), length.max(MIN_FRAME), mark);
        ring.count_mark(mark);
        ring.post(1);
        Ok(index)
    }
}

/// A descriptor index as the registers hold it.
pub(crate) fn index_bits(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(0)
}

impl<R: Registers> Nic<R> {
    /// Connects a ring, turns the transmitter on, and sends the frames that are pending, if any, again. After
    /// [`Nic::bring_up`] or [`Nic::recover`]; up to `DISPATCH_LEVEL`.
    ///
    /// Call [`TransmitRing::reclaim`] after the reset and before this, or frames go out twice that the card had finished;
    /// even so, the one it was sending may. [`TransmitRing::abandon`] first, if nothing shall be sent again.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn start_transmit<M, S>(&self, ring: &mut TransmitRing<M, S>) -> Result<(), Error>
    where
        M: DmaMemory,
        S: AsRef<[FrameNote]> + AsMut<[FrameNote]>,
    {
        self.bus.write(Tctl::default().set(Tctl::PSP));
        let full_duplex = self.link()?.full_duplex;
        ring.requeue();
        let (low, high, length) = ring.descriptors.registers();
        self.bus.write(Tdbal::from_bits(low));
        self.bus.write(Tdbah::from_bits(high));
        self.bus.write(Tdlen::from_bits(length));
        self.bus.write(Tdh::default());
        self.bus.write(Tdt::default());
        // No descriptor asks to be delayed, but 0 is not allowed (SDM 13.4.41).
        self.bus.write(Tidv::from_bits(1));
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
        ring.doorbell(self);
        Ok(())
    }
}
