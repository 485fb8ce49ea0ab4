//! Device registers as memory: ranges that the driver cannot touch, so that each access is a fault which the machine
//! turns into a call of the device.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::Machine;
use crate::memory::pages;

/// The other side of a range of device registers.
///
/// Called within the driver's access, in host context for all purposes: it may queue interrupts and callbacks; it must
/// not call the driver, wait, or touch driver memory other than through a DMA domain.
pub trait Mmio {
    /// Reads `size` bytes (1, 2, 4 or 8) at `offset`.
    fn read(&self, offset: u64, size: u8) -> u64;
    /// Writes the low `size` bytes (1, 2, 4 or 8) of `value` at `offset`.
    fn write(&self, offset: u64, size: u8, value: u64);
}

struct Region {
    pages: pages::Reservation,
    len: usize,
    handler: Rc<dyn Mmio>,
}

#[derive(Default)]
pub(super) struct Regions(RefCell<BTreeMap<usize, Region>>);

impl Regions {
    pub(super) fn clear(&self) {
        drop(self.0.take());
    }

    /// Whether the address lies in the pages of a region, past its end.
    pub(super) fn past_end(&self, address: usize) -> bool {
        let regions = self.0.borrow();
        let region = regions.range(..=address).next_back();
        region.is_some_and(|(_, region)| region.pages.range().contains(&address))
    }

    /// The region that holds `address`, and the offset in it.
    pub(super) fn find(&self, address: usize) -> Option<(Rc<dyn Mmio>, u64)> {
        let regions = self.0.borrow();
        let (&base, region) = regions.range(..=address).next_back()?;
        let offset = address - base;
        (offset < region.len).then(|| (Rc::clone(&region.handler), offset as u64))
    }
}

impl Machine {
    /// Maps `len` bytes of device registers; returns their virtual address, aligned to a page. An access past `len`
    /// is a fault.
    pub fn mmio_map(&self, len: usize, handler: Rc<dyn Mmio>) -> usize {
        let pages = pages::Reservation::new(len);
        let base = pages.base();
        self.mmio.0.borrow_mut().insert(base, Region { pages, len, handler });
        base
    }

    /// Unmaps what [`Self::mmio_map`] returned; false if it is no such address. Later accesses are faults.
    pub fn mmio_unmap(&self, va: usize) -> bool {
        let region = self.mmio.0.borrow_mut().remove(&va);
        // The addresses stay reserved so that nothing else appears under a stale pointer.
        region.map(|region| region.pages.leak()).is_some()
    }
}
