//! Ethernet II framing (IEEE 802.3 clause 3), as far as PPPoE needs it.

use core::fmt;

/// Octets of a header: destination, source, `EtherType`.
pub const HEADER_LEN: usize = 14;

/// Octets of the shortest frame, without frame check sequence. Shorter ones are padded with zeros (section
/// 4.1.2.2.23 and 3.2.8 of IEEE 802.3).
pub const MIN_FRAME: usize = 60;

/// Octets of the longest untagged frame of a link with the usual MTU, without frame check sequence.
pub const MAX_FRAME: usize = 1514;

/// `EtherType` of the Discovery stage (section 4).
pub const ETHERTYPE_DISCOVERY: u16 = 0x8863;

/// `EtherType` of the PPP Session stage (section 4).
pub const ETHERTYPE_SESSION: u16 = 0x8864;

/// A MAC address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 6]);

impl Address {
    /// All stations.
    pub const BROADCAST: Self = Self([0xFF; 6]);

    /// Whether this names one station: the group bit is clear and not all octets are zero.
    pub fn is_unicast(self) -> bool {
        let [first, ..] = self.0;
        first & 1 == 0 && self.0 != [0; 6]
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|octet| write!(f, ":{octet:02x}"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A frame split at its header; nothing is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// To whom.
    pub destination: Address,
    /// From whom.
    pub source: Address,
    /// What the payload is; a length if below 0x0600.
    pub ethertype: u16,
    /// What follows the header, padding included.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Splits `frame`; `None` if it is shorter than a header.
    pub fn new(frame: &'a [u8]) -> Option<Self> {
        let (header, payload) = frame.split_first_chunk::<HEADER_LEN>()?;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
        Some(Self {
            destination: Address([d0, d1, d2, d3, d4, d5]),
            source: Address([s0, s1, s2, s3, s4, s5]),
            ethertype: u16::from_be_bytes([t0, t1]),
            payload,
        })
    }
}

/// Pads the frame in the first `len` octets of `buffer` with zeros to [`MIN_FRAME`], so that no old content
/// of the buffer leaves the machine. Returns the length to send; `None` if `buffer` is too short.
pub fn pad(buffer: &mut [u8], len: usize) -> Option<usize> {
    let padded = len.max(MIN_FRAME);
    buffer.get_mut(len..padded)?.fill(0);
    Some(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unicast() {
        assert!(Address([2, 0, 0, 0, 0, 1]).is_unicast());
        assert!(!Address([0; 6]).is_unicast());
        assert!(!Address([1, 0, 0x5e, 0, 0, 1]).is_unicast());
        assert!(!Address::BROADCAST.is_unicast());
    }

    #[test]
    fn padding_is_zero() {
        let mut buffer = [0xAA; 64];
        assert_eq!(pad(&mut buffer, 24), Some(60));
        assert!(buffer[24..60].iter().all(|&b| b == 0));
        assert_eq!(buffer[60], 0xAA);
        assert_eq!(pad(&mut buffer, 61), Some(61));
        assert_eq!(pad(&mut buffer, 65), None);
        assert_eq!(pad(&mut buffer[..59], 24), None);
    }
}
