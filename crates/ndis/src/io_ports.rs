//! I/O ports of the adapter.

use core::ffi::c_void;
use core::ptr;

use ndis_sys::{NdisMDeregisterIoPortRange, NdisMRegisterIoPortRange};

use crate::initialize::Initialize;
use crate::miniport::AdapterHandle;
use crate::status::{Result, Status};

/// Bytes of the widest access.
const DWORD: u32 = 4;

/// A range of I/O ports; deregistered by Drop, which must run at `PASSIVE_LEVEL`.
#[derive(Debug)]
pub struct IoPorts {
    adapter: AdapterHandle,
    first: u32,
    count: u32,
    /// The port number that NDIS made of the first one.
    offset: *mut c_void,
}

// SAFETY: ports have no owner; concurrent accesses are the device's business and well defined.
unsafe impl Send for IoPorts {}
// SAFETY: as above.
unsafe impl Sync for IoPorts {}

impl IoPorts {
    /// Whether the processor has instructions for ports.
    pub const EXIST: bool = cfg!(target_arch = "x86_64");

    /// `NdisMRegisterIoPortRange` for a port resource of the adapter; only inside `MiniportInitializeEx`, after the
    /// registration attributes.
    pub fn register(init: &Initialize<'_>, first: u32, count: u32) -> Result<Self> {
        let adapter = init.handle();
        let mut offset: *mut c_void = ptr::null_mut();
        // SAFETY: the range is one that the bus assigned to this adapter; `offset` is written on success.
        let status = unsafe { NdisMRegisterIoPortRange(&raw mut offset, adapter.0, first, count) };
        Status::from_raw(status).ok()?;
        Ok(Self { adapter: adapter.same(), first, count, offset })
    }

    /// Writes 32 bits at `offset` from the first port, before all later accesses; false outside the range and where there are
    /// no instructions for it. Callable at any IRQL.
    pub fn write(&self, offset: u32, value: u32) -> bool {
        let inside = offset.checked_add(DWORD).is_some_and(|end| end <= self.count);
        if !inside || !offset.is_multiple_of(DWORD) {
            return false;
        }
        let Ok(port) = u16::try_from(self.offset.addr().wrapping_add(offset as usize)) else { return false };
        out(port, value)
    }
}

impl Drop for IoPorts {
    fn drop(&mut self) {
        // SAFETY: registered by `register` with these very values, and nobody refers to them any more.
        unsafe { NdisMDeregisterIoPortRange(self.adapter.0, self.first, self.count, self.offset) };
    }
}

/// `WRITE_PORT_ULONG`, which is an instruction on x64.
#[cfg(target_arch = "x86_64")]
fn out(port: u16, value: u32) -> bool {
    // SAFETY: the ports are the adapter's, as NDIS granted them; the kernel may access ports.
    unsafe {
        core::arch::asm!("out dx, eax", in("dx") port, in("eax") value, options(nostack, preserves_flags));
    };
    true
}

#[cfg(not(target_arch = "x86_64"))]
fn out(_port: u16, _value: u32) -> bool {
    false
}
