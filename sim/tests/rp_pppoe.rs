//! Debian's pppoe-server as the peer. Skipped where it is not installed or the process may not make a namespace.

#![allow(clippy::cast_possible_truncation, reason = "the pattern repeats")]

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use ndis_sim::wire::{
    RpPppoe, Wire,
    frame::{BROADCAST, DISCOVERY, Frame, SESSION, code, push_tag, tag},
    rp_pppoe::{Settings, StartError},
};

/// What a busy machine may take.
const PATIENCE: Duration = Duration::from_secs(30);
const HOST: [u8; 6] = [0x02, 0, 0, 0, 0, 1];

fn start() -> Option<RpPppoe> {
    let settings = Settings {
        ac_name: "AC-test".to_owned(),
        service: "isp".to_owned(),
        sessions: 4,
        stand_in: PathBuf::from(env!("CARGO_BIN_EXE_ndis-sim")),
        echo: true,
        message: None,
    };
    match RpPppoe::start(&settings) {
        Ok(peer) => Some(peer),
        Err(error @ (StartError::Missing(..) | StartError::Command(..))) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Waits for a frame that `wanted` takes.
fn receive<T>(peer: &mut RpPppoe, wanted: impl Fn(Frame) -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let frame = peer.receive(Duration::ZERO).and_then(|bytes| Frame::parse(&bytes));
        if let Some(found) = frame.filter(|frame| frame.destination == HOST).and_then(&wanted) {
            return found;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("no answer");
}

fn send(peer: &mut RpPppoe, to: [u8; 6], kind: u8, session: u16, tags: &[(u16, &[u8])]) {
    let mut payload = Vec::new();
    for (kind, value) in tags {
        push_tag(&mut payload, *kind, value);
    }
    let frame = Frame { destination: to, source: HOST, ethertype: DISCOVERY, code: kind, session, payload };
    peer.send(Duration::ZERO, &frame.to_bytes());
}

#[test]
fn session_echoes_and_ends_and_nothing_is_left() {
    let Some(mut peer) = start() else { return };
    let interface = peer.interface().to_owned();
    let service = (tag::SERVICE_NAME, &b"isp"[..]);
    let limit = (tag::PPP_MAX_PAYLOAD, &[0x05, 0xdc][..]);

    send(&mut peer, BROADCAST, code::PADI, 0, &[service, limit]);
    let offer = receive(&mut peer, |frame| (frame.code == code::PADO).then_some(frame));
    let tags = offer.tags().expect("well-formed");
    let value = |kind| tags.iter().find(|(found, _)| *found == kind).map(|(_, value)| *value);
    assert_eq!(value(tag::AC_NAME), Some(&b"AC-test"[..]));
    assert_eq!(value(tag::PPP_MAX_PAYLOAD), Some(&[0x05, 0xdc][..]), "the cable takes 1,508 bytes");

    let cookie = (tag::AC_COOKIE, value(tag::AC_COOKIE).expect("a cookie"));
    send(&mut peer, offer.source, code::PADR, 0, &[service, limit, cookie]);
    let session = receive(&mut peer, |frame| (frame.code == code::PADS).then_some(frame.session));
    assert_ne!(session, 0);
    let relays = peer.relays().expect("a server");
    let end = Instant::now() + PATIENCE;
    while relays.listening() == 0 {
        assert!(Instant::now() < end, "the session's relay does not listen");
        thread::sleep(Duration::from_millis(1));
    }

    for len in [42, 1492, 1502] {
        let payload: Vec<u8> = (0..len).map(|i: usize| (i * 7) as u8).collect();
        let (destination, source) = (offer.source, HOST);
        let data = Frame { destination, source, ethertype: SESSION, code: code::DATA, session, payload };
        peer.send(Duration::ZERO, &data.to_bytes());
        let back = receive(&mut peer, |frame| (frame.ethertype == SESSION).then_some(frame));
        assert_eq!((back.session, &back.payload), (session, &data.payload), "{len} bytes");
    }

    send(&mut peer, offer.source, code::PADT, session, &[]);
    let ended = receive(&mut peer, |frame| (frame.code == code::PADT).then_some(frame.session));
    assert_eq!(ended, session);
    drop(peer);
    let left = std::path::Path::new("/sys/class/net").join(&interface);
    assert!(!left.exists(), "{interface} is still there");
}
