//! Any input, and any loss, duplication, delay and order on the way to an Access Concentrator.

mod common;

use common::{AC, HOST, Host, OTHER, at};
use core::time::Duration;
use pppoe::{
    Address, Backoff, Code, Config, Data, Error, Event, Inbound, Packet, Repr, SessionKey, State, TagType,
    Tags, Timing,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Frames that get past the first checks often enough.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let code =
        prop_oneof![Just(0x00), Just(0x07), Just(0x09), Just(0x19), Just(0x65), Just(0xA7), any::<u8>()];
    let kind = prop_oneof![
        prop::sample::select(vec![
            0x0000_u16, 0x0101, 0x0102, 0x0103, 0x0104, 0x0105, 0x0110, 0x0120, 0x0201, 0x0202, 0x0203
        ]),
        any::<u16>()
    ];
    let tag = (kind, vec(any::<u8>(), 0..20)).prop_map(|(kind, value)| {
        let mut tag = kind.to_be_bytes().to_vec();
        tag.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        tag.extend(value);
        tag
    });
    let payload = prop_oneof![vec(tag, 0..12).prop_map(|tags| tags.concat()), vec(any::<u8>(), 0..64)];
    let address = prop_oneof![
        Just(HOST),
        Just(AC),
        Just(OTHER),
        Just(Address::BROADCAST),
        any::<[u8; 6]>().prop_map(Address)
    ];
    let ethertype = prop_oneof![4 => Just(0x8863_u16), 2 => Just(0x8864), 1 => any::<u16>()];
    let id = prop_oneof![Just(0), Just(1), Just(0xFFFF), any::<u16>()];
    let flips = vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    let whole = (
        address.clone(),
        address,
        ethertype,
        code,
        id,
        payload,
        flips,
        0..40_usize,
        any::<prop::sample::Index>(),
    )
        .prop_map(|(destination, source, ethertype, code, id, payload, flips, pad, cut)| {
            let mut frame = common::raw(destination, source, ethertype, code, id, &payload);
            for (index, value) in flips {
                let at = index.index(frame.len());
                frame[at] = value;
            }
            frame.resize(frame.len() + pad, 0x5A);
            if pad % 4 == 1 {
                frame.truncate(cut.index(frame.len()));
            }
            frame
        });
    prop_oneof![8 => whole, 1 => vec(any::<u8>(), 0..80)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// What is accepted lies within LENGTH, is for us and from one other station.
    #[test]
    fn parsing(frame in frames()) {
        let Ok(inbound) = Inbound::parse(&frame, HOST) else { return Ok(()) };
        let packet = Packet::parse(&frame).unwrap();
        let length = usize::from(u16::from_be_bytes([frame[18], frame[19]]));
        prop_assert_eq!(packet.payload, &frame[20..20 + length]);
        prop_assert!(packet.source.is_unicast() && packet.source != HOST);
        prop_assert!(packet.destination == HOST || packet.code == Code::Padi);
        match inbound {
            Inbound::Data(Data { key, ppp, protocol }) => {
                prop_assert_eq!(ppp, packet.payload);
                prop_assert!(ppp.len() >= 2 && protocol < 0xFF00 && ppp[0] & 1 == 0);
                prop_assert_eq!(SessionKey::new(packet.source, packet.session_id), Some(key));
            }
            Inbound::Terminate(padt) => {
                prop_assert_eq!(SessionKey::new(packet.source, packet.session_id), Some(padt.key));
            }
            Inbound::Host(repr) | Inbound::Concentrator(repr) => {
                prop_assert_ne!(repr.session_id, 0xFFFF);
                let mut buffer = vec![0; repr.buffer_len()];
                prop_assert_eq!(repr.emit(&mut buffer), Ok(buffer.len()));
                let back = Packet::parse(&buffer).unwrap();
                let back = Repr::parse(&back).unwrap();
                prop_assert_eq!(Repr { tags: Tags::EMPTY, ..back }, Repr { tags: Tags::EMPTY, ..repr });
            }
            Inbound::Extension(_) => {}
        }
    }

    /// Random frames, with and without the right Host-Uniq, at any time, keep a call within its rules.
    #[test]
    fn a_call_survives_anything(
        steps in vec((frames(), any::<bool>(), 0..4000_u64), 1..60),
        cancel in 0..200_usize,
    ) {
        let mut host = Host::new(&Config { host_uniq: Some(b"h"), max_payload: 1500, ..Config::new(HOST) });
        for (n, (mut frame, expected, sleep)) in steps.into_iter().enumerate() {
            if n == cancel {
                host.call.cancel();
            }
            host.now = host.now.saturating_add(Duration::from_millis(sleep));
            let before = (host.call.state(), host.call.deadline());
            let polled = host.poll();
            prop_assert_eq!(polled.is_err(), host.call.state() == State::Closed && before.0 != State::Closed);
            if matches!(before.0, State::Connected | State::Closed) {
                prop_assert_eq!(polled, Ok(None));
            }
            if expected && frame.len() >= 20 {
                let length = u16::from_be_bytes([frame[18], frame[19]]);
                frame.splice(20..20, [1, 3, 0, 1, b'h']);
                frame[18..20].copy_from_slice(&length.wrapping_add(5).to_be_bytes());
            }
            let Ok(Inbound::Host(packet)) = Inbound::parse(&frame, HOST) else { continue };
            let before = host.call.state();
            let event = host.handle(&packet);
            let after = host.call.state();
            match event {
                Event::Ignored(_) | Event::Superfluous(_) => prop_assert_eq!(before, after),
                Event::Offered(_) => prop_assert_eq!((before, after), (State::Soliciting, State::Requesting)),
                Event::Connected(session) => {
                    prop_assert!(matches!(before, State::Soliciting | State::Requesting));
                    prop_assert_eq!(after, State::Connected);
                    prop_assert_eq!(session.key.peer(), packet.source);
                    prop_assert!((1492..=1500).contains(&session.max_payload));
                }
                Event::Failed(_) => prop_assert_eq!((before, after), (State::Requesting, State::Closed)),
            }
            let waiting = matches!(after, State::Soliciting | State::Requesting);
            prop_assert_eq!(host.call.deadline().is_some(), waiting);
        }
    }

    /// Over a link that loses, doubles and delays frames a call ends connected or with a timeout, and of the
    /// sessions it was told of none but its own stays open at the Access Concentrator.
    #[test]
    fn lossy_link(
        fates in vec(Fate::any(), 1..40),
        leaky: bool,
        random: u64,
    ) {
        let mut link = Link { fates, leaky, ..Link::new(random) };
        let outcome = link.run();
        let mut left = link.open.intersection(&link.told);
        match outcome {
            Ok(session) if link.twice => prop_assert!(left.all(|&id| id == session.id())),
            Ok(session) => prop_assert!(left.eq([&session.id()])),
            Err(error) => {
                prop_assert!(matches!(error, Error::NoOffer | Error::NoConfirmation));
                prop_assert!(link.lost > 0 && left.next().is_none());
            }
        }
    }
}

/// What the link does to a frame.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Lost,
    Late(u64),
    Twice(u64),
}

impl Fate {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            3 => Just(Self::Lost),
            4 => (0..3000_u64).prop_map(Self::Late),
            2 => (0..3000_u64).prop_map(Self::Twice),
        ]
    }
}

/// A call, an Access Concentrator and the link between; PADTs are not lost.
struct Link {
    host: Host,
    fates: Vec<Fate>,
    /// Frames on their way, by time of arrival.
    flying: BTreeMap<(u64, usize), Vec<u8>>,
    count: usize,
    lost: usize,
    /// Whether each PADR opens a session, as with rp-pppoe, or only when none is open.
    leaky: bool,
    open: BTreeSet<u16>,
    /// The sessions whose PADS arrived.
    told: BTreeSet<u16>,
    /// Whether a frame was doubled. Then the PADS of a session just terminated may come again.
    twice: bool,
    last_id: u16,
}

impl Link {
    fn new(random: u64) -> Self {
        let timing = Timing {
            padi: Backoff { initial: Duration::from_secs(1), doublings: 3, tries: 6 },
            padr: Backoff { initial: Duration::from_secs(7), doublings: 3, tries: 5 },
            restarts: 1,
        };
        let host_uniq = random.to_be_bytes();
        let host = Host::new(&Config { host_uniq: Some(&host_uniq), timing, ..Config::new(HOST) });
        Self {
            host,
            fates: Vec::new(),
            flying: BTreeMap::new(),
            count: 0,
            lost: 0,
            leaky: false,
            open: BTreeSet::new(),
            told: BTreeSet::new(),
            twice: false,
            last_id: 0,
        }
    }

    fn fly(&mut self, frame: Vec<u8>) {
        let fate = self.fates[self.count % self.fates.len()];
        let now = self.host.now.as_millis();
        self.count += 2;
        match fate {
            Fate::Lost => self.lost += 1,
            Fate::Late(delay) => drop(self.flying.insert((now + delay, self.count), frame)),
            Fate::Twice(delay) => {
                self.twice = true;
                self.flying.insert((now + delay / 2, self.count), frame.clone());
                self.flying.insert((now + delay, self.count + 1), frame);
            }
        }
    }

    /// Runs until nothing more can happen.
    fn run(&mut self) -> Result<SessionKey, Error> {
        let mut outcome = None;
        loop {
            match self.host.poll() {
                Ok(Some(_)) => {
                    let frame = self.host.sent.last().unwrap().clone();
                    self.fly(frame);
                }
                Ok(None) => {}
                Err(error) => outcome = Some(Err(error)),
            }
            let arrival = self.flying.keys().next().map(|&(time, _)| at(time));
            let deadline = self.host.call.deadline();
            let Some(next) = arrival.into_iter().chain(deadline).min() else { break };
            self.host.now = next.max(self.host.now);
            if arrival != Some(next) {
                continue;
            }
            let (_, frame) = self.flying.pop_first().unwrap();
            if frame[6..12] == HOST.0 {
                self.concentrator(&frame);
                continue;
            }
            if frame[15] == 0x65 {
                self.told.insert(u16::from_be_bytes([frame[16], frame[17]]));
            }
            match self.host.receive(&frame) {
                Event::Connected(session) => {
                    self.host.in_use.push(session.key);
                    outcome = Some(Ok(session.key));
                }
                Event::Superfluous(key) => drop(self.open.remove(&key.id())),
                Event::Failed(error) => outcome = Some(Err(error)),
                Event::Offered(_) | Event::Ignored(_) => {}
            }
        }
        outcome.expect("an end")
    }

    fn concentrator(&mut self, frame: &[u8]) {
        let Ok(Inbound::Concentrator(packet)) = Inbound::parse(frame, AC) else { panic!("{frame:02x?}") };
        let host_uniq = packet.host_uniq.unwrap();
        let service = packet.service_name.unwrap();
        let echoed = [(TagType::ServiceName, service), (TagType::HostUniq, host_uniq)];
        let cookie = (TagType::AcCookie, &b"cookie"[..]);
        let answer = match packet.code {
            Code::Padi => {
                let tags = [&echoed[..], &[(TagType::AcName, b"toy"), cookie]].concat();
                common::frame(HOST, AC, 0x07, 0, &tags)
            }
            Code::Padr => {
                assert_eq!(packet.ac_cookie, Some(cookie.1));
                if self.leaky || !self.open.contains(&self.last_id) {
                    self.last_id += 1;
                    self.open.insert(self.last_id);
                }
                common::frame(HOST, AC, 0x65, self.last_id, &echoed)
            }
            code => panic!("{code:?}"),
        };
        self.fly(answer);
    }
}
