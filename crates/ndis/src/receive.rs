//! Receives: preallocated net buffer lists over shared memory, lent to clients and returned.
//!
//! `MiniportReserved` of an indicated list holds a reference to its VC; and that of every list the index of its buffer, which
//! is put there once: the space is the miniport's alone.

use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use alloc::vec::Vec;
use ndis_sys::{
    NDIS_HANDLE, NET_BUFFER_LIST, NET_BUFFER_LIST_POOL_PARAMETERS, NdisAllocateMdl,
    NdisAllocateNetBufferAndNetBufferList, NdisAllocateNetBufferListPool, NdisFreeMdl, NdisFreeNetBufferList,
    NdisFreeNetBufferListPool, NdisMCoIndicateReceiveNetBufferLists,
};
use wdk_sys::PMDL;

use crate::header::header;
use crate::initialize::Initialize;
use crate::irql::Dispatch;
use crate::memory::filled;
use crate::net_buffer_list::{first_net_buffer, next_of, set_next, set_status};
use crate::reference::Ref;
use crate::rooms::Rooms;
use crate::status::{Result, Status};
use crate::vc::Vc;

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
    /// Where it is in the memory.
    index: u32,
    lent: bool,
}

/// One net buffer list for each receive buffer, a room of shared memory. All lists must be back before Drop,
/// which runs at `PASSIVE_LEVEL`.
#[derive(Debug)]
pub struct ReceivePool {
    buffers: Vec<Buffer>,
    stride: u32,
    _pool: Pool,
}

// SAFETY: lists may be handled on any processor, one at a time.
unsafe impl Send for ReceivePool {}

impl ReceivePool {
    /// Makes as many lists as there are rooms, each over one of them. IRQL: `PASSIVE_LEVEL`, inside `MiniportInitializeEx`.
    pub fn allocate<const ROOM: usize>(init: &Initialize<'_>, rooms: &Rooms<ROOM>, tag: u32) -> Result<Self> {
        let stride = u32::try_from(ROOM).map_err(|_| Status::RESOURCES)?;
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
        let buffers = filled(rooms.len(), |index| {
            let bytes = rooms.base(index).ok_or(Status::RESOURCES)?;
            // SAFETY: the bytes are non-paged and outlive the pool, which the adapter frees before its memory.
            let mdl = unsafe { NdisAllocateMdl(adapter.0, bytes.as_ptr().cast(), stride) };
            if mdl.is_null() {
                return Err(Status::RESOURCES);
            }
            let mdl = Mdl(mdl);
            // SAFETY: pool and MDL are alive; the list describes no byte of the MDL yet.
            let list = unsafe { NdisAllocateNetBufferAndNetBufferList(pool.0, 0, 0, mdl.0, 0, 0) };
            let list = List(NonNull::new(list).ok_or(Status::RESOURCES)?);
            // SAFETY: just allocated, and nobody else's.
            let reserved = unsafe { &mut (*list.0.as_ptr()).MiniportReserved };
            let [_, slot] = reserved;
            *slot = ptr::without_provenance_mut(index);
            let index = u32::try_from(index).map_err(|_| Status::RESOURCES)?;
            Ok(Buffer { list, _mdl: mdl, index, lent: false })
        })?;
        Ok(Self { buffers, stride, _pool: pool })
    }

    /// Notes that a list is not lent any more, and reports its buffer to `free`.
    #[inline]
    fn take_back(&mut self, list: &NET_BUFFER_LIST, free: &mut impl FnMut(u32)) {
        let [_, index] = list.MiniportReserved;
        if let Some(buffer) = self.buffers.get_mut(index.addr()) {
            buffer.lent = false;
            free(buffer.index);
        }
    }
}

/// Lists that will be indicated together on one VC.
pub struct Arrivals {
    /// Linked up to `tail`; what `tail` has behind it says nothing.
    head: *mut NET_BUFFER_LIST,
    tail: *mut NET_BUFFER_LIST,
    count: u32,
}

// SAFETY: the lists are owned, and may be handled on any processor, one at a time.
unsafe impl Send for Arrivals {}

impl Arrivals {
    /// None so far.
    pub const fn new() -> Self {
        Self { head: ptr::null_mut(), tail: ptr::null_mut(), count: 0 }
    }

    /// How many there are.
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends the list of buffer `index`, describing `length` bytes at `offset` of it. False if it is out already, or if
    /// the bytes lie outside. IRQL <= `DISPATCH_LEVEL`.
    #[inline]
    pub fn push(&mut self, pool: &mut ReceivePool, index: u32, offset: u32, length: u32) -> bool {
        let Some(buffer) = pool.buffers.get_mut(index as usize) else { return false };
        if u64::from(offset).wrapping_add(length.into()) > pool.stride.into() || buffer.lent {
            return false;
        }
        buffer.lent = true;
        let place = buffer.list.0.as_ptr();
        // SAFETY: allocated by this pool, and not lent to anybody else, as the flag says.
        let list = unsafe { &mut *place };
        set_status(list, Status::SUCCESS);
        // Of `Flags` some bits are NDIS's (NBL_FLAGS_NDIS_RESERVED).
        list.NblFlags = 0;
        // SAFETY: the list was allocated together with one net buffer over one MDL, and we own both.
        let frame = unsafe { &mut *first_net_buffer(list) };
        // SAFETY: the members of the union are the same bytes under other names.
        let data = unsafe { &mut frame.__bindgen_anon_1.__bindgen_anon_1 };
        data.DataOffset = offset;
        data.CurrentMdl = data.MdlChain;
        data.CurrentMdlOffset = offset;
        data.__bindgen_anon_1.DataLength = length;
        // SAFETY: null, or a list of this chain, which is valid and owned.
        match unsafe { self.tail.as_mut() } {
            Some(tail) => set_next(tail, place),
            None => self.head = place,
        }
        self.tail = place;
        self.count = self.count.wrapping_add(1);
        true
    }

    /// Puts two octets before the data of every list, in place of what is there; a list whose data begins its buffer stays
    /// as it is. IRQL <= `DISPATCH_LEVEL`.
    pub fn prepend(&mut self, octets: [u8; 2]) {
        const LENGTH: u32 = 2;
        let (mut next, count) = (self.head, self.count);
        for _ in 0..count {
            // SAFETY: null, or a list of this chain, which is valid and owned; there are `count`.
            let Some(list) = (unsafe { next.as_ref() }) else { break };
            next = next_of(list);
            // SAFETY: the list was allocated together with one net buffer over one MDL, and we own both.
            let frame = unsafe { &mut *first_net_buffer(list) };
            // SAFETY: the members of the union are the same bytes under other names.
            let data = unsafe { &mut frame.__bindgen_anon_1.__bindgen_anon_1 };
            let Some(offset) = data.DataOffset.checked_sub(LENGTH) else { continue };
            // SAFETY: the MDL that the list was allocated with.
            let start = unsafe { (*data.MdlChain).MappedSystemVa }.cast::<u8>();
            // SAFETY: `push` has seen that the data, before which this lies, is inside the buffer.
            let place = unsafe { start.add(offset as usize) };
            // SAFETY: as above; the buffer is not lent, and the device has written what it had to.
            unsafe { place.cast::<[u8; 2]>().write_volatile(octets) };
            data.DataOffset = offset;
            data.CurrentMdlOffset = offset;
            // SAFETY: the members of the union are the same bytes under other names.
            let length = unsafe { &mut data.__bindgen_anon_1.DataLength };
            *length = length.saturating_add(LENGTH);
        }
    }

    /// `NdisMCoIndicateReceiveNetBufferLists`: lends all lists to the VC's client. They come back through
    /// `MiniportReturnNetBufferLists`, perhaps before this returns.
    pub fn indicate<V: Vc>(&mut self, vc: &Ref<V>, _irql: &mut Dispatch) {
        let (head, count) = self.take(vc);
        if count != 0 {
            // SAFETY: NDIS has the lists until it returns them.
            unsafe { indicate(&**vc, head, count, AT_DISPATCH_LEVEL) };
        }
    }

    /// The same where buffers run short: the client copies what it wants before this returns, and the lists are ours
    /// again (`NDIS_RECEIVE_FLAGS_RESOURCES`).
    #[must_use = "the buffers of the chain are free again"]
    pub fn indicate_copied<V: Vc>(&mut self, vc: &Ref<V>, _irql: &mut Dispatch) -> ReturnedChain<V> {
        let (head, count) = self.take(vc);
        if count != 0 {
            // SAFETY: with this flag NDIS keeps none of the lists, and leaves them linked as they were.
            unsafe { indicate(&**vc, head, count, AT_DISPATCH_LEVEL | COPY_NOW) };
        }
        ReturnedChain { next: head, vc: PhantomData }
    }

    /// Gives up the lists: reports the buffers that are free again to `free`.
    pub fn drop_all(&mut self, pool: &mut ReceivePool, mut free: impl FnMut(u32)) {
        let (mut next, _) = self.unlink();
        // SAFETY: null, or a list of this chain, which is valid and owned.
        while let Some(list) = unsafe { next.as_ref() } {
            pool.take_back(list, &mut free);
            next = next_of(list);
        }
    }

    /// Takes the lists out, each with a counted reference to the VC.
    fn take<V: Vc>(&mut self, vc: &Ref<V>) -> (*mut NET_BUFFER_LIST, u32) {
        let (source, context) = (vc.handle().raw(), Ref::as_context(vc));
        let (head, count) = self.unlink();
        let mut next = head;
        // SAFETY: null, or a list of this chain, which is valid and owned.
        while let Some(list) = unsafe { next.as_mut() } {
            list.SourceHandle = source;
            let [slot, _] = &mut list.MiniportReserved;
            *slot = context;
            next = next_of(list);
        }
        Ref::count_contexts(vc, count);
        (head, count)
    }

    /// Takes the lists out.
    fn unlink(&mut self) -> (*mut NET_BUFFER_LIST, u32) {
        // SAFETY: null, or a list of this chain, which is valid and owned.
        if let Some(tail) = unsafe { self.tail.as_mut() } {
            set_next(tail, ptr::null_mut());
        }
        let (head, count) = (self.head, self.count);
        *self = Self::new();
        (head, count)
    }
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Arrivals").field("count", &self.count).finish_non_exhaustive()
    }
}

/// What comes back from clients.
pub struct ReturnedChain<V> {
    next: *mut NET_BUFFER_LIST,
    vc: PhantomData<V>,
}

impl<V> core::fmt::Debug for ReturnedChain<V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ReturnedChain")
    }
}

impl<V: Vc> ReturnedChain<V> {
    /// # Safety
    /// The chain must consist of lists that this driver's pools lent for VCs of type `V`, and be ours from here on.
    pub(crate) const unsafe fn new(chain: *mut NET_BUFFER_LIST) -> Self {
        Self { next: chain, vc: PhantomData }
    }

    /// Takes the next lists that were indicated on one VC: reports the buffers that are free again to `free`, and gives
    /// back the VC and their number.
    pub fn pop_run(&mut self, pool: &mut ReceivePool, mut free: impl FnMut(u32)) -> Option<(Ref<V>, u32)> {
        // SAFETY: null, or a list of the chain, which is valid and ours.
        let [context, _] = unsafe { self.next.as_ref() }?.MiniportReserved;
        let mut count = 0_u32;
        // SAFETY: as above.
        while let Some(list) = unsafe { self.next.as_ref() } {
            let [vc, _] = list.MiniportReserved;
            if vc != context {
                break;
            }
            self.next = next_of(list);
            pool.take_back(list, &mut free);
            count = count.wrapping_add(1);
        }
        // SAFETY: counted when the lists left the driver (`Arrivals::take`); this takes the reference of one of them.
        let vc = unsafe { Ref::from_raw(context) };
        // SAFETY: the references of the others; the next `Arrivals::take` overwrites them.
        unsafe { Ref::discount_contexts(&vc, count.wrapping_sub(1)) };
        Some((vc, count))
    }

    /// Whether nothing is left in it.
    pub const fn is_empty(&self) -> bool {
        self.next.is_null()
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
