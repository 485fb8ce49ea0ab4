//! Receiving: the receive ring (SDM 3.2 and 14.4, 82574 7.1 and 10.2.5).
//!
//! Buffers belong to the caller, who lends them to the ring by [`ReceiveRing::give`] and gets them back, one whole frame in
//! each, from [`ReceiveRing::poll`]; they may return in any order, or later, when upper layers are done with them.
//! Whatever is no whole good frame is dropped here and counted, and its buffer goes back to the card.

use core::sync::atomic::{Ordering, fence};

use crate::descriptor::{DONE, Descriptors, SPECIAL_SHIFT, STATUS_SHIFT, following};
use crate::registers::{Radv, Rctl, Rdbah, Rdbal, Rdh, Rdlen, Rdt, Rdtr, Register, Rfctl, Rxcsum, Rxdctl};
use crate::transmit::index_bits;
use crate::{BUFFER_SIZE, DmaMemory, Error, Family, Filter, Nic, Registers, VlanId, vlan};

/// Status: end of packet (SDM 3.2.3.1).
const END_OF_PACKET: u32 = 1 << 1;
/// Status: the frame was tagged, and the tag is in the special field (SDM 3.2.3.1, 9.2.2).
const TAGGED: u32 = 1 << 3;
/// The length, in the word behind the address (SDM 3.2.3).
const LENGTH: u64 = 0xFFFF;
/// Errors CE, SE, SEQ, CXE and RXE (SDM 3.2.3.2). TCPE and IPE are about contents and are not of interest.
const ERRORS: u32 = (1 << 0 | 1 << 1 | 1 << 2 | 1 << 4 | 1 << 7) << 8;

/// How frames are received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveConfig {
    /// Accept frames of more than 1,518 bytes without FCS but with tag, up to [`BUFFER_SIZE`]; RFC 4638 needs 1,522,
    /// and 1,526 with a tag.
    pub long_packets: bool,
    /// Which frames are received besides those to the station address.
    pub filter: Filter,
    /// Receive frames of this VLAN only, without their tag; `None`: frames of no VLAN only.
    pub vlan: Option<VlanId>,
}

impl Default for ReceiveConfig {
    fn default() -> Self {
        Self { long_packets: false, filter: Filter::BROADCAST, vlan: None }
    }
}

/// A buffer of [`BUFFER_SIZE`] bytes that the card may write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffer {
    /// The caller's name for it.
    pub id: u32,
    /// Its address on the bus.
    pub address: u64,
}

/// A whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Where it is. The buffer is the caller's again.
    pub buffer: Buffer,
    /// Its length without FCS and VLAN tag: 1 to [`BUFFER_SIZE`].
    pub length: usize,
}

/// Frames dropped by a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveDrops {
    /// Longer than a buffer: spread over several descriptors.
    pub spanning: u64,
    /// Flagged as damaged by the card.
    pub damaged: u64,
    /// The card reported a length of 0 or beyond the buffer.
    pub bad_length: u64,
    /// Of another VLAN, or untagged where a VLAN is configured.
    pub foreign_vlan: u64,
}

impl ReceiveDrops {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.spanning
            .saturating_add(self.damaged)
            .saturating_add(self.bad_length)
            .saturating_add(self.foreign_vlan)
    }
}

/// A receive ring over descriptors in `M` and a note `S` of which buffer each descriptor has.
///
/// `S` is a slice of [`Buffer`]s that the caller allocates: an array or a box.
#[derive(Debug)]
pub struct ReceiveRing<M, S> {
    descriptors: Descriptors<M>,
    buffers: S,
    /// The oldest descriptor that the card has.
    head: usize,
    /// The next descriptor that gets a buffer.
    tail: usize,
    /// The tail the card knows. Descriptors from here to the tail have a buffer, but are not filled.
    announced: usize,
    /// Descriptors with a buffer.
    posted: usize,
    /// Inside a frame whose beginning was dropped.
    spanning: bool,
    vlan: Option<VlanId>,
    drops: ReceiveDrops,
}

impl<M: DmaMemory, S: AsRef<[Buffer]> + AsMut<[Buffer]>> ReceiveRing<M, S> {
    /// Makes an empty ring. `buffers` has one entry per descriptor; what is in it does not matter.
    ///
    /// # Errors
    /// [`Error::RingMemory`].
    pub fn new(descriptors: M, buffers: S) -> Result<Self, Error> {
        let descriptors = Descriptors::new(descriptors)?;
        if buffers.as_ref().len() != descriptors.count() {
            return Err(Error::RingMemory);
        }
        Ok(Self {
            descriptors,
            buffers,
            head: 0,
            tail: 0,
            announced: 0,
            posted: 0,
            spanning: false,
            vlan: None,
            drops: ReceiveDrops::default(),
        })
    }

    /// Number of buffers that can be given now; at most the number of descriptors less one.
    pub fn free(&self) -> usize {
        self.descriptors.count().saturating_sub(1).saturating_sub(self.posted)
    }

    /// Number of buffers the card has.
    pub fn posted(&self) -> usize {
        self.posted
    }

    /// What was dropped so far.
    pub fn drops(&self) -> ReceiveDrops {
        self.drops
    }

    /// The oldest descriptor that the card has: where the next frame is expected.
    pub fn head(&self) -> usize {
        self.head
    }

    /// Whether that descriptor is written back, or has no buffer.
    pub fn has_arrived(&self) -> bool {
        self.descriptors.status(self.head) & DONE != 0
    }

    /// Lends a buffer to the card, which learns of it with [`ReceiveRing::doorbell`].
    ///
    /// # Errors
    /// [`Error::RingFull`]; the buffer stays the caller's.
    pub fn give(&mut self, buffer: Buffer) -> Result<(), Error> {
        self.vacancies().give(buffer)
    }

    /// Lends buffers to the card, one after the other, as [`ReceiveRing::give`] does.
    #[inline]
    pub fn vacancies(&mut self) -> Vacancies<'_, M, S> {
        let (tail, free) = (self.tail, self.free());
        Vacancies { ring: self, tail, free }
    }

    /// Tells the card of all buffers given (or put back by [`ReceiveRing::poll`]) since the last time. One register write,
    /// none without new buffers. At the end of a batch.
    pub fn doorbell<R: Registers>(&mut self, nic: &Nic<R>) {
        if self.announced == self.tail {
            return;
        }
        self.fill();
        // The card must see the descriptors no later than the tail that points beyond them.
        fence(Ordering::SeqCst);
        nic.bus.write(Rdt::from_bits(index_bits(self.tail)));
    }

    /// Fills the descriptors of all buffers given since the last time.
    fn fill(&mut self) {
        let count = self.descriptors.count();
        while self.announced != self.tail {
            // Up to the last descriptor, and on from the first.
            let end = if self.announced < self.tail { self.tail } else { count };
            let buffers = self.buffers.as_ref().get(self.announced..end).unwrap_or_default();
            self.descriptors.fill(self.announced, buffers, |buffer| [buffer.address, 0]);
            self.announced = if end < count { end } else { 0 };
        }
    }

    /// Takes frames out of the ring, one after the other, that have arrived and are what nearly all are: whole good frames where
    /// there are no VLANs. That ends with the last descriptor, too. [`ReceiveRing::poll`] takes the next one, if anything has
    /// arrived.
    #[inline]
    pub fn plain(&mut self) -> PlainFrames<'_, M, S> {
        let head = self.head;
        let end = if self.spanning || self.vlan.is_some() {
            head
        } else if head <= self.announced {
            self.announced
        } else {
            self.descriptors.count()
        };
        PlainFrames { ring: self, head, end }
    }

    /// Status and length of the descriptor at the head, if the card is done with it.
    fn look(&self) -> Option<(u32, usize)> {
        if self.head == self.announced {
            return None;
        }
        let word = self.descriptors.word(self.head);
        // The contents may not be read before DD; the length was read with it.
        fence(Ordering::Acquire);
        let status = (word >> STATUS_SHIFT) as u32;
        (status & DONE != 0).then_some((status, (word & LENGTH) as usize))
    }

    /// The next good frame, if one has arrived. Passes over at most one ring of dropped frames, after which it returns `None`
    /// although more may be there; the caller's budget is what bounds a loop over this.
    #[inline(never)]
    pub fn poll(&mut self) -> Option<Received> {
        for _ in 0..self.posted {
            let (status, length) = self.look()?;
            let buffer = self.take()?;
            if self.is_good(status, length) {
                return Some(Received { buffer, length });
            }
            // There is room: its place in the ring has just become free.
            self.give(buffer).ok()?;
        }
        None
    }

    /// Takes all buffers back and empties the ring. Only after [`Nic::stop`] or [`Nic::reset`].
    pub fn drain(&mut self, mut back: impl FnMut(Buffer)) -> usize {
        let mut count = 0_usize;
        while self.posted != 0 {
            let Some(buffer) = self.take() else { break };
            back(buffer);
            count = count.wrapping_add(1);
        }
        self.head = 0;
        self.tail = 0;
        self.announced = 0;
        self.spanning = false;
        count
    }

    /// Takes the buffer at the head out of the ring.
    fn take(&mut self) -> Option<Buffer> {
        let buffer = *self.buffers.as_ref().get(self.head)?;
        self.head = self.descriptors.next(self.head);
        self.posted = self.posted.saturating_sub(1);
        Some(buffer)
    }

    /// Whether a descriptor is a whole good frame; counts it if not, once per frame.
    fn is_good(&mut self, status: u32, length: usize) -> bool {
        let ends = status & END_OF_PACKET != 0;
        let continues = self.spanning;
        self.spanning = !ends;
        let tag = (status & TAGGED != 0).then(|| u16::try_from(status >> SPECIAL_SHIFT).unwrap_or(0));
        let drop = if continues {
            return false;
        } else if !ends {
            &mut self.drops.spanning
        } else if status & ERRORS != 0 {
            &mut self.drops.damaged
        } else if length == 0 || length > BUFFER_SIZE {
            &mut self.drops.bad_length
        } else if !vlan::accepts(self.vlan, tag) {
            &mut self.drops.foreign_vlan
        } else {
            return true;
        };
        *drop = drop.wrapping_add(1);
        false
    }

    /// Makes all posted descriptors the card's again after a reset. Frames in them are lost.
    fn repost(&mut self) {
        self.announced = self.head;
        self.spanning = false;
    }
}

/// Descriptors without a buffer. Those that got one are in the ring when this is dropped.
#[derive(Debug)]
pub struct Vacancies<'ring, M: DmaMemory, S: AsRef<[Buffer]> + AsMut<[Buffer]>> {
    ring: &'ring mut ReceiveRing<M, S>,
    tail: usize,
    free: usize,
}

impl<M: DmaMemory, S: AsRef<[Buffer]> + AsMut<[Buffer]>> Vacancies<'_, M, S> {
    /// Whether there is none.
    #[inline]
    pub fn are_none(&self) -> bool {
        self.free == 0
    }

    /// Lends a buffer to the card, which learns of it with [`ReceiveRing::doorbell`].
    ///
    /// # Errors
    /// [`Error::RingFull`]; the buffer stays the caller's.
    #[inline]
    pub fn give(&mut self, buffer: Buffer) -> Result<(), Error> {
        let Some(entry) = self.ring.buffers.as_mut().get_mut(self.tail).filter(|_| self.free != 0) else {
            return Err(Error::RingFull);
        };
        *entry = buffer;
        self.tail = following(self.tail, self.ring.descriptors.count());
        self.free = self.free.wrapping_sub(1);
        Ok(())
    }
}

impl<M: DmaMemory, S: AsRef<[Buffer]> + AsMut<[Buffer]>> Drop for Vacancies<'_, M, S> {
    #[inline]
    fn drop(&mut self) {
        let given = self.ring.free().wrapping_sub(self.free);
        self.ring.tail = self.tail;
        self.ring.posted = self.ring.posted.wrapping_add(given);
    }
}

/// Frames that have arrived; those that were asked for are out of the ring when this is dropped.
#[derive(Debug)]
pub struct PlainFrames<'ring, M: DmaMemory, S: AsRef<[Buffer]> + AsMut<[Buffer]>> {
    ring: &'ring mut ReceiveRing<M, S>,
    head: usize,
    end: usize,
}

impl<M: DmaMemory, S: AsRef<[Buffer]> + AsMut<[Buffer]>> Iterator for PlainFrames<'_, M, S> {
    type Item = Received;

    #[inline]
    fn next(&mut self) -> Option<Received> {
        if self.head == self.end {
            return None;
        }
        let word = self.ring.descriptors.word(self.head);
        // The contents may not be read before DD; the length was read with it.
        fence(Ordering::Acquire);
        let (status, length) = ((word >> STATUS_SHIFT) as u32, (word & LENGTH) as usize);
        if status & (DONE | END_OF_PACKET | TAGGED | ERRORS) != DONE | END_OF_PACKET
            || length.wrapping_sub(1) >= BUFFER_SIZE
        {
            return None;
        }
        let buffer = *self.ring.buffers.as_ref().get(self.head)?;
        self.head = self.head.wrapping_add(1);
        Some(Received { buffer, length })
    }
}

impl<M: DmaMemory, S: AsRef<[Buffer]> + AsMut<[Buffer]>> Drop for PlainFrames<'_, M, S> {
    #[inline]
    fn drop(&mut self) {
        let taken = self.head.wrapping_sub(self.ring.head);
        self.ring.head = if self.head < self.ring.descriptors.count() { self.head } else { 0 };
        self.ring.posted = self.ring.posted.wrapping_sub(taken);
    }
}

impl<R: Registers> Nic<R> {
    /// Connects a ring, with the buffers given to it so far, and turns the receiver on. After [`Nic::bring_up`]; up to
    /// `DISPATCH_LEVEL`. The receiver must be off.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn start_receive<M, S>(
        &self,
        ring: &mut ReceiveRing<M, S>,
        config: &ReceiveConfig,
    ) -> Result<(), Error>
    where
        M: DmaMemory,
        S: AsRef<[Buffer]> + AsMut<[Buffer]>,
    {
        self.bus.write(Rctl::default());
        self.bus.flush()?;
        ring.vlan = config.vlan;
        self.filter_vlan(config.vlan);
        ring.repost();
        let (low, high, length) = ring.descriptors.registers();
        self.bus.write(Rdbal::from_bits(low));
        self.bus.write(Rdbah::from_bits(high));
        self.bus.write(Rdlen::from_bits(length));
        self.bus.write(Rdh::from_bits(index_bits(ring.head)));
        self.bus.write(Rdt::from_bits(index_bits(ring.head)));
        // ITR moderates: SDM 13.4.30 and 13.4.31 advise against the timers.
        self.bus.write(Rdtr::default());
        self.bus.write(Radv::default());
        self.bus.write(Rxcsum::default());
        if self.model.family == Family::I82574 {
            self.bus.write(Rfctl::default());
        }
        self.bus.write(Rxdctl::default().set(Rxdctl::GRAN).with(Rxdctl::WTHRESH, 1));
        let control = Rctl::default()
            .set(Rctl::EN)
            .with(Rctl::LPE, config.long_packets.into())
            // An interrupt when an eighth of the descriptors is left.
            .with(Rctl::RDMTS, 2)
            .set(Rctl::VFE)
            // Without it the length includes the FCS, which some implementations put into a descriptor of its own.
            .set(Rctl::SECRC);
        self.bus.write(config.filter.apply(control));
        ring.doorbell(self);
        Ok(())
    }
}
