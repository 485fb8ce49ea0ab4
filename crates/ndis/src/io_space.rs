//! Device registers mapped into the kernel's address space.
//!
//! Accesses are ordered as those of `READ_REGISTER_ULONG` and `WRITE_REGISTER_ULONG` are (wdm.h): on ARM64 a data
//! synchronization barrier comes before each, so that what was stored before is seen by the device, and by another processor
//! that the device interrupts. On x64 the processor keeps stores in their order, and the compiler is told to.

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use ndis_sys::{NdisMMapIoSpace, NdisMUnmapIoSpace};
use wdk_sys::PHYSICAL_ADDRESS;

use crate::initialize::Initialize;
use crate::miniport::AdapterHandle;
use crate::status::{Result, Status};

/// A mapped window of device registers; unmapped by Drop, which must run at `PASSIVE_LEVEL`.
#[derive(Debug)]
pub struct IoSpace {
    adapter: AdapterHandle,
    base: NonNull<u8>,
    length: u32,
}

// SAFETY: registers have no owner; concurrent accesses are the device's business and well defined.
unsafe impl Send for IoSpace {}
// SAFETY: as above.
unsafe impl Sync for IoSpace {}

impl IoSpace {
    /// `NdisMMapIoSpace` for a memory resource of the adapter; only inside `MiniportInitializeEx`.
    pub fn map(init: &Initialize<'_>, start: u64, length: u32) -> Result<Self> {
        let mut base: *mut c_void = ptr::null_mut();
        let handle = init.handle();
        // SAFETY: the range is one that the bus assigned to this adapter; `base` is written on success.
        let status = unsafe { NdisMMapIoSpace(&raw mut base, handle.0, physical(start), length) };
        Status::from_raw(status).ok()?;
        let base = NonNull::new(base.cast()).ok_or(Status::RESOURCES)?;
        Ok(Self { adapter: handle.same(), base, length })
    }

    fn register(&self, offset: u32) -> Option<NonNull<u32>> {
        let end = offset.checked_add(4)?;
        if end > self.length || !offset.is_multiple_of(4) {
            return None;
        }
        // SAFETY: the offset lies inside the mapping.
        Some(unsafe { self.base.add(offset as usize) }.cast())
    }

    /// Reads a 32-bit register. An offset outside the window reads as all ones, like an absent device.
    /// Callable at any IRQL.
    #[inline]
    pub fn read(&self, offset: u32) -> u32 {
        let Some(register) = self.register(offset) else { return u32::MAX };
        synchronize();
        // SAFETY: inside the mapping and aligned, as `register` checked.
        unsafe { register.read_volatile() }
    }

    /// Writes a 32-bit register. Writes outside the window are ignored. Callable at any IRQL.
    #[inline]
    pub fn write(&self, offset: u32, value: u32) {
        if let Some(register) = self.register(offset) {
            synchronize();
            // SAFETY: inside the mapping and aligned, as `register` checked.
            unsafe { register.write_volatile(value) };
        }
    }
}

impl Drop for IoSpace {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with these very values, and nobody refers to it any more.
        unsafe { NdisMUnmapIoSpace(self.adapter.0, self.base.as_ptr().cast(), self.length) };
    }
}

#[expect(clippy::cast_possible_wrap, reason = "PHYSICAL_ADDRESS is declared signed")]
fn physical(address: u64) -> PHYSICAL_ADDRESS {
    PHYSICAL_ADDRESS { QuadPart: address as i64 }
}

/// Completes the accesses to memory so far before those that follow.
#[inline]
fn synchronize() {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a barrier, at any exception level.
    unsafe {
        core::arch::asm!("dsb sy", options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "aarch64"))]
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
}
