//! Any sequence of frames at any time keeps a call within its states.
//!
//! The input is a list of: code, id, time to let pass in 16 ms, length of the tags, tags. Addresses and Host-Uniq are
//! filled in, or nothing would get past the first checks.

use core::time::Duration;

use pppoe::credit::Offer;
use pppoe::{Address, Config, Discovery, Event, Instant, Packet, Repr, Stage, State};

const HOST: Address = Address([2, 0, 0, 0, 0, 1]);

/// Judges one input.
pub(crate) fn run(input: &[u8]) {
    let credits = Some(Offer { grant: 500, scale: 32 });
    let config = Config { host_uniq: Some(b"h"), max_payload: 1500, credits, ..Config::new(HOST) };
    let mut now = Instant::ZERO;
    let mut call = Discovery::new(&config, now, 1).expect("a short Host-Uniq");
    let mut rest = input;
    while let Some((&[code, peer, id, sleep, len], next)) = rest.split_first_chunk() {
        let (tags, next) = next.split_at(next.len().min(len.into()));
        rest = next;
        now = now.saturating_add(Duration::from_millis(u64::from(sleep) << 4));
        let _ = call.poll(now, &mut [0; 1514]);
        let payload = [&[1, 3, 0, 1, b'h'], tags].concat();
        let source = Address([2, 0, 0, 0, 1, peer & 1]);
        let code = if code & 1 == 0 { pppoe::Code::Pado } else { pppoe::Code::Pads };
        let packet = Packet {
            destination: HOST,
            source,
            stage: Stage::Discovery,
            code,
            session_id: id.into(),
            payload: &payload,
        };
        let Ok(packet) = Repr::parse(&packet) else { continue };
        let before = call.state();
        let event = call.handle(now, &packet, |key| key.id() > 200);
        match event {
            Event::Ignored(_) | Event::Superfluous(_) => assert_eq!(before, call.state()),
            Event::Offered(_) => assert_eq!((before, call.state()), (State::Soliciting, State::Requesting)),
            Event::Connected(session) => {
                assert!(matches!(before, State::Soliciting | State::Requesting));
                assert_eq!(call.state(), State::Connected);
                assert!((1492..=1500).contains(&session.max_payload) && session.key.peer() == source);
                assert_eq!(call.agreement().is_some(), packet.credits.is_some());
                assert!(call.agreement().is_none_or(|it| it.grant == 500 && (1..=32).contains(&it.unit)));
            }
            Event::Failed(_) => assert_eq!((before, call.state()), (State::Requesting, State::Closed)),
        }
    }
}
