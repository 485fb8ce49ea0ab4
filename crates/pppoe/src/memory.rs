//! Vectors that grow fallibly or not at all.
//!
//! The explicit looks at the capacity let the optimiser drop the infallible growth from `resize` and `push`,
//! and with it the call of the allocation error handler.

use alloc::vec::Vec;

use crate::error::OutOfMemory;

/// `count` times `value`.
pub(crate) fn filled<T: Copy>(count: usize, value: T) -> Result<Vec<T>, OutOfMemory> {
    let mut vector = Vec::new();
    vector.try_reserve_exact(count)?;
    if vector.capacity().wrapping_sub(vector.len()) < count {
        return Err(OutOfMemory);
    }
    vector.resize(count, value);
    Ok(vector)
}

/// Appends `value`.
pub(crate) fn push<T>(vector: &mut Vec<T>, value: T) -> Result<(), OutOfMemory> {
    vector.try_reserve(1)?;
    if vector.len() == vector.capacity() {
        return Err(OutOfMemory);
    }
    vector.push(value);
    Ok(())
}
