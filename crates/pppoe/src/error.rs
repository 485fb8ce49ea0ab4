//! What can go wrong: with a received frame ([`Malformed`]) and with a call ([`Error`]).

use alloc::collections::TryReserveError;
use core::fmt;

use crate::bounded::Text;
use crate::packet::Code;
use crate::tag::TagType;

/// Why a received frame is dropped before any state is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// Shorter than an Ethernet and a PPPoE header.
    Truncated,
    /// Neither PPPoE `EtherType`.
    EtherType,
    /// VER or TYPE is not 1 (section 4).
    Version,
    /// LENGTH is more than what was received, or less than the stage needs.
    Length,
    /// The source is a group, zero, or this station.
    Source,
    /// The destination is not this station, nor, for a PADI, broadcast.
    Destination,
    /// The CODE does not belong to the stage.
    Code(Code),
    /// The `SESSION_ID` is not allowed with this CODE.
    SessionId,
    /// A tag reaches beyond LENGTH, octets are left over, or End-Of-List has a value.
    Tag,
    /// More tags than [`MAX_TAGS`](crate::tag::MAX_TAGS).
    TagCount,
    /// A PADI or PADR without or with a second Service-Name.
    ServiceName,
    /// A session payload without a whole, uncompressed PPP protocol field.
    Protocol,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The caller's buffer is too short; the state has not changed. [`MAX_FRAME`](crate::ethernet::MAX_FRAME)
    /// is enough.
    Buffer,
    /// A value, of the configuration or from the only Access Concentrators that answered, is longer than is
    /// stored.
    TagTooLong(TagType),
    /// No acceptable PADO came.
    NoOffer,
    /// No PADS came.
    NoConfirmation,
    /// The Access Concentrator does not offer the service (Service-Name-Error).
    ServiceName(Text),
    /// The Access Concentrator could not serve the request (AC-System-Error).
    AcSystem(Text),
    /// The Access Concentrator reported an unrecoverable error (Generic-Error).
    Generic(Text),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("frame shorter than its headers"),
            Self::EtherType => f.write_str("not a PPPoE EtherType"),
            Self::Version => f.write_str("VER or TYPE is not 1"),
            Self::Length => f.write_str("LENGTH does not fit the frame"),
            Self::Source => f.write_str("source is not another station"),
            Self::Destination => f.write_str("destination is not this station"),
            Self::Code(code) => write!(f, "{code:?} in the wrong stage"),
            Self::SessionId => f.write_str("SESSION_ID not allowed with this CODE"),
            Self::Tag => f.write_str("malformed tag"),
            Self::TagCount => f.write_str("too many tags"),
            Self::ServiceName => f.write_str("not exactly one Service-Name"),
            Self::Protocol => f.write_str("no uncompressed PPP protocol field"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, text) = match self {
            Self::Buffer => return f.write_str("buffer too short"),
            Self::TagTooLong(kind) => return write!(f, "{kind:?} too long"),
            Self::NoOffer => return f.write_str("no acceptable PADO"),
            Self::NoConfirmation => return f.write_str("no PADS"),
            Self::ServiceName(text) => ("Service-Name-Error", text),
            Self::AcSystem(text) => ("AC-System-Error", text),
            Self::Generic(text) => ("Generic-Error", text),
        };
        if text.is_empty() { f.write_str(what) } else { write!(f, "{what}: {text}") }
    }
}

impl core::error::Error for Malformed {}
impl core::error::Error for Error {}

/// A table or wheel could not grow; it is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl From<TryReserveError> for OutOfMemory {
    fn from(_: TryReserveError) -> Self {
        Self
    }
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of memory")
    }
}

impl core::error::Error for OutOfMemory {}
