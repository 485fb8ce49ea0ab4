//! Access to the data of a `NET_BUFFER`: `NdisGetDataBuffer`, advance and retreat.

use super::layout::{Nb, Nbl};
use crate::machine::{IrqlRange, enter};
use crate::ndis::status::{self, Status};
use crate::ndis::{finding, raw};

/// The contiguous bytes at the data's start, in place if they are, else copied to `storage`.
pub(in crate::ndis) unsafe extern "win64" fn get(
    nb: usize,
    needed: u32,
    storage: usize,
    align: u32,
    offset: u32,
) -> usize {
    let call = enter("NdisGetDataBuffer", IrqlRange::DISPATCH_OR_BELOW);
    let nb = Nb(nb);
    if align == 0 {
        finding("CO-195", None, "NdisGetDataBuffer with AlignMultiple 0".to_owned());
        return 0;
    }
    if needed > nb.data_length() || call.machine().should_fail("NdisGetDataBuffer") {
        return 0;
    }
    let mdl = super::layout::Mdl(nb.current_mdl());
    let skip = nb.current_mdl_offset() as usize;
    if !mdl.is_null() && (mdl.byte_count() as usize).saturating_sub(skip) >= needed as usize {
        let Ok(address) = mdl.address() else { return 0 };
        if (address + skip) % align as usize == offset as usize % align as usize {
            return address + skip;
        }
    }
    if storage == 0 {
        return 0;
    }
    let Ok(data) = nb.data() else { return 0 };
    raw::store(storage, &data[..needed as usize]);
    storage
}

fn move_start(nb: Nb, back: bool, delta: u32) -> Status {
    let offset = if back {
        nb.data_offset().checked_sub(delta)
    } else {
        nb.data_offset().checked_add(delta).filter(|_| delta <= nb.data_length())
    };
    let Some(offset) = offset else { return status::RESOURCES };
    nb.set_data_offset(offset);
    let length = if back { nb.data_length() + delta } else { nb.data_length() - delta };
    nb.set_data_length(length);
    nb.settle();
    status::SUCCESS
}

pub(in crate::ndis) unsafe extern "win64" fn advance(nb: usize, delta: u32, _free_mdl: u8, _handler: usize) {
    let _call = enter("NdisAdvanceNetBufferDataStart", IrqlRange::DISPATCH_OR_BELOW);
    if move_start(Nb(nb), false, delta) != status::SUCCESS {
        finding("CO-191", None, format!("advanced by {delta} bytes, past the data"));
    }
}

/// Only into the space before the data: no MDL is allocated, as when memory is short.
pub(in crate::ndis) unsafe extern "win64" fn retreat(
    nb: usize,
    delta: u32,
    _backfill: u32,
    _handler: usize,
) -> Status {
    let _call = enter("NdisRetreatNetBufferDataStart", IrqlRange::DISPATCH_OR_BELOW);
    move_start(Nb(nb), true, delta)
}

pub(in crate::ndis) unsafe extern "win64" fn advance_list(
    nbl: usize,
    delta: u32,
    _free_mdl: u8,
    _handler: usize,
) {
    let _call = enter("NdisAdvanceNetBufferListDataStart", IrqlRange::DISPATCH_OR_BELOW);
    for nb in Nbl(nbl).net_buffers(1 << 16) {
        if move_start(nb, false, delta) != status::SUCCESS {
            finding("CO-191", None, format!("advanced by {delta} bytes, past the data"));
        }
    }
}

pub(in crate::ndis) unsafe extern "win64" fn retreat_list(
    nbl: usize,
    delta: u32,
    _backfill: u32,
    _allocate: usize,
    _free: usize,
) -> Status {
    let _call = enter("NdisRetreatNetBufferListDataStart", IrqlRange::DISPATCH_OR_BELOW);
    let buffers = Nbl(nbl).net_buffers(1 << 16);
    if buffers.iter().any(|nb| nb.data_offset() < delta) {
        return status::RESOURCES;
    }
    for nb in buffers {
        move_start(nb, true, delta);
    }
    status::SUCCESS
}

/// Bytes from one net buffer to another.
pub(in crate::ndis) unsafe extern "win64" fn copy(
    target: usize,
    target_offset: u32,
    len: u32,
    source: usize,
    source_offset: u32,
    copied: *mut u32,
) -> Status {
    let _call = enter("NdisCopyFromNetBufferToNetBuffer", IrqlRange::DISPATCH_OR_BELOW);
    let (Ok(from), Ok(_)) = (Nb(source).data(), Nb(target).data()) else { return status::FAILURE };
    let from = from.get(source_offset as usize..).unwrap_or_default();
    let room = (Nb(target).data_length() as usize).saturating_sub(target_offset as usize);
    let count = from.len().min(room).min(len as usize);
    Nb(target).store(target_offset as usize, &from[..count]);
    raw::write(copied, u32::try_from(count).expect("a length of 32 bits"));
    status::SUCCESS
}
