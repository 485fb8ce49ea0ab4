//! C run-time routines, which compilers call by themselves. They have no prologue: they are no kernel calls, may run at
//! any IRQL and are called too often.

use std::ffi::c_void;

use crate::exports;
use crate::image::Export;
use crate::machine::Machine;

unsafe extern "win64" fn memcpy(target: *mut u8, source: *const u8, len: usize) -> *mut u8 {
    if target.addr().abs_diff(source.addr()) < len && target.cast_const() != source {
        Machine::current().finding("DV.C4.0xF0", None, format!("memcpy of {len} overlapping bytes"));
    }
    // SAFETY: the caller vouches for both ranges; `copy` allows them to overlap.
    unsafe { target.copy_from(source, len) };
    target
}

unsafe extern "win64" fn memmove(target: *mut u8, source: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller vouches for both ranges.
    unsafe { target.copy_from(source, len) };
    target
}

unsafe extern "win64" fn memset(target: *mut u8, byte: i32, len: usize) -> *mut u8 {
    // SAFETY: the caller vouches for the range; C takes the value's low byte.
    unsafe { target.write_bytes(byte.to_le_bytes()[0], len) };
    target
}

unsafe extern "win64" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    // SAFETY: the caller vouches for the range.
    let a = unsafe { std::slice::from_raw_parts(a, len) };
    // SAFETY: the caller vouches for the range.
    let b = unsafe { std::slice::from_raw_parts(b, len) };
    match a.cmp(b) {
        std::cmp::Ordering::Less => -1,
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => 1,
    }
}

/// Touches each page of the frame that the caller is about to make. In: rax, the frame's size. Changes nothing.
#[unsafe(naked)]
unsafe extern "win64" fn __chkstk() {
    std::arch::naked_asm!(
        "push rcx",
        "push rax",
        "lea rcx, [rsp + 24]",
        "2:",
        "cmp rax, 4096",
        "jb 3f",
        "sub rcx, 4096",
        "test [rcx], cl",
        "sub rax, 4096",
        "jmp 2b",
        "3:",
        "sub rcx, rax",
        "test [rcx], cl",
        "pop rax",
        "pop rcx",
        "ret",
    )
}

/// The handler of structured exceptions, named in unwind tables. Nothing raises any here: faults end the run.
unsafe extern "win64" fn __C_specific_handler(
    _record: *mut c_void,
    _frame: *mut c_void,
    _context: *mut c_void,
    _dispatcher: *mut c_void,
) -> i32 {
    const EXCEPTION_CONTINUE_SEARCH: i32 = 1;
    EXCEPTION_CONTINUE_SEARCH
}

pub(super) fn exports() -> Vec<Export> {
    let mut exports = exports!["ntoskrnl.exe": memcpy, memmove, memset, memcmp, __C_specific_handler];
    // Its argument is in rax, and its caller counts on r10 and r11.
    exports.push(Export::raw("ntoskrnl.exe", "__chkstk", __chkstk as *const () as usize));
    exports
}
