//! Discovery packets, as clients that measure need them (RFC 2516 section 4).

/// Codes.
pub(super) const PADI: u8 = 0x09;
pub(super) const PADO: u8 = 0x07;
pub(super) const PADR: u8 = 0x19;
pub(super) const PADS: u8 = 0x65;
pub(super) const PADT: u8 = 0xA7;
/// Tags.
pub(super) const SERVICE_NAME: u16 = 0x0101;
pub(super) const HOST_UNIQ: u16 = 0x0103;
pub(super) const AC_COOKIE: u16 = 0x0104;
/// To all stations.
pub(super) const BROADCAST: [u8; 6] = [0xFF; 6];
/// Octets of the smallest frame, without FCS.
pub(super) const SMALLEST: usize = 60;
const ETHERTYPE: [u8; 2] = [0x88, 0x63];
/// Where tags begin.
const TAGS: usize = 20;

/// A frame, padded.
pub(super) fn frame(to: &[u8], from: [u8; 6], code: u8, session: u16, tags: &[(u16, &[u8])]) -> Vec<u8> {
    let number = |it: usize| u16::try_from(it).unwrap_or(u16::MAX).to_be_bytes();
    let tags: Vec<u8> = tags
        .iter()
        .flat_map(|(kind, value)| [&kind.to_be_bytes()[..], &number(value.len()), value].concat())
        .collect();
    let head = [&[0x11, code][..], &session.to_be_bytes(), &number(tags.len())].concat();
    let mut frame = [to, &from, &ETHERTYPE, &head, &tags].concat();
    frame.resize(frame.len().max(SMALLEST), 0);
    frame
}

/// The PADR that follows a PADO, from the Host that it is for.
pub(super) fn request(pado: &[u8], to: [u8; 6]) -> Option<Vec<u8>> {
    discovery(pado).filter(|(code, _)| *code == PADO)?;
    let host = *pado.first_chunk()?;
    let tags = [
        (SERVICE_NAME, tag(pado, SERVICE_NAME)?),
        (HOST_UNIQ, tag(pado, HOST_UNIQ)?),
        (AC_COOKIE, tag(pado, AC_COOKIE)?),
    ];
    Some(frame(&to, host, PADR, 0, &tags))
}

/// Code and session of a discovery frame.
pub(super) fn discovery(frame: &[u8]) -> Option<(u8, u16)> {
    let is_discovery = frame.get(12..14)? == ETHERTYPE;
    is_discovery.then_some((*frame.get(15)?, u16::from_be_bytes([*frame.get(16)?, *frame.get(17)?])))
}

/// The value of the first tag of a type.
pub(super) fn tag(frame: &[u8], kind: u16) -> Option<&[u8]> {
    let word = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let end = TAGS + usize::from(word(18)?);
    let mut at = TAGS;
    while at + 4 <= end {
        let length = usize::from(word(at + 2)?);
        if word(at)? == kind {
            return frame.get(at + 4..at + 4 + length);
        }
        at += 4 + length;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let tags = [(SERVICE_NAME, &[][..]), (HOST_UNIQ, b"xy")];
        let frame = frame(&BROADCAST, [2, 0, 0, 0, 0, 1], PADI, 0x0102, &tags);
        assert_eq!((frame.len(), discovery(&frame)), (SMALLEST, Some((PADI, 0x0102))));
        assert_eq!([tag(&frame, SERVICE_NAME), tag(&frame, HOST_UNIQ)], [Some(&[][..]), Some(&b"xy"[..])]);
        let host = [2, 0, 0, 0, 0, 9];
        let tags = [(SERVICE_NAME, &b"s"[..]), (HOST_UNIQ, b"xy"), (AC_COOKIE, b"c")];
        let pado = super::frame(&host, [2, 0, 0, 0, 0, 1], PADO, 0, &tags);
        assert_eq!(request(&pado, BROADCAST), Some(super::frame(&BROADCAST, host, PADR, 0, &tags)));
        assert_eq!(request(&frame, BROADCAST), None);
        assert_eq!((tag(&frame, AC_COOKIE), discovery(&frame[..15])), (None, None));
    }
}
