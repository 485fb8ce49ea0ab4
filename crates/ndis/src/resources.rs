//! The hardware resources that the bus assigned: a checked walk over `NDIS_RESOURCE_LIST`.

use core::fmt;
use core::slice;

use ndis_sys::NDIS_RESOURCE_LIST;
use wdk_sys::CM_PARTIAL_RESOURCE_DESCRIPTOR;

/// `CmResourceTypePort`.
const TYPE_PORT: u8 = 1;
/// `CmResourceTypeInterrupt`.
const TYPE_INTERRUPT: u8 = 2;
/// `CmResourceTypeMemory`.
const TYPE_MEMORY: u8 = 3;
/// `CM_RESOURCE_INTERRUPT_MESSAGE`.
const INTERRUPT_MESSAGE: u16 = 2;

/// One resource that a network card uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A memory window; translated physical address and length in bytes.
    Memory {
        /// Physical address.
        start: u64,
        /// Bytes.
        length: u32,
    },
    /// A range of I/O ports.
    Port {
        /// The first port.
        start: u64,
        /// How many there are.
        length: u32,
    },
    /// A line-based interrupt.
    Line,
    /// A message-signalled interrupt.
    Message,
    /// Anything else.
    Other(u8),
}

/// The resources in the order in which the bus lists them: memory windows in the order of their BARs.
#[derive(Clone)]
pub struct Resources<'a> {
    descriptors: slice::Iter<'a, CM_PARTIAL_RESOURCE_DESCRIPTOR>,
}

impl<'a> Resources<'a> {
    pub(crate) fn new(list: Option<&'a NDIS_RESOURCE_LIST>) -> Self {
        let descriptors = list.map_or(&[][..], |list| {
            // SAFETY: the list is followed by as many descriptors as its Count says (CM_PARTIAL_RESOURCE_LIST).
            unsafe { slice::from_raw_parts(list.PartialDescriptors.as_ptr(), list.Count as usize) }
        });
        Self { descriptors: descriptors.iter() }
    }
}

impl Iterator for Resources<'_> {
    type Item = Resource;

    fn next(&mut self) -> Option<Resource> {
        let descriptor = self.descriptors.next()?;
        Some(match descriptor.Type {
            TYPE_MEMORY => {
                // SAFETY: the type says which member of the union holds.
                let memory = unsafe { descriptor.u.Memory };
                // SAFETY: every bit pattern of the union is a valid 64-bit number.
                #[expect(clippy::cast_sign_loss, reason = "PHYSICAL_ADDRESS is declared signed")]
                let start = unsafe { memory.Start.QuadPart } as u64;
                Resource::Memory { start, length: memory.Length }
            }
            TYPE_PORT => {
                // SAFETY: the type says which member of the union holds.
                let port = unsafe { descriptor.u.Port };
                // SAFETY: every bit pattern of the union is a valid 64-bit number.
                #[expect(clippy::cast_sign_loss, reason = "PHYSICAL_ADDRESS is declared signed")]
                let start = unsafe { port.Start.QuadPart } as u64;
                Resource::Port { start, length: port.Length }
            }
            TYPE_INTERRUPT if descriptor.Flags & INTERRUPT_MESSAGE != 0 => Resource::Message,
            TYPE_INTERRUPT => Resource::Line,
            other => Resource::Other(other),
        })
    }
}

impl fmt::Debug for Resources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
