//! The `NET_BUFFER_LIST_*` macros of the header: the fields of a `NET_BUFFER_LIST` by their documented names.
//!
//! Each returns the place of the field, as the C macro is an lvalue.

#![allow(non_snake_case, reason = "the names of the documentation")]

use crate::{
    _NDIS_NET_BUFFER_LIST_INFO, NDIS_HANDLE, NDIS_NET_BUFFER_LIST_INFO, NDIS_STATUS, NET_BUFFER,
    NET_BUFFER_LIST,
};
use wdk_sys::{PVOID, ULONG};

macro_rules! place {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $($field:ident).+;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// `list` must point to a live `NET_BUFFER_LIST`.
        #[inline]
        #[must_use]
        pub const unsafe fn $name(list: *mut NET_BUFFER_LIST) -> *mut $type {
            // SAFETY: The caller passes a live structure; no reference to it is made.
            unsafe { &raw mut (*list).$($field).+ }
        }
    )*};
}

place! {
    /// The next list of the chain.
    NET_BUFFER_LIST_NEXT_NBL: *mut NET_BUFFER_LIST = __bindgen_anon_1.__bindgen_anon_1.Next;
    /// The first frame.
    NET_BUFFER_LIST_FIRST_NB: *mut NET_BUFFER = __bindgen_anon_1.__bindgen_anon_1.FirstNetBuffer;
    /// Flags of the list's content, `NDIS_NBL_FLAGS_*`.
    NET_BUFFER_LIST_NBL_FLAGS: ULONG = NblFlags;
    /// Flags of who holds the list; drivers leave them alone.
    NET_BUFFER_LIST_FLAGS: ULONG = Flags;
    /// How a send ended, or whether a received list is complete.
    NET_BUFFER_LIST_STATUS: NDIS_STATUS = __bindgen_anon_2.Status;
    /// Who allocated the list: the adapter or the VC that indicates it.
    NET_BUFFER_LIST_SOURCE_HANDLE: NDIS_HANDLE = SourceHandle;
    /// What the miniport keeps with a list it owns.
    NET_BUFFER_LIST_MINIPORT_RESERVED: [PVOID; 2] = MiniportReserved;
}

/// The out-of-band information of kind `kind`, or null if there is no such kind.
///
/// # Safety
///
/// `list` must point to a live `NET_BUFFER_LIST`.
#[inline]
#[must_use]
pub const unsafe fn NET_BUFFER_LIST_INFO(
    list: *mut NET_BUFFER_LIST,
    kind: NDIS_NET_BUFFER_LIST_INFO,
) -> *mut PVOID {
    if kind < 0 || kind >= _NDIS_NET_BUFFER_LIST_INFO::MaxNetBufferListInfo {
        return core::ptr::null_mut();
    }
    // SAFETY: The caller passes a live structure; no reference to it is made.
    let first = unsafe { &raw mut (*list).NetBufferListInfo }.cast::<PVOID>();
    // SAFETY: `kind` was found to be within the array.
    unsafe { first.add(kind.unsigned_abs() as usize) }
}

/// What a protocol marked the list with, to cancel it by. Page `NDIS_GET_NET_BUFFER_LIST_CANCEL_ID`.
///
/// # Safety
///
/// `list` must point to a live `NET_BUFFER_LIST`.
#[inline]
#[must_use]
pub const unsafe fn NDIS_GET_NET_BUFFER_LIST_CANCEL_ID(list: *mut NET_BUFFER_LIST) -> PVOID {
    // SAFETY: As the caller promises.
    let place = unsafe { NET_BUFFER_LIST_INFO(list, _NDIS_NET_BUFFER_LIST_INFO::NetBufferListCancelId) };
    // SAFETY: The kind exists in every revision of the structure, so the place is inside `list`.
    unsafe { place.read() }
}
