//! Where the frames of a VC go.

use ndis::NetBuffer;
use pppoe::{Address, Header, Session};

/// Address and control field, which PPPoE does not carry (RFC 2516 section 7).
pub(super) const ADDRESS_AND_CONTROL: [u8; 2] = [0xFF, 0x03];
/// Bytes of the protocol field, with which a PPP packet begins.
const PROTOCOL_FIELD: usize = 2;

/// Octets of the PPP packet in a frame from a client, or a little more if its beginning cannot be looked at.
pub(super) fn octets(frame: &NetBuffer<'_>) -> usize {
    let framing = match frame.mapped_bytes() {
        Some(bytes) => bytes.starts_with(&ADDRESS_AND_CONTROL),
        None => frame.beginning() == Some(ADDRESS_AND_CONTROL),
    };
    frame.len().saturating_sub(if framing { ADDRESS_AND_CONTROL.len() } else { 0 })
}

/// The session that sends go to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing {
    header: Header,
    /// Bytes of the longest PPP packet without its protocol field.
    span: usize,
}

impl Outgoing {
    /// For frames that `own` sends in a session.
    pub(crate) fn new(own: Address, session: &Session) -> Self {
        Self { header: Header::new(own, session.key), span: session.max_payload.into() }
    }

    /// The PPP packet in a frame from a client, who may have put address and control field before it. `None` if it does
    /// not fit the session.
    #[inline]
    pub(super) fn packet<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let packet = match frame.split_first_chunk() {
            // As one number, to be compared at once.
            Some((&first, rest)) if u16::from_ne_bytes(first) == u16::from_ne_bytes(ADDRESS_AND_CONTROL) => {
                rest
            }
            _ => frame,
        };
        // One comparison for both ends.
        (packet.len().wrapping_sub(PROTOCOL_FIELD) <= self.span).then_some(packet)
    }

    /// Whether [`Outgoing::packet`] finds a packet in every frame of this length, whatever it begins with.
    pub(super) fn carries(&self, length: usize) -> bool {
        const LEAST: usize = ADDRESS_AND_CONTROL.len().saturating_add(PROTOCOL_FIELD);
        (LEAST..=self.span.saturating_add(PROTOCOL_FIELD)).contains(&length)
    }

    /// What goes before a packet that [`Outgoing::packet`] returned.
    #[inline]
    pub(super) fn header(&self, packet: &[u8]) -> [u8; Header::LEN] {
        // No session carries longer packets than the field can say.
        self.header.for_length(u16::try_from(packet.len()).unwrap_or(u16::MAX))
    }
}
