//! The card's view of the host: what crate `e1000` asks for, lent by NDIS.

use core::time::Duration;

use alloc::vec::Vec;
use e1000::{BUFFER_SIZE, Buffer, Delay, DmaMemory, FrameNote};
use ndis::{Initialize, IoSpace, Passive, Result, SharedMemory, Status};
use pppoe::Beginning;

/// BAR 0.
#[derive(Debug)]
pub(crate) struct Registers(pub(crate) IoSpace);

impl e1000::Registers for Registers {
    fn read(&self, offset: u32) -> u32 {
        self.0.read(offset)
    }

    fn write(&self, offset: u32, value: u32) {
        self.0.write(offset, value);
    }
}

/// Waiting at `PASSIVE_LEVEL`: short times by spinning, longer ones by sleeping.
#[derive(Debug)]
pub(crate) struct Wait<'a>(pub(crate) &'a Passive);

/// The longest time worth spinning for; sleeping takes a clock tick at least.
const SPIN_MICROSECONDS: u32 = 50;

impl Delay for Wait<'_> {
    fn microseconds(&self, us: u32) {
        if us <= SPIN_MICROSECONDS {
            ndis::stall(us);
        } else {
            ndis::sleep(Duration::from_micros(us.into()), self.0);
        }
    }
}

/// Waiting at `DISPATCH_LEVEL`, for what asks for little.
#[derive(Debug)]
pub(crate) struct Stall;

impl Delay for Stall {
    fn microseconds(&self, us: u32) {
        ndis::stall(us);
    }
}

/// Memory that the card reaches.
#[derive(Debug)]
pub(crate) struct Shared(SharedMemory);

impl DmaMemory for Shared {
    fn bus_address(&self) -> u64 {
        self.0.bus_address()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn read_u64(&self, offset: usize) -> Option<u64> {
        self.0.read(offset).map(u64::from_le)
    }

    fn count_while<const STEP: usize>(
        &self,
        offset: usize,
        most: usize,
        mut wanted: impl FnMut(u64) -> bool,
    ) -> usize {
        self.0.count_while::<STEP>(offset, most, |value| wanted(u64::from_le(value)))
    }

    fn write_pairs<T>(&self, offset: usize, items: &[T], mut pair: impl FnMut(&T) -> [u64; 2]) -> bool {
        self.0.write_pairs(offset, items, |item| pair(item).map(u64::to_le))
    }

    fn write_bytes(&self, offset: usize, bytes: &[u8]) -> bool {
        self.0.write_bytes(offset, bytes)
    }

    fn write_parts<const N: usize, const ROOM: usize>(
        &self,
        room: usize,
        head: &[u8; N],
        body: &[u8],
    ) -> bool {
        self.0.write_parts::<N, ROOM>(room, head, body)
    }

    fn read_bytes(&self, offset: usize, bytes: &mut [u8]) -> bool {
        self.0.read_bytes(offset, bytes)
    }
}

/// Bytes of a descriptor.
const DESCRIPTOR_SIZE: u32 = 16;

/// A ring over shared memory.
pub(crate) type ReceiveRing = e1000::ReceiveRing<Shared, Vec<Buffer>>;
/// A ring and its frame buffers over shared memory.
pub(crate) type TransmitRing = e1000::TransmitRing<Shared, Vec<FrameNote>>;

/// Descriptors of the receive ring that have no buffer.
pub(crate) type Vacancies<'a> = e1000::Vacancies<'a, Shared, Vec<Buffer>>;

/// Frames that go into the transmit ring.
pub(crate) type Burst<'a> = e1000::Burst<'a, Shared, Vec<FrameNote>>;

/// Shared memory for the descriptors of a ring.
fn descriptors(init: &Initialize<'_>, count: u32) -> Result<Shared> {
    SharedMemory::allocate(init, count.saturating_mul(DESCRIPTOR_SIZE), true).map(Shared)
}

/// Shared memory for frame buffers.
fn frames(init: &Initialize<'_>, count: u32) -> Result<SharedMemory> {
    let size = u32::try_from(BUFFER_SIZE).unwrap_or(u32::MAX);
    SharedMemory::allocate(init, count.saturating_mul(size), true)
}

/// A transmit ring of `count` descriptors with a buffer each.
pub(crate) fn transmit_ring(init: &Initialize<'_>, count: u32) -> Result<TransmitRing> {
    let notes = ndis::memory::filled(count as usize, |_| Ok(FrameNote::default()))?;
    let frames = Shared(frames(init, count)?);
    TransmitRing::new(descriptors(init, count)?, frames, notes).map_err(|_| Status::FAILURE)
}

/// An empty receive ring of `count` descriptors.
pub(crate) fn receive_ring(init: &Initialize<'_>, count: u32) -> Result<ReceiveRing> {
    let notes = ndis::memory::filled(count as usize, |_| Ok(Buffer::default()))?;
    ReceiveRing::new(descriptors(init, count)?, notes).map_err(|_| Status::FAILURE)
}

/// The receive buffers.
#[derive(Debug)]
pub(crate) struct Buffers {
    memory: SharedMemory,
    count: u32,
}

impl Buffers {
    /// Allocates `count` buffers.
    pub(crate) fn allocate(init: &Initialize<'_>, count: u32) -> Result<Self> {
        Ok(Self { memory: frames(init, count)?, count })
    }

    /// The memory, buffer after buffer.
    pub(crate) fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The buffer with this number, as the ring knows it.
    pub(crate) fn buffer(&self, id: u32) -> Buffer {
        let offset = u64::from(id).wrapping_mul(BUFFER_SIZE as u64);
        Buffer { id, address: self.memory.bus_address().wrapping_add(offset) }
    }

    /// The beginning of the frame in a buffer.
    #[inline]
    pub(crate) fn beginning(&self, id: u32) -> Option<Beginning> {
        self.memory.read_room::<{ Beginning::WORDS }, BUFFER_SIZE>(id as usize).map(Beginning)
    }

    /// Copies the beginning of a buffer.
    pub(crate) fn read(&self, id: u32, bytes: &mut [u8]) -> bool {
        self.memory.read_bytes((id as usize).wrapping_mul(BUFFER_SIZE), bytes)
    }
}
