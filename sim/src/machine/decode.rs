//! Carries out the one instruction that faulted on a device register.
//!
//! Compilers make register accesses of plain moves; they may fold a read into arithmetic or a comparison, and a
//! read-modify-write into one instruction. Nothing else is done on device registers, and everything else is refused.

use iced_x86::{Instruction, Mnemonic, OpKind};

use super::mmio::Mmio;
use super::registers::{Registers, mask};

/// Carries out `instruction`, whose memory operand is the register at `offset` of `device`. False if it is none of the
/// instructions used on registers.
pub(super) fn access(
    instruction: &Instruction,
    registers: &mut Registers<'_>,
    device: &dyn Mmio,
    offset: u64,
) -> bool {
    emulate(instruction, registers, device, offset).is_some()
}

fn emulate(
    instruction: &Instruction,
    registers: &mut Registers<'_>,
    device: &dyn Mmio,
    offset: u64,
) -> Option<()> {
    let size = u8::try_from(instruction.memory_size().size()).ok()?;
    if instruction.op_count() != 2 || !matches!(size, 1 | 2 | 4 | 8) {
        return None;
    }
    let read = || device.read(offset, size) & mask(size.into());
    let memory_first = instruction.op0_kind() == OpKind::Memory;
    match instruction.mnemonic() {
        Mnemonic::Mov | Mnemonic::Movnti if memory_first => {
            device.write(offset, size, source(instruction, registers)? & mask(size.into()));
        }
        Mnemonic::Mov | Mnemonic::Movzx => {
            registers.write(instruction.op0_register(), read())?;
        }
        Mnemonic::Movsx | Mnemonic::Movsxd => {
            let value = sign_extend(read(), size);
            registers.write(instruction.op0_register(), value)?;
        }
        Mnemonic::Xchg => {
            let register = if memory_first { instruction.op1_register() } else { instruction.op0_register() };
            let (new, old) = (registers.read(register)?, read());
            device.write(offset, size, new);
            registers.write(register, old)?;
        }
        mnemonic => {
            let memory = read();
            let (a, b) = if memory_first {
                (memory, source(instruction, registers)?)
            } else {
                (registers.read(instruction.op0_register())?, memory)
            };
            let (result, flags) = arithmetic(mnemonic, a, b, size)?;
            registers.set_status(flags);
            match result {
                None => {}
                Some(value) if memory_first => device.write(offset, size, value),
                Some(value) => registers.write(instruction.op0_register(), value)?,
            }
        }
    }
    Some(())
}

/// The value of the second operand, a register or an immediate.
fn source(instruction: &Instruction, registers: &Registers<'_>) -> Option<u64> {
    match instruction.op1_kind() {
        OpKind::Register => registers.read(instruction.op1_register()),
        OpKind::Memory => None,
        _ => Some(instruction.immediate(1)),
    }
}

fn sign_extend(value: u64, size: u8) -> u64 {
    let shift = 64 - 8 * u32::from(size);
    ((value << shift).cast_signed() >> shift).cast_unsigned()
}

/// The result, unless the instruction only compares, and the flags CF, PF, ZF, SF and OF.
fn arithmetic(mnemonic: Mnemonic, a: u64, b: u64, size: u8) -> Option<(Option<u64>, u64)> {
    let bits = mask(size.into());
    let sign = bits ^ (bits >> 1);
    let (a, b) = (a & bits, b & bits);
    let (value, carry, overflow) = match mnemonic {
        Mnemonic::And | Mnemonic::Test => (a & b, false, false),
        Mnemonic::Or => (a | b, false, false),
        Mnemonic::Xor => (a ^ b, false, false),
        Mnemonic::Add => {
            let sum = a.wrapping_add(b) & bits;
            (sum, sum < a, (a ^ sum) & (b ^ sum) & sign != 0)
        }
        Mnemonic::Sub | Mnemonic::Cmp => {
            let difference = a.wrapping_sub(b) & bits;
            (difference, a < b, (a ^ b) & (a ^ difference) & sign != 0)
        }
        _ => return None,
    };
    let parity = (value & 0xFF).count_ones().is_multiple_of(2);
    let flags = u64::from(carry)
        | u64::from(parity) << 2
        | u64::from(value == 0) << 6
        | u64::from(value & sign != 0) << 7
        | u64::from(overflow) << 11;
    let compares = matches!(mnemonic, Mnemonic::Test | Mnemonic::Cmp);
    Some(((!compares).then_some(value), flags))
}
