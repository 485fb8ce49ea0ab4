//! Packets of protocol extensions, which belong to a session: credits and metrics (RFC 5578), messages and routes
//! (draft-carrel-info-pppoe-ext).
//!
//! # Credits
//!
//! Flow control by credits holds in a session only if the PADR and the PADS both carry the Credits tag
//! ([`credit`](crate::credit)). In all others grants are of no effect, and a session frame that begins with a Credits tag
//! is none ([`Malformed::Protocol`]); where it holds, [`InBand`](crate::InBand) reads such a frame.
//!
//! # Metrics
//!
//! A PADQ needs no agreement. With a Metrics tag it tells what the link behind the peer is worth at the moment; with an
//! empty one it asks, and wants a PADQ for an answer.

use crate::bounded::Text;
use crate::error::{Error, Malformed};
use crate::ethernet::{self, Address};
use crate::packet::{self, Code, Packet};
use crate::session::SessionKey;
use crate::tag::{self, TagType, Tags};

/// A packet of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension<'a> {
    /// PADG: the peer grants credits.
    Grant(Flow),
    /// PADC: the peer has seen a grant.
    Response(Flow),
    /// PADQ.
    Quality(Quality),
    /// PADM: the peer has something to say to the user.
    Message(Message<'a>),
    /// PADN: the peer tells of routes.
    Routes(Routes<'a>),
    /// Of a CODE that nobody has assigned.
    Unknown(Code),
}

/// The two numbers of a Credits tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credits {
    /// Forward credit notification: credits that the sender grants in addition.
    pub forward: u16,
    /// Backward credit notification: credits that the sender has left.
    pub backward: u16,
}

impl Credits {
    /// Octets of a Credits tag.
    pub(crate) const TAG_LEN: usize = tag::HEADER_LEN + 4;

    /// The value of a Credits tag.
    pub const fn to_bytes(self) -> [u8; 4] {
        let ([f0, f1], [b0, b1]) = (self.forward.to_be_bytes(), self.backward.to_be_bytes());
        [f0, f1, b0, b1]
    }

    /// Reads the value of a Credits tag.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let [f0, f1, b0, b1] = *<&[u8; 4]>::try_from(value).ok()?;
        Some(Self { forward: u16::from_be_bytes([f0, f1]), backward: u16::from_be_bytes([b0, b1]) })
    }
}

/// A PADG or PADC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Its session.
    pub key: SessionKey,
    /// The number that a PADC returns.
    pub sequence: u16,
    /// The credits.
    pub credits: Credits,
}

/// A PADQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// Its session.
    pub key: SessionKey,
    /// What the sender's link is worth; `None` asks for ours.
    pub metrics: Option<Metrics>,
}

/// What a link is worth at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// The link only receives: what is sent to it goes nowhere, and the rates are of what comes from it.
    pub receive_only: bool,
    /// Relative quality of the link in percent.
    pub link_quality: u8,
    /// What is left of the resources, such as a battery, in percent.
    pub resources: u8,
    /// Milliseconds.
    pub latency: u16,
    /// The rate now, in bits a second.
    pub current_rate: u64,
    /// The rate under the best of circumstances, in bits a second.
    pub maximum_rate: u64,
}

/// Octets of a Metrics tag's value.
const METRICS_LEN: usize = 10;
/// The unit of rates, in bits a second, and how much more each of the four scales is than the one before.
const KILOBIT: u64 = 1000;

impl Metrics {
    /// Reads the value of a Metrics tag. Percentages above 100 count as 100.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let [_, flags, link_quality, resources, l0, l1, c0, c1, m0, m1] =
            *<&[u8; METRICS_LEN]>::try_from(value).ok()?;
        let rate = |number: [u8; 2], scale: u8| {
            let unit = KILOBIT.saturating_pow(u32::from(scale & 3).saturating_add(1));
            u64::from(u16::from_be_bytes(number)).saturating_mul(unit)
        };
        Some(Self {
            receive_only: flags & 1 != 0,
            link_quality: link_quality.min(100),
            resources: resources.min(100),
            latency: u16::from_be_bytes([l0, l1]),
            current_rate: rate([c0, c1], flags >> 1),
            maximum_rate: rate([m0, m1], flags >> 3),
        })
    }

    /// The value of a Metrics tag. Rates are rounded down to what 16 bits hold at the finest scale.
    pub fn to_bytes(&self) -> [u8; METRICS_LEN] {
        let (current, current_scale) = scaled(self.current_rate);
        let (maximum, maximum_scale) = scaled(self.maximum_rate);
        let flags = u8::from(self.receive_only) | current_scale << 1 | maximum_scale << 3;
        let [l0, l1] = self.latency.to_be_bytes();
        let [c0, c1] = current.to_be_bytes();
        let [m0, m1] = maximum.to_be_bytes();
        [0, flags, self.link_quality, self.resources, l0, l1, c0, c1, m0, m1]
    }

    /// The same for people.
    pub fn text(&self) -> Text {
        let mut text = Text::EMPTY;
        let kilobits = |rate: u64| rate.checked_div(KILOBIT).unwrap_or(0);
        for (before, number) in [
            ("link quality ", u64::from(self.link_quality)),
            (" %, resources ", u64::from(self.resources)),
            (" %, latency ", u64::from(self.latency)),
            (" ms, ", kilobits(self.current_rate)),
            (" of ", kilobits(self.maximum_rate)),
        ] {
            text.append(before);
            text.append_number(number);
        }
        text.append(" kbit/s");
        if self.receive_only {
            text.append(", receive only");
        }
        text
    }
}

/// A rate as a number and one of the four scales.
fn scaled(rate: u64) -> (u16, u8) {
    let mut number = rate.checked_div(KILOBIT).unwrap_or(0);
    let mut scale = 0;
    while u16::try_from(number).is_err() && scale < 3 {
        number = number.checked_div(KILOBIT).unwrap_or(0);
        scale = u8::saturating_add(scale, 1);
    }
    (u16::try_from(number).unwrap_or(u16::MAX), scale)
}

impl Quality {
    /// Octets that [`Quality::emit`] writes: all fit the shortest frame.
    pub const FRAME_LEN: usize = ethernet::MIN_FRAME;

    /// Writes the PADQ as an Ethernet frame from `own` to the start of `buffer`, padded with zeros, and returns its
    /// length.
    ///
    /// # Errors
    ///
    /// [`Error::Buffer`] if `buffer` is too short.
    pub fn emit(&self, own: Address, buffer: &mut [u8]) -> Result<usize, Error> {
        packet::emit(self.key.peer(), own, Code::Padq, self.key.id(), buffer, |writer| match self.metrics {
            Some(metrics) => writer.push(TagType::Metrics, &metrics.to_bytes()),
            None => writer.push(TagType::Metrics, &[]),
        })
    }
}

/// A PADM. Its text is the peer's, to be shown and not to be believed; its URL is not to be opened unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its session.
    pub key: SessionKey,
    /// MOTM: the message.
    pub message: Option<&'a [u8]>,
    /// HURL: where there is more.
    pub url: Option<&'a [u8]>,
}

impl Message<'_> {
    /// The message, or else the URL, fit to be shown.
    pub fn text(&self) -> Text {
        Text::new(self.message.filter(|message| !message.is_empty()).or(self.url).unwrap_or_default())
    }
}

/// A PADN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routes<'a> {
    /// Its session.
    pub key: SessionKey,
    tags: Tags<'a>,
}

/// A route that a peer would have its host add: IPv4 addresses, in the order of the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub destination: [u8; 4],
    /// Its mask.
    pub mask: [u8; 4],
    /// Through whom; zero: the peer.
    pub gateway: [u8; 4],
    /// The less the better.
    pub metric: u32,
}

impl Route {
    fn parse(value: &[u8]) -> Option<Self> {
        let (parts, []) = <&[u8; 16]>::try_from(value).ok()?.as_chunks::<4>() else { return None };
        let &[destination, mask, gateway, metric] = parts else { return None };
        Some(Self { destination, mask, gateway, metric: u32::from_be_bytes(metric) })
    }
}

impl<'a> Routes<'a> {
    /// The routes, without what is none.
    pub fn routes(&self) -> impl Iterator<Item = Route> + use<'a> {
        self.tags
            .into_iter()
            .filter(|tag| tag.kind == TagType::IpRouteAdd)
            .filter_map(|tag| Route::parse(tag.value))
    }

    /// The first of them for people. None is added to any table.
    pub fn text(&self) -> Text {
        let mut text = Text::EMPTY;
        if let Some(route) = self.routes().next() {
            for (before, address) in
                [("route to ", route.destination), (" mask ", route.mask), (" through ", route.gateway)]
            {
                text.append(before);
                let mut dot = "";
                for octet in address {
                    text.append(dot);
                    text.append_number(octet.into());
                    dot = ".";
                }
            }
        }
        text
    }
}

impl<'a> Extension<'a> {
    /// Checks a packet of the Discovery stage that is none of RFC 2516's.
    ///
    /// # Errors
    ///
    /// [`Malformed::SessionId`] without a session, [`Malformed::Tag`] if a tag that must be there is not, or is not as it
    /// must be; [`Malformed::TagCount`].
    pub(crate) fn parse(packet: &Packet<'a>) -> Result<Self, Malformed> {
        if matches!(packet.code, Code::Unknown(_)) {
            return Ok(Self::Unknown(packet.code));
        }
        let key = SessionKey::new(packet.source, packet.session_id).ok_or(Malformed::SessionId)?;
        let tags = Tags::parse(packet.payload)?;
        match packet.code {
            Code::Padg => Flow::parse(key, tags).map(Self::Grant),
            Code::Padc => Flow::parse(key, tags).map(Self::Response),
            Code::Padq => {
                let value = tags.find(TagType::Metrics).ok_or(Malformed::Tag)?;
                let metrics = Metrics::parse(value);
                if metrics.is_none() && !value.is_empty() {
                    return Err(Malformed::Tag);
                }
                Ok(Self::Quality(Quality { key, metrics }))
            }
            Code::Padm => {
                let (message, url) = (tags.find(TagType::Motm), tags.find(TagType::Hurl));
                Ok(Self::Message(Message { key, message, url }))
            }
            Code::Padn => Ok(Self::Routes(Routes { key, tags })),
            code => Err(Malformed::Code(code)),
        }
    }
}

impl Flow {
    /// Octets that [`Flow::emit`] writes: all fit the shortest frame.
    pub const FRAME_LEN: usize = ethernet::MIN_FRAME;

    /// Writes it as an Ethernet frame from `own`, a PADG or a PADC by `code`, to the start of `buffer`, padded with zeros,
    /// and returns its length.
    ///
    /// # Errors
    ///
    /// [`Error::Buffer`] if `buffer` is too short.
    pub fn emit(&self, code: Code, own: Address, buffer: &mut [u8]) -> Result<usize, Error> {
        packet::emit(self.key.peer(), own, code, self.key.id(), buffer, |writer| {
            writer.push(TagType::SequenceNumber, &self.sequence.to_be_bytes())?;
            writer.push(TagType::Credits, &self.credits.to_bytes())
        })
    }

    fn parse(key: SessionKey, tags: Tags<'_>) -> Result<Self, Malformed> {
        let sequence = tags.find(TagType::SequenceNumber).and_then(|value| value.try_into().ok());
        let credits = tags.find(TagType::Credits).and_then(Credits::parse);
        match (sequence.map(u16::from_be_bytes), credits) {
            (Some(sequence), Some(credits)) => Ok(Self { key, sequence, credits }),
            _ => Err(Malformed::Tag),
        }
    }
}
