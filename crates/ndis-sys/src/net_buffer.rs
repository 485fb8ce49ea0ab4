//! The `NET_BUFFER_*` macros of the header: the fields of a `NET_BUFFER` by their documented names.
//!
//! Each returns the place of the field, as the C macro is an lvalue.

#![allow(non_snake_case, reason = "the names of the documentation")]

use crate::NET_BUFFER;
use wdk_sys::{PMDL, PVOID, ULONG};

macro_rules! place {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $($field:ident).+;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// `net_buffer` must point to a live `NET_BUFFER`.
        #[inline]
        #[must_use]
        pub const unsafe fn $name(net_buffer: *mut NET_BUFFER) -> *mut $type {
            // SAFETY: The caller passes a live structure; no reference to it is made.
            unsafe { &raw mut (*net_buffer).$($field).+ }
        }
    )*};
}

place! {
    /// The next frame of the list.
    NET_BUFFER_NEXT_NB: *mut NET_BUFFER = __bindgen_anon_1.__bindgen_anon_1.Next;
    /// The first MDL of the chain.
    NET_BUFFER_FIRST_MDL: PMDL = __bindgen_anon_1.__bindgen_anon_1.MdlChain;
    /// The MDL in which the used data starts.
    NET_BUFFER_CURRENT_MDL: PMDL = __bindgen_anon_1.__bindgen_anon_1.CurrentMdl;
    /// Bytes of the current MDL before the used data.
    NET_BUFFER_CURRENT_MDL_OFFSET: ULONG = __bindgen_anon_1.__bindgen_anon_1.CurrentMdlOffset;
    /// Bytes of used data.
    NET_BUFFER_DATA_LENGTH: ULONG = __bindgen_anon_1.__bindgen_anon_1.__bindgen_anon_1.DataLength;
    /// Bytes of the MDL chain before the used data.
    NET_BUFFER_DATA_OFFSET: ULONG = __bindgen_anon_1.__bindgen_anon_1.DataOffset;
    /// What the miniport keeps with a frame it owns.
    NET_BUFFER_MINIPORT_RESERVED: [PVOID; 4] = MiniportReserved;
}
