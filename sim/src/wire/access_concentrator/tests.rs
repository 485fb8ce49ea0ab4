//! The access concentrator by the frames it answers.

use std::time::Duration;

use super::*;

const HOST: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
const NOW: Duration = Duration::from_secs(1);

fn ac(settings: Settings) -> AccessConcentrator {
    AccessConcentrator::new(settings)
}

fn packet(to: [u8; 6], kind: u8, tags: &[(u16, &[u8])]) -> Frame {
    let mut payload = Vec::new();
    for (kind, value) in tags {
        push_tag(&mut payload, *kind, value);
    }
    Frame { destination: to, source: HOST, ethertype: DISCOVERY, code: kind, session: 0, payload }
}

/// Sends a frame and waits for the answer.
fn ask(ac: &mut AccessConcentrator, frame: &Frame) -> Option<Frame> {
    ac.send(NOW, &frame.to_bytes());
    assert_eq!(ac.receive(NOW), None, "an answer takes its time");
    let at = ac.deadline()?;
    ac.receive(at).map(|bytes| Frame::parse(&bytes).expect("PPPoE"))
}

fn padi(service: &[u8]) -> Frame {
    packet(BROADCAST, code::PADI, &[(tag::SERVICE_NAME, service), (tag::HOST_UNIQ, b"mark")])
}

/// The request that follows an offer.
fn padr(offer: &Frame, service: &[u8]) -> Frame {
    let tags = offer.tags().expect("well-formed");
    let cookie = first(&tags, tag::AC_COOKIE).expect("a cookie");
    let tags = [(tag::SERVICE_NAME, service), (tag::HOST_UNIQ, b"mark"), (tag::AC_COOKIE, cookie)];
    packet(offer.source, code::PADR, &tags)
}

fn connect(ac: &mut AccessConcentrator) -> u16 {
    let offer = ask(ac, &padi(b"")).expect("PADO");
    ask(ac, &padr(&offer, b"")).expect("PADS").session
}

#[test]
fn offer_carries_names_cookie_and_marks() {
    let mut ac = ac(Settings { services: vec!["a".into(), "b".into()], ..Settings::default() });
    let mut request = padi(b"b");
    push_tag(&mut request.payload, tag::RELAY_SESSION_ID, b"relay");
    let offer = ask(&mut ac, &request).expect("PADO");
    assert_eq!((offer.code, offer.session, offer.destination), (code::PADO, 0, HOST));
    let tags = offer.tags().expect("well-formed");
    assert_eq!(first(&tags, tag::AC_NAME), Some(&b"AC-sim"[..]));
    let services: Vec<_> =
        tags.iter().filter(|(kind, _)| *kind == tag::SERVICE_NAME).map(|(_, v)| *v).collect();
    assert_eq!(services, [b"b", b"a"], "the one asked for, then the others");
    assert_eq!(first(&tags, tag::HOST_UNIQ), Some(&b"mark"[..]));
    assert_eq!(first(&tags, tag::RELAY_SESSION_ID), Some(&b"relay"[..]));
    assert_eq!(first(&tags, tag::PPP_MAX_PAYLOAD), None, "not asked for");
}

#[test]
fn padi_that_cannot_be_served_is_not_answered() {
    let mut ac = ac(Settings::default());
    assert_eq!(ask(&mut ac, &padi(b"television")), None);
    assert_eq!(ask(&mut ac, &packet(BROADCAST, code::PADI, &[])), None, "no Service-Name");
    let twice = [(tag::SERVICE_NAME, &b""[..]), (tag::SERVICE_NAME, &b""[..])];
    assert_eq!(ask(&mut ac, &packet(BROADCAST, code::PADI, &twice)), None);
    assert_eq!(ask(&mut ac, &packet([2, 9, 9, 9, 9, 9], code::PADI, &twice[..1])), None, "not for us");
    let mut group = padi(b"");
    group.source = BROADCAST;
    assert_eq!(ask(&mut ac, &group), None);
    assert_eq!(ac.tally().borrow().refused, 4);
}

#[test]
fn sessions_have_ids_and_a_repeated_request_gets_the_same_one() {
    let mut ac = ac(Settings::default());
    let offer = ask(&mut ac, &padi(b"")).expect("PADO");
    let request = padr(&offer, b"");
    let id = ask(&mut ac, &request).expect("PADS").session;
    assert!(id != 0 && id != 0xffff);
    assert_eq!(ask(&mut ac, &request).expect("PADS again").session, id);
    let mut other = request.clone();
    other.payload.clear();
    for (kind, value) in request.tags().expect("well-formed") {
        push_tag(&mut other.payload, kind, if kind == tag::HOST_UNIQ { b"other" } else { value });
    }
    assert_ne!(ask(&mut ac, &other).expect("PADS").session, id);
    assert_eq!(ac.tally().borrow().opened, 2);
}

#[test]
fn cookie_is_the_hosts_own() {
    let mut ac = ac(Settings::default());
    let offer = ask(&mut ac, &padi(b"")).expect("PADO");
    let mut stolen = padr(&offer, b"");
    stolen.source = [0x02, 0, 0, 0, 0, 2];
    assert_eq!(ask(&mut ac, &stolen), None);
    let bare = packet(offer.source, code::PADR, &[(tag::SERVICE_NAME, b"")]);
    assert_eq!(ask(&mut ac, &bare), None);
}

#[test]
fn errors_come_with_session_zero_and_the_hosts_mark() {
    let modes = [
        (Mode::ServiceNameError, tag::SERVICE_NAME_ERROR),
        (Mode::AcSystemError, tag::AC_SYSTEM_ERROR),
        (Mode::GenericError, tag::GENERIC_ERROR),
    ];
    for (mode, kind) in modes {
        let mut ac = ac(Settings { mode, ..Settings::default() });
        let offer = ask(&mut ac, &padi(b"")).expect("PADO");
        let answer = ask(&mut ac, &padr(&offer, b"")).expect("PADS");
        assert_eq!((answer.code, answer.session), (code::PADS, 0));
        let tags = answer.tags().expect("well-formed");
        assert!(first(&tags, kind).is_some(), "{mode:?}");
        assert_eq!(first(&tags, tag::HOST_UNIQ), Some(&b"mark"[..]));
        assert_eq!(ac.tally().borrow().opened, 0);
    }
    let mut silent = ac(Settings { mode: Mode::Silent, ..Settings::default() });
    assert_eq!(ask(&mut silent, &padi(b"")), None);
}

#[test]
fn max_payload_is_granted_up_to_the_limit() {
    for (asked, limit, granted) in [
        (1500, 1500, Some(1500)),
        (1508, 1500, Some(1500)),
        (1496, 1500, Some(1496)),
        (1492, 1500, None),
        (1500, 1492, None),
    ] {
        let mut ac = ac(Settings { max_payload: limit, ..Settings::default() });
        let mut request = padi(b"");
        push_tag(&mut request.payload, tag::PPP_MAX_PAYLOAD, &u16::to_be_bytes(asked));
        let offer = ask(&mut ac, &request).expect("PADO");
        let tags = offer.tags().expect("well-formed");
        let value = first(&tags, tag::PPP_MAX_PAYLOAD).map(|v| u16::from_be_bytes([v[0], v[1]]));
        assert_eq!(value, granted);
    }
}

#[test]
fn session_frames_come_back_to_their_host_only() {
    let mut ac = ac(Settings::default());
    let id = connect(&mut ac);
    let payload = vec![0xc0, 0x21, 1, 2, 3];
    let mac = ac.settings.mac;
    let data = Frame { destination: mac, source: HOST, ethertype: SESSION, code: 0, session: id, payload };
    let back = ask(&mut ac, &data).expect("the echo");
    assert_eq!((back.destination, back.source, back.session), (HOST, mac, id));
    assert_eq!(back.payload, data.payload);
    let stranger = Frame { source: [0x02, 0, 0, 0, 0, 2], ..data.clone() };
    assert_eq!(ask(&mut ac, &stranger), None);
    assert_eq!(ask(&mut ac, &Frame { session: id ^ 1, ..data }), None);
    assert_eq!(ac.tally().borrow().stray, 2);
}

#[test]
fn padt_ends_a_session_of_its_own_host() {
    let mut ac = ac(Settings::default());
    let id = connect(&mut ac);
    let mut padt = packet(ac.settings.mac, code::PADT, &[]);
    padt.session = id;
    padt.source = [0x02, 0, 0, 0, 0, 2];
    ac.send(NOW, &padt.to_bytes());
    assert_eq!(ac.tally().borrow().open, [id], "not his");
    padt.source = HOST;
    ac.send(NOW, &padt.to_bytes());
    assert!(ac.tally().borrow().open.is_empty());
    assert_eq!(ac.tally().borrow().closed_by_host, 1);
}

#[test]
fn it_hangs_up_within_its_bounds() {
    let plan = HangUp { after: Duration::from_millis(10), before: Duration::from_millis(20) };
    let mut ac = ac(Settings { hang_up: Some(plan), ..Settings::default() });
    let id = connect(&mut ac);
    let at = ac.deadline().expect("a hang-up");
    assert!((NOW + plan.after..=NOW + plan.before).contains(&at));
    assert_eq!(ac.receive(at), None);
    let padt = ac.receive(ac.deadline().expect("on its way")).expect("PADT");
    let padt = Frame::parse(&padt).expect("PPPoE");
    assert_eq!((padt.code, padt.session, padt.destination), (code::PADT, id, HOST));
    assert_eq!(ac.deadline(), None);
}

#[test]
fn same_seed_same_sessions() {
    let ids = |seed| connect(&mut ac(Settings { seed, ..Settings::default() }));
    assert_eq!(ids(7), ids(7));
    assert_ne!(ids(7), ids(8));
}
