//! `NET_BUFFER_LIST` and `NET_BUFFER`: the fields that a miniport uses, and chains that own what they link.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

use ndis_sys::{
    NET_BUFFER, NET_BUFFER_CURRENT_MDL, NET_BUFFER_CURRENT_MDL_OFFSET, NET_BUFFER_DATA_LENGTH,
    NET_BUFFER_LIST, NET_BUFFER_NEXT_NB, NdisGetDataBuffer,
};
use wdk_sys::{CSHORT, MDL_MAPPED_TO_SYSTEM_VA, MDL_SOURCE_IS_NONPAGED_POOL};

use crate::status::Status;

/// The list behind this one in a chain.
pub(crate) fn next_of(list: &NET_BUFFER_LIST) -> *mut NET_BUFFER_LIST {
    // SAFETY: the union's other members only give the same bytes other names.
    unsafe { list.__bindgen_anon_1.__bindgen_anon_1.Next }
}

/// Links a list to the one that shall follow it.
pub(crate) fn set_next(list: &mut NET_BUFFER_LIST, next: *mut NET_BUFFER_LIST) {
    list.__bindgen_anon_1.__bindgen_anon_1.Next = next;
}

/// What a list sent by a client says of its VC while the driver has it (see [`crate::send`]).
pub(crate) fn vc_context(list: &NET_BUFFER_LIST) -> *mut c_void {
    let [slot, _] = list.MiniportReserved;
    slot
}

/// Sets the status that a completion reports.
pub(crate) fn set_status(list: &mut NET_BUFFER_LIST, status: Status) {
    list.__bindgen_anon_2.Status = status.code();
}

/// The first net buffer of a list.
pub(crate) fn first_net_buffer(list: &NET_BUFFER_LIST) -> *mut NET_BUFFER {
    // SAFETY: the union's other members only give the same bytes other names.
    unsafe { list.__bindgen_anon_1.__bindgen_anon_1.FirstNetBuffer }
}

/// One list that the driver owns. `V` is the driver's VC; each list keeps a reference to its own in the miniport's
/// reserved space, put there by whoever made the value.
pub struct NetBufferList<V> {
    pub(crate) raw: NonNull<NET_BUFFER_LIST>,
    vc: PhantomData<V>,
}

// SAFETY: an owned list may be handled on any processor, one at a time.
unsafe impl<V: Send + Sync> Send for NetBufferList<V> {}

impl<V> NetBufferList<V> {
    /// # Safety
    /// The list must be valid and owned by the driver from here on.
    pub(crate) const unsafe fn new(raw: NonNull<NET_BUFFER_LIST>) -> Self {
        Self { raw, vc: PhantomData }
    }

    pub(crate) fn get(&self) -> &NET_BUFFER_LIST {
        // SAFETY: valid and owned (see `new`).
        unsafe { self.raw.as_ref() }
    }

    pub(crate) fn get_mut(&mut self) -> &mut NET_BUFFER_LIST {
        // SAFETY: valid and owned (see `new`).
        unsafe { self.raw.as_mut() }
    }

    /// The status that the completion will report.
    pub fn set_status(&mut self, status: Status) {
        set_status(self.get_mut(), status);
    }

    /// Whether the sender marked the list with this cancel id (`NDIS_GET_NET_BUFFER_LIST_CANCEL_ID`).
    pub fn has_cancel_id(&self, cancel_id: *mut c_void) -> bool {
        let index = ndis_sys::_NDIS_NET_BUFFER_LIST_INFO::NetBufferListCancelId as usize;
        self.get().NetBufferListInfo.get(index).is_some_and(|&id| id == cancel_id)
    }

    /// The frame of a list that has one and no more.
    pub fn only_net_buffer(&self) -> Option<NetBuffer<'_>> {
        let mut net_buffers = self.net_buffers();
        let first = net_buffers.next()?;
        net_buffers.next.is_null().then_some(first)
    }

    /// The frames of the list, in order.
    pub fn net_buffers(&self) -> NetBuffers<'_> {
        NetBuffers { next: first_net_buffer(self.get()), list: PhantomData }
    }
}

impl<V> core::fmt::Debug for NetBufferList<V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NetBufferList")
    }
}

/// Iterates over the frames of one list.
#[derive(Debug)]
pub struct NetBuffers<'a> {
    next: *mut NET_BUFFER,
    list: PhantomData<&'a NET_BUFFER_LIST>,
}

impl<'a> Iterator for NetBuffers<'a> {
    type Item = NetBuffer<'a>;

    fn next(&mut self) -> Option<NetBuffer<'a>> {
        let raw = NonNull::new(self.next)?;
        // SAFETY: the list is borrowed, so its net buffers are alive.
        let next = unsafe { NET_BUFFER_NEXT_NB(raw.as_ptr()) };
        // SAFETY: the place of a field of a live net buffer.
        let next = unsafe { next.read() };
        self.next = next;
        Some(NetBuffer { raw, list: PhantomData })
    }
}

/// One frame.
#[derive(Debug)]
pub struct NetBuffer<'a> {
    raw: NonNull<NET_BUFFER>,
    list: PhantomData<&'a NET_BUFFER_LIST>,
}

impl NetBuffer<'_> {
    /// Bytes in the frame.
    pub fn len(&self) -> usize {
        // SAFETY: alive while the list is borrowed.
        let length = unsafe { NET_BUFFER_DATA_LENGTH(self.raw.as_ptr()) };
        // SAFETY: the place of a field of a live net buffer.
        let length = unsafe { length.read() };
        length as usize
    }

    /// Whether the frame has no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of the frame where they lie, if that is in one piece with a system address: all in one MDL that
    /// `MmGetSystemAddressForMdlSafe` would not have to map. `None`: ask for [`NetBuffer::bytes`].
    #[inline]
    pub fn mapped_bytes(&self) -> Option<&[u8]> {
        #[expect(clippy::cast_possible_truncation, reason = "both flags are below 8")]
        const MAPPED: CSHORT = (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) as CSHORT;
        let length = self.len();
        // SAFETY: alive while the list is borrowed.
        let mdl = unsafe { NET_BUFFER_CURRENT_MDL(self.raw.as_ptr()) };
        // SAFETY: the place of a field of a live net buffer.
        let mdl = unsafe { mdl.read() };
        // SAFETY: alive while the list is borrowed.
        let offset = unsafe { NET_BUFFER_CURRENT_MDL_OFFSET(self.raw.as_ptr()) };
        // SAFETY: the place of a field of a live net buffer.
        let offset = unsafe { offset.read() } as usize;
        // SAFETY: null, or the MDL in which the data of a live net buffer starts.
        let mdl = unsafe { mdl.as_ref() }?;
        if mdl.MdlFlags & MAPPED == 0 || offset.checked_add(length)? > mdl.ByteCount as usize {
            return None;
        }
        let start = mdl.MappedSystemVa.cast::<u8>().wrapping_add(offset);
        // SAFETY: the flags say that the address is valid, the byte count that these bytes are the MDL's; they stay
        // while the list is borrowed.
        Some(unsafe { core::slice::from_raw_parts(start, length) })
    }

    /// The first bytes of the frame (`NdisGetDataBuffer`). `None` if it has fewer, or if memory could not be mapped.
    /// IRQL <= `DISPATCH_LEVEL`.
    pub fn beginning<const N: usize>(&self) -> Option<[u8; N]> {
        let needed = u32::try_from(N).ok().filter(|_| N != 0 && N <= self.len())?;
        let mut storage = [0; N];
        // SAFETY: the net buffer is alive, has the bytes asked for, and `storage` has room for them.
        let data = unsafe { NdisGetDataBuffer(self.raw.as_ptr(), needed, storage.as_mut_ptr().cast(), 1, 0) };
        let data = NonNull::new(data.cast::<[u8; N]>())?;
        // SAFETY: NDIS returned `N` contiguous bytes, in the net buffer or in `storage`; bytes have no alignment.
        Some(unsafe { data.read() })
    }

    /// The bytes of the frame in one piece: where they lie, or copied to `storage` if they are scattered
    /// (`NdisGetDataBuffer`). `None` if `storage` is too short, or if memory could not be mapped.
    /// IRQL <= `DISPATCH_LEVEL`.
    pub fn bytes<'b>(&'b self, storage: &'b mut [u8]) -> Option<&'b [u8]> {
        let length = self.len();
        let needed = u32::try_from(length).ok()?;
        if length > storage.len() || length == 0 {
            return None;
        }
        // SAFETY: the net buffer is alive, and `storage` has room for the bytes asked for.
        let data = unsafe { NdisGetDataBuffer(self.raw.as_ptr(), needed, storage.as_mut_ptr().cast(), 1, 0) };
        if data.is_null() {
            return None;
        }
        // SAFETY: NDIS returned `length` contiguous bytes, in the net buffer or in `storage`, both borrowed.
        Some(unsafe { core::slice::from_raw_parts(data.cast::<u8>(), length) })
    }
}

/// A chain of lists that the driver owns, with O(1) append.
pub struct Chain<V> {
    head: *mut NET_BUFFER_LIST,
    tail: *mut NET_BUFFER_LIST,
    count: u32,
    /// What all lists say of their VC, if they are known to say the same; otherwise null.
    context: *mut c_void,
    vc: PhantomData<V>,
}

// SAFETY: as for `NetBufferList`.
unsafe impl<V: Send + Sync> Send for Chain<V> {}

impl<V> Chain<V> {
    /// An empty chain.
    pub const fn new() -> Self {
        Self {
            head: ptr::null_mut(),
            tail: ptr::null_mut(),
            count: 0,
            context: ptr::null_mut(),
            vc: PhantomData,
        }
    }

    /// How many lists are in it.
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    pub(crate) const fn head(&self) -> *mut NET_BUFFER_LIST {
        self.head
    }

    /// What all lists say of their VC, if they are known to say the same; otherwise null.
    pub(crate) const fn context(&self) -> *mut c_void {
        self.context
    }

    /// # Safety
    /// `head` to `tail` must be `count` linked lists, valid and owned by the driver from here on, all with `context`.
    pub(crate) const unsafe fn from_raw(
        head: *mut NET_BUFFER_LIST,
        tail: *mut NET_BUFFER_LIST,
        count: u32,
        context: *mut c_void,
    ) -> Self {
        Self { head, tail, count, context, vc: PhantomData }
    }

    /// Lists with `context`, or with several if that is null, are about to be appended.
    fn admit(&mut self, context: *mut c_void) {
        if self.is_empty() {
            self.context = context;
        } else if self.context != context {
            self.context = ptr::null_mut();
        }
    }

    /// Appends one list.
    pub fn push(&mut self, mut list: NetBufferList<V>) {
        self.admit(vc_context(list.get()));
        set_next(list.get_mut(), ptr::null_mut());
        let raw = list.raw.as_ptr();
        // SAFETY: the tail is a list of this chain, so it is valid and owned.
        match unsafe { self.tail.as_mut() } {
            Some(tail) => set_next(tail, raw),
            None => self.head = raw,
        }
        self.tail = raw;
        self.count = self.count.wrapping_add(1);
    }

    /// Puts a list before the others.
    pub fn push_front(&mut self, list: NetBufferList<V>) {
        let mut first = Self::new();
        first.push(list);
        first.append(core::mem::take(self));
        *self = first;
    }

    /// Takes the first list.
    pub fn pop(&mut self) -> Option<NetBufferList<V>> {
        let raw = NonNull::new(self.head)?;
        // SAFETY: a list of this chain is valid and owned.
        let mut list = unsafe { NetBufferList::<V>::new(raw) };
        self.head = next_of(list.get());
        if self.head.is_null() {
            self.tail = ptr::null_mut();
        }
        self.count = self.count.wrapping_sub(1);
        set_next(list.get_mut(), ptr::null_mut());
        Some(list)
    }

    /// Appends all lists of another chain.
    pub fn append(&mut self, other: Self) {
        let (tail, count, context) = (other.tail, other.count, other.context);
        let head = other.into_raw();
        if head.is_null() {
            return;
        }
        self.admit(context);
        // SAFETY: the tail is a list of this chain, so it is valid and owned.
        match unsafe { self.tail.as_mut() } {
            Some(last) => set_next(last, head),
            None => self.head = head,
        }
        self.tail = tail;
        self.count = self.count.wrapping_add(count);
    }

    /// Takes lists from the front as long as `wanted` says so.
    #[must_use]
    #[inline]
    pub fn take_while(&mut self, mut wanted: impl FnMut(&NetBufferList<V>) -> bool) -> Self {
        let mut next = self.head;
        while let Some(raw) = NonNull::new(next) {
            // SAFETY: a list of this chain, which is valid and owned; it stays the chain's.
            let list = ManuallyDrop::new(unsafe { NetBufferList::<V>::new(raw) });
            if !wanted(&list) {
                // Mostly all are wanted, and nothing else need be kept on the way.
                return self.take_while_raw(|list| !ptr::eq(list, next));
            }
            next = next_of(list.get());
        }
        core::mem::take(self)
    }

    /// Takes `count` lists from the front, or all if there are fewer.
    #[must_use]
    #[inline]
    pub fn take(&mut self, count: usize) -> Self {
        if count >= self.count as usize {
            return core::mem::take(self);
        }
        let mut left = count;
        self.take_while_raw(|_| {
            let wanted = left != 0;
            left = left.saturating_sub(1);
            wanted
        })
    }

    /// Takes lists from the front as long as `next` has a status for them, and gives it to them.
    #[must_use]
    #[inline]
    pub fn take_with_status(&mut self, mut next: impl FnMut() -> Option<Status>) -> Self {
        self.take_while_raw(|list| match next() {
            Some(status) => {
                set_status(list, status);
                true
            }
            None => false,
        })
    }

    /// Takes lists from the front as long as `wanted` says so.
    #[inline]
    pub(crate) fn take_while_raw(&mut self, mut wanted: impl FnMut(&mut NET_BUFFER_LIST) -> bool) -> Self {
        let (mut last, mut next, mut count) = (ptr::null_mut(), self.head, 0_u32);
        // SAFETY: null, or a list of this chain, which is valid and owned.
        while let Some(list) = unsafe { next.as_mut() } {
            if !wanted(list) {
                break;
            }
            last = next;
            next = next_of(list);
            count = count.wrapping_add(1);
        }
        // SAFETY: as above.
        let Some(end) = (unsafe { last.as_mut() }) else { return Self::new() };
        set_next(end, ptr::null_mut());
        let taken = Self { head: self.head, tail: last, count, context: self.context, vc: PhantomData };
        self.head = next;
        if next.is_null() {
            self.tail = ptr::null_mut();
        }
        self.count = self.count.wrapping_sub(count);
        taken
    }

    /// Takes out the lists that `choose` picks; both chains keep their order.
    #[must_use]
    pub fn extract(&mut self, mut choose: impl FnMut(&NetBufferList<V>) -> bool) -> Self {
        let mut kept = Self::new();
        let mut chosen = Self::new();
        while let Some(list) = self.pop() {
            if choose(&list) { chosen.push(list) } else { kept.push(list) }
        }
        *self = kept;
        chosen
    }

    /// Gives up the chain; whoever takes the pointer owns the lists.
    pub(crate) fn into_raw(self) -> *mut NET_BUFFER_LIST {
        core::mem::ManuallyDrop::new(self).head
    }
}

impl<V> Default for Chain<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Drop for Chain<V> {
    fn drop(&mut self) {
        // Lists that nobody completes or returns are lost to their owner; the simulator reports them.
        debug_assert!(self.is_empty(), "a chain was dropped with lists in it");
    }
}

impl<V> core::fmt::Debug for Chain<V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Chain").field("count", &self.count).finish_non_exhaustive()
    }
}
