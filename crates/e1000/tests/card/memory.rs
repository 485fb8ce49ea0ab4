//! Shared memory in a vector. Clones share the bytes, so that driver and card each hold one.

use std::cell::RefCell;
use std::rc::Rc;

use e1000::{BUFFER_SIZE, DmaMemory, FrameMemory};

#[derive(Clone, Debug)]
pub(crate) struct Memory {
    bus: u64,
    bytes: Rc<RefCell<Vec<u8>>>,
}

impl Memory {
    pub(crate) fn new(bus: u64, len: usize) -> Self {
        // Nothing may rely on zeroed memory.
        Self { bus, bytes: Rc::new(RefCell::new(vec![0xEE; len])) }
    }

    pub(crate) fn get(&self, offset: usize, len: usize) -> Vec<u8> {
        self.bytes.borrow()[offset..offset + len].to_vec()
    }

    pub(crate) fn put(&self, offset: usize, bytes: &[u8]) {
        self.bytes.borrow_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    /// Where a frame buffer is: they lie in the opposite order, which the card must not mind.
    fn place(&self, buffer: usize) -> Option<usize> {
        let behind = FrameMemory::count(self).checked_sub(buffer + 1)?;
        Some(behind * BUFFER_SIZE)
    }

    /// The offset of a bus address, if all of `len` bytes from it are inside.
    pub(crate) fn offset(&self, address: u64, len: usize) -> Option<usize> {
        let offset = usize::try_from(address.checked_sub(self.bus)?).ok()?;
        (offset.checked_add(len)? <= self.len()).then_some(offset)
    }
}

impl FrameMemory for Memory {
    fn count(&self) -> usize {
        self.len() / BUFFER_SIZE
    }
    fn bus_address(&self, buffer: usize) -> Option<u64> {
        Some(self.bus + self.place(buffer)? as u64)
    }
    fn write_bytes(&self, buffer: usize, offset: usize, bytes: &[u8]) -> bool {
        offset.checked_add(bytes.len()).is_some_and(|end| end <= BUFFER_SIZE)
            && self.place(buffer).is_some_and(|place| DmaMemory::write_bytes(self, place + offset, bytes))
    }
    fn write_parts<const N: usize>(&self, buffer: usize, head: &[u8; N], body: &[u8]) -> bool {
        FrameMemory::write_bytes(self, buffer, 0, &[head, body].concat())
    }
}

impl DmaMemory for Memory {
    type Frames = Self;
    fn bus_address(&self) -> u64 {
        self.bus
    }
    fn len(&self) -> usize {
        self.bytes.borrow().len()
    }
    fn read_u64(&self, offset: usize) -> Option<u64> {
        let bytes = self.bytes.borrow();
        Some(u64::from_le_bytes(bytes.get(offset..offset.checked_add(8)?)?.try_into().ok()?))
    }
    fn count_while<const STEP: usize>(
        &self,
        offset: usize,
        most: usize,
        mut wanted: impl FnMut(u64) -> bool,
    ) -> usize {
        let values = (0..most).map(|index| self.read_u64(offset + index * STEP));
        let values: Vec<_> = values.collect::<Option<_>>().unwrap_or_default();
        values.into_iter().take_while(|&value| wanted(value)).count()
    }
    fn write_pairs<T>(&self, offset: usize, items: &[T], pair: impl FnMut(&T) -> [u64; 2]) -> bool {
        let bytes: Vec<_> = items.iter().flat_map(pair).flat_map(u64::to_le_bytes).collect();
        DmaMemory::write_bytes(self, offset, &bytes)
    }
    fn write_bytes(&self, offset: usize, from: &[u8]) -> bool {
        let mut bytes = self.bytes.borrow_mut();
        let Some(to) = offset.checked_add(from.len()).and_then(|end| bytes.get_mut(offset..end)) else {
            return false;
        };
        to.copy_from_slice(from);
        true
    }
    fn read_bytes(&self, offset: usize, to: &mut [u8]) -> bool {
        let bytes = self.bytes.borrow();
        let Some(from) = offset.checked_add(to.len()).and_then(|end| bytes.get(offset..end)) else {
            return false;
        };
        to.copy_from_slice(from);
        true
    }
}
