//! The first octets of a received frame, which tell where its contents go.
//!
//! A driver that indicates session frames from the buffer the card wrote them to needs no copy of the frame, only a
//! checked copy of its head.

use crate::error::Malformed;
use crate::ethernet::{Address, ETHERTYPE_SESSION};
use crate::extension::Credits;
use crate::packet::Code;
use crate::session::{Header, SessionKey};

/// `VER` and `TYPE` (section 4).
const VERSION_AND_TYPE: u8 = 0x11;
/// Octets of the PPP protocol field.
const PROTOCOL_FIELD: u16 = 2;

/// Where the PPP packet of a session frame lies: from octet [`Header::LEN`] of the frame on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The session that the frame claims to belong to.
    pub key: SessionKey,
    /// Octets of the PPP packet, protocol field included, padding of the frame not.
    pub length: u16,
}

impl Head {
    /// Octets that [`Head::parse`] looks at.
    pub const LEN: usize = Header::LEN + 2;

    /// The session that a frame's head names, whatever is wrong with the rest of it; `None` for a frame that is no
    /// session's, or not for `own`.
    pub fn claimed(head: &[u8; Self::LEN], own: Address) -> Option<SessionKey> {
        #[rustfmt::skip]
        let [
            d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, type0, type1,
            _, _, id0, id1, _, _, _, _,
        ] = *head;
        let session = u16::from_be_bytes([type0, type1]) == ETHERTYPE_SESSION;
        let mine = Address([d0, d1, d2, d3, d4, d5]) == own;
        let peer = Address([s0, s1, s2, s3, s4, s5]);
        if session && mine { SessionKey::new(peer, u16::from_be_bytes([id0, id1])) } else { None }
    }

    /// Checks the head of a frame of `frame_length` octets received by `own`, by the rules of
    /// [`Data::parse`](crate::Data::parse). `Ok(None)`: no session frame; look at the whole of it.
    ///
    /// # Errors
    ///
    /// As [`Inbound::parse`](crate::Inbound::parse) for a session frame.
    pub fn parse(
        head: &[u8; Self::LEN],
        frame_length: usize,
        own: Address,
    ) -> Result<Option<Self>, Malformed> {
        #[rustfmt::skip]
        let [
            d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, type0, type1,
            version, code, id0, id1, length0, length1, protocol0, _,
        ] = *head;
        if u16::from_be_bytes([type0, type1]) != ETHERTYPE_SESSION {
            return Ok(None);
        }
        let peer = Address([s0, s1, s2, s3, s4, s5]);
        if Address([d0, d1, d2, d3, d4, d5]) != own {
            return Err(Malformed::Destination);
        }
        if peer == own {
            return Err(Malformed::Source);
        }
        if version != VERSION_AND_TYPE {
            return Err(Malformed::Version);
        }
        let code = Code::from(code);
        if code != Code::Session {
            return Err(Malformed::Code(code));
        }
        let key = SessionKey::new(peer, u16::from_be_bytes([id0, id1])).ok_or(Malformed::SessionId)?;
        let length = u16::from_be_bytes([length0, length1]);
        if Header::LEN.saturating_add(length.into()) > frame_length {
            return Err(Malformed::Length);
        }
        if length < PROTOCOL_FIELD || protocol0 & 1 != 0 {
            return Err(Malformed::Protocol);
        }
        Ok(Some(Self { key, length }))
    }
}

/// The head of a session frame that has a Credits tag in front of its PPP packet (RFC 5578). Only sessions that agreed on
/// credits have such frames; in others they are malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InBand {
    /// The head without the tag: the PPP packet begins at octet [`InBand::OFFSET`] of the frame.
    pub head: Head,
    /// What the tag says.
    pub credits: Credits,
}

impl InBand {
    /// Octets before the PPP packet.
    pub const OFFSET: usize = Header::LEN + Credits::TAG_LEN;
    /// Octets that [`InBand::parse`] looks at.
    pub const LEN: usize = Self::OFFSET + 2;
    /// What is in the place of the protocol field: the tag's type.
    pub const KIND: [u8; 2] = [0x01, 0x06];
    /// The tag's type and length.
    const TAG: [u8; 4] = [0x01, 0x06, 0, 4];

    /// Checks the head of a frame of `frame_length` octets received by `own`; `None` unless it is a good session frame
    /// with the tag.
    pub fn parse(head: &[u8; Self::LEN], frame_length: usize, own: Address) -> Option<Self> {
        let (before, rest) = head.split_first_chunk::<{ Header::LEN }>()?;
        let (tag, rest) = rest.split_first_chunk::<4>()?;
        let (credits, protocol) = rest.split_at_checked(4)?;
        if *tag != Self::TAG {
            return None;
        }
        // The frame as it would be without the tag.
        let mut without = [0; Head::LEN];
        let (start, end) = without.split_at_mut(Header::LEN);
        start.copy_from_slice(before);
        end.copy_from_slice(protocol);
        if let [.., high, low] = start {
            let length = u16::from_be_bytes([*high, *low]);
            let tag = u16::try_from(Credits::TAG_LEN).ok()?;
            [*high, *low] = length.checked_sub(tag)?.to_be_bytes();
        }
        let head = Head::parse(&without, frame_length.checked_sub(Credits::TAG_LEN)?, own).ok()??;
        Some(Self { head, credits: Credits::parse(credits)? })
    }
}

/// The first octets of a frame in words, as they lie in memory: those of [`Head::parse`], and two more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beginning(pub [u64; Beginning::WORDS]);

impl Beginning {
    /// How many words there are.
    pub const WORDS: usize = Head::LEN.div_ceil(size_of::<u64>());

    /// The octets.
    pub fn octets(&self) -> [u8; Head::LEN] {
        let [a, b, c] = self.0.map(u64::to_ne_bytes);
        let ([a0, a1, a2, a3, a4, a5, a6, a7], [b0, b1, b2, b3, b4, b5, b6, b7]) = (a, b);
        let [c0, c1, c2, c3, c4, c5, _, _] = c;
        #[rustfmt::skip]
        let octets = [
            a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7, c0, c1, c2, c3, c4, c5,
        ];
        octets
    }
}

/// What all frames of one session begin with, to know the next one by: addresses, type, version, code and session id, and a
/// PPP protocol that is not compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix([u64; Beginning::WORDS]);

impl Prefix {
    /// What of the last word must be the same: the session id, and the bit of the protocol that would tell a compressed one.
    const LAST: u64 = u64::from_ne_bytes([0xFF, 0xFF, 0, 0, 1, 0, 0, 0]);

    /// The prefix of a frame that [`Head::parse`] found to be a session's.
    pub const fn of(beginning: &Beginning) -> Self {
        let [first, second, last] = beginning.0;
        Self([first, second, last & Self::LAST])
    }

    /// The octets of the PPP packet in a frame of the same session, as [`Head::parse`] would find them. `None` if it is
    /// another session's, or malformed: `Head::parse` tells.
    #[inline]
    pub fn length(&self, beginning: &Beginning, frame_length: usize) -> Option<u16> {
        let ([a, b, c], [first, second, last]) = (self.0, beginning.0);
        let [_, _, high, low, ..] = last.to_ne_bytes();
        let length = u16::from_be_bytes([high, low]);
        let good = (a ^ first) | (b ^ second) | (c ^ last & Self::LAST) == 0
            && Header::LEN.wrapping_add(length.into()) <= frame_length
            && length >= PROTOCOL_FIELD;
        good.then_some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Inbound;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const OWN: Address = Address([2, 0, 0, 0, 0, 1]);

    fn frame(mangle: &[(usize, u8)], tail: usize) -> Vec<u8> {
        let key = SessionKey::new(Address([2, 0, 0, 0, 0, 2]), 0x1234).unwrap();
        let header = Header::new(key.peer(), SessionKey::new(OWN, key.id()).unwrap());
        let mut frame = header.for_length(10).to_vec();
        frame.extend([0, 0x21]);
        frame.resize(30 + tail, 0);
        for &(at, value) in mangle {
            if let Some(octet) = frame.get_mut(at) {
                *octet = value;
            }
        }
        frame
    }

    fn beginning(frame: &[u8]) -> Beginning {
        let mut words = frame.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap()));
        Beginning([(); 3].map(|()| words.next().unwrap()))
    }

    fn parse(frame: &[u8]) -> Result<Option<Head>, Malformed> {
        Head::parse(frame.first_chunk().unwrap(), frame.len(), OWN)
    }

    #[test]
    fn a_session_frame_and_its_padding() {
        let head = parse(&frame(&[], 30)).unwrap().unwrap();
        assert_eq!((head.key.peer(), head.key.id(), head.length), (Address([2, 0, 0, 0, 0, 2]), 0x1234, 10));
    }

    #[test]
    fn a_damaged_frame_names_its_session_still() {
        let claimed = |mangle: &[(usize, u8)]| Head::claimed(frame(mangle, 0).first_chunk().unwrap(), OWN);
        let key = SessionKey::new(Address([2, 0, 0, 0, 0, 2]), 0x1234);
        // Another version, a LENGTH beyond the frame, an odd protocol.
        for damage in [(14, 0x22), (18, 0xFF), (20, 1)] {
            assert!(parse(&frame(&[damage], 0)).is_err());
            assert_eq!(claimed(&[damage]), key);
        }
        assert_eq!(claimed(&[(13, 0x63)]), None);
        assert_eq!(claimed(&[(5, 9)]), None);
        assert_eq!(claimed(&[(6, 3)]), None);
    }

    #[test]
    fn a_discovery_frame_is_for_others() {
        assert_eq!(parse(&frame(&[(13, 0x63)], 0)), Ok(None));
    }

    proptest! {
        /// A frame is known by the prefix of another of its session exactly if it is a good one of that session.
        #[test]
        fn the_prefix_agrees_with_the_head(
            mangle in prop::collection::vec((0_usize..24, any::<u8>()), 0..3),
            tail in 0_usize..20,
        ) {
            let good = frame(&[], 0);
            let expected = parse(&good).unwrap().unwrap();
            let prefix = Prefix::of(&beginning(&good));
            let frame = frame(&mangle, tail);
            let found = prefix.length(&beginning(&frame), frame.len());
            prop_assert_eq!(Some(&beginning(&frame).octets()), frame.first_chunk());
            match parse(&frame) {
                Ok(Some(head)) if head.key == expected.key => prop_assert_eq!(found, Some(head.length)),
                _ => prop_assert_eq!(found, None),
            }
        }

        /// The head and the whole frame are judged alike.
        #[test]
        fn agrees_with_the_whole_frame(
            mangle in prop::collection::vec((0_usize..24, any::<u8>()), 0..3),
            tail in 0_usize..20,
        ) {
            let frame = frame(&mangle, tail);
            let whole = Inbound::parse(&frame, OWN);
            match parse(&frame) {
                Ok(Some(head)) => {
                    let Ok(Inbound::Data(data)) = whole else { panic!("{whole:?} but {head:?}") };
                    prop_assert_eq!((data.key, data.ppp.len()), (head.key, usize::from(head.length)));
                }
                Ok(None) => prop_assert!(!matches!(whole, Ok(Inbound::Data(_)))),
                Err(_) => prop_assert!(whole.is_err()),
            }
        }
    }
}
