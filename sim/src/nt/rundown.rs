//! Run-down protection. The count lives in the driver's `EX_RUNDOWN_REF`, as in Windows: twice the number of references,
//! plus one once run-down has begun.

use std::time::Duration;

use crate::exports;
use crate::image::Export;
use crate::machine::{IrqlRange, enter};

const ACTIVE: usize = 1;
const REFERENCE: usize = 2;

fn read(reference: *mut usize) -> usize {
    // SAFETY: the driver vouches for the structure; a wrong pointer faults and ends the run.
    unsafe { reference.read_volatile() }
}

fn write(reference: *mut usize, value: usize) {
    // SAFETY: the driver vouches for the structure; a wrong pointer faults and ends the run.
    unsafe { reference.write_volatile(value) };
}

unsafe extern "win64" fn ExInitializeRundownProtection(reference: *mut usize) {
    let _call = enter("ExInitializeRundownProtection", IrqlRange::ANY);
    write(reference, 0);
}

unsafe extern "win64" fn ExReInitializeRundownProtection(reference: *mut usize) {
    let _call = enter("ExReInitializeRundownProtection", IrqlRange::ANY);
    write(reference, 0);
}

unsafe extern "win64" fn ExRundownCompleted(reference: *mut usize) {
    let _call = enter("ExRundownCompleted", IrqlRange::ANY);
    write(reference, ACTIVE);
}

unsafe extern "win64" fn ExAcquireRundownProtection(reference: *mut usize) -> u8 {
    let _call = enter("ExAcquireRundownProtection", IrqlRange::DISPATCH_OR_BELOW);
    let value = read(reference);
    if value & ACTIVE != 0 {
        return 0;
    }
    write(reference, value + REFERENCE);
    1
}

unsafe extern "win64" fn ExReleaseRundownProtection(reference: *mut usize) {
    let call = enter("ExReleaseRundownProtection", IrqlRange::DISPATCH_OR_BELOW);
    match read(reference).checked_sub(REFERENCE) {
        Some(value) => write(reference, value),
        None => {
            call.machine().finding("BC.18", None, "run-down protection released once too often".to_owned());
        }
    }
}

unsafe extern "win64" fn ExWaitForRundownProtectionRelease(reference: *mut usize) {
    let call = enter("ExWaitForRundownProtectionRelease", IrqlRange::APC);
    write(reference, read(reference) | ACTIVE);
    while read(reference) != ACTIVE {
        call.machine().sleep(Duration::from_micros(10));
    }
}

pub(super) fn exports() -> Vec<Export> {
    exports![
        "ntoskrnl.exe": ExInitializeRundownProtection, ExReInitializeRundownProtection, ExRundownCompleted,
        ExAcquireRundownProtection, ExReleaseRundownProtection, ExWaitForRundownProtectionRelease
    ]
}
