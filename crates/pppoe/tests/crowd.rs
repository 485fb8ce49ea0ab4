//! A street that comes back after a power cut: all its Hosts call at once.
#![allow(clippy::similar_names, reason = "PADR and PADS are the protocol's names")]

mod common;

use std::collections::BTreeMap;

use common::{AC, at};
use pppoe::bounded::Bytes;
use pppoe::concentrator::{self, Concentrator, Limits};
use pppoe::ethernet::MAX_FRAME;
use pppoe::{Address, Config, Discovery, Event, Inbound};

/// Milliseconds that a frame is under way.
const LATENCY: u64 = 1;

enum Happening {
    Poll(u32),
    ToServer(u32, Vec<u8>),
    ToHost(u32, Vec<u8>),
}

struct Street {
    server: Concentrator,
    hosts: Vec<Option<Discovery>>,
    to_come: BTreeMap<(u64, u64), Happening>,
    now: u64,
    count: u64,
    up: usize,
    /// Most requests that were remembered.
    requests: usize,
    /// Calls that were given up, and begun again.
    failed: usize,
}

fn address(host: u32) -> Address {
    let [a, b, c, d] = host.to_be_bytes();
    Address([2, 1, a, b, c, d])
}

fn call(host: u32, now: u64, random: u64) -> Discovery {
    Discovery::new(&Config::new(address(host)), at(now), random).unwrap()
}

impl Street {
    /// Hosts that begin within so many milliseconds.
    fn new(hosts: u32, within: u64, limits: Limits) -> Self {
        let config =
            concentrator::Config { limits, ..concentrator::Config::new(AC, Bytes::new(b"street").unwrap()) };
        let mut street = Self {
            server: Concentrator::try_new(&config, &[7; 16], at(0)).unwrap(),
            hosts: (0..hosts).map(|host| Some(call(host, 0, u64::from(host)))).collect(),
            to_come: BTreeMap::new(),
            now: 0,
            count: 0,
            up: 0,
            requests: 0,
            failed: 0,
        };
        for host in 0..hosts {
            street.later(u64::from(host) * 7919 % within.max(1), Happening::Poll(host));
        }
        street
    }

    fn later(&mut self, after: u64, what: Happening) {
        self.count += 1;
        self.to_come.insert((self.now + after, self.count), what);
    }

    fn poll(&mut self, host: u32) {
        let Some(mut it) = self.hosts[host as usize].take() else { return };
        let mut buffer = [0; MAX_FRAME];
        match it.poll(at(self.now), &mut buffer) {
            Ok(sent) => {
                if let Some(sent) = sent {
                    self.later(LATENCY, Happening::ToServer(host, buffer[..sent.len].to_vec()));
                }
                let deadline = it.deadline().unwrap().as_millis();
                self.hosts[host as usize] = Some(it);
                self.later(deadline.saturating_sub(self.now).max(1), Happening::Poll(host));
            }
            Err(_) => self.redial(host),
        }
    }

    fn redial(&mut self, host: u32) {
        self.failed += 1;
        self.hosts[host as usize] = Some(call(host, self.now, self.count));
        self.later(1000, Happening::Poll(host));
    }

    fn serve(&mut self, host: u32, frame: &[u8]) {
        let mut buffer = [0; MAX_FRAME];
        let Ok(Inbound::Concentrator(packet)) = Inbound::parse(frame, AC) else { return };
        let len = match self.server.handle(at(self.now), &packet, &[&b"internet"[..]], &mut buffer) {
            concentrator::Event::Answer(answer) => answer.len,
            concentrator::Event::Requested(request) => {
                let id = request.id;
                self.server.accept(at(self.now), id, |_| false, &mut buffer).unwrap().len
            }
            concentrator::Event::Ignored(_) => return,
        };
        self.requests = self.requests.max(self.server.requests());
        self.later(LATENCY, Happening::ToHost(host, buffer[..len].to_vec()));
    }

    fn receive(&mut self, host: u32, frame: &[u8]) {
        let now = at(self.now);
        let Some(it) = &mut self.hosts[host as usize] else { return };
        let Ok(Inbound::Host(packet)) = Inbound::parse(frame, address(host)) else { return };
        match it.handle(now, &packet, |_| false) {
            Event::Offered(_) => self.poll(host),
            Event::Connected(_) => {
                self.hosts[host as usize] = None;
                self.up += 1;
            }
            Event::Failed(_) => self.redial(host),
            Event::Ignored(_) | Event::Superfluous(_) => {}
        }
    }

    /// Lets time pass until all are up; the seconds that took.
    fn all_up(&mut self) -> u64 {
        while self.up < self.hosts.len() {
            let ((now, _), what) = self.to_come.pop_first().expect("Hosts that have given up");
            while self.server.expire(at(now)).is_some() {}
            self.now = now;
            match what {
                Happening::Poll(host) => self.poll(host),
                Happening::ToServer(host, frame) => self.serve(host, &frame),
                Happening::ToHost(host, frame) => self.receive(host, &frame),
            }
        }
        self.now.div_ceil(1000)
    }
}

// covers: RFC2516:8, RFC2516:9
/// Hosts that ask for half a minute and then begin anew, as this crate's do.
#[test]
fn a_street_is_back_soon() {
    let limits = Limits { requests: 32_768, starting: 1024, ..Limits::DEFAULT };
    for (hosts, within, most) in [(65_000, 10_000, 60), (5000, 1, 10)] {
        let mut street = Street::new(hosts, within, limits);
        let seconds = street.all_up();
        assert!(seconds <= most, "{hosts} within {within} ms: {seconds} s, {} began anew", street.failed);
        assert!(street.requests <= 32_768);
    }
}
