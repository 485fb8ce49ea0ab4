//! The access concentrator inside the simulator: RFC 2516's server side with a peer that sends every session frame
//! back. It shares no code with the driver's PPPoE engine.

mod session;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    os::fd::RawFd,
    rc::Rc,
    time::Duration,
};

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use session::Session;
pub use settings::{HangUp, Mode, Settings};
use sha2::{Digest, Sha256};

use super::{
    Wire,
    credits::{self, Purse, Seen},
    frame::{BROADCAST, DISCOVERY, Frame, SESSION, code, push_tag, tag},
};

/// Largest PPP payload without RFC 4638.
const PPPOE_MTU: u16 = 1492;
/// Bytes of a cookie.
const COOKIE: usize = 16;

/// What the access concentrator has seen, for those who judge a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sessions that are up, by id.
    pub open: Vec<u16>,
    /// Sessions that were set up.
    pub opened: u64,
    /// Sessions the host ended.
    pub closed_by_host: u64,
    /// Sessions it ended itself.
    pub closed_by_us: u64,
    /// Session frames sent back.
    pub echoed: u64,
    /// Session frames of no session, or from the wrong host.
    pub stray: u64,
    /// Discovery packets that were no use.
    pub refused: u64,
    /// What it has seen of credits, in all sessions.
    pub credits: Seen,
}

/// The access concentrator as the far end of a cable.
pub struct AccessConcentrator {
    settings: Settings,
    random: Pcg64,
    secret: [u8; 16],
    sessions: BTreeMap<u16, Session>,
    /// Sessions by host and mark of the request that made them.
    by_request: BTreeMap<([u8; 6], Vec<u8>), u16>,
    /// Frames on their way to the host, in the order they were sent.
    queue: VecDeque<(Duration, Vec<u8>)>,
    tally: Rc<RefCell<Tally>>,
    /// Sessions about which something is to be done, the first one first: with thousands of them a look at each, several
    /// times a frame, would take all the time.
    agenda: BTreeSet<(Duration, u16)>,
}

impl AccessConcentrator {
    /// An access concentrator without sessions.
    pub fn new(settings: Settings) -> Self {
        let mut random = Pcg64::seed_from_u64(settings.seed);
        let mut secret = [0; 16];
        random.fill_bytes(&mut secret);
        let (sessions, by_request) = (BTreeMap::new(), BTreeMap::new());
        let (queue, tally, agenda) = (VecDeque::new(), Rc::default(), BTreeSet::new());
        Self { settings, random, secret, sessions, by_request, queue, tally, agenda }
    }

    /// A view of its counters that stays valid when it is plugged in.
    pub fn tally(&self) -> Rc<RefCell<Tally>> {
        Rc::clone(&self.tally)
    }

    fn cookie(&self, host: [u8; 6]) -> Vec<u8> {
        Sha256::new().chain_update(self.secret).chain_update(host).finalize()[..COOKIE].to_vec()
    }

    fn queue(
        &mut self,
        now: Duration,
        to: [u8; 6],
        ethertype: u16,
        code: u8,
        session: u16,
        payload: Vec<u8>,
    ) {
        let source = self.settings.mac;
        let frame = Frame { destination: to, source, ethertype, code, session, payload };
        self.queue.push_back((now + self.settings.latency, frame.to_bytes()));
    }

    fn discovery(&mut self, now: Duration, frame: &Frame) {
        let served = match frame.code {
            code::PADI => self.offer(now, frame),
            code::PADR => self.confirm(now, frame),
            code::PADT => self.terminate(frame),
            code::PADG | code::PADC => self.credits(now, frame),
            _ => None,
        };
        if served.is_none() {
            self.tally.borrow_mut().refused += 1;
        }
    }

    /// Whether the service can be had, and under which name: an empty name asks for any.
    fn serves(&self, wanted: &[u8]) -> bool {
        wanted.is_empty() || self.settings.services.iter().any(|service| service.as_bytes() == wanted)
    }

    /// PADI: answers with a PADO.
    fn offer(&mut self, now: Duration, frame: &Frame) -> Option<()> {
        let tags = frame.tags()?;
        let wanted = only(&tags, tag::SERVICE_NAME)?;
        let addressed = frame.destination == BROADCAST || frame.destination == self.settings.mac;
        let quiet = self.settings.mode == Mode::Silent;
        if frame.session != 0 || !addressed || quiet || !self.serves(wanted) {
            return None;
        }
        let mut payload = Vec::new();
        push_tag(&mut payload, tag::AC_NAME, self.settings.ac_name.as_bytes());
        push_tag(&mut payload, tag::SERVICE_NAME, wanted);
        for service in self.settings.services.iter().filter(|service| service.as_bytes() != wanted) {
            push_tag(&mut payload, tag::SERVICE_NAME, service.as_bytes());
        }
        push_tag(&mut payload, tag::AC_COOKIE, &self.cookie(frame.source));
        self.return_tags(&tags, &mut payload);
        self.queue(now, frame.source, DISCOVERY, code::PADO, 0, payload);
        Some(())
    }

    /// What every answer carries: the host's and the relay's marks, and the payload limit if both know it.
    fn return_tags(&self, tags: &[(u16, &[u8])], payload: &mut Vec<u8>) {
        for kind in [tag::HOST_UNIQ, tag::RELAY_SESSION_ID] {
            if let Some(value) = first(tags, kind) {
                push_tag(payload, kind, value);
            }
        }
        let asked = first(tags, tag::PPP_MAX_PAYLOAD).and_then(|value| value.try_into().ok());
        let granted = asked.map(u16::from_be_bytes).filter(|asked| *asked > PPPOE_MTU);
        if let Some(asked) = granted.filter(|_| self.settings.max_payload > PPPOE_MTU) {
            let value = asked.min(self.settings.max_payload);
            push_tag(payload, tag::PPP_MAX_PAYLOAD, &value.to_be_bytes());
        }
    }

    /// PADR: answers with a PADS, the same one as before when the request is a repetition.
    fn confirm(&mut self, now: Duration, frame: &Frame) -> Option<()> {
        let tags = frame.tags()?;
        let wanted = only(&tags, tag::SERVICE_NAME)?;
        let valid = first(&tags, tag::AC_COOKIE) == Some(&self.cookie(frame.source));
        if frame.session != 0 || frame.destination != self.settings.mac || !valid {
            return None;
        }
        let mut payload = Vec::new();
        push_tag(&mut payload, tag::SERVICE_NAME, wanted);
        self.return_tags(&tags, &mut payload);
        let error = match self.settings.mode {
            Mode::Silent => return None,
            Mode::ServiceNameError => Some(tag::SERVICE_NAME_ERROR),
            Mode::Serve if !self.serves(wanted) => Some(tag::SERVICE_NAME_ERROR),
            Mode::AcSystemError => Some(tag::AC_SYSTEM_ERROR),
            Mode::GenericError => Some(tag::GENERIC_ERROR),
            Mode::Serve => None,
        };
        let id = match error {
            Some(kind) => {
                push_tag(&mut payload, kind, b"refused");
                0
            }
            None => self.open(now, frame, first(&tags, tag::HOST_UNIQ).unwrap_or_default()),
        };
        self.agree(now, id, &tags, &mut payload);
        self.queue(now, frame.source, DISCOVERY, code::PADS, id, payload);
        Some(())
    }

    /// Confirms a session with credits, if the host has asked for them.
    fn agree(&mut self, now: Duration, id: u16, tags: &[(u16, &[u8])], payload: &mut Vec<u8>) {
        let asked = credits::read(tags);
        let plan = self.settings.credits.as_ref().filter(|plan| plan.unasked || asked.is_some());
        let (Some(plan), Some(session)) = (plan, self.sessions.get_mut(&id)) else { return };
        let (granted, theirs) = asked.unwrap_or_default();
        let ours = plan.scale.or(theirs);
        credits::push(payload, plan.initial, granted);
        if let Some(scale) = ours {
            push_tag(payload, tag::CREDIT_SCALE, &scale.to_be_bytes());
        }
        if asked.is_some() {
            session.purse.get_or_insert_with(|| Purse::new(plan, granted, ours, theirs, now));
        }
        self.plan(id);
    }

    /// Gives a session that has changed its place among those that are due.
    fn plan(&mut self, id: u16) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let next = session.next();
        if let Some(before) = std::mem::replace(&mut session.planned, next) {
            self.agenda.remove(&(before, id));
        }
        self.agenda.extend(next.map(|at| (at, id)));
    }

    /// The sessions that are due, by id.
    fn due(&self, now: Duration) -> BTreeSet<u16> {
        self.agenda.range(..=(now, u16::MAX)).map(|&(_, id)| id).collect()
    }

    /// A PADG or PADC.
    fn credits(&mut self, now: Duration, frame: &Frame) -> Option<()> {
        let session = self.sessions.get_mut(&frame.session).filter(|session| session.host == frame.source)?;
        let purse = session.purse.as_mut()?;
        let before = purse.seen;
        let (answer, free) = purse.control(frame);
        self.tally.borrow_mut().credits.replace(before, purse.seen);
        if let Some(payload) = answer {
            self.queue(now, frame.source, DISCOVERY, code::PADC, frame.session, payload);
        }
        for payload in free {
            self.queue(now, frame.source, SESSION, code::DATA, frame.session, payload);
        }
        Some(())
    }

    /// Sends the grants that are due.
    fn grant(&mut self, now: Duration) {
        for id in self.due(now) {
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            let (host, payload) = (session.host, session.purse.as_mut().and_then(|purse| purse.due(now)));
            if let Some(payload) = payload {
                self.queue(now, host, DISCOVERY, code::PADG, id, payload);
            }
            self.plan(id);
        }
    }

    /// The session of this host and mark, made if there is none.
    fn open(&mut self, now: Duration, frame: &Frame, host_uniq: &[u8]) -> u16 {
        let request = (frame.source, host_uniq.to_vec());
        if let Some(&id) = self.by_request.get(&request) {
            return id;
        }
        let id = loop {
            let [low, high, ..] = self.random.next_u32().to_le_bytes();
            let id = u16::from_le_bytes([low, high]);
            if id != 0 && id != u16::MAX && !self.sessions.contains_key(&id) {
                break id;
            }
        };
        let hang_up = self.settings.hang_up.as_ref().map(|plan| now + plan.draw(&mut self.random));
        let session =
            Session { host: frame.source, host_uniq: request.1.clone(), hang_up, purse: None, planned: None };
        self.sessions.insert(id, session);
        self.by_request.insert(request, id);
        self.plan(id);
        let mut tally = self.tally.borrow_mut();
        tally.opened += 1;
        tally.open.push(id);
        id
    }

    /// PADT: ends the session, if it is the host's.
    fn terminate(&mut self, frame: &Frame) -> Option<()> {
        self.sessions.get(&frame.session).filter(|session| session.host == frame.source)?;
        self.forget(frame.session);
        self.tally.borrow_mut().closed_by_host += 1;
        Some(())
    }

    fn forget(&mut self, id: u16) {
        if let Some(session) = self.sessions.remove(&id) {
            if let Some(at) = session.planned {
                self.agenda.remove(&(at, id));
            }
            self.by_request.remove(&(session.host, session.host_uniq));
        }
        self.tally.borrow_mut().open.retain(|open| *open != id);
    }

    /// Session data: goes back to where it came from.
    fn echo(&mut self, now: Duration, frame: Frame) {
        let mine = frame.destination == self.settings.mac && frame.code == code::DATA;
        let known = self.sessions.get(&frame.session).is_some_and(|session| session.host == frame.source);
        if mine && known {
            self.tally.borrow_mut().echoed += 1;
            let purse = self.sessions.get_mut(&frame.session).and_then(|session| session.purse.as_mut());
            let free = match purse {
                None => vec![frame.payload],
                Some(purse) => {
                    let before = purse.seen;
                    purse.took(frame.payload.len());
                    let free = purse.send(frame.payload);
                    self.tally.borrow_mut().credits.replace(before, purse.seen);
                    free
                }
            };
            for payload in free {
                self.queue(now, frame.source, SESSION, code::DATA, frame.session, payload);
            }
        } else {
            self.tally.borrow_mut().stray += 1;
        }
    }

    /// Ends the sessions whose time has come.
    fn hang_up(&mut self, now: Duration) {
        for id in self.due(now) {
            let Some(session) = self.sessions.get(&id) else { continue };
            let Some(at) = session.hang_up.filter(|at| *at <= now) else { continue };
            let host = session.host;
            self.forget(id);
            self.tally.borrow_mut().closed_by_us += 1;
            let mut payload = Vec::new();
            push_tag(&mut payload, tag::GENERIC_ERROR, b"closed by the access concentrator");
            self.queue(at, host, DISCOVERY, code::PADT, id, payload);
        }
    }
}

impl Wire for AccessConcentrator {
    fn send(&mut self, now: Duration, frame: &[u8]) {
        self.hang_up(now);
        match Frame::parse(frame) {
            // A group address or none at all is nobody to answer.
            Some(frame) if frame.source[0] & 1 != 0 || frame.source == [0; 6] => {}
            Some(frame) if frame.ethertype == DISCOVERY => self.discovery(now, &frame),
            Some(frame) => self.echo(now, frame),
            None => {}
        }
    }

    fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.hang_up(now);
        self.grant(now);
        let due = self.queue.front().is_some_and(|(at, _)| *at <= now);
        if due { self.queue.pop_front().map(|(_, frame)| frame) } else { None }
    }

    fn deadline(&self) -> Option<Duration> {
        let frame = self.queue.front().map(|(at, _)| *at);
        let session = self.agenda.first().map(|(at, _)| *at);
        frame.into_iter().chain(session).min()
    }

    fn fd(&self) -> Option<RawFd> {
        None
    }
}

/// The first tag of a kind.
fn first<'a>(tags: &[(u16, &'a [u8])], kind: u16) -> Option<&'a [u8]> {
    tags.iter().find(|(found, _)| *found == kind).map(|(_, value)| *value)
}

/// The tag of a kind that must be there exactly once.
fn only<'a>(tags: &[(u16, &'a [u8])], kind: u16) -> Option<&'a [u8]> {
    let mut found = tags.iter().filter(|(found, _)| *found == kind);
    let value = found.next().map(|(_, value)| *value);
    if found.next().is_some() { None } else { value }
}
