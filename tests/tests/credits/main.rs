//! Flow control by credits (RFC 5578): a call that has it sends no more than its peer grants, whatever the peer does.
//!
//! The far end counts what it granted and what came; a frame without credits spoils a run ([`scenarios::Run::blemishes`]).

mod held;
mod hostile;
mod incoming;

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    ndis::{Family, Value},
    nic::Model,
    wire::{
        access_concentrator,
        credits::{Count, Plan, Seen},
        frame::{DISCOVERY, Frame, SESSION, code, push_tag, tag},
    },
};
use scenarios::{
    Card, Lab, Record, Run, Setup, Station,
    credits::{card, frames},
    lab::{self, sleep},
    seeds,
    station::{exchange, send},
    wires::{Lever, Pass, gated},
};

/// The keyword's values.
const OFF: u32 = 0;
const ASK: u32 = 2;
/// The station address, which the lab gives its first card.
const HOST: [u8; 6] = [0x02, 0, 0, 0, 0, 1];

/// A call with credits: the script has a view of the wire.
fn call<T: Send + 'static>(
    seed: u64,
    card: Card,
    script: impl FnOnce(&Lab, &Station, &Lever) -> T + Send + 'static,
) -> Run<T> {
    let (card, lever) = gated(card, Pass::Everything);
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::PPP);
        let value = script(lab, &station, &lever);
        station.down();
        driver.unload();
        value
    })
}

/// Session frames that the card has sent.
fn on_the_wire(lever: &Lever) -> usize {
    lever.sent().iter().filter(|frame| frame.ethertype == SESSION).count()
}

fn seen(station: &Station) -> Seen {
    station.tally.borrow().credits
}

/// A frame of the peer about the call.
fn padg(station: &Station, kind: u8, sequence: u16, forward: u16, backward: u16) -> Frame {
    let mut payload = Vec::new();
    push_tag(&mut payload, tag::SEQUENCE_NUMBER, &sequence.to_be_bytes());
    push_tag(&mut payload, tag::CREDITS, &[forward.to_be_bytes(), backward.to_be_bytes()].concat());
    Frame {
        destination: HOST,
        source: access_concentrator::Settings::default().mac,
        ethertype: DISCOVERY,
        code: kind,
        session: station.tally.borrow().open[0],
        payload,
    }
}

/// Credits for three frames, and no more: two wait; the peer grants one, then plenty.
// covers: RFC5578:negotiation, RFC5578:charging, RFC5578:grants
#[test]
fn sends_wait_for_credits_and_go_with_them() {
    for seed in seeds(4) {
        let run = call(seed, card(&Plan::once(30)), |_, station, lever| {
            let vc = station.connected();
            let padr = lever.sent().into_iter().find(|frame| frame.code == code::PADR).expect("a PADR");
            let tags = padr.tags().expect("tags");
            assert!(tags.iter().any(|(kind, value)| (*kind, value.len()) == (tag::CREDITS, 4)));
            assert!(tags.iter().all(|(kind, _)| *kind != tag::CREDIT_SCALE), "64 need not be said");
            send(&vc, &frames(5));
            sleep(Duration::from_millis(500));
            assert_eq!((on_the_wire(lever), Record::of(&vc).in_driver.get()), (3, 2));
            // One credit less than a frame costs; the one that is missing; plenty.
            for (sequence, forward, sent) in [(1, 9, 3), (2, 1, 4), (3, 50_000, 5)] {
                lever.inject(padg(station, code::PADG, sequence, forward, 0).to_bytes());
                sleep(Duration::from_millis(50));
                assert_eq!(on_the_wire(lever), sent);
                let answer =
                    lever.sent().into_iter().rfind(|frame| frame.code == code::PADC).expect("a PADC");
                assert_eq!(
                    answer.tags().expect("tags")[0],
                    (tag::SEQUENCE_NUMBER, &sequence.to_be_bytes()[..])
                );
            }
            assert_eq!(Record::of(&vc).in_driver.get(), 0);
            station.finish(&vc);
        });
        // The injected grants are not the access concentrator's: it has to call them violations.
        assert_eq!(run.violations, 2);
        assert_eq!(run.blemishes(), ["2 frames without credits"]);
        assert!(run.sessions.is_empty());
    }
}

/// A peer that refills as it should, by either way and by either count: everything comes back, and nothing without credits.
// covers: RFC5578:grants, RFC5578:in-band, RFC5578:negotiation
#[test]
fn calls_of_every_kind_of_peer_go_on() {
    let every = Duration::from_millis(20);
    let plans = [
        Plan::default(),
        Plan { initial: 0, ..Plan::default() },
        Plan { count: Count::Payload, ..Plan::default() },
        Plan { in_band: true, ..Plan::default() },
        Plan { scale: Some(16), refill: Some((2000, every)), initial: 2000, ..Plan::default() },
        Plan { scale: Some(512), initial: 50, refill: Some((50, every)), ..Plan::default() },
        Plan { initial: 65_535, refill: Some((65_535, every)), ..Plan::default() },
        Plan { initial: 24, refill: Some((24, every)), count: Count::Payload, ..Plan::default() },
    ];
    for (seed, plan) in (1..).zip(plans) {
        let (rides, plenty) = (plan.in_band, plan.initial == 65_535);
        let run = call(seed, card(&plan), move |_, station, _| {
            let vcs = [station.connected(), station.connected()];
            let count = if rides { 100 } else { 40 };
            assert!(exchange(&vcs, &[2, 64, 66, 640, 1494], count), "{plan:?}");
            for vc in &vcs {
                station.finish(vc);
            }
            seen(station)
        });
        let seen = run.clean();
        assert_eq!(seen.stray_answers, 0);
        assert!(rides || plenty || seen.answers > 3, "{seed} {seen:?}");
    }
}

/// What the peer may send is topped up as it is used: a stream much longer than what was granted first comes through.
// covers: RFC5578:grants
#[test]
fn the_peer_gets_credits_as_it_uses_them() {
    for (buffers, scale, count) in [
        (64, 64, Count::Packet),
        (64, 1, Count::Payload),
        (512, 1500, Count::Packet),
        (64, 16, Count::Payload),
    ] {
        let mut card = card(&Plan {
            count,
            initial: 65_535,
            refill: Some((65_535, Duration::from_millis(20))),
            ..Plan::default()
        });
        card.keywords.insert("*ReceiveBuffers".to_owned(), Value::Integer(buffers));
        card.keywords.insert("CreditScale".to_owned(), Value::Integer(scale));
        let run = call(7, card, move |_, station, _| {
            let vc = station.connected();
            assert!(exchange(&[Rc::clone(&vc)], &[1494, 66], 400), "{buffers} {scale}");
            station.finish(&vc);
            seen(station)
        });
        let seen = run.clean();
        assert!(seen.grants >= 2 && seen.granted > 0, "{seen:?}");
        assert!(seen.grants <= 200, "{seen:?}");
    }
}

/// Neither role has credits unless both want them.
// covers: RFC5578:negotiation
#[test]
fn without_an_agreement_nothing_is_held() {
    let plain = access_concentrator::Settings::default();
    for (keyword, peer) in [
        (ASK, plain.clone()),
        (OFF, access_concentrator::Settings { credits: Some(Plan::once(1)), ..plain.clone() }),
        (
            1,
            access_concentrator::Settings { credits: Some(Plan { unasked: true, ..Plan::once(1) }), ..plain },
        ),
    ] {
        let mut card = Card { peer, ..Card::new(Model::I82574l) };
        card.keywords.insert("Credits".to_owned(), Value::Integer(keyword));
        let run = call(1, card, |_, station, lever| {
            let vc = station.connected();
            assert!(exchange(&[Rc::clone(&vc)], &[64, 1400], 100));
            sleep(Duration::from_secs(3));
            assert_eq!((lever.count(code::PADG), lever.count(code::PADC)), (0, 0));
            station.finish(&vc);
        });
        run.clean();
    }
}
