//! `CO_TAPI_CALL_DIAGNOSTICS`, the answer to `OID_CO_TAPI_GET_CALL_DIAGNOSTICS` on a VC.
//!
//! ```text
//!  0 ulOrigin   LINECALLORIGIN_*
//!  4 ulReason   LINECALLREASON_*
//!  8 DiagInfo   NDIS_VAR_DATA_DESC {Length 8, MaximumLength 10, Offset 16, from byte 8}
//! 24 the diagnostic text: what the peer said in its error tags, as bytes
//! ```

use crate::answer::Answer;
use crate::bytes::{length32, put, put_u32};

/// Bytes of the fixed part.
pub const FIXED: usize = 24;
/// Where `DiagInfo` lies, which its offset counts from.
const DIAG_INFO: usize = 8;

const LINECALLREASON_DIRECT: u32 = 1;

/// `LINECALLORIGIN_*`: who began the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// We did.
    Outbound,
    /// The peer did.
    Inbound,
}

/// Writes the structure and `text`, of which the first 65,535 bytes count.
pub fn write(origin: Origin, text: &[u8], buffer: &mut [u8]) -> Answer {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let text = text.get(..usize::from(length)).unwrap_or_default();
    let needed = FIXED.wrapping_add(text.len());
    let Some(buffer) = buffer.get_mut(..needed) else {
        return Answer::too_short(length32(needed));
    };
    buffer.fill(0);
    let _ = put_u32(
        buffer,
        0,
        match origin {
            Origin::Outbound => 0x1,
            Origin::Inbound => 0x80,
        },
    );
    let _ = put_u32(buffer, 4, LINECALLREASON_DIRECT);
    if !text.is_empty() {
        let _ = put(buffer, DIAG_INFO, &length.to_le_bytes());
        let _ = put(buffer, DIAG_INFO.wrapping_add(2), &length.to_le_bytes());
        let _ = put_u32(buffer, DIAG_INFO.wrapping_add(8), length32(FIXED.wrapping_sub(DIAG_INFO)));
        let _ = put(buffer, FIXED, text);
    }
    Answer::done(length32(needed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::u32_at;
    use crate::tapi::var_data;

    #[test]
    fn the_text_is_found_through_its_descriptor() {
        let mut buffer = [0xAA; 40];
        assert_eq!(write(Origin::Outbound, b"no such service", &mut buffer), Answer::done(39));
        assert_eq!(var_data::data(&buffer, DIAG_INFO, FIXED), Ok(&b"no such service"[..]));
        assert_eq!((u32_at(&buffer, 0), u32_at(&buffer, 4)), (Some(1), Some(1)));
        assert_eq!(buffer[39], 0xAA);
    }

    #[test]
    fn without_text_and_without_room() {
        let mut buffer = [0xAA; 24];
        assert_eq!(write(Origin::Inbound, b"", &mut buffer), Answer::done(24));
        assert_eq!(u32_at(&buffer, 0), Some(0x80));
        assert_eq!(var_data::data(&buffer, DIAG_INFO, FIXED), Ok(&[][..]));
        assert_eq!(write(Origin::Inbound, b"x", &mut buffer), Answer::too_short(25));
    }
}
