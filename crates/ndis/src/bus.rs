//! PCI configuration space of the adapter.

use ndis_sys::{NdisMGetBusData, NdisMSetBusData};

use crate::miniport::AdapterHandle;

/// `PCI_WHICHSPACE_CONFIG`.
const CONFIGURATION_SPACE: u32 = 0;

impl AdapterHandle {
    /// `NdisMGetBusData`: reads PCI configuration space at `offset`; false if fewer bytes came than asked for.
    /// Callable at any IRQL.
    pub fn read_bus_data(&self, offset: u32, bytes: &mut [u8]) -> bool {
        let Ok(length) = u32::try_from(bytes.len()) else { return false };
        // SAFETY: NDIS writes at most `length` bytes to the buffer.
        let read = unsafe {
            NdisMGetBusData(self.0, CONFIGURATION_SPACE, offset, bytes.as_mut_ptr().cast(), length)
        };
        read == length
    }

    /// `NdisMSetBusData`: writes PCI configuration space at `offset`; false if fewer bytes were written than asked for.
    /// Callable at any IRQL.
    pub fn write_bus_data(&self, offset: u32, bytes: &[u8]) -> bool {
        let Ok(length) = u32::try_from(bytes.len()) else { return false };
        let buffer = bytes.as_ptr().cast_mut().cast();
        // SAFETY: NDIS reads `length` bytes of the buffer and writes none.
        let written = unsafe { NdisMSetBusData(self.0, CONFIGURATION_SPACE, offset, buffer, length) };
        written == length
    }
}
