//! Hosts at the far end, which call: each asks for a service of its own name and patiently repeats its requests.

use std::time::Duration;

use ndis_sim::wire::frame::{BROADCAST, DISCOVERY, Frame, SESSION, code, push_tag, tag};

use crate::{
    reference::{Event, Key},
    street::Inner,
};

/// What a host waits for an answer, and how often it asks.
const PATIENCE: Duration = Duration::from_secs(5);
const TRIES: u32 = 3;
/// What stands for an access concentrator in the keys of sessions with hosts: the card.
const CARD: u8 = 0xff;

/// The service that the call of this number asks for.
pub(crate) fn service(call: u32) -> String {
    format!("Inbound-{call}.")
}

/// The call of an offer, whose block holds the name of the service in UTF-8 or UTF-16.
pub(crate) fn call_of(block: &[u8]) -> Option<u32> {
    let text: String = block.iter().filter(|&&byte| byte != 0).map(|&byte| char::from(byte)).collect();
    let (_, rest) = text.split_once("Inbound-")?;
    rest.split_once('.')?.0.parse().ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Soliciting,
    Requesting,
    Up(u16),
    Over,
}

/// The session of a host's with this id.
fn key(id: u16) -> Key {
    Key { ac: CARD, id }
}

/// One host and its call.
pub(crate) struct Host {
    call: u32,
    state: State,
    card: [u8; 6],
    cookie: Vec<u8>,
    tries: u32,
    due: Option<Duration>,
}

impl Host {
    fn mac(call: u32) -> [u8; 6] {
        let [_, _, high, low] = call.to_be_bytes();
        [0x02, 0, 0, 0xbb, high, low]
    }

    fn frame(&self, ethertype: u16, code: u8, session: u16, payload: Vec<u8>) -> Frame {
        let destination = if code == code::PADI { BROADCAST } else { self.card };
        Frame { destination, source: Self::mac(self.call), ethertype, code, session, payload }
    }

    fn request(&self) -> Frame {
        let mut payload = Vec::new();
        push_tag(&mut payload, tag::SERVICE_NAME, service(self.call).as_bytes());
        push_tag(&mut payload, tag::HOST_UNIQ, &self.call.to_be_bytes());
        if self.state == State::Soliciting {
            return self.frame(DISCOVERY, code::PADI, 0, payload);
        }
        push_tag(&mut payload, tag::AC_COOKIE, &self.cookie);
        self.frame(DISCOVERY, code::PADR, 0, payload)
    }
}

impl Inner {
    /// A host begins to call.
    pub(crate) fn dial(&mut self, now: Duration, call: u32) {
        self.reference.tell(now, Event::Dialled { call });
        self.hosts.push(Host {
            call,
            state: State::Soliciting,
            card: [0; 6],
            cookie: Vec::new(),
            tries: 0,
            due: Some(now),
        });
    }

    /// When a host next has something to send.
    pub(crate) fn hosts_due(&self) -> Option<Duration> {
        self.hosts.iter().filter_map(|host| host.due).min()
    }

    /// Hosts send what is due.
    pub(crate) fn hosts_work(&mut self, now: Duration) {
        let mut sent = Vec::new();
        for host in self.hosts.iter_mut().filter(|host| host.due.is_some_and(|due| due <= now)) {
            if host.tries == TRIES {
                host.due = None;
                host.state = State::Over;
                self.reference.tell(now, Event::GaveUp { call: host.call });
                continue;
            }
            host.tries += 1;
            host.due = Some(now + PATIENCE);
            let event = match host.state {
                State::Soliciting => Event::Solicited { call: host.call },
                _ => Event::Requested { call: host.call },
            };
            sent.push((host.request(), event));
        }
        for (frame, event) in sent {
            let at = now + self.short();
            self.push(at, &frame, Some(event));
        }
    }

    /// A frame of the card's for a host; false if it is for none.
    pub(crate) fn for_host(&mut self, now: Duration, frame: &Frame) -> bool {
        let mine = |host: &&mut Host| Host::mac(host.call) == frame.destination;
        let Some(host) = self.hosts.iter_mut().find(mine) else { return false };
        let (call, state) = (host.call, host.state);
        match (frame.ethertype, frame.code) {
            (SESSION, _) => self.data_for_host(now, frame),
            (_, code::PADO) => {
                self.reference.tell(now, Event::OfferedToHost { call });
                if state == State::Soliciting {
                    let tags = frame.tags().unwrap_or_default();
                    let cookie = tags.iter().find(|(kind, _)| *kind == tag::AC_COOKIE);
                    host.cookie = cookie.map(|(_, value)| value.to_vec()).unwrap_or_default();
                    (host.state, host.card, host.tries) = (State::Requesting, frame.source, 0);
                    host.due = Some(now);
                }
            }
            (_, code::PADS) => self.confirmed(now, frame, call),
            (_, code::PADT) => {
                let key = key(frame.session);
                if state == State::Up(frame.session) {
                    host.state = State::Over;
                }
                self.reference.tell(now, Event::Padt { key });
            }
            _ => {}
        }
        true
    }

    fn confirmed(&mut self, now: Duration, frame: &Frame, call: u32) {
        let Some(host) = self.hosts.iter_mut().find(|host| host.call == call) else { return };
        if frame.session == 0 {
            if host.state == State::Requesting {
                (host.state, host.due) = (State::Over, None);
            }
            return self.reference.tell(now, Event::HostRefused { call });
        }
        let key = key(frame.session);
        self.reference.tell(now, Event::Established { call, key });
        let Some(host) = self.hosts.iter_mut().find(|host| host.call == call) else { return };
        match host.state {
            State::Requesting => (host.state, host.due) = (State::Up(frame.session), None),
            // A repetition.
            State::Up(id) if id == frame.session => {}
            // It has given up, and wants no session.
            _ => {
                let padt = host.frame(DISCOVERY, code::PADT, frame.session, Vec::new());
                self.reference.tell(now, Event::HungUp { key });
                let at = now + self.short();
                self.push(at, &padt, Some(Event::GoodBye { key }));
            }
        }
    }

    fn data_for_host(&mut self, now: Duration, frame: &Frame) {
        let mine = |host: &&Host| Host::mac(host.call) == frame.destination;
        let Some(host) = self.hosts.iter().find(mine) else { return };
        let (key, up) = (key(frame.session), host.state == State::Up(frame.session));
        let echo = host.frame(SESSION, code::DATA, frame.session, frame.payload.clone());
        self.reference.tell(now, Event::Data { key, frame: frame.payload.clone() });
        if up {
            let at = now + self.short();
            self.push(at, &echo, Some(Event::Echoed { key }));
        }
    }

    /// The session of a host's call with the card that is up, and the addresses at both ends.
    pub(crate) fn of_host(&self, call: u32) -> Option<(u16, [u8; 6], [u8; 6])> {
        let host = self.hosts.iter().find(|host| host.call == call)?;
        let State::Up(id) = host.state else { return None };
        Some((id, Host::mac(call), host.card))
    }

    /// The host of a call hangs up; false if there is none, or nothing to hang up on.
    pub(crate) fn host_hangs_up(&mut self, now: Duration, call: u32) -> bool {
        let Some(host) = self.hosts.iter_mut().find(|host| host.call == call) else { return false };
        match host.state {
            State::Up(id) => {
                host.state = State::Over;
                let (key, padt) = (key(id), host.frame(DISCOVERY, code::PADT, id, Vec::new()));
                self.reference.tell(now, Event::HungUp { key });
                let at = now + self.short();
                self.push(at, &padt, Some(Event::GoodBye { key }));
                true
            }
            // Without a session there is nothing to say.
            State::Soliciting | State::Requesting => {
                (host.state, host.due) = (State::Over, None);
                self.reference.tell(now, Event::GaveUp { call });
                true
            }
            State::Over => false,
        }
    }
}
