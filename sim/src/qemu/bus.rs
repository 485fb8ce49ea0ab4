//! QEMU's PCI bus: the host bridge, the root port, and the card behind it.

use super::{process::StartError, qtest::Qtest};
use crate::{
    nic::Model,
    pci::{Bar, BarKind, command, offset},
};

/// Where configuration space appears in memory, once [`enable`] has said so (`PCIEXBAR` of the host bridge).
const ECAM: u64 = 0xb000_0000;
const PCIEXBAR: u32 = 0x60;
/// Configuration mechanism 1, which works from the start.
const CONFIG_ADDRESS: u16 = 0xcf8;
const CONFIG_DATA: u16 = 0xcfc;
/// Window of the root port: the card's memory windows lie in it.
const WINDOW: u64 = 0xf000_0000;
const WINDOW_LEN: u64 = 1 << 20;

/// Registers of a bridge.
const BUS_NUMBERS: u16 = 0x18;
const MEMORY_WINDOW: u16 = 0x20;
const PREFETCHABLE_WINDOW: u16 = 0x24;
const BRIDGE_CONTROL: u16 = 0x3e;
const SECONDARY_BUS_RESET: u64 = 1 << 6;

/// A function's place: bus and device.
#[derive(Clone, Copy)]
pub(super) struct Function(u8, u8);

/// The root port, as it is put into the machine.
pub(super) const ROOT_PORT: Function = Function(0, 4);
/// The one device that a root port's bus has.
pub(super) const CARD: Function = Function(1, 0);

/// Where `register` of `function` is.
fn address(function: Function, register: u16) -> u64 {
    ECAM | u64::from(function.0) << 20 | u64::from(function.1) << 15 | u64::from(register)
}

/// Reads configuration space.
pub(super) fn read(qtest: &mut Qtest, function: Function, register: u16, size: u8) -> u32 {
    u32::try_from(qtest.read(address(function, register), size) & 0xffff_ffff).unwrap_or(u32::MAX)
}

/// Writes configuration space.
pub(super) fn write(qtest: &mut Qtest, function: Function, register: u16, size: u8, value: u32) {
    qtest.write(address(function, register), size, value.into());
}

/// Makes configuration space accessible and opens the root port.
pub(super) fn enable(qtest: &mut Qtest) {
    qtest.out(CONFIG_ADDRESS, 1 << 31 | PCIEXBAR);
    qtest.out(CONFIG_DATA, u32::try_from(ECAM).unwrap_or(0) | 1);
    write(qtest, ROOT_PORT, BUS_NUMBERS, 4, 0x0001_0100);
    let (first, last) = (WINDOW >> 16 & 0xfff0, (WINDOW + WINDOW_LEN - 1) >> 16 & 0xfff0);
    write(qtest, ROOT_PORT, MEMORY_WINDOW, 4, u32::try_from(last << 16 | first).unwrap_or(0));
    // Base above limit: closed.
    write(qtest, ROOT_PORT, PREFETCHABLE_WINDOW, 4, 0x0000_fff0);
    write(qtest, ROOT_PORT, offset::COMMAND, 2, u32::from(command::MEMORY | command::BUS_MASTER));
}

/// Makes sure that the card is there, and finds its windows.
pub(super) fn enumerate(qtest: &mut Qtest, model: Model) -> Result<Vec<Bar>, StartError> {
    let id = read(qtest, CARD, offset::VENDOR_ID, 4);
    let expected = u32::from(model.device_id()) << 16 | 0x8086;
    if id != expected {
        let reason = qtest.failure().map_or_else(String::new, |failure| format!(" ({failure})"));
        let text = format!("the card's id is {id:#010x}, not {expected:#010x}{reason}");
        return Err(StartError::Refused(text));
    }
    Ok((0..6).filter_map(|index| window(qtest, index)).collect())
}

/// Register of window `index`.
fn window_register(index: usize) -> u16 {
    offset::BAR0 + 4 * u16::try_from(index).unwrap_or(0)
}

/// Sizes window `index` by the bits that stay zero.
fn window(qtest: &mut Qtest, index: usize) -> Option<Bar> {
    let register = window_register(index);
    write(qtest, CARD, register, 4, u32::MAX);
    let mask = read(qtest, CARD, register, 4);
    write(qtest, CARD, register, 4, 0);
    let (kind, fixed) = if mask & 1 == 0 { (BarKind::Memory32, 0xf) } else { (BarKind::Io, 3) };
    let len = u64::from(!(mask & !fixed)) + 1;
    (mask != 0).then_some(Bar { index, len, kind })
}

/// Gives each memory window its place in the root port's; places by register index.
pub(super) fn assign(qtest: &mut Qtest, bars: &[Bar]) -> [u64; 6] {
    let (mut places, mut next) = ([0; 6], WINDOW);
    for bar in bars.iter().filter(|bar| bar.kind == BarKind::Memory32) {
        let place = next.next_multiple_of(bar.len);
        places[bar.index] = place;
        next = place + bar.len;
        write(qtest, CARD, window_register(bar.index), 4, u32::try_from(place).unwrap_or(0));
    }
    places
}

/// Resets everything behind the root port.
pub(super) fn reset(qtest: &mut Qtest) {
    let register = address(ROOT_PORT, BRIDGE_CONTROL);
    let control = qtest.read(register, 2);
    qtest.write(register, 2, control | SECONDARY_BUS_RESET);
    qtest.write(register, 2, control & !SECONDARY_BUS_RESET);
}
