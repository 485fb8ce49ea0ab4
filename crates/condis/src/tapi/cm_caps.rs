//! `CO_TAPI_CM_CAPS`, the answer to `OID_CO_TAPI_CM_CAPS`.
//!
//! Offsets: `ulCoTapiVersion` 0, `ulNumLines` 4, `ulFlags` 8; 12 bytes.

use super::{Lines, VERSION};
use crate::answer::Answer;
use crate::bytes::put_u32;

/// Bytes of the structure.
pub const SIZE: usize = 12;

/// Writes the structure.
pub fn write(lines: &Lines, buffer: &mut [u8]) -> Answer {
    let mut caps = [0; SIZE];
    let _ = put_u32(&mut caps, 0, VERSION);
    let _ = put_u32(&mut caps, 4, lines.count);
    Answer::write(buffer, &caps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_bytes() {
        let lines = Lines { count: 3, calls_per_line: 1, bits_per_second: 0, permanent_id: 0 };
        let mut buffer = [0xAA; 13];
        assert_eq!(write(&lines, &mut buffer), Answer::done(12));
        assert_eq!(buffer, [0, 0, 3, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0xAA]);
        assert_eq!(write(&lines, &mut buffer[..11]), Answer::too_short(12));
    }
}
