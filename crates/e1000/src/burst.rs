//! Frames that go into a transmit ring one right behind the other.

use crate::transmit::{command, start_of};
use crate::{BUFFER_SIZE, DmaMemory, Error, FrameNote, MIN_FRAME, Tag, TransmitRing};

/// The end of a ring, held to push frames of one tag. The ring has them when this is dropped.
#[derive(Debug)]
pub struct Burst<'ring, M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> {
    ring: &'ring mut TransmitRing<M, S>,
    command: u64,
    tail: usize,
    buffer: usize,
    /// Frames that can be pushed before descriptors or buffers begin from the front again, and those after.
    run: usize,
    rest: usize,
    most: usize,
}

impl<M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> TransmitRing<M, S> {
    /// Begins to push frames with `tag`, as many as leave `kept` descriptors free.
    pub fn burst(&mut self, kept: usize, tag: Option<Tag>) -> Burst<'_, M, S> {
        let (tail, most) = (self.tail, self.free().saturating_sub(kept));
        let buffer = self.buffer_of(tail);
        let mut burst = Burst { ring: self, command: command(tag), tail, buffer, run: 0, rest: most, most };
        burst.next_run();
        burst
    }
}

impl<M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> Burst<'_, M, S> {
    /// How many more frames can be pushed.
    pub fn left(&self) -> usize {
        self.run.wrapping_add(self.rest)
    }

    /// Whether no more frame can be pushed.
    #[inline]
    pub fn is_full(&mut self) -> bool {
        self.run == 0 && !self.next_run()
    }

    /// How many have been pushed.
    pub fn pushed(&self) -> usize {
        self.most.wrapping_sub(self.left())
    }

    /// Goes back to the front with what has come to the end; false if the ring is full.
    #[cold]
    fn next_run(&mut self) -> bool {
        let count = self.ring.count();
        let wrapped = |index| if index < count { index } else { 0 };
        (self.tail, self.buffer) = (wrapped(self.tail), wrapped(self.buffer));
        self.run = self.rest.min(count.wrapping_sub(self.tail.max(self.buffer)));
        self.rest = self.rest.wrapping_sub(self.run);
        self.run != 0
    }

    /// Copies a frame, `head` and behind it `body`, into the ring. [`TransmitRing::reclaim`] will hand `mark` back. A frame
    /// shorter than [`MIN_FRAME`] is padded with zeros; the card adds the tag. It learns of the frame with
    /// [`TransmitRing::doorbell`].
    ///
    /// # Errors
    /// [`Error::RingFull`]; [`Error::FrameLength`]: the frame is empty or longer than [`BUFFER_SIZE`].
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what a frame costs is spent here")]
    pub fn push<const N: usize>(&mut self, head: &[u8; N], body: &[u8], mark: u8) -> Result<(), Error> {
        const { assert!(0 < N && N <= BUFFER_SIZE) };
        if self.is_full() {
            return Err(Error::RingFull);
        }
        if !self.ring.buffers.write_parts::<N, BUFFER_SIZE>(start_of(self.buffer), head, body) {
            return Err(Error::FrameLength);
        }
        let mut length = N.wrapping_add(body.len());
        if length < MIN_FRAME {
            self.ring.pad(self.buffer, length);
            length = MIN_FRAME;
        }
        let Some(place) = self.ring.notes.as_mut().get_mut(self.buffer) else { return Err(Error::RingFull) };
        *place = FrameNote::new(self.command, length, mark);
        let address = self.ring.address_of(self.buffer);
        self.ring.descriptors.fill(self.tail, address, self.command | length as u64);
        self.tail = self.tail.wrapping_add(1);
        self.buffer = self.buffer.wrapping_add(1);
        self.run = self.run.wrapping_sub(1);
        Ok(())
    }
}

impl<M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> Drop for Burst<'_, M, S> {
    fn drop(&mut self) {
        self.ring.tail = if self.tail < self.ring.count() { self.tail } else { 0 };
        self.ring.pending = self.ring.pending.wrapping_add(self.pushed());
    }
}
