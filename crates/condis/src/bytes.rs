//! Little-endian fields at byte offsets, without alignment and without panics.

/// The `length` bytes at `offset`, if they are there.
pub(crate) fn slice(bytes: &[u8], offset: usize, length: usize) -> Option<&[u8]> {
    bytes.get(offset..offset.checked_add(length)?)
}

/// As [`slice`], with the 32-bit numbers that NDIS structures hold.
pub(crate) fn slice32(bytes: &[u8], offset: u32, length: u32) -> Option<&[u8]> {
    slice(bytes, usize::try_from(offset).ok()?, usize::try_from(length).ok()?)
}

fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    slice(bytes, offset, N)?.try_into().ok()
}

pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array(bytes, offset).map(u16::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array(bytes, offset).map(u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    array(bytes, offset).map(u64::from_le_bytes)
}

/// Writes `value` at `offset`; `None` when it does not fit, and then nothing is written.
pub(crate) fn put(bytes: &mut [u8], offset: usize, value: &[u8]) -> Option<()> {
    bytes.get_mut(offset..offset.checked_add(value.len())?)?.copy_from_slice(value);
    Some(())
}

pub(crate) fn put_u32(bytes: &mut [u8], offset: usize, value: u32) -> Option<()> {
    put(bytes, offset, &value.to_le_bytes())
}

/// A length as NDIS counts it. Nothing this crate handles comes near four gigabytes.
pub(crate) fn length32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
