//! Fields of structures the driver shares with NDIS.
//!
//! The driver is foreign code in this address space: whatever pointer it hands over is used as NDIS would use
//! it. A wild one faults, and the machine turns the fault into a finding, which is what Windows would do with a
//! bug check. So these functions are safe to call as far as the simulator is concerned; what they reach is the
//! driver's responsibility.

/// Copies a value out of memory shared with the driver.
pub(crate) fn read<T: Copy>(from: *const T) -> T {
    // SAFETY: the module's rule: the driver vouches for the pointer, a wild one is a fault with a finding.
    unsafe { from.read_unaligned() }
}

/// Puts a value into memory shared with the driver.
pub(crate) fn write<T>(to: *mut T, value: T) {
    // SAFETY: as in `read`.
    unsafe { to.write_unaligned(value) }
}

/// Copies `len` bytes out of memory shared with the driver.
pub(crate) fn bytes(from: usize, len: usize) -> Vec<u8> {
    let mut copy = vec![0; len];
    // SAFETY: as in `read`; the destination was just allocated and does not overlap.
    unsafe { std::ptr::copy_nonoverlapping(from as *const u8, copy.as_mut_ptr(), len) };
    copy
}

/// Puts bytes into memory shared with the driver.
pub(crate) fn store(to: usize, bytes: &[u8]) {
    // SAFETY: as in `write`; `bytes` is the simulator's own and does not overlap.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to as *mut u8, bytes.len()) };
}

/// A number as wide as a pointer.
pub(crate) fn word(number: u64) -> usize {
    usize::try_from(number).expect("a 64-bit host")
}

/// Writes through an out parameter unless it is null.
pub(crate) fn out<T>(to: *mut T, value: T) {
    if !to.is_null() {
        write(to, value);
    }
}
