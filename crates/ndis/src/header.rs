//! `NDIS_OBJECT_HEADER`, which begins every versioned NDIS structure.

use ndis_sys::NDIS_OBJECT_HEADER;

/// A header of the given type, revision and size.
///
/// The size is the `NDIS_SIZEOF_*` macro of the revision, not `sizeof`: for several structures they differ.
#[expect(clippy::cast_possible_truncation, reason = "types and revisions are small constants of ndis.h")]
pub(crate) const fn header(kind: u32, revision: u32, size: u16) -> NDIS_OBJECT_HEADER {
    NDIS_OBJECT_HEADER { Type: kind as u8, Revision: revision as u8, Size: size }
}
