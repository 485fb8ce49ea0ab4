//! `CO_TAPI_LINE_CAPS`, the answer to `OID_CO_TAPI_LINE_CAPS`.
//!
//! ```text
//! CO_TAPI_LINE_CAPS: ulLineID 0 (in), ulFlags 4, LINE_DEV_CAPS 8; 300 bytes
//! LINE_DEV_CAPS, 292 bytes:
//!   0 ulTotalSize (in)          40 ulStringFormat     112 ulDevCapFlags
//!   4 ulNeededSize              44 ulAddressModes     116 ulMaxNumActiveCalls
//!   8 ulUsedSize                48 ulNumAddresses     128 ulLineStates
//!  12 ulProviderInfoSize        52 ulBearerModes      236 ulLineFeatures
//!  16 ulProviderInfoOffset      56 ulMaxRate          252 PermanentLineGuid
//!  28 ulPermanentLineID         60 ulMediaModes       268 ulAddressTypes
//!  32 ulLineNameSize, 36 ulLineNameOffset             272 ProtocolGuid
//! ```
//! The buffer holds the client's `ulLineID` and `ulTotalSize` when the request comes. `ulTotalSize`
//! is what the client has room for from the start of `LINE_DEV_CAPS`; strings that do not fit in it
//! are left out, and `ulNeededSize` tells (the TAPI rule for variable data). Offsets of strings count
//! from the start of `LINE_DEV_CAPS`.

use super::{BEARER_MODE_DATA, Lines, MEDIA_MODES};
use crate::answer::Answer;
use crate::bytes::{length32, put, put_u32, u32_at};
use crate::status::Status;

/// Offset of `LINE_DEV_CAPS`.
const DEV_CAPS: usize = 8;
/// Bytes of the fixed part of `LINE_DEV_CAPS`.
const DEV_CAPS_FIXED: usize = 292;
/// Bytes of the structure without strings.
pub const FIXED: usize = DEV_CAPS + DEV_CAPS_FIXED;

/// `ulProviderInfo`: the media name, which RAS takes as device type (`RASDT_PPPoE` of `ras.h`), and
/// the provider's name.
const PROVIDER_INFO: &str = "PPPoE\0mcm\0";
/// `ulLineName`; the line's number follows.
const LINE_NAME: &str = "PPPoE line ";
/// Bytes of the line name in UTF-16 with a ten-digit number and its NUL.
const LINE_NAME_MAX: usize = 2 * (LINE_NAME.len() + 10 + 1);

const STRINGFORMAT_UNICODE: u32 = 3;
const LINEADDRESSMODE_ADDRESSID: u32 = 1;
const LINEDEVCAPFLAGS_CLOSEDROP: u32 = 0x20;
/// `CONNECTED | DISCONNECTED | OPEN | CLOSE | INSERVICE | OUTOFSERVICE | NUMCALLS`.
const LINE_STATES: u32 = 0x4 | 0x8 | 0x200 | 0x400 | 0x40 | 0x80 | 0x800;
const LINEFEATURE_MAKECALL: u32 = 8;
const LINEADDRESSTYPE_PHONENUMBER: u32 = 1;

/// Writes the structure over the client's request in `buffer`.
///
/// Errors: `BUFFER_TOO_SHORT` when the buffer does not hold the fixed part, `TAPI_NODEVICE` for a
/// line that is not there, `TAPI_STRUCTURETOOSMALL` when `ulTotalSize` is less than the fixed part.
pub fn write(lines: &Lines, buffer: &mut [u8]) -> Answer {
    let (Some(line), Some(total)) = (u32_at(buffer, 0), u32_at(buffer, DEV_CAPS)) else {
        return Answer::too_short(length32(FIXED));
    };
    if !lines.has(line) {
        return Answer::refused(Status::TAPI_NODEVICE);
    }
    let number = super::specified(line).unwrap_or(0);
    let mut name = [0; LINE_NAME_MAX];
    let name = line_name(number, &mut name);
    let provider_length = PROVIDER_INFO.len().wrapping_mul(2);
    let needed = DEV_CAPS_FIXED.wrapping_add(provider_length).wrapping_add(name.len());
    let Some(caps) = buffer.get_mut(DEV_CAPS..).filter(|caps| caps.len() >= DEV_CAPS_FIXED) else {
        return Answer::too_short(length32(DEV_CAPS.wrapping_add(needed)));
    };
    let room = usize::try_from(total).unwrap_or(usize::MAX).min(caps.len());
    if room < DEV_CAPS_FIXED {
        let _ = put_u32(caps, 4, length32(needed));
        return Answer::refused(Status::TAPI_STRUCTURETOOSMALL);
    }
    let caps = caps.get_mut(..room).unwrap_or_default();
    write_fixed(lines, number, caps);
    let _ = put_u32(caps, 0, total);
    let _ = put_u32(caps, 4, length32(needed));
    let mut used = DEV_CAPS_FIXED;
    if room >= needed {
        used = append_provider_info(caps, used);
        used = append(caps, used, 32, name);
    }
    let _ = put_u32(caps, 8, length32(used));
    let _ = put_u32(buffer, 4, 0);
    Answer::done(length32(DEV_CAPS.wrapping_add(used)))
}

fn write_fixed(lines: &Lines, number: u32, caps: &mut [u8]) {
    if let Some(fixed) = caps.get_mut(..DEV_CAPS_FIXED) {
        fixed.fill(0);
    }
    for (offset, value) in [
        (28, lines.permanent_id.wrapping_add(number)),
        (40, STRINGFORMAT_UNICODE),
        (44, LINEADDRESSMODE_ADDRESSID),
        (48, 1),
        (52, BEARER_MODE_DATA),
        (56, lines.max_rate()),
        (60, MEDIA_MODES),
        (112, LINEDEVCAPFLAGS_CLOSEDROP),
        (116, lines.calls_per_line),
        (128, LINE_STATES),
        (236, LINEFEATURE_MAKECALL),
        (268, LINEADDRESSTYPE_PHONENUMBER),
    ] {
        let _ = put_u32(caps, offset, value);
    }
}

fn append_provider_info(caps: &mut [u8], used: usize) -> usize {
    let mut text = [0; 2 * PROVIDER_INFO.len()];
    for (unit, ascii) in text.chunks_exact_mut(2).zip(PROVIDER_INFO.bytes()) {
        unit.copy_from_slice(&u16::from(ascii).to_le_bytes());
    }
    append(caps, used, 12, &text)
}

/// Puts `data` at `used`, its size and offset at `pair`; the new end.
fn append(caps: &mut [u8], used: usize, pair: usize, data: &[u8]) -> usize {
    let _ = put(caps, used, data);
    let _ = put_u32(caps, pair, length32(data.len()));
    let _ = put_u32(caps, pair.wrapping_add(4), length32(used));
    used.wrapping_add(data.len())
}

/// The name of line `number` in UTF-16LE with its NUL.
fn line_name(number: u32, buffer: &mut [u8; LINE_NAME_MAX]) -> &[u8] {
    let digits = number.checked_ilog10().unwrap_or(0);
    let digits = (0..=digits).rev().map(|place| {
        let digit = number.checked_div(10_u32.wrapping_pow(place)).unwrap_or(0) % 10;
        b'0'.wrapping_add(digit.to_le_bytes()[0])
    });
    let mut length = 0_usize;
    let text = LINE_NAME.bytes().chain(digits).chain([0]);
    for (unit, ascii) in buffer.chunks_exact_mut(2).zip(text) {
        unit.copy_from_slice(&u16::from(ascii).to_le_bytes());
        length = length.wrapping_add(2);
    }
    buffer.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    const LINES: Lines =
        Lines { count: 4096, calls_per_line: 1, bits_per_second: 100_000_000, permanent_id: 0x1000 };
    /// Provider info of ten characters, line name of twelve and its NUL.
    const NEEDED: u32 = 292 + 20 + 26;

    fn request(line: u32, total: u32, length: usize) -> Vec<u8> {
        let mut buffer = vec![0xAA; length];
        let _ = put_u32(&mut buffer, 0, line);
        let _ = put_u32(&mut buffer, 8, total);
        buffer
    }

    fn text(buffer: &[u8], pair: usize) -> String {
        let caps = &buffer[8..];
        let field = |offset| u32_at(caps, offset).unwrap() as usize;
        let bytes = &caps[field(pair + 4)..][..field(pair)];
        let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        String::from_utf16(&units).unwrap()
    }

    #[test]
    fn everything_fits() {
        let mut buffer = request(0, 1000, 1008);
        assert_eq!(write(&LINES, &mut buffer), Answer::done(8 + NEEDED));
        assert_eq!(text(&buffer, 12), "PPPoE\0mcm\0");
        assert_eq!(text(&buffer, 32), "PPPoE line 0\0");
        let field = |offset| u32_at(&buffer, offset).unwrap();
        assert_eq!([field(0), field(4), field(8), field(12), field(16)], [0, 0, 1000, NEEDED, NEEDED]);
        assert_eq!([field(8 + 28), field(8 + 40), field(8 + 52), field(8 + 56)], [0x1000, 3, 8, 100_000_000]);
        assert_eq!([field(8 + 116), field(8 + 268), field(8 + 288)], [1, 1, 0]);
        assert!(buffer[8 + NEEDED as usize..].iter().all(|&byte| byte == 0xAA));
    }

    #[test]
    fn strings_that_do_not_fit_are_left_out() {
        let mut buffer = request(0, NEEDED - 1, 1008);
        assert_eq!(write(&LINES, &mut buffer), Answer::done(300));
        let field = |offset: usize| u32_at(&buffer, 8 + offset).unwrap();
        assert_eq!([field(4), field(8), field(12), field(32)], [NEEDED, 292, 0, 0]);
        assert!(buffer[300..].iter().all(|&byte| byte == 0xAA));
        // A total that promises more than the buffer has is not believed.
        let mut buffer = request(0, u32::MAX, 300);
        assert_eq!(write(&LINES, &mut buffer), Answer::done(300));
    }

    #[test]
    fn refusals() {
        assert_eq!(write(&LINES, &mut request(0, 1000, 299)), Answer::too_short(8 + NEEDED));
        assert_eq!(write(&LINES, &mut []), Answer::too_short(300));
        assert_eq!(write(&LINES, &mut request(4096, 1000, 1008)).status, Status::TAPI_NODEVICE);
        let mut buffer = request(0, 291, 1008);
        assert_eq!(write(&LINES, &mut buffer).status, Status::TAPI_STRUCTURETOOSMALL);
        assert_eq!(u32_at(&buffer, 12), Some(NEEDED));
    }

    #[test]
    fn line_numbers() {
        for (line, name) in [(7, "PPPoE line 7\0"), (10, "PPPoE line 10\0"), (4095, "PPPoE line 4095\0")] {
            let mut buffer = request(line, 1000, 1008);
            assert!(write(&LINES, &mut buffer).status.is_success());
            assert_eq!(text(&buffer, 32), name);
            assert_eq!(u32_at(&buffer, 36), Some(0x1000 + line));
        }
        let mut longest = [0; LINE_NAME_MAX];
        assert_eq!(line_name(u32::MAX, &mut longest).len(), LINE_NAME_MAX);
    }

    proptest! {
        #[test]
        fn never_writes_past_the_total(total in 0_u32..500, length in 0_usize..500) {
            let mut buffer = request(0, total, length);
            let answer = write(&LINES, &mut buffer);
            prop_assert!(answer.bytes as usize <= length);
            let end = (8 + total as usize).min(length).max(16.min(length));
            prop_assert!(buffer[end..].iter().all(|&byte| byte == 0xAA));
        }
    }
}
