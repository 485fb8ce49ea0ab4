//! Counted strings.

use std::cmp::Ordering;

use crate::abi::UNICODE_STRING;
use crate::exports;
use crate::image::Export;
use crate::machine::{IrqlRange, enter};

/// The code units of a string.
///
/// # Safety
/// The pointer must be that of a valid string.
unsafe fn units<'a>(string: *const UNICODE_STRING) -> &'a [u16] {
    // SAFETY: the caller vouches for the string.
    let string = unsafe { &*string };
    if string.Buffer.is_null() {
        return &[];
    }
    // SAFETY: the caller vouches for the string's buffer.
    unsafe { std::slice::from_raw_parts(string.Buffer, usize::from(string.Length) / 2) }
}

/// The text of a string.
///
/// # Safety
/// The pointer must be that of a valid string.
pub unsafe fn text(string: *const UNICODE_STRING) -> String {
    // SAFETY: the caller vouches for the string.
    String::from_utf16_lossy(unsafe { units(string) })
}

fn upper(unit: u16) -> u16 {
    match u8::try_from(unit) {
        Ok(byte) => byte.to_ascii_uppercase().into(),
        Err(_) => unit,
    }
}

unsafe extern "win64" fn RtlInitUnicodeString(string: *mut UNICODE_STRING, source: *const u16) {
    let _call = enter("RtlInitUnicodeString", IrqlRange::ANY);
    let unit = |index| {
        // SAFETY: the driver passes a terminated string, and the terminator ends the reading.
        unsafe { source.wrapping_add(index).read() }
    };
    let mut len = 0;
    while !source.is_null() && len < 0x7FFE && unit(len) != 0 {
        len += 1;
    }
    let bytes = u16::try_from(2 * len).unwrap_or(u16::MAX);
    let room = if source.is_null() { 0 } else { bytes + 2 };
    let value = UNICODE_STRING { Length: bytes, MaximumLength: room, Buffer: source.cast_mut() };
    // SAFETY: the driver passes room for the string.
    unsafe { string.write(value) };
}

unsafe extern "win64" fn RtlCopyUnicodeString(target: *mut UNICODE_STRING, source: *const UNICODE_STRING) {
    let _call = enter("RtlCopyUnicodeString", IrqlRange::DISPATCH_OR_BELOW);
    // SAFETY: the driver passes NULL or a valid string.
    let from = if source.is_null() { &[] } else { unsafe { units(source) } };
    // SAFETY: the driver passes a valid string.
    let to = unsafe { &mut *target };
    let count = from.len().min(usize::from(to.MaximumLength) / 2);
    // SAFETY: the target's buffer has room for `MaximumLength` bytes; the strings may be the same.
    unsafe { to.Buffer.copy_from(from.as_ptr(), count) };
    to.Length = u16::try_from(2 * count).unwrap_or(0);
}

/// # Safety
/// Both must be valid strings.
unsafe fn compare(a: *const UNICODE_STRING, b: *const UNICODE_STRING, fold: bool) -> Ordering {
    // SAFETY: the caller vouches for both.
    let (a, b) = unsafe { both(a, b) };
    if !fold {
        return a.cmp(b);
    }
    a.iter().copied().map(upper).cmp(b.iter().copied().map(upper))
}

/// # Safety
/// Both must be valid strings.
unsafe fn both<'a>(a: *const UNICODE_STRING, b: *const UNICODE_STRING) -> (&'a [u16], &'a [u16]) {
    // SAFETY: the caller vouches for it.
    let a = unsafe { units(a) };
    // SAFETY: the caller vouches for it.
    let b = unsafe { units(b) };
    (a, b)
}

unsafe extern "win64" fn RtlCompareUnicodeString(
    a: *const UNICODE_STRING,
    b: *const UNICODE_STRING,
    fold: u8,
) -> i32 {
    let _call = enter("RtlCompareUnicodeString", IrqlRange::PASSIVE);
    // SAFETY: the driver passes valid strings.
    match unsafe { compare(a, b, fold != 0) } {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

unsafe extern "win64" fn RtlEqualUnicodeString(
    a: *const UNICODE_STRING,
    b: *const UNICODE_STRING,
    fold: u8,
) -> u8 {
    let _call = enter("RtlEqualUnicodeString", IrqlRange::PASSIVE);
    // SAFETY: the driver passes valid strings.
    unsafe { compare(a, b, fold != 0) }.is_eq().into()
}

pub(super) fn exports() -> Vec<Export> {
    exports![
        "ntoskrnl.exe": RtlInitUnicodeString, RtlCopyUnicodeString, RtlCompareUnicodeString, RtlEqualUnicodeString
    ]
}
