//! Tags of the Discovery stage (section 5 and Appendix A).

use crate::error::{Error, Malformed};

/// Octets of a tag's header.
pub const HEADER_LEN: usize = 4;

/// The most tags a packet may have. More cannot be useful, and each costs the receiver time.
pub const MAX_TAGS: usize = 256;

assigned_numbers! {
    /// `TAG_TYPE` (Appendix A and the IANA registry "PPPoE TAG Values"; 0x0111, 0x0112 and 0x0121:
    /// draft-carrel-info-pppoe-ext).
    pub enum TagType(u16) {
        /// End of the list; optional, without value.
        EndOfList = 0x0000,
        /// Service asked for or offered; empty: any.
        ServiceName = 0x0101,
        /// Name of the Access Concentrator.
        AcName = 0x0102,
        /// The Host's token, returned unmodified.
        HostUniq = 0x0103,
        /// The Access Concentrator's token, returned unmodified.
        AcCookie = 0x0104,
        /// Vendor id and value.
        VendorSpecific = 0x0105,
        /// RFC 5578.
        Credits = 0x0106,
        /// RFC 5578.
        Metrics = 0x0107,
        /// RFC 5578.
        SequenceNumber = 0x0108,
        /// RFC 5578.
        CreditScaleFactor = 0x0109,
        /// A relay's token, returned unmodified.
        RelaySessionId = 0x0110,
        /// A URL, in PADM.
        Hurl = 0x0111,
        /// A message, in PADM.
        Motm = 0x0112,
        /// RFC 4638.
        PppMaxPayload = 0x0120,
        /// A route, in PADN.
        IpRouteAdd = 0x0121,
        /// The service asked for cannot be had.
        ServiceNameError = 0x0201,
        /// The Access Concentrator lacks resources.
        AcSystemError = 0x0202,
        /// An unrecoverable error.
        GenericError = 0x0203,
    }
}

/// One tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// `TAG_TYPE`.
    pub kind: TagType,
    /// `TAG_VALUE`, `TAG_LENGTH` octets.
    pub value: &'a [u8],
}

/// The tags of a packet, known to be well-formed up to End-Of-List.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tags<'a>(&'a [u8]);

impl<'a> Tags<'a> {
    /// No tags.
    pub const EMPTY: Self = Self(&[]);

    /// Checks the tags in `payload`, a packet's payload cut at LENGTH. One bad tag spoils the whole packet:
    /// what precedes it is not used. What follows End-Of-List is not looked at.
    ///
    /// # Errors
    ///
    /// [`Malformed::Tag`] or [`TagCount`](Malformed::TagCount).
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = payload;
        for _ in 0..MAX_TAGS {
            if rest.is_empty() {
                return Ok(Self(payload));
            }
            let (tag, next) = split(rest).ok_or(Malformed::Tag)?;
            if tag.kind == TagType::EndOfList {
                let end = payload.len().saturating_sub(rest.len());
                let tags = payload.get(..end).unwrap_or_default();
                return if tag.value.is_empty() { Ok(Self(tags)) } else { Err(Malformed::Tag) };
            }
            rest = next;
        }
        if rest.is_empty() { Ok(Self(payload)) } else { Err(Malformed::TagCount) }
    }

    /// The first tag of `kind`.
    pub fn find(self, kind: TagType) -> Option<&'a [u8]> {
        self.into_iter().find(|tag| tag.kind == kind).map(|tag| tag.value)
    }
}

impl<'a> IntoIterator for Tags<'a> {
    type Item = Tag<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        Iter(self.0)
    }
}

/// The tags of [`Tags`] in order, without End-Of-List.
#[derive(Clone, Debug)]
pub struct Iter<'a>(&'a [u8]);

impl<'a> Iterator for Iter<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        let (tag, rest) = split(self.0)?;
        self.0 = rest;
        Some(tag)
    }
}

/// The first tag and what follows it; `None` if its header or value is not all there.
fn split(octets: &[u8]) -> Option<(Tag<'_>, &[u8])> {
    let (header, rest) = octets.split_first_chunk::<HEADER_LEN>()?;
    let [type0, type1, len0, len1] = *header;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([len0, len1])))?;
    Some((Tag { kind: TagType::from(u16::from_be_bytes([type0, type1])), value }, rest))
}

/// Writes tags one after the other into a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Writes from the start of `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// Appends a tag.
    ///
    /// # Errors
    ///
    /// [`Error::TagTooLong`] if `TAG_LENGTH` cannot express the length, [`Error::Buffer`] if the tag does not
    /// fit. Nothing is written then: a tag is never cut short.
    pub fn push(&mut self, kind: TagType, value: &[u8]) -> Result<(), Error> {
        let [type0, type1] = u16::from(kind).to_be_bytes();
        let [len0, len1] = u16::try_from(value.len()).map_err(|_| Error::TagTooLong(kind))?.to_be_bytes();
        let free = self.buffer.get_mut(self.len..).ok_or(Error::Buffer)?;
        let (header, free) = free.split_first_chunk_mut::<HEADER_LEN>().ok_or(Error::Buffer)?;
        free.get_mut(..value.len()).ok_or(Error::Buffer)?.copy_from_slice(value);
        *header = [type0, type1, len0, len1];
        self.len = self.len.saturating_add(HEADER_LEN).saturating_add(value.len());
        Ok(())
    }

    /// Octets written.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    // covers: RFC2516:A
    #[test]
    fn end_of_list_ends() {
        let payload = [1, 1, 0, 1, b'x', 0, 0, 0, 0, 0xFF, 0xFF, 0xFF];
        let tags: Vec<_> = Tags::parse(&payload).unwrap().into_iter().collect();
        assert_eq!(tags, [Tag { kind: TagType::ServiceName, value: b"x" }]);
        assert_eq!(Tags::parse(&[0, 0, 0, 1, 0]), Err(Malformed::Tag));
    }

    #[test]
    fn a_bad_tag_spoils_all() {
        // A good Service-Name, then: one octet, three octets, a value one octet short, the largest length.
        for tail in [&[0][..], &[1, 2, 0], &[1, 2, 0, 2, 0], &[1, 3, 0xFF, 0xFF, 0]] {
            let mut payload = std::vec![1, 1, 0, 0];
            payload.extend_from_slice(tail);
            assert_eq!(Tags::parse(&payload), Err(Malformed::Tag));
        }
    }

    #[test]
    fn the_number_of_tags_is_bounded() {
        let tag = [0x01, 0x05, 0, 0];
        assert_eq!(Tags::parse(&tag.repeat(MAX_TAGS)).unwrap().into_iter().count(), MAX_TAGS);
        assert_eq!(Tags::parse(&tag.repeat(MAX_TAGS + 1)), Err(Malformed::TagCount));
    }

    #[test]
    fn writer_writes_whole_tags_only() {
        let mut buffer = [0; 9];
        let mut writer = Writer::new(&mut buffer);
        writer.push(TagType::AcName, b"a").unwrap();
        assert_eq!(writer.push(TagType::AcName, b"b"), Err(Error::Buffer));
        writer.push(TagType::ServiceName, b"").unwrap();
        assert_eq!(writer.len(), 9);
        assert_eq!(buffer, [1, 2, 0, 1, b'a', 1, 1, 0, 0]);
        let long = std::vec![0; 65_536];
        let mut buffer = std::vec![0; 70_000];
        assert_eq!(
            Writer::new(&mut buffer).push(TagType::AcCookie, &long),
            Err(Error::TagTooLong(TagType::AcCookie))
        );
    }
}
