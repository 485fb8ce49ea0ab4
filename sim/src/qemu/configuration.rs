//! The card's configuration space as software sees it: QEMU's, but for the windows.
//!
//! In QEMU's address space the windows stay where [`super::bus::assign`] put them; what software writes to the base
//! address registers is kept here.

use super::{bus, card::Card};
use crate::pci::{Bar, BarKind, offset};

/// The base address registers.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    values: [u32; 6],
    bars: Vec<Bar>,
}

impl Windows {
    pub(super) fn new(bars: Vec<Bar>) -> Self {
        let mut values = [0; 6];
        for bar in &bars {
            values[bar.index] = u32::from(bar.kind == BarKind::Io);
        }
        Self { values, bars }
    }

    pub(super) fn bars(&self) -> &[Bar] {
        &self.bars
    }

    /// The register that holds byte `off` of configuration space, and the byte's place in it.
    fn find(off: u16) -> Option<(usize, usize)> {
        let at = usize::from(off.checked_sub(offset::BAR0)?);
        (at < 24).then_some((at / 4, at % 4))
    }

    fn read(&self, off: u16, size: u8) -> Option<u32> {
        let (index, byte) = Self::find(off)?;
        let value = u64::from(self.values[index]) >> (8 * byte);
        u32::try_from(value & 0xffff_ffff >> (32 - 8 * u32::from(size.clamp(1, 4)))).ok()
    }

    /// Whether `off` is a base address register's, written then.
    fn write(&mut self, off: u16, size: u8, value: u32) -> bool {
        let Some((index, byte)) = Self::find(off) else { return false };
        let mut bytes = self.values[index].to_le_bytes();
        for (place, new) in bytes.iter_mut().skip(byte).zip(value.to_le_bytes()).take(usize::from(size)) {
            *place = new;
        }
        let bar = self.bars.iter().find(|bar| bar.index == index);
        self.values[index] = bar.map_or(0, |bar| {
            let mask = !u32::try_from(bar.len - 1).unwrap_or(0);
            u32::from_le_bytes(bytes) & mask | u32::from(bar.kind == BarKind::Io)
        });
        true
    }
}

impl Card {
    pub(super) fn read_configuration(&mut self, off: u16, size: u8) -> u32 {
        let known = self.windows.read(off, size);
        known.unwrap_or_else(|| bus::read(&mut self.qtest, bus::CARD, off, size))
    }

    pub(super) fn write_configuration(&mut self, off: u16, size: u8, value: u32) {
        if !self.windows.write(off, size, value) {
            bus::write(&mut self.qtest, bus::CARD, off, size, value);
            self.shadow.in_vain = 0;
            self.shadow.command = self.read_configuration(offset::COMMAND, 2);
            self.shadow.power_state = match self.capabilities.power {
                Some(at) => self.read_configuration(at + 4, 2) & 3,
                None => 0,
            };
            self.shadow.message_control = match self.capabilities.msix {
                Some(at) => self.read_configuration(at + 2, 2),
                None => 0,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_size_and_keep_their_place() {
        let memory = Bar { index: 0, len: 0x2_0000, kind: BarKind::Memory32 };
        let ports = Bar { index: 1, len: 0x40, kind: BarKind::Io };
        let mut windows = Windows::new(vec![memory, ports]);
        for (off, sized) in [(0x10, 0xfffe_0000), (0x14, 0xffff_ffc1), (0x18, 0)] {
            assert!(windows.write(off, 4, u32::MAX));
            assert_eq!(windows.read(off, 4), Some(sized));
        }
        assert!(windows.write(0x12, 2, 0xf002));
        assert_eq!((windows.read(0x10, 4), windows.read(0x13, 1)), (Some(0xf002_0000), Some(0xf0)));
        assert!(!windows.write(0x28, 4, 0) && windows.read(0x0c, 4).is_none());
    }
}
