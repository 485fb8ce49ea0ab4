//! The power saving of a PCI Express link (ASPM), which the 82574 does not bear: with L0s or L1 its transmitter hangs.

use ndis::{AdapterHandle, Result, Status};

/// Configuration space (PCI Local Bus Specification 3.0, 6.1 and 6.7): status register, with its bit that there are
/// capabilities, and where their list begins.
const STATUS: u32 = 0x06;
const HAS_CAPABILITIES: u8 = 1 << 4;
const CAPABILITIES: u32 = 0x34;
/// The capability of PCI Express, and in it Link Control with the bits of ASPM (PCI Express Base Specification 7.8.7).
const PCI_EXPRESS: u8 = 0x10;
const LINK_CONTROL: u32 = 0x10;
const ASPM: u8 = 3;
/// Capabilities that fit behind the header.
const MOST_CAPABILITIES: u32 = 48;

/// Link Control of a card: where its low byte is, and what is in it but for ASPM.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkPower {
    offset: u32,
    without_saving: u8,
}

impl LinkPower {
    /// Finds the register; `None` if the card has no such link.
    pub(super) fn find(handle: &AdapterHandle) -> Result<Option<Self>> {
        if read(handle, STATUS)? & HAS_CAPABILITIES == 0 {
            return Ok(None);
        }
        let mut at = read(handle, CAPABILITIES)?;
        for _ in 0..MOST_CAPABILITIES {
            // The low bits are reserved.
            let capability = u32::from(at & !3);
            if capability == 0 {
                break;
            }
            if read(handle, capability)? == PCI_EXPRESS {
                let offset = capability.wrapping_add(LINK_CONTROL);
                return Ok(Some(Self { offset, without_saving: read(handle, offset)? & !ASPM }));
            }
            at = read(handle, capability.wrapping_add(1))?;
        }
        Ok(None)
    }

    /// Switches ASPM off. The bus switches it on again with the card's power.
    pub(super) fn stop_saving(self, handle: &AdapterHandle) -> Result<()> {
        let written = handle.write_bus_data(self.offset, &[self.without_saving]);
        if written { Ok(()) } else { Err(Status::FAILURE) }
    }
}

fn read(handle: &AdapterHandle, offset: u32) -> Result<u8> {
    let mut byte = [0];
    if handle.read_bus_data(offset, &mut byte) { Ok(byte[0]) } else { Err(Status::ADAPTER_NOT_FOUND) }
}
