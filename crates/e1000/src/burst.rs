//! Frames that go into a transmit ring one right behind the other.

use crate::transmit::command;
use crate::{BUFFER_SIZE, DmaMemory, Error, FrameMemory, FrameNote, MIN_FRAME, Tag, TransmitRing};

/// The end of a ring, held to push frames of one tag. They are in the ring when this is dropped: until then there are only
/// notes of them.
#[derive(Debug)]
pub struct Burst<'ring, M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> {
    ring: &'ring mut TransmitRing<M, S>,
    command: u64,
    /// The buffer of the next frame.
    buffer: usize,
    /// Where buffers have to begin from the front again, if not where this has to end, and frames that can be pushed then.
    end: usize,
    rest: usize,
    most: usize,
}

impl<M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> TransmitRing<M, S> {
    /// Begins to push frames with `tag`, as many as leave `kept` descriptors free.
    pub fn burst(&mut self, kept: usize, tag: Option<Tag>) -> Burst<'_, M, S> {
        let most = self.free().saturating_sub(kept);
        let buffer = self.next_buffer();
        let run = most.min(self.count().wrapping_sub(buffer));
        let (end, rest) = (buffer.wrapping_add(run), most.wrapping_sub(run));
        Burst { ring: self, command: command(tag), buffer, end, rest, most }
    }
}

impl<M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> Burst<'_, M, S> {
    /// How many more frames can be pushed.
    pub fn left(&self) -> usize {
        self.end.wrapping_sub(self.buffer).wrapping_add(self.rest)
    }

    /// Whether no more frame can be pushed.
    #[inline]
    pub fn is_full(&mut self) -> bool {
        self.buffer == self.end && !self.begin_again()
    }

    /// How many have been pushed.
    pub fn pushed(&self) -> usize {
        self.most.wrapping_sub(self.left())
    }

    /// Gives the last `count` frames that were pushed another mark, which is not 0 either.
    pub fn mark_last(&mut self, count: usize, mark: u8) {
        let mut buffer = self.buffer;
        for _ in 0..count.min(self.pushed()) {
            buffer = buffer.checked_sub(1).unwrap_or_else(|| self.ring.count().wrapping_sub(1));
            if let Some(note) = self.ring.notes.as_mut().get_mut(buffer) {
                note.describe(note.word(), 0, mark);
            }
        }
    }

    /// Goes on from the first buffer; false if the ring is full.
    #[cold]
    #[inline(never)]
    fn begin_again(&mut self) -> bool {
        (self.buffer, self.end) = (0, self.rest);
        self.rest = 0;
        self.end != 0
    }

    /// Copies a frame, `head` and behind it `body`, into the ring. [`TransmitRing::reclaim`] will hand `mark` back; 0 is none.
    /// A frame shorter than [`MIN_FRAME`] is padded with zeros; the card adds the tag. It learns of the frame with
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
        if !self.ring.buffers.write_parts(self.buffer, head, body) {
            return Err(Error::FrameLength);
        }
        let mut length = N.wrapping_add(body.len());
        if length < MIN_FRAME {
            self.ring.pad(self.buffer, length);
            length = MIN_FRAME;
        }
        let Some(place) = self.ring.notes.as_mut().get_mut(self.buffer) else { return Err(Error::RingFull) };
        place.describe(self.command, length, mark);
        self.ring.count_mark(mark);
        self.buffer = self.buffer.wrapping_add(1);
        Ok(())
    }
}

impl<M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> Drop for Burst<'_, M, S> {
    fn drop(&mut self) {
        self.ring.post(self.pushed());
    }
}
