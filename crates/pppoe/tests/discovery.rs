//! A call against an Access Concentrator that behaves, or nearly.

#![allow(clippy::similar_names, reason = "RFC 2516 named the packets")]

mod common;

use common::{AC, HOST, Host, OTHER, at, frame};
use core::time::Duration;
use pppoe::{
    Backoff, Code, Config, Discovery, Error, Event, Ignored, Session, SessionKey, State, TagType, Timing,
};

fn any() -> Config<'static> {
    Config::new(HOST)
}

fn key(id: u16) -> SessionKey {
    SessionKey::new(AC, id).unwrap()
}

// covers: RFC2516:5.1, RFC2516:5.2, RFC2516:5.3, RFC2516:5.4
#[test]
fn a_whole_call() {
    let config = any().with_service_name(b"internet");
    let mut host = Host::new(&config);
    assert_eq!(host.call.deadline(), Some(host.now));
    let padi = host.poll().unwrap().unwrap();
    assert_eq!((padi.len, padi.code, padi.attempt), (60, Code::Padi, 1));
    assert_eq!(host.sent[0][..6], [0xFF; 6]);
    assert_eq!(host.poll(), Ok(None));

    let pado = host.pado_with(
        AC,
        b"internet",
        &[
            (TagType::AcCookie, &[0, 1, 0xFF]),
            (TagType::RelaySessionId, b"\0relay"),
            (TagType::Unknown(7), b"?"),
        ],
    );
    assert_eq!(host.receive(&pado), Event::Offered(AC));
    assert_eq!(host.call.deadline(), Some(host.now));
    let padr = host.poll().unwrap().unwrap();
    assert_eq!((padr.code, padr.attempt), (Code::Padr, 1));
    let host_uniq = host.call.host_uniq().to_vec();
    let want = frame(
        AC,
        HOST,
        0x19,
        0,
        &[
            (TagType::ServiceName, b"internet"),
            (TagType::HostUniq, &host_uniq),
            (TagType::AcCookie, &[0, 1, 0xFF]),
            (TagType::RelaySessionId, b"\0relay"),
        ],
    );
    assert_eq!(host.sent[1], want);

    let session = Session { key: key(0x1234), max_payload: 1492 };
    assert_eq!(host.receive(&host.pads(AC, 0x1234, &[])), Event::Connected(session));
    assert_eq!(host.call.state(), State::Connected);
    assert_eq!(host.call.ac_name(), "ac");
    assert_eq!((host.call.deadline(), host.call.linger(), host.poll()), (None, None, Ok(None)));
}

// covers: RFC2516:8
#[test]
fn padi_is_repeated_with_doubling_and_jitter() {
    let mut host = Host::new(&any());
    let mut waits = Vec::new();
    let failure = loop {
        let before = host.now;
        match host.wait() {
            Ok(sent) => assert_eq!(sent.unwrap().code, Code::Padi),
            Err(failure) => break failure,
        }
        waits.push(host.now.saturating_since(before).as_millis());
    };
    assert_eq!((failure, host.call.state(), host.call.deadline()), (Error::NoOffer, State::Closed, None));
    assert_eq!(waits.remove(0), 0);
    for (wait, base) in waits.iter().zip([1000, 2000, 4000, 8000]) {
        assert!((base..=base + base / 4).contains(wait), "{waits:?}");
    }
    assert_eq!(waits.len(), 4);
    assert!(host.sent.iter().all(|padi| *padi == host.sent[0]));
    assert_eq!(host.poll(), Ok(None));
}

#[test]
fn jitter_depends_on_the_random_number_only() {
    let deadlines = |random| {
        let mut call = Discovery::new(&any(), at(0), random).unwrap();
        call.poll(at(0), &mut [0; 64]).unwrap();
        call.deadline()
    };
    assert_eq!(deadlines(1), deadlines(1));
    assert!((2..20).any(|random| deadlines(random) != deadlines(1)));
}

// covers: RFC2516:8
#[test]
fn backoff_is_bounded() {
    let backoff = Backoff { initial: Duration::from_secs(1), doublings: 2, tries: 255 };
    assert_eq!([1, 2, 3, 4, 255].map(|n| backoff.wait(n).as_secs()), [1, 2, 4, 4, 4]);
    let extreme = Backoff { initial: Duration::MAX, doublings: 255, tries: 0 };
    assert_eq!(extreme.wait(255), Duration::MAX);
    let config = Config { timing: Timing { padi: extreme, ..Timing::DEFAULT }, ..any() };
    let mut host = Host::soliciting(&config);
    assert_eq!(host.call.deadline(), Some(at(u64::MAX)));
    assert_eq!(host.wait(), Err(Error::NoOffer));
    let zero = Backoff { initial: Duration::ZERO, doublings: 0, tries: 2 };
    assert_eq!(zero.wait(1), Duration::from_millis(10));
}

// covers: RFC2516:8, RFC2516:5.3
#[test]
fn unanswered_padrs_lead_back_to_a_broadcast_padi_without_cookie() {
    let mut host = Host::soliciting(&any());
    host.receive(&host.pado_with(AC, b"", &[(TagType::AcCookie, b"old"), (TagType::RelaySessionId, b"r")]));
    for attempt in 1..=3 {
        let sent = host.wait().unwrap().unwrap();
        assert_eq!((sent.code, sent.attempt), (Code::Padr, attempt));
        // Byte for byte the same, so that a good peer answers with the same session.
        assert_eq!(host.sent.last(), host.sent.get(1));
    }
    let sent = host.wait().unwrap().unwrap();
    assert_eq!((sent.code, sent.attempt, host.call.state()), (Code::Padi, 1, State::Soliciting));
    assert_eq!(host.sent.last(), host.sent.first());
    assert_eq!(host.call.ac_name(), "");

    // Another Access Concentrator has taken over.
    assert_eq!(host.receive(&host.pado(OTHER)), Event::Offered(OTHER));
    for _ in 1..=3 {
        assert_eq!(host.wait().unwrap().unwrap().code, Code::Padr);
        assert_eq!(host.sent.last().unwrap()[..6], OTHER.0);
        assert_eq!(host.tag(TagType::AcCookie), None);
    }
    assert_eq!(host.wait(), Err(Error::NoConfirmation));
    assert!(host.call.linger().is_some());
}

#[test]
fn a_short_buffer_changes_nothing() {
    let mut host = Host::new(&any());
    for len in 0..60 {
        assert_eq!(host.call.poll(host.now, &mut vec![0; len]), Err(Error::Buffer));
    }
    assert_eq!(host.poll().unwrap().unwrap().attempt, 1);
    host.receive(&host.pado(AC));
    for _ in 0..3 {
        host.wait().unwrap();
    }
    host.now = host.call.deadline().unwrap();
    assert_eq!(host.call.poll(host.now, &mut [0; 59]), Err(Error::Buffer));
    assert_eq!(host.call.state(), State::Requesting);
    assert_eq!(host.poll().unwrap().unwrap().code, Code::Padi);
}

// covers: RFC2516:5.2
#[test]
fn the_wanted_access_concentrator_and_service_are_waited_for() {
    let config =
        Config { ac_name: Some(b"ac"), ac_address: Some(AC), service_name: b"internet", ..Config::new(HOST) };
    let mut host = Host::soliciting(&config);
    let host_uniq = host.call.host_uniq().to_vec();
    let offer = |from, tags: &[(TagType, &[u8])]| {
        let mut tags = tags.to_vec();
        tags.push((TagType::HostUniq, &host_uniq));
        frame(HOST, from, 0x07, 0, &tags)
    };
    let service = (TagType::ServiceName, &b"internet"[..]);
    let any_service = (TagType::ServiceName, &b""[..]);
    let name = (TagType::AcName, &b"ac"[..]);
    for (pado, why) in [
        (offer(OTHER, &[service, name]), Ignored::Peer),
        (offer(AC, &[service]), Ignored::Missing(TagType::AcName)),
        (offer(AC, &[service, (TagType::AcName, b"ac2")]), Ignored::AcName),
        (offer(AC, &[name]), Ignored::Missing(TagType::ServiceName)),
        (offer(AC, &[name, any_service]), Ignored::ServiceName),
        (offer(AC, &[name, any_service, (TagType::ServiceName, b"internet\0")]), Ignored::ServiceName),
    ] {
        assert_eq!(host.receive(&pado), Event::Ignored(why));
    }
    assert_eq!(host.receive(&offer(AC, &[any_service, service, name])), Event::Offered(AC));
    assert_eq!(host.receive(&offer(AC, &[any_service, service, name])), Event::Ignored(Ignored::State));
}

// covers: RFC2516:5.2
/// rp-pppoe with named services answers a request for any without repeating the empty name.
#[test]
fn any_service_accepts_a_named_one() {
    let mut host = Host::soliciting(&any());
    assert_eq!(host.receive(&host.pado_with(AC, b"isp", &[])), Event::Offered(AC));
    host.poll().unwrap();
    assert_eq!(host.tag(TagType::ServiceName), Some(Vec::new()));
    let pads = frame(
        HOST,
        AC,
        0x65,
        1,
        &[(TagType::ServiceName, b"isp"), (TagType::HostUniq, host.call.host_uniq())],
    );
    assert!(matches!(host.receive(&pads), Event::Connected(_)));
    assert_eq!(host.call.service_name(), "isp");
}

// covers: RFC2516:A
#[test]
fn a_prescribed_host_uniq_is_sent_and_matched_as_it_is() {
    let longest = [0; 64];
    for host_uniq in [&b""[..], &[0, 0xAA, 0xBB], &longest] {
        let mut host = Host::requesting(&Config { host_uniq: Some(host_uniq), ..any() });
        assert_eq!(host.tag(TagType::HostUniq).as_deref(), Some(host_uniq));
        assert!(matches!(host.receive(&host.pads(AC, 1, &[])), Event::Connected(_)));
    }
    let too_long = Config { host_uniq: Some(&[0; 65]), ..any() };
    assert_eq!(Discovery::new(&too_long, at(0), 1).unwrap_err(), Error::TagTooLong(TagType::HostUniq));
}

// covers: RFC4638:PPP-Max-Payload
#[test]
fn max_payload_is_decided_by_the_pads_and_capped() {
    for (own, pado, pads, want) in [
        (1492, None, None, 1492),
        (1492, None, Some(1500), 1492),
        (1400, None, None, 1400),
        (1500, Some(1500), Some(1500), 1500),
        (1500, Some(1500), None, 1492),
        (1500, None, Some(1500), 1500),
        (1500, Some(1500), Some(9000), 1500),
        (9000, Some(9000), Some(1508), 1508),
        (1500, Some(1500), Some(1492), 1492),
        (1500, Some(1500), Some(0), 1492),
    ] {
        let mut host = Host::soliciting(&Config { max_payload: own, ..any() });
        let asked = (own > 1492).then(|| own.to_be_bytes().to_vec());
        assert_eq!(host.tag(TagType::PppMaxPayload), asked);
        let value = |octets: Option<u16>| octets.map(u16::to_be_bytes);
        let tags = |octets: &Option<[u8; 2]>| octets.map(|octets| (TagType::PppMaxPayload, octets));
        let pado = tags(&value(pado));
        let pado: Vec<_> = pado.iter().map(|(kind, octets)| (*kind, &octets[..])).collect();
        host.receive(&host.pado_with(AC, b"", &pado));
        host.poll().unwrap();
        assert_eq!(host.tag(TagType::PppMaxPayload), asked);
        let pads = tags(&value(pads));
        let pads: Vec<_> = pads.iter().map(|(kind, octets)| (*kind, &octets[..])).collect();
        let session = Session { key: key(1), max_payload: want };
        assert_eq!(host.receive(&host.pads(AC, 1, &pads)), Event::Connected(session));
    }
}

// covers: RFC2516:5.4, RFC2516:A
#[test]
fn refusals_end_the_call_with_their_text() {
    for (kind, id) in [
        (TagType::ServiceNameError, 0),
        (TagType::AcSystemError, 0),
        (TagType::GenericError, 0),
        (TagType::AcSystemError, 5),
    ] {
        let mut host = Host::requesting(&any());
        let Event::Failed(error) = host.receive(&host.pads(AC, id, &[(kind, b"no\nslots")])) else {
            panic!()
        };
        let (Error::ServiceName(text) | Error::AcSystem(text) | Error::Generic(text)) = error else {
            panic!()
        };
        assert_eq!(text.as_str(), "no?slots");
        let name = match kind {
            TagType::ServiceNameError => "Service-Name-Error",
            TagType::AcSystemError => "AC-System-Error",
            _ => "Generic-Error",
        };
        assert_eq!(error.to_string(), format!("{name}: no?slots"));
        assert_eq!((host.call.state(), host.poll()), (State::Closed, Ok(None)));
    }
}

// covers: RFC2516:5.2, RFC2516:A
#[test]
fn an_offer_with_an_error_is_no_offer_but_explains_the_failure() {
    let mut host = Host::soliciting(&any());
    let pado = host.pado_with(AC, b"", &[(TagType::GenericError, b"no room")]);
    assert_eq!(host.receive(&pado), Event::Ignored(Ignored::Error));
    let error = loop {
        if let Err(error) = host.wait() {
            break error;
        }
    };
    assert_eq!(error.to_string(), "Generic-Error: no room");
}

#[test]
fn a_tag_too_long_to_return_is_refused_not_cut() {
    for (kind, fits) in [(TagType::AcCookie, 512), (TagType::RelaySessionId, 128)] {
        let mut host = Host::soliciting(&any());
        let pado = host.pado_with(AC, b"", &[(kind, &vec![1; fits + 1])]);
        assert_eq!(host.receive(&pado), Event::Ignored(Ignored::TooLong(kind)));
        let pado = host.pado_with(AC, b"", &[(kind, &vec![1; fits])]);
        assert_eq!(host.receive(&pado), Event::Offered(AC));
        host.poll().unwrap();
        assert_eq!(host.tag(kind), Some(vec![1; fits]));
    }
}

// covers: RFC2516:5.1
#[test]
fn the_longest_packets_fit_the_longest_padi() {
    let config = Config {
        host_uniq: Some(&[1; 64]),
        service_name: &[b's'; 128],
        max_payload: 1500,
        ..Config::new(HOST)
    };
    let mut host = Host::soliciting(&config);
    // Room for a relay's tag of 12 octets.
    assert!(host.sent[0].len() - 14 <= 1484);
    let pado = host.pado_with(
        AC,
        &[b's'; 128],
        &[(TagType::AcCookie, &[2; 512]), (TagType::RelaySessionId, &[3; 128])],
    );
    assert_eq!(host.receive(&pado), Event::Offered(AC));
    assert!(host.poll().unwrap().unwrap().len <= pppoe::ethernet::MAX_FRAME);
}

// covers: RFC2516:5.4, RFC2516:5.5
#[test]
fn the_pads_again_is_ignored_and_another_session_is_superfluous() {
    let mut host = Host::requesting(&any());
    host.wait().unwrap();
    assert!(matches!(host.receive(&host.pads(AC, 2, &[])), Event::Connected(_)));
    host.in_use.push(key(2));
    assert_eq!(host.receive(&host.pads(AC, 2, &[])), Event::Ignored(Ignored::Duplicate));
    // Two PADRs, two sessions (rp-pppoe).
    assert!(host.call.linger() > Some(host.now));
    assert_eq!(host.receive(&host.pads(AC, 3, &[])), Event::Superfluous(key(3)));
    assert_eq!(host.call.state(), State::Connected);
    assert_eq!(host.receive(&host.pado(AC)), Event::Ignored(Ignored::State));
}

#[test]
fn a_cancelled_call_refuses_the_session_that_comes_late() {
    let mut host = Host::soliciting(&any());
    host.call.cancel();
    assert_eq!((host.call.linger(), host.call.deadline()), (None, None));
    assert_eq!(host.receive(&host.pado(AC)), Event::Ignored(Ignored::State));
    assert_eq!(host.receive(&host.pads(AC, 1, &[])), Event::Ignored(Ignored::State));

    let mut host = Host::requesting(&any());
    host.call.cancel();
    assert!(host.call.linger() > Some(host.now));
    assert_eq!(host.poll(), Ok(None));
    assert_eq!(host.receive(&host.pads(AC, 1, &[])), Event::Superfluous(key(1)));
}

/// Every call that was set up would else be kept for seconds.
#[test]
fn a_connected_call_does_not_linger() {
    let mut host = Host::requesting(&any());
    assert!(matches!(host.receive(&host.pads(AC, 1, &[])), Event::Connected(_)));
    host.call.cancel();
    assert_eq!((host.call.linger(), host.call.state()), (None, State::Connected));

    // Two PADRs: a second session may come.
    let mut host = Host::requesting(&any());
    host.wait().unwrap();
    assert!(matches!(host.receive(&host.pads(AC, 1, &[])), Event::Connected(_)));
    host.call.cancel();
    assert!(host.call.linger() > Some(host.now));
    assert_eq!(host.receive(&host.pads(AC, 2, &[])), Event::Superfluous(key(2)));
}

/// Terminated, it would come back: a copy of it could pass for the answer to the next PADR.
#[test]
fn a_late_pads_after_the_return_to_padi_connects() {
    for offered_again in [false, true] {
        let mut host = Host::requesting(&any());
        while host.wait().unwrap().unwrap().code == Code::Padr {}
        assert_eq!(
            host.receive(&host.pads(AC, 0, &[(TagType::AcSystemError, b"")])),
            Event::Ignored(Ignored::State)
        );
        assert_eq!(host.receive(&host.pads(OTHER, 9, &[])), Event::Ignored(Ignored::Peer));
        if offered_again {
            assert_eq!(host.receive(&host.pado(AC)), Event::Offered(AC));
        }
        let Event::Connected(session) = host.receive(&host.pads(AC, 9, &[])) else { panic!() };
        assert_eq!((session.key, host.call.ac_name()), (key(9), "ac"));
        host.in_use.push(key(9));
        assert_eq!(host.receive(&host.pads(AC, 9, &[])), Event::Ignored(Ignored::Duplicate));
        assert_eq!(host.receive(&host.pads(AC, 10, &[])), Event::Superfluous(key(10)));
        assert_eq!(host.poll(), Ok(None));
    }
}

#[test]
fn a_late_pads_after_another_choice_is_superfluous() {
    let mut host = Host::requesting(&any());
    while host.wait().unwrap().unwrap().code == Code::Padr {}
    assert_eq!(host.receive(&host.pado(OTHER)), Event::Offered(OTHER));
    // Not even now, before the new choice has its PADR.
    assert_eq!(host.receive(&host.pads(AC, 9, &[])), Event::Superfluous(key(9)));
    host.poll().unwrap();
    assert!(matches!(host.receive(&host.pads(OTHER, 9, &[])), Event::Connected(_)));
}

#[test]
fn the_state_of_a_call_is_small() {
    assert!(size_of::<Discovery>() <= 1536, "{}", size_of::<Discovery>());
    assert!(size_of::<Session>() <= 16);
}
