//! `CO_CALL_PARAMETERS`: what every call carries, whatever its address family.
//!
//! Only the driver can follow the pointers of the structure. It copies the fixed parts and the
//! media-specific block into its own memory once, and gives this module the values.

use crate::bytes::{put_u32, u32_at};
use crate::status::Status;

/// `CO_CALL_PARAMETERS.Flags`.
pub mod flags {
    /// `PERMANENT_VC`.
    pub const PERMANENT_VC: u32 = 0x01;
    /// `CALL_PARAMETERS_CHANGED`: set by the call manager when it has altered anything.
    pub const CALL_PARAMETERS_CHANGED: u32 = 0x02;
    /// `QUERY_CALL_PARAMETERS`: the caller wants to know, not to call.
    pub const QUERY_CALL_PARAMETERS: u32 = 0x04;
    /// `BROADCAST_VC`.
    pub const BROADCAST_VC: u32 = 0x08;
    /// `MULTIPOINT_VC`.
    pub const MULTIPOINT_VC: u32 = 0x10;
}

/// `CO_MEDIA_PARAMETERS.Flags`.
pub mod media_flags {
    /// `TRANSMIT_VC`: the client will send.
    pub const TRANSMIT_VC: u32 = 0x04;
    /// `RECEIVE_VC`: the client will receive.
    pub const RECEIVE_VC: u32 = 0x08;
}

/// Offset of the data in a `CO_SPECIFIC_PARAMETERS`. Its `sizeof` is 12, its data begins at 8.
pub const SPECIFIC_DATA: usize = 8;

/// Longest media-specific block that is looked at, in bytes; a driver need not copy more.
pub const MAX_SPECIFIC: u32 = 4096;

/// The fixed part of a make call, copied out of the client's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// `CO_CALL_PARAMETERS.Flags`.
    pub flags: u32,
    /// Whether `MediaParameters` is there.
    pub has_media: bool,
    /// Whether the call came with a party handle.
    pub has_party: bool,
    /// `MediaParameters->MediaSpecific.Length`.
    pub specific_length: u32,
}

impl Fixed {
    /// Whether a point-to-point call with these parameters can be made at all.
    ///
    /// Errors: `NOT_SUPPORTED` for multipoint calls and queries, `INVALID_DATA` without media
    /// parameters, `TAPI_INVALCALLPARAMS` when the media-specific block is longer than any real one.
    pub const fn check(&self) -> Result<(), Status> {
        let refused = flags::QUERY_CALL_PARAMETERS | flags::BROADCAST_VC | flags::MULTIPOINT_VC;
        if self.has_party || self.flags & refused != 0 {
            return Err(Status::NOT_SUPPORTED);
        }
        if !self.has_media {
            return Err(Status::INVALID_DATA);
        }
        if self.specific_length > MAX_SPECIFIC {
            return Err(Status::TAPI_INVALCALLPARAMS);
        }
        Ok(())
    }
}

/// `QOS_NOT_SPECIFIED`: no value given.
pub const UNSPECIFIED: u32 = 0xFFFF_FFFF;

/// `SERVICETYPE_BESTEFFORT`.
pub const BEST_EFFORT: u32 = 1;

/// A `FLOWSPEC`: rates in bytes a second, times in microseconds, sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowSpec {
    /// Sustained rate.
    pub token_rate: u32,
    /// Burst size.
    pub token_bucket_size: u32,
    /// Greatest rate.
    pub peak_bandwidth: u32,
    /// Greatest delay.
    pub latency: u32,
    /// Difference between greatest and least delay.
    pub delay_variation: u32,
    /// `SERVICETYPE_*`.
    pub service_type: u32,
    /// Largest frame.
    pub max_sdu_size: u32,
    /// Smaller frames count as this size.
    pub minimum_policed_size: u32,
}

impl FlowSpec {
    /// Bytes of a `FLOWSPEC`.
    pub const SIZE: usize = 32;

    /// What a call gets on a link of `bits_per_second` with frames of at most `max_sdu_size` bytes:
    /// the whole link, as best it can. For both directions of `CO_CALL_MANAGER_PARAMETERS`.
    pub fn granted(bits_per_second: u64, max_sdu_size: u32) -> Self {
        let rate = bytes_per_second(bits_per_second);
        Self {
            token_rate: rate,
            token_bucket_size: UNSPECIFIED,
            peak_bandwidth: rate,
            latency: UNSPECIFIED,
            delay_variation: UNSPECIFIED,
            service_type: BEST_EFFORT,
            max_sdu_size,
            minimum_policed_size: UNSPECIFIED,
        }
    }

    /// The fields, in order.
    pub const fn from_fields(fields: [u32; 8]) -> Self {
        let [
            token_rate,
            token_bucket_size,
            peak_bandwidth,
            latency,
            delay_variation,
            service_type,
            max_sdu_size,
            minimum_policed_size,
        ] = fields;
        Self {
            token_rate,
            token_bucket_size,
            peak_bandwidth,
            latency,
            delay_variation,
            service_type,
            max_sdu_size,
            minimum_policed_size,
        }
    }

    /// Reads a `FLOWSPEC`.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            token_rate: u32_at(bytes, 0)?,
            token_bucket_size: u32_at(bytes, 4)?,
            peak_bandwidth: u32_at(bytes, 8)?,
            latency: u32_at(bytes, 12)?,
            delay_variation: u32_at(bytes, 16)?,
            service_type: u32_at(bytes, 20)?,
            max_sdu_size: u32_at(bytes, 24)?,
            minimum_policed_size: u32_at(bytes, 28)?,
        })
    }

    /// The structure's bytes.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let fields = [
            self.token_rate,
            self.token_bucket_size,
            self.peak_bandwidth,
            self.latency,
            self.delay_variation,
            self.service_type,
            self.max_sdu_size,
            self.minimum_policed_size,
        ];
        for (index, field) in fields.into_iter().enumerate() {
            let _ = put_u32(&mut bytes, index.wrapping_mul(4), field);
        }
        bytes
    }
}

/// A link speed as flow specifications and WAN link parameters count it.
pub fn bytes_per_second(bits_per_second: u64) -> u32 {
    u32::try_from(bits_per_second / 8).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Fixed = Fixed { flags: 0, has_media: true, has_party: false, specific_length: 48 };

    #[test]
    fn point_to_point_calls_pass() {
        assert_eq!(GOOD.check(), Ok(()));
        assert_eq!(Fixed { flags: flags::PERMANENT_VC, ..GOOD }.check(), Ok(()));
    }

    #[test]
    fn everything_else_is_refused() {
        for flags in [flags::MULTIPOINT_VC, flags::BROADCAST_VC, flags::QUERY_CALL_PARAMETERS] {
            assert_eq!(Fixed { flags, ..GOOD }.check(), Err(Status::NOT_SUPPORTED));
        }
        assert_eq!(Fixed { has_party: true, ..GOOD }.check(), Err(Status::NOT_SUPPORTED));
        assert_eq!(Fixed { has_media: false, ..GOOD }.check(), Err(Status::INVALID_DATA));
        assert_eq!(Fixed { specific_length: 4097, ..GOOD }.check(), Err(Status::TAPI_INVALCALLPARAMS));
    }

    #[test]
    fn a_gigabit_is_125_million_bytes() {
        let flow = FlowSpec::granted(1_000_000_000, 1492);
        let bytes = flow.to_bytes();
        assert_eq!(FlowSpec::parse(&bytes), Some(flow));
        assert_eq!(u32_at(&bytes, 0), Some(125_000_000));
        assert_eq!(u32_at(&bytes, 8), Some(125_000_000));
        assert_eq!(u32_at(&bytes, 20), Some(1));
        assert_eq!(u32_at(&bytes, 24), Some(1492));
        assert_eq!(bytes_per_second(u64::MAX), u32::MAX);
    }
}
