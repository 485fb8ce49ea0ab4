//! Shared memory in a vector. Clones share the bytes, so that driver and card each hold one.

use std::cell::RefCell;
use std::rc::Rc;

use e1000::DmaMemory;

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

    /// The offset of a bus address, if all of `len` bytes from it are inside.
    pub(crate) fn offset(&self, address: u64, len: usize) -> Option<usize> {
        let offset = usize::try_from(address.checked_sub(self.bus)?).ok()?;
        (offset.checked_add(len)? <= self.len()).then_some(offset)
    }
}

impl DmaMemory for Memory {
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
        self.write_bytes(offset, &bytes)
    }
    fn write_parts<const N: usize, const ROOM: usize>(
        &self,
        room: usize,
        head: &[u8; N],
        body: &[u8],
    ) -> bool {
        N + body.len() <= ROOM
            && room < self.len() / ROOM
            && self.write_bytes(room * ROOM, &[head, body].concat())
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
