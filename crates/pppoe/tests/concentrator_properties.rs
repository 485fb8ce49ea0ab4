//! Any sequence of packets and decisions, against a model that remembers everything.

mod common;

use common::server::{Outcome, Server, config, padi, padr};
use common::{AC, at};
use core::time::Duration;
use pppoe::concentrator::{
    BadCookie, Concentrator, Config, Event, Ignored, Limits, Rate, Refusal, RequestId,
};
use pppoe::{Address, Code, Inbound, Instant, Packet, Repr, SessionKey, TagType};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};

const STATION: Rate = Rate { per_second: 3, burst: 6 };
const ALL: Rate = Rate { per_second: 10, burst: 15 };
const LIMITS: Limits = Limits {
    station: Some(STATION),
    all: Some(ALL),
    starting: 4,
    requests: 12,
    station_requests: 3,
    sessions: 6,
    station_sessions: 3,
};

#[derive(Clone, Debug)]
struct Who {
    host: u8,
    unique: Option<u8>,
    relay: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Padi(Who),
    /// With the cookie of an earlier PADO, for whom it was made or for another.
    Padr(Index, Option<Who>, Option<(Index, u8)>),
    Accept(Index),
    Reject(Index),
    Close(Index),
    Sleep(u64),
}

fn who() -> impl Strategy<Value = Who> {
    (0..4_u8, prop::option::of(0..3_u8), any::<bool>()).prop_map(|(host, unique, relay)| Who {
        host,
        unique,
        relay,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let flip = prop::option::weighted(0.1, (any::<Index>(), 1_u8..));
    prop_oneof![
        4 => who().prop_map(Step::Padi),
        6 => (any::<Index>(), prop::option::weighted(0.2, who()), flip)
            .prop_map(|(which, who, flip)| Step::Padr(which, who, flip)),
        2 => any::<Index>().prop_map(Step::Accept),
        1 => any::<Index>().prop_map(Step::Reject),
        1 => any::<Index>().prop_map(Step::Close),
        3 => prop_oneof![0..400_u64, 0..20_000_u64].prop_map(Step::Sleep),
    ]
}

#[derive(Clone)]
struct Cookie {
    octets: Vec<u8>,
    who: Who,
    issued: Instant,
    served: bool,
}

struct Model {
    server: Server,
    cookies: Vec<Cookie>,
    waiting: Vec<RequestId>,
    sessions: Vec<SessionKey>,
    /// When what was let through, and for whom.
    admitted: Vec<(u64, Address)>,
}

fn address(number: u8) -> Address {
    Address([2, 0, 0, 0, 7, number])
}

/// The tags of a PADI or PADR of `who`.
fn with_tags<R>(who: &Who, f: impl FnOnce(&[(TagType, &[u8])]) -> R) -> R {
    let unique = who.unique.map(|number| vec![number; usize::from(number) * 5]);
    let mut tags = Vec::new();
    if let Some(unique) = &unique {
        tags.push((TagType::HostUniq, unique.as_slice()));
    }
    if who.relay {
        tags.push((TagType::RelaySessionId, b"relay"));
    }
    f(&tags)
}

impl Model {
    fn new() -> Self {
        let server = Server::new(&Config { limits: LIMITS, ..config() });
        Self { server, cookies: vec![], waiting: vec![], sessions: vec![], admitted: vec![] }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Padi(who) => self.padi(who)?,
            Step::Padr(which, who, flip) if !self.cookies.is_empty() => {
                self.padr(which.index(self.cookies.len()), who.as_ref(), *flip)?;
            }
            Step::Accept(which) if !self.waiting.is_empty() => {
                let id = self.waiting.swap_remove(which.index(self.waiting.len()));
                let accepted = self.server.accept(id);
                let key = accepted.session.key;
                prop_assert!(!self.sessions.contains(&key));
                prop_assert!(self.sessions.iter().all(|other| other.id() != key.id()));
                self.sessions.push(key);
            }
            Step::Reject(which) if !self.waiting.is_empty() => {
                let id = self.waiting.swap_remove(which.index(self.waiting.len()));
                prop_assert!(self.server.reject(id, Refusal::AcSystem("no")));
            }
            Step::Close(which) if !self.sessions.is_empty() => {
                let key = self.sessions.swap_remove(which.index(self.sessions.len()));
                prop_assert!(self.server.ac.close(key) && !self.server.ac.close(key));
            }
            Step::Sleep(millis) => self.server.sleep(*millis),
            _ => {}
        }
        while let Some(id) = self.server.ac.expire(self.server.now) {
            let at = self.waiting.iter().position(|&waiting| waiting == id);
            prop_assert!(at.is_some());
            at.map(|at| self.waiting.swap_remove(at));
        }
        self.bounded()
    }

    fn padi(&mut self, who: &Who) -> Result<(), TestCaseError> {
        let event = with_tags(who, |tags| self.server.receive(&padi(address(who.host), tags)).kept());
        match event {
            Kept::Answer => {
                self.answered(who)?;
                let octets = self.server.reply().ac_cookie.unwrap().to_vec();
                prop_assert!(self.cookies.iter().all(|cookie| cookie.octets != octets));
                let issued = self.server.now;
                self.cookies.push(Cookie { octets, who: who.clone(), issued, served: false });
            }
            Kept::Ignored(Ignored::Full | Ignored::Rate) => {}
            other => prop_assert!(false, "{other:?}"),
        }
        Ok(())
    }

    fn padr(
        &mut self,
        which: usize,
        other: Option<&Who>,
        flip: Option<(Index, u8)>,
    ) -> Result<(), TestCaseError> {
        let mut cookie = self.cookies[which].clone();
        if let Some((at, value)) = flip {
            let at = at.index(cookie.octets.len());
            cookie.octets[at] ^= value;
        }
        let who = other.unwrap_or(&cookie.who).clone();
        let same = |a: &Who, b: &Who| (a.host, a.unique, a.relay) == (b.host, b.unique, b.relay);
        let genuine = flip.is_none() && same(&who, &cookie.who);
        let age = self.server.now.saturating_since(cookie.issued);
        let waiting = self.server.ac.waiting();
        let event = with_tags(&who, |tags| {
            self.server.receive(&padr(address(who.host), &cookie.octets, tags)).kept()
        });
        match event {
            Kept::Requested(id) => {
                prop_assert!(genuine && !cookie.served && age <= Duration::from_millis(8256), "{age:?}");
                self.cookies[which].served = true;
                self.admitted.push((self.server.now.as_millis(), address(who.host)));
                self.waiting.push(id);
            }
            Kept::Answer => {
                prop_assert!(genuine);
                self.answered(&who)?;
                prop_assert_eq!(self.server.ac.waiting(), waiting);
                let reply = self.server.reply();
                let open = SessionKey::new(reply.destination, reply.session_id)
                    .is_some_and(|key| self.sessions.contains(&key));
                prop_assert!(open || (reply.session_id == 0 && reply.error.is_some()));
            }
            Kept::Ignored(Ignored::Cookie(why)) => {
                let fresh = genuine && !cookie.served && age < Duration::from_millis(7744);
                prop_assert!(!fresh, "{why:?}");
                prop_assert!(why != BadCookie::Missing);
            }
            Kept::Ignored(Ignored::Full) => {
                prop_assert!(waiting == 4 || self.server.ac.requests() == 12, "{waiting} wait");
            }
            Kept::Ignored(Ignored::Rate | Ignored::Waiting | Ignored::Over) => {}
            Kept::Ignored(other) => prop_assert!(false, "{other:?}"),
        }
        Ok(())
    }

    /// An answer goes to who asked, with what is to be returned.
    fn answered(&mut self, who: &Who) -> Result<(), TestCaseError> {
        self.admitted.push((self.server.now.as_millis(), address(who.host)));
        prop_assert!((60..=1514).contains(&self.server.sent.len()));
        let reply = self.server.reply();
        prop_assert_eq!((reply.destination, reply.source), (address(who.host), AC));
        with_tags(who, |tags| {
            for (kind, value) in
                [(TagType::HostUniq, reply.host_uniq), (TagType::RelaySessionId, reply.relay_session_id)]
            {
                let sent = tags.iter().find(|(tag, _)| *tag == kind).map(|(_, value)| *value);
                prop_assert_eq!(value, sent);
            }
            Ok(())
        })
    }

    fn bounded(&self) -> Result<(), TestCaseError> {
        let ac = &self.server.ac;
        prop_assert_eq!((ac.waiting(), ac.sessions()), (self.waiting.len(), self.sessions.len()));
        prop_assert!(ac.waiting() <= 4 && ac.requests() <= 12 && ac.waiting() <= ac.requests());
        prop_assert!(ac.sessions() + ac.waiting() <= 6);
        let mut stations = BTreeMap::<_, usize>::new();
        for key in &self.sessions {
            *stations.entry(key.peer()).or_default() += 1;
        }
        prop_assert!(stations.values().all(|&count| count <= 3));
        prop_assert_eq!(ac.deadline().is_some(), ac.requests() > 0);
        Ok(())
    }

    /// In no interval more answers than the bucket held and gained.
    fn rates(&self) -> Result<(), TestCaseError> {
        let stations: BTreeSet<_> = self.admitted.iter().map(|(_, station)| *station).collect();
        let all = self.admitted.iter().map(|(when, _)| *when).collect::<Vec<_>>();
        let mut lists = vec![(ALL, all)];
        for station in stations {
            let of = self.admitted.iter().filter(|(_, who)| *who == station);
            lists.push((STATION, of.map(|(when, _)| *when).collect()));
        }
        for (rate, times) in lists {
            for (first, &start) in times.iter().enumerate() {
                for (count, &end) in (1..).zip(&times[first..]) {
                    let gained = (end - start) * u64::from(rate.per_second);
                    prop_assert!(count * 1000 <= u64::from(rate.burst) * 1000 + gained + 1000);
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
enum Kept {
    Ignored(Ignored),
    Answer,
    Requested(RequestId),
}

trait Keep {
    fn kept(self) -> Kept;
}

impl Keep for Event<'_> {
    fn kept(self) -> Kept {
        match self {
            Self::Ignored(why) => Kept::Ignored(why),
            Self::Answer(_) => Kept::Answer,
            Self::Requested(_) => Kept::Requested(self.requested().id),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn as_a_model(steps in vec(step(), 1..120)) {
        let mut model = Model::new();
        for step in &steps {
            model.step(step)?;
        }
        model.rates()?;
        model.server.sleep(60_000);
        while model.server.ac.expire(model.server.now).is_some() {}
        prop_assert_eq!((model.server.ac.requests(), model.server.ac.waiting()), (0, 0));
    }

    /// Any tags: an answer is whole, and says what was asked.
    #[test]
    fn answers_to_anything(
        code in prop::sample::select(vec![Code::Padi, Code::Padr, Code::Pado, Code::Pads]),
        destination in prop::sample::select(vec![AC, Address::BROADCAST, address(1)]),
        source in prop::sample::select(vec![AC, Address::BROADCAST, Address([0; 6]), address(1)]),
        values in vec((0..8_usize, vec(any::<u8>(), 0..300)), 0..8),
        cut in 0..1600_usize,
    ) {
        const KINDS: [u16; 8] = [0x0101, 0x0102, 0x0103, 0x0104, 0x0110, 0x0120, 0x0105, 0x0203];
        let mut payload = vec![1, 1, 0, 0];
        for (kind, value) in &values {
            payload.extend(KINDS[*kind].to_be_bytes());
            payload.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            payload.extend(value);
        }
        let frame = common::raw(destination, source, 0x8863, code.into(), 0, &payload);
        let Ok(packet) = Packet::parse(&frame).and_then(|packet| Repr::parse(&packet)) else {
            return Ok(());
        };
        let mut ac = Concentrator::try_new(&config(), &[9; 16], at(0)).unwrap();
        let mut buffer = vec![0xAA; cut];
        let event = ac.handle(at(5), &packet, &common::server::SERVICES, &mut buffer);
        if let Event::Answer(answer) = event {
            prop_assert!(source == address(1) && code == Code::Padi);
            let Ok(Inbound::Host(reply)) = Inbound::parse(&buffer[..answer.len], source) else {
                return Err(TestCaseError::fail("no PADO"));
            };
            prop_assert_eq!(reply.service_name, packet.service_name);
            prop_assert_eq!(reply.host_uniq, packet.host_uniq);
            prop_assert_eq!(reply.relay_session_id, packet.relay_session_id);
            prop_assert!(buffer[answer.len..].iter().all(|&octet| octet == 0xAA));
        }
        prop_assert_eq!(ac.requests(), 0);
    }
}
