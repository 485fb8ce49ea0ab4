//! A Discovery packet in terms of what its tags mean.

use crate::error::{Error, Malformed};
use crate::ethernet::{self, Address};
use crate::extension::Credits;
use crate::packet::{self, Code, PAYLOAD_OFFSET, Packet, SESSION_ID_RESERVED, Stage};
use crate::tag::{self, TagType, Tags, Writer};

/// What went wrong, as a tag says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorTag<'a> {
    /// Service-Name-Error, AC-System-Error or Generic-Error.
    pub kind: TagType,
    /// The explanation as sent: any octets, not to be shown before [`Text::new`](crate::bounded::Text::new)
    /// cleaned them. Empty if the value starts with a zero (Appendix A).
    pub text: &'a [u8],
}

/// A PADI, PADO, PADR or PADS.
///
/// Where a packet has a tag twice that it should have once, the first counts; only a second Service-Name in a
/// PADI or PADR is an error, because then two readers could serve different services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr<'a> {
    /// To whom.
    pub destination: Address,
    /// From whom.
    pub source: Address,
    /// Which of the four.
    pub code: Code,
    /// Zero but in a PADS that confirms.
    pub session_id: u16,
    /// Service-Name: the one asked for, or the first.
    pub service_name: Option<&'a [u8]>,
    /// AC-Name.
    pub ac_name: Option<&'a [u8]>,
    /// Host-Uniq.
    pub host_uniq: Option<&'a [u8]>,
    /// AC-Cookie.
    pub ac_cookie: Option<&'a [u8]>,
    /// Relay-Session-Id.
    pub relay_session_id: Option<&'a [u8]>,
    /// PPP-Max-Payload (RFC 4638): the longest PPP information field, more than 1,492. Anything else in the
    /// tag counts as no tag.
    pub max_payload: Option<u16>,
    /// Credits (RFC 5578). A tag of another length counts as no tag.
    pub credits: Option<Credits>,
    /// Credit Scale Factor (RFC 5578): octets that a credit is worth. Zero counts as no tag.
    pub credit_scale: Option<u16>,
    /// The first error tag. A packet with one is not a success, whatever else it says.
    pub error: Option<ErrorTag<'a>>,
    /// All tags as received. [`Repr::emit`] does not write them.
    pub tags: Tags<'a>,
}

impl<'a> Repr<'a> {
    /// A packet without tags.
    pub const fn new(destination: Address, source: Address, code: Code) -> Self {
        Self {
            destination,
            source,
            code,
            session_id: 0,
            service_name: None,
            ac_name: None,
            host_uniq: None,
            ac_cookie: None,
            relay_session_id: None,
            max_payload: None,
            credits: None,
            credit_scale: None,
            error: None,
            tags: Tags::EMPTY,
        }
    }

    /// Reads a PADI, PADO, PADR or PADS.
    ///
    /// # Errors
    ///
    /// [`Malformed::Code`] for any other packet, [`SessionId`](Malformed::SessionId) unless the id is zero,
    /// or, in a PADS, neither reserved nor zero without an error tag;
    /// [`ServiceName`](Malformed::ServiceName), [`Tag`](Malformed::Tag), [`TagCount`](Malformed::TagCount).
    pub fn parse(packet: &Packet<'a>) -> Result<Self, Malformed> {
        let code = packet.code;
        if packet.stage != Stage::Discovery
            || !matches!(code, Code::Padi | Code::Pado | Code::Padr | Code::Pads)
        {
            return Err(Malformed::Code(code));
        }
        let tags = Tags::parse(packet.payload)?;
        let mut repr = Self::new(packet.destination, packet.source, code);
        repr.session_id = packet.session_id;
        repr.tags = tags;
        let mut services = 0_usize;
        for tag in tags {
            let field = match tag.kind {
                TagType::ServiceName => {
                    services = services.saturating_add(1);
                    &mut repr.service_name
                }
                TagType::AcName => &mut repr.ac_name,
                TagType::HostUniq => &mut repr.host_uniq,
                TagType::AcCookie => &mut repr.ac_cookie,
                TagType::RelaySessionId => &mut repr.relay_session_id,
                TagType::PppMaxPayload => {
                    repr.max_payload = repr.max_payload.or_else(|| max_payload(tag.value));
                    continue;
                }
                TagType::Credits => {
                    repr.credits = repr.credits.or_else(|| Credits::parse(tag.value));
                    continue;
                }
                TagType::CreditScaleFactor => {
                    repr.credit_scale = repr.credit_scale.or_else(|| number(tag.value).filter(|&it| it != 0));
                    continue;
                }
                kind @ (TagType::ServiceNameError | TagType::AcSystemError | TagType::GenericError) => {
                    repr.error.get_or_insert(ErrorTag { kind, text: explanation(tag.value) });
                    continue;
                }
                _ => continue,
            };
            field.get_or_insert(tag.value);
        }
        if matches!(code, Code::Padi | Code::Padr) && services != 1 {
            return Err(Malformed::ServiceName);
        }
        let id_allowed = match repr.session_id {
            0 => code != Code::Pads || repr.error.is_some(),
            SESSION_ID_RESERVED => false,
            _ => code == Code::Pads,
        };
        if id_allowed { Ok(repr) } else { Err(Malformed::SessionId) }
    }

    /// Whether the packet names the service `name`, octet by octet. A PADO may name many.
    pub fn offers(&self, name: &[u8]) -> bool {
        self.tags.into_iter().any(|tag| tag.kind == TagType::ServiceName && tag.value == name)
    }

    /// Octets [`Repr::emit`] needs.
    pub fn buffer_len(&self) -> usize {
        let octets = self.fields().into_iter().filter_map(|(_, value)| value);
        let error = self.error.map(|error| error.text);
        let tags = octets.chain(error).map(|value| value.len().saturating_add(tag::HEADER_LEN));
        let numbers = [
            self.max_payload.map(|_| tag::HEADER_LEN + 2),
            self.credits.map(|_| Credits::TAG_LEN),
            self.credit_scale.map(|_| tag::HEADER_LEN + 2),
        ];
        let tags = tags.chain(numbers.into_iter().flatten());
        tags.fold(PAYLOAD_OFFSET, usize::saturating_add).max(ethernet::MIN_FRAME)
    }

    /// Writes the packet as an Ethernet frame to the start of `buffer`, padded with zeros to the shortest
    /// frame, and returns its length. The same packet always gives the same octets.
    ///
    /// # Errors
    ///
    /// [`Error::Buffer`] if `buffer` is too short, [`Error::TagTooLong`] if a value is longer than a tag can
    /// be. `buffer` may have been written to.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let (header, payload) = buffer.split_first_chunk_mut::<PAYLOAD_OFFSET>().ok_or(Error::Buffer)?;
        let mut writer = Writer::new(payload);
        for (kind, value) in self.fields() {
            if let Some(value) = value {
                writer.push(kind, value)?;
            }
        }
        if let Some(max_payload) = self.max_payload {
            writer.push(TagType::PppMaxPayload, &max_payload.to_be_bytes())?;
        }
        if let Some(credits) = self.credits {
            writer.push(TagType::Credits, &credits.to_bytes())?;
        }
        if let Some(scale) = self.credit_scale {
            writer.push(TagType::CreditScaleFactor, &scale.to_be_bytes())?;
        }
        if let Some(error) = self.error {
            writer.push(error.kind, error.text)?;
        }
        let len = writer.len();
        let length = u16::try_from(len).map_err(|_| Error::Buffer)?;
        *header = packet::header(
            self.destination,
            self.source,
            Stage::Discovery,
            self.code,
            self.session_id,
            length,
        );
        ethernet::pad(buffer, PAYLOAD_OFFSET.saturating_add(len)).ok_or(Error::Buffer)
    }

    fn fields(&self) -> [(TagType, Option<&'a [u8]>); 5] {
        [
            (TagType::ServiceName, self.service_name),
            (TagType::AcName, self.ac_name),
            (TagType::HostUniq, self.host_uniq),
            (TagType::AcCookie, self.ac_cookie),
            (TagType::RelaySessionId, self.relay_session_id),
        ]
    }
}

/// The PPP payload without PPP-Max-Payload (section 7): 1,500 less the PPPoE header and the protocol field.
pub const MAX_PAYLOAD_DEFAULT: u16 = 1492;

fn max_payload(value: &[u8]) -> Option<u16> {
    number(value).filter(|&octets| octets > MAX_PAYLOAD_DEFAULT)
}

fn number(value: &[u8]) -> Option<u16> {
    value.try_into().ok().map(u16::from_be_bytes)
}

pub(crate) fn explanation(value: &[u8]) -> &[u8] {
    if value.first() == Some(&0) { &[] } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;

    const OWN: Address = Address([2, 0, 0, 0, 0, 2]);
    const PEER: Address = Address([2, 0, 0, 0, 0, 1]);

    fn parse(code: Code, session_id: u16, payload: &[u8]) -> Result<Repr<'_>, Malformed> {
        Repr::parse(&Packet {
            destination: OWN,
            source: PEER,
            stage: Stage::Discovery,
            code,
            session_id,
            payload,
        })
    }

    #[test]
    fn emit_fills_exactly_buffer_len() {
        let mut repr = Repr::new(PEER, OWN, Code::Padr);
        repr.service_name = Some(b"internet");
        repr.host_uniq = Some(&[0; 12]);
        repr.ac_cookie = Some(&[7; 20]);
        repr.relay_session_id = Some(b"relay");
        repr.max_payload = Some(1500);
        repr.credits = Some(Credits { forward: 1, backward: 2 });
        repr.credit_scale = Some(32);
        let mut buffer = std::vec![0xAA; repr.buffer_len()];
        assert_eq!(repr.emit(&mut buffer), Ok(buffer.len()));
        let packet = Packet::parse(&buffer).unwrap();
        let mut back = Repr::parse(&packet).unwrap();
        back.tags = Tags::EMPTY;
        assert_eq!(back, repr);
        for short in 0..buffer.len() {
            assert_eq!(repr.emit(&mut buffer[..short]), Err(Error::Buffer), "{short}");
        }
    }

    // covers: RFC2516:4
    #[test]
    fn session_ids() {
        let any_service = [1, 1, 0, 0];
        let with_error = [1, 1, 0, 0, 2, 2, 0, 0];
        for code in [Code::Padi, Code::Pado, Code::Padr] {
            assert!(parse(code, 0, &any_service).is_ok());
            assert_eq!(parse(code, 1, &any_service), Err(Malformed::SessionId));
        }
        assert_eq!(parse(Code::Pads, 0, &any_service), Err(Malformed::SessionId));
        assert!(parse(Code::Pads, 0, &with_error).is_ok());
        assert!(parse(Code::Pads, 0xFFFE, &any_service).is_ok());
        assert_eq!(parse(Code::Pads, 0xFFFF, &any_service), Err(Malformed::SessionId));
        assert_eq!(parse(Code::Pads, 0xFFFF, &with_error), Err(Malformed::SessionId));
        assert_eq!(parse(Code::Padm, 0, &any_service), Err(Malformed::Code(Code::Padm)));
    }

    #[test]
    fn first_of_duplicates_counts() {
        let payload =
            [1, 1, 0, 0, 1, 3, 0, 1, b'a', 1, 3, 0, 1, b'b', 1, 4, 0, 0, 1, 4, 0, 1, b'c', 1, 1, 0, 1, b's'];
        let repr = parse(Code::Pado, 0, &payload).unwrap();
        assert_eq!(repr.host_uniq, Some(&b"a"[..]));
        assert_eq!(repr.ac_cookie, Some(&b""[..]));
        assert!(repr.offers(b"") && repr.offers(b"s") && !repr.offers(b"x"));
        assert_eq!(parse(Code::Padi, 0, &payload), Err(Malformed::ServiceName));
        assert_eq!(parse(Code::Padr, 0, &[]), Err(Malformed::ServiceName));
    }

    // covers: RFC4638:PPP-Max-Payload
    #[test]
    fn max_payload_needs_two_octets_and_more_than_1492() {
        for (tag, want) in [
            (&[1, 0x20, 0, 2, 0x05, 0xDC][..], Some(1500)),
            (&[1, 0x20, 0, 2, 0x05, 0xD4], None),
            (&[1, 0x20, 0, 2, 0, 0], None),
            (&[1, 0x20, 0, 1, 0xFF], None),
            (&[1, 0x20, 0, 3, 0x05, 0xDC, 0], None),
            (&[1, 0x20, 0, 0], None),
            // A Vendor-Specific value that looks like one.
            (&[1, 5, 0, 2, 0x05, 0xDC], None),
        ] {
            assert_eq!(parse(Code::Pado, 0, tag).unwrap().max_payload, want);
        }
    }

    // covers: RFC2516:A
    #[test]
    fn error_text_is_only_text_if_it_does_not_start_with_zero() {
        let text = |payload| parse(Code::Pads, 0, payload).unwrap().error.unwrap().text;
        assert_eq!(text(&[2, 2, 0, 2, b'n', b'o']), b"no");
        assert_eq!(text(&[2, 2, 0, 2, 0, b'o']), b"");
        assert_eq!(text(&[2, 3, 0, 0]), b"");
    }
}
