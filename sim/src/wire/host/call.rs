//! One call of a host.

use std::time::Duration;

use super::{
    BROADCAST, DISCOVERY, Frame, SESSION, code,
    credits::{self, Plan, Purse, Seen},
    push_tag, tag,
};

/// Largest PPP payload without RFC 4638.
const PPPOE_MTU: u16 = 1492;

/// A call to be made, and how well it behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// The host's address.
    pub mac: [u8; 6],
    /// The service asked for; empty for any.
    pub service: String,
    /// Largest PPP payload; above 1,492 it asks for it (RFC 4638).
    pub max_payload: u16,
    /// When the first PADI leaves, from the dialling on.
    pub after: Duration,
    /// Whether it has a Host-Uniq.
    pub marked: bool,
    /// Flow control by credits that it asks for (RFC 5578).
    pub credits: Option<Plan>,
    /// Whether offers are taken up: a host that does not only solicits.
    pub serious: bool,
    /// Copies of each request that are sent at once.
    pub copies: u32,
    /// Confirmations that it does not hear.
    pub deaf: u32,
    /// Whether it sends data the moment the session is there.
    pub eager: bool,
    /// When it hangs up, from the session's beginning on.
    pub hang_up: Option<Duration>,
}

impl Default for Dial {
    fn default() -> Self {
        Self {
            mac: [0x02, 0, 0, 0, 0xbb, 1],
            service: String::new(),
            max_payload: PPPOE_MTU,
            after: Duration::ZERO,
            marked: true,
            credits: None,
            serious: true,
            copies: 1,
            deaf: 0,
            eager: false,
            hang_up: None,
        }
    }
}

/// Where a call stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallState {
    /// A PADI has been or will be sent.
    Soliciting,
    /// A PADR has been sent.
    Requesting,
    /// The session with this id is up.
    Up(u16),
    /// The request was refused, with this error tag and its text.
    Refused(u16, String),
    /// Nobody answered.
    NoAnswer,
    /// The host ended the session.
    HungUp,
    /// The access concentrator ended the session.
    EndedByPeer,
}

/// A call as a script sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Where it stands.
    pub state: CallState,
    /// The access concentrator's address, once it has offered something.
    pub peer: [u8; 6],
    /// Its name.
    pub ac_name: String,
    /// The names of the services in its offer.
    pub services: Vec<String>,
    /// The cookie in its offer.
    pub cookie: Vec<u8>,
    /// PPP-Max-Payload in its confirmation.
    pub max_payload: Option<u16>,
    /// Credits and scale in its confirmation.
    pub credits: Option<(u16, Option<u16>)>,
    /// What has been seen of credits.
    pub seen: Seen,
    /// Session frames that arrived.
    pub received: u64,
    /// Confirmations that arrived.
    pub confirmations: u32,
}

pub(super) struct Call {
    pub(super) dial: Dial,
    number: u64,
    pub(super) state: CallState,
    pub(super) peer: [u8; 6],
    pub(super) tries: u32,
    /// When the present request is repeated.
    pub(super) due: Option<Duration>,
    pub(super) hang_up_at: Option<Duration>,
    pub(super) received: u64,
    pub(super) purse: Option<Purse>,
    relayed: Vec<u8>,
    view: View,
    /// When it is looked at next, and its session, as the hosts know them.
    pub(super) planned: Option<Duration>,
    pub(super) known_as: Option<Up>,
}

/// What tells the frames of a session that is up: the host's address, the peer's and the id.
pub(super) type Up = ([u8; 6], [u8; 6], u16);

impl Call {
    pub(super) fn new(dial: Dial, number: usize, now: Duration) -> Self {
        let (state, peer) = (CallState::Soliciting, [0; 6]);
        let view = View {
            state: state.clone(),
            peer,
            ac_name: String::new(),
            services: Vec::new(),
            cookie: Vec::new(),
            max_payload: None,
            credits: None,
            seen: Seen::default(),
            received: 0,
            confirmations: 0,
        };
        Self {
            due: Some(now + dial.after),
            dial,
            number: number as u64,
            state,
            peer,
            tries: 0,
            hang_up_at: None,
            received: 0,
            purse: None,
            relayed: Vec::new(),
            view,
            planned: None,
            known_as: None,
        }
    }

    pub(super) fn view(&self) -> View {
        let seen = self.purse.as_ref().map_or(self.view.seen, |purse| purse.seen);
        View {
            state: self.state.clone(),
            peer: self.peer,
            received: self.received,
            seen,
            ..self.view.clone()
        }
    }

    /// The PADI or PADR that the state wants.
    pub(super) fn request(&self) -> Frame {
        let mut payload = Vec::new();
        push_tag(&mut payload, tag::SERVICE_NAME, self.dial.service.as_bytes());
        if self.dial.marked {
            push_tag(&mut payload, tag::HOST_UNIQ, &self.number.to_be_bytes());
        }
        if self.dial.max_payload > PPPOE_MTU {
            push_tag(&mut payload, tag::PPP_MAX_PAYLOAD, &self.dial.max_payload.to_be_bytes());
        }
        payload.extend(&self.relayed);
        let requesting = self.state == CallState::Requesting;
        if let Some(plan) = self.dial.credits.as_ref().filter(|_| requesting) {
            credits::push(&mut payload, plan.initial, 0);
            if let Some(scale) = plan.scale {
                push_tag(&mut payload, tag::CREDIT_SCALE, &scale.to_be_bytes());
            }
        }
        Frame {
            destination: if requesting { self.peer } else { BROADCAST },
            source: self.dial.mac,
            ethertype: DISCOVERY,
            code: if requesting { code::PADR } else { code::PADI },
            session: 0,
            payload,
        }
    }

    pub(super) fn copies(&self) -> u32 {
        self.dial.copies
    }

    /// A session frame.
    pub(super) fn data(&self, payload: Vec<u8>) -> Frame {
        let session = if let CallState::Up(id) = self.state { id } else { 0 };
        Frame {
            destination: self.peer,
            source: self.dial.mac,
            ethertype: SESSION,
            code: code::DATA,
            session,
            payload,
        }
    }

    fn is_marked(&self, mark: Option<&[u8]>) -> bool {
        mark == self.dial.marked.then_some(&self.number.to_be_bytes()[..])
    }

    pub(super) fn is_soliciting(&self, mac: [u8; 6], mark: Option<&[u8]>) -> bool {
        self.state == CallState::Soliciting && self.dial.mac == mac && self.is_marked(mark)
    }

    pub(super) fn is_requesting(&self, frame: &Frame, mark: Option<&[u8]>) -> bool {
        let concerned = matches!(self.state, CallState::Requesting | CallState::Up(_));
        concerned && self.dial.mac == frame.destination && self.peer == frame.source && self.is_marked(mark)
    }

    /// The session, while it is up.
    pub(super) fn up(&self) -> Option<Up> {
        if let CallState::Up(id) = self.state { Some((self.dial.mac, self.peer, id)) } else { None }
    }

    /// When something is to be done about it.
    pub(super) fn next(&self) -> Option<Duration> {
        let grant = self.purse.as_ref().filter(|_| self.up().is_some()).and_then(|purse| purse.next);
        [self.due, self.hang_up_at, grant].into_iter().flatten().min()
    }

    /// A PADO.
    pub(super) fn offered(&mut self, now: Duration, frame: &Frame, tags: &[(u16, &[u8])]) {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        self.peer = frame.source;
        for &(kind, value) in tags {
            match kind {
                tag::AC_NAME => self.view.ac_name = text(value),
                tag::SERVICE_NAME => self.view.services.push(text(value)),
                tag::AC_COOKIE => self.view.cookie = value.to_vec(),
                _ => {}
            }
        }
        if self.dial.serious {
            push_tag(&mut self.relayed, tag::AC_COOKIE, &self.view.cookie);
            self.state = CallState::Requesting;
            self.tries = 0;
            self.due = Some(now);
        }
    }

    /// A PADS.
    pub(super) fn confirmed(&mut self, now: Duration, frame: &Frame, tags: &[(u16, &[u8])]) {
        self.view.confirmations += 1;
        if self.state != CallState::Requesting || self.view.confirmations <= self.dial.deaf {
            return;
        }
        self.due = None;
        let errors = [tag::SERVICE_NAME_ERROR, tag::AC_SYSTEM_ERROR, tag::GENERIC_ERROR];
        let error = tags.iter().find(|(kind, _)| errors.contains(kind));
        self.state = match error {
            Some((kind, text)) => CallState::Refused(*kind, String::from_utf8_lossy(text).into_owned()),
            None => CallState::Up(frame.session),
        };
        let granted = tags.iter().find(|(kind, _)| *kind == tag::PPP_MAX_PAYLOAD);
        self.view.max_payload =
            granted.and_then(|(_, value)| (*value).try_into().ok()).map(u16::from_be_bytes);
        self.view.credits = credits::read(tags);
        if let (Some(plan), Some((granted, theirs))) = (&self.dial.credits, self.view.credits) {
            self.purse = Some(Purse::new(plan, granted, plan.scale, theirs, now));
        }
        self.hang_up_at = self.dial.hang_up.map(|after| now + after);
    }
}
