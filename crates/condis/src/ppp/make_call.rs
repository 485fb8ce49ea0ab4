//! The media-specific block of a make call on `CO_ADDRESS_FAMILY_PPP`.
//!
//! `CO_MEDIA_PARAMETERS.MediaSpecific.ParamType` is [`super::TYPE`], `.Length` the size of the
//! block, and `.Parameters` holds:
//!
//! | Offset | Size | Field |
//! |---|---|---|
//! | 0 | 4 | type, [`super::TYPE`] (`0x456F5050`) |
//! | 4 | 2 | version, 1 |
//! | 6 | 2 | size of the fixed part, 44 |
//! | 8 | 4 | size of the whole block, at most `MediaSpecific.Length` |
//! | 12 | 4 | flags, 0 |
//! | 16 | 4 | largest PPP payload wanted in bytes (the PPP MRU), 0 for 1492; more asks for RFC 4638 |
//! | 20 | 4 + 4 | service name: offset from the start of the block, length; length 0: any service |
//! | 28 | 4 + 4 | access concentrator's name: offset, length; length 0: any |
//! | 36 | 4 + 4 | Host-Uniq: offset, length; length 0: the driver's choice |
//! | 44 | | the names' bytes, UTF-8, not terminated |
//!
//! Offsets are unaligned-safe and must not point into the fixed part. The block is not changed by the
//! call; `CO_CALL_MANAGER_PARAMETERS` receives the flow specifications.

use super::{TYPE, open};
use crate::bytes::u32_at;
use crate::destination::Destination;
use crate::name::Name;
use crate::status::Status;

/// Bytes of the fixed part in version 1.
pub const FIXED: u16 = 44;

/// Where the fields behind the head lie.
pub mod field {
    /// The largest payload wanted.
    pub const MAX_PAYLOAD: usize = super::super::head::LEN;
    /// The service name.
    pub const SERVICE_NAME: usize = 20;
    /// The access concentrator's name.
    pub const AC_NAME: usize = 28;
    /// Host-Uniq.
    pub const HOST_UNIQ: usize = 36;
}

/// Payload without RFC 4638.
pub const DEFAULT_PAYLOAD: u16 = 1492;

/// Longest Host-Uniq that is taken, in bytes.
pub const MAX_HOST_UNIQ: usize = 64;

/// Why a block is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// `ParamType` is not [`TYPE`].
    Type,
    /// The head, an offset or a length is wrong, or a name is too long.
    Malformed,
    /// The payload is not between 1492 and 65,535, or 0.
    Payload,
}

impl Refused {
    /// The status for the client.
    pub const fn status(self) -> Status {
        match self {
            Self::Type | Self::Malformed | Self::Payload => Status::INVALID_DATA,
        }
    }
}

/// An outgoing call of a PPP client. The slice borrows from the driver's copy of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Whom to call.
    pub destination: Destination,
    /// Largest PPP payload wanted in bytes, at least 1492.
    pub max_payload: u16,
    /// Host-Uniq to use, at most [`MAX_HOST_UNIQ`] bytes; empty: the driver's choice.
    pub host_uniq: &'a [u8],
}

/// Parses the media-specific block of a make call.
#[inline(never)]
pub fn parse(param_type: u32, block: &[u8]) -> Result<Request<'_>, Refused> {
    if param_type != TYPE {
        return Err(Refused::Type);
    }
    let block = open(block, FIXED).ok_or(Refused::Malformed)?;
    let data = |pair| block.data(pair).ok_or(Refused::Malformed);
    let name = |pair| Name::from_bytes(data(pair)?).map_err(|_| Refused::Malformed);
    let max_payload = match u32_at(block.bytes, field::MAX_PAYLOAD).ok_or(Refused::Malformed)? {
        0 => DEFAULT_PAYLOAD,
        wanted => match u16::try_from(wanted) {
            Ok(wanted) if wanted >= DEFAULT_PAYLOAD => wanted,
            _ => return Err(Refused::Payload),
        },
    };
    let host_uniq = data(field::HOST_UNIQ)?;
    if host_uniq.len() > MAX_HOST_UNIQ {
        return Err(Refused::Malformed);
    }
    Ok(Request {
        destination: Destination {
            service: name(field::SERVICE_NAME)?,
            access_concentrator: name(field::AC_NAME)?,
        },
        max_payload,
        host_uniq,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::put_u32;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn block(payload: u32, names: [&[u8]; 3]) -> Vec<u8> {
        let mut fixed: Vec<u32> = std::vec![TYPE, 0x002C_0001, 0, 0, payload];
        let mut tail = Vec::new();
        for name in names {
            fixed.push(u32::try_from(44 + tail.len()).unwrap());
            fixed.push(u32::try_from(name.len()).unwrap());
            tail.extend(name);
        }
        fixed[2] = u32::try_from(44 + tail.len()).unwrap();
        fixed.into_iter().flat_map(u32::to_le_bytes).chain(tail).collect()
    }

    #[test]
    fn a_whole_call() {
        let block = block(1500, [b"isp", b"ac", b"uniq"]);
        let request = parse(TYPE, &block).unwrap();
        assert_eq!(request.destination, Destination::from_text("ac\\isp").unwrap());
        assert_eq!((request.max_payload, request.host_uniq), (1500, &b"uniq"[..]));
    }

    #[test]
    fn names_are_bytes_and_may_be_absent() {
        let block = block(0, [b"a\\%41", b"", b""]);
        let request = parse(TYPE, &block).unwrap();
        assert_eq!(request.destination.service.as_bytes(), b"a\\%41");
        assert!(request.destination.access_concentrator.is_empty());
        assert_eq!((request.max_payload, request.host_uniq), (1492, &b""[..]));
    }

    #[test]
    fn a_later_version_may_append() {
        let mut block = block(0, [b"isp", b"", b""]);
        block.splice(44..44, [0; 4]);
        for (offset, value) in [(4, 0x0030_0002), (8, 51), (20, 48)] {
            put_u32(&mut block, offset, value).unwrap();
        }
        assert_eq!(parse(TYPE, &block).unwrap().destination.service.as_bytes(), b"isp");
    }

    #[test]
    fn wrong_numbers_are_refused() {
        let refused = |offset, value| {
            let mut block = block(0, [b"isp", b"ac", b"uniq"]);
            put_u32(&mut block, offset, value).unwrap();
            parse(TYPE, &block).unwrap_err()
        };
        assert_eq!(parse(0, &block(0, [b""; 3])), Err(Refused::Type));
        assert_eq!(refused(0, 1), Refused::Malformed);
        assert_eq!(refused(4, 0x002C_0000), Refused::Malformed);
        assert_eq!(refused(4, 0x002B_0001), Refused::Malformed);
        assert_eq!(refused(8, 54), Refused::Malformed);
        assert_eq!(refused(12, 1), Refused::Malformed);
        assert_eq!(refused(16, 1491), Refused::Payload);
        assert_eq!(refused(16, 65_536), Refused::Payload);
        assert_eq!(refused(20, 43), Refused::Malformed);
        assert_eq!(refused(24, u32::MAX), Refused::Malformed);
        assert_eq!(parse(TYPE, &block(0, [&[b'x'; 129], b"", b""])), Err(Refused::Malformed));
        assert_eq!(parse(TYPE, &block(0, [b"", b"", &[0; 65]])), Err(Refused::Malformed));
    }

    proptest! {
        #[test]
        fn never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..200), honest in any::<bool>()) {
            if honest {
                let size = u32::try_from(bytes.len()).unwrap();
                for (offset, value) in [(0, TYPE), (4, 0x002C_0001), (8, size), (12, 0), (16, 0)] {
                    let _ = put_u32(&mut bytes, offset, value);
                }
            }
            let _ = parse(TYPE, &bytes);
        }
    }
}
