//! Memory that a device reaches by bus address.
//!
//! Each adapter has a [`Domain`]. Bus addresses are not virtual addresses, and a device may touch what is mapped in its
//! domain and nothing else, as behind an IOMMU. A device in another process reaches memory without asking the domain:
//! [`Domain::shared`] takes its memory from what both see.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::AsFd as _;
use std::rc::Rc;

use super::pages::{Access, PAGE, Reservation, round_up};
use super::shared::SharedMemory;

/// First bus address handed out: below 4 GiB for devices that reach no further, and unlike any virtual address.
const FIRST: u64 = 0x1000_0000;

/// The same for devices that reach all of memory, which get none below 4 GiB.
const FIRST_WIDE: u64 = 0x1_4000_0000;

/// A buffer that driver and device share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaBuffer {
    /// Where the driver sees it; aligned to a page.
    pub virtual_address: *mut u8,
    /// Where the device sees it; aligned to a page.
    pub bus_address: u64,
    /// Its length in bytes.
    pub len: usize,
}

/// The device touched what is not mapped for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaFault {
    /// First bus address of the access.
    pub bus: u64,
    /// Length of the access.
    pub len: usize,
    /// Whether the device wanted to write.
    pub write: bool,
}

impl fmt::Display for DmaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.write { "writes" } else { "reads" };
        write!(f, "the device {verb} {} bytes at bus address {:#x}, which is not mapped", self.len, self.bus)
    }
}

impl std::error::Error for DmaFault {}

struct Mapping {
    len: usize,
    pointer: *mut u8,
    /// Memory of the domain's own; none for mapped memory of others.
    owned: Option<Reservation>,
}

/// The memory that one device may touch.
pub struct Domain {
    next: Cell<u64>,
    next_wide: Cell<u64>,
    /// The device reaches all of memory.
    wide: Cell<bool>,
    mappings: RefCell<BTreeMap<u64, Mapping>>,
    blocked: Cell<bool>,
    shared: Option<Rc<SharedMemory>>,
}

impl Default for Domain {
    fn default() -> Self {
        Self {
            next: Cell::new(FIRST),
            next_wide: Cell::new(FIRST_WIDE),
            wide: Cell::new(false),
            mappings: RefCell::default(),
            blocked: Cell::new(false),
            shared: None,
        }
    }
}

impl Domain {
    /// An empty domain.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty domain whose buffers lie in `memory`, each at the offset that is its bus address.
    pub fn shared(memory: Rc<SharedMemory>) -> Self {
        Self { shared: Some(memory), ..Self::default() }
    }

    /// Whether the device reaches all of memory, as its driver says: what it gets from here on lies above 4 GiB. A device in
    /// another process sees what there is of shared memory.
    pub fn reaches_all(&self, wide: bool) {
        self.wide.set(wide && self.shared.is_none());
    }

    fn place(&self, len: usize) -> u64 {
        let next = if self.wide.get() { &self.next_wide } else { &self.next };
        let bus = next.get();
        // A gap behind each mapping: running past a buffer never lands in the next one.
        next.set(bus + round_up(len.max(1)) as u64 + PAGE as u64);
        bus
    }

    /// Allocates `len` zeroed bytes visible to driver and device. `cached` is part of the contract with the driver
    /// only: this machine's caches are coherent.
    ///
    /// # Panics
    /// If shared memory is used up; bus addresses are not used twice.
    pub fn allocate(&self, len: usize, _cached: bool) -> DmaBuffer {
        let pages = Reservation::new(len);
        let (bus, pointer) = (self.place(len), pages.pointer(0));
        if let Some(memory) = &self.shared {
            assert!(self.next.get() <= memory.len(), "shared memory is used up");
            pages.share(0, len.max(1), memory.as_fd(), bus);
        } else {
            pages.protect(0, len.max(1), Access::ReadWrite);
        }
        self.mappings.borrow_mut().insert(bus, Mapping { len, pointer, owned: Some(pages) });
        DmaBuffer { virtual_address: pointer, bus_address: bus, len }
    }

    /// Frees what [`Self::allocate`] returned, given exactly as it was returned; false otherwise. Neither driver nor
    /// device can touch it afterwards.
    pub fn free(&self, buffer: DmaBuffer) -> bool {
        let mut mappings = self.mappings.borrow_mut();
        let exact = mappings.get(&buffer.bus_address).is_some_and(|mapping| {
            mapping.owned.is_some() && mapping.pointer == buffer.virtual_address && mapping.len == buffer.len
        });
        if !exact {
            return false;
        }
        if let Some(pages) = mappings.remove(&buffer.bus_address).and_then(|mapping| mapping.owned) {
            pages.leak();
            if let Some(memory) = &self.shared {
                // Only costs memory if it fails, and a file without a name can always be punched.
                let _ = memory.discard(buffer.bus_address, round_up(buffer.len.max(1)) as u64);
            }
        }
        true
    }

    /// Maps `len` bytes of other memory at `pointer` for the device, until [`Self::unmap`]; returns the bus address,
    /// which has the pointer's offset in its page.
    ///
    /// # Panics
    /// In a [`Self::shared`] domain: the other process does not see the memory.
    ///
    /// # Safety
    /// The bytes must be readable, and writable if the device may write them, until they are unmapped.
    pub unsafe fn map(&self, pointer: *mut u8, len: usize) -> u64 {
        assert!(self.shared.is_none(), "a device in another process reaches shared memory only");
        let offset = pointer.addr() % PAGE;
        let bus = self.place(offset + len) + offset as u64;
        self.mappings.borrow_mut().insert(bus, Mapping { len, pointer, owned: None });
        bus
    }

    /// Ends a mapping made by [`Self::map`].
    pub fn unmap(&self, bus: u64) -> bool {
        let mut mappings = self.mappings.borrow_mut();
        let mapped = mappings.get(&bus).is_some_and(|mapping| mapping.owned.is_none());
        mapped && mappings.remove(&bus).is_some()
    }

    /// Where the device sees what the driver sees at this address, if the two share it.
    pub fn bus_address(&self, virtual_address: usize) -> Option<u64> {
        let mappings = self.mappings.borrow();
        mappings.iter().find_map(|(bus, mapping)| {
            let offset = virtual_address.checked_sub(mapping.pointer.addr())?;
            (offset < mapping.len).then(|| bus + offset as u64)
        })
    }

    /// Cuts the device off (surprise removal, bus mastering disabled) or lets it on again.
    pub fn block(&self, blocked: bool) {
        self.blocked.set(blocked);
    }

    fn find(&self, bus: u64, len: usize, write: bool) -> Result<*mut u8, DmaFault> {
        let fault = DmaFault { bus, len, write };
        if self.blocked.get() {
            return Err(fault);
        }
        let mappings = self.mappings.borrow();
        let (&start, mapping) = mappings.range(..=bus).next_back().ok_or(fault)?;
        let offset = usize::try_from(bus - start).map_err(|_| fault)?;
        let inside = offset.checked_add(len).is_some_and(|end| end <= mapping.len);
        if inside { Ok(mapping.pointer.wrapping_add(offset)) } else { Err(fault) }
    }

    /// The device reads.
    pub fn read(&self, bus: u64, buffer: &mut [u8]) -> Result<(), DmaFault> {
        let source = self.find(bus, buffer.len(), false)?;
        // SAFETY: `find` checked that the whole range is mapped; the driver's threads do not run meanwhile.
        unsafe { std::ptr::copy_nonoverlapping(source, buffer.as_mut_ptr(), buffer.len()) };
        Ok(())
    }

    /// The device writes.
    pub fn write(&self, bus: u64, bytes: &[u8]) -> Result<(), DmaFault> {
        let target = self.find(bus, bytes.len(), true)?;
        // SAFETY: `find` checked that the whole range is mapped; the driver's threads do not run meanwhile.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
        Ok(())
    }

    /// The buffers allocated and not freed.
    pub fn allocated(&self) -> Vec<DmaBuffer> {
        let mappings = self.mappings.borrow();
        let owned = mappings.iter().filter(|(_, mapping)| mapping.owned.is_some());
        owned
            .map(|(&bus, mapping)| DmaBuffer {
                virtual_address: mapping.pointer,
                bus_address: bus,
                len: mapping.len,
            })
            .collect()
    }
}
