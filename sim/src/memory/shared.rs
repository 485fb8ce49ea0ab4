//! Memory that another process sees too: a file without a name, whose offsets are bus addresses.

use std::{
    fs::File,
    io,
    ops::Range,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::FileExt as _,
    },
};

use rustix::fs::{FallocateFlags, MemfdFlags, SeekFrom, fallocate, memfd_create, seek};

/// The memory; it takes up no more than what has been touched of it.
#[derive(Debug)]
pub struct SharedMemory {
    file: File,
    len: u64,
}

impl SharedMemory {
    /// `len` zero bytes at bus addresses from zero on.
    pub fn new(len: u64) -> io::Result<Self> {
        let file = File::from(memfd_create("ndis-sim memory", MemfdFlags::CLOEXEC)?);
        file.set_len(len)?;
        Ok(Self { file, len })
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads at a bus address.
    pub fn read(&self, bus: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, bus)
    }

    /// Writes at a bus address.
    pub fn write(&self, bus: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, bus)
    }

    /// Zeroes whole pages and gives them back.
    pub fn discard(&self, bus: u64, len: u64) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(fallocate(&self.file, flags, bus, len)?)
    }

    /// The pages that anybody has read through a mapping or written since they were discarded, as ranges.
    pub fn touched(&self) -> Vec<Range<u64>> {
        let mut ranges = Vec::new();
        let mut at = 0;
        while let Ok(start) = seek(&self.file, SeekFrom::Data(at)) {
            let end = seek(&self.file, SeekFrom::Hole(start)).unwrap_or(self.len);
            ranges.push(start..end);
            at = end;
        }
        ranges
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_touched_is_known_until_it_is_discarded() {
        let memory = SharedMemory::new(1 << 24).expect("memory");
        assert!(memory.touched().is_empty());
        memory.write(0x3ffe, b"over").expect("inside");
        let touched =
            || memory.touched().into_iter().map(|range| (range.start, range.end)).collect::<Vec<_>>();
        assert_eq!(touched(), [(0x3000, 0x5000)]);
        let mut bytes = [0; 4];
        memory.read(0x3ffe, &mut bytes).expect("inside");
        assert_eq!(&bytes, b"over");
        memory.discard(0x3000, 0x1000).expect("whole pages");
        assert_eq!(touched(), [(0x4000, 0x5000)]);
        memory.read(0x3ffe, &mut bytes).expect("inside");
        assert_eq!(&bytes, b"\0\0er");
    }
}
