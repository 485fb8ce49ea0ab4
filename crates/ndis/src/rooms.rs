//! Rooms of one size in shared memory, which need not lie in one piece.
//!
//! `NdisMAllocateSharedMemory` looks for memory in one piece, which a machine that has run for long has little of. Its page has
//! a driver ask for less, then. Where each room is, is looked up, so that it makes no difference afterwards.

use core::ptr::{self, NonNull};

use alloc::vec::Vec;

use crate::dma::SharedMemory;
use crate::initialize::Initialize;
use crate::memory::{push, push_reserved};
use crate::status::{Result, Status};

/// Rooms of `ROOM` bytes each that driver and device both see; freed by Drop at `PASSIVE_LEVEL`.
///
/// As in [`SharedMemory`], all accesses are copies, and nothing hands out a reference.
#[derive(Debug)]
pub struct Rooms<const ROOM: usize> {
    /// Where each room is for the driver.
    bases: Vec<NonNull<u8>>,
    /// Where each room is for the device. Nobody wants to know both at once, and an index of eight bytes costs nothing.
    bus_addresses: Vec<u64>,
    /// What the rooms are in.
    _pieces: Vec<SharedMemory>,
}

// SAFETY: all accesses are copies of plain data; who may write when is the protocol with the device.
unsafe impl<const ROOM: usize> Send for Rooms<ROOM> {}
// SAFETY: as above.
unsafe impl<const ROOM: usize> Sync for Rooms<ROOM> {}

impl<const ROOM: usize> Rooms<ROOM> {
    /// `NdisMAllocateSharedMemory` for `count` rooms: in one piece, or, as often as that fails, in pieces half as large, down to
    /// a single room. Only inside `MiniportInitializeEx`, after
    /// [`ScatterGatherDma::register`](crate::ScatterGatherDma::register).
    pub fn allocate(init: &Initialize<'_>, count: usize) -> Result<Self> {
        let (mut bases, mut bus_addresses) = (Vec::new(), Vec::new());
        bases.try_reserve_exact(count).map_err(|_| Status::RESOURCES)?;
        bus_addresses.try_reserve_exact(count).map_err(|_| Status::RESOURCES)?;
        let mut pieces = Vec::new();
        let mut most = count;
        while bases.len() < count {
            let rooms = most.min(count.saturating_sub(bases.len()));
            match Self::piece(init, rooms) {
                Ok(piece) => {
                    for room in 0..rooms {
                        let offset = room.wrapping_mul(ROOM);
                        let base = piece.range(offset, ROOM).ok_or(Status::RESOURCES)?;
                        push_reserved(&mut bases, base);
                        push_reserved(&mut bus_addresses, piece.bus_address().wrapping_add(offset as u64));
                    }
                    push(&mut pieces, piece)?;
                }
                Err(_) if rooms > 1 => most = rooms / 2,
                Err(status) => return Err(status),
            }
        }
        Ok(Self { bases, bus_addresses, _pieces: pieces })
    }

    fn piece(init: &Initialize<'_>, rooms: usize) -> Result<SharedMemory> {
        let length = rooms.checked_mul(ROOM).and_then(|length| u32::try_from(length).ok());
        SharedMemory::allocate(init, length.ok_or(Status::RESOURCES)?, true)
    }

    /// How many rooms there are.
    pub fn len(&self) -> usize {
        self.bases.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bases.is_empty()
    }

    /// Where the device finds a room; `None` if there are not so many.
    #[inline]
    pub fn bus_address(&self, room: usize) -> Option<u64> {
        self.bus_addresses.get(room).copied()
    }

    /// A pointer to the `ROOM` bytes of a room.
    #[inline]
    pub(crate) fn base(&self, room: usize) -> Option<NonNull<u8>> {
        self.bases.get(room).copied()
    }

    /// A pointer to `length` bytes at `offset` of a room.
    #[inline]
    fn range(&self, room: usize, offset: usize, length: usize) -> Option<NonNull<u8>> {
        let base = self.base(room)?;
        if offset.checked_add(length).is_none_or(|end| end > ROOM) {
            return None;
        }
        // SAFETY: the offset lies inside the room.
        Some(unsafe { base.add(offset) })
    }

    /// Copies bytes, and others behind them, to the beginning of a room; false if they do not fit there together, or if there
    /// are not so many rooms.
    #[inline]
    pub fn write_parts<const N: usize>(&self, room: usize, head: &[u8; N], body: &[u8]) -> bool {
        const { assert!(N <= ROOM && ROOM != 0) };
        let Some(target) = self.base(room) else { return false };
        if body.len() > ROOM - N {
            return false;
        }
        // SAFETY: the target lies inside the room, which no Rust reference covers; any byte is aligned.
        unsafe { target.cast::<[u8; N]>().write(*head) };
        // SAFETY: so does what follows the head.
        let target = unsafe { target.add(N) };
        // SAFETY: the target lies inside the room, which no Rust reference covers, and cannot overlap.
        unsafe { ptr::copy_nonoverlapping(body.as_ptr(), target.as_ptr(), body.len()) };
        true
    }

    /// Reads the first words of a room, as they lie there; `None` if there are not so many rooms.
    #[inline]
    pub fn read<const N: usize>(&self, room: usize) -> Option<[u64; N]> {
        const { assert!(N * size_of::<u64>() <= ROOM && ROOM.is_multiple_of(size_of::<u64>())) };
        let mut word = self.base(room)?.cast::<u64>();
        let mut words = [0; N];
        for value in &mut words {
            // SAFETY: one of the room's first words: inside the room, aligned as the piece is, and any bits are a valid word.
            *value = unsafe { word.read_volatile() };
            // SAFETY: to the next word of the room, or to its end.
            word = unsafe { word.add(1) };
        }
        Some(words)
    }

    /// Copies bytes to `offset` in a room; false if they do not fit.
    #[inline]
    pub fn write_bytes(&self, room: usize, offset: usize, bytes: &[u8]) -> bool {
        let Some(target) = self.range(room, offset, bytes.len()) else { return false };
        // SAFETY: the target lies inside the room, which no Rust reference covers, and cannot overlap.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), target.as_ptr(), bytes.len()) };
        true
    }

    /// Copies the beginning of a room out; false if that is more than there is.
    #[inline]
    pub fn read_bytes(&self, room: usize, bytes: &mut [u8]) -> bool {
        let Some(source) = self.range(room, 0, bytes.len()) else { return false };
        // SAFETY: the source lies inside the room, which no Rust reference covers, and cannot overlap.
        unsafe { ptr::copy_nonoverlapping(source.as_ptr(), bytes.as_mut_ptr(), bytes.len()) };
        true
    }
}
