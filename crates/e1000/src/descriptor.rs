//! What receive and transmit rings share: descriptors of 16 bytes in shared memory (SDM 3.2.3 and 3.3.3, 82574
//! 7.1.3 and 7.2.10.1), of the legacy formats that all models understand.

use crate::{DmaMemory, Error};

/// Bytes of a descriptor.
const SIZE: usize = 16;
/// Offset of the word behind the address: length, checksum or command, status, errors, special field.
const WORD: usize = 8;
/// Where the status begins in that word, and the special field in what begins there.
pub(crate) const STATUS_SHIFT: u32 = 32;
pub(crate) const SPECIAL_SHIFT: u32 = 16;

/// Descriptor done: the card is finished with the descriptor.
pub(crate) const DONE: u32 = 1 << 0;

/// A ring's descriptors.
#[derive(Debug)]
pub(crate) struct Descriptors<M> {
    memory: M,
    count: usize,
}

impl<M: DmaMemory> Descriptors<M> {
    /// Checks the memory: 16-byte aligned, a multiple of 128 bytes, 8 to 4096 descriptors (SDM 13.4.25 and 13.4.27).
    pub(crate) fn new(memory: M) -> Result<Self, Error> {
        let length = memory.len();
        let count = length / SIZE;
        if !memory.bus_address().is_multiple_of(16)
            || !length.is_multiple_of(128)
            || !(8..=4096).contains(&count)
        {
            return Err(Error::RingMemory);
        }
        Ok(Self { memory, count })
    }

    /// Number of descriptors. One of them stays empty, as head = tail means that all are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The index after `index`.
    pub(crate) fn next(&self, index: usize) -> usize {
        following(index, self.count)
    }

    /// The ring's base address in halves, low first, and its length in bytes.
    pub(crate) fn registers(&self) -> (u32, u32, u32) {
        let base = self.memory.bus_address();
        let length = u32::try_from(self.count.wrapping_mul(SIZE)).unwrap_or(0);
        ((base & 0xFFFF_FFFF) as u32, (base >> 32) as u32, length)
    }

    /// Fills the descriptors from `index` on, one for each of `items`, none beyond the last one of the ring. The card must
    /// not own them. `contents` makes address and what follows it: length and command, a clear status, the special field.
    #[inline]
    pub(crate) fn fill<T>(&self, index: usize, items: &[T], contents: impl FnMut(&T) -> [u64; 2]) {
        self.memory.write_pairs(index.wrapping_mul(SIZE), items, contents);
    }

    /// How many of `most` descriptors from `index` on, none beyond the last one of the ring, have a status that is `wanted`.
    #[inline]
    pub(crate) fn count_while(
        &self,
        index: usize,
        most: usize,
        mut wanted: impl FnMut(u32) -> bool,
    ) -> usize {
        let offset = index.wrapping_mul(SIZE).wrapping_add(WORD);
        self.memory.count_while::<SIZE>(offset, most, |word| wanted((word >> STATUS_SHIFT) as u32))
    }

    /// What follows the address.
    #[inline]
    pub(crate) fn word(&self, index: usize) -> u64 {
        self.memory.read_u64(index.wrapping_mul(SIZE).wrapping_add(WORD)).unwrap_or(0)
    }

    /// Status and errors; the special field is the high half.
    #[inline]
    pub(crate) fn status(&self, index: usize) -> u32 {
        (self.word(index) >> STATUS_SHIFT) as u32
    }
}

/// The index after `index` in a ring of `count`.
#[inline]
pub(crate) fn following(index: usize, count: usize) -> usize {
    let next = index.wrapping_add(1);
    if next < count { next } else { 0 }
}
