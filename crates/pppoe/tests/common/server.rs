//! An Access Concentrator with its time, and the packets of Hosts.
#![allow(dead_code, reason = "each test file uses a part")]

use core::time::Duration;
use pppoe::bounded::Bytes;
use pppoe::concentrator::{
    Accepted, Answer, Concentrator, Config, Event, Ignored, Refusal, Request, RequestId,
};
use pppoe::{Address, Code, Inbound, Instant, Packet, Repr, SessionKey, TagType};

use super::{AC, HOST, at, frame};

pub(crate) const SERVICES: [&[u8]; 2] = [b"internet", b"voice"];

/// What to do with a PADI or PADR.
pub(crate) type Tags<'a> = &'a [(TagType, &'a [u8])];

pub(crate) struct Server {
    pub(crate) ac: Concentrator,
    pub(crate) now: Instant,
    pub(crate) services: Vec<&'static [u8]>,
    /// The last answer.
    pub(crate) sent: Vec<u8>,
}

pub(crate) fn config() -> Config {
    Config::new(AC, Bytes::new(b"toy").unwrap())
}

impl Server {
    pub(crate) fn new(config: &Config) -> Self {
        let now = at(1000);
        let ac = Concentrator::try_new(config, b"sixteen octets!!", now).unwrap();
        Self { ac, now, services: SERVICES.to_vec(), sent: Vec::new() }
    }

    pub(crate) fn sleep(&mut self, millis: u64) {
        self.now = self.now.saturating_add(Duration::from_millis(millis));
    }

    /// Delivers a frame as a driver would; keeps the answer.
    pub(crate) fn receive<'a>(&mut self, frame: &'a [u8]) -> Event<'a> {
        let Ok(Inbound::Concentrator(packet)) = Inbound::parse(frame, AC) else {
            panic!("not for an Access Concentrator")
        };
        self.handle(&packet)
    }

    pub(crate) fn handle<'a>(&mut self, packet: &Repr<'a>) -> Event<'a> {
        let mut buffer = [0xAA; pppoe::ethernet::MAX_FRAME];
        let event = self.ac.handle(self.now, packet, self.services.as_slice(), &mut buffer);
        self.sent.clear();
        if let Event::Answer(answer) = event {
            self.sent.extend(&buffer[..answer.len]);
        }
        event
    }

    /// A PADI that must be answered; the cookie.
    pub(crate) fn offer(&mut self, host: Address, tags: Tags<'_>) -> Vec<u8> {
        let event = self.receive(&padi(host, tags)).answer();
        assert_eq!((event.code, event.refusal), (Code::Pado, None));
        self.reply().ac_cookie.unwrap().to_vec()
    }

    /// A PADI and a PADR that must lead to a request; its id and the PADR.
    pub(crate) fn request(&mut self, host: Address, tags: Tags<'_>) -> (RequestId, Vec<u8>) {
        let cookie = self.offer(host, tags);
        let padr = padr(host, &cookie, tags);
        (self.receive(&padr).requested().id, padr)
    }

    pub(crate) fn accept(&mut self, id: RequestId) -> Accepted {
        let mut buffer = [0xAA; pppoe::ethernet::MAX_FRAME];
        let accepted = self.ac.accept(self.now, id, |_| false, &mut buffer).unwrap();
        self.sent = buffer[..accepted.len].to_vec();
        accepted
    }

    pub(crate) fn reject(&mut self, id: RequestId, refusal: Refusal) -> bool {
        let mut buffer = [0xAA; pppoe::ethernet::MAX_FRAME];
        let len = self.ac.reject(self.now, id, refusal, &mut buffer);
        self.sent = buffer[..len.unwrap_or(0)].to_vec();
        len.is_some()
    }

    /// A session.
    pub(crate) fn connect(&mut self, host: Address, tags: Tags<'_>) -> SessionKey {
        let (id, _) = self.request(host, tags);
        self.accept(id).session.key
    }

    /// The last answer as its receiver reads it.
    pub(crate) fn reply(&self) -> Repr<'_> {
        Repr::parse(&Packet::parse(&self.sent).unwrap()).unwrap()
    }

    /// All values of a tag in the last answer.
    pub(crate) fn values(&self, kind: TagType) -> Vec<&[u8]> {
        self.reply().tags.into_iter().filter(|tag| tag.kind == kind).map(|tag| tag.value).collect()
    }
}

pub(crate) trait Outcome<'a> {
    fn answer(self) -> Answer;
    fn requested(self) -> Request<'a>;
    fn ignored(self) -> Ignored;
}

impl<'a> Outcome<'a> for Event<'a> {
    fn answer(self) -> Answer {
        let Event::Answer(answer) = self else { panic!("{self:?}") };
        answer
    }

    fn requested(self) -> Request<'a> {
        let Event::Requested(request) = self else { panic!("{self:?}") };
        request
    }

    fn ignored(self) -> Ignored {
        let Event::Ignored(why) = self else { panic!("{self:?}") };
        why
    }
}

/// The n-th Host.
pub(crate) fn host(number: u32) -> Address {
    let [a, b, c, d] = number.to_be_bytes();
    Address([6, HOST.0[4], a, b, c, d])
}

/// A PADI for any service unless `tags` name one.
pub(crate) fn padi(host: Address, tags: Tags<'_>) -> Vec<u8> {
    frame(Address::BROADCAST, host, 0x09, 0, &named(tags))
}

/// A PADR, likewise.
pub(crate) fn padr(host: Address, cookie: &[u8], tags: Tags<'_>) -> Vec<u8> {
    let mut tags = named(tags);
    tags.push((TagType::AcCookie, cookie));
    frame(AC, host, 0x19, 0, &tags)
}

fn named(tags: Tags<'_>) -> Vec<(TagType, &[u8])> {
    let mut tags = tags.to_vec();
    if !tags.iter().any(|(kind, _)| *kind == TagType::ServiceName) {
        tags.insert(0, (TagType::ServiceName, b""));
    }
    tags
}
