//! PADO and PADS, written.
//!
//! A tag is written whole or not at all. What must be in the packet and does not fit fails the packet; further
//! service names and the texts of errors, which may be there, are left out.

use alloc::vec::Vec;

use super::cookie::Cookie;
use super::event::Refusal;
use super::requests::Entry;
use super::service::Services;
use crate::error::{Error, OutOfMemory};
use crate::ethernet::{Address, MAX_FRAME};
use crate::extension::Credits;
use crate::memory;
use crate::packet::{self, Code, PAYLOAD_OFFSET};
use crate::repr::Repr;
use crate::tag::{self, TagType, Tags, Writer};

/// Octets of PPP-Max-Payload, Credits and Credit Scale Factor tags.
const NUMBERS_LEN: usize = Credits::TAG_LEN + 2 * (tag::HEADER_LEN + 2);

/// What an answer returns from a PADI or PADR: Service-Name, Host-Uniq and Relay-Session-Id.
fn returned<'a>(packet: &Repr<'a>) -> impl Iterator<Item = (TagType, &'a [u8])> + use<'a> {
    [
        (TagType::ServiceName, packet.service_name),
        (TagType::HostUniq, packet.host_uniq),
        (TagType::RelaySessionId, packet.relay_session_id),
    ]
    .into_iter()
    .filter_map(|(kind, value)| Some((kind, value?)))
}

/// The returned tags of a PADR as they go into each PADS, in memory of just their size.
#[derive(Debug)]
pub(super) struct Returned(Vec<u8>);

impl Returned {
    /// Octets of the tags. A session's PADS has room for them if this is no more than [`Returned::MAX`].
    pub(super) fn len(packet: &Repr<'_>) -> usize {
        let lens = returned(packet).map(|(_, value)| value.len().saturating_add(tag::HEADER_LEN));
        lens.fold(0, usize::saturating_add)
    }

    /// See [`len`](Self::len).
    pub(super) const MAX: usize = MAX_FRAME - PAYLOAD_OFFSET - NUMBERS_LEN;

    /// Copies the tags.
    pub(super) fn try_new(packet: &Repr<'_>) -> Result<Self, OutOfMemory> {
        let mut octets = memory::filled(Self::len(packet), 0)?;
        let mut writer = Writer::new(&mut octets);
        for (kind, value) in returned(packet) {
            writer.push(kind, value).map_err(|_| OutOfMemory)?;
        }
        Ok(Self(octets))
    }

    /// Whether `packet` would have the same returned.
    pub(super) fn is_of(&self, packet: &Repr<'_>) -> bool {
        let own = Tags::parse(&self.0).unwrap_or_default().into_iter();
        own.map(|tag| (tag.kind, tag.value)).eq(returned(packet))
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let tags = Tags::parse(&self.0).unwrap_or_default();
        tags.into_iter().try_for_each(|tag| writer.push(tag.kind, tag.value))
    }
}

/// The PADO for the PADI `padi`.
pub(super) fn pado(
    own: Address,
    ac_name: &[u8],
    padi: &Repr<'_>,
    cookie: Cookie,
    max_payload: Option<u16>,
    services: &(impl Services + ?Sized),
    buffer: &mut [u8],
) -> Result<usize, Error> {
    frame(padi.source, own, Code::Pado, 0, buffer, |writer| {
        for (kind, value) in returned(padi) {
            writer.push(kind, value)?;
        }
        writer.push(TagType::AcName, ac_name)?;
        writer.push(TagType::AcCookie, &cookie.to_bytes())?;
        push_max_payload(writer, max_payload)?;
        for name in (0..=u32::MAX).map_while(|nth| services.name(nth)) {
            if Some(name) != padi.service_name && writer.push(TagType::ServiceName, name).is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// The PADS that confirms a session.
pub(super) fn confirmation(
    own: Address,
    entry: &Entry,
    session_id: u16,
    buffer: &mut [u8],
) -> Result<usize, Error> {
    frame(entry.peer, own, Code::Pads, session_id, buffer, |writer| {
        entry.returned.write(writer)?;
        push_max_payload(writer, entry.max_payload)?;
        let Some(answer) = &entry.credits else { return Ok(()) };
        writer.push(TagType::Credits, &answer.credits.to_bytes())?;
        answer.scale.map_or(Ok(()), |scale| writer.push(TagType::CreditScaleFactor, &scale.to_be_bytes()))
    })
}

/// The PADS that refuses a request of which there is no state.
pub(super) fn refusal(
    own: Address,
    padr: &Repr<'_>,
    refusal: Refusal,
    buffer: &mut [u8],
) -> Result<usize, Error> {
    frame(padr.source, own, Code::Pads, 0, buffer, |writer| {
        for (kind, value) in returned(padr) {
            writer.push(kind, value)?;
        }
        push_refusal(writer, refusal)
    })
}

/// The PADS that refuses a remembered request.
pub(super) fn rejection(
    own: Address,
    peer: Address,
    returned: &Returned,
    refusal: Refusal,
    buffer: &mut [u8],
) -> Result<usize, Error> {
    frame(peer, own, Code::Pads, 0, buffer, |writer| {
        returned.write(writer)?;
        push_refusal(writer, refusal)
    })
}

fn push_max_payload(writer: &mut Writer<'_>, max_payload: Option<u16>) -> Result<(), Error> {
    max_payload.map_or(Ok(()), |octets| writer.push(TagType::PppMaxPayload, &octets.to_be_bytes()))
}

fn push_refusal(writer: &mut Writer<'_>, refusal: Refusal) -> Result<(), Error> {
    let (kind, text) = refusal.tag();
    writer.push(kind, text.as_bytes()).or_else(|_| writer.push(kind, &[]))
}

/// Writes a packet with the tags that `tags` pushes, no longer than the link carries, to the start of `buffer`.
fn frame(
    destination: Address,
    own: Address,
    code: Code,
    session_id: u16,
    buffer: &mut [u8],
    tags: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
) -> Result<usize, Error> {
    let room = buffer.len().min(MAX_FRAME);
    let buffer = buffer.get_mut(..room).ok_or(Error::Buffer)?;
    packet::emit(destination, own, code, session_id, buffer, tags)
}
