//! The PPPoE header (section 4).

use crate::error::{Error, Malformed};
use crate::ethernet::{self, Address, ETHERTYPE_DISCOVERY, ETHERTYPE_SESSION, Frame};
use crate::tag::Writer;

/// Octets of a PPPoE header.
pub const HEADER_LEN: usize = 6;

/// Octets before the PPPoE payload in a frame.
pub const PAYLOAD_OFFSET: usize = ethernet::HEADER_LEN + HEADER_LEN;

/// The reserved `SESSION_ID`, which must not be used (section 4).
pub const SESSION_ID_RESERVED: u16 = 0xFFFF;

/// VER and TYPE, both 1.
const VERSION_TYPE: u8 = 0x11;

assigned_numbers! {
    /// The CODE of a packet (section 5; PADM and PADN: draft-carrel-info-pppoe-ext; PADG, PADC and PADQ: RFC
    /// 5578).
    pub enum Code(u8) {
        /// PPP Session stage.
        Session = 0x00,
        /// Active Discovery Offer.
        Pado = 0x07,
        /// Active Discovery Initiation.
        Padi = 0x09,
        /// Session-Grant.
        Padg = 0x0A,
        /// Session-Credit Response.
        Padc = 0x0B,
        /// Quality.
        Padq = 0x0C,
        /// Active Discovery Request.
        Padr = 0x19,
        /// Active Discovery Session-confirmation.
        Pads = 0x65,
        /// Active Discovery Terminate.
        Padt = 0xA7,
        /// Active Discovery Message.
        Padm = 0xD3,
        /// Active Discovery Network.
        Padn = 0xD4,
    }
}

/// The two stages, each with its `EtherType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// 0x8863.
    Discovery,
    /// 0x8864.
    Session,
}

impl Stage {
    /// The `EtherType` of the stage.
    pub const fn ethertype(self) -> u16 {
        match self {
            Self::Discovery => ETHERTYPE_DISCOVERY,
            Self::Session => ETHERTYPE_SESSION,
        }
    }
}

/// A packet whose header has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// To whom.
    pub destination: Address,
    /// From whom: a unicast address.
    pub source: Address,
    /// From the `EtherType`.
    pub stage: Stage,
    /// CODE.
    pub code: Code,
    /// `SESSION_ID`.
    pub session_id: u16,
    /// Exactly LENGTH octets; what the frame carries beyond, padding or smuggled data, is cut off.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks the header of the packet in the Ethernet frame `frame`, without frame check sequence.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`], [`EtherType`](Malformed::EtherType), [`Version`](Malformed::Version),
    /// [`Length`](Malformed::Length) or [`Source`](Malformed::Source).
    pub fn parse(frame: &'a [u8]) -> Result<Self, Malformed> {
        let Frame { destination, source, ethertype, payload } =
            Frame::new(frame).ok_or(Malformed::Truncated)?;
        let stage = match ethertype {
            ETHERTYPE_DISCOVERY => Stage::Discovery,
            ETHERTYPE_SESSION => Stage::Session,
            _ => return Err(Malformed::EtherType),
        };
        let (header, rest) = payload.split_first_chunk::<HEADER_LEN>().ok_or(Malformed::Truncated)?;
        let [version_type, code, id0, id1, len0, len1] = *header;
        if version_type != VERSION_TYPE {
            return Err(Malformed::Version);
        }
        if !source.is_unicast() {
            return Err(Malformed::Source);
        }
        let length = usize::from(u16::from_be_bytes([len0, len1]));
        let payload = rest.get(..length).ok_or(Malformed::Length)?;
        let session_id = u16::from_be_bytes([id0, id1]);
        Ok(Self { destination, source, stage, code: Code::from(code), session_id, payload })
    }
}

/// The Ethernet and PPPoE header of a packet with a payload of `length` octets.
pub fn header(
    destination: Address,
    source: Address,
    stage: Stage,
    code: Code,
    session_id: u16,
    length: u16,
) -> [u8; PAYLOAD_OFFSET] {
    let [d0, d1, d2, d3, d4, d5] = destination.0;
    let [s0, s1, s2, s3, s4, s5] = source.0;
    let [t0, t1] = stage.ethertype().to_be_bytes();
    let [id0, id1] = session_id.to_be_bytes();
    let [len0, len1] = length.to_be_bytes();
    let code = code.into();
    [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1, VERSION_TYPE, code, id0, id1, len0, len1]
}

/// Writes a packet of the Discovery stage, with the tags that `tags` pushes, as an Ethernet frame to the start of `buffer`,
/// padded with zeros; its length.
pub(crate) fn emit(
    destination: Address,
    source: Address,
    code: Code,
    session_id: u16,
    buffer: &mut [u8],
    tags: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
) -> Result<usize, Error> {
    let (head, payload) = buffer.split_first_chunk_mut::<PAYLOAD_OFFSET>().ok_or(Error::Buffer)?;
    let mut writer = Writer::new(payload);
    tags(&mut writer)?;
    let len = writer.len();
    let length = u16::try_from(len).map_err(|_| Error::Buffer)?;
    *head = header(destination, source, Stage::Discovery, code, session_id, length);
    ethernet::pad(buffer, PAYLOAD_OFFSET.saturating_add(len)).ok_or(Error::Buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Address = Address([2, 0, 0, 0, 0, 1]);
    const OWN: Address = Address([2, 0, 0, 0, 0, 2]);

    fn frame() -> [u8; 60] {
        let mut frame = [0xEE; 60];
        frame[..20].copy_from_slice(&header(OWN, PEER, Stage::Session, Code::Session, 0x1234, 4));
        frame[20..24].copy_from_slice(&[0xC0, 0x21, 1, 2]);
        frame
    }

    // covers: RFC2516:4
    #[test]
    fn payload_ends_at_length() {
        let frame = frame();
        let packet = Packet::parse(&frame).unwrap();
        assert_eq!(packet.payload, [0xC0, 0x21, 1, 2]);
        assert_eq!((packet.stage, packet.code, packet.session_id), (Stage::Session, Code::Session, 0x1234));
        assert_eq!((packet.destination, packet.source), (OWN, PEER));
    }

    #[test]
    fn every_prefix_is_refused_until_length_is_there() {
        let frame = frame();
        for len in 0..20 {
            assert_eq!(Packet::parse(&frame[..len]), Err(Malformed::Truncated));
        }
        for len in 20..24 {
            assert_eq!(Packet::parse(&frame[..len]), Err(Malformed::Length));
        }
        assert!(Packet::parse(&frame[..24]).is_ok());
    }

    // covers: RFC2516:4
    #[test]
    fn bad_headers() {
        for (at, value, want) in [
            (12, 0x08, Malformed::EtherType),
            (13, 0x00, Malformed::EtherType),
            (14, 0x21, Malformed::Version),
            (14, 0x12, Malformed::Version),
            (6, 0x03, Malformed::Source),
            (18, 0xFF, Malformed::Length),
        ] {
            let mut frame = frame();
            frame[at] = value;
            assert_eq!(Packet::parse(&frame), Err(want));
        }
    }

    #[test]
    fn codes_keep_their_numbers() {
        for number in 0..=u8::MAX {
            assert_eq!(u8::from(Code::from(number)), number);
        }
    }
}
