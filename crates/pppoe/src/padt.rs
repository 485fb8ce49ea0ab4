//! The end of a session (section 5.5).

use crate::bounded::Text;
use crate::error::{Error, Malformed};
use crate::ethernet::{self, Address};
use crate::packet::{self, Code, PAYLOAD_OFFSET, Packet, Stage};
use crate::repr::explanation;
use crate::session::SessionKey;
use crate::tag::{TagType, Tags, Writer};

/// A PADT. A received one ends its session, if there is one; otherwise it is ignored, and never answered.
/// After one has been sent or received nothing more is sent in the session, not even PPP packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padt {
    /// The session that ends; its peer is the sender of a received PADT and the destination of a sent one.
    pub key: SessionKey,
    /// Why, from a Generic-Error tag; empty if there is none.
    pub reason: Text,
}

impl Padt {
    /// A PADT for `key` without a reason.
    pub const fn new(key: SessionKey) -> Self {
        Self { key, reason: Text::EMPTY }
    }

    /// Checks a PADT addressed to this station.
    pub(crate) fn parse(packet: &Packet<'_>) -> Result<Self, Malformed> {
        let key = SessionKey::new(packet.source, packet.session_id).ok_or(Malformed::SessionId)?;
        let tags = Tags::parse(packet.payload)?;
        let reason =
            tags.find(TagType::GenericError).map_or(Text::EMPTY, |value| Text::new(explanation(value)));
        Ok(Self { key, reason })
    }

    /// Writes the PADT as an Ethernet frame from `own` to the start of `buffer`, padded with zeros, and
    /// returns its length, at most 136 octets.
    ///
    /// # Errors
    ///
    /// [`Error::Buffer`] if `buffer` is too short.
    pub fn emit(&self, own: Address, buffer: &mut [u8]) -> Result<usize, Error> {
        let (header, payload) = buffer.split_first_chunk_mut::<PAYLOAD_OFFSET>().ok_or(Error::Buffer)?;
        let mut writer = Writer::new(payload);
        if !self.reason.is_empty() {
            writer.push(TagType::GenericError, self.reason.as_str().as_bytes())?;
        }
        let len = writer.len();
        let length = u16::try_from(len).map_err(|_| Error::Buffer)?;
        *header = packet::header(self.key.peer(), own, Stage::Discovery, Code::Padt, self.key.id(), length);
        ethernet::pad(buffer, PAYLOAD_OFFSET.saturating_add(len)).ok_or(Error::Buffer)
    }
}
