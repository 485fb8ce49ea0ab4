//! The counters agree with what crossed the wire.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    ndis::{
        Vc,
        oid::{OidRequest, co_request},
        status,
    },
    nic::{Model, WriteBack},
    wire::frame::{Frame, SESSION},
};
use scenarios::{Card, Record, Station, lab::sleep, station::exchange};

use crate::common::{echo, on_station, some, watched};

const OID_GEN_LINK_SPEED: u32 = 0x0001_0107;
const OID_GEN_RCV_ERROR: u32 = 0x0002_0104;
const OID_GEN_STATISTICS: u32 = 0x0002_0106;
const OID_WAN_CO_GET_STATS_INFO: u32 = 0x0401_0282;

/// `NDIS_STATISTICS_INFO`: the 64-bit counters after header and mask.
pub(crate) fn general(station: &Station) -> Vec<u64> {
    let result = station.adapter.oid_request(OidRequest::query(OID_GEN_STATISTICS, 152));
    assert_eq!(result.status, status::SUCCESS, "{}", status::name(result.status));
    assert_eq!(result.data.len(), 152);
    result.data[8..].chunks_exact(8).map(|it| u64::from_le_bytes(it.try_into().expect("eight"))).collect()
}

/// Bits per second, by `OID_GEN_LINK_SPEED` in `NDIS_CO_LINK_SPEED`: outbound, in units of 100 bits.
pub(crate) fn link_speed(station: &Station) -> u64 {
    let result = co_request(&station.adapter, None, OidRequest::query(OID_GEN_LINK_SPEED, 8));
    assert_eq!(result.status, status::SUCCESS, "{}", status::name(result.status));
    u64::from(u32::from_le_bytes(result.data[..4].try_into().expect("four"))) * 100
}

/// Bytes sent and received, frames sent and received, of a VC.
fn of_vc(station: &Station, vc: &Rc<Vc>) -> [u32; 4] {
    let request = OidRequest::query(OID_WAN_CO_GET_STATS_INFO, 116);
    let result = co_request(&station.adapter, Some(vc), request);
    assert_eq!(result.status, status::SUCCESS, "{}", status::name(result.status));
    [0, 4, 8, 12].map(|at| u32::from_le_bytes(result.data[at..at + 4].try_into().expect("four")))
}

/// Bytes of PPP frames and their number that the host sent in a session, `None` for any.
fn on_the_wire(sent: &[Frame], session: Option<u16>) -> (u32, u32) {
    let of_session =
        |frame: &&Frame| frame.ethertype == SESSION && session.is_none_or(|session| frame.session == session);
    let frames: Vec<_> = sent.iter().filter(of_session).collect();
    let bytes: usize = frames.iter().map(|frame| frame.payload.len()).sum();
    (u32::try_from(bytes).expect("few"), u32::try_from(frames.len()).expect("few"))
}

#[test]
fn counters_agree_with_the_wire() {
    for model in Model::ALL {
        let (card, lever) = watched(model);
        let run = on_station(1, card, move |_, station| {
            let vcs = [station.connected(), station.connected()];
            let sessions = station.tally.borrow().open.clone();
            assert!(exchange(&vcs[..1], &[42, 1494], 37));
            assert!(exchange(&vcs[1..], &[300], 11));
            sleep(Duration::from_secs(2));
            let sent = lever.sent();
            let mut counted = Vec::new();
            for vc in &vcs {
                let [bytes_sent, bytes_received, frames_sent, frames_received] = of_vc(station, vc);
                // The peer sends back what it gets.
                assert_eq!((bytes_sent, frames_sent), (bytes_received, frames_received));
                counted.push((bytes_sent, frames_sent));
            }
            let mut expected: Vec<_> =
                sessions.iter().map(|&session| on_the_wire(&sent, Some(session))).collect();
            expected.sort_unstable();
            counted.sort_unstable();
            assert_eq!(counted, expected, "bytes and frames of the VCs");
            let (bytes, frames) = on_the_wire(&sent, None);
            let (bytes, frames) = (u64::from(bytes), u64::from(frames));
            let all = general(station);
            assert_eq!(all[..2], [0, 0], "ifInDiscards, ifInErrors");
            assert_eq!((all[2], all[3]), (bytes, frames), "ifHCInOctets, ifHCInUcastPkts");
            assert_eq!((all[6], all[7]), (bytes, frames), "ifHCOutOctets, ifHCOutUcastPkts");
            assert_eq!(all[10..12], [0, 0], "ifOutErrors, ifOutDiscards");
            for vc in &vcs {
                station.finish(vc);
            }
        });
        run.clean();
    }
}

#[test]
fn counters_of_a_vc_begin_anew_with_each_call_and_those_of_the_adapter_go_on() {
    let run = on_station(1, Card::new(Model::I82574l), |_, station| {
        let vc = station.connected();
        echo(&vc, &some(100, 0..10));
        assert_eq!(of_vc(station, &vc)[2..], [10, 10]);
        assert!(scenarios::Caller::hang_up(&vc));
        assert_eq!(station.outcome(&vc, &scenarios::blocks::Destination::default()), status::SUCCESS);
        assert_eq!(of_vc(station, &vc), [0; 4]);
        echo(&vc, &some(100, 0..5));
        assert_eq!(of_vc(station, &vc)[2..], [5, 5]);
        assert_eq!(general(station)[3], 15, "ifHCInUcastPkts");
        station.finish(&vc);
    });
    run.clean();
}

#[test]
fn damaged_frames_are_counted_as_errors() {
    for model in Model::ALL {
        let run = on_station(1, Card::new(model), |lab, station| {
            let vc = station.connected();
            let errors = |station: &Station| {
                let result = station.adapter.oid_request(OidRequest::query(OID_GEN_RCV_ERROR, 8));
                assert_eq!(result.status, status::SUCCESS);
                (u64::from_le_bytes(result.data[..8].try_into().expect("eight")), general(station)[1])
            };
            assert_eq!(errors(station), (0, 0));
            let bad = [
                WriteBack::Errors(1),
                WriteBack::Length(0),
                WriteBack::Length(u16::MAX),
                WriteBack::Errors(0x80),
            ];
            lab.place(0).faults.spoil_received(bad);
            echo(&vc, &some(100, 0..10));
            assert_eq!(Record::of(&vc).received.borrow().len(), 6);
            assert_eq!(errors(station), (4, 4));
            lab.place(0).faults.spoil_sent([WriteBack::Errors(2), WriteBack::Errors(4)]);
            echo(&vc, &some(100, 10..20));
            assert_eq!(general(station)[10], 2, "ifOutErrors");
            station.finish(&vc);
        });
        run.clean();
    }
}
