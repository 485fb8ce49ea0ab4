//! Memory and routines by address: structures of the driver, of the card and of NDIS, by the offsets of the documentation,
//! and entry points of the Windows convention.

/// Reads a value.
#[inline]
pub(crate) fn read<T: Copy>(address: usize) -> T {
    let place = std::ptr::with_exposed_provenance::<T>(address);
    // SAFETY: callers pass addresses in memory that the driver, NDIS or the benchmark owns at the time, and nothing else
    // runs; `T` is a plain number for which all bits are valid.
    unsafe { place.read_volatile() }
}

/// Writes a value.
#[inline]
pub(crate) fn write<T: Copy>(address: usize, value: T) {
    let place = std::ptr::with_exposed_provenance_mut::<T>(address);
    // SAFETY: as for `read`.
    unsafe { place.write_volatile(value) };
}

/// Copies bytes out.
pub(crate) fn bytes(address: usize, length: usize) -> Vec<u8> {
    let source = std::ptr::with_exposed_provenance::<u8>(address);
    // SAFETY: as for `read`; the slice is given up before anything else runs.
    unsafe { std::slice::from_raw_parts(source, length) }.to_vec()
}

/// Copies bytes in.
pub(crate) fn store(address: usize, bytes: &[u8]) {
    let target = std::ptr::with_exposed_provenance_mut::<u8>(address);
    // SAFETY: as for `write`; source and target belong to different owners.
    unsafe { target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

type Routine = unsafe extern "win64" fn(usize, usize, usize, usize, usize) -> usize;

/// Calls a routine of the Windows convention that takes at most five numbers; what it returns, if anything.
///
/// # Safety
/// As for calling the routine.
#[inline]
pub(crate) unsafe fn call(address: usize, arguments: &[usize; 5]) -> usize {
    // SAFETY: the address of a routine, by the caller's promise; those that take less do not look at the rest.
    let routine = unsafe { std::mem::transmute::<usize, Routine>(address) };
    // SAFETY: passed on.
    unsafe { routine(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]) }
}
