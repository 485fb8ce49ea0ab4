//! `CO_AF_TAPI_INCOMING_CALL_PARAMETERS`: the media-specific block of a call offered to NDPROXY.
//!
//! ```text
//!   0 ulLineID, ulAddressID, ulFlags    CO_TAPI_FLAG_INCOMING_CALL
//!  16 LineCallInfo                      NDIS_VAR_DATA_DESC, offset from byte 16
//!  32 LINE_CALL_INFO                    344 bytes, then its strings, in UTF-16 with a NUL
//! ```
//!
//! Some pages name `LINECALLPARAMS` as what `LineCallInfo` describes; the header says `LINE_CALL_INFO`.

use super::{BEARER_MODE_DATA, Lines};
use crate::bytes::{length32, put, put_u32};

/// Bytes before `LINE_CALL_INFO`.
const FIXED: usize = 32;
/// Where `LineCallInfo` lies, which its offset counts from.
const DESCRIPTOR: usize = 16;
/// Bytes of `LINE_CALL_INFO` without its strings.
const CALL_INFO: usize = 344;
/// UTF-16 units of a string, without its NUL; what is longer is cut.
const LONGEST: usize = 128;

/// Bytes of the longest block.
pub const MAX_LENGTH: usize = FIXED + CALL_INFO + 2 * 2 * (LONGEST + 1);

/// `CO_TAPI_FLAG_INCOMING_CALL`.
const INCOMING_CALL: u32 = 2;
/// `LINECALLSTATE_IDLE | OFFERING | ACCEPTED | CONNECTED | DISCONNECTED`.
const CALL_STATES: u32 = 0x1 | 0x2 | 0x4 | 0x100 | 0x4000;
/// `LINECALLORIGIN_INBOUND`.
const INBOUND: u32 = 0x80;
/// `LINECALLREASON_DIRECT`.
const DIRECT: u32 = 1;
/// `LINECALLPARTYID_ADDRESS` and `LINECALLPARTYID_UNAVAIL`.
const BY_ADDRESS: u32 = 0x8;
const UNAVAILABLE: u32 = 0x40;
/// `ulConnectedIDFlags`, `ulRedirectionIDFlags`, `ulRedirectingIDFlags`.
const OTHER_PARTIES: [usize; 3] = [148, 168, 188];

/// A call that comes in.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The line it comes in on.
    pub line: u32,
    /// `LINEMEDIAMODE_*` ([`super::sap::Sap::call_mode`]).
    pub media_mode: u32,
    /// The caller: an Ethernet address.
    pub caller: [u8; 6],
    /// What it asks for, in UTF-8; empty: any service.
    pub service: &'a [u8],
}

impl Offer<'_> {
    /// Writes the block to the start of `buffer`; its length. `None` if `buffer` is shorter than [`MAX_LENGTH`].
    pub fn write(&self, lines: &Lines, buffer: &mut [u8]) -> Option<usize> {
        let buffer = buffer.get_mut(..MAX_LENGTH)?;
        buffer.fill(0);
        put_u32(buffer, 0, self.line)?;
        put_u32(buffer, 8, INCOMING_CALL)?;
        let length = self.write_call_info(lines, buffer.get_mut(FIXED..)?)?;
        let described = u16::try_from(length).ok()?.to_le_bytes();
        put(buffer, DESCRIPTOR, &described)?;
        put(buffer, DESCRIPTOR + 2, &described)?;
        put_u32(buffer, DESCRIPTOR + 8, length32(FIXED - DESCRIPTOR))?;
        FIXED.checked_add(length)
    }

    /// `LINE_CALL_INFO` and its strings; all its offsets count from its start.
    fn write_call_info(&self, lines: &Lines, info: &mut [u8]) -> Option<usize> {
        put_u32(info, 16, self.line)?;
        put_u32(info, 24, BEARER_MODE_DATA)?;
        put_u32(info, 28, lines.max_rate())?;
        put_u32(info, 32, self.media_mode)?;
        put_u32(info, 52, CALL_STATES)?;
        put_u32(info, 80, INBOUND)?;
        put_u32(info, 84, DIRECT)?;
        for flags in OTHER_PARTIES {
            put_u32(info, flags, UNAVAILABLE)?;
        }
        let caller = self.caller.iter().enumerate().flat_map(|(index, octet)| {
            let separator = (index != 0).then_some(u16::from(b'-'));
            separator.into_iter().chain([digit(octet >> 4), digit(octet & 15)])
        });
        let service = self.service.utf8_chunks().flat_map(|chunk| {
            let invalid = (!chunk.invalid().is_empty()).then_some(0xFFFD_u16);
            chunk.valid().encode_utf16().chain(invalid)
        });
        let mut end = CALL_INFO;
        write_party(info, 108, &mut end, caller)?;
        write_party(info, 128, &mut end, service)?;
        for size in [0, 4, 8] {
            put_u32(info, size, length32(end))?;
        }
        Some(end)
    }
}

/// The digit of a number below 16, in hexadecimal.
fn digit(number: u8) -> u16 {
    let letter = if number < 10 { b'0' } else { b'A'.wrapping_sub(10) };
    letter.wrapping_add(number).into()
}

/// A party's id: flags, size and offset at `at`, the text at `end`, which moves on.
fn write_party(info: &mut [u8], at: usize, end: &mut usize, text: impl Iterator<Item = u16>) -> Option<()> {
    let start = *end;
    for unit in text.take(LONGEST) {
        put(info, *end, &unit.to_le_bytes())?;
        *end = end.checked_add(2)?;
    }
    if *end == start {
        return put_u32(info, at, UNAVAILABLE);
    }
    // The NUL is there.
    *end = end.checked_add(2)?;
    put_u32(info, at, BY_ADDRESS)?;
    put_u32(info, at.checked_add(4)?, length32(end.checked_sub(start)?))?;
    put_u32(info, at.checked_add(8)?, length32(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{slice, u16_at, u32_at};
    use crate::tapi::var_data;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    const LINES: Lines =
        Lines { count: 4, calls_per_line: 1, bits_per_second: 1_000_000_000, permanent_id: 0 };
    const CALLER: [u8; 6] = [0x02, 0, 0xAB, 0, 0, 0x1F];

    fn written(service: &[u8]) -> Vec<u8> {
        let mut block = std::vec![0xAA; MAX_LENGTH];
        let length =
            Offer { line: 3, media_mode: 0x102, caller: CALLER, service }.write(&LINES, &mut block).unwrap();
        block.truncate(length);
        block
    }

    fn text(info: &[u8], at: usize) -> String {
        let (size, offset) = (u32_at(info, at + 4).unwrap(), u32_at(info, at + 8).unwrap());
        let bytes = slice(info, offset as usize, size as usize).unwrap();
        let units: Vec<u16> = (0..bytes.len() / 2).map(|i| u16_at(bytes, 2 * i).unwrap()).collect();
        let (nul, units) = units.split_last().unwrap();
        assert_eq!(*nul, 0);
        String::from_utf16(units).unwrap()
    }

    #[test]
    fn the_call_is_described() {
        let block = written("größe".as_bytes());
        let head: Vec<u32> = (0..3).map(|i| u32_at(&block, 4 * i).unwrap()).collect();
        assert_eq!(head, [3, 0, 2]);
        let info = var_data::data(&block, 16, 32).unwrap();
        assert_eq!(info.len(), block.len() - 32);
        for size in [0, 4, 8] {
            assert_eq!(u32_at(info, size), Some(length32(info.len())));
        }
        let word = |at| u32_at(info, at).unwrap();
        assert_eq!((word(16), word(20), word(24), word(28)), (3, 0, 8, 1_000_000_000));
        assert_eq!((word(32), word(80), word(84)), (0x102, 0x80, 1));
        assert_eq!((word(108), text(info, 108)), (8, "02-00-AB-00-00-1F".into()));
        assert_eq!((word(128), text(info, 128)), (8, "größe".into()));
        assert_eq!((word(148), word(168), word(188)), (0x40, 0x40, 0x40));
    }

    #[test]
    fn any_service_is_no_called_party() {
        let block = written(b"");
        let info = var_data::data(&block, 16, 32).unwrap();
        assert_eq!((u32_at(info, 128), u32_at(info, 132)), (Some(0x40), Some(0)));
        assert_eq!(info.len(), 344 + 2 * 18);
    }

    #[test]
    fn a_short_buffer_is_refused() {
        let offer = Offer { line: 0, media_mode: 0x100, caller: CALLER, service: b"" };
        assert_eq!(offer.write(&LINES, &mut [0; MAX_LENGTH - 1]), None);
    }

    proptest! {
        #[test]
        fn any_name_fits(service in prop::collection::vec(any::<u8>(), 0..2000)) {
            let block = written(&service);
            let info = var_data::data(&block, 16, 32).unwrap();
            prop_assert!(info.len() >= 344 && block.len() <= MAX_LENGTH);
        }
    }
}
