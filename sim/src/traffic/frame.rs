//! What of a frame is looked at.

use std::fmt;

use crate::wire::{
    describe::address,
    frame::{DISCOVERY, SESSION, code},
};

/// Address and control field of simple HDLC framing, which PPPoE does not carry (RFC 2516 section 7).
const HDLC: [u8; 2] = [0xff, 0x03];
/// Ethertype of a VLAN tag.
const TAGGED: [u8; 2] = [0x81, 0x00];
/// Bytes of Ethernet and PPPoE header.
const HEADER: usize = 20;
/// A Credits tag in front of a PPP packet, by type and length, and its bytes (RFC 5578 section 5.1).
const CREDITS: [u8; 4] = [0x01, 0x06, 0x00, 0x04];
const CREDITS_LEN: usize = 8;

/// A PPPoE session: the peer's address and the session's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Session {
    peer: [u8; 6],
    id: u16,
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {:#06x} of {}", self.id, address(self.peer))
    }
}

/// Which way a frame goes, as the card sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// A session's, with its packet.
    Data(Session, Packet),
    /// A PADS or PADT: the session of that name before it and the one after it are two.
    Boundary(Session),
}

/// A PPP packet: a key that tells contents apart, and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(super) key: u64,
    pub(super) len: u32,
}

impl Packet {
    /// These bytes, from the protocol field on.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { key: key(bytes), len: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
    }

    /// That of a frame as clients have it, with or without address and control field.
    pub(crate) fn in_frame(frame: &[u8]) -> Self {
        Self::of(frame.strip_prefix(&HDLC).unwrap_or(frame))
    }
}

/// Tells contents apart.
fn key(packet: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(FACTOR);
        mixed ^ mixed >> 29
    };
    let mut words = packet.chunks_exact(8);
    let hash = words.by_ref().fold(packet.len() as u64, |hash, word| {
        mix(hash, u64::from_le_bytes(word.try_into().unwrap_or_default()))
    });
    let mut rest = [0; 8];
    rest[..words.remainder().len()].copy_from_slice(words.remainder());
    mix(mix(hash, u64::from_le_bytes(rest)), FACTOR)
}

/// The PPPoE header and what follows it, without a VLAN tag.
fn pppoe(frame: &[u8]) -> Option<(u16, &[u8])> {
    let behind = frame.get(12..)?;
    let behind = if behind.starts_with(&TAGGED) { behind.get(4..)? } else { behind };
    let (ethertype, rest) = behind.split_first_chunk()?;
    Some((u16::from_be_bytes(*ethertype), rest))
}

/// The packet that the LENGTH of a PPPoE header covers.
fn packet(pppoe: &[u8]) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes([*pppoe.get(4)?, *pppoe.get(5)?]));
    pppoe.get(6..)?.get(..length)
}

/// What is known of a frame, if it is one to follow.
pub(super) fn look(frame: &[u8], way: Way) -> Option<Seen> {
    let (ethertype, pppoe) = pppoe(frame)?;
    let [0x11, kind, id0, id1, ..] = *pppoe else { return None };
    let at = if way == Way::Out { 0 } else { 6 };
    let session =
        Session { peer: frame.get(at..at + 6)?.try_into().ok()?, id: u16::from_be_bytes([id0, id1]) };
    match (ethertype, kind) {
        (SESSION, code::DATA) => Some(Seen::Data(session, Packet::of(packet(pppoe)?))),
        (DISCOVERY, code::PADS | code::PADT) => Some(Seen::Boundary(session)),
        _ => None,
    }
}

/// The packet behind the credits of a session frame, if it has some.
pub(super) fn behind_credits(frame: &[u8]) -> Option<Packet> {
    let packet = packet(pppoe(frame)?.1)?;
    packet.starts_with(&CREDITS).then(|| Packet::of(&packet[CREDITS_LEN.min(packet.len())..]))
}

/// The session of a received frame by what lies before its packet: Ethernet and PPPoE header, and perhaps credits. `None` if
/// they do not.
pub(crate) fn session_before(head: &[u8]) -> Option<Session> {
    [0, CREDITS_LEN].into_iter().find_map(|credits| {
        let begin = head.len().checked_sub(HEADER + credits)?;
        let header = &head[begin..begin + HEADER];
        let ours = header[12..14] == SESSION.to_be_bytes() && header[14..16] == [0x11, code::DATA];
        let peer = header[6..12].try_into().ok()?;
        ours.then(|| Session { peer, id: u16::from_be_bytes([header[16], header[17]]) })
    })
}
