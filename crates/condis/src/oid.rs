//! Every OID this adapter answers, on every path it can come.
//!
//! | Path | Entry point | Issuer |
//! |---|---|---|
//! | [`Path::Miniport`] | `MiniportOidRequest` | NDIS and protocols, also power and plug-and-play |
//! | [`Path::Co`] | `MiniportCoOidRequest` | NDISWAN and other clients without an address family |
//! | [`Path::Cm`] | `ProtocolCmOidRequest` | clients of an address family: NDPROXY |
//!
//! [`query`] and [`set`] answer from [`Facts`], a snapshot the driver takes, into the request's own
//! buffer; they check its length before they touch it. The completion function follows from the
//! entry point, not from the OID. NDIS does not serialise the last two paths: nothing here has state.
//!
//! A request that is not in [`TABLE`], or comes on a path where it means nothing, ends in
//! `NOT_SUPPORTED`. Method requests (`NdisRequestMethod`) exist for none of them.

mod query;
mod set;
mod table;
#[cfg(test)]
mod tests;

pub use self::query::{is_counted_by_card, query};
pub use self::set::{Change, PowerState, set};
pub use self::table::{Entry, Scope, Size, TABLE, find, number, supported};

use crate::address_family::AddressFamily;
use crate::tapi;
use crate::tapi::call_diagnostics::Origin;
use crate::wan::{Info, LinkInfo, Stats};

/// The entry point a request came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// `MiniportOidRequest`.
    Miniport,
    /// `MiniportCoOidRequest`.
    Co,
    /// `ProtocolCmOidRequest` of a client of this address family.
    Cm(AddressFamily),
}

/// `NDIS_MAC_OPTION_NO_LOOPBACK | ..._TRANSFERS_NOT_PEND | ..._COPY_LOOKAHEAD_DATA`, for the general
/// attributes too. A WAN miniport must not loop frames back.
pub const MAC_OPTIONS: u32 = 0x8 | 0x4 | 0x1;

/// `NDIS_PACKET_TYPE_DIRECTED`, the only filter a point-to-point adapter knows.
pub const PACKET_FILTERS: u32 = 0x1;

/// `SupportedStatistics` of the general attributes: all that `OID_GEN_STATISTICS` carries.
pub const SUPPORTED_STATISTICS: u32 = 0x087B_FFFF;

/// `NdisMediumCoWan`.
pub const MEDIUM_CO_WAN: u32 = 12;

/// Whether NDISWAN asks for this about a VC that it has come to share.
pub const fn is_about_link(oid: u32) -> bool {
    matches!(oid, number::WAN_CO_GET_LINK_INFO | number::WAN_CO_SET_LINK_INFO)
}

/// The adapter as it is now.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Lines and link speed.
    pub lines: tapi::Lines,
    /// Frame size and window.
    pub wan: Info,
    /// The card's own address.
    pub permanent_address: [u8; 6],
    /// The address in use.
    pub current_address: [u8; 6],
    /// Whether the link is up.
    pub link_up: bool,
    /// Whether the card works.
    pub hardware_ready: bool,
    /// `OID_GEN_CURRENT_LOOKAHEAD`, as last set.
    pub lookahead: u32,
    /// `OID_GEN_CURRENT_PACKET_FILTER`, as last set.
    pub packet_filter: u32,
    /// Largest frame on the wire in bytes, with Ethernet header, without checksum.
    pub total_size: u32,
    /// Bytes of transmit buffers.
    pub transmit_buffer_space: u32,
    /// Bytes of receive buffers.
    pub receive_buffer_space: u32,
    /// ASCII without NUL.
    pub vendor_description: &'a str,
    /// The driver's version, major in the high half.
    pub vendor_driver_version: u32,
    /// What all VCs have carried since start.
    pub stats: Stats,
    /// Frames with a wrong checksum, counted by the card.
    pub crc_errors: u64,
}

/// The VC a request names.
#[derive(Clone, Copy, Debug)]
pub struct Vc<'a> {
    /// What NDISWAN has set.
    pub link_info: LinkInfo,
    /// The largest information field of its session, which NDISWAN cannot raise; the adapter's without a session.
    pub max_frame_size: u32,
    /// What the VC has carried since its call came up.
    pub stats: Stats,
    /// Who began the call.
    pub origin: Origin,
    /// What the peer said in its last error tags.
    pub diagnostics: &'a [u8],
}
