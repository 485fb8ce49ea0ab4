//! Scatter/gather DMA registration and shared memory.
//!
//! The driver copies into and indicates from shared memory, so scatter/gather lists are never built; the
//! registration is needed all the same, since `NdisMAllocateSharedMemory` depends on it.

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use ndis_sys::{
    NDIS_HANDLE, NDIS_SG_DMA_DESCRIPTION, NdisMAllocateSharedMemory, NdisMDeregisterScatterGatherDma,
    NdisMFreeSharedMemory, NdisMRegisterScatterGatherDma,
};
use wdk_sys::{PDEVICE_OBJECT, PHYSICAL_ADDRESS, PSCATTER_GATHER_LIST};

use crate::header::header;
use crate::initialize::Initialize;
use crate::miniport::AdapterHandle;
use crate::status::{Result, Status};

/// The registration of the adapter as a bus master; deregistered by Drop at `PASSIVE_LEVEL`, after all
/// [`SharedMemory`] is freed.
#[derive(Debug)]
pub struct ScatterGatherDma {
    handle: NDIS_HANDLE,
}

// SAFETY: an opaque handle, only used to deregister.
unsafe impl Send for ScatterGatherDma {}
// SAFETY: as above.
unsafe impl Sync for ScatterGatherDma {}

/// `MINIPORT_PROCESS_SG_LIST`: mandatory in the description, never reached, since no list is ever asked for.
unsafe extern "C" fn process_sg_list(
    _device: PDEVICE_OBJECT,
    _reserved: *mut c_void,
    _list: PSCATTER_GATHER_LIST,
    _context: *mut c_void,
) {
}

impl ScatterGatherDma {
    /// `NdisMRegisterScatterGatherDma`, after the registration attributes, inside `MiniportInitializeEx`.
    /// `maximum_mapping`: the largest frame in bytes; `wide`: the card reaches bus addresses of 64 bits.
    pub fn register(init: &Initialize<'_>, maximum_mapping: u32, wide: bool) -> Result<Self> {
        let mut description = NDIS_SG_DMA_DESCRIPTION {
            Header: header(
                ndis_sys::NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION,
                ndis_sys::NDIS_SG_DMA_DESCRIPTION_REVISION_1,
                ndis_sys::NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1,
            ),
            Flags: if wide { ndis_sys::NDIS_SG_DMA_64_BIT_ADDRESS } else { 0 },
            MaximumPhysicalMapping: maximum_mapping,
            ProcessSGListHandler: Some(process_sg_list),
            ..Default::default()
        };
        let mut handle: NDIS_HANDLE = ptr::null_mut();
        let adapter = init.handle();
        // SAFETY: the description is complete and copied; `handle` is written on success.
        let status =
            unsafe { NdisMRegisterScatterGatherDma(adapter.0, &raw mut description, &raw mut handle) };
        Status::from_raw(status).ok()?;
        Ok(Self { handle })
    }
}

impl Drop for ScatterGatherDma {
    fn drop(&mut self) {
        // SAFETY: registered by `register`, deregistered once.
        unsafe { NdisMDeregisterScatterGatherDma(self.handle) };
    }
}

/// Bytes of a word, in shared memory as many as it is aligned to. NDIS aligns its beginning to much more.
const WORD: usize = size_of::<u64>();

/// Memory that driver and device both see; freed by Drop at `PASSIVE_LEVEL`.
///
/// The device writes here at any time, so all accesses are volatile copies and nothing hands out a reference.
#[derive(Debug)]
pub struct SharedMemory {
    adapter: AdapterHandle,
    base: NonNull<u8>,
    bus: u64,
    length: u32,
    cached: bool,
}

// SAFETY: all accesses are volatile copies of plain data; who may write when is the protocol with the device.
unsafe impl Send for SharedMemory {}
// SAFETY: as above.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// `NdisMAllocateSharedMemory`; `length` in bytes. Only inside `MiniportInitializeEx`, after
    /// [`ScatterGatherDma::register`].
    pub fn allocate(init: &Initialize<'_>, length: u32, cached: bool) -> Result<Self> {
        let mut base: *mut c_void = ptr::null_mut();
        let mut bus = PHYSICAL_ADDRESS { QuadPart: 0 };
        let adapter = init.handle();
        // SAFETY: NDIS writes both results, a NULL virtual address on failure.
        unsafe {
            NdisMAllocateSharedMemory(adapter.0, length, u8::from(cached), &raw mut base, &raw mut bus);
        }
        let base = NonNull::new(base.cast()).ok_or(Status::RESOURCES)?;
        // SAFETY: every bit pattern of the union is a valid 64-bit number.
        #[expect(clippy::cast_sign_loss, reason = "PHYSICAL_ADDRESS is declared signed")]
        let bus = unsafe { bus.QuadPart } as u64;
        let memory = Self { adapter: adapter.same(), base, bus, length, cached };
        if memory.base.addr().get().is_multiple_of(WORD) { Ok(memory) } else { Err(Status::RESOURCES) }
    }

    /// Where the device finds the memory.
    pub const fn bus_address(&self) -> u64 {
        self.bus
    }

    /// Size in bytes.
    pub const fn len(&self) -> usize {
        self.length as usize
    }

    /// Whether there is no byte in it.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether `length` bytes at `offset` lie inside.
    #[inline]
    fn holds(&self, offset: usize, length: usize) -> bool {
        offset.checked_add(length).is_some_and(|end| end <= self.len())
    }

    /// A pointer to `length` bytes at `offset`, if they lie inside.
    #[inline]
    pub(crate) fn range(&self, offset: usize, length: usize) -> Option<NonNull<u8>> {
        if !self.holds(offset, length) {
            return None;
        }
        // SAFETY: the offset lies inside the allocation.
        Some(unsafe { self.base.add(offset) })
    }

    /// Writes two words for each item, all one after the other, that the device may read at the same time; false outside or
    /// unaligned.
    #[inline]
    pub fn write_pairs<T>(&self, offset: usize, items: &[T], mut pair: impl FnMut(&T) -> [u64; 2]) -> bool {
        if !self.holds_words(offset, items.len().saturating_mul(2)) {
            return false;
        }
        // SAFETY: inside.
        let mut words = unsafe { self.word(offset) };
        for item in items {
            for value in pair(item) {
                // SAFETY: one of twice as many words as there are items, inside the allocation and aligned.
                unsafe { words.write_volatile(value) };
                // SAFETY: to the next of these words, or to their end.
                words = unsafe { words.add(1) };
            }
        }
        true
    }

    /// Reads the little-endian words at `offset` and at every `STEP` bytes from there, `most` at most, up to the first that is
    /// not `wanted`; how many were wanted. 0 unless all of them lie inside and are aligned.
    #[inline]
    pub fn count_while<const STEP: usize>(
        &self,
        offset: usize,
        most: usize,
        mut wanted: impl FnMut(u64) -> bool,
    ) -> usize {
        const { assert!(WORD <= STEP && STEP.is_multiple_of(WORD)) };
        let Some(last) = most.checked_sub(1) else { return 0 };
        let end = last.saturating_mul(STEP).saturating_add(offset);
        if !self.holds_words(offset, 1) || !self.holds(end, WORD) {
            return 0;
        }
        let mut count = 0_usize;
        while count < most {
            // SAFETY: not behind the last of the words, which lies inside.
            let word = unsafe { self.word(offset.wrapping_add(count.wrapping_mul(STEP))) };
            // SAFETY: inside the allocation and as well aligned as the first, and any bits are a valid word.
            if !wanted(unsafe { word.read_volatile() }) {
                break;
            }
            count = count.wrapping_add(1);
        }
        count
    }

    /// Reads a little-endian word that the device may write at the same time; `None` outside or unaligned.
    #[inline]
    pub fn read(&self, offset: usize) -> Option<u64> {
        if !self.holds_words(offset, 1) {
            return None;
        }
        // SAFETY: inside.
        let word = unsafe { self.word(offset) };
        // SAFETY: inside the allocation and aligned, and any bits are a valid word.
        Some(unsafe { word.read_volatile() })
    }

    /// Whether `count` words at `offset` lie inside and are aligned.
    #[inline]
    fn holds_words(&self, offset: usize, count: usize) -> bool {
        // The base is aligned (see `allocate`).
        offset.is_multiple_of(WORD) && self.holds(offset, WORD.saturating_mul(count))
    }

    /// A pointer to a word.
    ///
    /// # Safety
    /// The offset must lie inside.
    #[inline]
    unsafe fn word(&self, offset: usize) -> NonNull<u64> {
        // SAFETY: the offset lies inside the allocation.
        unsafe { self.base.add(offset) }.cast()
    }

    /// Copies bytes in; false if they do not fit.
    #[inline]
    pub fn write_bytes(&self, offset: usize, bytes: &[u8]) -> bool {
        let Some(target) = self.range(offset, bytes.len()) else { return false };
        // SAFETY: the target lies inside the allocation, which no Rust reference covers, and cannot overlap.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), target.as_ptr(), bytes.len()) };
        true
    }

    /// Copies bytes out; false if they lie outside.
    #[inline]
    pub fn read_bytes(&self, offset: usize, bytes: &mut [u8]) -> bool {
        let Some(source) = self.range(offset, bytes.len()) else { return false };
        // SAFETY: the source lies inside the allocation, which no Rust reference covers, and cannot overlap.
        unsafe { ptr::copy_nonoverlapping(source.as_ptr(), bytes.as_mut_ptr(), bytes.len()) };
        true
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        #[expect(clippy::cast_possible_wrap, reason = "PHYSICAL_ADDRESS is declared signed")]
        let bus = PHYSICAL_ADDRESS { QuadPart: self.bus as i64 };
        let base = self.base.as_ptr().cast();
        // SAFETY: allocated with exactly these values, freed once.
        unsafe { NdisMFreeSharedMemory(self.adapter.0, self.length, u8::from(self.cached), base, bus) };
    }
}
