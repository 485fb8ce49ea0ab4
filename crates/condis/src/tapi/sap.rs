//! `CO_AF_TAPI_SAP`: the line whose incoming calls NDPROXY wants.
//!
//! Offsets: `ulLineID` 0, `ulAddressID` 4, `ulMediaModes` 8; 12 bytes in `CO_SAP.Sap`.

use super::{Lines, has_address, specified};
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

/// Parses a SAP registered on `CO_ADDRESS_FAMILY_TAPI_PROXY`.
///
/// Errors: `INVALID_DATA` for another type, a short one, or a line or address that is not there.
pub fn parse(sap_type: u32, sap: &[u8], lines: &Lines) -> Result<Sap, Status> {
    let field = |offset| u32_at(sap, offset).ok_or(Status::INVALID_DATA);
    let (line, address, media_modes) = (field(0)?, field(4)?, field(8)?);
    if sap_type != TYPE || !lines.has(line) || !has_address(address) {
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
}
