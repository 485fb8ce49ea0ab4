//! What the host lends the card's logic: registers, time and shared memory.
//!
//! These three traits are the whole seam. A driver implements them over its kernel's services, a test over arrays.

/// The card's register space, BAR 0.
///
/// Every access is 32 bits wide at a multiple of four (SDM 13, 82574 10). The implementation orders a write after
/// all earlier stores to [`DmaMemory`] as far as the bus needs it (`WRITE_REGISTER_ULONG` does). A card that has been
/// removed reads as all ones.
///
/// Called at any IRQL up to the card's device IRQL.
pub trait Registers {
    /// Reads the register at `offset` bytes from the start of BAR 0.
    fn read(&self, offset: u32) -> u32;
    /// Writes the register at `offset` bytes from the start of BAR 0.
    fn write(&self, offset: u32, value: u32);
    /// Writes 32 bits at `offset` bytes from the start of the card's I/O window, before all later accesses; false if the host
    /// has no such window.
    fn write_port(&self, offset: u32, value: u32) -> bool {
        let _ = (offset, value);
        false
    }
}

impl<T: Registers + ?Sized> Registers for &T {
    fn read(&self, offset: u32) -> u32 {
        (**self).read(offset)
    }
    fn write(&self, offset: u32, value: u32) {
        (**self).write(offset, value);
    }
    fn write_port(&self, offset: u32, value: u32) -> bool {
        (**self).write_port(offset, value)
    }
}

/// Waiting while the card works.
///
/// Only functions that take a `&impl Delay` wait. They are for `PASSIVE_LEVEL`, so the implementation may sleep, for as long
/// as the ticks of its clock take, and no single wait is longer than 25 ms; but [`Nic::link_changed`](crate::Nic::link_changed) may be called at
/// `DISPATCH_LEVEL` with an implementation that stalls, and waits for at most 50 us at a time.
pub trait Delay {
    /// Returns after at least `us` microseconds.
    fn microseconds(&self, us: u32);
    /// Microseconds since an arbitrary moment, by a clock that is finer than the sleeps: what is waited for in several steps
    /// ends by this clock.
    fn clock(&self) -> u64;
}

impl<T: Delay + ?Sized> Delay for &T {
    fn microseconds(&self, us: u32) {
        (**self).microseconds(us);
    }
    fn clock(&self) -> u64 {
        (**self).clock()
    }
}

/// A block of memory shared with the card.
///
/// The card writes it at any time, so every access is volatile, and values are little-endian in memory. Offsets are in
/// bytes, naturally aligned by all callers of this crate. Accesses outside the block do nothing and say so.
pub trait DmaMemory {
    /// The frame buffers that this host lends.
    type Frames: FrameMemory + core::fmt::Debug;
    /// The address by which the card reaches byte 0.
    fn bus_address(&self) -> u64;
    /// The length in bytes.
    fn len(&self) -> usize;
    /// Whether the block has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Reads a little-endian value at once; `None` outside the block.
    fn read_u64(&self, offset: usize) -> Option<u64>;
    /// Reads the little-endian values at `offset` and at every `STEP` bytes from there, `most` at most, up to the first that
    /// is not `wanted`; how many were wanted. 0 unless all of them are inside.
    fn count_while<const STEP: usize>(
        &self,
        offset: usize,
        most: usize,
        wanted: impl FnMut(u64) -> bool,
    ) -> usize;
    /// Writes two little-endian values for each item, one behind the other, each in any number of accesses; `false`,
    /// writing nothing, unless all of them fit.
    fn write_pairs<I>(&self, offset: usize, items: &[I], pair: impl FnMut(&I) -> [u64; 2]) -> bool;
    /// Copies `bytes` into the block; `false`, writing nothing, unless all of them fit.
    fn write_bytes(&self, offset: usize, bytes: &[u8]) -> bool;
    /// Copies from the block into `bytes`; `false`, reading nothing, unless all of them are inside.
    fn read_bytes(&self, offset: usize, bytes: &mut [u8]) -> bool;
}

impl<T: DmaMemory> DmaMemory for &T {
    type Frames = T::Frames;

    fn bus_address(&self) -> u64 {
        (**self).bus_address()
    }
    fn len(&self) -> usize {
        (**self).len()
    }
    fn read_u64(&self, offset: usize) -> Option<u64> {
        (**self).read_u64(offset)
    }
    fn count_while<const STEP: usize>(
        &self,
        offset: usize,
        most: usize,
        wanted: impl FnMut(u64) -> bool,
    ) -> usize {
        (**self).count_while::<STEP>(offset, most, wanted)
    }
    fn write_pairs<I>(&self, offset: usize, items: &[I], pair: impl FnMut(&I) -> [u64; 2]) -> bool {
        (**self).write_pairs(offset, items, pair)
    }
    fn write_bytes(&self, offset: usize, bytes: &[u8]) -> bool {
        (**self).write_bytes(offset, bytes)
    }
    fn read_bytes(&self, offset: usize, bytes: &mut [u8]) -> bool {
        (**self).read_bytes(offset, bytes)
    }
}

/// Frame buffers of [`BUFFER_SIZE`](crate::BUFFER_SIZE) bytes shared with the card, which need not follow each other.
///
/// Accesses outside do nothing and say so.
pub trait FrameMemory {
    /// How many buffers there are.
    fn count(&self) -> usize;
    /// The address by which the card reaches a buffer; `None` if there are not so many.
    fn bus_address(&self, buffer: usize) -> Option<u64>;
    /// Copies `bytes` to `offset` in a buffer; `false`, writing nothing, unless all of them fit.
    fn write_bytes(&self, buffer: usize, offset: usize, bytes: &[u8]) -> bool;
    /// Copies `head` and behind it `body` to the beginning of a buffer; `false`, writing nothing, unless all of them fit.
    fn write_parts<const N: usize>(&self, buffer: usize, head: &[u8; N], body: &[u8]) -> bool;
}
