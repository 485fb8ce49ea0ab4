//! Pool.

use std::ffi::c_void;

use crate::exports;
use crate::image::Export;
use crate::machine::{Call, IrqlRange, Machine, enter};
use crate::memory::pool::{PoolError, tag_name};

const POOL_FLAG_UNINITIALIZED: u64 = 0x2;
const POOL_FLAG_NON_PAGED_EXECUTE: u64 = 0x80;
const POOL_FLAG_PAGED: u64 = 0x100;

/// Allocates nonpaged pool for the driver, which called the export `call`; checks length and tag. `None` when the call
/// is made to fail.
pub fn allocate(call: &Call, name: &'static str, len: usize, tag: u32, zero: bool) -> Option<*mut u8> {
    let machine = call.machine();
    if len == 0 {
        machine.finding("DV.C4.0x00", None, format!("{name} of no bytes"));
    }
    if tag == 0 {
        machine.finding("BC.C2.0x9B", None, format!("{name} of {len} bytes without a tag"));
    } else if !tag.to_le_bytes().iter().any(u8::is_ascii_alphanumeric) {
        machine.finding("BC.C2.0x9D", None, format!("{name} with tag {tag:#010x}"));
    }
    if machine.should_fail(name) {
        return None;
    }
    let site = machine.allocation_site().unwrap_or_else(|| name.to_owned());
    let block = machine.pool().allocate(len, tag, zero, site);
    machine.log(format_args!(
        "  block {} of {len} bytes, tag {}",
        machine.pool().allocations(),
        tag_name(tag)
    ));
    Some(block)
}

/// Frees what [`allocate`] returned; `tag` has to be the block's if it is given. What is wrong is a finding. Locks and
/// events in the block are gone.
pub fn free(call: &Call, name: &'static str, block: *mut c_void, tag: Option<u32>) {
    let machine = call.machine();
    let block = block.cast::<u8>();
    if let Some(len) = machine.pool().len_of(block) {
        machine.forget_locks(block.addr()..block.addr() + len);
        super::event::forget(machine, block.addr()..block.addr() + len);
        crate::ndis::freed(machine, block.addr()..block.addr() + len);
    }
    let site = machine.call_site().unwrap_or_else(|| name.to_owned());
    let (rule, detail) = match machine.pool().free(block, tag, site) {
        Ok(_) => return,
        Err(PoolError::NotAllocated) => ("DV.C4.0x10", "what was never allocated".to_owned()),
        Err(PoolError::Interior(number)) => ("DV.C4.0x16", format!("an address inside block {number}")),
        Err(PoolError::DoubleFree(number, site)) => {
            ("DV.C4.0x13", format!("block {number}, which was freed by {site}"))
        }
        Err(PoolError::WrongTag { actual, given }) => {
            ("DV.C2.0x0A", format!("a block with tag {}; its tag is {}", tag_name(given), tag_name(actual)))
        }
        Err(PoolError::Damaged(offset)) => {
            ("BC.C1.0x24", format!("a block with a foreign byte at offset {offset} of its start"))
        }
    };
    machine.finding(rule, None, format!("{name} of {detail}"));
}

/// What an unloaded driver left allocated.
pub fn audit(machine: &Machine) {
    for leak in machine.pool().leaks() {
        let detail = format!(
            "block {} ({} bytes, tag {}) is allocated after unload; allocated by {}",
            leak.number,
            leak.len,
            tag_name(leak.tag),
            leak.site
        );
        machine.finding("DV.C4.0x62", None, detail);
    }
}

fn allocate_pool(name: &'static str, flags: u64, len: usize, tag: u32) -> *mut c_void {
    let paged = flags & POOL_FLAG_PAGED != 0;
    let call = enter(name, if paged { IrqlRange::APC } else { IrqlRange::DISPATCH_OR_BELOW });
    if flags & POOL_FLAG_NON_PAGED_EXECUTE != 0 {
        call.machine().finding("DV.C4.0x2000", None, format!("{name} of executable pool"));
    }
    let zero = flags & POOL_FLAG_UNINITIALIZED == 0;
    allocate(&call, name, len, tag, zero).map_or(std::ptr::null_mut(), <*mut u8>::cast)
}

unsafe extern "win64" fn ExAllocatePool2(flags: u64, len: usize, tag: u32) -> *mut c_void {
    allocate_pool("ExAllocatePool2", flags, len, tag)
}

unsafe extern "win64" fn ExAllocatePool3(
    flags: u64,
    len: usize,
    tag: u32,
    _parameters: *const c_void,
    _count: u32,
) -> *mut c_void {
    allocate_pool("ExAllocatePool3", flags, len, tag)
}

unsafe extern "win64" fn ExFreePool(block: *mut c_void) {
    let call = enter("ExFreePool", IrqlRange::DISPATCH_OR_BELOW);
    free(&call, "ExFreePool", block, None);
}

unsafe extern "win64" fn ExFreePoolWithTag(block: *mut c_void, tag: u32) {
    let call = enter("ExFreePoolWithTag", IrqlRange::DISPATCH_OR_BELOW);
    // A tag of zero stands for any.
    free(&call, "ExFreePoolWithTag", block, Some(tag).filter(|&tag| tag != 0));
}

unsafe extern "win64" fn ExFreePool2(block: *mut c_void, tag: u32, _parameters: *const c_void, _count: u32) {
    let call = enter("ExFreePool2", IrqlRange::DISPATCH_OR_BELOW);
    free(&call, "ExFreePool2", block, Some(tag).filter(|&tag| tag != 0));
}

pub(super) fn exports() -> Vec<Export> {
    exports!["ntoskrnl.exe": ExAllocatePool2, ExAllocatePool3, ExFreePool, ExFreePool2, ExFreePoolWithTag]
}
