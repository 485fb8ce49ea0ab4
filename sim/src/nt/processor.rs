//! IRQL and processors.

use crate::abi::PROCESSOR_NUMBER;
use crate::exports;
use crate::image::Export;
use crate::machine::{IrqlRange, enter};

const STATUS_SUCCESS: i32 = 0;
const STATUS_INVALID_PARAMETER: i32 = 0xC000_000D_u32.cast_signed();

unsafe extern "win64" fn KeGetCurrentIrql() -> u8 {
    enter("KeGetCurrentIrql", IrqlRange::ANY).machine().irql()
}

unsafe extern "win64" fn KfRaiseIrql(irql: u8) -> u8 {
    enter("KfRaiseIrql", IrqlRange::ANY).machine().raise_irql(irql)
}

unsafe extern "win64" fn KeLowerIrql(irql: u8) {
    enter("KeLowerIrql", IrqlRange::ANY).machine().lower_irql(irql);
}

fn number(index: u32) -> PROCESSOR_NUMBER {
    PROCESSOR_NUMBER { Group: 0, Number: u8::try_from(index).unwrap_or(u8::MAX), Reserved: 0 }
}

unsafe extern "win64" fn KeGetCurrentProcessorNumberEx(out: *mut PROCESSOR_NUMBER) -> u32 {
    let call = enter("KeGetCurrentProcessorNumberEx", IrqlRange::ANY);
    let index = u32::try_from(call.machine().cpu()).unwrap_or(0);
    if !out.is_null() {
        // SAFETY: the driver passes NULL or room for the number.
        unsafe { out.write(number(index)) };
    }
    index
}

unsafe extern "win64" fn KeGetProcessorNumberFromIndex(index: u32, out: *mut PROCESSOR_NUMBER) -> i32 {
    let call = enter("KeGetProcessorNumberFromIndex", IrqlRange::ANY);
    if index as usize >= call.machine().config().cpus {
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: the driver passes room for the number.
    unsafe { out.write(number(index)) };
    STATUS_SUCCESS
}

fn count(name: &'static str) -> u32 {
    u32::try_from(enter(name, IrqlRange::ANY).machine().config().cpus).unwrap_or(u32::MAX)
}

unsafe extern "win64" fn KeQueryActiveProcessorCountEx(_group: u16) -> u32 {
    count("KeQueryActiveProcessorCountEx")
}

unsafe extern "win64" fn KeQueryMaximumProcessorCountEx(_group: u16) -> u32 {
    count("KeQueryMaximumProcessorCountEx")
}

pub(super) fn exports() -> Vec<Export> {
    exports![
        "ntoskrnl.exe": KeGetCurrentIrql, KfRaiseIrql, KeLowerIrql, KeGetCurrentProcessorNumberEx,
        KeGetProcessorNumberFromIndex, KeQueryActiveProcessorCountEx, KeQueryMaximumProcessorCountEx
    ]
}
