//! The card's view of the host: what crate `e1000` asks for, lent by NDIS.

use core::time::Duration;

use alloc::vec::Vec;
use e1000::{BUFFER_SIZE, Buffer, Delay, DmaMemory, FrameMemory, FrameNote};
use ndis::{Initialize, IoPorts, IoSpace, Passive, Result, Rooms, SharedMemory, Status};
use pppoe::Beginning;

/// BAR 0, and the I/O window, if it is there and needed.
#[derive(Debug)]
pub(crate) struct Registers {
    pub(super) space: IoSpace,
    pub(super) ports: Option<IoPorts>,
}

impl e1000::Registers for Registers {
    fn read(&self, offset: u32) -> u32 {
        self.space.read(offset)
    }

    fn write(&self, offset: u32, value: u32) {
        self.space.write(offset, value);
    }

    fn write_port(&self, offset: u32, value: u32) -> bool {
        self.ports.as_ref().is_some_and(|ports| ports.write(offset, value))
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

    fn clock(&self) -> u64 {
        clock()
    }
}

/// Waiting at `DISPATCH_LEVEL`, for what asks for little.
#[derive(Debug)]
pub(crate) struct Stall;

impl Delay for Stall {
    fn microseconds(&self, us: u32) {
        ndis::stall(us);
    }

    fn clock(&self) -> u64 {
        clock()
    }
}

/// Microseconds of a clock that does not tick.
fn clock() -> u64 {
    u64::try_from(ndis::now().as_micros()).unwrap_or(u64::MAX)
}

/// Memory that the card reaches.
#[derive(Debug)]
pub(crate) struct Shared(SharedMemory);

impl DmaMemory for Shared {
    type Frames = Frames;

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

/// Frame buffers that the card reaches.
#[derive(Debug)]
pub(crate) struct Frames(Rooms<BUFFER_SIZE>);

impl FrameMemory for Frames {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn bus_address(&self, buffer: usize) -> Option<u64> {
        self.0.bus_address(buffer)
    }

    fn write_bytes(&self, buffer: usize, offset: usize, bytes: &[u8]) -> bool {
        self.0.write_bytes(buffer, offset, bytes)
    }

    fn write_parts<const N: usize>(&self, buffer: usize, head: &[u8; N], body: &[u8]) -> bool {
        self.0.write_parts(buffer, head, body)
    }
}

/// The fewest descriptors of a ring that is worth having.
const FEWEST: u32 = 64;

/// Shared memory for the descriptors of a ring, which has to be in one piece: half as many, as often as there is none so large.
/// Their number is with them.
fn descriptors(init: &Initialize<'_>, mut count: u32) -> Result<(Shared, u32)> {
    loop {
        match SharedMemory::allocate(init, count.saturating_mul(DESCRIPTOR_SIZE), true) {
            Ok(memory) => return Ok((Shared(memory), count)),
            // The length has to be a multiple of 128 bytes.
            Err(_) if count / 2 >= FEWEST => count = (count / 2) & !7,
            Err(status) => return Err(status),
        }
    }
}

/// A transmit ring of `count` descriptors with a buffer each, or of fewer.
pub(crate) fn transmit_ring(init: &Initialize<'_>, count: u32) -> Result<TransmitRing> {
    let (descriptors, count) = descriptors(init, count)?;
    let notes = ndis::memory::filled(count as usize, |_| Ok(FrameNote::default()))?;
    let frames = Frames(Rooms::allocate(init, count as usize)?);
    TransmitRing::new(descriptors, frames, notes).map_err(|_| Status::FAILURE)
}

/// An empty receive ring of `count` descriptors, or of fewer.
pub(crate) fn receive_ring(init: &Initialize<'_>, count: u32) -> Result<ReceiveRing> {
    let (descriptors, count) = descriptors(init, count)?;
    let notes = ndis::memory::filled(count as usize, |_| Ok(Buffer::default()))?;
    ReceiveRing::new(descriptors, notes).map_err(|_| Status::FAILURE)
}

/// The receive buffers.
#[derive(Debug)]
pub(crate) struct Buffers {
    rooms: Rooms<BUFFER_SIZE>,
    count: u32,
}

impl Buffers {
    /// Allocates `count` buffers.
    pub(crate) fn allocate(init: &Initialize<'_>, count: u32) -> Result<Self> {
        Ok(Self { rooms: Rooms::allocate(init, count as usize)?, count })
    }

    /// The rooms that they are.
    pub(crate) fn rooms(&self) -> &Rooms<BUFFER_SIZE> {
        &self.rooms
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The buffer with this number, as the ring knows it.
    pub(crate) fn buffer(&self, id: u32) -> Buffer {
        Buffer { id, address: self.rooms.bus_address(id as usize).unwrap_or(0) }
    }

    /// The beginning of the frame in a buffer.
    #[inline]
    pub(crate) fn beginning(&self, id: u32) -> Option<Beginning> {
        self.rooms.read(id as usize).map(Beginning)
    }

    /// Copies the beginning of a buffer.
    pub(crate) fn read(&self, id: u32, bytes: &mut [u8]) -> bool {
        self.rooms.read_bytes(id as usize, bytes)
    }
}
