//! `NDIS_RESOURCE_LIST`: the translated resources of a card.

use crate::pci::{BarKind, Slot};

/// `CmResourceTypePort`, `CmResourceTypeInterrupt`, `CmResourceTypeMemory`.
const PORT: u8 = 1;
const INTERRUPT: u8 = 2;
const MEMORY: u8 = 3;
/// `CmResourceShareDeviceExclusive` and `CmResourceShareShared`.
const EXCLUSIVE: u8 = 1;
const SHARED: u8 = 3;
/// `CM_RESOURCE_INTERRUPT_LATCHED | CM_RESOURCE_INTERRUPT_MESSAGE`.
const MESSAGE: u16 = 1 | 2;

/// One `CM_PARTIAL_RESOURCE_DESCRIPTOR`, 20 bytes.
fn descriptor(kind: u8, share: u8, flags: u16, data: [u32; 4]) -> Vec<u8> {
    let mut bytes = vec![kind, share];
    bytes.extend(flags.to_le_bytes());
    bytes.extend(data.into_iter().flat_map(u32::to_le_bytes));
    bytes
}

/// The list as bytes: version and revision 1, the count, the descriptors. With `messages` a card that has
/// message interrupts is given these instead of its line.
pub(super) fn list(slot: &Slot, messages: bool) -> Vec<u8> {
    let resources = slot.resources();
    let low = |value: u64| (value & 0xFFFF_FFFF) as u32;
    let mut descriptors = Vec::new();
    for bar in &resources.bars {
        let (kind, flags) = if bar.kind == BarKind::Io { (PORT, 1) } else { (MEMORY, 0) };
        let data = [low(bar.physical), low(bar.physical >> 32), low(bar.len), 0];
        descriptors.push(descriptor(kind, EXCLUSIVE, flags, data));
    }
    if messages && !resources.messages.is_empty() {
        for message in &resources.messages {
            let data = [u32::from(message.irql), message.vector, 1, 0];
            descriptors.push(descriptor(INTERRUPT, EXCLUSIVE, MESSAGE, data));
        }
    } else if let Some(line) = &resources.line {
        descriptors.push(descriptor(INTERRUPT, SHARED, 0, [u32::from(line.irql), line.vector, 1, 0]));
    }
    let mut bytes = vec![1, 0, 1, 0];
    bytes.extend(u32::try_from(descriptors.len()).expect("a few").to_le_bytes());
    bytes.extend(descriptors.into_iter().flatten());
    bytes
}
