//! Memory of NDIS or of a client which the driver may touch while it has been lent to it.
//!
//! Each block is a pool block of its own, so it ends at a guard page, and becomes inaccessible when it is dropped:
//! a driver that keeps a pointer to it faults.

use super::finding;
use super::raw;
use crate::machine::Machine;

/// Tag of NDIS's own pool blocks.
pub(crate) const TAG: u32 = u32::from_le_bytes(*b"NDsm");
/// What an out parameter holds before the driver writes it.
const POISON: usize = 0x5EED_0BAD_5EED_0BAD;

/// One block; see the module.
#[derive(Debug)]
pub(crate) struct Block {
    address: usize,
    len: usize,
    what: &'static str,
}

impl Block {
    /// Zeroed memory.
    pub(crate) fn zeroed(what: &'static str, len: usize) -> Self {
        let address = Machine::current().pool().allocate(len, TAG, true, what.to_owned()) as usize;
        Self { address, len, what }
    }

    /// Memory with the given content.
    pub(crate) fn new(what: &'static str, bytes: &[u8]) -> Self {
        let block = Self::zeroed(what, bytes.len());
        raw::store(block.address, bytes);
        block
    }

    /// Memory for a value.
    pub(crate) fn of<T: Copy>(what: &'static str, value: T) -> Self {
        let block = Self::zeroed(what, size_of::<T>());
        raw::write(block.address as *mut T, value);
        block
    }

    /// A pointer-sized out parameter that the driver has to write; see [`Self::pointer`].
    pub(crate) fn poisoned(what: &'static str) -> Self {
        Self::of(what, POISON)
    }

    /// What the driver wrote to a block made by [`Self::poisoned`], if it did.
    pub(crate) fn pointer(&self) -> Option<usize> {
        Some(raw::read(self.address as *const usize)).filter(|&value| value != POISON)
    }

    pub(crate) fn address(&self) -> usize {
        self.address
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// A copy of the content.
    pub(crate) fn read(&self) -> Vec<u8> {
        raw::bytes(self.address, self.len)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let Some(machine) = Machine::try_current() else { return };
        let site = format!("NDIS, owner of {}", self.what);
        if let Err(error) = machine.pool().free(self.address as *mut u8, Some(TAG), site) {
            finding("BC.C1.0x24", None, format!("{} of NDIS: {error:?}", self.what));
        }
    }
}
