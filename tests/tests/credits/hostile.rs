//! Peers that grant nothing, too much, too often, and for others.

use std::time::Duration;

use ndis_sim::{
    ndis::{status, wait_for},
    wire::{
        credits::Plan,
        frame::{Frame, SESSION, code},
    },
};
use scenarios::{
    Record,
    caller::PATIENCE,
    credits::{card, frames},
    lab::sleep,
    on_qemu, seeds,
    station::{frame, send},
};

use crate::{call, on_the_wire, padg};

/// A peer that does not answer grants is given up after five of them, a second apart, with a PADT.
// covers: RFC5578:grants, NdisMCmDispatchIncomingCloseCall, RFC2516:5.5
#[test]
fn a_peer_that_answers_no_grant_is_given_up() {
    for seed in seeds(4) {
        let run = call(seed, card(&Plan { answers: false, ..Plan::once(20) }), |_, station, lever| {
            let vc = station.connected();
            send(&vc, &frames(10));
            let record = Record::of(&vc);
            sleep(Duration::from_millis(4500));
            assert_eq!((lever.count(code::PADT), record.ended.get()), (0, None));
            assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "it is waited for for ever");
            assert_eq!(record.ended.get(), Some(status::TAPI_DISCONNECTMODE_UNKNOWN));
            sleep(Duration::from_millis(10));
            assert_eq!((lever.count(code::PADG), lever.count(code::PADT)), (5, 1));
            let grants = lever.sent();
            let grants = grants.iter().filter(|frame| frame.code == code::PADG);
            let forward: Vec<_> = grants.map(|it| it.tags().expect("tags")[1].1[..2].to_vec()).collect();
            assert_eq!(forward[1..], [[0, 0], [0, 0], [0, 0], [0, 0]], "repeated, they grant nothing");
            station.finish(&vc);
            assert_eq!(record.in_driver.get(), 0);
            assert_eq!(lever.count(code::PADT), 1, "said twice");
        });
        run.clean();
    }
}

/// Grants of strangers, of other sessions, malformed, doubled, old and by the thousand.
// covers: RFC5578:grants, RFC5578:packets
#[test]
fn grants_that_are_none_let_nothing_go() {
    let run = call(3, card(&Plan::once(20)), |_, station, lever| {
        let vc = station.connected();
        send(&vc, &frames(200));
        sleep(Duration::from_millis(50));
        let good = padg(station, code::PADG, 100, 1000, 0);
        let answers = lever.count(code::PADC);
        let bad = |payload: &[u8]| Frame { payload: payload.to_vec(), ..good.clone() };
        for stranger in [
            Frame { source: [0x02, 0, 0, 0, 0xAC, 9], ..good.clone() },
            Frame { session: good.session.wrapping_add(1).max(1), ..good.clone() },
            Frame { session: 0, ..good.clone() },
            Frame { destination: [0xFF; 6], ..good.clone() },
            bad(&good.payload[..6]),
            bad(&good.payload[6..]),
            bad(&[]),
            bad(&[1, 6, 0xFF]),
        ] {
            lever.inject(stranger.to_bytes());
        }
        // A PADC grants nothing, whatever it says and answers.
        for sequence in 0..5 {
            lever.inject(padg(station, code::PADC, sequence, 1000, 1000).to_bytes());
        }
        sleep(Duration::from_millis(100));
        assert_eq!((on_the_wire(lever), lever.count(code::PADC)), (2, answers));
        // Ten credits, again and again, then older ones.
        for sequence in [100, 100, 100, 99, 60_000, 100] {
            lever.inject(padg(station, code::PADG, sequence, 10, 0).to_bytes());
        }
        sleep(Duration::from_millis(100));
        assert_eq!((on_the_wire(lever), lever.count(code::PADC)), (3, answers + 6));
        // A flood: answered in part, and what is not answered does not count.
        for sequence in 101..1101 {
            lever.inject(padg(station, code::PADG, sequence, 1, 0).to_bytes());
        }
        sleep(Duration::from_secs(1));
        let answered = lever.count(code::PADC) - answers - 6;
        // All of them do not fit every card.
        assert!((100..=1000).contains(&answered), "{answered}");
        // One whose answer finds no room in the ring counts all the same.
        let most = if on_qemu() { 1000 } else { answered };
        assert!((3 + answered / 10..=3 + most / 10).contains(&on_the_wire(lever)), "{answered} answers");
        // Beyond what 16 bits hold.
        for sequence in 2000..2004 {
            lever.inject(padg(station, code::PADG, sequence, 0xFFFF, 0xFFFF).to_bytes());
        }
        sleep(Duration::from_millis(100));
        assert_eq!(Record::of(&vc).in_driver.get(), 0);
        station.finish(&vc);
    });
    assert!(run.violations > 100, "the access concentrator did not grant that");
    let others: Vec<_> = run.blemishes().into_iter().filter(|it| !it.contains("without credits")).collect();
    assert!(others.is_empty() && run.sessions.is_empty(), "{others:?}");
}

/// Credits in front of a packet are taken off in a session that has agreed on them, damaged ones drop their frame.
// covers: RFC5578:in-band
#[test]
fn damaged_credits_in_front_of_a_packet_drop_it() {
    let run = call(3, card(&Plan::once(20)), |_, station, lever| {
        let vc = station.connected();
        send(&vc, &frames(4));
        sleep(Duration::from_millis(50));
        let received = || Record::of(&vc).received.borrow().len();
        let before = received();
        let good = [&[1, 6, 0, 4, 0, 10, 0, 0][..], &frame(100, 77)].concat();
        let data = |payload: Vec<u8>| Frame {
            ethertype: SESSION,
            code: code::DATA,
            payload,
            ..padg(station, 0, 0, 0, 0)
        };
        for at in [1, 3, 8] {
            let mut payload = good.clone();
            payload[at] ^= 1;
            lever.inject(data(payload).to_bytes());
        }
        for length in [0, 4, 8, 9] {
            lever.inject(data(good[..length].to_vec()).to_bytes());
        }
        let mut stranger = data(good.clone());
        stranger.source[5] ^= 1;
        lever.inject(stranger.to_bytes());
        sleep(Duration::from_millis(100));
        assert_eq!((received(), on_the_wire(lever)), (before, 2));
        lever.inject(data(good.clone()).to_bytes());
        sleep(Duration::from_millis(100));
        // With it, what it let go has come back.
        assert_eq!((received(), on_the_wire(lever)), (before + 2, 3));
        assert!(Record::of(&vc).received.borrow().contains(&frame(100, 77)));
        station.finish(&vc);
    });
    assert_eq!(run.blemishes(), ["1 frames without credits"], "the access concentrator did not grant that");
}
