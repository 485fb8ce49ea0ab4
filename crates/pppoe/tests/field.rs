//! What went wrong in other people's PPPoE, and must not here.

mod common;

use common::server::{Outcome, Server};
use common::{AC, HOST, Host, OTHER, frame};
use pppoe::{Address, Code, Config, Event, Inbound, Packet, SessionKey, SessionTable, TagType};

/// Two access concentrators on a segment; a client that redials comes to the other one, and the first one's PADT for the
/// session it still believes in ended the new session, although its sender and its id were others (BNG Blaster, issue
/// 348).
// covers: BUG:bngblaster-348-stale-padt, RFC2516:5.5
#[test]
fn a_stale_padt_does_not_end_the_session_of_today() {
    let mut sessions = SessionTable::new(1);
    for (peer, id, other) in [(AC, 7, OTHER), (OTHER, 7, AC)] {
        let mut host = Host::soliciting(&Config::new(HOST));
        assert_eq!(host.receive(&host.pado(peer)), Event::Offered(peer));
        host.poll().unwrap();
        let Event::Connected(session) = host.receive(&host.pads(peer, id, &[])) else { panic!() };
        sessions.try_insert(session.key, 1).unwrap();
        for (from, id) in [(other, 7), (peer, 8), (other, 8)] {
            let padt = frame(HOST, from, 0xA7, id, &[]);
            let Ok(Inbound::Terminate(padt)) = Inbound::parse(&padt, HOST) else { panic!() };
            assert_eq!(sessions.get(padt.key), None, "{from:?} {id}");
        }
        // Nor does LCP of the old session reach the new one.
        let lcp = common::raw(HOST, other, 0x8864, 0, 7, &[0xC0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0]);
        let Ok(Inbound::Data(data)) = Inbound::parse(&lcp, HOST) else { panic!() };
        assert_eq!(sessions.get(data.key), None);
        sessions.remove(session.key);
    }
}

/// A client asked for an MRU of 1,500 in LCP without having announced it (BNG Blaster, issue 155).
// covers: BUG:bngblaster-155-max-payload-missing, RFC4638:PPP-Max-Payload
#[test]
fn who_wants_more_than_1492_says_so_in_padi_and_padr() {
    for (wanted, tag) in [(1500_u16, Some(vec![0x05, 0xDC])), (1492, None)] {
        let mut host = Host::soliciting(&Config { max_payload: wanted, ..Config::new(HOST) });
        assert_eq!(host.tag(TagType::PppMaxPayload), tag, "PADI");
        host.receive(&host.pado(AC));
        host.poll().unwrap();
        assert_eq!(host.tag(TagType::PppMaxPayload), tag, "PADR");
        // Whoever does not confirm it gets no larger packets, whatever was asked for.
        let Event::Connected(session) = host.receive(&host.pads(AC, 7, &[])) else { panic!() };
        assert_eq!(session.max_payload, 1492);
    }
}

/// A Vendor-Specific tag was taken for the PPP-Max-Payload that it stands before in the source (accel-ppp, pull request
/// 262).
// covers: BUG:accel-ppp-262-vendor-tag, RFC2516:A, RFC4638:PPP-Max-Payload
#[test]
fn a_vendor_tag_is_no_max_payload() {
    // Two octets long as PPP-Max-Payload is, and as line cards send it.
    for value in [&[0x05, 0xDC][..], &[0, 0, 0x0D, 0xE9, 1, 4, b'p', b'o', b'r', b't']] {
        let vendor: (TagType, &[u8]) = (TagType::VendorSpecific, value);
        let mut server =
            Server::new(&pppoe::concentrator::Config { max_payload: 1500, ..common::server::config() });
        let cookie = server.offer(HOST, &[vendor]);
        assert_eq!(server.reply().max_payload, None, "PADO");
        let request = common::server::padr(HOST, &cookie, &[vendor]);
        let request = server.receive(&request).requested();
        assert_eq!(server.accept(request.id).session.max_payload, 1492);
        let mut host = Host::soliciting(&Config { max_payload: 1500, ..Config::new(HOST) });
        let pado = host.pado_with(AC, b"", &[vendor]);
        host.receive(&pado);
        host.poll().unwrap();
        let Event::Connected(session) = host.receive(&host.pads(AC, 7, &[vendor])) else { panic!() };
        assert_eq!(session.max_payload, 1492, "PADS");
    }
}

/// After a discovery that broke off, PADIs went to the access concentrator of the last PADO instead of to all (BNG
/// Blaster, issue 381).
// covers: BUG:bngblaster-381-padi-unicast, RFC2516:5.1, RFC2516:8
#[test]
fn a_padi_is_broadcast_whatever_was_heard_before() {
    let mut host = Host::requesting(&Config::new(HOST));
    while host.wait().unwrap().unwrap().code == Code::Padr {}
    while host.wait().is_ok() {}
    let mut padis = 0;
    for sent in &host.sent {
        let packet = Packet::parse(sent).unwrap();
        match packet.code {
            Code::Padi => {
                padis += 1;
                assert_eq!(packet.destination, Address::BROADCAST);
            }
            _ => assert_eq!(packet.destination, AC),
        }
    }
    assert!(padis > 1, "the call went back to PADI");
}

/// An access concentrator answers nobody whose last attempts left something behind, until it sees a PADT (rp-pppoe, issue
/// 28). A PADT without a session would be against the protocol; but of every session that was confirmed, however late, it
/// is told.
// covers: BUG:rp-pppoe-28-silent-concentrator, RFC2516:5.5
#[test]
fn no_session_is_left_behind_at_the_concentrator() {
    let mut host = Host::requesting(&Config::new(HOST));
    host.call.cancel();
    assert!(host.call.linger() > Some(host.now), "the call is over, and a PADS may still come");
    let late = host.pads(AC, 9, &[]);
    assert_eq!(host.receive(&late), Event::Superfluous(SessionKey::new(AC, 9).unwrap()));
    // A new call does not ask faster than the old one did: it begins with one PADI and waits.
    let fresh = Host::soliciting(&Config::new(HOST));
    assert_eq!(fresh.sent.len(), 1);
    assert!(fresh.call.deadline() > Some(fresh.now));
}
