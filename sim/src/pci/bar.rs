//! A base address register.

/// What a base address register decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    /// 32-bit memory, not prefetchable.
    Memory32,
    /// I/O ports.
    Io,
}

/// One implemented base address register of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Register index, 0 to 5.
    pub index: usize,
    /// Bytes decoded; a power of two.
    pub len: u64,
    /// Memory or I/O.
    pub kind: BarKind,
}
