//! What Hosts and strangers may do to an Access Concentrator. Named are the implementations that fell for it.
#![allow(clippy::similar_names, reason = "PADR and PADS are the protocol's names")]

mod common;

use common::server::{Outcome, Server, config, host, padi, padr};
use common::{AC, HOST, OTHER, frame, raw};
use pppoe::concentrator::{BadCookie, Concentrator, Config, Event, Ignored, Limits, Rate, Refusal};
use pppoe::ethernet::MAX_FRAME;
use pppoe::{Address, Code, Inbound, Malformed, Repr, TagType};

const UNIQUE: (TagType, &[u8]) = (TagType::HostUniq, b"host-uniq");
const RELAY: (TagType, &[u8]) = (TagType::RelaySessionId, b"relay-12-oct");

fn unlimited() -> Config {
    Config { limits: Limits { station: None, all: None, ..Limits::DEFAULT }, ..config() }
}

fn refused(server: &mut Server, frame: &[u8]) -> BadCookie {
    let Event::Ignored(Ignored::Cookie(why)) = server.receive(frame) else { panic!() };
    assert_eq!((server.ac.requests(), server.ac.sessions(), server.ac.deadline()), (0, 0, None));
    why
}

// covers: RFC2516:8, RFC2516:5.4
/// rp-pppoe opens one more session for each repetition of a PADR, and keeps those whose PADS was lost.
#[test]
fn a_repeated_padr_gets_the_same_pads() {
    let mut server = Server::new(&config());
    let (id, padr) = server.request(HOST, &[UNIQUE, RELAY]);
    assert_eq!(server.receive(&padr).ignored(), Ignored::Waiting);
    let key = server.accept(id).session.key;
    let pads = server.sent.clone();
    for _ in 0..3 {
        server.sleep(4000);
        assert_eq!(server.receive(&padr).answer().code, Code::Pads);
        assert_eq!(server.sent, pads);
    }
    assert_eq!((server.ac.sessions(), server.ac.waiting(), server.ac.requests()), (1, 0, 1));
    // Later the Host has it, or has given up: PPP is what notices.
    server.sleep(5000);
    assert_eq!((server.ac.expire(server.now), server.ac.requests()), (None, 0));
    assert_eq!(server.receive(&padr).ignored(), Ignored::Cookie(BadCookie::Expired));
    assert!(server.ac.close(key));
}

// covers: RFC2516:9
/// However the time of the PADR falls, the request outlives the cookie.
#[test]
fn a_cookie_never_serves_twice() {
    for young in [0, 100, 7900, 8200] {
        for memory in [0, 16] {
            let memory = core::time::Duration::from_secs(memory);
            let mut server = Server::new(&Config { memory, ..unlimited() });
            let cookie = server.offer(HOST, &[UNIQUE]);
            server.sleep(young);
            let padr = padr(HOST, &cookie, &[UNIQUE]);
            let Event::Requested(request) = server.receive(&padr) else { continue };
            let key = server.accept(request.id).session.key;
            server.ac.close(key);
            for _ in 0..400 {
                server.sleep(100);
                assert_eq!(server.ac.expire(server.now), None);
                assert!(matches!(server.receive(&padr), Event::Ignored(Ignored::Over | Ignored::Cookie(_))));
            }
            assert_eq!((server.ac.sessions(), server.ac.waiting(), server.ac.requests()), (0, 0, 0));
        }
    }
}

// covers: RFC2516:9
/// rp-pppoe: a constant cookie of address and boot time, good for any Host-Uniq, for ever, from a replay.
#[test]
fn a_cookie_serves_only_whom_it_was_made_for() {
    let mut server = Server::new(&config());
    let tags = [UNIQUE, RELAY];
    let cookie = server.offer(HOST, &tags);
    let altered = (TagType::HostUniq, &b"host-uniR"[..]);
    let rerouted = (TagType::RelaySessionId, &b"relay-12-ocu"[..]);
    for (from, tags) in [
        (OTHER, &[UNIQUE, RELAY][..]),
        (HOST, &[altered, RELAY]),
        (HOST, &[UNIQUE, rerouted]),
        (HOST, &[UNIQUE]),
        (HOST, &[RELAY]),
        (HOST, &[]),
    ] {
        assert_eq!(refused(&mut server, &padr(from, &cookie, tags)), BadCookie::Forged);
    }
    for bad in [&cookie[..23], &[0; 24], &[], &[cookie.clone(), vec![0]].concat()] {
        assert_eq!(refused(&mut server, &padr(HOST, bad, &tags)), BadCookie::Forged);
    }
    let none = frame(AC, HOST, 0x19, 0, &[(TagType::ServiceName, b""), UNIQUE, RELAY]);
    assert_eq!(refused(&mut server, &none), BadCookie::Missing);
    server.sleep(8500);
    assert_eq!(refused(&mut server, &padr(HOST, &cookie, &tags)), BadCookie::Expired);
    // After a restart with a new secret it is nobody's.
    let mut restarted = Concentrator::try_new(&config(), b"other sixteen oc", server.now).unwrap();
    let frame = padr(HOST, &cookie, &tags);
    let Ok(Inbound::Concentrator(packet)) = Inbound::parse(&frame, AC) else { panic!() };
    let event = restarted.handle(server.now, &packet, &common::server::SERVICES, &mut [0; MAX_FRAME]);
    assert_eq!(event, Event::Ignored(Ignored::Cookie(BadCookie::Forged)));
}

/// One cookie, many services: still one request.
#[test]
fn a_cookie_that_served_does_not_serve_another_request() {
    let mut server = Server::new(&config());
    let cookie = server.offer(HOST, &[UNIQUE]);
    server.receive(&padr(HOST, &cookie, &[UNIQUE])).requested();
    for tags in [&[UNIQUE, (TagType::ServiceName, &b"voice"[..])][..], &[RELAY], &[]] {
        let why = server.receive(&padr(HOST, &cookie, tags)).ignored();
        assert_eq!(why, Ignored::Cookie(BadCookie::Used));
    }
    assert_eq!(server.ac.requests(), 1);
}

/// A Host with a fixed Host-Uniq, or none, hangs up and dials again at once.
#[test]
fn redialling_is_not_repeating() {
    let mut server = Server::new(&config());
    let first = server.connect(HOST, &[]);
    assert!(server.ac.close(first));
    assert_ne!(server.connect(HOST, &[]), first);
}

/// rp-pppoe answers 310,000 PADIs a second if asked to.
#[test]
fn answers_are_limited() {
    let mut server = Server::new(&config());
    let mut answers = 0;
    for _ in 0..10_001 {
        server.sleep(1);
        answers += u32::from(matches!(server.receive(&padi(HOST, &[UNIQUE])), Event::Answer(_)));
    }
    let Rate { per_second, burst } = Limits::DEFAULT.station.unwrap();
    assert_eq!(answers, burst + 10 * per_second);
    // Meanwhile another one is served.
    server.connect(OTHER, &[]);
    assert_eq!(server.receive(&padi(HOST, &[])).ignored(), Ignored::Rate);
}

// covers: RFC2516:9
#[test]
fn a_flood_from_everywhere_is_limited() {
    let mut server = Server::new(&config());
    let mut answers = 0;
    // A hundred a millisecond, for two seconds.
    for number in 0..200_000 {
        server.sleep(u64::from(number % 100 == 0));
        answers += u32::from(matches!(server.receive(&padi(host(number), &[])), Event::Answer(_)));
    }
    let Rate { per_second, burst } = Limits::DEFAULT.all.unwrap();
    assert!(answers <= burst + 2 * per_second, "{answers}");
    assert!(answers > per_second, "{answers}");
    assert_eq!((server.ac.requests(), server.ac.deadline()), (0, None));
}

/// rp-pppoe: each PADR costs it a process.
#[test]
fn resent_answers_are_limited_too() {
    let mut server = Server::new(&config());
    let (id, padr) = server.request(HOST, &[UNIQUE]);
    server.accept(id);
    let answers = (0..1000).filter(|_| matches!(server.receive(&padr), Event::Answer(_))).count();
    assert_eq!(answers, 8);
    assert_eq!(server.receive(&padr).ignored(), Ignored::Rate);
}

/// Hosts that hold real cookies, with the longest tags.
#[test]
fn requests_are_limited_in_all_and_for_each_station() {
    let limits = Limits { starting: 50, station_requests: 4, requests: 120, ..unlimited().limits };
    let mut server = Server::new(&Config { limits, ..config() });
    let long = [7; 1300];
    let tags = [(TagType::HostUniq, &long[..])];
    let late = server.offer(OTHER, &[]);
    let mut asked = [0; 3];
    for round in 0..20_u32 {
        for number in 0..100 {
            // A PADI is not answered when a request could not be taken.
            let Event::Answer(_) = server.receive(&padi(host(number), &tags)) else { continue };
            let cookie = server.reply().ac_cookie.unwrap().to_vec();
            match server.receive(&padr(host(number), &cookie, &tags)) {
                Event::Requested(request) => {
                    asked[0] += 1;
                    if round % 2 == 0 {
                        server.reject(request.id, Refusal::AcSystem(""));
                    }
                }
                Event::Answer(answer) => {
                    assert!(answer.refusal.is_some());
                    asked[1] += 1;
                }
                Event::Ignored(_) => asked[2] += 1,
            }
            assert!(server.ac.waiting() <= 50 && server.ac.requests() <= 120);
        }
    }
    assert_eq!(asked, [120, 0, 0]);
    // Nor is who was offered something refused: it asks again.
    assert_eq!(server.receive(&padr(OTHER, &late, &[])).ignored(), Ignored::Full);
    let waiting = server.ac.waiting();
    server.sleep(40_000);
    let expired = core::iter::from_fn(|| server.ac.expire(server.now)).count();
    assert_eq!((expired, server.ac.requests(), server.ac.waiting()), (waiting, 0, 0));
    server.connect(HOST, &tags);
}

#[test]
fn a_station_cannot_hold_all_requests() {
    let mut server = Server::new(&unlimited());
    let mut asked = 0;
    for number in 0..100_u32 {
        let unique = number.to_be_bytes();
        let tags = [(TagType::HostUniq, &unique[..])];
        let cookie = server.offer(HOST, &tags);
        match server.receive(&padr(HOST, &cookie, &tags)) {
            Event::Requested(_) => asked += 1,
            event => assert!(matches!(event.answer().refusal, Some(Refusal::AcSystem(_)))),
        }
    }
    assert_eq!((asked, server.ac.requests()), (8, 8));
    server.connect(OTHER, &[]);
    // What is forgotten does not count.
    for _ in 0..20 {
        server.sleep(31_000);
        while server.ac.expire(server.now).is_some() {}
        let key = server.connect(HOST, &[]);
        assert!(server.ac.close(key));
    }
}

// covers: RFC2516:A
/// rp-pppoe takes the tags before one that overruns LENGTH, and of two Host-Uniqs the last.
#[test]
fn a_packet_with_a_bad_tag_or_two_services_is_dropped_whole() {
    let mut good = frame(Address::BROADCAST, HOST, 0x09, 0, &[(TagType::ServiceName, b""), UNIQUE]);
    let payload = good.split_off(20);
    for (tail, why) in [
        (&[1, 3, 0, 9, 1][..], Malformed::Tag),
        (&[1], Malformed::Tag),
        (&[1, 3, 0xFF, 0xFF], Malformed::Tag),
        (&[0, 0, 0, 1, 0], Malformed::Tag),
        (&[1, 1, 0, 0], Malformed::ServiceName),
    ] {
        let frame = raw(Address::BROADCAST, HOST, 0x8863, 0x09, 0, &[&payload, tail].concat());
        assert_eq!(Inbound::parse(&frame, AC), Err(why));
    }
    let none = frame(Address::BROADCAST, HOST, 0x09, 0, &[UNIQUE]);
    assert_eq!(Inbound::parse(&none, AC), Err(Malformed::ServiceName));

    let mut server = Server::new(&config());
    server.offer(HOST, &[UNIQUE, (TagType::HostUniq, b"second")]);
    assert_eq!(server.values(TagType::HostUniq), [UNIQUE.1]);
}

/// rp-pppoe answers its own address and the address zero, a PADI with a session id, and takes a PADR with one.
#[test]
fn nothing_is_answered_to_whom_nothing_may_be_sent() {
    let tags = [(TagType::ServiceName, &b""[..])];
    for source in [AC, Address([0; 6]), Address::BROADCAST, Address([1, 0, 0x5E, 0, 0, 1])] {
        assert_eq!(
            Inbound::parse(&frame(Address::BROADCAST, source, 0x09, 0, &tags), AC),
            Err(Malformed::Source)
        );
        // Nor if the caller does not check.
        let mut server = Server::new(&config());
        for code in [Code::Padi, Code::Padr] {
            let mut packet = Repr::new(AC, source, code);
            packet.service_name = Some(b"");
            assert_eq!(server.handle(&packet).ignored(), Ignored::Address);
        }
    }
    for code in [0x09, 0x19] {
        assert_eq!(Inbound::parse(&frame(AC, HOST, code, 1, &tags), AC), Err(Malformed::SessionId));
    }
    let mut server = Server::new(&config());
    for destination in [Address::BROADCAST, OTHER] {
        let mut packet = Repr::new(destination, HOST, Code::Padr);
        packet.service_name = Some(b"");
        assert_eq!(server.handle(&packet).ignored(), Ignored::Address);
    }
    for code in [Code::Pado, Code::Pads, Code::Padt, Code::Session] {
        assert_eq!(server.handle(&Repr::new(AC, HOST, code)).ignored(), Ignored::Code);
    }
}

/// accel-ppp leaves a Host-Uniq that is too long out of the PADO, which then matches nobody; rp-pppoe overruns, or
/// sends nothing. Every length up to the longest frame: all of it or silence.
#[test]
fn what_does_not_fit_is_not_answered() {
    let mut server = Server::new(&unlimited());
    let name = [b'n'; 128];
    let long = Config { ac_name: pppoe::bounded::Bytes::new(&name).unwrap(), ..unlimited() };
    let mut named = Server::new(&long);
    let octets = [0; 1480];
    let mut longest = [0; 2];
    for len in 0..=octets.len() {
        let tags = [(TagType::HostUniq, &octets[..len]), (TagType::PppMaxPayload, &[0x05, 0xDC])];
        for (server, longest) in [&mut server, &mut named].into_iter().zip(&mut longest) {
            match server.receive(&padi(HOST, &tags)) {
                Event::Answer(answer) => {
                    assert!((60..=MAX_FRAME).contains(&answer.len));
                    assert_eq!(server.reply().host_uniq, Some(&octets[..len]));
                    assert_eq!(server.values(TagType::AcName).len(), 1);
                    *longest = len;
                }
                event => assert_eq!(event, Event::Ignored(Ignored::TooLong)),
            }
        }
    }
    // 1,494 octets of tags less: an empty Service-Name, Host-Uniq's header, AC-Name, the cookie.
    assert_eq!(longest, [1494 - 4 - 4 - 7 - 28, 1494 - 4 - 4 - 132 - 28]);
    assert_eq!(server.ac.requests(), 0);

    // A caller with little room gets whole packets too, or none.
    let frame = padi(HOST, &[UNIQUE]);
    let Ok(Inbound::Concentrator(packet)) = Inbound::parse(&frame, AC) else { panic!() };
    for room in 0..120 {
        let mut buffer = vec![0; room];
        let event = server.ac.handle(server.now, &packet, &common::server::SERVICES, &mut buffer);
        assert_eq!(matches!(event, Event::Answer(_)), room >= 72, "{room}: {event:?}");
    }
}

/// The longest PADR that can be answered is answered, with an error if need be.
#[test]
fn errors_fit_as_well() {
    let octets = [1; 1480];
    for len in 1380..=octets.len() {
        let mut server = Server::new(&unlimited());
        let tags = [(TagType::HostUniq, &octets[..len])];
        let Event::Answer(_) = server.receive(&padi(HOST, &tags)) else { break };
        let cookie = server.reply().ac_cookie.unwrap().to_vec();
        let padr = padr(HOST, &cookie, &tags);
        let request = server.receive(&padr).requested();
        let text = "a reason that is so long that it does not always fit the frame with what must be in it";
        assert!(server.reject(request.id, pppoe::concentrator::Refusal::Generic(text)));
        let error = server.reply().error.unwrap();
        assert_eq!(error.kind, TagType::GenericError);
        assert!(error.text.is_empty() || error.text == text.as_bytes());
        assert_eq!(server.reply().host_uniq, Some(&octets[..len]));
        server.services.clear();
        let fresh = [(TagType::HostUniq, &octets[1..len])];
        server.services.push(b"x");
        let cookie = server.offer(HOST, &fresh);
        server.services.clear();
        let padr = common::server::padr(HOST, &cookie, &fresh);
        assert!(server.receive(&padr).answer().refusal.is_some());
        assert_eq!(server.reply().host_uniq, Some(&octets[1..len]));
    }
}

/// On a link with longer frames a PADR may ask for more than a PADS holds.
#[test]
fn a_request_that_could_not_be_confirmed_is_none() {
    let mut server = Server::new(&unlimited());
    let (unique, name): (_, &'static [u8]) = ([1; 1420], &[b'n'; 65]);
    server.services.push(name);
    for (len, fits) in [(46, true), (47, false)] {
        server.services[2] = &name[..len];
        let tags = [(TagType::HostUniq, &unique[..])];
        let cookie = server.offer(HOST, &tags);
        let padr = padr(HOST, &cookie, &[(TagType::ServiceName, &name[..len]), tags[0]]);
        let event = server.receive(&padr);
        assert_eq!(matches!(event, Event::Requested(_)), fits, "{event:?}");
        assert_eq!(server.ac.requests(), 1);
    }
}

#[test]
fn services_that_do_not_fit_are_left_out_whole() {
    let mut server = Server::new(&config());
    let name: &'static [u8] = &[b's'; 400];
    server.services = vec![b"first", name, name, name, name, name];
    server.offer(HOST, &[UNIQUE]);
    let listed: Vec<_> = server.values(TagType::ServiceName).iter().map(|name| name.len()).collect();
    assert_eq!(listed, [0, 5, 400, 400, 400]);
    // Nor does a larger buffer make a longer frame.
    let frame = padi(OTHER, &[]);
    let Ok(Inbound::Concentrator(packet)) = Inbound::parse(&frame, AC) else { panic!() };
    let services = server.services.as_slice();
    let event = server.ac.handle(server.now, &packet, services, &mut [0; 9000]);
    assert!(event.answer().len <= MAX_FRAME);
}

// covers: RFC2516:A
/// accel-ppp PR 262: a vendor tag fell through into the one after. RFC 5578 tags are as unknown.
#[test]
fn tags_of_no_concern_change_nothing() {
    let odd: [(TagType, &[u8]); 7] = [
        (TagType::VendorSpecific, &[0, 0, 0x0D, 0xE9, 1, 2, 0x05, 0xDC]),
        (TagType::VendorSpecific, &[]),
        (TagType::Credits, &[0, 1, 0, 1]),
        (TagType::Metrics, &[0; 10]),
        (TagType::SequenceNumber, &[0, 1]),
        (TagType::CreditScaleFactor, &[0, 64]),
        (TagType::Unknown(0x0177), &[0xFF; 40]),
    ];
    let mut server = Server::new(&config());
    let (id, _) = server.request(HOST, &odd);
    let pado_and_pads = |server: &Server| {
        server
            .reply()
            .tags
            .into_iter()
            .all(|tag| matches!(tag.kind, TagType::ServiceName | TagType::AcName | TagType::AcCookie))
    };
    server.accept(id);
    assert!(pado_and_pads(&server) && server.reply().max_payload.is_none());
    server.offer(OTHER, &odd);
    assert!(pado_and_pads(&server));
}

#[test]
fn a_packet_with_an_error_is_no_request() {
    let mut server = Server::new(&config());
    let cookie = server.offer(HOST, &[UNIQUE]);
    for kind in [TagType::GenericError, TagType::ServiceNameError, TagType::AcSystemError] {
        assert_eq!(server.receive(&padr(HOST, &cookie, &[UNIQUE, (kind, b"")])).ignored(), Ignored::Error);
        assert_eq!(server.receive(&padi(HOST, &[(kind, b"no")])).ignored(), Ignored::Error);
    }
    server.receive(&padr(HOST, &cookie, &[UNIQUE])).requested();
}
