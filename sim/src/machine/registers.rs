//! The registers of an interrupted activity, as the signal frame keeps them.

use iced_x86::Register;

/// The general registers at a fault; changes take effect when the handler returns.
pub(super) struct Registers<'a>(&'a mut [libc::greg_t; 23]);

/// The direction flag.
const DF: u64 = 1 << 10;
/// The flags that arithmetic sets: CF, PF, AF, ZF, SF, OF.
const STATUS: u64 = 0x8D5;

impl<'a> Registers<'a> {
    pub(super) fn new(registers: &'a mut [libc::greg_t; 23]) -> Self {
        Self(registers)
    }

    fn at(&self, index: libc::c_int) -> u64 {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.0.get(index))
            .map_or(0, |value| value.cast_unsigned())
    }

    fn set_at(&mut self, index: libc::c_int, value: u64) {
        if let Some(slot) = usize::try_from(index).ok().and_then(|index| self.0.get_mut(index)) {
            *slot = value.cast_signed();
        }
    }

    pub(super) fn instruction_pointer(&self) -> usize {
        address(self.at(libc::REG_RIP))
    }

    pub(super) fn set_instruction_pointer(&mut self, value: u64) {
        self.set_at(libc::REG_RIP, value);
    }

    pub(super) fn stack_pointer(&self) -> usize {
        address(self.at(libc::REG_RSP))
    }

    pub(super) fn set_stack_pointer(&mut self, value: u64) {
        self.set_at(libc::REG_RSP, value);
    }

    /// The processor's error code of a page fault.
    pub(super) fn error(&self) -> u64 {
        self.at(libc::REG_ERR)
    }

    pub(super) fn clear_direction(&mut self) {
        self.set_at(libc::REG_EFL, self.at(libc::REG_EFL) & !DF);
    }

    /// Sets the arithmetic flags to those of `flags`.
    pub(super) fn set_status(&mut self, flags: u64) {
        let others = self.at(libc::REG_EFL) & !STATUS;
        self.set_at(libc::REG_EFL, others | (flags & STATUS));
    }

    /// The value of a general register of any size, zero-extended.
    pub(super) fn read(&self, register: Register) -> Option<u64> {
        let value = self.at(slot(register)?);
        Some(if is_high_byte(register) { (value >> 8) & 0xFF } else { value & mask(register.size()) })
    }

    /// Writes a general register as an instruction does: 32-bit writes clear the upper half, shorter ones keep the
    /// rest.
    pub(super) fn write(&mut self, register: Register, value: u64) -> Option<()> {
        let index = slot(register)?;
        let old = self.at(index);
        let new = match register.size() {
            _ if is_high_byte(register) => (old & !0xFF00) | ((value & 0xFF) << 8),
            4 => value & mask(4),
            size => (old & !mask(size)) | (value & mask(size)),
        };
        self.set_at(index, new);
        Some(())
    }

    /// Sets a full register by its index in the frame.
    pub(super) fn set(&mut self, index: libc::c_int, value: u64) {
        self.set_at(index, value);
    }
}

/// The low `size` bytes.
pub(super) const fn mask(size: usize) -> u64 {
    if size >= 8 { u64::MAX } else { (1 << (8 * size)) - 1 }
}

fn address(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn is_high_byte(register: Register) -> bool {
    matches!(register, Register::AH | Register::BH | Register::CH | Register::DH)
}

fn slot(register: Register) -> Option<libc::c_int> {
    Some(match register.full_register() {
        Register::RAX => libc::REG_RAX,
        Register::RBX => libc::REG_RBX,
        Register::RCX => libc::REG_RCX,
        Register::RDX => libc::REG_RDX,
        Register::RSI => libc::REG_RSI,
        Register::RDI => libc::REG_RDI,
        Register::RBP => libc::REG_RBP,
        Register::RSP => libc::REG_RSP,
        Register::R8 => libc::REG_R8,
        Register::R9 => libc::REG_R9,
        Register::R10 => libc::REG_R10,
        Register::R11 => libc::REG_R11,
        Register::R12 => libc::REG_R12,
        Register::R13 => libc::REG_R13,
        Register::R14 => libc::REG_R14,
        Register::R15 => libc::REG_R15,
        _ => return None,
    })
}
