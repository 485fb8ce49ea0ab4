//! What neighbours on the link may send. Named are the implementations that fell for it.

mod common;

use common::{AC, HOST, Host, OTHER, frame, raw};
use pppoe::{
    Address, Code, Config, Event, Extension, Ignored, Inbound, Malformed, Padt, SessionKey, SessionTable,
    State, TagType,
};

fn parse(frame: &[u8]) -> Result<Inbound<'_>, Malformed> {
    Inbound::parse(frame, HOST)
}

fn key(peer: Address, id: u16) -> SessionKey {
    SessionKey::new(peer, id).unwrap()
}

// covers: RFC2516:4
/// `if_pppoe` and lwIP hand on what lies behind LENGTH.
#[test]
fn smuggled_octets_stay_outside() {
    let mut data = raw(HOST, AC, 0x8864, 0, 1, &[0xC0, 0x21, 1, 1, 0, 4]);
    data.extend(b"smuggled and padding");
    let Ok(Inbound::Data(received)) = parse(&data) else { panic!() };
    assert_eq!(received.ppp, [0xC0, 0x21, 1, 1, 0, 4]);

    let mut host = Host::soliciting(&Config::new(HOST));
    let mut pado = frame(HOST, AC, 0x07, 0, &[(TagType::ServiceName, b""), (TagType::AcName, b"a")]);
    pado.extend([1, 3, 0, 8]);
    pado.extend(host.call.host_uniq());
    assert_eq!(host.receive(&pado), Event::Ignored(Ignored::HostUniq));
}

// covers: RFC2516:7
/// CVE-2026-53003: a compressed protocol field misaligned what came after.
#[test]
fn compressed_and_missing_protocols_are_dropped() {
    for payload in [&[][..], &[0xC0], &[0x21, 0x45], &[0xFF, 0x03, 0xC0, 0x21], &[0x57, 0x60, 0]] {
        assert_eq!(parse(&raw(HOST, AC, 0x8864, 0, 1, payload)), Err(Malformed::Protocol));
    }
    assert!(parse(&raw(HOST, AC, 0x8864, 0, 1, &[0x00, 0x21])).is_ok());
}

// covers: RFC2516:6
#[test]
fn session_packets_need_a_session() {
    let ppp = [0xC0, 0x21];
    for (destination, source, code, id, why) in [
        (OTHER, AC, 0, 1, Malformed::Destination),
        (Address::BROADCAST, AC, 0, 1, Malformed::Destination),
        (HOST, HOST, 0, 1, Malformed::Source),
        (HOST, Address([0; 6]), 0, 1, Malformed::Source),
        (HOST, Address([3, 0, 0, 0, 0, 1]), 0, 1, Malformed::Source),
        (HOST, AC, 0, 0, Malformed::SessionId),
        (HOST, AC, 0, 0xFFFF, Malformed::SessionId),
        (HOST, AC, 0xA7, 1, Malformed::Code(Code::Padt)),
        (HOST, AC, 1, 1, Malformed::Code(Code::Unknown(1))),
    ] {
        assert_eq!(parse(&raw(destination, source, 0x8864, code, id, &ppp)), Err(why));
    }
    assert_eq!(parse(&raw(HOST, AC, 0x8863, 0, 1, &ppp)), Err(Malformed::Code(Code::Session)));
}

// covers: RFC2516:A
/// CVE-2008-3584 and rp-pppoe: a tag beyond LENGTH, with good ones before.
#[test]
fn a_packet_with_one_bad_tag_is_dropped_whole() {
    let host = Host::soliciting(&Config::new(HOST));
    let good = host.pado(AC);
    for tail in [&[0][..], &[1, 4, 0], &[1, 4, 0, 1], &[1, 4, 0xFF, 0xFF, 0, 0], &[0, 0, 0, 1, 0]] {
        let mut payload = good[20..].to_vec();
        payload.extend(tail);
        assert_eq!(parse(&raw(HOST, AC, 0x8863, 0x07, 0, &payload)), Err(Malformed::Tag));
    }
}

#[test]
fn codes_that_nobody_has_assigned_are_recognised_and_left_alone() {
    let unknown = Inbound::Extension(Extension::Unknown(Code::Unknown(0x42)));
    assert_eq!(parse(&raw(HOST, AC, 0x8863, 0x42, 1, &[0xFF; 3])), Ok(unknown));
    assert_eq!(parse(&raw(Address::BROADCAST, AC, 0x8863, 0xD3, 0, &[])), Err(Malformed::Destination));
}

// covers: RFC2516:5.1
#[test]
fn only_a_padi_is_broadcast() {
    let padi = frame(Address::BROADCAST, OTHER, 0x09, 0, &[(TagType::ServiceName, b"")]);
    assert!(matches!(parse(&padi), Ok(Inbound::Concentrator(_))));
    let own = frame(Address::BROADCAST, HOST, 0x09, 0, &[(TagType::ServiceName, b"")]);
    assert_eq!(parse(&own), Err(Malformed::Source));
    for code in [0x07, 0x19, 0x65, 0xA7] {
        for destination in [Address::BROADCAST, OTHER, Address([1, 0, 0x5E, 0, 0, 1])] {
            assert_eq!(parse(&frame(destination, AC, code, 1, &[])), Err(Malformed::Destination));
        }
    }
}

// covers: RFC2516:5.4
/// An id may be given to a success only, never 0 or 0xFFFF.
#[test]
fn a_confirmation_needs_an_id() {
    let mut host = Host::requesting(&Config::new(HOST));
    for id in [0, 0xFFFF] {
        assert_eq!(parse(&host.pads(AC, id, &[])), Err(Malformed::SessionId));
    }
    assert_eq!(parse(&frame(HOST, AC, 0x07, 1, &[])), Err(Malformed::SessionId));
    assert_eq!(host.call.state(), State::Requesting);
    assert!(matches!(host.receive(&host.pads(AC, 0xFFFE, &[])), Event::Connected(_)));
}

// covers: RFC2516:5.4
#[test]
fn strangers_do_not_confirm() {
    let mut host = Host::requesting(&Config::new(HOST));
    assert_eq!(host.receive(&host.pads(OTHER, 1, &[])), Event::Ignored(Ignored::Peer));
    let refusal = host.pads(OTHER, 0, &[(TagType::AcSystemError, b"")]);
    assert_eq!(host.receive(&refusal), Event::Ignored(Ignored::Peer));
    let guess = frame(HOST, AC, 0x65, 1, &[(TagType::ServiceName, b""), (TagType::HostUniq, b"guess")]);
    assert_eq!(host.receive(&guess), Event::Ignored(Ignored::HostUniq));
    let silent = frame(HOST, AC, 0x65, 1, &[(TagType::ServiceName, b"")]);
    assert_eq!(host.receive(&silent), Event::Ignored(Ignored::HostUniq));
    assert_eq!(host.receive(&host.pado(OTHER)), Event::Ignored(Ignored::State));
    assert!(matches!(host.receive(&host.pads(AC, 1, &[])), Event::Connected(_)));
}

#[test]
fn nothing_is_answered_before_the_first_padi_nor_confirmed_before_a_padr() {
    let mut host = Host::new(&Config::new(HOST));
    assert_eq!(host.receive(&host.pado(AC)), Event::Ignored(Ignored::State));
    host.poll().unwrap();
    assert_eq!(host.receive(&host.pads(AC, 1, &[])), Event::Ignored(Ignored::State));
    assert_eq!(host.receive(&host.pado(AC)), Event::Offered(AC));
    assert_eq!(host.receive(&host.pads(AC, 1, &[])), Event::Ignored(Ignored::State));
    assert_eq!(host.call.state(), State::Requesting);
}

/// A forged PADS that names another call's session must neither take it over nor have it terminated.
#[test]
fn a_session_in_use_is_left_alone() {
    let mut host = Host::requesting(&Config::new(HOST));
    host.in_use.push(key(AC, 7));
    assert_eq!(host.receive(&host.pads(AC, 7, &[])), Event::Ignored(Ignored::InUse));
    assert!(matches!(host.receive(&host.pads(AC, 8, &[])), Event::Connected(_)));
    assert_eq!(host.receive(&host.pads(AC, 7, &[])), Event::Ignored(Ignored::InUse));
    host.call.cancel();
    assert_eq!(host.receive(&host.pads(AC, 7, &[])), Event::Ignored(Ignored::InUse));
}

// covers: RFC2516:5.5
/// BNG Blaster #348: a PADT of an old Access Concentrator ended the new session.
#[test]
fn a_padt_ends_only_the_session_with_its_sender() {
    let mut sessions = SessionTable::new(1);
    sessions.try_insert(key(AC, 7), 0).unwrap();
    let named = |source, id| match parse(&frame(HOST, source, 0xA7, id, &[])) {
        Ok(Inbound::Terminate(padt)) => sessions.get(padt.key),
        other => panic!("{other:?}"),
    };
    assert_eq!(named(OTHER, 7), None);
    assert_eq!(named(AC, 8), None);
    assert_eq!(named(AC, 7), Some(0));
    for id in [0, 0xFFFF] {
        assert_eq!(parse(&frame(HOST, AC, 0xA7, id, &[])), Err(Malformed::SessionId));
    }
    assert_eq!(parse(&frame(HOST, HOST, 0xA7, 7, &[])), Err(Malformed::Source));
    let mut host = Host::requesting(&Config::new(HOST));
    let padi = host.sent[0].clone();
    let repr = pppoe::Packet { destination: HOST, ..pppoe::Packet::parse(&padi).unwrap() };
    let repr = pppoe::Repr { source: AC, ..pppoe::Repr::parse(&repr).unwrap() };
    assert_eq!(host.handle(&repr), Event::Ignored(Ignored::Code));
}

// covers: RFC2516:5.5, RFC2516:A
#[test]
fn a_padt_carries_its_reason_there_and_back() {
    let padt = Padt { reason: pppoe::bounded::Text::new(b"shutdown"), ..Padt::new(key(HOST, 7)) };
    let mut buffer = [0xAA; 60];
    assert_eq!(padt.emit(AC, &mut buffer), Ok(60));
    assert_eq!(buffer[..20], [2, 0, 0, 0, 0xC1, 1, 2, 0, 0, 0, 0xAC, 1, 0x88, 0x63, 0x11, 0xA7, 0, 7, 0, 12]);
    let Ok(Inbound::Terminate(received)) = parse(&buffer) else { panic!() };
    assert_eq!((received.key, received.reason.as_str()), (key(AC, 7), "shutdown"));
    assert!(Padt::new(key(AC, 1)).emit(HOST, &mut [0; 59]).is_err());
}

/// Text from a peer cannot forge log lines or grow without bound.
#[test]
fn error_text_is_harmless() {
    let mut host = Host::requesting(&Config::new(HOST));
    let text = "\r\n\u{1b}]0;\u{202e}".repeat(60);
    let Event::Failed(error) = host.receive(&host.pads(AC, 0, &[(TagType::GenericError, text.as_bytes())]))
    else {
        panic!()
    };
    let shown = error.to_string();
    assert!(shown.len() <= 140 && !shown.chars().any(char::is_control) && !shown.contains('\u{202e}'));
}

/// Frames with a VLAN tag, of LLC, and of other protocols are not PPPoE.
#[test]
fn other_ethertypes() {
    for ethertype in [0x8100, 0x88A8, 0x0006, 0x0800, 0x8865] {
        assert_eq!(parse(&raw(HOST, AC, ethertype, 0, 1, &[0; 40])), Err(Malformed::EtherType));
    }
}
