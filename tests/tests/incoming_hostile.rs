//! Hosts that mean no good, and cables that are none: what they can do to an access concentrator, and what not.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{Family, status, wait_for},
    nic::Model,
    wire::{
        Hosts, Hub, Impaired,
        frame::{BROADCAST, DISCOVERY, Frame, code, push_tag, tag},
        host::{CallState, Control, Dial, View},
        impair::Plan,
    },
};
use scenarios::{
    Answer, Caller, Card, Setup,
    caller::PATIENCE,
    lab,
    office::{Office, card, gone, story},
    station::exchange,
};

const FAMILIES: [u32; 2] = [Family::TAPI_PROXY, Family::PPP];
const YES: Answer = Answer::Elsewhere(status::SUCCESS);
const CARD: [u8; 6] = [0x02, 0, 0, 0, 0, 1];

fn host(number: u8) -> Dial {
    Dial { mac: [0x02, 0, 0, 0, 0xbb, number], ..Dial::default() }
}

fn packet(source: [u8; 6], code: u8, session: u16, tags: &[(u16, &[u8])]) -> Frame {
    let mut payload = Vec::new();
    for (kind, value) in tags {
        push_tag(&mut payload, *kind, value);
    }
    let destination = if code == code::PADI { BROADCAST } else { CARD };
    Frame { destination, source, ethertype: DISCOVERY, code, session, payload }
}

fn session(view: &View) -> u16 {
    let CallState::Up(id) = view.state else { panic!("{view:?}") };
    id
}

// covers: RFC2516:5.5, BUG:spoofed-padt
#[test]
fn strangers_cannot_end_a_call() {
    let control = Control::new();
    let setup = Setup::new(1, card(Model::I82574l, &control));
    let run = story(setup, &control, Family::PPP, YES, |office| {
        let (call, vc) = office.connected(host(1));
        let id = session(&office.control.call(call).expect("a call"));
        let mac = host(1).mac;
        // Another station, another session, a group, the card itself, and a PADT to everybody.
        office.control.inject(&packet(host(2).mac, code::PADT, id, &[]));
        office.control.inject(&packet(mac, code::PADT, id ^ 1, &[]));
        office.control.inject(&packet(mac, code::PADT, 0, &[]));
        office.control.inject(&packet([0x03, 0, 0, 0, 0, 1], code::PADT, id, &[]));
        office.control.inject(&packet(CARD, code::PADT, id, &[]));
        office.control.inject(&Frame { destination: BROADCAST, ..packet(host(2).mac, code::PADT, id, &[]) });
        lab::sleep(Duration::from_millis(20));
        assert!(exchange(&[Rc::clone(&vc)], &[42, 1494], 5), "the call has suffered");
        Office::hang_up(&vc);
    });
    run.clean();
}

// covers: RFC2516:5.3, RFC2516:5.4, BUG:cookie-replay
#[test]
fn a_cookie_opens_one_session_for_its_host() {
    let control = Control::new();
    let setup = Setup::new(1, card(Model::I82574l, &control));
    let run = story(setup, &control, Family::PPP, YES, |office| {
        let (call, vc) = office.connected(host(1));
        let view = office.control.call(call).expect("a call");
        let (id, mark) = (session(&view), 0_u64.to_be_bytes());
        let padr = |mac, cookie: &[u8]| {
            packet(
                mac,
                code::PADR,
                0,
                &[(tag::SERVICE_NAME, b""), (tag::HOST_UNIQ, &mark), (tag::AC_COOKIE, cookie)],
            )
        };
        let confirmed = || office.control.seen().iter().filter(|it| it.code == code::PADS).count();
        // The host itself again: the same answer. Nobody else, and with nothing else.
        office.control.inject(&padr(host(1).mac, &view.cookie));
        assert!(wait_for(PATIENCE, || confirmed() == 2), "a repetition is answered");
        assert_eq!(
            office.control.seen().iter().filter(|it| it.session == id && it.code == code::PADS).count(),
            2
        );
        let mut forged = view.cookie.clone();
        *forged.last_mut().expect("a cookie") ^= 1;
        let mut long = view.cookie.clone();
        long.push(0);
        for frame in [
            padr(host(2).mac, &view.cookie),
            padr(host(1).mac, &forged),
            padr(host(1).mac, &long),
            padr(host(1).mac, &view.cookie[..8]),
            padr(host(1).mac, b""),
            packet(host(1).mac, code::PADR, 0, &[(tag::SERVICE_NAME, b"")]),
            packet(host(1).mac, code::PADR, 0, &[(tag::AC_COOKIE, &view.cookie)]),
            Frame { source: CARD, ..padr(host(1).mac, &view.cookie) },
            Frame { source: [0x03; 6], ..padr(host(1).mac, &view.cookie) },
        ] {
            office.control.inject(&frame);
        }
        lab::sleep(Duration::from_millis(50));
        Office::hang_up(&vc);
        // After the end of the session, and when the cookie has grown old.
        for after in [0, 5, 40] {
            lab::sleep(Duration::from_secs(after));
            office.control.inject(&padr(host(1).mac, &view.cookie));
        }
        lab::sleep(Duration::from_millis(50));
        assert_eq!((confirmed(), office.station.caller.offered.borrow().len()), (2, 1));
    });
    run.clean();
}

// covers: RFC2516:5.1, BUG:padi-flood
#[test]
fn a_flood_is_answered_at_a_limited_rate_and_takes_no_memory() {
    let control = Control::new();
    let setup = Setup::new(1, card(Model::I82574l, &control));
    let run = story(setup, &control, Family::PPP, YES, |office| {
        let machine = Machine::current();
        let before = machine.pool().bytes();
        for number in 0..20_000_u32 {
            let [_, a, b, c] = number.to_be_bytes();
            let padi = packet([0x02, 1, 0, a, b, c], code::PADI, 0, &[(tag::SERVICE_NAME, b"")]);
            office.control.inject(&padi);
            if number % 200 == 0 {
                lab::sleep(Duration::from_millis(1));
            }
        }
        lab::sleep(Duration::from_millis(20));
        let offers = office.control.count(code::PADO);
        // Half of a burst of 2,500, and 10,000 a second for the 120 ms that the flood took.
        assert!((500..=2500).contains(&offers), "{offers} offers to 20,000");
        assert_eq!(machine.pool().bytes(), before, "the flood took memory");
        // From one station: its own share.
        for _ in 0..1000 {
            office.control.inject(&packet(host(9).mac, code::PADI, 0, &[(tag::SERVICE_NAME, b"")]));
        }
        lab::sleep(Duration::from_secs(1));
        let more = office.control.count(code::PADO) - offers;
        assert!(more <= 70, "{more} offers to one station");
        // And then somebody who means it.
        let (_, vc) = office.connected(host(1));
        Office::hang_up(&vc);
    });
    run.clean();
}

// covers: RFC2516:5.4, BUG:duplicate-padr, BUG:lost-pads
#[test]
fn repeated_requests_make_one_call() {
    for (copies, deaf) in [(3, 0), (1, 1), (2, 2)] {
        for family in FAMILIES {
            let control = Control::new();
            let setup = Setup::new(1, card(Model::I82545em, &control));
            let run = story(setup, &control, family, YES, move |office| {
                let (call, vc) = office.connected(Dial { copies, deaf, ..host(1) });
                let ids: Vec<_> =
                    office.control.seen().into_iter().filter(|it| it.code == code::PADS).collect();
                let id = session(&office.control.call(call).expect("a call"));
                assert!(ids.iter().all(|pads| pads.session == id), "one session");
                assert_eq!(office.station.caller.offered.borrow().len(), 1);
                assert!(exchange(&[Rc::clone(&vc)], &[100], 3));
                Office::hang_up(&vc);
            });
            run.clean();
        }
    }
}

// covers: RFC2516:8, SEQ:incoming-call-accepted
#[test]
fn a_bad_cable_costs_time_and_nothing_else() {
    for seed in 0..12 {
        let control = Control::new();
        let hosts = control.clone();
        let model = Model::ALL[usize::try_from(seed % 3).unwrap()];
        let card = Card::new(model).wrapped(move |inner| {
            let hub = Hub::new(vec![inner, Box::new(Hosts::new(hosts, Duration::from_micros(20)))]);
            Box::new(Impaired::new(Box::new(hub), Plan::hostile(), seed))
        });
        let setup = Setup { readings: None, windows: None, ..Setup::new(seed, card) };
        let run = story(setup, &control, Family::PPP, YES, |office| {
            let calls: Vec<_> = (1..=4).map(|number| office.control.dial(host(number))).collect();
            for &call in &calls {
                office.settled(call);
            }
            // What a host does not know of, because its PADS were lost, is up here until it is closed.
            lab::sleep(Duration::from_secs(40));
            let up = |call: &usize| matches!(office.control.call(*call).unwrap().state, CallState::Up(_));
            assert!(calls.iter().any(up), "none of four calls comes up");
            for (vc, record) in office.station.caller.offered.borrow().clone() {
                if !record.deleted.get() {
                    Caller::hang_up(&vc);
                    gone(&record);
                }
            }
        });
        run.clean();
    }
}

// covers: RFC2516:4, BUG:truncated-discovery
#[test]
fn cut_and_scrambled_requests_are_dropped() {
    let control = Control::new();
    let setup = Setup::new(1, card(Model::I82574l, &control));
    let run = story(setup, &control, Family::TAPI_PROXY, YES, |office| {
        let (call, vc) = office.connected(host(1));
        let view = office.control.call(call).expect("a call");
        Office::hang_up(&vc);
        let machine = Machine::current();
        let tags: [(u16, &[u8]); 4] = [
            (tag::SERVICE_NAME, b"internet"),
            (tag::HOST_UNIQ, b"mark"),
            (tag::AC_COOKIE, &view.cookie),
            (tag::PPP_MAX_PAYLOAD, &[5, 0xdc]),
        ];
        for (number, code) in (2..).zip([code::PADI, code::PADR]) {
            let whole = packet(host(number).mac, code, 0, &tags).to_bytes();
            for length in 14..whole.len() {
                office.control.inject_bytes(whole[..length].to_vec());
            }
            for _ in 0..2000 {
                let mut bytes = whole.clone();
                for _ in 0..=machine.below(3) {
                    // Not the addresses and the type: the frame is to get as far as it can.
                    let at = 14 + usize::try_from(machine.below(bytes.len() as u64 - 14)).unwrap();
                    bytes[at] = u8::try_from(machine.below(256)).unwrap();
                }
                office.control.inject_bytes(bytes);
            }
            lab::sleep(Duration::from_secs(1));
        }
        assert_eq!(office.station.caller.offered.borrow().len(), 1, "a call out of nothing");
        let (_, vc) = office.connected(host(9));
        Office::hang_up(&vc);
    });
    run.clean();
}
