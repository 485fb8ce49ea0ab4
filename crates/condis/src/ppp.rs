//! What kernel clients of `CO_ADDRESS_FAMILY_PPP` say to the call manager.
//!
//! Nothing prescribes the parameters of this address family, so they are defined here: little-endian
//! 32-bit fields, names as `{offset, length}` pairs that count from the start of the block. C clients
//! include `include/mcm_ppp.h`, which tests keep in step with this module.

use crate::bytes::{slice32, u16_at, u32_at};

pub mod incoming_call;
pub mod make_call;
pub mod sap;

/// `ParamType` of the media-specific block, `SapType` of the SAP, and the first field of both:
/// the letters `PPoE` in memory order.
pub const TYPE: u32 = u32::from_le_bytes(*b"PPoE");

/// The version this call manager speaks. A later version may only append to the fixed part.
pub const VERSION: u16 = 1;

/// Where the fields of the head lie.
pub mod head {
    /// The type, [`TYPE`](super::TYPE).
    pub const TYPE: usize = 0;
    /// The version, 16 bits.
    pub const VERSION: usize = 4;
    /// The size of the fixed part, 16 bits.
    pub const FIXED_SIZE: usize = 6;
    /// The size of the whole block.
    pub const SIZE: usize = 8;
    /// The flags.
    pub const FLAGS: usize = 12;
    /// Bytes of the head.
    pub const LEN: usize = 16;
}

/// Checks what both blocks begin with and returns the block cut to its own size:
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 0 | 4 | type, [`TYPE`] |
/// | 4 | 2 | version, [`VERSION`] or later |
/// | 6 | 2 | size of the fixed part, at least `fixed` |
/// | 8 | 4 | size of the whole block, fixed part and names |
/// | 12 | 4 | flags, 0 in version 1 |
fn open(block: &[u8], fixed: u16) -> Option<Block<'_>> {
    let size = usize::try_from(u32_at(block, head::SIZE)?).ok()?;
    let bytes = block.get(..size)?;
    let version = u16_at(bytes, head::VERSION)?;
    let fixed_here = u16_at(bytes, head::FIXED_SIZE)?;
    let ok = u32_at(bytes, head::TYPE)? == TYPE
        && version >= VERSION
        && fixed_here >= fixed
        && usize::from(fixed_here) <= size
        && u32_at(bytes, head::FLAGS)? == 0;
    ok.then_some(Block { bytes, fixed: fixed_here })
}

/// A block whose head is right.
struct Block<'a> {
    bytes: &'a [u8],
    fixed: u16,
}

impl<'a> Block<'a> {
    /// The data of the `{offset, length}` pair at `pair`, which must lie after the fixed part; empty
    /// when its length is 0.
    fn data(&self, pair: usize) -> Option<&'a [u8]> {
        let offset = u32_at(self.bytes, pair)?;
        match u32_at(self.bytes, pair.wrapping_add(4))? {
            0 => Some(&[]),
            _ if offset < u32::from(self.fixed) => None,
            length => slice32(self.bytes, offset, length),
        }
    }
}
