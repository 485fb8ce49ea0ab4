//! The PPP Session stage (section 6).

use core::fmt;
use core::num::NonZeroU64;

use crate::error::Malformed;
use crate::ethernet::Address;
use crate::packet::{self, Code, PAYLOAD_OFFSET, Packet, SESSION_ID_RESERVED, Stage};

/// What identifies a session on one interface: ids are unique per peer only, so two Access Concentrators may
/// hand out the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    peer: Address,
    id: u16,
}

impl SessionKey {
    /// The session `id` with `peer`; `None` if the address is not unicast or the id is zero or reserved.
    pub fn new(peer: Address, id: u16) -> Option<Self> {
        (peer.is_unicast() && id != 0 && id != SESSION_ID_RESERVED).then_some(Self { peer, id })
    }

    /// The other station.
    pub const fn peer(self) -> Address {
        self.peer
    }

    /// `SESSION_ID`.
    pub const fn id(self) -> u16 {
        self.id
    }

    /// Address and id as one number; the address is unicast, so it is not zero.
    pub fn as_number(self) -> NonZeroU64 {
        let [p0, p1, p2, p3, p4, p5] = self.peer.0;
        let [high, low] = self.id.to_be_bytes();
        NonZeroU64::new(u64::from_be_bytes([p0, p1, p2, p3, p4, p5, high, low])).unwrap_or(NonZeroU64::MIN)
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:#06x}", self.peer, self.id)
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A session as discovery leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// With whom, and under which id.
    pub key: SessionKey,
    /// Octets of the longest PPP information field, that is without the protocol field, in either direction:
    /// the limit for PPP's MTU and MRU.
    pub max_payload: u16,
}

/// A received session packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// The session it claims to belong to.
    pub key: SessionKey,
    /// PPP protocol.
    pub protocol: u16,
    /// The PPP packet, protocol field first, without padding of the frame. It starts [`PAYLOAD_OFFSET`]
    /// octets into the frame.
    pub ppp: &'a [u8],
}

impl<'a> Data<'a> {
    /// Checks a packet of the Session stage. Its addresses are for [`Inbound::parse`](crate::Inbound::parse)
    /// to check.
    ///
    /// A compressed protocol field is refused: section 7 advises against its negotiation, and in a kernel it
    /// misaligns whatever reads on. So are address and control octets, whose first octet is odd as well.
    ///
    /// # Errors
    ///
    /// [`Malformed::Code`], [`SessionId`](Malformed::SessionId), [`Protocol`](Malformed::Protocol).
    pub fn parse(packet: &Packet<'a>) -> Result<Self, Malformed> {
        if packet.code != Code::Session {
            return Err(Malformed::Code(packet.code));
        }
        let key = SessionKey::new(packet.source, packet.session_id).ok_or(Malformed::SessionId)?;
        let protocol =
            packet.payload.first_chunk().copied().map(u16::from_be_bytes).ok_or(Malformed::Protocol)?;
        if protocol & 0x0100 != 0 {
            return Err(Malformed::Protocol);
        }
        Ok(Self { key, protocol, ppp: packet.payload })
    }
}

/// The octets before the PPP packets of one session. Only LENGTH differs from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header([u8; PAYLOAD_OFFSET]);

impl Header {
    /// Octets before the PPP packet.
    pub const LEN: usize = PAYLOAD_OFFSET;

    /// For frames `own` sends in the session `key`.
    pub fn new(own: Address, key: SessionKey) -> Self {
        Self(packet::header(key.peer(), own, Stage::Session, Code::Session, key.id(), 0))
    }

    /// The header for a PPP packet of `length` octets, protocol field included. The frame still wants
    /// [`pad`](crate::ethernet::pad).
    pub const fn for_length(&self, length: u16) -> [u8; PAYLOAD_OFFSET] {
        let mut octets = self.0;
        let [.., high, low] = &mut octets;
        [*high, *low] = length.to_be_bytes();
        octets
    }
}
