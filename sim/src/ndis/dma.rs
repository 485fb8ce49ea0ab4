//! Scatter/gather DMA and shared memory.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::adapter::Adapter;
use super::block::Block;
use super::handle::{self, Handle, Kind};
use super::net_buffer::layout::Nb;
use super::ownership::Resource;
use super::parameters::pointer_at;
use super::status::{self, Status};
use super::tables::ObjectHeader;
use super::{finding, raw};
use crate::machine::{IrqlRange, Machine, enter};
use crate::memory::dma::DmaBuffer;

/// `NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION` and the size of its revision 1.
const DESCRIPTION: ObjectHeader = ObjectHeader::new(0x83, 1, 36);
/// `NDIS_SG_DMA_64_BIT_ADDRESS`.
const REACHES_ALL: u32 = 1;
/// Elements a list may have.
const ELEMENTS: usize = 64;

/// A registration for scatter/gather DMA.
struct ScatterGather {
    adapter: Rc<Adapter>,
    process: usize,
    lists: RefCell<Vec<List>>,
    deregistered: Cell<bool>,
}

/// One `SCATTER_GATHER_LIST` in the hands of the driver.
struct List {
    block: Block,
    nb: usize,
    mapped: Vec<u64>,
}

type ProcessSgList = unsafe extern "win64" fn(usize, usize, usize, usize);

pub(super) unsafe extern "win64" fn register(h: Handle, description: usize, out: *mut Handle) -> Status {
    let call = enter("NdisMRegisterScatterGatherDma", IrqlRange::PASSIVE);
    let Some(adapter) = Adapter::find(h) else { return status::FAILURE };
    adapter.check_registered("NdisMRegisterScatterGatherDma");
    adapter.check_initializing("CO-028", "NdisMRegisterScatterGatherDma");
    let header: ObjectHeader = raw::read(description as *const ObjectHeader);
    if header != DESCRIPTION {
        finding("CO-315", Some(adapter.name()), format!("NDIS_SG_DMA_DESCRIPTION with header {header:?}"));
        return status::INVALID_PARAMETER;
    }
    if !adapter.attributes.bus_master() {
        finding("CO-020", Some(adapter.name()), "DMA without NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER".to_owned());
        return status::NOT_SUPPORTED;
    }
    if call.machine().should_fail("NdisMRegisterScatterGatherDma") {
        return status::RESOURCES;
    }
    let bytes = raw::bytes(description, 32);
    if let Some(slot) = adapter.slot() {
        let flags = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        slot.dma().reaches_all(flags & REACHES_ALL != 0);
    }
    let it = ScatterGather {
        adapter: Rc::clone(&adapter),
        process: pointer_at(&bytes, 16),
        lists: RefCell::default(),
        deregistered: Cell::new(false),
    };
    let handle = handle::open(Kind::Dma, Rc::new(it));
    adapter.own(Resource::ScatterGather, handle as usize, "a scatter/gather DMA registration");
    // ScatterGatherListSize, which the driver reads back.
    raw::write((description + 32) as *mut u32, 16 + 24 * 64);
    raw::write(out, handle);
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn deregister(handle: Handle) {
    let _call = enter("NdisMDeregisterScatterGatherDma", IrqlRange::PASSIVE);
    let Some(it) = find(handle) else { return };
    let adapter = &it.adapter;
    // What Driver Verifier stops is the end of the DMA adapter (bug check 0xE6), which is NDIS's; no page says that it ends here.
    if adapter.owned.count(Resource::SharedMemory) != 0 {
        let text = "shared memory is left at NdisMDeregisterScatterGatherDma".to_owned();
        finding("CO-282", Some(adapter.name()), text);
    }
    if !it.lists.borrow().is_empty() {
        let text = "scatter/gather lists are left at NdisMDeregisterScatterGatherDma".to_owned();
        finding("DV.E6.0x0A", Some(adapter.name()), text);
    }
    it.deregistered.set(true);
    adapter.owned.remove(Resource::ScatterGather, handle as usize);
    handle::close::<ScatterGather>(Kind::Dma, handle);
}

fn find(handle: Handle) -> Option<Rc<ScatterGather>> {
    handle::find(handle, Kind::Dma, "DV.E6.0x18")
}

pub(super) unsafe extern "win64" fn allocate_shared(
    h: Handle,
    len: u32,
    cached: u8,
    out_va: *mut usize,
    out_bus: *mut u64,
) {
    let call = enter("NdisMAllocateSharedMemory", IrqlRange::PASSIVE);
    raw::write(out_va, 0);
    let Some(adapter) = Adapter::find(h) else { return };
    adapter.check_initializing("CO-021", "NdisMAllocateSharedMemory");
    if adapter.owned.count(Resource::ScatterGather) == 0 {
        finding("CO-020", Some(adapter.name()), "shared memory before scatter/gather DMA".to_owned());
        return;
    }
    let Some(slot) = adapter.slot() else { return };
    if call.machine().should_fail("NdisMAllocateSharedMemory") {
        return;
    }
    if super::readings::readings().memory.refuses(len) {
        return;
    }
    let buffer = slot.dma().allocate(len as usize, cached != 0);
    let va = buffer.virtual_address as usize;
    adapter.own(Resource::SharedMemory, va, format!("{len} bytes of shared memory"));
    raw::write(out_va, va);
    raw::write(out_bus, buffer.bus_address);
}

pub(super) unsafe extern "win64" fn free_shared(h: Handle, len: u32, _cached: u8, va: usize, bus: u64) {
    let _call = enter("NdisMFreeSharedMemory", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = Adapter::find(h) else { return };
    adapter.check_not_shutting_down("SDV.NdisMFreeSharedMemory", "NdisMFreeSharedMemory");
    let buffer = DmaBuffer { virtual_address: va as *mut u8, bus_address: bus, len: len as usize };
    let freed = adapter.slot().is_some_and(|slot| slot.dma().free(buffer));
    if freed {
        adapter.owned.remove(Resource::SharedMemory, va);
    } else {
        let text = format!("{len} bytes at bus address {bus:#x} are not so allocated");
        finding("CO-281", Some(adapter.name()), text);
    }
}

pub(super) unsafe extern "win64" fn allocate_list(
    dma: Handle,
    nb: usize,
    context: usize,
    _flags: u32,
    buffer: usize,
    size: u32,
) -> Status {
    let call = enter("NdisMAllocateNetBufferSGList", IrqlRange::DISPATCH);
    let Some(it) = find(dma) else { return status::FAILURE };
    let Some(slot) = it.adapter.slot() else { return status::FAILURE };
    if buffer != 0 && (size as usize) < 16 + 24 * ELEMENTS {
        finding("DV.E6.0x24", Some(it.adapter.name()), format!("a list in {size} bytes"));
        return status::BUFFER_TOO_SHORT;
    }
    if call.machine().should_fail("NdisMAllocateNetBufferSGList") || it.process == 0 {
        return status::RESOURCES;
    }
    let mut mapped = Vec::new();
    let mut bytes = vec![0; 16];
    // The list begins at the start of the current MDL; the driver skips CurrentMdlOffset bytes.
    let current = Nb(nb).current_mdl();
    for mdl in Nb(nb).mdls().into_iter().skip_while(|mdl| mdl.0 != current).take(ELEMENTS) {
        let Ok(address) = mdl.address() else {
            finding("DV.E6.0x0E", Some(it.adapter.name()), "an MDL that is not mapped".to_owned());
            return status::FAILURE;
        };
        let len = mdl.byte_count();
        // SAFETY: the MDL describes memory of the net buffer's owner, who keeps it until the send is completed.
        let bus = unsafe { slot.dma().map(address as *mut u8, len as usize) };
        mapped.push(bus);
        bytes.extend(bus.to_le_bytes());
        bytes.extend(u64::from(len).to_le_bytes());
        bytes.extend([0; 8]);
    }
    raw::store(bytes.as_mut_ptr() as usize, &u32::try_from(mapped.len()).expect("a few").to_le_bytes());
    let block = Block::new("SCATTER_GATHER_LIST", &bytes);
    let address = block.address();
    it.lists.borrow_mut().push(List { block, nb, mapped });
    let process = it.process;
    let run = move || {
        // SAFETY: the driver registered this as its MiniportProcessSGList.
        let handler: ProcessSgList = unsafe { std::mem::transmute::<usize, ProcessSgList>(process) };
        super::callback::into_driver("MiniportProcessSGList", super::callback::Level::AsIs, || {
            // SAFETY: the arguments are what NDIS gives; the list lives until the driver frees it.
            unsafe { handler(0, 0, address, context) }
        });
    };
    // The handler may run before this returns, or later.
    if call.machine().chance(1, 2) {
        run();
    } else {
        Machine::current().queue_dpc(None, "SG list", run);
    }
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn free_list(dma: Handle, list: usize, nb: usize) {
    let _call = enter("NdisMFreeNetBufferSGList", IrqlRange::DISPATCH);
    let Some(it) = find(dma) else { return };
    let mut lists = it.lists.borrow_mut();
    let Some(at) = lists.iter().position(|known| known.block.address() == list && known.nb == nb) else {
        finding("DV.E6.0x06", Some(it.adapter.name()), "a list that is not allocated".to_owned());
        return;
    };
    let freed = lists.swap_remove(at);
    if let Some(slot) = it.adapter.slot() {
        for bus in freed.mapped {
            slot.dma().unmap(bus);
        }
    }
}
