//! Every OID that a client or NDIS may ask, on every path, with every kind of buffer. The table is written down from the
//! documentation, not from the driver.

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

/// How long the answer to a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Query {
    /// So many bytes, whatever the buffer holds.
    Exactly(u32),
    /// 8 bytes, or 4 if there are no 8.
    Counter,
    /// As long as the driver says when it is asked without a buffer.
    Told,
    /// A structure for which the client says how much room it has, at this offset; this long at least.
    Sized(usize, u32),
    /// It cannot be queried.
    Never,
}

use Query::{Counter, Exactly, Never, Sized, Told};

/// Where an OID is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paths {
    /// `MiniportOidRequest` and `MiniportCoOidRequest`.
    Miniport,
    /// `MiniportOidRequest` only: power.
    Power,
    /// `MiniportCoOidRequest` with a VC.
    MiniportVc,
    /// `ProtocolCmOidRequest` of TAPI proxies.
    Tapi,
    /// `ProtocolCmOidRequest` of any client, with a VC.
    CallVc,
    /// Nowhere: known to the documents, and not for this driver.
    Nowhere,
}

use Paths::{CallVc, Miniport, MiniportVc, Nowhere, Power, Tapi};

/// One OID: number, paths, query, bytes of a set (0: cannot be set).
type Entry = (u32, Paths, Query, usize);

const OIDS: &[Entry] = &[
    // OID_GEN_(CO_)*: general operation.
    (0x0001_0101, Miniport, Told, 0),
    (0x0001_0102, Miniport, Exactly(4), 0),
    (0x0001_0103, Miniport, Exactly(4), 0),
    (0x0001_0104, Miniport, Exactly(4), 0),
    (0x0001_0105, Miniport, Exactly(4), 0),
    (0x0001_0106, Miniport, Exactly(4), 0),
    (0x0001_0107, Miniport, Exactly(8), 0),
    (0x0001_0108, Miniport, Exactly(4), 0),
    (0x0001_0109, Miniport, Exactly(4), 0),
    (0x0001_010A, Miniport, Exactly(4), 0),
    (0x0001_010B, Miniport, Exactly(4), 0),
    (0x0001_010C, Miniport, Exactly(4), 0),
    (0x0001_010D, Miniport, Told, 0),
    (0x0001_010E, Miniport, Exactly(4), 4),
    (0x0001_010F, Miniport, Exactly(4), 4),
    (0x0001_0110, Miniport, Exactly(2), 0),
    (0x0001_0111, Miniport, Exactly(4), 0),
    (0x0001_0112, Miniport, Never, 4),
    (0x0001_0113, Miniport, Exactly(4), 0),
    (0x0001_0114, Miniport, Exactly(4), 0),
    (0x0001_0116, Miniport, Exactly(4), 0),
    (0x0002_0120, Miniport, Exactly(4), 0),
    // Statistics.
    (0x0002_0101, Miniport, Counter, 0),
    (0x0002_0102, Miniport, Counter, 0),
    (0x0002_0103, Miniport, Counter, 0),
    (0x0002_0104, Miniport, Counter, 0),
    (0x0002_0105, Miniport, Counter, 0),
    (0x0002_0106, Miniport, Exactly(152), 0),
    (0x0002_0201, Miniport, Counter, 0),
    (0x0002_0207, Miniport, Counter, 0),
    (0x0002_020D, Miniport, Counter, 0),
    // OID_802_3_*, OID_WAN_*.
    (0x0101_0101, Miniport, Exactly(6), 0),
    (0x0101_0102, Miniport, Exactly(6), 0),
    (0x0401_0101, Miniport, Exactly(6), 0),
    (0x0401_0102, Miniport, Exactly(6), 0),
    (0x0401_0105, Miniport, Exactly(4), 0),
    (0x0401_0106, Miniport, Exactly(4), 0),
    (0x0401_010A, Miniport, Exactly(4), 0),
    (0x0401_0180, Miniport, Exactly(16), 0),
    (0x0401_0181, MiniportVc, Never, 32),
    (0x0401_0182, MiniportVc, Exactly(32), 0),
    (0x0401_0282, MiniportVc, Exactly(116), 0),
    // OID_PNP_*: to be asked whether to sleep, and to wake.
    (0xFD01_0101, Power, Never, 4),
    (0xFD01_0102, Power, Exactly(4), 0),
    // OID_CO_TAPI_*.
    (0xFE00_1001, Tapi, Exactly(12), 0),
    (0xFE00_1002, Tapi, Sized(8, 300), 0),
    (0xFE00_1003, Tapi, Sized(12, 240), 0),
    (0xFE00_1007, CallVc, Told, 0),
    // Known, and not for this driver: QoS and protocol type of WAN links, compression, translations for
    // CO_ADDRESS_FAMILY_TAPI, digits, PVCs, addresses, signalling; link parameters; time of day.
    (0x0401_0103, Nowhere, Never, 0),
    (0x0401_0104, Nowhere, Never, 0),
    (0x0401_0280, Nowhere, Never, 0),
    (0x0401_0281, Nowhere, Never, 0),
    (0xFE00_1004, Nowhere, Never, 0),
    (0xFE00_1005, Nowhere, Never, 0),
    (0xFE00_1006, Nowhere, Never, 0),
    (0xFE00_1008, Nowhere, Never, 0),
    (0xFE00_1009, Nowhere, Never, 0),
    (0xFE00_0001, Nowhere, Never, 0),
    (0xFE00_0002, Nowhere, Never, 0),
    (0xFE00_0003, Nowhere, Never, 0),
    (0xFE00_0004, Nowhere, Never, 0),
    (0xFE00_0005, Nowhere, Never, 0),
    (0xFE00_0006, Nowhere, Never, 0),
    (0xFE00_0007, Nowhere, Never, 0),
    (0xFE00_0008, Nowhere, Never, 0),
    (0xFE00_0009, Nowhere, Never, 0),
    (0xFE00_000A, Nowhere, Never, 0),
    (0x0001_0208, Nowhere, Never, 0),
    (0x0002_0221, Nowhere, Never, 0),
    (0x0002_0222, Nowhere, Never, 0),
    // Unknown to everybody.
    (0, Nowhere, Never, 0),
    (0x0001_0100, Nowhere, Never, 0),
    (0x0001_FFFF, Nowhere, Never, 0),
    (0xFE00_1000, Nowhere, Never, 0),
    (0xFFFF_FFFF, Nowhere, Never, 0),
];

/// `OID_GEN_INTERRUPT_MODERATION`: reported as not supported, and then a set must end in `INVALID_DATA`.
const INTERRUPT_MODERATION: u32 = 0x0001_0209;

/// A way to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `MiniportOidRequest`.
    Miniport,
    /// `MiniportCoOidRequest`.
    Co,
    /// `MiniportCoOidRequest` for a VC.
    CoVc,
    /// `ProtocolCmOidRequest`.
    Cm,
    /// `ProtocolCmOidRequest` for a VC.
    CmVc,
}

impl Way {
    const ALL: [Self; 5] = [Self::Miniport, Self::Co, Self::CoVc, Self::Cm, Self::CmVc];

    fn ask(self, station: &Station, vc: &Rc<Vc>, request: OidRequest) -> OidResult {
        match self {
            Self::Miniport => station.adapter.oid_request(request),
            Self::Co => client::co_oid_request(&station.adapter, None, request),
            Self::CoVc => client::co_oid_request(&station.adapter, Some(vc), request),
            Self::Cm => client::cm_oid_request(&station.af, None, request),
            Self::CmVc => client::cm_oid_request(&station.af, Some(vc), request),
        }
    }

    /// What becomes of an OID on this way.
    fn answers(self, paths: Paths, family: u32) -> Fate {
        let tapi = family == Family::TAPI_PROXY;
        match (self, paths) {
            (Self::Miniport | Self::Co | Self::CoVc, Miniport)
            | (Self::Miniport, Power)
            | (Self::CoVc, MiniportVc)
            | (Self::CmVc, CallVc) => Fate::Answered,
            (Self::Cm | Self::CmVc, Tapi) if tapi => Fate::Answered,
            (Self::Co, MiniportVc) | (Self::Cm, CallVc) => Fate::WantsVc,
            _ => Fate::Unknown,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    WantsVc,
    Unknown,
}

/// A query with a buffer of `length` bytes that holds what a client of this OID writes into it.
fn query(oid: u32, size: Query, length: usize) -> OidRequest {
    let mut buffer = vec![0; length];
    if let Sized(at, _) = size
        && let Some(total) = buffer.get_mut(at..at + 4)
    {
        total.copy_from_slice(&u32::try_from(length - at).expect("short").to_le_bytes());
    }
    OidRequest::query_with(oid, &buffer)
}

/// Data that a set accepts.
fn value(oid: u32, length: usize) -> Vec<u8> {
    let words: &[u32] = match oid {
        0x0401_0181 => &[1400, 1400, 0x100, 0x100, 0, 0, 0, 0],
        // A filter, a lookahead, options, or D0.
        _ => &[1],
    };
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(length, 0);
    bytes
}

/// Queries an OID with every kind of buffer.
#[track_caller]
fn judge_query(who: &str, size: Query, fate: Fate, ask: &dyn Fn(OidRequest) -> OidResult, oid: u32) {
    let nothing = OidRequest { buffer: None, ..OidRequest::query(oid, 0) };
    if fate != Fate::Answered || size == Never {
        let refusal =
            if fate == Fate::WantsVc && size != Never { status::INVALID_DATA } else { status::NOT_SUPPORTED };
        for request in
            [OidRequest::query(oid, 0), OidRequest::query(oid, 4), OidRequest::query(oid, 400), nothing]
        {
            let result = ask(request);
            assert_eq!((result.status, result.bytes, result.needed), (refusal, 0, 0), "{who}");
        }
        return;
    }
    let exact = match size {
        Exactly(exact) => exact,
        Counter => 8,
        Told => ask(OidRequest::query(oid, 0)).needed,
        Sized(_, fixed) => {
            // The strings count in what is needed once the fixed part is there to be read.
            let needed = ask(query(oid, size, fixed as usize - 1)).needed;
            assert!(needed >= fixed, "{who}: {needed} bytes needed");
            needed
        }
        Never => unreachable!("handled above"),
    };
    assert_ne!(exact, 0, "{who}");
    let longest_refused = if size == Counter { 3 } else { exact as usize - 1 };
    let none = ask(nothing);
    assert_eq!((none.status, none.bytes), (status::BUFFER_TOO_SHORT, 0), "{who} without a buffer");
    for length in [0, 1, longest_refused] {
        let result = ask(query(oid, size, length));
        if let Sized(_, fixed) = size
            && length >= fixed as usize
        {
            // What does not fit is left out, and ulNeededSize tells.
            assert_eq!(
                (result.status, result.bytes, result.needed),
                (status::SUCCESS, fixed, 0),
                "{who} in {length}"
            );
            continue;
        }
        let needed = if let Sized(_, fixed) = size
            && length < 16
        {
            fixed
        } else {
            exact
        };
        let found = (result.status, result.bytes, result.needed);
        assert_eq!(found, (status::BUFFER_TOO_SHORT, 0, needed), "{who} in {length} bytes");
    }
    for length in [exact as usize, exact as usize + 9, 2000] {
        let result = ask(query(oid, size, length));
        let found = (result.status, result.bytes, result.needed, result.data.len());
        assert_eq!(found, (status::SUCCESS, exact, 0, exact as usize), "{who} in {length} bytes");
        let statistics = OidRequest { kind: RequestKind::QueryStatistics, ..query(oid, size, length) };
        let result = ask(statistics);
        assert_eq!((result.status, result.bytes), (status::SUCCESS, exact), "{who} as statistics");
    }
    if size == Counter {
        for length in 4..8 {
            let result = ask(query(oid, size, length));
            let found = (result.status, result.bytes, result.needed);
            assert_eq!(found, (status::SUCCESS, 4, 8), "{who} in {length} bytes");
        }
    }
}

/// Sets an OID with every kind of buffer.
#[track_caller]
fn judge_set(who: &str, length: usize, fate: Fate, ask: &dyn Fn(OidRequest) -> OidResult, oid: u32) {
    let nothing = OidRequest { buffer: None, ..OidRequest::set(oid, &[]) };
    if fate == Fate::Unknown || length == 0 {
        for request in [OidRequest::set(oid, &[]), OidRequest::set(oid, &[0; 64]), nothing] {
            let result = ask(request);
            assert_eq!(
                (result.status, result.bytes, result.needed),
                (status::NOT_SUPPORTED, 0, 0),
                "{who}, set"
            );
        }
        return;
    }
    let needed = u32::try_from(length).expect("short");
    for request in
        [nothing, OidRequest::set(oid, &[]), OidRequest::set(oid, &value(oid, length)[..length - 1])]
    {
        let result = ask(request);
        let found = (result.status, result.bytes, result.needed);
        assert_eq!(found, (status::INVALID_LENGTH, 0, needed), "{who}, too short a set");
    }
    for length in [length, length + 9] {
        let result = ask(OidRequest::set(oid, &value(oid, length)));
        let wanted =
            if fate == Fate::WantsVc { (status::INVALID_DATA, 0) } else { (status::SUCCESS, needed) };
        assert_eq!((result.status, result.bytes), wanted, "{who}, set with {length} bytes");
    }
}

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
            queries(&station, &vc, family, "without a card");
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
