//! The keywords of the registry take effect, and what a client holds is bounded by them.

use std::time::Duration;

use ndis_sim::{
    ndis::{
        Value,
        oid::{OidRequest, co_request},
        status,
    },
    nic::Model,
};
use scenarios::{Caller, Card, Record, lab::sleep, some_of, station::send};

use crate::common::{assert_works, forget, on_station, some, watched, with, with_number};

const TDLEN: u64 = 0x3808;
const RDLEN: u64 = 0x2808;
const ITR: u64 = 0x00c4;
const EITR0: u64 = 0x00e8;
const RAL0: u64 = 0x5400;
const OID_802_3_CURRENT_ADDRESS: u32 = 0x0101_0102;
const OID_WAN_CURRENT_ADDRESS: u32 = 0x0401_0102;

#[test]
fn ring_sizes_are_what_the_registry_says() {
    for model in Model::ALL {
        for (keyword, register) in [("*TransmitBuffers", TDLEN), ("*ReceiveBuffers", RDLEN)] {
            // What is refused leaves the default.
            for (value, count) in
                some_of([(72, 72), (64, 64), (2048, 2048), (0, 512), (65, 512), (4096, 512)], 4)
            {
                let card = with_number(Card::new(model), keyword, value);
                let run = on_station(1, card, move |_, station| {
                    assert_eq!(station.slot.peek(0, register), 16 * count, "{keyword} {value}");
                    let vc = station.connected();
                    assert_works(&vc);
                    station.finish(&vc);
                });
                run.clean();
            }
        }
    }
}

#[test]
fn interrupts_are_moderated_if_the_registry_says_so() {
    for model in Model::ALL {
        let register = if model == Model::I82574l { EITR0 } else { ITR };
        for (value, moderated) in [(1, true), (0, false)] {
            let card = with_number(Card::new(model), "*InterruptModeration", value);
            let run = on_station(1, card, move |_, station| {
                let vc = station.connected();
                assert_works(&vc);
                assert_eq!(station.slot.peek(0, register) != 0, moderated, "{model}, {value}");
                station.finish(&vc);
            });
            run.clean();
        }
    }
}

#[test]
fn the_address_of_the_registry_is_used() {
    let own = [0x02, 0, 0, 0, 0, 1];
    for model in Model::ALL {
        let addresses = [
            ("02-11-22-33-44-55", [0x02, 0x11, 0x22, 0x33, 0x44, 0x55]),
            ("021122334466", [0x02, 0x11, 0x22, 0x33, 0x44, 0x66]),
            // A group's, nobody's, too short: the card's own.
            ("031122334455", own),
            ("000000000000", own),
            ("0211", own),
        ];
        for (text, wanted) in some_of(addresses, 2) {
            let (card, lever) = watched(model);
            let card = with(card, "NetworkAddress", Value::String(text.to_owned()));
            let run = on_station(1, card, move |_, station| {
                let vc = station.connected();
                assert_works(&vc);
                assert!(lever.sent().iter().all(|frame| frame.source == wanted), "{text}");
                assert_eq!(station.slot.peek(0, RAL0).to_le_bytes(), wanted[..4], "{text}");
                for oid in [OID_802_3_CURRENT_ADDRESS, OID_WAN_CURRENT_ADDRESS] {
                    let result = co_request(&station.adapter, None, OidRequest::query(oid, 6));
                    assert_eq!((result.status, result.data), (status::SUCCESS, wanted.to_vec()), "{text}");
                }
                station.finish(&vc);
            });
            run.clean();
        }
    }
}

#[test]
fn a_client_that_holds_everything_is_given_copies() {
    for model in Model::ALL {
        let card = with_number(Card::new(model), "*ReceiveBuffers", 64);
        let run = on_station(1, card, |_, station| {
            let vc = station.connected();
            station.caller.hold.set(true);
            for round in 0..10 {
                send(&vc, &some(1000, round * 32..round * 32 + 32));
                sleep(Duration::from_millis(3));
            }
            let record = Record::of(&vc);
            assert!(record.is_echoed(), "a frame was lost, changed or overtaken");
            let held = record.held.borrow().len();
            // 128 buffers, of which the card keeps at least half a ring.
            assert!((64..=96 + 32).contains(&held), "{held} of 320 held");
            Caller::let_go(&vc);
            forget(&vc);
            send(&vc, &some(1000, 0..32));
            sleep(Duration::from_millis(3));
            assert_eq!(record.held.borrow().len(), 32, "buffers are lent again");
            station.caller.hold.set(false);
            Caller::let_go(&vc);
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean();
    }
}
