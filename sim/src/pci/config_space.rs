//! Configuration space as storage: a reset image and, for each bit, whether software may change it.

/// Offsets of the type 0 header (PCI Local Bus Specification 3.0, section 6.1) used here.
pub mod offset {
    /// Vendor id, 16 bits; the device id follows.
    pub const VENDOR_ID: u16 = 0x00;
    /// Command register, 16 bits.
    pub const COMMAND: u16 = 0x04;
    /// Status register, 16 bits.
    pub const STATUS: u16 = 0x06;
    /// Revision id, 8 bits, then the class code, 24 bits.
    pub const REVISION: u16 = 0x08;
    /// First base address register; six of 32 bits each.
    pub const BAR0: u16 = 0x10;
    /// Subsystem vendor id, 16 bits; the subsystem id follows.
    pub const SUBSYSTEM: u16 = 0x2c;
    /// Offset of the first capability, 8 bits.
    pub const CAPABILITIES: u16 = 0x34;
    /// Interrupt line (scratch) and interrupt pin, 8 bits each.
    pub const INTERRUPT: u16 = 0x3c;
}

/// Bits of the command register.
pub mod command {
    /// I/O windows answer.
    pub const IO: u16 = 1;
    /// Memory windows answer.
    pub const MEMORY: u16 = 1 << 1;
    /// The function may start transactions: DMA and messages.
    pub const BUS_MASTER: u16 = 1 << 2;
    /// `INTx#` stays deasserted.
    pub const INTX_DISABLE: u16 = 1 << 10;
}

/// Bytes of conventional configuration space.
const CONVENTIONAL: usize = 256;
/// Bytes of PCI Express extended configuration space.
const EXTENDED: usize = 4096;

/// Configuration space with write masks. Reads outside of it give ones, writes there are lost.
#[derive(Clone, Debug)]
pub struct ConfigSpace {
    bytes: Vec<u8>,
    writable: Vec<u8>,
}

impl ConfigSpace {
    /// All zero and read-only; 4,096 bytes long when `extended`, else 256.
    pub fn new(extended: bool) -> Self {
        let len = if extended { EXTENDED } else { CONVENTIONAL };
        Self { bytes: vec![0; len], writable: vec![0; len] }
    }

    /// Sets the reset value at `off` and which of its bits software may change.
    ///
    /// # Panics
    /// When `off` and `size` lie outside of the space: the description of a device is wrong.
    pub fn define(&mut self, off: u16, size: u8, value: u32, writable: u32) {
        for i in 0..usize::from(size) {
            self.bytes[usize::from(off) + i] = value.to_le_bytes()[i];
            self.writable[usize::from(off) + i] = writable.to_le_bytes()[i];
        }
    }

    /// Reads `size` bytes, little-endian.
    pub fn read(&self, off: u16, size: u8) -> u32 {
        let mut value = [0; 4];
        for (i, byte) in value.iter_mut().enumerate().take(usize::from(size)) {
            *byte = self.bytes.get(usize::from(off) + i).copied().unwrap_or(0xff);
        }
        u32::from_le_bytes(value)
    }

    /// Writes those of the `size` bytes' bits that are writable.
    pub fn write(&mut self, off: u16, size: u8, value: u32) {
        for (i, new) in value.to_le_bytes().into_iter().enumerate().take(usize::from(size)) {
            let at = usize::from(off) + i;
            if let (Some(byte), Some(&mask)) = (self.bytes.get_mut(at), self.writable.get(at)) {
                *byte = *byte & !mask | new & mask;
            }
        }
    }

    /// Reads a byte.
    pub fn read8(&self, off: u16) -> u8 {
        self.bytes.get(usize::from(off)).copied().unwrap_or(0xff)
    }

    /// Reads 16 bits, little-endian.
    pub fn read16(&self, off: u16) -> u16 {
        u16::from_le_bytes([self.read8(off), self.read8(off + 1)])
    }

    /// The command register.
    pub fn command(&self) -> u16 {
        self.read16(offset::COMMAND)
    }

    /// Walks the capability list for the capability `id`.
    pub fn capability(&self, id: u8) -> Option<u16> {
        let mut at = u16::from(self.read8(offset::CAPABILITIES));
        // A list can hold no more entries than fit; a loop in it is then found, not followed.
        for _ in 0..CONVENTIONAL / 4 {
            if at == 0 {
                return None;
            }
            if self.read8(at) == id {
                return Some(at);
            }
            at = u16::from(self.read8(at + 1));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_writable_bits_change() {
        let mut space = ConfigSpace::new(false);
        space.define(offset::COMMAND, 2, 0x0400, 0x0146);
        space.write(offset::COMMAND, 2, 0xffff);
        assert_eq!(space.read(offset::COMMAND, 2), 0x0546);
        space.write(offset::COMMAND, 2, 0);
        assert_eq!(space.read(offset::COMMAND, 2), 0x0400);
    }

    #[test]
    fn outside_of_the_space_reads_ones() {
        let mut space = ConfigSpace::new(false);
        space.write(0x100, 4, 0);
        assert_eq!(space.read(0x100, 4), 0xffff_ffff);
        assert_eq!(space.read(0xfe, 4), 0xffff_0000, "the last two bytes, then nothing");
        assert_eq!(ConfigSpace::new(true).read(0x100, 4), 0);
    }

    #[test]
    fn capability_list_is_walked_and_a_loop_ends() {
        let mut space = ConfigSpace::new(false);
        space.define(offset::CAPABILITIES, 1, 0xc8, 0);
        space.define(0xc8, 2, 0xd001, 0);
        space.define(0xd0, 2, 0xc805, 0);
        assert_eq!(space.capability(5), Some(0xd0));
        assert_eq!(space.capability(0x11), None);
    }
}
