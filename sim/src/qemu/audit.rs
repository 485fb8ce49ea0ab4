//! Whether what the card is given is memory mapped for it. QEMU would read and write any address: the descriptors are
//! looked at before it sees them, and pages it has touched that nothing is mapped at are looked for afterwards.

use super::{
    card::Card,
    messages,
    registers::{RDBAH, RDBAL, TDBAH, TDBAL, TDLEN},
};
use crate::{memory::pages::PAGE, pci::Platform};

/// Longest buffer that one transmit descriptor can name.
const LONGEST: usize = 1 << 20;
const DEXT: u8 = 1 << 5;

impl Card {
    /// The transmit descriptors from `first` up to, not including, `end`, and their buffers can be read.
    pub(super) fn audit_transmit(&self, p: &dyn Platform, first: u32, end: u32) -> bool {
        let count = (self.shadow.get(TDLEN) / 16).max(1);
        let base = self.shadow.address(TDBAL, TDBAH);
        let mut index = first % count;
        // A tail outside of the ring is never reached.
        for _ in 0..count {
            if index == end {
                break;
            }
            if !Self::transmit_descriptor_is_good(p, base + 16 * u64::from(index), index) {
                return false;
            }
            index = if index + 1 >= count { 0 } else { index + 1 };
        }
        true
    }

    fn transmit_descriptor_is_good(p: &dyn Platform, at: u64, index: u32) -> bool {
        let mut desc = [0; 16];
        if !p.dma_read(at, &mut desc) {
            p.finding("NIC.Dma", format!("transmit descriptor {index} at bus address {at:#x} is not mapped"));
            return false;
        }
        let extended = desc[11] & DEXT != 0;
        if extended && desc[10] & 0xf0 == 0 {
            // A context descriptor has no buffer.
            return true;
        }
        let high = if extended { usize::from(desc[10] & 0xf) << 16 } else { 0 };
        let len = usize::from(u16::from_le_bytes([desc[8], desc[9]])) | high;
        let buffer = u64::from_le_bytes(desc[..8].try_into().unwrap_or_default());
        let good = len == 0 || buffer == 0 || is_mapped(p, buffer, len);
        if !good {
            p.finding("NIC.Dma", format!("transmit buffer {buffer:#x}+{len} is not mapped"));
        }
        good
    }

    /// Receive descriptor `index` can be written, and so can the buffer it names.
    pub(super) fn audit_receive(&self, p: &dyn Platform, index: u32) -> bool {
        let at = self.shadow.address(RDBAL, RDBAH) + 16 * u64::from(index);
        let mut desc = [0; 16];
        if !p.dma_read(at, &mut desc) {
            p.finding("NIC.Dma", format!("receive descriptor {index} at bus address {at:#x} is not mapped"));
            return false;
        }
        let buffer = u64::from_le_bytes(desc[..8].try_into().unwrap_or_default());
        let len = self.shadow.buffer_size();
        let good = is_mapped(p, buffer, len);
        if !good {
            p.finding("NIC.Dma", format!("receive buffer {buffer:#x}+{len} is not mapped"));
        }
        good
    }

    /// Looks for pages that were touched and are not mapped.
    pub(super) fn audit_memory(&self, p: &dyn Platform) {
        // Without bus mastering nothing counts as mapped.
        if !self.shadow.masters() {
            return;
        }
        for range in self.memory.touched() {
            for page in range.step_by(PAGE).filter(|page| *page != messages::PLACE) {
                if !is_mapped(p, page, 1) {
                    p.finding("QEMU.StrayDma", format!("the card touched the page at {page:#x}"));
                    let _ = self.memory.discard(page, PAGE as u64);
                }
            }
        }
    }
}

fn is_mapped(p: &dyn Platform, bus: u64, len: usize) -> bool {
    p.dma_read(bus, &mut vec![0; len.min(LONGEST)])
}
