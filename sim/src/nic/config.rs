//! Configuration space of each model as it is after power-on.

use super::{Board, Model};
use crate::pci::{Bar, BarKind, ConfigSpace, offset};

/// Offset of the MSI-X capability of the 82574L.
pub(super) const MSIX: u16 = 0xa0;
/// Offset of the power management control/status register of the 82574L.
pub(super) const PMCSR: u16 = 0xcc;
/// Offset of Link Control of the 82574L, and its bits that switch ASPM on.
pub(super) const LINK_CONTROL: u16 = 0xf0;
pub(super) const ASPM: u8 = 3;
/// MSI-X messages of the 82574L.
pub(super) const VECTORS: usize = 5;
/// Memory window that holds the MSI-X table; the pending bits follow at [`PENDING`].
pub(super) const MSIX_BAR: usize = 3;
/// Offset of the pending bit array in that window.
pub(super) const PENDING: u64 = 0x2000;

/// The windows of a model.
pub(super) fn bars(model: Model) -> Vec<Bar> {
    let bar = |index, len, kind| Bar { index, len, kind };
    let registers = bar(0, 0x2_0000, BarKind::Memory32);
    if model.is_82574() {
        vec![
            registers,
            bar(1, 0x2_0000, BarKind::Memory32),
            bar(2, 0x20, BarKind::Io),
            bar(MSIX_BAR, 0x4000, BarKind::Memory32),
        ]
    } else {
        vec![registers, bar(1, 0x40, BarKind::Io)]
    }
}

/// The header and capabilities of a model.
pub(super) fn space(model: Model, board: Board) -> ConfigSpace {
    let express = model.is_82574();
    let mut space = ConfigSpace::new(express);
    space.define(offset::VENDOR_ID, 4, u32::from(model.device_id()) << 16 | 0x8086, 0);
    // I/O, memory, bus master, parity, SERR#, INTx disable.
    space.define(offset::COMMAND, 2, 0, 0x0547);
    space.define(offset::STATUS, 2, if express { 0x0010 } else { 0x0220 }, 0);
    // Ethernet controller.
    space.define(offset::REVISION, 4, 0x0200_0000 | if express { 0 } else { 2 }, 0);
    // Cache line size and latency timer.
    space.define(0x0c, 2, 0, 0xffff);
    for bar in bars(model) {
        let at = offset::BAR0 + 4 * u16::try_from(bar.index).unwrap_or(0);
        let kind = u32::from(bar.kind == BarKind::Io);
        space.define(at, 4, kind, !(u32::try_from(bar.len).unwrap_or(0) - 1));
    }
    space.define(offset::SUBSYSTEM, 4, u32::from(model.subsystem()) << 16 | 0x8086, 0);
    // Line is scratch, pin INTA#, minimum grant and maximum latency.
    space.define(offset::INTERRUPT, 4, if express { 0x0000_0100 } else { 0x00ff_0100 }, 0xff);
    if express {
        capabilities(&mut space, board);
    }
    space
}

fn capabilities(space: &mut ConfigSpace, board: Board) {
    space.define(offset::CAPABILITIES, 1, 0xc8, 0);
    // Power management 1.1, next MSI: PMC, then PMCSR with a writable power state and PME enable.
    space.define(0xc8, 4, 0xc822_d001, 0);
    space.define(PMCSR, 4, 0x0000_2000, 0x0000_0103);
    // MSI, 64-bit address, one message, next PCI Express.
    space.define(0xd0, 4, 0x0080_e005, 0x0001_0000);
    space.define(0xd4, 4, 0, 0xffff_fffc);
    space.define(0xd8, 4, 0, 0xffff_ffff);
    space.define(0xdc, 2, 0, 0xffff);
    // PCI Express endpoint, version 1, next MSI-X; device control and link control are writable.
    space.define(0xe0, 4, 0x0001_a010, 0);
    space.define(0xe4, 4, 0x0000_8cc1, 0);
    space.define(0xe8, 2, 0x2810, 0x7fff);
    space.define(0xec, 4, 0x0003_1c11, 0);
    space.define(LINK_CONTROL, 2, u32::from(board.aspm & ASPM), 0x01fb);
    space.define(0xf2, 2, 0x1011, 0);
    // MSI-X: enable and function mask are writable; table and pending bits in window 3.
    let table_size = u32::try_from(VECTORS - 1).unwrap_or(0) << 16;
    space.define(MSIX, 4, table_size | 0x0011, 0xc000_0000);
    space.define(MSIX + 4, 4, u32::try_from(MSIX_BAR).unwrap_or(0), 0);
    space.define(MSIX + 8, 4, 0x2000 | u32::try_from(MSIX_BAR).unwrap_or(0), 0);
    // Extended: advanced error reporting, then the device serial number.
    space.define(0x100, 4, 0x1401_0001, 0);
    space.define(0x140, 4, 0x0001_0003, 0);
}
