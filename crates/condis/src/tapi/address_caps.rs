//! `CO_TAPI_ADDRESS_CAPS`, the answer to `OID_CO_TAPI_ADDRESS_CAPS`.
//!
//! ```text
//! CO_TAPI_ADDRESS_CAPS: ulLineID 0 (in), ulAddressID 4 (in), ulFlags 8, LINE_ADDRESS_CAPS 12; 240 bytes
//! LINE_ADDRESS_CAPS, 228 bytes:
//!   0 ulTotalSize (in)      32 ulAddressSharing     80 ulDisconnectModes    108 ulCallFeatures
//!   4 ulNeededSize          36 ulAddressStates      84 ulMaxNumActiveCalls  176 ulAddressFeatures
//!   8 ulUsedSize            40 ulCallInfoStates    104 ulAddrCapFlags       224 ulAvailableMediaModes
//!  12 ulLineDeviceID        64 ulCallStates
//! ```
//! The caller-ID flags from 44 to 60 say "unavailable". Otherwise as in [`super::line_caps`]; there is
//! no variable part.

use super::{Lines, MEDIA_MODES, has_address, specified};
use crate::answer::Answer;
use crate::bytes::{length32, put_u32, u32_at};
use crate::status::Status;

/// Offset of `LINE_ADDRESS_CAPS`.
const ADDRESS_CAPS: usize = 12;
/// Bytes of `LINE_ADDRESS_CAPS`.
const ADDRESS_CAPS_FIXED: usize = 228;
/// Bytes of the structure.
pub const FIXED: usize = ADDRESS_CAPS + ADDRESS_CAPS_FIXED;

const LINEADDRESSSHARING_PRIVATE: u32 = 1;
/// `INUSEZERO | INUSEONE | NUMCALLS`.
const ADDRESS_STATES: u32 = 0x4 | 0x8 | 0x20;
/// `BEARERMODE | RATE | MEDIAMODE`.
const CALL_INFO_STATES: u32 = 0x4 | 0x8 | 0x10;
const LINECALLPARTYID_UNAVAIL: u32 = 0x40;
/// `IDLE | OFFERING | DIALING | CONNECTED | PROCEEDING | DISCONNECTED`.
const CALL_STATES: u32 = 0x1 | 0x2 | 0x10 | 0x100 | 0x200 | 0x4000;
/// `NORMAL | UNKNOWN | REJECT | BUSY | NOANSWER | BADADDRESS | UNREACHABLE | CONGESTION |
/// INCOMPATIBLE | UNAVAIL`: what [`crate::call_failure::CallFailure::status`] can say, and busy.
const DISCONNECT_MODES: u32 = 0x1 | 0x2 | 0x4 | 0x20 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800;
const LINEADDRCAPFLAGS_DIALED: u32 = 0x20;
/// `ACCEPT | ANSWER | DROP`.
const CALL_FEATURES: u32 = 0x1 | 0x4 | 0x80;
const LINEADDRFEATURE_MAKECALL: u32 = 2;

/// Writes the structure over the client's request in `buffer`.
///
/// Errors: `BUFFER_TOO_SHORT`, `TAPI_NODEVICE`, `TAPI_INVALADDRESSID`, `TAPI_STRUCTURETOOSMALL`.
pub fn write(lines: &Lines, buffer: &mut [u8]) -> Answer {
    let ids = (u32_at(buffer, 0), u32_at(buffer, 4), u32_at(buffer, ADDRESS_CAPS));
    let (Some(line), Some(address), Some(total)) = ids else {
        return Answer::too_short(length32(FIXED));
    };
    if !lines.has(line) {
        return Answer::refused(Status::TAPI_NODEVICE);
    }
    if !has_address(address) {
        return Answer::refused(Status::TAPI_INVALADDRESSID);
    }
    let Some(caps) = buffer.get_mut(ADDRESS_CAPS..FIXED) else {
        return Answer::too_short(length32(FIXED));
    };
    let needed = length32(ADDRESS_CAPS_FIXED);
    if total < needed {
        let _ = put_u32(caps, 4, needed);
        return Answer::refused(Status::TAPI_STRUCTURETOOSMALL);
    }
    caps.fill(0);
    for (offset, value) in [
        (0, total),
        (4, needed),
        (8, needed),
        (12, specified(line).unwrap_or(0)),
        (32, LINEADDRESSSHARING_PRIVATE),
        (36, ADDRESS_STATES),
        (40, CALL_INFO_STATES),
        (44, LINECALLPARTYID_UNAVAIL),
        (48, LINECALLPARTYID_UNAVAIL),
        (52, LINECALLPARTYID_UNAVAIL),
        (56, LINECALLPARTYID_UNAVAIL),
        (60, LINECALLPARTYID_UNAVAIL),
        (64, CALL_STATES),
        (80, DISCONNECT_MODES),
        (84, lines.calls_per_line),
        (104, LINEADDRCAPFLAGS_DIALED),
        (108, CALL_FEATURES),
        (176, LINEADDRFEATURE_MAKECALL),
        (224, MEDIA_MODES),
    ] {
        let _ = put_u32(caps, offset, value);
    }
    let _ = put_u32(buffer, 8, 0);
    Answer::done(length32(FIXED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    const LINES: Lines =
        Lines { count: 2, calls_per_line: 1, bits_per_second: 1_000_000_000, permanent_id: 0 };

    fn request(line: u32, address: u32, total: u32, length: usize) -> Vec<u8> {
        let mut buffer = vec![0xAA; length];
        for (offset, value) in [(0, line), (4, address), (12, total)] {
            let _ = put_u32(&mut buffer, offset, value);
        }
        buffer
    }

    #[test]
    fn a_whole_answer() {
        let mut buffer = request(1, 0, 300, 320);
        assert_eq!(write(&LINES, &mut buffer), Answer::done(240));
        let field = |offset: usize| u32_at(&buffer, 12 + offset).unwrap();
        assert_eq!([field(0), field(4), field(8), field(12)], [300, 228, 228, 1]);
        assert_eq!([field(32), field(84), field(104), field(176), field(224)], [1, 1, 0x20, 2, 0x102]);
        assert_eq!(u32_at(&buffer, 8), Some(0));
        assert!(buffer[240..].iter().all(|&byte| byte == 0xAA));
    }

    #[test]
    fn refusals() {
        assert_eq!(write(&LINES, &mut request(0, 0, 228, 239)), Answer::too_short(240));
        assert_eq!(write(&LINES, &mut []), Answer::too_short(240));
        assert_eq!(write(&LINES, &mut request(2, 0, 228, 240)).status, Status::TAPI_NODEVICE);
        assert_eq!(write(&LINES, &mut request(0, 1, 228, 240)).status, Status::TAPI_INVALADDRESSID);
        let answer = write(&LINES, &mut request(0, 0, 227, 240));
        assert_eq!(answer.status, Status::TAPI_STRUCTURETOOSMALL);
    }

    #[test]
    fn every_disconnect_mode_we_use_is_announced() {
        use crate::call_failure::CallFailure::{
            AcSystemError, GenericError, GoingDown, LinkDown, NoAnswer, NoMatchingOffer, PeerTerminated,
            ServiceNameError, SessionLost,
        };
        for failure in [
            AcSystemError,
            GenericError,
            GoingDown,
            LinkDown,
            NoAnswer,
            NoMatchingOffer,
            PeerTerminated,
            ServiceNameError,
            SessionLost,
        ] {
            // NDIS counts the modes, TAPI has a bit for each, in the same order.
            let mode = failure.status().code() - Status::TAPI_DISCONNECTMODE_NORMAL.code();
            assert_ne!(DISCONNECT_MODES & 1 << mode, 0, "{failure:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(mut buffer in prop::collection::vec(any::<u8>(), 0..300)) {
            let length = buffer.len();
            prop_assert!(write(&LINES, &mut buffer).bytes as usize <= length);
        }
    }
}
