//! Debug output, and the end by the driver's own decision.

use std::ffi::{CStr, c_char};
use std::fmt::Write as _;

use crate::abi::UNICODE_STRING;
use crate::exports;
use crate::image::Export;
use crate::machine::{IrqlRange, enter};

/// Arguments of a C function with a variable number of them: each takes a register or a slot on the stack. Slots that
/// the caller did not fill hold whatever its frame holds, and are only looked at if the format asks.
type Arguments = [u64; 6];

/// The text that `format` and `arguments` make. Formats other than those of integers, characters, pointers and strings
/// come out as they are.
///
/// # Safety
/// The format must be a string, and the arguments what it says.
unsafe fn render(format: *const c_char, arguments: Arguments) -> String {
    // SAFETY: the caller vouches for the format.
    let format = unsafe { CStr::from_ptr(format) }.to_string_lossy();
    let mut arguments = arguments.into_iter();
    let (mut text, mut rest) = (String::new(), &*format);
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let end =
            after.find(|c: char| c.is_ascii_alphabetic() && !"hlwIz".contains(c) || c == '%' || c == 'Z');
        let Some(end) = end else {
            text.push('%');
            rest = after;
            break;
        };
        let (modifiers, conversion) = (&after[..end], &after[end..=end]);
        rest = &after[end + 1..];
        if conversion == "%" {
            text.push('%');
            continue;
        }
        let argument = arguments.next().unwrap_or(0);
        // SAFETY: the caller vouches for the argument.
        unsafe { convert(&mut text, modifiers, conversion, argument) };
    }
    text.push_str(rest);
    text.trim_end().to_owned()
}

/// # Safety
/// If the conversion is one of strings, the argument must point to one.
unsafe fn convert(text: &mut String, modifiers: &str, conversion: &str, argument: u64) {
    let wide = modifiers.contains("ll") || modifiers.contains("I64") || modifiers.contains('z');
    let low = u32::try_from(argument & u64::from(u32::MAX)).unwrap_or(0);
    let unsigned = if wide { argument } else { low.into() };
    let signed = if wide { argument.cast_signed() } else { low.cast_signed().into() };
    let address = usize::try_from(argument).unwrap_or(0);
    let _ = match conversion {
        "d" | "i" => write!(text, "{signed}"),
        "u" => write!(text, "{unsigned}"),
        "x" => write!(text, "{unsigned:x}"),
        "X" => write!(text, "{unsigned:X}"),
        "c" => write!(text, "{}", char::from(low.to_le_bytes()[0])),
        // Addresses differ from run to run; the log must not.
        "p" => write!(text, "<pointer>"),
        "s" if argument != 0 => {
            // SAFETY: the caller vouches for the string.
            let string = unsafe { CStr::from_ptr(std::ptr::with_exposed_provenance(address)) };
            write!(text, "{}", string.to_string_lossy())
        }
        "Z" if argument != 0 => {
            // SAFETY: the caller vouches for the string.
            let string =
                unsafe { super::string::text(std::ptr::with_exposed_provenance::<UNICODE_STRING>(address)) };
            write!(text, "{string}")
        }
        _ => write!(text, "(null)"),
    };
}

unsafe extern "win64" fn DbgPrint(
    format: *const c_char,
    first: u64,
    second: u64,
    third: u64,
    fourth: u64,
    fifth: u64,
    sixth: u64,
) -> i32 {
    let call = enter("DbgPrint", IrqlRange::ANY);
    // SAFETY: the driver vouches for format and arguments.
    let text = unsafe { render(format, [first, second, third, fourth, fifth, sixth]) };
    call.machine().log(format_args!("DbgPrint: {text}"));
    0
}

unsafe extern "win64" fn DbgPrintEx(
    _component: u32,
    _level: u32,
    format: *const c_char,
    first: u64,
    second: u64,
    third: u64,
    fourth: u64,
    fifth: u64,
    sixth: u64,
) -> i32 {
    let call = enter("DbgPrintEx", IrqlRange::ANY);
    // SAFETY: the driver vouches for format and arguments.
    let text = unsafe { render(format, [first, second, third, fourth, fifth, sixth]) };
    call.machine().log(format_args!("DbgPrint: {text}"));
    0
}

unsafe extern "win64" fn KeBugCheckEx(code: u32, a: usize, b: usize, c: usize, d: usize) -> ! {
    let call = enter("KeBugCheckEx", IrqlRange::ANY);
    // Parameters that look like addresses differ from run to run.
    let parameters =
        [a, b, c, d].map(|value| if value >> 32 == 0 { format!("{value:#x}") } else { "-".to_owned() });
    call.machine().stop("BC.BugCheck", format!("KeBugCheckEx({code:#x}, {})", parameters.join(", ")))
}

pub(super) fn exports() -> Vec<Export> {
    exports!["ntoskrnl.exe": DbgPrint, DbgPrintEx, KeBugCheckEx]
}
