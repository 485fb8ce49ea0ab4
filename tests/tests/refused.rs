//! What NDIS may ask of any driver and PPPoE does not have: parties, sends without a VC, multipoint calls, data
//! with a close.

use ndis_sim::{
    ndis::{Family, client, status, wait_for},
    nic::Model,
    wire::frame::code,
};
use scenarios::{
    Caller, Card, Record, Setup, Station,
    blocks::{self, Destination},
    caller::PATIENCE,
    lab::{self, sleep},
    station::exchange,
    wires::{Pass, gated},
};
use std::{rc::Rc, time::Duration};

/// `MULTIPOINT_VC` and `BROADCAST_VC` of `CO_CALL_PARAMETERS`.
const FLAGS: [u32; 2] = [0x10, 0x8];

fn each_family(script: impl Fn(&Station) + Clone + Send + 'static) {
    for (seed, family) in [Family::TAPI_PROXY, Family::PPP].into_iter().enumerate() {
        let script = script.clone();
        lab::run(Setup::new(seed as u64, Card::new(Model::I82574l)), move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, family);
            script(&station);
            station.down();
            driver.unload();
        })
        .clean();
    }
}

// covers: CmAddParty, CmDropParty
#[test]
fn a_call_has_no_second_party() {
    each_family(|station| {
        let vc = station.connected();
        let parameters = blocks::call(station.family, &Destination::default());
        assert_eq!(client::add_party(&vc, &parameters), status::NOT_SUPPORTED);
        assert_eq!(client::drop_party(&vc), status::NOT_SUPPORTED);
        assert!(Record::of(&vc).is_up(), "the call does not mind");
        station.finish(&vc);
    });
}

// covers: CmMakeCall
#[test]
fn a_call_to_many_is_refused() {
    each_family(|station| {
        for flag in FLAGS {
            let vc = station.vc();
            let mut parameters = blocks::call(station.family, &Destination::default());
            parameters.flags |= flag;
            assert_eq!(client::make_call(&vc, &parameters), status::NOT_SUPPORTED, "flags {flag:#x}");
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        }
    });
}

// covers: CmCloseCall
#[test]
fn a_close_with_data_is_refused_and_one_without_is_not() {
    for (seed, family) in [Family::TAPI_PROXY, Family::PPP].into_iter().enumerate() {
        let (card, lever) = gated(Card::new(Model::I82574l), Pass::Everything);
        let run = lab::run(Setup::new(seed as u64, card), move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, family);
            let vc = station.connected();
            for length in [1, 2, 60, 4096] {
                let status = client::close_call_with(&vc, &vec![0x55; length]);
                assert_eq!(status, status::INVALID_DATA, "{length} bytes");
            }
            sleep(Duration::from_millis(100));
            assert_eq!(lever.count(code::PADT), 0, "the peer is not told of a close that was refused");
            assert!(
                Record::of(&vc).is_up() && exchange(&[Rc::clone(&vc)], &[60, 1494], 5),
                "the call goes on"
            );
            // A pointer and no bytes: no data.
            let status = client::close_call_with(&vc, &[]);
            assert!([status::SUCCESS, status::PENDING].contains(&status), "{}", status::name(status));
            let record = Record::of(&vc);
            assert!(status == status::SUCCESS || wait_for(PATIENCE, || record.closed.get()), "no end");
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
            let closed = || lever.count(code::PADT) == 1 && station.tally.borrow().closed_by_host == 1;
            assert!(wait_for(PATIENCE, closed), "one PADT");
            station.down();
            driver.unload();
        });
        run.clean();
    }
}

// covers: MiniportSendNetBufferLists
#[test]
fn a_send_without_a_vc_comes_back() {
    each_family(|station| {
        let sent = client::send_connectionless(&station.adapter, vec![0x55; 60]);
        assert_eq!(sent, Some(status::NOT_SUPPORTED));
        let vc = station.connected();
        let sent = client::send_connectionless(&station.adapter, vec![0x55; 1514]);
        assert_eq!(sent, Some(status::NOT_SUPPORTED), "with a call up");
        assert!(Caller::hang_up(&vc));
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
    });
}

// covers: MiniportCancelOidRequest, MiniportCancelSend
#[test]
fn there_is_nothing_to_cancel() {
    each_family(|station| {
        station.adapter.cancel_oid_requests(1);
        client::cancel_sends(&station.adapter, 1);
        sleep(Duration::from_millis(1));
        let vc = station.connected();
        station.adapter.cancel_oid_requests(usize::MAX);
        client::cancel_sends(&station.adapter, usize::MAX);
        station.finish(&vc);
    });
}
