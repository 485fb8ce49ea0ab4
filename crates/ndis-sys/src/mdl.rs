//! The MDL macros and inline functions of wdm.h.

#![allow(non_snake_case, reason = "the names of the documentation")]

use wdk_sys::ntddk::MmMapLockedPagesSpecifyCache;
use wdk_sys::{
    _MEMORY_CACHING_TYPE, CSHORT, MDL_MAPPED_TO_SYSTEM_VA, MDL_SOURCE_IS_NONPAGED_POOL, PMDL, PVOID, ULONG,
};

/// Bytes the MDL describes.
///
/// # Safety
///
/// `mdl` must point to a live MDL.
#[inline]
#[must_use]
pub const unsafe fn MmGetMdlByteCount(mdl: PMDL) -> ULONG {
    // SAFETY: As the caller promises.
    unsafe { (*mdl).ByteCount }
}

/// Bytes of the first page before the buffer.
///
/// # Safety
///
/// `mdl` must point to a live MDL.
#[inline]
#[must_use]
pub const unsafe fn MmGetMdlByteOffset(mdl: PMDL) -> ULONG {
    // SAFETY: As the caller promises.
    unsafe { (*mdl).ByteOffset }
}

/// The address the buffer was described by, in whose process that address means something.
///
/// # Safety
///
/// `mdl` must point to a live MDL.
#[inline]
#[must_use]
pub const unsafe fn MmGetMdlVirtualAddress(mdl: PMDL) -> PVOID {
    // SAFETY: As the caller promises.
    let start = unsafe { (*mdl).StartVa };
    // SAFETY: As the caller promises.
    let offset = unsafe { (*mdl).ByteOffset };
    start.cast::<u8>().wrapping_add(offset as usize).cast()
}

/// An address of the buffer in the system's address space, mapping it at need; null if that fails.
/// `priority` is one of `_MM_PAGE_PRIORITY`, with `MdlMappingNoExecute` and the like. IRQL <= `DISPATCH_LEVEL`.
///
/// # Safety
///
/// `mdl` must point to a live MDL whose pages are locked or non-paged.
#[inline]
#[must_use]
pub unsafe fn MmGetSystemAddressForMdlSafe(mdl: PMDL, priority: ULONG) -> PVOID {
    const KERNEL_MODE: i8 = 0;
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "both flags are below 8")]
    const MAPPED: CSHORT = (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) as CSHORT;

    // SAFETY: As the caller promises.
    let flags = unsafe { (*mdl).MdlFlags };
    if flags & MAPPED != 0 {
        // SAFETY: As the caller promises.
        return unsafe { (*mdl).MappedSystemVa };
    }
    // SAFETY: The caller's MDL is not yet mapped, and null asks for any address.
    unsafe {
        MmMapLockedPagesSpecifyCache(
            mdl,
            KERNEL_MODE,
            _MEMORY_CACHING_TYPE::MmCached,
            core::ptr::null_mut(),
            0,
            priority,
        )
    }
}
