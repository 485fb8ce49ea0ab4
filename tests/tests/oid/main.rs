//! Every OID that a client or NDIS may ask, on every path, with every kind of buffer. The table is written down from the
//! documentation, not from the driver.

mod judge;
mod table;
mod ways;

use std::{cell::Cell, rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{
        Family, HaltAction, Vc, client,
        oid::{OidRequest, OidResult, RequestKind},
        status,
    },
    nic::Model,
};
use scenarios::{
    Caller, Card, Run, Setup, Station,
    blocks::Destination,
    lab::{self, sleep, sleep_below},
};

use crate::{
    judge::{judge_query, judge_set, query, value},
    table::{
        OIDS,
        Paths::Miniport,
        Query::{Exactly, Never},
    },
    ways::{Fate, Way},
};

/// `OID_GEN_INTERRUPT_MODERATION`: reported as not supported, and then a set must end in `INVALID_DATA`.
const INTERRUPT_MODERATION: u32 = 0x0001_0209;

/// All of them, on an adapter with a VC that is idle and one that has a call.
fn everything(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let idle = station.vc();
        let busy = station.connected();
        for vc in [&idle, &busy] {
            for way in Way::ALL {
                for &(oid, paths, size, set) in OIDS {
                    let fate = way.answers(paths, family);
                    let who = format!("{oid:#010x} by {way:?}");
                    let ask = |request| way.ask(&station, vc, request);
                    judge_query(&who, size, fate, &ask, oid);
                    judge_set(&who, set, fate, &ask, oid);
                    let method = OidRequest { kind: RequestKind::Method, ..OidRequest::query(oid, 400) };
                    let result = ask(method);
                    assert_eq!((result.status, result.bytes), (status::NOT_SUPPORTED, 0), "{who}, method");
                }
                moderation(way, &|request| way.ask(&station, vc, request), family);
            }
        }
        assert_eq!(client::delete_vc(&idle), status::SUCCESS);
        station.finish(&busy);
        station.down();
        driver.unload();
    })
}

/// The one OID whose set is known and always refused.
fn moderation(way: Way, ask: &dyn Fn(OidRequest) -> OidResult, family: u32) {
    let oid = INTERRUPT_MODERATION;
    let fate = way.answers(Miniport, family);
    judge_query(&format!("moderation by {way:?}"), Exactly(12), fate, ask, oid);
    let set = |length| {
        let result = ask(OidRequest::set(oid, &vec![0; length]));
        (result.status, result.bytes, result.needed)
    };
    let refused = (status::NOT_SUPPORTED, 0, 0);
    let answered = fate == Fate::Answered;
    assert_eq!(set(11), if answered { (status::INVALID_LENGTH, 0, 12) } else { refused });
    assert_eq!(set(12), if answered { (status::INVALID_DATA, 0, 0) } else { refused });
}

// covers: MiniportOidRequest, MiniportCoOidRequest, CmOidRequest
// covers: OID_GEN_CO_SUPPORTED_LIST@miniport, OID_GEN_CO_SUPPORTED_LIST@co, OID_GEN_CO_HARDWARE_STATUS@miniport
// covers: OID_GEN_CO_HARDWARE_STATUS@co, OID_GEN_CO_MEDIA_SUPPORTED@miniport, OID_GEN_CO_MEDIA_SUPPORTED@co
// covers: OID_GEN_CO_MEDIA_IN_USE@miniport, OID_GEN_CO_MEDIA_IN_USE@co, OID_GEN_MAXIMUM_LOOKAHEAD@miniport
// covers: OID_GEN_MAXIMUM_LOOKAHEAD@co, OID_GEN_MAXIMUM_FRAME_SIZE@miniport, OID_GEN_MAXIMUM_FRAME_SIZE@co
// covers: OID_GEN_CO_LINK_SPEED@miniport, OID_GEN_CO_LINK_SPEED@co, OID_GEN_TRANSMIT_BUFFER_SPACE@miniport
// covers: OID_GEN_TRANSMIT_BUFFER_SPACE@co, OID_GEN_RECEIVE_BUFFER_SPACE@miniport, OID_GEN_RECEIVE_BUFFER_SPACE@co
// covers: OID_GEN_TRANSMIT_BLOCK_SIZE@miniport, OID_GEN_TRANSMIT_BLOCK_SIZE@co, OID_GEN_RECEIVE_BLOCK_SIZE@miniport
// covers: OID_GEN_RECEIVE_BLOCK_SIZE@co, OID_GEN_CO_VENDOR_ID@miniport, OID_GEN_CO_VENDOR_ID@co
// covers: OID_GEN_CO_VENDOR_DESCRIPTION@miniport, OID_GEN_CO_VENDOR_DESCRIPTION@co
// covers: OID_GEN_CURRENT_PACKET_FILTER@miniport, OID_GEN_CURRENT_PACKET_FILTER@co, OID_GEN_CURRENT_LOOKAHEAD@miniport
// covers: OID_GEN_CURRENT_LOOKAHEAD@co, OID_GEN_CO_DRIVER_VERSION@miniport, OID_GEN_CO_DRIVER_VERSION@co
// covers: OID_GEN_MAXIMUM_TOTAL_SIZE@miniport, OID_GEN_MAXIMUM_TOTAL_SIZE@co, OID_GEN_CO_PROTOCOL_OPTIONS@miniport
// covers: OID_GEN_CO_PROTOCOL_OPTIONS@co, OID_GEN_CO_MAC_OPTIONS@miniport, OID_GEN_CO_MAC_OPTIONS@co
// covers: OID_GEN_CO_MEDIA_CONNECT_STATUS@miniport, OID_GEN_CO_MEDIA_CONNECT_STATUS@co
// covers: OID_GEN_CO_VENDOR_DRIVER_VERSION@miniport, OID_GEN_CO_VENDOR_DRIVER_VERSION@co
// covers: OID_GEN_INTERRUPT_MODERATION@miniport, OID_GEN_INTERRUPT_MODERATION@co
// covers: OID_GEN_CO_MINIMUM_LINK_SPEED@miniport, OID_GEN_CO_MINIMUM_LINK_SPEED@co
// covers: OID_GEN_CO_XMIT_PDUS_OK@miniport, OID_GEN_CO_XMIT_PDUS_OK@co, OID_GEN_CO_RCV_PDUS_OK@miniport
// covers: OID_GEN_CO_RCV_PDUS_OK@co, OID_GEN_CO_XMIT_PDUS_ERROR@miniport, OID_GEN_CO_XMIT_PDUS_ERROR@co
// covers: OID_GEN_CO_RCV_PDUS_ERROR@miniport, OID_GEN_CO_RCV_PDUS_ERROR@co, OID_GEN_CO_RCV_PDUS_NO_BUFFER@miniport
// covers: OID_GEN_CO_RCV_PDUS_NO_BUFFER@co, OID_GEN_STATISTICS@miniport, OID_GEN_STATISTICS@co
// covers: OID_GEN_CO_BYTES_XMIT@miniport, OID_GEN_CO_BYTES_XMIT@co, OID_GEN_CO_BYTES_RCV@miniport
// covers: OID_GEN_CO_BYTES_RCV@co, OID_GEN_CO_RCV_CRC_ERROR@miniport, OID_GEN_CO_RCV_CRC_ERROR@co
// covers: OID_802_3_PERMANENT_ADDRESS@miniport, OID_802_3_PERMANENT_ADDRESS@co, OID_802_3_CURRENT_ADDRESS@miniport
// covers: OID_802_3_CURRENT_ADDRESS@co, OID_WAN_PERMANENT_ADDRESS@miniport, OID_WAN_PERMANENT_ADDRESS@co
// covers: OID_WAN_CURRENT_ADDRESS@miniport, OID_WAN_CURRENT_ADDRESS@co, OID_WAN_MEDIUM_SUBTYPE@miniport
// covers: OID_WAN_MEDIUM_SUBTYPE@co, OID_WAN_HEADER_FORMAT@miniport, OID_WAN_HEADER_FORMAT@co
// covers: OID_WAN_LINE_COUNT@miniport, OID_WAN_LINE_COUNT@co, OID_WAN_CO_GET_INFO@miniport, OID_WAN_CO_GET_INFO@co
// covers: OID_WAN_CO_SET_LINK_INFO@co, OID_WAN_CO_GET_LINK_INFO@co, OID_WAN_CO_GET_STATS_INFO@co
// covers: OID_PNP_SET_POWER@miniport, OID_PNP_QUERY_POWER@miniport, OID_CO_TAPI_CM_CAPS@cm, OID_CO_TAPI_LINE_CAPS@cm
// covers: OID_CO_TAPI_ADDRESS_CAPS@cm, OID_CO_TAPI_GET_CALL_DIAGNOSTICS@cm
// covers: OID_WAN_CO_GET_COMP_INFO@co, OID_WAN_CO_SET_COMP_INFO@co
// covers: OID_CO_TAPI_TRANSLATE_TAPI_CALLPARAMS@cm, OID_CO_TAPI_TRANSLATE_NDIS_CALLPARAMS@cm
// covers: OID_CO_TAPI_TRANSLATE_TAPI_SAP@cm
#[test]
fn every_oid_is_answered_or_refused_on_every_path_with_every_buffer() {
    for (seed, family) in [(1, Family::TAPI_PROXY), (2, Family::PPP)] {
        everything(seed, Card::new(Model::I82574l), family).clean();
    }
}

/// Queries everything that would be answered if the card were there.
fn refusals(station: &Station, vc: &Rc<Vc>, family: u32) {
    for way in Way::ALL {
        for &(oid, paths, size, set) in OIDS {
            if way.answers(paths, family) != Fate::Answered {
                continue;
            }
            let queried = (size != Never).then(|| way.ask(station, vc, query(oid, size, 400)));
            let set = (set != 0).then(|| way.ask(station, vc, OidRequest::set(oid, &value(oid, set))));
            for result in queried.into_iter().chain(set) {
                let status = status::name(result.status);
                assert_eq!(result.status, status::NOT_ACCEPTED, "{oid:#010x} by {way:?}: {status}");
            }
        }
    }
}

/// Queries everything that is answered, by every way.
fn queries(station: &Station, vc: &Rc<Vc>, family: u32, when: &str) {
    for way in Way::ALL {
        for &(oid, paths, size, _) in OIDS {
            let fate = way.answers(paths, family);
            if fate == Fate::Answered {
                judge_query(
                    &format!("{oid:#010x} by {way:?} {when}"),
                    size,
                    fate,
                    &|it| way.ask(station, vc, it),
                    oid,
                );
            }
        }
    }
}

// covers: MiniportOidRequest, MiniportCoOidRequest, CmOidRequest, SEQ:oid-while-paused, SEQ:oid-while-asleep
// covers: SEQ:oid-after-surprise-removal
#[test]
fn requests_are_answered_while_the_card_rests_and_when_it_is_gone() {
    for (seed, model) in (1..).zip(Model::ALL) {
        let run = lab::run(Setup::new(seed, Card::new(model)), |lab| {
            let family = Family::TAPI_PROXY;
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, family);
            let vc = station.connected();
            station.adapter.pause();
            queries(&station, &vc, family, "while paused");
            assert_eq!(station.adapter.set_power(4), status::SUCCESS, "to D3");
            let accesses = lab.place(0).faults.accesses();
            queries(&station, &vc, family, "in D3");
            assert_eq!(lab.place(0).faults.accesses(), accesses, "registers are touched in D3");
            assert_eq!(station.adapter.set_power(1), status::SUCCESS, "to D0");
            station.adapter.restart().expect("MiniportRestart succeeds");
            station.adapter.surprise_remove();
            refusals(&station, &vc, family);
            station.finish(&vc);
            station.down_as(HaltAction::SurpriseRemoved);
            driver.unload();
        });
        run.clean_but_for_sessions();
    }
}

// covers: MiniportCoOidRequest, CmOidRequest, SEQ:oids-in-parallel
#[test]
fn requests_on_all_paths_cross_each_other_and_the_lives_of_calls() {
    for seed in 0..6 {
        let run = lab::run(Setup { cpus: 4, ..Setup::new(seed, Card::new(Model::I82574l)) }, |lab| {
            let driver = lab.load();
            let station = Rc::new(Station::up(lab, &driver, 0, Family::TAPI_PROXY));
            let vc = station.vc();
            let machine = Machine::current();
            let over = Rc::new(Cell::new(false));
            let askers: Vec<_> = Way::ALL
                .into_iter()
                .map(|way| {
                    let (station, vc, over) = (Rc::clone(&station), Rc::clone(&vc), Rc::clone(&over));
                    machine.spawn("asker", move || {
                        while !over.get() {
                            for &(oid, paths, size, set) in OIDS {
                                if way.answers(paths, Family::TAPI_PROXY) == Fate::Answered
                                    && oid != 0xFD01_0101
                                {
                                    if size != Never {
                                        way.ask(&station, &vc, query(oid, size, 400));
                                    }
                                    if set != 0 {
                                        way.ask(&station, &vc, OidRequest::set(oid, &value(oid, set)));
                                    }
                                    sleep_below(200);
                                }
                            }
                        }
                    })
                })
                .collect();
            for round in 0..4 {
                assert_eq!(station.outcome(&vc, &Destination::default()), status::SUCCESS, "round {round}");
                sleep_below(3_000);
                assert!(Caller::hang_up(&vc), "the close does not end");
            }
            over.set(true);
            while !askers.iter().all(|&asker| machine.finished(asker)) {
                sleep(Duration::from_millis(1));
            }
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
            drop(vc);
            Rc::into_inner(station).expect("the askers are gone").down();
            driver.unload();
        });
        run.clean();
    }
}
