//! Packets of RFC 5578 and of draft-carrel-info-pppoe-ext, as a host receives them.

mod common;

use common::{AC, HOST, frame, raw};
use pppoe::extension::{Credits, Extension, Flow, Metrics, Quality, Route};
use pppoe::{Address, Inbound, Malformed, SessionKey, TagType};

const PADG: u8 = 0x0A;
const PADC: u8 = 0x0B;
const PADQ: u8 = 0x0C;
const PADM: u8 = 0xD3;
const PADN: u8 = 0xD4;

fn key() -> SessionKey {
    SessionKey::new(AC, 7).unwrap()
}

fn parse(frame: &[u8]) -> Result<Extension<'_>, Malformed> {
    match Inbound::parse(frame, HOST)? {
        Inbound::Extension(extension) => Ok(extension),
        other => panic!("{other:?}"),
    }
}

const SEQUENCE: (TagType, &[u8]) = (TagType::SequenceNumber, &[0x12, 0x34]);
const CREDITS: (TagType, &[u8]) = (TagType::Credits, &[0, 10, 0xFF, 0xFF]);

// covers: RFC5578:packets
#[test]
fn grants_and_responses_are_read() {
    let flow = Flow { key: key(), sequence: 0x1234, credits: Credits { forward: 10, backward: 0xFFFF } };
    assert_eq!(parse(&frame(HOST, AC, PADG, 7, &[SEQUENCE, CREDITS])), Ok(Extension::Grant(flow)));
    assert_eq!(parse(&frame(HOST, AC, PADC, 7, &[CREDITS, SEQUENCE])), Ok(Extension::Response(flow)));
    for code in [PADG, PADC] {
        for tags in [
            &[SEQUENCE][..],
            &[CREDITS],
            &[],
            &[SEQUENCE, (TagType::Credits, &[0; 3])],
            &[(TagType::SequenceNumber, &[0; 3]), CREDITS],
        ] {
            assert_eq!(parse(&frame(HOST, AC, code, 7, tags)), Err(Malformed::Tag));
        }
    }
}

// covers: RFC5578:packets, RFC2516:4
#[test]
fn what_belongs_to_a_session_names_one() {
    for code in [PADG, PADC, PADQ, PADM, PADN] {
        for id in [0, 0xFFFF] {
            assert_eq!(parse(&frame(HOST, AC, code, id, &[SEQUENCE, CREDITS])), Err(Malformed::SessionId));
        }
        assert_eq!(parse(&raw(HOST, AC, 0x8863, code, 7, &[1, 6, 0, 9, 0])), Err(Malformed::Tag));
        let to_all = frame(Address::BROADCAST, AC, code, 7, &[SEQUENCE, CREDITS]);
        assert_eq!(parse(&to_all), Err(Malformed::Destination));
    }
}

// covers: RFC5578:metrics
#[test]
fn metrics_come_with_their_scales() {
    let value = [0, 0b0000_1011, 80, 200, 0, 10, 0, 54, 0, 100];
    let metrics = Metrics {
        receive_only: true,
        link_quality: 80,
        resources: 100,
        latency: 10,
        current_rate: 54_000_000,
        maximum_rate: 100_000_000,
    };
    let padq = frame(HOST, AC, PADQ, 7, &[(TagType::Metrics, &value)]);
    assert_eq!(parse(&padq), Ok(Extension::Quality(Quality { key: key(), metrics: Some(metrics) })));
    assert_eq!(
        metrics.text().as_str(),
        "link quality 80 %, resources 100 %, latency 10 ms, 54000 of 100000 kbit/s, receive only"
    );
    for length in [1, 9, 11] {
        let padq = frame(HOST, AC, PADQ, 7, &[(TagType::Metrics, &[0; 11][..length])]);
        assert_eq!(parse(&padq), Err(Malformed::Tag));
    }
    assert_eq!(parse(&frame(HOST, AC, PADQ, 7, &[])), Err(Malformed::Tag));
    // The four scales, and the largest number of all.
    for (scale, unit) in [(0, 1_000), (1, 1_000_000), (2, 1_000_000_000), (3, 1_000_000_000_000_u64)] {
        let metrics = Metrics::parse(&[0, scale << 1 | scale << 3, 0, 0, 0, 0, 0xFF, 0xFF, 0, 1]).unwrap();
        assert_eq!((metrics.current_rate, metrics.maximum_rate), (65_535 * unit, unit));
    }
}

// covers: RFC5578:metrics
#[test]
fn an_empty_metrics_tag_asks_and_is_answered() {
    let asked = frame(HOST, AC, PADQ, 7, &[(TagType::Metrics, &[])]);
    assert_eq!(parse(&asked), Ok(Extension::Quality(Quality { key: key(), metrics: None })));
    let metrics = Metrics {
        receive_only: false,
        link_quality: 100,
        resources: 100,
        latency: 0,
        current_rate: 1_000_000_000,
        maximum_rate: 1_000_000_000,
    };
    for wanted in [Some(metrics), None] {
        let key = SessionKey::new(HOST, 7).unwrap();
        let mut buffer = [0xAA; Quality::FRAME_LEN];
        let answer = Quality { key, metrics: wanted };
        assert_eq!(answer.emit(AC, &mut buffer), Ok(60));
        let back = Quality { key: SessionKey::new(AC, 7).unwrap(), metrics: wanted };
        assert_eq!(parse(&buffer), Ok(Extension::Quality(back)));
        assert!(answer.emit(AC, &mut buffer[..59]).is_err());
    }
}

#[test]
fn a_message_is_shown_and_harmless() {
    let said = |tags: &[(TagType, &[u8])]| match parse(&frame(HOST, AC, PADM, 7, tags)) {
        Ok(Extension::Message(message)) => message.text().as_str().to_owned(),
        other => panic!("{other:?}"),
    };
    let url: (TagType, &[u8]) = (TagType::Hurl, b"http://isp.example/");
    assert_eq!(said(&[url, (TagType::Motm, b"down\r\nat noon\0")]), "down??at noon");
    assert_eq!(said(&[url]), "http://isp.example/");
    assert_eq!(said(&[url, (TagType::Motm, b"")]), "http://isp.example/");
    assert_eq!(said(&[]), "");
}

#[test]
fn routes_are_read_and_none_is_added() {
    let good = [10, 0, 0, 0, 255, 0, 0, 0, 192, 168, 0, 1, 0, 0, 0, 2];
    let padn = frame(HOST, AC, PADN, 7, &[(TagType::IpRouteAdd, &good[1..]), (TagType::IpRouteAdd, &good)]);
    let Ok(Extension::Routes(routes)) = parse(&padn) else { panic!() };
    let route =
        Route { destination: [10, 0, 0, 0], mask: [255, 0, 0, 0], gateway: [192, 168, 0, 1], metric: 2 };
    assert_eq!(routes.routes().collect::<Vec<_>>(), [route]);
    assert_eq!(routes.text().as_str(), "route to 10.0.0.0 mask 255.0.0.0 through 192.168.0.1");
}

/// Credits in front of a PPP packet are for sessions that agreed on them: to all others it is malformed.
// covers: RFC5578:in-band
#[test]
fn credits_in_a_session_frame_make_it_none() {
    let payload = [1, 6, 0, 4, 0, 1, 0, 2, 0xC0, 0x21, 1, 1, 0, 4];
    assert_eq!(Inbound::parse(&raw(HOST, AC, 0x8864, 0, 7, &payload), HOST), Err(Malformed::Protocol));
}
