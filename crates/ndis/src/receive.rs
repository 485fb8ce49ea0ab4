//! Receives: preallocated net buffer lists over shared memory, lent to clients and returned.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, Ordering};

use alloc::vec::Vec;
use ndis_sys::{
    NDIS_HANDLE, NET_BUFFER_LIST, NET_BUFFER_LIST_POOL_PARAMETERS, NdisAllocateMdl,
    NdisAllocateNetBufferAndNetBufferList, NdisAllocateNetBufferListPool, NdisFreeMdl, NdisFreeNetBufferList,
    NdisFreeNetBufferListPool, NdisMCoIndicateReceiveNetBufferLists,
};
use wdk_sys::PMDL;

use crate::dma::SharedMemory;
use crate::header::header;
use crate::initialize::Initialize;
use crate::irql::Dispatch;
use crate::memory::filled;
use crate::net_buffer_list::{Chain, NetBufferList, first_net_buffer, next_of};
use crate::reference::Ref;
use crate::status::{Result, Status};
use crate::vc::Vc;

/// The slots of `MiniportReserved` of an indicated list.
const VC_SLOT: usize = 0;
const BUFFER_SLOT: usize = 1;

/// `NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL`.
const AT_DISPATCH_LEVEL: u32 = 1;
/// `NDIS_RECEIVE_FLAGS_RESOURCES`.
const COPY_NOW: u32 = 2;

/// A pool of net buffer lists; freed by Drop, after the lists.
#[derive(Debug)]
struct Pool(NDIS_HANDLE);

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: allocated by `ReceivePool::allocate`; its lists are freed before it (field order).
        unsafe { NdisFreeNetBufferListPool(self.0) };
    }
}

#[derive(Debug)]
struct Mdl(PMDL);

impl Drop for Mdl {
    fn drop(&mut self) {
        // SAFETY: allocated by `ReceivePool::allocate`; the list that chains it is freed before it (field order).
        unsafe { NdisFreeMdl(self.0) };
    }
}

#[derive(Debug)]
struct List(NonNull<NET_BUFFER_LIST>);

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: allocated by `ReceivePool::allocate`, and back from clients: the owner waited for that.
        unsafe { NdisFreeNetBufferList(self.0.as_ptr()) };
    }
}

#[derive(Debug)]
struct Buffer {
    /// Above all others, so that it is freed first.
    list: List,
    _mdl: Mdl,
    lent: AtomicBool,
}

/// One net buffer list for each receive buffer of a block of shared memory. All lists must be back before Drop,
/// which runs at `PASSIVE_LEVEL`.
#[derive(Debug)]
pub struct ReceivePool {
    buffers: Vec<Buffer>,
    stride: u32,
    _pool: Pool,
}

// SAFETY: lists are handed out one at a time under the `lent` flags; the rest is not changed after `allocate`.
unsafe impl Send for ReceivePool {}
// SAFETY: as above.
unsafe impl Sync for ReceivePool {}

impl ReceivePool {
    /// Makes `count` lists, the n-th over the `stride` bytes at `n * stride` of the memory.
    /// IRQL: `PASSIVE_LEVEL`, inside `MiniportInitializeEx`.
    pub fn allocate(
        init: &Initialize<'_>,
        memory: &SharedMemory,
        count: usize,
        stride: u32,
        tag: u32,
    ) -> Result<Self> {
        let mut parameters = NET_BUFFER_LIST_POOL_PARAMETERS {
            Header: header(
                ndis_sys::NDIS_OBJECT_TYPE_DEFAULT,
                ndis_sys::NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
                ndis_sys::NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
            ),
            // NDIS_PROTOCOL_ID_DEFAULT.
            ProtocolId: 0,
            fAllocateNetBuffer: 1,
            PoolTag: tag,
            ..Default::default()
        };
        let adapter = init.handle();
        // SAFETY: the parameters are complete and copied.
        let handle = unsafe { NdisAllocateNetBufferListPool(adapter.0, &raw mut parameters) };
        if handle.is_null() {
            return Err(Status::RESOURCES);
        }
        let pool = Pool(handle);
        let buffers = filled(count, |index| {
            let offset = index.checked_mul(stride as usize).ok_or(Status::RESOURCES)?;
            let bytes = memory.range(offset, stride as usize).ok_or(Status::RESOURCES)?;
            // SAFETY: the bytes are non-paged and outlive the pool, which the adapter frees before its memory.
            let mdl = unsafe { NdisAllocateMdl(adapter.0, bytes.as_ptr().cast(), stride) };
            if mdl.is_null() {
                return Err(Status::RESOURCES);
            }
            let mdl = Mdl(mdl);
            // SAFETY: pool and MDL are alive; the list describes no byte of the MDL yet.
            let list = unsafe { NdisAllocateNetBufferAndNetBufferList(pool.0, 0, 0, mdl.0, 0, 0) };
            let list = List(NonNull::new(list).ok_or(Status::RESOURCES)?);
            Ok(Buffer { list, _mdl: mdl, lent: AtomicBool::new(false) })
        })?;
        Ok(Self { buffers, stride, _pool: pool })
    }

    /// The list of buffer `index`, describing `length` bytes at `offset` of it, for indication on `vc`.
    /// `None` if it is out already, or if the bytes lie outside. IRQL <= `DISPATCH_LEVEL`.
    pub fn lend<V: Vc>(
        &self,
        index: usize,
        offset: u32,
        length: u32,
        vc: &Ref<V>,
    ) -> Option<NetBufferList<V>> {
        let buffer = self.buffers.get(index)?;
        if offset.checked_add(length)? > self.stride || buffer.lent.swap(true, Ordering::Acquire) {
            return None;
        }
        // SAFETY: allocated by this pool, and not lent to anybody else, as the flag says.
        let mut list = unsafe { NetBufferList::<V>::new(buffer.list.0) };
        let raw = list.get_mut();
        raw.SourceHandle = vc.handle().raw();
        raw.__bindgen_anon_2.Status = Status::SUCCESS.code();
        raw.NblFlags = 0;
        raw.Flags = 0;
        let [vc_slot, buffer_slot] = &mut raw.MiniportReserved;
        *vc_slot = Ref::into_raw(Ref::clone(vc));
        *buffer_slot = ptr::without_provenance_mut(index);
        let frame = first_net_buffer(raw);
        // SAFETY: the list was allocated together with one net buffer over one MDL, and we own both.
        let frame = unsafe { &mut *frame };
        // SAFETY: the members of the union are the same bytes under other names.
        let data = unsafe { &mut frame.__bindgen_anon_1.__bindgen_anon_1 };
        data.DataOffset = offset;
        data.CurrentMdl = data.MdlChain;
        data.CurrentMdlOffset = offset;
        data.__bindgen_anon_1.DataLength = length;
        Some(list)
    }
}

/// What comes back from clients: for each list the buffer that is free again and the VC it was indicated on.
pub struct ReturnedChain {
    next: *mut NET_BUFFER_LIST,
}

impl core::fmt::Debug for ReturnedChain {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ReturnedChain")
    }
}

impl ReturnedChain {
    /// # Safety
    /// The chain must consist of lists that this driver's pools lent, and be ours from here on.
    pub(crate) const unsafe fn new(chain: *mut NET_BUFFER_LIST) -> Self {
        Self { next: chain }
    }

    /// Takes the next list: the buffer that is free again, and the VC it was indicated on. `V` is the VC type that it was
    /// lent for.
    pub fn pop<V: Vc>(&mut self, pool: &ReceivePool) -> Option<(usize, Ref<V>)> {
        let raw = NonNull::new(self.next)?;
        // SAFETY: a list of the chain is valid and ours.
        let list = unsafe { &*raw.as_ptr() };
        self.next = next_of(list);
        let vc = list.MiniportReserved.get(VC_SLOT).copied()?;
        let index = list.MiniportReserved.get(BUFFER_SLOT).copied()?.addr();
        if let Some(buffer) = pool.buffers.get(index) {
            buffer.lent.store(false, Ordering::Release);
        }
        // SAFETY: put there by `lend`, taken once: the next `lend` overwrites it.
        Some((index, unsafe { Ref::from_raw(vc) }))
    }

    /// Whether nothing is left in it.
    pub const fn is_empty(&self) -> bool {
        self.next.is_null()
    }
}

impl<V: Vc> Chain<V> {
    /// `NdisMCoIndicateReceiveNetBufferLists`: lends all lists of the chain, which must be on `vc`, to its client.
    /// They come back through `MiniportReturnNetBufferLists`, perhaps before this returns. No lock held.
    pub fn indicate(self, vc: &V, _irql: &Dispatch) {
        let count = self.len();
        if count != 0 {
            // SAFETY: NDIS has the lists until it returns them.
            unsafe { indicate(vc, self.into_raw(), count, AT_DISPATCH_LEVEL) };
        }
    }

    /// The same where buffers run short: the client copies what it wants before this returns, and the lists are ours
    /// again (`NDIS_RECEIVE_FLAGS_RESOURCES`).
    #[must_use = "the buffers of the chain are free again"]
    pub fn indicate_copied(self, vc: &V, _irql: &Dispatch) -> ReturnedChain {
        let count = self.len();
        let head = self.into_raw();
        if count != 0 {
            // SAFETY: with this flag NDIS keeps none of the lists, and leaves them linked as they were.
            unsafe { indicate(vc, head, count, AT_DISPATCH_LEVEL | COPY_NOW) };
        }
        ReturnedChain { next: head }
    }
}

/// `NdisMCoIndicateReceiveNetBufferLists` at `DISPATCH_LEVEL`.
///
/// # Safety
/// `head` must be a chain of `count` lists that were lent for this VC, which must be active.
unsafe fn indicate<V: Vc>(vc: &V, head: *mut NET_BUFFER_LIST, count: u32, flags: u32) {
    // SAFETY: by the caller's promise.
    unsafe { NdisMCoIndicateReceiveNetBufferLists(vc.handle().raw(), head, count, flags) };
}
