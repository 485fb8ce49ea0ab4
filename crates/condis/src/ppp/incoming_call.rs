//! The media-specific block of a call offered to a client of `CO_ADDRESS_FAMILY_PPP`.
//!
//! `CO_MEDIA_PARAMETERS.MediaSpecific.ParamType` is [`super::TYPE`], `.Length` the size of the
//! block, and `.Parameters` holds:
//!
//! | Offset | Size | Field |
//! |---|---|---|
//! | 0 | 4 | type, [`super::TYPE`] |
//! | 4 | 2 | version, 1 |
//! | 6 | 2 | size of the fixed part, 36 |
//! | 8 | 4 | size of the whole block |
//! | 12 | 4 | flags, 0 |
//! | 16 | 4 | largest PPP payload of the session in bytes; more than 1492 by RFC 4638 |
//! | 20 | 6 | the caller's Ethernet address |
//! | 26 | 2 | 0 |
//! | 28 | 4 + 4 | service name asked for: offset from the start of the block, length; length 0: any service |
//! | 36 | | the name's bytes, UTF-8 by RFC 2516's word, not checked, not terminated |

use super::{TYPE, VERSION, head};
use crate::bytes::{length32, put, put_u32};

/// Bytes of the fixed part in version 1.
pub const FIXED: u16 = 36;
/// Where the fields behind the head lie.
pub mod field {
    /// The largest payload of the session.
    pub const MAX_PAYLOAD: usize = super::super::head::LEN;
    /// The caller's Ethernet address, and two zeros.
    pub const CALLER: usize = 20;
    /// The service asked for.
    pub const SERVICE_NAME: usize = 28;
}

/// Bytes of the name that are passed on; what is longer is cut.
const LONGEST: usize = 128;
/// Bytes of the longest block.
pub const MAX_LENGTH: usize = FIXED as usize + LONGEST;

/// A call that comes in.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// Largest PPP payload of the session in bytes.
    pub max_payload: u16,
    /// The caller: an Ethernet address.
    pub caller: [u8; 6],
    /// What it asks for; empty: any service.
    pub service: &'a [u8],
}

impl Offer<'_> {
    /// Writes the block to the start of `buffer`; its length. `None` if `buffer` is shorter than [`MAX_LENGTH`].
    pub fn write(&self, buffer: &mut [u8]) -> Option<usize> {
        let buffer = buffer.get_mut(..MAX_LENGTH)?;
        let name = self.service.get(..LONGEST).unwrap_or(self.service);
        let length = usize::from(FIXED).checked_add(name.len())?;
        buffer.fill(0);
        put_u32(buffer, head::TYPE, TYPE)?;
        put(buffer, head::VERSION, &VERSION.to_le_bytes())?;
        put(buffer, head::FIXED_SIZE, &FIXED.to_le_bytes())?;
        put_u32(buffer, head::SIZE, length32(length))?;
        put_u32(buffer, field::MAX_PAYLOAD, self.max_payload.into())?;
        put(buffer, field::CALLER, &self.caller)?;
        put_u32(buffer, field::SERVICE_NAME, FIXED.into())?;
        put_u32(buffer, field::SERVICE_NAME + 4, length32(name.len()))?;
        put(buffer, FIXED.into(), name)?;
        Some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;
    use crate::bytes::u32_at;

    fn written(service: &[u8]) -> std::vec::Vec<u8> {
        let mut block = std::vec![0xAA; MAX_LENGTH];
        let offer = Offer { max_payload: 1500, caller: [2, 0, 0, 0, 0, 7], service };
        let length = offer.write(&mut block).unwrap();
        block.truncate(length);
        block
    }

    #[test]
    fn the_call_is_described() {
        let block = written(b"isp");
        assert_eq!(block.len(), 39);
        let opened = open(&block, FIXED).unwrap();
        assert_eq!((u32_at(&block, 16), opened.data(28)), (Some(1500), Some(&b"isp"[..])));
        assert_eq!(block[20..28], [2, 0, 0, 0, 0, 7, 0, 0]);
    }

    #[test]
    fn names_of_any_length_fit() {
        assert!(open(&written(b""), FIXED).unwrap().data(28).unwrap().is_empty());
        assert_eq!(written(&[b'x'; 1000]).len(), MAX_LENGTH);
        let offer = Offer { max_payload: 1492, caller: [0; 6], service: b"" };
        assert_eq!(offer.write(&mut [0; MAX_LENGTH - 1]), None);
    }
}
