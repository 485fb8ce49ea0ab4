//! What NDPROXY, and TAPI behind it, says to a call manager and wants to hear
//! (`ndistapi.h` with `NDIS_TAPI_CURRENT_VERSION` 3.0).
//!
//! The adapter is a set of like lines, numbered from 0, with one address each, numbered 0. One
//! answer describes them all: neither `CO_TAPI_FLAG_PER_LINE_CAPS` nor `..._PER_ADDRESS_CAPS` is set.

pub mod address_caps;
pub mod call_diagnostics;
pub mod cm_caps;
pub mod in_use;
pub mod incoming_call;
pub mod line_caps;
pub mod make_call;
pub mod sap;
mod var_data;

/// `NDIS_TAPI_CURRENT_VERSION`.
pub const VERSION: u32 = 0x0003_0000;

/// `CO_TAPI_LINE_ID_UNSPECIFIED` and `CO_TAPI_ADDRESS_ID_UNSPECIFIED`: any line, any address.
pub const UNSPECIFIED: u32 = 0xFFFF_FFFF;

/// `LINEBEARERMODE_DATA`.
pub const BEARER_MODE_DATA: u32 = 0x8;

/// `LINEMEDIAMODE_*`.
pub mod media_mode {
    /// `LINEMEDIAMODE_UNKNOWN`: not classified; other modes beside it are what it may turn out to be.
    pub const UNKNOWN: u32 = 0x2;
    /// `LINEMEDIAMODE_DIGITALDATA`: what a PPPoE session carries.
    pub const DIGITAL_DATA: u32 = 0x100;
}

/// What the lines say they can carry.
pub const MEDIA_MODES: u32 = media_mode::UNKNOWN | media_mode::DIGITAL_DATA;

/// The lines of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// How many there are, at least 1.
    pub count: u32,
    /// Calls that one line can carry at once.
    pub calls_per_line: u32,
    /// Speed of the link in bits a second.
    pub bits_per_second: u64,
    /// A number that stays the same over reboots and differs between adapters, such as the low part
    /// of `NetLuid`. Line n adds n.
    pub permanent_id: u32,
}

impl Lines {
    /// Whether `line` is one of these lines, or says "any".
    pub const fn has(&self, line: u32) -> bool {
        line == UNSPECIFIED || line < self.count
    }

    /// Link speed in bits a second as far as 32 bits count, for `ulMaxRate`.
    pub(crate) fn max_rate(&self) -> u32 {
        u32::try_from(self.bits_per_second).unwrap_or(u32::MAX)
    }
}

/// Whether `address` is the one address of a line, or says "any".
pub const fn has_address(address: u32) -> bool {
    address == 0 || address == UNSPECIFIED
}

/// A line or address number, `None` for "any".
pub(crate) const fn specified(number: u32) -> Option<u32> {
    if number == UNSPECIFIED { None } else { Some(number) }
}
