//! The Access Concentrator, step by step (sections 5.2 to 5.5, RFC 4638).
#![allow(clippy::similar_names, reason = "PADR and PADS are the protocol's names")]

mod common;

use common::server::{Outcome, Server, config, host, padi, padr};
use common::{AC, HOST, at, frame};
use core::time::Duration;
use pppoe::concentrator::{BadCookie, Event, Ignored, Limits, NotAccepted, Refusal, Services};
use pppoe::{Address, Code, Padt, TagType};

const UNIQUE: (TagType, &[u8]) = (TagType::HostUniq, b"host-uniq");
const RELAY: (TagType, &[u8]) = (TagType::RelaySessionId, b"relay-12-oct");
const VOICE: (TagType, &[u8]) = (TagType::ServiceName, b"voice");

// covers: RFC2516:5.2
#[test]
fn a_pado_offers_and_returns() {
    let mut server = Server::new(&config());
    server.offer(HOST, &[VOICE, UNIQUE, RELAY]);
    let pado = server.reply();
    assert_eq!((pado.destination, pado.source, pado.session_id), (HOST, AC, 0));
    assert_eq!(pado.ac_name, Some(&b"toy"[..]));
    assert_eq!((pado.host_uniq, pado.relay_session_id), (Some(UNIQUE.1), Some(RELAY.1)));
    assert_eq!(pado.max_payload, None);
    assert_eq!(server.values(TagType::ServiceName), [&b"voice"[..], b"internet"]);
    assert_eq!(server.values(TagType::AcName).len(), 1);
    assert_eq!((server.ac.requests(), server.ac.waiting(), server.ac.deadline()), (0, 0, None));
}

#[test]
fn who_asks_for_any_service_gets_the_empty_name_back_and_the_list() {
    let mut server = Server::new(&config());
    server.offer(HOST, &[]);
    assert_eq!(server.values(TagType::ServiceName), [&b""[..], b"internet", b"voice"]);
    // A Host without Host-Uniq is not given one.
    assert_eq!((server.reply().host_uniq, server.reply().relay_session_id), (None, None));
    // A unicast PADI is as good.
    let direct = frame(AC, HOST, 0x09, 0, &[(TagType::ServiceName, b"")]);
    server.receive(&direct).answer();
}

// covers: RFC2516:5.2
#[test]
fn what_cannot_be_served_is_met_with_silence() {
    let mut server = Server::new(&config());
    let other = padi(HOST, &[(TagType::ServiceName, b"video")]);
    assert_eq!(server.receive(&other).ignored(), Ignored::ServiceName);
    server.services.clear();
    assert_eq!(server.receive(&padi(HOST, &[])).ignored(), Ignored::ServiceName);
}

// covers: RFC2516:5.3, RFC2516:5.4
#[test]
fn a_request_is_offered_and_accepted() {
    let mut server = Server::new(&config());
    let tags = [VOICE, UNIQUE, RELAY];
    let cookie = server.offer(HOST, &tags);
    let padr = padr(HOST, &cookie, &tags);
    let request = server.receive(&padr).requested();
    assert_eq!((request.peer, request.service_name, request.offer), (HOST, &b"voice"[..], 1));
    assert_eq!((request.max_payload, server.ac.waiting(), server.ac.sessions()), (1492, 1, 0));

    let accepted = server.accept(request.id);
    let pads = server.reply();
    assert_eq!((pads.code, pads.destination, pads.source), (Code::Pads, HOST, AC));
    assert_eq!((accepted.session.key.peer(), accepted.session.key.id()), (HOST, pads.session_id));
    assert_eq!(pads.service_name, Some(VOICE.1));
    assert_eq!((pads.host_uniq, pads.relay_session_id), (Some(UNIQUE.1), Some(RELAY.1)));
    assert_eq!((pads.ac_cookie, pads.error, pads.max_payload), (None, None, None));
    assert_eq!((server.ac.waiting(), server.ac.sessions()), (0, 1));

    let again = server.ac.accept(server.now, request.id, |_| false, &mut [0; 1514]);
    assert_eq!(again, Err(NotAccepted::Gone));
    assert!(server.ac.close(accepted.session.key) && !server.ac.close(accepted.session.key));
    assert_eq!(server.ac.sessions(), 0);
}

// covers: RFC2516:5.4
#[test]
fn a_request_is_refused_with_everything_returned() {
    for refusal in [Refusal::ServiceName("no"), Refusal::AcSystem(""), Refusal::Generic("why")] {
        let mut server = Server::new(&config());
        let (id, padr) = server.request(HOST, &[UNIQUE, RELAY]);
        assert!(server.reject(id, refusal));
        let first = server.sent.clone();
        let pads = server.reply();
        let (kind, text) = match refusal {
            Refusal::ServiceName(text) => (TagType::ServiceNameError, text),
            Refusal::AcSystem(text) => (TagType::AcSystemError, text),
            Refusal::Generic(text) => (TagType::GenericError, text),
        };
        let error = pads.error.unwrap();
        assert_eq!((pads.session_id, error.kind, error.text), (0, kind, text.as_bytes()));
        assert_eq!((pads.host_uniq, pads.relay_session_id), (Some(UNIQUE.1), Some(RELAY.1)));
        assert_eq!((server.ac.waiting(), server.ac.sessions()), (0, 0));

        // The Host did not get it.
        assert_eq!(server.receive(&padr).answer().refusal, Some(refusal));
        assert_eq!(server.sent, first);
        assert!(!server.reject(id, refusal));
        assert!(server.ac.accept(server.now, id, |_| false, &mut [0; 1514]).is_err());
    }
}

// covers: RFC2516:5.4, RFC2516:A
#[test]
fn a_service_that_went_away_is_an_error_without_state() {
    let mut server = Server::new(&config());
    let tags = [VOICE, UNIQUE, RELAY];
    let cookie = server.offer(HOST, &tags);
    server.services.truncate(1);
    let request = padr(HOST, &cookie, &tags);
    assert!(matches!(server.receive(&request).answer().refusal, Some(Refusal::ServiceName(_))));
    let pads = server.reply();
    assert_eq!((pads.session_id, pads.error.unwrap().kind), (0, TagType::ServiceNameError));
    assert_eq!((pads.host_uniq, pads.relay_session_id), (Some(UNIQUE.1), Some(RELAY.1)));
    assert_eq!(server.ac.requests(), 0);
    // With the same cookie another service may be asked for.
    server.receive(&padr(HOST, &cookie, &[UNIQUE, RELAY])).requested();
}

#[test]
fn a_session_is_taken_back_before_its_pads_is_sent() {
    let mut server = Server::new(&config());
    let (id, _) = server.request(HOST, &[]);
    let accepted = server.accept(id);
    assert!(server.reject(id, Refusal::AcSystem("no memory")));
    assert_eq!((server.reply().session_id, server.ac.sessions()), (0, 0));
    assert!(!server.ac.close(accepted.session.key));
}

// covers: RFC4638:PPP-Max-Payload
#[test]
fn max_payload_is_granted_to_who_asks_and_up_to_the_link() {
    let ask = |octets: u16| octets.to_be_bytes();
    for (own, asked, want) in [
        (1500, Some(1500), Some(1500)),
        (1500, Some(9000), Some(1500)),
        (1500, Some(1495), Some(1495)),
        (1500, Some(1492), None),
        (1500, Some(0), None),
        (1500, None, None),
        (1492, Some(1500), None),
        (1400, Some(1500), None),
    ] {
        let mut server = Server::new(&pppoe::concentrator::Config { max_payload: own, ..config() });
        let value = asked.map(ask).unwrap_or_default();
        let tag = [(TagType::PppMaxPayload, &value[..])];
        let tags = if asked.is_some() { &tag[..] } else { &[] };
        let cookie = server.offer(HOST, tags);
        assert_eq!(server.reply().max_payload, want);
        let padr = padr(HOST, &cookie, tags);
        let request = server.receive(&padr).requested();
        let accepted = server.accept(request.id);
        assert_eq!(server.reply().max_payload, want);
        assert_eq!(accepted.session.max_payload, want.unwrap_or(own.min(1492)));
        assert_eq!(request.max_payload, accepted.session.max_payload);
    }
}

#[test]
fn a_request_does_not_wait_for_ever() {
    let mut server = Server::new(&config());
    let (id, padr) = server.request(HOST, &[UNIQUE]);
    // The Host is patient, but nobody takes the call.
    for _ in 0..5 {
        server.sleep(5000);
        assert_eq!(server.receive(&padr).ignored(), Ignored::Waiting);
        assert_eq!(server.ac.expire(server.now), None);
    }
    server.now = at(1000 + 30_250);
    assert_eq!(server.ac.expire(server.now), Some(id));
    assert_eq!((server.ac.expire(server.now), server.ac.requests(), server.ac.waiting()), (None, 0, 0));
    assert_eq!(server.ac.accept(server.now, id, |_| false, &mut [0; 1514]), Err(NotAccepted::Gone));
    assert!(!server.reject(id, Refusal::AcSystem("late")));
    assert_eq!(server.receive(&padr).ignored(), Ignored::Cookie(BadCookie::Expired));
}

#[test]
fn an_old_id_does_not_mean_a_new_request() {
    let mut server = Server::new(&config());
    let (old, _) = server.request(HOST, &[]);
    server.sleep(40_000);
    assert_eq!(server.ac.expire(server.now), Some(old));
    let (new, _) = server.request(host(1), &[]);
    assert!(!server.reject(old, Refusal::AcSystem("")));
    assert_eq!(server.accept(new).session.key.peer(), host(1));
}

#[test]
fn a_session_that_ended_is_not_confirmed_again() {
    let mut server = Server::new(&config());
    let (id, padr) = server.request(HOST, &[UNIQUE]);
    let key = server.accept(id).session.key;
    // The Host thinks better of it at once; its repeated PADR is still under way.
    assert!(server.ac.close(key));
    assert_eq!(server.receive(&padr).ignored(), Ignored::Over);
    assert_eq!((server.ac.sessions(), server.ac.waiting()), (0, 0));
}

// covers: RFC2516:5.5
#[test]
fn a_padt_of_a_stranger_or_for_a_request_changes_nothing() {
    let mut server = Server::new(&config());
    let key = server.connect(HOST, &[]);
    let (waiting, _) = server.request(host(1), &[]);
    for (peer, id) in [(host(1), key.id()), (HOST, key.id() ^ 1), (host(1), 1)] {
        let key = pppoe::SessionKey::new(peer, id).unwrap();
        let mut frame = [0; 136];
        Padt { key: pppoe::SessionKey::new(AC, id).unwrap(), ..Padt::new(key) }
            .emit(peer, &mut frame)
            .unwrap();
        let Ok(pppoe::Inbound::Terminate(padt)) = pppoe::Inbound::parse(&frame, AC) else { panic!() };
        assert_eq!(padt.key, key);
        assert!(!server.ac.close(padt.key));
    }
    assert_eq!((server.ac.sessions(), server.ac.waiting()), (1, 1));
    server.accept(waiting);
}

/// This station is also a Host of the same peer.
#[test]
fn ids_in_use_the_other_way_around_are_passed_over() {
    let mut server = Server::new(&config());
    let (id, _) = server.request(HOST, &[]);
    let mut refused = Vec::new();
    let mut buffer = [0; 1514];
    let accepted = server
        .ac
        .accept(
            server.now,
            id,
            |key| {
                refused.len() < 5 && {
                    refused.push(key);
                    true
                }
            },
            &mut buffer,
        )
        .unwrap();
    assert_eq!(refused.len(), 5);
    assert!(!refused.contains(&accepted.session.key));
    let (id, _) = server.request(HOST, &[]);
    assert_eq!(server.ac.accept(server.now, id, |_| true, &mut buffer), Err(NotAccepted::Resources));
    assert_eq!(server.ac.accept(server.now, id, |_| false, &mut [0; 40]), Err(NotAccepted::Resources));
    assert!(server.reject(id, Refusal::AcSystem("no id")));
}

#[test]
fn failed_acceptances_use_up_no_ids() {
    let mut server = Server::new(&config());
    let (id, _) = server.request(HOST, &[]);
    for _ in 0..66_000 {
        let short = server.ac.accept(server.now, id, |_| false, &mut [0; 40]);
        assert_eq!(short, Err(NotAccepted::Resources));
    }
    for _ in 0..1100 {
        let taken = server.ac.accept(server.now, id, |_| true, &mut [0; 60]);
        assert_eq!(taken, Err(NotAccepted::Resources));
    }
    server.accept(id);
}

#[test]
fn no_more_sessions_than_allowed() {
    let limits = Limits { sessions: 3, station_sessions: 2, ..Limits::DEFAULT };
    let mut server = Server::new(&pppoe::concentrator::Config { limits, ..config() });
    let late = server.offer(HOST, &[]);
    let first = server.connect(HOST, &[UNIQUE]);
    server.request(HOST, &[RELAY]);
    // One open and one begun: enough for one Host.
    assert_eq!(server.receive(&padi(HOST, &[])).ignored(), Ignored::Full);
    assert!(matches!(server.receive(&padr(HOST, &late, &[])).answer().refusal, Some(Refusal::AcSystem(_))));
    assert_eq!(server.reply().error.unwrap().kind, TagType::AcSystemError);
    // The third, of another.
    server.connect(host(1), &[]);
    assert_eq!(server.receive(&padi(host(2), &[])).ignored(), Ignored::Full);
    assert!(server.ac.close(first));
    server.connect(host(2), &[]);
}

// covers: RFC2516:5.4
#[test]
fn ids_are_not_guessable_and_rest() {
    let mut server = Server::new(&config());
    let keys: Vec<_> = (0..8).map(|number| server.connect(host(number), &[])).collect();
    assert!(keys.windows(2).any(|pair| pair[0].id().abs_diff(pair[1].id()) > 256), "{keys:?}");
    server.ac.close(keys[0]);
    for number in 8..200 {
        server.sleep(100);
        assert_ne!(server.connect(host(number), &[]).id(), keys[0].id());
    }
}

#[test]
fn all_ids_can_be_in_use() {
    let limits = Limits { station: None, all: None, requests: u16::MAX, ..Limits::DEFAULT };
    let mut server = Server::new(&pppoe::concentrator::Config { limits, ..config() });
    let mut ids = std::collections::BTreeSet::new();
    for number in 0..65_534 {
        assert!(ids.insert(server.connect(host(number), &[]).id()));
    }
    assert_eq!((server.ac.sessions(), ids.first(), ids.last()), (65_534, Some(&1), Some(&0xFFFE)));
    assert_eq!(server.receive(&padi(host(70_000), &[])).ignored(), Ignored::Full);
    server.sleep(20_000);
    assert_eq!((server.ac.expire(server.now), server.ac.requests()), (None, 0));
    assert!(ids.iter().zip(0..).any(|(&id, _)| {
        (0..65_534).any(|number| server.ac.close(pppoe::SessionKey::new(host(number), id).unwrap()))
    }));
    server.connect(host(70_000), &[]);
}

#[test]
fn the_clock_of_a_minute_is_bounded() {
    let day = Duration::from_hours(24);
    let long = pppoe::concentrator::Config { cookie_lifetime: day, memory: Duration::ZERO, ..config() };
    let mut server = Server::new(&long);
    let cookie = server.offer(HOST, &[]);
    server.sleep(119_000);
    assert!(matches!(server.receive(&padr(HOST, &cookie, &[])), Event::Ignored(Ignored::Cookie(_))));
    let now = server.now;
    assert!(server.ac.config().cookie_lifetime == day && server.ac.deadline().is_none_or(|due| due > now));
}

#[test]
fn lists_of_services() {
    let services: [&[u8]; 2] = [b"a", b"b"];
    assert_eq!((services.find(b""), services.find(b"b"), services.find(b"c")), (Some(0), Some(1), None));
    assert_eq!((services.name(1), services.name(2)), (Some(&b"b"[..]), None));
    assert_eq!(services[..0].find(b""), None);
    assert!(HOST != Address::BROADCAST);
}
