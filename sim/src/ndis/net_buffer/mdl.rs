//! `NdisAllocateMdl` and `NdisFreeMdl`.

use super::layout::Mdl;
use crate::machine::{IrqlRange, enter};
use crate::ndis::block::Block;
use crate::ndis::handle::Handle;
use crate::ndis::holder::Holder;
use crate::ndis::ownership::Resource;
use crate::ndis::{Ndis, finding};

pub(in crate::ndis) unsafe extern "win64" fn allocate(h: Handle, address: usize, len: u32) -> usize {
    let call = enter("NdisAllocateMdl", IrqlRange::DISPATCH_OR_BELOW);
    let Some(holder) = Holder::find(h) else { return 0 };
    if call.machine().should_fail("NdisAllocateMdl") {
        return 0;
    }
    let block = Block::zeroed("MDL", Mdl::len_for(address, len as usize));
    let at = block.address();
    Mdl(at).describe(address, len as usize);
    holder.own(Resource::Mdl, at, "an MDL");
    Ndis::current().mdls.borrow_mut().insert(at, (holder, block));
    at
}

pub(in crate::ndis) unsafe extern "win64" fn free(mdl: usize) {
    let _call = enter("NdisFreeMdl", IrqlRange::DISPATCH_OR_BELOW);
    let known = Ndis::current().mdls.borrow_mut().remove(&mdl);
    match known {
        Some((holder, _)) => holder.disown(Resource::Mdl, mdl),
        None => finding("SDV.NdisAllocateMdl", None, "frees an MDL that is not allocated".to_owned()),
    }
}
