//! MSI-X: messages are writes to memory, so the card's are sent to memory that both sides see, and looked for there.

use std::io;

use crate::memory::shared::SharedMemory;

/// Bus address that vector 0 writes to; four bytes a vector. Far from what the DMA domain hands out.
pub(super) const PLACE: u64 = 0x10_0000;
/// Bytes of a table entry: address, upper address, data, vector control.
const ENTRY: u64 = 16;

/// The table as software wrote it.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    /// Which window holds the table, and where.
    pub(super) bar: usize,
    pub(super) table: u64,
    entries: Vec<[u32; 4]>,
}

impl Messages {
    /// A table of `vectors` entries at `table` of window `bar`, all masked.
    pub(super) fn new(bar: usize, table: u64, vectors: usize) -> Self {
        Self { bar, table, entries: vec![[0, 0, 0, 1]; vectors] }
    }

    /// Vector and dword of it at `off` of window `bar`.
    pub(super) fn find(&self, bar: usize, off: u64) -> Option<(usize, usize)> {
        let at = off.checked_sub(self.table).filter(|_| bar == self.bar)?;
        let vector = usize::try_from(at / ENTRY).ok()?;
        let word = usize::try_from(at % ENTRY / 4).ok()?;
        (vector < self.entries.len()).then_some((vector, word))
    }

    pub(super) fn read(&self, vector: usize, word: usize) -> u32 {
        self.entries[vector][word]
    }

    /// Software writes; also what the card is given instead.
    pub(super) fn write(&mut self, vector: usize, word: usize, value: u32) -> u32 {
        self.entries[vector][word] = if word == 3 { value & 1 } else { value };
        self.given(vector, word)
    }

    fn given(&self, vector: usize, word: usize) -> u32 {
        let number = u32::try_from(vector).unwrap_or(0);
        match word {
            0 => u32::try_from(PLACE).unwrap_or(0) + 4 * number,
            1 => 0,
            // Anything but zero.
            2 => number + 1,
            _ => self.entries[vector][3],
        }
    }

    /// A message of `vector` is not masked by its entry.
    pub(super) fn sends(&self, vector: usize) -> bool {
        self.entries.get(vector).is_some_and(|entry| entry[3] & 1 == 0)
    }

    /// The whole table as the card is given it: offset in the window and value of each dword.
    pub(super) fn all_given(&self) -> Vec<(u64, u32)> {
        let words = (0..self.entries.len()).flat_map(|vector| (0..4).map(move |word| (vector, word)));
        words
            .map(|(vector, word)| {
                let at = self.table + ENTRY * vector as u64 + 4 * word as u64;
                (at, self.given(vector, word))
            })
            .collect()
    }

    /// Takes the messages that have arrived. Two of one vector are one, as they may be on their way to a processor.
    pub(super) fn take(&self, memory: &SharedMemory) -> io::Result<Vec<u16>> {
        let mut words = vec![0; 4 * self.entries.len()];
        memory.read(PLACE, &mut words)?;
        let mut arrived = Vec::new();
        for (vector, word) in (0u16..).zip(words.chunks_exact(4)) {
            if word != [0; 4] {
                // Cleared before it is told: one that arrives in between has its cause read with this one's.
                memory.write(PLACE + 4 * u64::from(vector), &[0; 4])?;
                arrived.push(vector);
            }
        }
        Ok(arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_sees_its_table_and_the_card_another() {
        let mut messages = Messages::new(3, 0x100, 2);
        assert_eq!(messages.find(3, 0x11c), Some((1, 3)));
        assert!(messages.find(3, 0x120).is_none() && messages.find(0, 0x100).is_none());
        assert_eq!(messages.write(1, 0, 0xfee0_0000), 0x10_0004);
        assert_eq!(messages.write(1, 2, 0x55), 2);
        assert_eq!(messages.write(1, 3, 0xff), 1);
        assert_eq!([0, 2, 3].map(|word| messages.read(1, word)), [0xfee0_0000, 0x55, 1]);
        assert_eq!(messages.all_given()[4..], [(0x110, 0x10_0004), (0x114, 0), (0x118, 2), (0x11c, 1)]);
    }

    #[test]
    fn messages_are_taken_once() {
        let memory = SharedMemory::new(PLACE + 4096).expect("memory");
        let messages = Messages::new(3, 0, 5);
        memory.write(PLACE + 8, &3u32.to_le_bytes()).expect("inside");
        assert_eq!(messages.take(&memory).expect("inside"), [2]);
        assert!(messages.take(&memory).expect("inside").is_empty());
    }
}
