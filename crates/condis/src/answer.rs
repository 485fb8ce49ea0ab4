//! [`Answer`]: how an OID request ends.

use crate::bytes::{length32, put};
use crate::status::Status;

/// The outcome of an OID request, in the fields of `NDIS_OID_REQUEST` that take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status to return or complete with.
    pub status: Status,
    /// `BytesWritten` of a query, `BytesRead` of a set.
    pub bytes: u32,
    /// `BytesNeeded`; 0 unless the buffer was too small.
    pub needed: u32,
}

impl Answer {
    /// Success: so many bytes were written, or read.
    pub const fn done(bytes: u32) -> Self {
        Self { status: Status::SUCCESS, bytes, needed: 0 }
    }

    /// A query's buffer is smaller than `needed` bytes.
    pub const fn too_short(needed: u32) -> Self {
        Self { status: Status::BUFFER_TOO_SHORT, bytes: 0, needed }
    }

    /// A set's buffer does not hold the `needed` bytes.
    pub const fn wrong_length(needed: u32) -> Self {
        Self { status: Status::INVALID_LENGTH, bytes: 0, needed }
    }

    /// Anything else that is wrong.
    pub const fn refused(status: Status) -> Self {
        Self { status, bytes: 0, needed: 0 }
    }

    /// Writes `value` to the front of a query's buffer, or says how long the buffer must be.
    pub(crate) fn write(buffer: &mut [u8], value: &[u8]) -> Self {
        let length = length32(value.len());
        match put(buffer, 0, value) {
            Some(()) => Self::done(length),
            None => Self::too_short(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_or_nothing() {
        let mut buffer = [0; 5];
        assert_eq!(Answer::write(&mut buffer, &[1, 2, 3, 4]), Answer::done(4));
        assert_eq!(buffer, [1, 2, 3, 4, 0]);
        assert_eq!(Answer::write(&mut buffer, &[9; 6]), Answer::too_short(6));
        assert_eq!(buffer, [1, 2, 3, 4, 0]);
    }
}
