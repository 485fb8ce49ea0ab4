//! `NDIS_VAR_DATA_DESC`: where variable data lies, relative to the descriptor itself.

use crate::bytes::{slice, u16_at, u64_at};

/// Why a descriptor is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfBounds;

/// The data of the descriptor at `descriptor` in `block`, which must lie at or after `fixed` and
/// within the block. Empty when the descriptor says that there is none.
pub(crate) fn data(block: &[u8], descriptor: usize, fixed: usize) -> Result<&[u8], OutOfBounds> {
    let length = u16_at(block, descriptor).ok_or(OutOfBounds)?;
    let room = u16_at(block, descriptor.wrapping_add(2)).ok_or(OutOfBounds)?;
    let offset = u64_at(block, descriptor.wrapping_add(8)).ok_or(OutOfBounds)?;
    if length == 0 {
        return Ok(&[]);
    }
    let start = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(descriptor));
    match start {
        Some(start) if start >= fixed && length <= room => {
            slice(block, start, usize::from(length)).ok_or(OutOfBounds)
        }
        _ => Err(OutOfBounds),
    }
}
