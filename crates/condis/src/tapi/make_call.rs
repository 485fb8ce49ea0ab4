//! `CO_AF_TAPI_MAKE_CALL_PARAMETERS`: what TAPI asks of an outgoing call.
//!
//! ```text
//! CO_AF_TAPI_MAKE_CALL_PARAMETERS, 48 bytes     LINE_CALL_PARAMS, 180 bytes (112 before TAPI 2.0)
//!  0 ulLineID                                    0 ulTotalSize       20 ulCallParamFlags
//!  4 ulAddressID                                 4 ulBearerMode      24 ulAddressMode
//!  8 ulFlags                                     8 ulMinRate         28 ulAddressID
//! 16 DestAddress     NDIS_VAR_DATA_DESC         12 ulMaxRate         80 ulUserUserInfoSize
//! 32 LineCallParams  NDIS_VAR_DATA_DESC         16 ulMediaMode       84 ulUserUserInfoOffset
//! ```
//! A descriptor's offset counts from the descriptor, an offset in `LINE_CALL_PARAMS` from its start.
//! A user-mode application has shaped both, so every one of them is checked.

use super::{Lines, has_address, specified, var_data};
use crate::bytes::{slice32, u32_at};
use crate::destination::{Destination, Malformed};
use crate::status::Status;

/// Bytes of the fixed part.
pub const FIXED: usize = 48;
/// Bytes of a `LINE_CALL_PARAMS` of TAPI 1.x: all that this module reads.
pub const LINE_CALL_PARAMS_MIN: usize = 112;
/// `CO_TAPI_FLAG_OUTGOING_CALL`.
pub const OUTGOING_CALL: u32 = 0x1;
/// `CO_TAPI_FLAG_USE_DEFAULT_CALLPARAMS`.
pub const USE_DEFAULT_CALLPARAMS: u32 = 0x4;

/// The `{size, offset}` pairs of a `LINE_CALL_PARAMS` that TAPI 1.x has, by their size's position.
const PAIRS: [usize; 8] = [48, 56, 64, 72, 80, 88, 96, 104];
/// Those that TAPI 2.0 added, present when the structure is long enough.
const LATER_PAIRS: [usize; 7] = [116, 124, 132, 140, 148, 156, 168];

/// Why a block is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Shorter than the fixed part, or an offset, length or flag is wrong.
    Malformed,
    /// `ulFlags` lacks `CO_TAPI_FLAG_OUTGOING_CALL`, or has flags nobody knows.
    Flags,
    /// No such line.
    Line,
    /// No such address on the line.
    Address,
    /// The text is no destination.
    Destination(Malformed),
}

impl Refused {
    /// The status for the client.
    pub const fn status(self) -> Status {
        match self {
            Self::Malformed | Self::Flags => Status::TAPI_INVALCALLPARAMS,
            Self::Line => Status::TAPI_NODEVICE,
            Self::Address => Status::TAPI_INVALADDRESSID,
            Self::Destination(_) => Status::TAPI_DISCONNECTMODE_BADADDRESS,
        }
    }
}

impl From<var_data::OutOfBounds> for Refused {
    fn from(var_data::OutOfBounds: var_data::OutOfBounds) -> Self {
        Self::Malformed
    }
}

/// The part of `LINE_CALL_PARAMS` that means something to a digital call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallParams<'a> {
    /// `LINEBEARERMODE_*`.
    pub bearer_mode: u32,
    /// Least speed wanted, bits a second; 0 does not say.
    pub min_rate: u32,
    /// Greatest speed wanted, bits a second; 0 does not say.
    pub max_rate: u32,
    /// `LINEMEDIAMODE_*`.
    pub media_mode: u32,
    /// `LINECALLPARAMFLAGS_*`.
    pub flags: u32,
    /// User-to-user information, opaque.
    pub user_user_info: &'a [u8],
}

/// An outgoing call as TAPI asks for it. Slices borrow from the driver's copy of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The line to use; `None`: any.
    pub line: Option<u32>,
    /// The line's address to use; `None`: any.
    pub address: Option<u32>,
    /// Whom to call.
    pub destination: Destination,
    /// The call parameters; `None`: the defaults.
    pub call_params: Option<CallParams<'a>>,
}

/// Parses the media-specific block of a make call on `CO_ADDRESS_FAMILY_TAPI_PROXY`: the
/// `MediaSpecific.Length` bytes at `MediaSpecific.Parameters`.
#[inline(never)]
pub fn parse<'a>(block: &'a [u8], lines: &Lines) -> Result<Request<'a>, Refused> {
    let field = |offset| u32_at(block, offset).ok_or(Refused::Malformed);
    if block.len() < FIXED {
        return Err(Refused::Malformed);
    }
    let (line, address, flags) = (field(0)?, field(4)?, field(8)?);
    if flags & OUTGOING_CALL == 0 || flags & !(OUTGOING_CALL | USE_DEFAULT_CALLPARAMS) != 0 {
        return Err(Refused::Flags);
    }
    if !lines.has(line) {
        return Err(Refused::Line);
    }
    if !has_address(address) {
        return Err(Refused::Address);
    }
    let destination = var_data::data(block, 16, FIXED)?;
    let call_params = var_data::data(block, 32, FIXED)?;
    Ok(Request {
        line: specified(line),
        address: specified(address),
        destination: Destination::from_utf16le(destination).map_err(Refused::Destination)?,
        call_params: match call_params {
            _ if flags & USE_DEFAULT_CALLPARAMS != 0 => None,
            [] => None,
            bytes => Some(parse_call_params(bytes).ok_or(Refused::Malformed)?),
        },
    })
}

fn parse_call_params(bytes: &[u8]) -> Option<CallParams<'_>> {
    let total = usize::try_from(u32_at(bytes, 0)?).ok()?;
    if total < LINE_CALL_PARAMS_MIN {
        return None;
    }
    let bytes = bytes.get(..total)?;
    for &pair in &PAIRS {
        pair_data(bytes, pair)?;
    }
    for &pair in LATER_PAIRS.iter().take_while(|&&pair| pair.wrapping_add(8) <= total) {
        pair_data(bytes, pair)?;
    }
    Some(CallParams {
        bearer_mode: u32_at(bytes, 4)?,
        min_rate: u32_at(bytes, 8)?,
        max_rate: u32_at(bytes, 12)?,
        media_mode: u32_at(bytes, 16)?,
        flags: u32_at(bytes, 20)?,
        user_user_info: pair_data(bytes, 80)?,
    })
}

/// The data of the `{size, offset}` pair at `pair`; empty when its size is 0.
fn pair_data(bytes: &[u8], pair: usize) -> Option<&[u8]> {
    match u32_at(bytes, pair)? {
        0 => Some(&[]),
        size => slice32(bytes, u32_at(bytes, pair.wrapping_add(4))?, size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{put, put_u32};
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    const LINES: Lines =
        Lines { count: 2, calls_per_line: 1, bits_per_second: 1_000_000_000, permanent_id: 7 };

    fn descriptor(block: &mut [u8], at: usize, target: usize, length: usize) {
        let length = u16::try_from(length).unwrap().to_le_bytes();
        put(block, at, &length).unwrap();
        put(block, at + 2, &length).unwrap();
        put(block, at + 8, &((target - at) as u64).to_le_bytes()).unwrap();
    }

    /// A block as NDPROXY lays it out: fixed part, destination, call parameters.
    fn block(destination: &str, call_params: &[u8]) -> Vec<u8> {
        let text: Vec<u8> = destination.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut block = vec![0; FIXED];
        put_u32(&mut block, 8, OUTGOING_CALL).unwrap();
        block.extend(&text);
        block.extend(call_params);
        descriptor(&mut block, 16, FIXED, text.len());
        descriptor(&mut block, 32, FIXED + text.len(), call_params.len());
        block
    }

    fn call_params(user: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 180];
        bytes.extend(user);
        let total = u32::try_from(bytes.len()).unwrap();
        let user = u32::try_from(user.len()).unwrap();
        for (offset, value) in [(0, total), (4, 8), (12, 64000), (16, 0x100), (80, user), (84, 180)] {
            put_u32(&mut bytes, offset, value).unwrap();
        }
        bytes
    }

    #[test]
    fn a_whole_call() {
        let block = block("ac\\isp\0", &call_params(b"hello"));
        let request = parse(&block, &LINES).unwrap();
        assert_eq!((request.line, request.address), (Some(0), Some(0)));
        assert_eq!(request.destination, Destination::from_text("ac\\isp").unwrap());
        let params = request.call_params.unwrap();
        assert_eq!((params.bearer_mode, params.max_rate, params.media_mode), (8, 64000, 0x100));
        assert_eq!(params.user_user_info, b"hello");
    }

    #[test]
    fn defaults_and_any_line() {
        let mut block = block("", &[]);
        put_u32(&mut block, 0, super::super::UNSPECIFIED).unwrap();
        put_u32(&mut block, 4, super::super::UNSPECIFIED).unwrap();
        put_u32(&mut block, 8, OUTGOING_CALL | USE_DEFAULT_CALLPARAMS).unwrap();
        let request = parse(&block, &LINES).unwrap();
        assert_eq!(
            request,
            Request { line: None, address: None, destination: Destination::default(), call_params: None }
        );
    }

    #[test]
    fn wrong_numbers_are_refused() {
        let refused = |offset, value| {
            let mut block = block("isp", &call_params(b""));
            put_u32(&mut block, offset, value).unwrap();
            parse(&block, &LINES).unwrap_err()
        };
        assert_eq!(refused(0, 2), Refused::Line);
        assert_eq!(refused(4, 1), Refused::Address);
        assert_eq!(refused(8, 0), Refused::Flags);
        assert_eq!(refused(8, OUTGOING_CALL | 0x10), Refused::Flags);
        // A descriptor that points into the fixed part, before itself, or past the end.
        assert_eq!(refused(24, 0), Refused::Malformed);
        assert_eq!(refused(28, u32::MAX), Refused::Malformed);
        assert_eq!(refused(24, 4000), Refused::Malformed);
        // Length beyond MaximumLength.
        assert_eq!(refused(16, 0x0002_0004), Refused::Malformed);
        assert_eq!(parse(&[0; 47], &LINES), Err(Refused::Malformed));
    }

    #[test]
    fn line_call_params_are_bounded_by_their_own_size() {
        let refused = |offset, value| {
            let mut params = call_params(b"hello");
            put_u32(&mut params, offset, value).unwrap();
            parse(&block("isp", &params), &LINES).unwrap_err()
        };
        assert_eq!(refused(0, 111), Refused::Malformed);
        assert_eq!(refused(0, 186), Refused::Malformed);
        assert_eq!(refused(80, 6), Refused::Malformed);
        assert_eq!(refused(84, u32::MAX), Refused::Malformed);
        assert_eq!(refused(168, 1_000), Refused::Malformed);
    }

    #[test]
    fn the_old_short_layout_is_read() {
        let mut params = vec![0; 112];
        put_u32(&mut params, 0, 112).unwrap();
        let block = block("isp", &params);
        assert!(parse(&block, &LINES).unwrap().call_params.is_some());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes, &LINES);
        }

        /// Damage to a good block is refused or read within bounds, never more.
        #[test]
        fn damage_is_contained(at in 0_usize..240, value in any::<u32>()) {
            let mut block = block("ac\\isp", &call_params(b"hello"));
            let _ = put_u32(&mut block, at, value);
            if let Ok(request) = parse(&block, &LINES) {
                prop_assert!(request.line.is_none_or(|line| line < 2));
            }
        }
    }
}
