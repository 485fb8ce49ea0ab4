//! Ethernet and PPPoE as this side of the cable writes and reads them (RFC 2516), independent of the driver's codec.

/// Ethertype of discovery.
pub const DISCOVERY: u16 = 0x8863;
/// Ethertype of sessions.
pub const SESSION: u16 = 0x8864;
/// Everybody.
pub const BROADCAST: [u8; 6] = [0xff; 6];

/// Discovery codes.
pub mod code {
    /// Session data, and the code of the session stage.
    pub const DATA: u8 = 0x00;
    /// Offer.
    pub const PADO: u8 = 0x07;
    /// Initiation.
    pub const PADI: u8 = 0x09;
    /// RFC 5578: grants credits.
    pub const PADG: u8 = 0x0a;
    /// RFC 5578: answers a grant.
    pub const PADC: u8 = 0x0b;
    /// Request.
    pub const PADR: u8 = 0x19;
    /// Session confirmation.
    pub const PADS: u8 = 0x65;
    /// Terminate.
    pub const PADT: u8 = 0xa7;
}

/// Tag types.
pub mod tag {
    /// Ends the list.
    pub const END_OF_LIST: u16 = 0x0000;
    /// Name of a service; empty asks for any.
    pub const SERVICE_NAME: u16 = 0x0101;
    /// Name of the access concentrator.
    pub const AC_NAME: u16 = 0x0102;
    /// What the host recognizes its answers by.
    pub const HOST_UNIQ: u16 = 0x0103;
    /// What the access concentrator recognizes its hosts by.
    pub const AC_COOKIE: u16 = 0x0104;
    /// RFC 5578: credits granted and left, 16 bits each.
    pub const CREDITS: u16 = 0x0106;
    /// RFC 5578: number of a grant, 16 bits.
    pub const SEQUENCE_NUMBER: u16 = 0x0108;
    /// RFC 5578: bytes that a credit is worth, 16 bits.
    pub const CREDIT_SCALE: u16 = 0x0109;
    /// What a relay recognizes sessions by.
    pub const RELAY_SESSION_ID: u16 = 0x0110;
    /// RFC 4638: largest PPP payload, 16 bits.
    pub const PPP_MAX_PAYLOAD: u16 = 0x0120;
    /// The service asked for is not to be had.
    pub const SERVICE_NAME_ERROR: u16 = 0x0201;
    /// The access concentrator is in trouble.
    pub const AC_SYSTEM_ERROR: u16 = 0x0202;
    /// Any other error.
    pub const GENERIC_ERROR: u16 = 0x0203;
}

/// One PPPoE packet in its Ethernet frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Destination address.
    pub destination: [u8; 6],
    /// Source address.
    pub source: [u8; 6],
    /// [`DISCOVERY`] or [`SESSION`].
    pub ethertype: u16,
    /// One of [`code`].
    pub code: u8,
    /// Session id; zero until there is one.
    pub session: u16,
    /// What LENGTH covers.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Reads a frame; `None` when it is not PPPoE version 1 type 1 or is shorter than it says. What follows LENGTH
    /// is padding.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(14)?;
        let (pppoe, rest) = rest.split_at_checked(6)?;
        let ethertype = u16::from_be_bytes([header[12], header[13]]);
        if pppoe[0] != 0x11 || !matches!(ethertype, DISCOVERY | SESSION) {
            return None;
        }
        let len = usize::from(u16::from_be_bytes([pppoe[4], pppoe[5]]));
        Some(Self {
            destination: header[..6].try_into().ok()?,
            source: header[6..12].try_into().ok()?,
            ethertype,
            code: pppoe[1],
            session: u16::from_be_bytes([pppoe[2], pppoe[3]]),
            payload: rest.get(..len)?.to_vec(),
        })
    }

    /// Writes the frame, unpadded. A payload of more than 65,535 bytes is cut.
    pub fn to_bytes(&self) -> Vec<u8> {
        let len = u16::try_from(self.payload.len()).unwrap_or(u16::MAX);
        let mut bytes = Vec::with_capacity(20 + self.payload.len());
        bytes.extend(self.destination);
        bytes.extend(self.source);
        bytes.extend(self.ethertype.to_be_bytes());
        bytes.extend([0x11, self.code]);
        bytes.extend(self.session.to_be_bytes());
        bytes.extend(len.to_be_bytes());
        bytes.extend(&self.payload[..usize::from(len)]);
        bytes
    }

    /// The tags; `None` when one runs over the end. `End-Of-List` ends them.
    pub fn tags(&self) -> Option<Vec<(u16, &[u8])>> {
        let mut tags = Vec::new();
        let mut rest = self.payload.as_slice();
        while !rest.is_empty() {
            let (head, after) = rest.split_at_checked(4)?;
            let kind = u16::from_be_bytes([head[0], head[1]]);
            if kind == tag::END_OF_LIST {
                break;
            }
            let (value, after) =
                after.split_at_checked(usize::from(u16::from_be_bytes([head[2], head[3]])))?;
            tags.push((kind, value));
            rest = after;
        }
        Some(tags)
    }

    /// The name of a discovery code.
    pub fn name(&self) -> &'static str {
        match (self.ethertype, self.code) {
            (SESSION, code::DATA) => "PPP",
            (DISCOVERY, code::PADI) => "PADI",
            (DISCOVERY, code::PADO) => "PADO",
            (DISCOVERY, code::PADR) => "PADR",
            (DISCOVERY, code::PADS) => "PADS",
            (DISCOVERY, code::PADT) => "PADT",
            (DISCOVERY, code::PADG) => "PADG",
            (DISCOVERY, code::PADC) => "PADC",
            _ => "PPPoE packet of unknown code",
        }
    }
}

/// Appends one tag to a payload; a value of more than 65,535 bytes is cut.
pub fn push_tag(payload: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    payload.extend(kind.to_be_bytes());
    payload.extend(len.to_be_bytes());
    payload.extend(&value[..usize::from(len)]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 2516, appendix B: a PADI.
    const PADI: [u8; 24] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x50, 0xda, 0x42, 0xd7, 0xdf, 0x88, 0x63, 0x11, 0x09, 0x00,
        0x00, 0x00, 0x04, 0x01, 0x01, 0x00, 0x00,
    ];

    #[test]
    fn appendix_b() {
        let frame = Frame::parse(&PADI).expect("a PADI");
        assert_eq!((frame.name(), frame.session), ("PADI", 0));
        assert_eq!(frame.tags(), Some(vec![(tag::SERVICE_NAME, &[][..])]));
        assert_eq!(frame.to_bytes(), PADI);
    }

    #[test]
    fn padding_is_no_payload_and_a_short_frame_is_none() {
        let mut padded = PADI.to_vec();
        padded.resize(60, 0xee);
        assert_eq!(Frame::parse(&padded), Frame::parse(&PADI));
        assert_eq!(Frame::parse(&PADI[..23]), None);
        padded[14] = 0x12;
        assert_eq!(Frame::parse(&padded), None);
    }

    #[test]
    fn tag_that_overruns_spoils_the_packet() {
        let mut frame = Frame::parse(&PADI).expect("a PADI");
        frame.payload = vec![0x01, 0x01, 0x00, 0x02, b'x'];
        assert_eq!(frame.tags(), None);
    }

    proptest! {
        #[test]
        fn parse_never_panics_and_writes_back(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(frame) = Frame::parse(&bytes) {
                let _ = frame.tags();
                prop_assert!(bytes.starts_with(&frame.to_bytes()));
            }
        }
    }
}
