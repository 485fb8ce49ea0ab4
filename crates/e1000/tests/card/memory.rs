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
    fn read_u32(&self, offset: usize) -> Option<u32> {
        let bytes = self.bytes.borrow();
        Some(u32::from_le_bytes(bytes.get(offset..offset.checked_add(4)?)?.try_into().ok()?))
    }
    fn write_u32(&self, offset: usize, value: u32) -> bool {
        self.write_bytes(offset, &value.to_le_bytes())
    }
    fn write_pair(&self, offset: usize, [first, second]: [u64; 2]) -> bool {
        self.write_bytes(offset, &[first.to_le_bytes(), second.to_le_bytes()].concat())
    }
    fn write_parts<const N: usize, const ROOM: usize>(
        &self,
        offset: usize,
        head: &[u8; N],
        body: &[u8],
    ) -> bool {
        N + body.len() <= ROOM
            && offset + ROOM <= self.len()
            && self.write_bytes(offset, &[head, body].concat())
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
