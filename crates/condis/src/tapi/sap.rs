//! `CO_AF_TAPI_SAP`: the line whose incoming calls NDPROXY wants.
//!
//! Offsets: `ulLineID` 0, `ulAddressID` 4, `ulMediaModes` 8; 12 bytes in `CO_SAP.Sap`.
//!
//! There is no service name in it: which services calls may ask for is for the administrator to say
//! ([`crate::config::Concentrator::services`]).

use super::{Lines, MEDIA_MODES, has_address, media_mode, specified};
use crate::bytes::u32_at;
use crate::status::Status;

/// `AF_TAPI_SAP_TYPE`.
pub const TYPE: u32 = 0x8000;

/// A TAPI SAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sap {
    /// The line; `None`: any.
    pub line: Option<u32>,
    /// The line's address; `None`: any.
    pub address: Option<u32>,
    /// `LINEMEDIAMODE_*` of the calls wanted.
    pub media_modes: u32,
}

impl Sap {
    /// The media modes of a call offered to this SAP's client: digital data, which to a client that wants calls of unknown
    /// mode only is one of unknown mode that may turn out to be that. `None`: it wants no such call.
    pub const fn call_mode(&self) -> Option<u32> {
        if self.media_modes & media_mode::DIGITAL_DATA != 0 {
            Some(media_mode::DIGITAL_DATA)
        } else if self.media_modes & media_mode::UNKNOWN != 0 {
            Some(MEDIA_MODES)
        } else {
            None
        }
    }

    /// How many SAPs like this one may be there at a time. A client that opens several lines has one for each, and names
    /// none of them: the lines are all alike (`CO_AF_TAPI_SAP`).
    pub const fn most(&self, lines: u32) -> u32 {
        if self.line.is_none() { lines } else { 1 }
    }
}

/// Parses a SAP registered on `CO_ADDRESS_FAMILY_TAPI_PROXY`.
///
/// Errors: `INVALID_DATA` for another type, a short one, a line or address that is not there, or media modes none of which a
/// line can carry. One without media modes is for no calls: its client opens a line to make calls only.
pub fn parse(sap_type: u32, sap: &[u8], lines: &Lines) -> Result<Sap, Status> {
    let field = |offset| u32_at(sap, offset).ok_or(Status::INVALID_DATA);
    let (line, address, media_modes) = (field(0)?, field(4)?, field(8)?);
    let carried = media_modes == 0 || media_modes & MEDIA_MODES != 0;
    if sap_type != TYPE || !lines.has(line) || !has_address(address) || !carried {
        return Err(Status::INVALID_DATA);
    }
    Ok(Sap { line: specified(line), address: specified(address), media_modes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const LINES: Lines = Lines { count: 1, calls_per_line: 1, bits_per_second: 0, permanent_id: 0 };

    fn sap(fields: [u32; 3]) -> Vec<u8> {
        fields.into_iter().flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn lines_and_addresses() {
        let any = super::super::UNSPECIFIED;
        assert_eq!(
            parse(TYPE, &sap([0, any, 0x100]), &LINES),
            Ok(Sap { line: Some(0), address: None, media_modes: 0x100 })
        );
        assert_eq!(parse(TYPE, &sap([1, 0, 0x100]), &LINES), Err(Status::INVALID_DATA));
        assert_eq!(parse(TYPE, &sap([0, 1, 0x100]), &LINES), Err(Status::INVALID_DATA));
        assert_eq!(parse(1, &sap([0, 0, 0x100]), &LINES), Err(Status::INVALID_DATA));
        assert_eq!(parse(TYPE, &sap([0, 0, 0x100])[..11], &LINES), Err(Status::INVALID_DATA));
    }

    #[test]
    fn media_modes() {
        let mode = |modes| parse(TYPE, &sap([0, 0, modes]), &LINES).map(|sap| sap.call_mode());
        assert_eq!(mode(0x100), Ok(Some(0x100)));
        assert_eq!(mode(0x7FFE), Ok(Some(0x100)));
        assert_eq!(mode(0x2), Ok(Some(0x102)));
        assert_eq!(mode(0x6), Ok(Some(0x102)));
        assert_eq!(mode(0), Ok(None));
        // Interactive voice; a bit that means nothing.
        for bad in [0x4, 0x1, 0x8000_0000] {
            assert_eq!(mode(bad), Err(Status::INVALID_DATA), "{bad:#x}");
        }
    }

    #[test]
    fn unnamed_lines_have_a_sap_each() {
        let line = |line| Sap { line, address: None, media_modes: 0x100 };
        assert_eq!((line(None).most(4), line(Some(0)).most(4)), (4, 1));
    }
}
