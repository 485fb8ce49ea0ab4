//! What must not matter: tags that nobody asked for, what peers say beside PPP, and frames of strangers.

use std::time::Duration;

use ndis_sim::wire::frame::{BROADCAST, DISCOVERY, Frame, SESSION, code, push_tag, tag};

use crate::{
    hosts,
    op::{Junk, Saying},
    reference::Event,
    street::{self, Inner},
};

/// The card's station address, which the lab gives its first card.
const CARD: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
/// The value of a Relay-Session-Id, which comes back unchanged (RFC 2516, appendix A).
pub(crate) const RELAY: &[u8] = b"by relay";
/// Vendor-Specific (RFC 2516) and Metrics (RFC 5578).
const VENDOR_SPECIFIC: u16 = 0x0105;
const METRICS: u16 = 0x0107;
/// RFC 5578, and draft-carrel-info-pppoe-ext.
const PADG: u8 = 0x0a;
const PADC: u8 = 0x0b;
const PADQ: u8 = 0x0c;
const PADM: u8 = 0xd3;
const PADN: u8 = 0xd4;
const HURL: u16 = 0x0111;
const MOTM: u16 = 0x0112;
const IP_ROUTE_ADD: u16 = 0x0121;

/// Adds every tag that may stand in an answer and grants nothing that the `asked` ones do not ask for.
pub(crate) fn adorn(asked: &[(u16, &[u8])], payload: &mut Vec<u8>) {
    push_tag(payload, VENDOR_SPECIFIC, &[0, 0, 0x0d, 0xe9, 1, 2, 3]);
    push_tag(payload, tag::RELAY_SESSION_ID, RELAY);
    push_tag(payload, METRICS, &metrics(100));
    if street::first(asked, tag::CREDITS).is_none() {
        push_tag(payload, tag::CREDITS, &[0, 10, 0, 10]);
        push_tag(payload, tag::CREDIT_SCALE, &[0, 64]);
    }
    if street::first(asked, tag::PPP_MAX_PAYLOAD).is_none() {
        push_tag(payload, tag::PPP_MAX_PAYLOAD, &1500_u16.to_be_bytes());
    }
    push_tag(payload, 0x7777, &[0x55; 200]);
    push_tag(payload, 0x7778, b"");
    push_tag(payload, tag::END_OF_LIST, b"");
    payload.extend([0xff; 9]);
}

/// The value of a Metrics tag: a link of so many Mbit/s.
fn metrics(rate: u16) -> Vec<u8> {
    let mut value = vec![0, 0b0_1010, 80, 50, 0, 10];
    value.extend(rate.to_be_bytes());
    value.extend(rate.to_be_bytes());
    value
}

fn packet(source: [u8; 6], code: u8, session: u16, tags: &[(u16, &[u8])]) -> Frame {
    let mut payload = Vec::new();
    for (kind, value) in tags {
        push_tag(&mut payload, *kind, value);
    }
    let destination = if code == code::PADI { BROADCAST } else { CARD };
    Frame { destination, source, ethertype: DISCOVERY, code, session, payload }
}

/// With another byte for version and type, or another LENGTH.
fn with_byte(frame: &Frame, at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = frame.to_bytes();
    bytes[at] = byte;
    bytes
}

impl Inner {
    /// The peer and the id of the session of a call that is up.
    fn live(&self, call: u32) -> Option<([u8; 6], u16)> {
        if let Some((id, host, _)) = self.of_host(call) {
            return Some((host, id));
        }
        let session = self.sessions.iter().find(|it| it.call == call && it.open)?;
        Some((street::mac(session.key.ac), session.key.id))
    }

    /// The peer of a call says something that ends nothing.
    pub(crate) fn say(&mut self, now: Duration, call: u32, what: Saying) {
        let Some((peer, id)) = self.live(call) else { return };
        let rate = u16::try_from(1 + self.scrap.below(2000)).expect("small");
        let (metrics, padn) = (metrics(rate), [0; 16]);
        let number = rate.to_be_bytes();
        let credits = [number, number].concat();
        let (code, tags): (u8, Vec<(u16, &[u8])>) = match what {
            Saying::Metrics => (PADQ, vec![(METRICS, &metrics)]),
            Saying::Question => (PADQ, vec![(METRICS, b"")]),
            Saying::BadMetrics => (PADQ, vec![(METRICS, &metrics[..7])]),
            Saying::Message => (PADM, vec![(HURL, b"http://peer.example/"), (MOTM, b"Good morning.")]),
            Saying::Routes => (PADN, vec![(IP_ROUTE_ADD, &padn)]),
            Saying::Grant => (PADG, vec![(tag::CREDITS, &credits)]),
            Saying::Credit => (PADC, vec![(tag::CREDITS, &credits)]),
            Saying::Unknown => (0xee, vec![(0x0199, b"what")]),
        };
        let at = now + self.short();
        self.push(at, &packet(peer, code, id, &tags), None);
    }

    /// Frames come that mean nothing, some of them about a call if there is one.
    pub(crate) fn junk(&mut self, now: Duration, call: Option<u32>, what: Junk, count: u8) {
        if matches!(what, Junk::Solicitations | Junk::Requests | Junk::Noise) {
            self.reference.tell(now, Event::Flooded);
        }
        let live = call.and_then(|call| self.live(call));
        for _ in 0..count {
            let Some(frame) = self.piece(live, what) else { return };
            let at = now + self.short();
            self.push_bytes(at, frame, None);
        }
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        let count = self.scrap.below(most + 1);
        (0..count).map(|_| self.scrap.next().to_be_bytes()[0]).collect()
    }

    fn stranger(&mut self) -> [u8; 6] {
        let [.., high, low] = self.scrap.next().to_be_bytes();
        [0x02, 0, 0, 0x66, high, low]
    }

    fn piece(&mut self, live: Option<([u8; 6], u16)>, what: Junk) -> Option<Vec<u8>> {
        let (stranger, dice) = (self.stranger(), self.scrap.next() >> 32);
        let about = || {
            let (peer, id) = live?;
            let code = [code::PADT, code::PADS, code::PADO, PADQ][usize::try_from(dice % 4).ok()?];
            Some(packet(peer, code, id, &[(tag::GENERIC_ERROR, b"bye")]))
        };
        Some(match what {
            Junk::Noise => self.noise(stranger),
            // LENGTH says more than there is, padding included.
            Junk::Cut => with_byte(&about()?, 18, 0x20),
            Junk::Version => with_byte(&about()?, 14, if dice % 2 == 0 { 0x12 } else { 0x21 }),
            Junk::Strangers => {
                let (_, id) = live?;
                let payload = [&[0x00, 0x21][..], &self.bytes(200)].concat();
                Frame { ethertype: SESSION, payload, ..packet(stranger, code::DATA, id, &[]) }.to_bytes()
            }
            Junk::Damaged => self.damaged(live?),
            Junk::Solicitations => {
                let service = hosts::service(u32::MAX);
                let tags = [(tag::SERVICE_NAME, service.as_bytes()), (tag::HOST_UNIQ, &[1, 2, 3])];
                packet(stranger, code::PADI, 0, &tags).to_bytes()
            }
            Junk::Requests => {
                let (service, cookie) = (hosts::service(u32::MAX), self.bytes(40));
                let tags = [(tag::SERVICE_NAME, service.as_bytes()), (tag::AC_COOKIE, &cookie)];
                packet(stranger, code::PADR, 0, &tags).to_bytes()
            }
            Junk::Terminations => {
                let (_, id) = live.unwrap_or((CARD, 1));
                let source = [CARD, BROADCAST, [0x03, 0, 0, 0, 0xac, 0], stranger];
                packet(source[usize::try_from(dice % 4).ok()?], code::PADT, id, &[]).to_bytes()
            }
        })
    }

    fn noise(&mut self, source: [u8; 6]) -> Vec<u8> {
        let codes =
            [code::PADI, code::PADO, code::PADR, code::PADS, code::PADT, PADQ, PADG, PADM, PADN, 0, 0xff];
        let pick = usize::try_from(self.scrap.below(codes.len() as u64)).expect("small");
        let session = u16::try_from(self.scrap.below(0x1_0000)).expect("16 bits");
        let payload = self.bytes(120);
        let mut frame = Frame { payload, ..packet(source, codes[pick], session, &[]) };
        if self.scrap.below(3) == 0 {
            frame.ethertype = SESSION;
        }
        let mut bytes = frame.to_bytes();
        if self.scrap.below(2) == 0 {
            let at = usize::try_from(12 + self.scrap.below(8)).expect("small");
            bytes[at] = self.scrap.next().to_be_bytes()[0];
        }
        bytes
    }

    /// Data of the peer's that is none: no protocol field, a compressed one, another code, or LENGTH beyond the end.
    fn damaged(&mut self, (peer, id): ([u8; 6], u16)) -> Vec<u8> {
        let rest = self.bytes(100);
        let data = |payload: &[u8]| Frame {
            ethertype: SESSION,
            payload: payload.to_vec(),
            ..packet(peer, code::DATA, id, &[])
        };
        match self.scrap.below(5) {
            0 => data(&[]).to_bytes(),
            1 => data(&[0x21]).to_bytes(),
            2 => data(&[&[0x21, 0x45][..], &rest].concat()).to_bytes(),
            3 => with_byte(&data(&[&[0x00, 0x21][..], &rest].concat()), 15, 0x42),
            _ => with_byte(&data(&[&[0x00, 0x21][..], &rest].concat()), 18, 0x05),
        }
    }
}
