//! Fallible allocation from non-paged pool, through the global allocator of the driver (`wdk-alloc`).
//!
//! `Box::new` and `Vec::push` end the system when memory runs out. These end in [`Status::RESOURCES`].

use alloc::alloc::{Layout, alloc};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr::NonNull;

use crate::status::{Result, Status};

/// Pool memory is aligned to two pointers (`MEMORY_ALLOCATION_ALIGNMENT`); the allocator promises no more.
const POOL_ALIGNMENT: usize = 16;

/// Allocates room for one `T`.
pub(crate) fn allocate<T>() -> Result<NonNull<T>> {
    const { assert!(align_of::<T>() <= POOL_ALIGNMENT && size_of::<T>() > 0) };
    // SAFETY: the layout is not of zero size (asserted above).
    let memory = unsafe { alloc(Layout::new::<T>()) };
    NonNull::new(memory.cast()).ok_or(Status::RESOURCES)
}

/// `Box::new` that can fail. Callable at IRQL <= `DISPATCH_LEVEL`.
pub fn boxed<T>(value: T) -> Result<Box<T>> {
    let memory = allocate::<T>()?;
    // SAFETY: the memory is fresh, aligned and of the size of a `T`.
    unsafe { memory.write(value) };
    // SAFETY: allocated by the global allocator with the layout of `T`, and initialised.
    Ok(unsafe { Box::from_raw(memory.as_ptr()) })
}

/// The same for a value that is made where it is to be: a large one does not pass over the stack.
pub fn boxed_with<T>(make: impl FnOnce() -> T) -> Result<Box<T>> {
    let memory = allocate::<T>()?;
    // SAFETY: the memory is fresh, aligned and of the size of a `T`.
    unsafe { memory.write(made(make)) };
    // SAFETY: allocated by the global allocator with the layout of `T`, and initialised.
    Ok(unsafe { Box::from_raw(memory.as_ptr()) })
}

/// What `make` makes. Out of line: a call is told where its result goes, and the compiler names the place where it is to be.
#[inline(never)]
pub(crate) fn made<T>(make: impl FnOnce() -> T) -> T {
    make()
}

/// A vector of `length` values made by `make`. Callable at IRQL <= `DISPATCH_LEVEL`.
pub fn filled<T>(length: usize, mut make: impl FnMut(usize) -> Result<T>) -> Result<Vec<T>> {
    const { assert!(align_of::<T>() <= POOL_ALIGNMENT) };
    let mut values = Vec::new();
    values.try_reserve_exact(length).map_err(|_| Status::RESOURCES)?;
    for index in 0..length {
        push(&mut values, make(index)?)?;
    }
    Ok(values)
}

/// A vector of `length` zeros. Callable at IRQL <= `DISPATCH_LEVEL`.
pub fn zeroed(length: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::<u8>::new();
    bytes.try_reserve_exact(length).map_err(|_| Status::RESOURCES)?;
    // SAFETY: there is room for `length` bytes.
    unsafe { bytes.as_mut_ptr().write_bytes(0, length) };
    // SAFETY: so many were just written, and there is room for them.
    unsafe { bytes.set_len(length) };
    Ok(bytes)
}

/// `Vec::push` that can fail. Callable at IRQL <= `DISPATCH_LEVEL`.
pub fn push<T>(values: &mut Vec<T>, value: T) -> Result<()> {
    values.try_reserve(1).map_err(|_| Status::RESOURCES)?;
    if push_reserved(values, value) { Ok(()) } else { Err(Status::RESOURCES) }
}

/// Appends where room was reserved before; false, dropping the value, where it was not.
///
/// The comparison is what keeps the growing, and with it the panic, out of the image: `Vec::push` makes the same one,
/// and the optimiser sees that its answer is known.
pub fn push_reserved<T>(values: &mut Vec<T>, value: T) -> bool {
    let room = values.len() < values.capacity();
    if room {
        values.push(value);
    }
    room
}
