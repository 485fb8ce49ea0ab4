//! Pools of `NET_BUFFER_LIST`s and `NET_BUFFER`s.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::layout::{Nb, Nbl};
use super::{Owner, PoolNbl};
use crate::machine::{IrqlRange, Machine, enter};
use crate::ndis::block::Block;
use crate::ndis::handle::{self, Handle, Kind};
use crate::ndis::holder::Holder;
use crate::ndis::ownership::Resource;
use crate::ndis::parameters::u32_at;
use crate::ndis::tables::ObjectHeader;
use crate::ndis::{Ndis, finding, raw};

/// A pool of frame lists.
pub(crate) struct ListPool {
    holder: Holder,
    handle: Cell<Handle>,
    /// Each list has a net buffer.
    with_buffer: bool,
    context_size: usize,
    live: Cell<usize>,
}

/// A pool of single net buffers.
struct BufferPool {
    holder: Holder,
    live: RefCell<Vec<Block>>,
}

/// `NET_BUFFER_LIST_POOL_PARAMETERS`: `ProtocolId` at 4, `fAllocateNetBuffer` 5, `ContextSize` 6, `PoolTag` 8,
/// `DataSize` 12. Types are `NDIS_OBJECT_TYPE_DEFAULT`.
pub(in crate::ndis) unsafe extern "win64" fn allocate_list_pool(h: Handle, parameters: usize) -> Handle {
    let call = enter("NdisAllocateNetBufferListPool", IrqlRange::DISPATCH_OR_BELOW);
    let null = std::ptr::null_mut();
    let Some(holder) = Holder::find_or_caller(h) else { return null };
    let bytes = raw::bytes(parameters, 16);
    let header: ObjectHeader = raw::read(parameters as *const ObjectHeader);
    if header != ObjectHeader::new(0x80, 1, 16) {
        let text = format!("NET_BUFFER_LIST_POOL_PARAMETERS with header {header:?}");
        finding("CO-315", Some(holder.name()), text);
        return null;
    }
    let context_size = usize::from(u16::from_le_bytes([bytes[6], bytes[7]]));
    if u32_at(&bytes, 8) == 0 || context_size % 16 != 0 {
        let text = format!("a pool with tag {:#x} and ContextSize {context_size}", u32_at(&bytes, 8));
        finding("CO-233", Some(holder.name()), text);
    }
    if u32_at(&bytes, 12) != 0 {
        finding("CO-215", Some(holder.name()), "a pool with DataSize for received data".to_owned());
    }
    if call.machine().should_fail("NdisAllocateNetBufferListPool") {
        return null;
    }
    let pool = Rc::new(ListPool {
        holder: holder.clone(),
        handle: Cell::new(null),
        with_buffer: bytes[5] != 0,
        context_size,
        live: Cell::new(0),
    });
    let handle = handle::open(Kind::Pool, Rc::clone(&pool));
    pool.handle.set(handle);
    holder.own(Resource::Pool, handle as usize, "a NET_BUFFER_LIST pool");
    handle
}

pub(in crate::ndis) unsafe extern "win64" fn free_list_pool(handle: Handle) {
    let _call = enter("NdisFreeNetBufferListPool", IrqlRange::DISPATCH_OR_BELOW);
    let Some(pool) = find(handle) else { return };
    if pool.live.get() != 0 {
        let text = format!("a pool freed with {} lists", pool.live.get());
        finding("CO-231", Some(pool.holder.name()), text);
    }
    pool.holder.disown(Resource::Pool, handle as usize);
    handle::close::<ListPool>(Kind::Pool, handle);
}

fn find(handle: Handle) -> Option<Rc<ListPool>> {
    handle::find(handle, Kind::Pool, "CO-231")
}

/// Makes a list with, if wanted, one net buffer behind it and then the context.
fn make(pool: &Rc<ListPool>, context: u16, buffer: bool) -> Nbl {
    let ndis = Ndis::current();
    let context = usize::from(context).max(pool.context_size);
    let head = if context == 0 { 0 } else { 16 };
    let nb_len = if buffer { Nb::LEN } else { 0 };
    let block = Block::zeroed("NET_BUFFER_LIST", Nbl::LEN + nb_len + head + context);
    let nbl = Nbl(block.address());
    nbl.set_pool(pool.handle.get() as usize);
    if buffer {
        nbl.set_first(nbl.0 + Nbl::LEN);
    }
    if context != 0 {
        // NET_BUFFER_LIST_CONTEXT: Next, Size, Offset, then the data aligned to 16.
        let at = nbl.0 + Nbl::LEN + nb_len;
        let size = u16::try_from(context).expect("16 bits");
        raw::write((at + 8) as *mut [u16; 2], [size, 0]);
        nbl.set_context(at);
    }
    let list = PoolNbl {
        number: ndis.number("NBL"),
        block,
        pool: Rc::clone(pool),
        owner: Cell::new(Owner::Driver),
        kept: Cell::new(0),
        indicated: RefCell::default(),
    };
    pool.live.set(pool.live.get() + 1);
    list.keep(Machine::current().random());
    ndis.nbls.borrow_mut().insert(nbl.0, Rc::new(list));
    nbl
}

pub(in crate::ndis) unsafe extern "win64" fn allocate_list(
    pool: Handle,
    context: u16,
    _backfill: u16,
) -> usize {
    let call = enter("NdisAllocateNetBufferList", IrqlRange::DISPATCH_OR_BELOW);
    let Some(pool) = find(pool) else { return 0 };
    if call.machine().should_fail("NdisAllocateNetBufferList") {
        return 0;
    }
    make(&pool, context, pool.with_buffer).0
}

pub(in crate::ndis) unsafe extern "win64" fn allocate_list_and_buffer(
    pool: Handle,
    context: u16,
    _backfill: u16,
    mdl_chain: usize,
    offset: u32,
    length: usize,
) -> usize {
    let call = enter("NdisAllocateNetBufferAndNetBufferList", IrqlRange::DISPATCH_OR_BELOW);
    let Some(pool) = find(pool) else { return 0 };
    if !pool.with_buffer {
        finding("CO-215", Some(pool.holder.name()), "the pool has no net buffers".to_owned());
        return 0;
    }
    if call.machine().should_fail("NdisAllocateNetBufferAndNetBufferList") {
        return 0;
    }
    let nbl = make(&pool, context, true);
    describe(Nb(nbl.first()), mdl_chain, offset, length);
    nbl.0
}

fn describe(nb: Nb, mdl_chain: usize, offset: u32, length: usize) {
    nb.set_mdl_chain(mdl_chain);
    nb.set_data_offset(offset);
    nb.set_data_length(u32::try_from(length).unwrap_or(u32::MAX));
    if mdl_chain != 0 {
        nb.settle();
    }
}

pub(in crate::ndis) unsafe extern "win64" fn free_list(nbl: usize) {
    let _call = enter("NdisFreeNetBufferList", IrqlRange::DISPATCH_OR_BELOW);
    let known = Ndis::current().nbls.borrow().get(&nbl).cloned();
    let Some(list) = known else {
        finding("CO-215", None, "frees a NET_BUFFER_LIST that is not of a pool".to_owned());
        return;
    };
    if list.owner() != Owner::Driver {
        let text = format!("{} freed while the client owns it", list.name());
        finding("CO-216", Some(list.pool.holder.name()), text);
    }
    list.pool.live.set(list.pool.live.get() - 1);
    Ndis::current().nbls.borrow_mut().remove(&nbl);
}

/// `NET_BUFFER_POOL_PARAMETERS`: `PoolTag` at 4, `DataSize` 8.
pub(in crate::ndis) unsafe extern "win64" fn allocate_buffer_pool(h: Handle, parameters: usize) -> Handle {
    let call = enter("NdisAllocateNetBufferPool", IrqlRange::DISPATCH_OR_BELOW);
    let null = std::ptr::null_mut();
    let Some(holder) = Holder::find_or_caller(h) else { return null };
    let header: ObjectHeader = raw::read(parameters as *const ObjectHeader);
    if header != ObjectHeader::new(0x80, 1, 12) {
        let text = format!("NET_BUFFER_POOL_PARAMETERS with header {header:?}");
        finding("CO-315", Some(holder.name()), text);
        return null;
    }
    if call.machine().should_fail("NdisAllocateNetBufferPool") {
        return null;
    }
    let pool = Rc::new(BufferPool { holder: holder.clone(), live: RefCell::default() });
    let handle = handle::open(Kind::BufferPool, pool);
    holder.own(Resource::BufferPool, handle as usize, "a NET_BUFFER pool");
    handle
}

pub(in crate::ndis) unsafe extern "win64" fn free_buffer_pool(handle: Handle) {
    let _call = enter("NdisFreeNetBufferPool", IrqlRange::DISPATCH_OR_BELOW);
    let Some(pool) = handle::find::<BufferPool>(handle, Kind::BufferPool, "CO-231") else { return };
    if !pool.live.borrow().is_empty() {
        finding("CO-231", Some(pool.holder.name()), "a pool freed with net buffers".to_owned());
    }
    pool.holder.disown(Resource::BufferPool, handle as usize);
    handle::close::<BufferPool>(Kind::BufferPool, handle);
}

pub(in crate::ndis) unsafe extern "win64" fn allocate_buffer(
    handle: Handle,
    mdl_chain: usize,
    offset: u32,
    length: usize,
) -> usize {
    let call = enter("NdisAllocateNetBuffer", IrqlRange::DISPATCH_OR_BELOW);
    let Some(pool) = handle::find::<BufferPool>(handle, Kind::BufferPool, "CO-231") else { return 0 };
    if call.machine().should_fail("NdisAllocateNetBuffer") {
        return 0;
    }
    let block = Block::zeroed("NET_BUFFER", Nb::LEN);
    let nb = Nb(block.address());
    nb.set_pool(handle as usize);
    describe(nb, mdl_chain, offset, length);
    pool.live.borrow_mut().push(block);
    nb.0
}

pub(in crate::ndis) unsafe extern "win64" fn free_buffer(nb: usize) {
    let _call = enter("NdisFreeNetBuffer", IrqlRange::DISPATCH_OR_BELOW);
    let handle = Nb(nb).pool() as Handle;
    let Some(pool) = handle::find::<BufferPool>(handle, Kind::BufferPool, "CO-231") else { return };
    pool.live.borrow_mut().retain(|block| block.address() != nb);
}
