//! Any sequence of packets, decisions and waits keeps an Access Concentrator within its limits, and every answer whole.
//!
//! The input is a list of: what to do, for which Host, time to let pass in 16 ms, length of the tags, tags. Service-Name
//! and, in a PADR, the last cookie are filled in, or nothing would get past the first checks.

use core::time::Duration;

use pppoe::bounded::Bytes;
use pppoe::concentrator::{Concentrator, Config, Event, Limits, Rate, Refusal};
use pppoe::{Address, Code, Inbound, Instant, Packet, Repr, Stage};

const OWN: Address = Address([2, 0, 0, 0, 0, 1]);
const SERVICES: [&[u8]; 2] = [b"", b"s"];
const LIMITS: Limits = Limits {
    station: Some(Rate { per_second: 20, burst: 20 }),
    all: Some(Rate { per_second: 50, burst: 50 }),
    starting: 4,
    requests: 8,
    station_requests: 4,
    sessions: 8,
    station_sessions: 4,
};

/// Judges one input.
pub(crate) fn run(input: &[u8]) {
    let config = Config {
        max_payload: 1500,
        credits: Some(10_000),
        limits: LIMITS,
        ..Config::new(OWN, Bytes::new(b"ac").expect("a short name"))
    };
    let mut now = Instant::ZERO;
    let mut ac = Concentrator::try_new(&config, b"sixteen octets!!", now).expect("memory");
    let (mut requests, mut sessions, mut cookie) = (Vec::new(), Vec::new(), Vec::new());
    let mut buffer = [0; 1514];
    let mut rest = input;
    while let Some((&[what, host, sleep, len], next)) = rest.split_first_chunk() {
        let (tags, next) = next.split_at(next.len().min(len.into()));
        rest = next;
        now = now.saturating_add(Duration::from_millis(u64::from(sleep) << 4));
        while let Some(id) = ac.expire(now) {
            let at = requests.iter().position(|&waiting| waiting == id).expect("a request that waited");
            requests.swap_remove(at);
        }
        let source = Address([2, 0, 0, 0, 1, host & 3]);
        match what % 6 {
            0 | 1 => {
                let code = if what % 6 == 0 { Code::Padi } else { Code::Padr };
                let service: &[u8] = if what & 8 == 0 { &[1, 1, 0, 0] } else { &[1, 1, 0, 1, b's'] };
                let mut payload = [service, tags].concat();
                if code == Code::Padr {
                    payload.splice(0..0, [&[1, 4, 0, 24], cookie.as_slice()].concat());
                }
                let packet = Packet {
                    destination: OWN,
                    source,
                    stage: Stage::Discovery,
                    code,
                    session_id: 0,
                    payload: &payload,
                };
                let Ok(packet) = Repr::parse(&packet) else { continue };
                match ac.handle(now, &packet, &SERVICES, &mut buffer) {
                    Event::Ignored(_) => {}
                    Event::Requested(request) => requests.push(request.id),
                    Event::Answer(answer) => {
                        let Ok(Inbound::Host(reply)) = Inbound::parse(&buffer[..answer.len], source) else {
                            panic!("not an answer");
                        };
                        assert_eq!(reply.host_uniq, packet.host_uniq);
                        assert_eq!(reply.relay_session_id, packet.relay_session_id);
                        assert_eq!(reply.service_name, packet.service_name);
                        if reply.code == Code::Pado {
                            cookie = reply.ac_cookie.expect("a cookie").to_vec();
                        }
                    }
                }
            }
            2 => {
                if let Some(id) = requests.pop() {
                    let accepted = ac.accept(now, id, |key| key.id() & 1 == 0, &mut buffer).expect("an id");
                    let peer = accepted.session.key.peer();
                    let Ok(Inbound::Host(pads)) = Inbound::parse(&buffer[..accepted.len], peer) else {
                        panic!("not a PADS");
                    };
                    // The host reads what is agreed on.
                    let read = pads.credits.map(|it| (it.forward, it.backward));
                    assert_eq!(read, accepted.credits.map(|it| (it.grant, it.granted)));
                    let unit = pads.credit_scale.unwrap_or(64);
                    assert!(accepted.credits.is_none_or(|it| it.unit == unit && it.grant <= 10_000));
                    sessions.push(accepted.session.key);
                }
            }
            3 => {
                if let Some(id) = requests.pop() {
                    assert!(ac.reject(now, id, Refusal::Generic("no"), &mut buffer).is_some());
                }
            }
            4 => assert!(sessions.pop().is_none_or(|key| ac.close(key))),
            _ => assert!(ac.deadline().is_some() || ac.requests() == 0),
        }
        assert_eq!((ac.waiting(), ac.sessions()), (requests.len(), sessions.len()));
        assert!(ac.waiting() <= 4 && ac.requests() <= 8 && ac.sessions() + ac.waiting() <= 8);
    }
}
