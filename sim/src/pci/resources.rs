//! What the PCI bus driver assigns to a function at start, as `NdisMAllocateXxx`/`MiniportInitializeEx` get it.

use super::{Bar, BarKind};

/// First physical address of the memory windows.
const MEMORY: u64 = 0xf000_0000;
/// First port of the I/O windows.
const IO: u64 = 0xc000;

/// The translated resources of one started function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Memory and I/O windows in ascending order of register index.
    pub bars: Vec<BarResource>,
    /// The `INTx` line; every function here has one.
    pub line: Option<Line>,
    /// MSI-X messages, one a table entry; empty when the function has no MSI-X capability.
    pub messages: Vec<Message>,
}

/// One window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarResource {
    /// Base address register index, 0 to 5.
    pub index: usize,
    /// Physical address (memory) or port number (I/O).
    pub physical: u64,
    /// Length in bytes.
    pub len: u64,
    /// Memory or I/O.
    pub kind: BarKind,
}

/// A level-triggered, shareable interrupt line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// System interrupt vector.
    pub vector: u32,
    /// Device IRQL the line is serviced at.
    pub irql: u8,
}

/// A latched message interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// System interrupt vector; also the low byte of the message data.
    pub vector: u32,
    /// Device IRQL the message is serviced at.
    pub irql: u8,
    /// Address the function writes the message to.
    pub address: u64,
    /// Data the function writes.
    pub data: u32,
}

/// Bytes of all I/O windows.
pub(super) fn ports(bars: &[Bar]) -> u64 {
    bars.iter().filter(|bar| bar.kind == BarKind::Io).map(|bar| bar.len).sum()
}

/// Gives each window its place, aligned to its length; so many ports are other functions'.
pub(super) fn assign(bars: &[Bar], others: u64) -> Vec<BarResource> {
    let (mut memory, mut io) = (MEMORY, IO + others);
    let place = |bar: &Bar| {
        let next = if bar.kind == BarKind::Io { &mut io } else { &mut memory };
        let physical = next.next_multiple_of(bar.len);
        *next = physical + bar.len;
        BarResource { index: bar.index, physical, len: bar.len, kind: bar.kind }
    };
    bars.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_aligned_and_apart() {
        let bars = [(0, 0x4000), (1, 0x2_0000), (3, 0x100)];
        let bars = bars.map(|(index, len)| Bar { index, len, kind: BarKind::Memory32 });
        let placed = assign(&bars, 0);
        assert!(placed.iter().all(|window| window.physical.is_multiple_of(window.len)));
        assert!(placed.windows(2).all(|pair| pair[0].physical + pair[0].len <= pair[1].physical));
    }
}
