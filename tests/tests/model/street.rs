//! The far end of the cable: four access concentrators that do what the Service-Name of a call asks of them. They send
//! back what they get on a session. Everything that passes is told to the reference.

use std::{
    collections::VecDeque,
    os::fd::RawFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ndis_sim::wire::{
    Wire,
    frame::{DISCOVERY, Frame, SESSION, code, push_tag, tag},
};

use crate::{
    draw::Dice,
    hosts::Host,
    junk,
    op::{Forgery, Wish},
    reference::{Event, Key, Reference},
};

/// Which of them refuses.
const REFUSER: u8 = 3;

/// What the script, the clients and the wire share. All of them run on one OS thread, which never holds the lock while
/// it calls anything else.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Inner>>);

pub(crate) struct Inner {
    pub(crate) reference: Reference,
    queue: VecDeque<Arrival>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) hosts: Vec<Host>,
    next: [u16; 4],
    dice: Dice,
    /// What junk is made of.
    pub(crate) scrap: Dice,
}

/// A frame on its way to the card, and what it means.
struct Arrival {
    at: Duration,
    frame: Vec<u8>,
    event: Option<Event>,
}

pub(crate) struct Session {
    pub(crate) key: Key,
    pub(crate) call: u32,
    host: [u8; 6],
    host_uniq: Vec<u8>,
    pub(crate) open: bool,
}

impl Shared {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            reference: Reference::default(),
            queue: VecDeque::new(),
            sessions: Vec::new(),
            hosts: Vec::new(),
            next: [1; 4],
            dice: Dice::new(seed ^ 0x0073_7472_6565_7400),
            scrap: Dice::new(seed ^ 0x0073_6372_6170_0000),
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the reference.
    pub(crate) fn tell(&self, now: Duration, event: Event) {
        self.lock().reference.tell(now, event);
    }
}

pub(crate) fn mac(ac: u8) -> [u8; 6] {
    [0x02, 0, 0, 0, 0xac, ac]
}

impl Inner {
    pub(crate) fn push(&mut self, at: Duration, frame: &Frame, event: Option<Event>) {
        self.push_bytes(at, frame.to_bytes(), event);
    }

    pub(crate) fn push_bytes(&mut self, at: Duration, frame: Vec<u8>, event: Option<Event>) {
        // One cable: frames do not overtake each other.
        let at = self.queue.back().map_or(at, |last| last.at.max(at));
        self.queue.push_back(Arrival { at, frame, event });
    }

    pub(crate) fn short(&mut self) -> Duration {
        self.latency(Wish::Served)
    }

    fn latency(&mut self, wish: Wish) -> Duration {
        let micros = if wish == Wish::Slow { 30_000 } else { 40 };
        Duration::from_micros(micros + self.dice.below(300))
    }

    fn solicited(&mut self, now: Duration, frame: &Frame, tags: &[(u16, &[u8])]) {
        let Some((wish, call)) = first(tags, tag::SERVICE_NAME).and_then(Wish::of_service) else { return };
        self.reference.tell(now, Event::Padi { call });
        let offering: &[u8] = match wish {
            Wish::Served | Wish::Slow | Wish::Twice | Wish::Deaf | Wish::Elsewhere | Wish::Adorned => &[0],
            Wish::Many => &[0, 1, 2],
            Wish::Unknown | Wish::Full | Wish::Refused => &[REFUSER],
            Wish::Mixed => &[0, REFUSER],
            Wish::Absent | Wish::NoMedia | Wish::Short | Wish::Outside | Wish::Multipoint => &[],
        };
        let mut order = offering.to_vec();
        if self.dice.below(2) == 0 {
            order.reverse();
        }
        for ac in order {
            let mut payload = Vec::new();
            push_tag(&mut payload, tag::AC_NAME, format!("AC-{ac}").as_bytes());
            push_tag(&mut payload, tag::SERVICE_NAME, wish.service(call).as_bytes());
            push_tag(&mut payload, tag::AC_COOKIE, &[ac; 16]);
            mark(tags, &mut payload);
            if wish == Wish::Adorned {
                junk::adorn(tags, &mut payload);
            }
            let answer = discovery(ac, frame.source, code::PADO, 0, payload);
            for _ in 0..=u8::from(wish == Wish::Twice) {
                let at = now + self.latency(wish);
                self.push(at, &answer, Some(Event::Offered { call, ac }));
            }
        }
    }

    fn requested(&mut self, now: Duration, frame: &Frame, tags: &[(u16, &[u8])]) {
        let Some((wish, call)) = first(tags, tag::SERVICE_NAME).and_then(Wish::of_service) else { return };
        let ac = frame.destination[5];
        self.reference.tell(now, Event::Padr { call, ac });
        if wish == Wish::Deaf || first(tags, tag::AC_COOKIE) != Some(&[ac; 16]) {
            return;
        }
        let mut payload = Vec::new();
        push_tag(&mut payload, tag::SERVICE_NAME, wish.service(call).as_bytes());
        mark(tags, &mut payload);
        let error = match wish {
            _ if ac != REFUSER => None,
            Wish::Full => Some(tag::AC_SYSTEM_ERROR),
            Wish::Refused => Some(tag::GENERIC_ERROR),
            _ => Some(tag::SERVICE_NAME_ERROR),
        };
        if let Some(error) = error {
            push_tag(&mut payload, error, b"no");
            let at = now + self.latency(wish);
            return self.push(at, &discovery(ac, frame.source, code::PADS, 0, payload), None);
        }
        let host_uniq = first(tags, tag::HOST_UNIQ).unwrap_or_default().to_vec();
        if wish == Wish::Adorned {
            if first(tags, tag::RELAY_SESSION_ID) != Some(junk::RELAY) {
                self.reference.disagree("a PADR without the Relay-Session-Id of its PADO");
            }
            junk::adorn(tags, &mut payload);
        }
        let key = self.session(call, ac, frame.source, host_uniq);
        let answer = discovery(ac, frame.source, code::PADS, key.id, payload);
        self.reference.tell(now, Event::Granted { call, key });
        for _ in 0..=u8::from(wish == Wish::Twice) {
            let at = now + self.latency(wish);
            self.push(at, &answer, Some(Event::Confirmed { key }));
        }
    }

    /// The session of this request, made if it is not a repetition. Ids count up, the same at each of them.
    fn session(&mut self, call: u32, ac: u8, host: [u8; 6], host_uniq: Vec<u8>) -> Key {
        let known = self.sessions.iter().find(|it| {
            it.open && it.call == call && it.key.ac == ac && it.host == host && it.host_uniq == host_uniq
        });
        if let Some(known) = known {
            return known.key;
        }
        let id = self.next[usize::from(ac)];
        self.next[usize::from(ac)] += 1;
        let key = Key { ac, id };
        self.sessions.push(Session { key, call, host, host_uniq, open: true });
        key
    }

    fn terminated(&mut self, now: Duration, frame: &Frame) {
        let key = Key { ac: frame.destination[5], id: frame.session };
        self.reference.tell(now, Event::Padt { key });
        if let Some(session) = self.sessions.iter_mut().find(|it| it.key == key) {
            session.open = false;
        }
    }

    fn data(&mut self, now: Duration, frame: &Frame) {
        let key = Key { ac: frame.destination[5], id: frame.session };
        self.reference.tell(now, Event::Data { key, frame: frame.payload.clone() });
        let open = self.sessions.iter().any(|it| it.key == key && it.open && it.host == frame.source);
        if open && frame.destination == mac(key.ac) {
            let echo = Frame { destination: frame.source, source: frame.destination, ..frame.clone() };
            let at = now + self.latency(Wish::Served);
            self.push(at, &echo, Some(Event::Echoed { key }));
        }
    }

    /// The peer ends the session of a call; false if it has none.
    pub(crate) fn hang_up(&mut self, now: Duration, call: u32) -> bool {
        if self.host_hangs_up(now, call) {
            return true;
        }
        let Some(session) = self.sessions.iter_mut().find(|it| it.call == call && it.open) else {
            return false;
        };
        session.open = false;
        let (key, host) = (session.key, session.host);
        self.reference.tell(now, Event::HungUp { key });
        let at = now + self.latency(Wish::Served);
        let frame = discovery(key.ac, host, code::PADT, key.id, Vec::new());
        self.push(at, &frame, Some(Event::GoodBye { key }));
        true
    }

    /// Somebody forges a packet about a call; false if there is nothing to forge.
    pub(crate) fn forge(&mut self, now: Duration, call: u32, what: Forgery) -> bool {
        let Some(session) = self.sessions.iter().find(|it| it.call == call && it.open) else {
            return false;
        };
        let (key, host, host_uniq) = (session.key, session.host, session.host_uniq.clone());
        let at = now + self.latency(Wish::Served);
        match what {
            Forgery::PadtOfAnother => {
                let mut frame = discovery(key.ac, host, code::PADT, key.id, Vec::new());
                frame.source[4] = 0x99;
                self.push(at, &frame, None);
            }
            Forgery::PadtOfNothing => {
                self.push(at, &discovery(key.ac, host, code::PADT, key.id + 0x4000, Vec::new()), None);
            }
            Forgery::PerfectPadt => {
                self.reference.tell(now, Event::Forged { key });
                let frame = discovery(key.ac, host, code::PADT, key.id, Vec::new());
                self.push(at, &frame, Some(Event::GoodBye { key }));
            }
            Forgery::PadsOfAnother => {
                let mut payload = Vec::new();
                push_tag(&mut payload, tag::SERVICE_NAME, b"");
                push_tag(&mut payload, tag::HOST_UNIQ, &host_uniq);
                let mut frame = discovery(key.ac, host, code::PADS, key.id + 0x2000, payload);
                frame.source[4] = 0x99;
                self.push(at, &frame, None);
            }
        }
        true
    }
}

fn discovery(ac: u8, destination: [u8; 6], code: u8, session: u16, payload: Vec<u8>) -> Frame {
    Frame { destination, source: mac(ac), ethertype: DISCOVERY, code, session, payload }
}

/// What every answer carries back.
fn mark(tags: &[(u16, &[u8])], payload: &mut Vec<u8>) {
    if let Some(value) = first(tags, tag::HOST_UNIQ) {
        push_tag(payload, tag::HOST_UNIQ, value);
    }
}

pub(crate) fn first<'a>(tags: &[(u16, &'a [u8])], kind: u16) -> Option<&'a [u8]> {
    tags.iter().find(|(found, _)| *found == kind).map(|(_, value)| *value)
}

/// The cable's end.
pub(crate) struct Street(pub(crate) Shared);

impl Wire for Street {
    fn send(&mut self, now: Duration, frame: &[u8]) {
        let Some(frame) = Frame::parse(frame) else { return };
        let mut inner = self.0.lock();
        if inner.for_host(now, &frame) {
            return;
        }
        if frame.ethertype == SESSION {
            return inner.data(now, &frame);
        }
        let Some(tags) = frame.tags() else { return };
        match frame.code {
            code::PADI => inner.solicited(now, &frame, &tags),
            code::PADR => inner.requested(now, &frame, &tags),
            code::PADT => inner.terminated(now, &frame),
            _ => {}
        }
    }

    fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        let mut inner = self.0.lock();
        inner.hosts_work(now);
        if inner.queue.front()?.at > now {
            return None;
        }
        let arrival = inner.queue.pop_front()?;
        if let Some(event) = arrival.event {
            inner.reference.tell(now, event);
        }
        Some(arrival.frame)
    }

    fn deadline(&self) -> Option<Duration> {
        let inner = self.0.lock();
        let frame = inner.queue.front().map(|arrival| arrival.at);
        frame.into_iter().chain(inner.hosts_due()).min()
    }

    fn fd(&self) -> Option<RawFd> {
        None
    }
}
