//! Our Hosts and our Access Concentrator on one link that loses, doubles and delays frames.
//!
//! Whatever happens, each call ends connected or in a failure with a name, both sides agree on the sessions that
//! remain, and the Access Concentrator remembers nothing else in the end.

mod common;

use common::server::{SERVICES, config, host};
use common::{AC, at};
use core::time::Duration;
use pppoe::concentrator::{self, Concentrator, Limits, Rate, Refusal, RequestId};
use pppoe::{Address, Config, Discovery, Error, Event, Inbound, Instant, Padt, SessionKey, SessionTable};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// `SplitMix64`: what happens to each frame and each call.
struct Fate(u64);

impl Fate {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

#[derive(Clone, Debug)]
struct Scenario {
    seed: u64,
    /// Percent of the frames.
    lost: u64,
    doubled: u64,
    /// Milliseconds.
    delay: u64,
    /// Milliseconds until a client answers; percent of the calls it takes, and forgets to answer.
    decision: u64,
    taken: u64,
    forgotten: u64,
    /// Hosts; the first ones share an address and a Host-Uniq.
    hosts: u32,
    sharing: u32,
    tight: bool,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let link = (any::<u64>(), 0..70_u64, 0..40_u64, 1..6000_u64);
    let client = (0..20_000_u64, 50..=100_u64, 0..20_u64);
    (link, client, 1..8_u32, 0..4_u32, any::<bool>()).prop_map(|(link, client, hosts, sharing, tight)| {
        let (seed, lost, doubled, delay) = link;
        let (decision, taken, forgotten) = client;
        Scenario { seed, lost, doubled, delay, decision, taken, forgotten, hosts, sharing, tight }
    })
}

enum Due {
    Frame(Vec<u8>),
    Decide(RequestId),
    /// What LCP does to a session whose Host never speaks.
    Keepalive(SessionKey),
}

struct Caller {
    address: Address,
    call: Discovery,
    result: Option<Result<SessionKey, Error>>,
}

struct World {
    scenario: Scenario,
    fate: Fate,
    now: Instant,
    queue: BTreeMap<(Instant, u64), Due>,
    serial: u64,
    callers: Vec<Caller>,
    ac: Concentrator,
    sessions: SessionTable,
    calls_offered: usize,
    calls_over: usize,
}

impl World {
    fn new(scenario: Scenario) -> Self {
        let now = at(1000);
        let limits = if scenario.tight {
            let rate = Some(Rate { per_second: 1, burst: 3 });
            Limits {
                station: rate,
                all: rate,
                starting: 2,
                requests: 4,
                station_requests: 2,
                ..Limits::DEFAULT
            }
        } else {
            Limits::DEFAULT
        };
        let config = concentrator::Config { limits, max_payload: 1500, ..config() };
        let callers = (0..scenario.hosts).map(|number| {
            let shared = number < scenario.sharing;
            let address = if shared { host(0) } else { host(number + 1) };
            let config = Config {
                host_uniq: shared.then_some(&b"prescribed"[..]),
                max_payload: if number % 2 == 0 { 1500 } else { 1492 },
                ..Config::new(address).with_service_name(if number % 3 == 0 { b"voice" } else { b"" })
            };
            let call = Discovery::new(&config, now, scenario.seed ^ u64::from(number)).unwrap();
            Caller { address, call, result: None }
        });
        Self {
            fate: Fate(scenario.seed),
            now,
            queue: BTreeMap::new(),
            serial: 0,
            callers: callers.collect(),
            ac: Concentrator::try_new(&config, b"sixteen octets!!", now).unwrap(),
            sessions: SessionTable::new(1),
            calls_offered: 0,
            calls_over: 0,
            scenario,
        }
    }

    fn after(&mut self, millis: u64, due: Due) {
        self.serial += 1;
        self.queue.insert((self.now.saturating_add(Duration::from_millis(millis)), self.serial), due);
    }

    fn send(&mut self, frame: &[u8]) {
        let copies = 1 + u64::from(self.fate.below(100) < self.scenario.doubled);
        for _ in 0..copies {
            if self.fate.below(100) >= self.scenario.lost {
                let delay = self.fate.below(self.scenario.delay);
                self.after(delay, Due::Frame(frame.to_vec()));
            }
        }
    }

    fn padt(&mut self, from: Address, to: Address, id: u16) {
        let mut frame = [0; 136];
        let len = Padt::new(SessionKey::new(to, id).unwrap()).emit(from, &mut frame).unwrap();
        self.send(&frame[..len]);
    }

    fn run(&mut self) {
        loop {
            for index in 0..self.callers.len() {
                self.drive(index);
            }
            while let Some(_late) = self.ac.expire(self.now) {
                self.calls_over += 1;
            }
            let queued = self.queue.first_key_value().map(|(&(when, _), _)| when);
            let callers = self.callers.iter().filter_map(|caller| caller.call.deadline()).min();
            let next = [queued, callers, self.ac.deadline()].into_iter().flatten().min();
            let Some(next) = next else { return };
            self.now = self.now.max(next);
            if queued == Some(next)
                && let Some((_, due)) = self.queue.pop_first()
            {
                match due {
                    Due::Frame(frame) => self.deliver(&frame),
                    Due::Decide(id) => self.decide(id),
                    Due::Keepalive(key) => self.keepalive(key),
                }
            }
        }
    }

    fn drive(&mut self, index: usize) {
        let mut buffer = [0; 1514];
        let caller = &mut self.callers[index];
        match caller.call.poll(self.now, &mut buffer) {
            Ok(Some(sent)) => self.send(&buffer[..sent.len]),
            Ok(None) => {}
            Err(error) => caller.result = Some(Err(error)),
        }
    }

    fn deliver(&mut self, frame: &[u8]) {
        if let Ok(inbound) = Inbound::parse(frame, AC) {
            return self.serve(&inbound);
        }
        // As a driver does with Hosts that share a Host-Uniq: to the first that can use it.
        for index in 0..self.callers.len() {
            if self.call(index, frame) {
                break;
            }
        }
    }

    fn serve(&mut self, inbound: &Inbound<'_>) {
        let mut buffer = [0; 1514];
        match inbound {
            Inbound::Concentrator(packet) => match self.ac.handle(self.now, packet, &SERVICES, &mut buffer) {
                concentrator::Event::Ignored(_) => {}
                concentrator::Event::Answer(answer) => self.send(&buffer[..answer.len]),
                concentrator::Event::Requested(request) => {
                    self.calls_offered += 1;
                    if self.fate.below(100) >= self.scenario.forgotten {
                        let delay = self.fate.below(self.scenario.decision.max(1));
                        self.after(delay, Due::Decide(request.id));
                    }
                }
            },
            Inbound::Terminate(padt) => self.end(padt.key),
            other => panic!("{other:?}"),
        }
    }

    fn end(&mut self, key: SessionKey) {
        let known = self.sessions.remove(key).is_some();
        assert_eq!(self.ac.close(key), known);
        self.calls_over += usize::from(known);
    }

    fn decide(&mut self, id: RequestId) {
        let mut buffer = [0; 1514];
        if self.fate.below(100) < self.scenario.taken {
            let Ok(accepted) = self.ac.accept(self.now, id, |key| self.sessions.contains(key), &mut buffer)
            else {
                return;
            };
            assert_eq!(self.sessions.try_insert(accepted.session.key, 0), Ok(true));
            self.send(&buffer[..accepted.len]);
            self.after(90_000, Due::Keepalive(accepted.session.key));
        } else if let Some(len) = self.ac.reject(self.now, id, Refusal::AcSystem("no"), &mut buffer) {
            self.calls_over += 1;
            self.send(&buffer[..len]);
        }
    }

    fn keepalive(&mut self, key: SessionKey) {
        let heard = self.callers.iter().any(|caller| {
            let own = SessionKey::new(AC, key.id()).unwrap();
            caller.address == key.peer() && caller.result == Some(Ok(own))
        });
        if !heard && self.sessions.contains(key) {
            self.end(key);
            self.padt(AC, key.peer(), key.id());
        }
    }

    /// Whether the call could use the frame.
    fn call(&mut self, index: usize, frame: &[u8]) -> bool {
        let address = self.callers[index].address;
        let Ok(Inbound::Host(packet)) = Inbound::parse(frame, address) else { return false };
        let in_use: Vec<_> = self
            .callers
            .iter()
            .filter(|caller| caller.address == address)
            .filter_map(|caller| caller.result.and_then(Result::ok))
            .collect();
        let caller = &mut self.callers[index];
        match caller.call.handle(self.now, &packet, |key| in_use.contains(&key)) {
            Event::Ignored(_) => return false,
            Event::Offered(_) => {}
            Event::Connected(session) => caller.result = Some(Ok(session.key)),
            Event::Failed(error) => caller.result = Some(Err(error)),
            Event::Superfluous(key) => self.padt(address, AC, key.id()),
        }
        true
    }

    fn check(&self) -> Result<(), TestCaseError> {
        // Calls of one address with one Host-Uniq cannot tell whose a PADS is: one may terminate what another then takes
        // from a copy. Only LCP notices. The Access Concentrator has nothing left all the same.
        let alike = self.scenario.sharing > 1;
        let mut connected = 0;
        for caller in &self.callers {
            match caller.result {
                Some(Ok(key)) => {
                    connected += 1;
                    let key = SessionKey::new(caller.address, key.id()).unwrap();
                    prop_assert!(alike || self.sessions.contains(key));
                }
                Some(Err(Error::NoOffer | Error::NoConfirmation | Error::AcSystem(_))) => {}
                other => prop_assert!(false, "{other:?}"),
            }
        }
        let open = self.ac.sessions();
        prop_assert!(open == connected || (alike && open < connected), "{open} of {connected}");
        prop_assert_eq!(self.sessions.len(), open);
        prop_assert_eq!((self.ac.waiting(), self.ac.requests(), self.ac.deadline()), (0, 0, None));
        prop_assert_eq!(self.calls_offered, self.calls_over + open);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_call_ends_and_nothing_leaks(scenario in scenario()) {
        let mut world = World::new(scenario);
        world.run();
        world.check()?;
    }

    /// Without loss, and with clients that take every call before the Host is tired, all are connected.
    #[test]
    fn on_a_good_link_all_connect(seed: u64, hosts in 1..8_u32, decision in 0..2500_u64, delay in 1..100_u64) {
        let mut world = World::new(Scenario {
            seed, hosts, decision, delay,
            lost: 0, doubled: 20, taken: 100, forgotten: 0, sharing: 0, tight: false,
        });
        world.run();
        world.check()?;
        prop_assert_eq!(world.ac.sessions(), usize::try_from(hosts).unwrap());
        prop_assert_eq!(world.calls_over, 0);
    }
}
