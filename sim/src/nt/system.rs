//! The system's version, its random numbers, and what it offers by name.

use std::ffi::c_void;

use crate::abi::UNICODE_STRING;
use crate::exports;
use crate::image::Export;
use crate::machine::{IrqlRange, enter};

const STATUS_SUCCESS: i32 = 0;

unsafe extern "win64" fn RtlGetVersion(information: *mut u32) -> i32 {
    let call = enter("RtlGetVersion", IrqlRange::PASSIVE);
    // RTL_OSVERSIONINFOW up to the build number.
    let (major, minor, build) = call.machine().config().windows.kernel;
    for (index, value) in [major, minor, build].into_iter().enumerate() {
        // SAFETY: the driver passes the structure, whose first member is its size.
        unsafe { information.wrapping_add(1 + index).write(value) };
    }
    STATUS_SUCCESS
}

unsafe extern "win64" fn RtlRandomEx(seed: *mut u32) -> u32 {
    let call = enter("RtlRandomEx", IrqlRange::APC);
    let number = u32::try_from(call.machine().below(1 << 31)).unwrap_or(0);
    // SAFETY: the driver passes a seed.
    unsafe { seed.write(number) };
    number
}

/// No routine is offered by name: a driver has to do without what it looks up.
unsafe extern "win64" fn MmGetSystemRoutineAddress(name: *const UNICODE_STRING) -> *const c_void {
    let call = enter("MmGetSystemRoutineAddress", IrqlRange::PASSIVE);
    // SAFETY: the driver passes a valid string.
    let name = unsafe { super::string::text(name) };
    call.machine().log(format_args!("  no routine {name}"));
    std::ptr::null()
}

pub(super) fn exports() -> Vec<Export> {
    exports!["ntoskrnl.exe": RtlGetVersion, RtlRandomEx, MmGetSystemRoutineAddress]
}
