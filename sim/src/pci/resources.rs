//! What the PCI bus driver assigns to a function at start, as `NdisMAllocateXxx`/`MiniportInitializeEx` get it.

use super::BarKind;

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
