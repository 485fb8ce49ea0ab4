//! What NDPROXY and NDISWAN do to a call manager: the one makes calls whose flows mean nothing, the other takes part only when
//! a call is up, and goes by what it has been told.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    clients::wan,
    machine::Machine,
    ndis::{
        Family, Flows, HaltAction, Readings, Value, Vc,
        client::{self, Client},
        oid::OidRequest,
        status, wait_for,
    },
    nic::Model,
    wire::{
        access_concentrator,
        frame::{Frame, code},
        host::{Control, Dial},
    },
};
use scenarios::{
    Answer, Caller, Card, Record, Run, Setup, Station,
    blocks::Destination,
    caller::PATIENCE,
    lab::{self, sleep},
    office,
    station::{exchange, frame, open, send, settle},
    stories,
    wires::{Pass, gated},
};

/// `OID_WAN_CO_GET_LINK_INFO`.
const GET_LINK_INFO: u32 = 0x0401_0182;

/// A card that asks for payloads of 1,500 bytes, and a peer that grants so many.
fn generous(max_payload: u16) -> Card {
    let peer = access_concentrator::Settings { max_payload, ..access_concentrator::Settings::default() };
    let mut card = Card { peer, ..Card::new(Model::I82574l) };
    card.keywords.insert("MaxPayload".to_owned(), Value::Integer(1500));
    card
}

// covers: OID_WAN_CO_SET_LINK_INFO@co, OID_WAN_CO_GET_LINK_INFO@co, NdisMCoIndicateStatusEx
#[test]
fn frames_of_a_late_ndiswan_fit_the_session() {
    for (seed, wan_does_not_ask) in [(1, false), (2, true), (3, true)] {
        for largest in [1492, 1500] {
            let readings = Readings { wan_does_not_ask, ..Readings::default() };
            let setup = Setup { readings: Some(readings), ..Setup::new(seed, generous(largest)) };
            let run = lab::run(setup, |lab| {
                let driver = lab.load();
                let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
                let vc = station.connected();
                wan::join(&vc);
                let told = vc.told().expect("NDISWAN takes part");
                let length = usize::try_from(told).expect("a small number") + 2;
                assert!(exchange(&[Rc::clone(&vc)], &[length, 60], 3), "frames of {length} bytes");
                // The next call has another session, and NDISWAN comes late again.
                assert!(Caller::hang_up(&vc));
                assert_eq!(vc.told(), None);
                // Nor is what was negotiated shown between the calls: the size is the card's.
                let idle =
                    client::co_oid_request(&station.adapter, Some(&vc), OidRequest::query(GET_LINK_INFO, 32));
                assert_eq!(idle.status, status::SUCCESS);
                assert_eq!(idle.data[..4], 1500_u32.to_le_bytes());
                assert_eq!(station.outcome(&vc, &Destination::default()), status::SUCCESS);
                wan::ask_fresh(&vc);
                wan::join(&vc);
                assert_eq!(vc.told(), Some(told));
                station.finish(&vc);
                station.down();
                driver.unload();
                told
            });
            assert_eq!(run.clean(), u32::from(largest), "asks: {}", !wan_does_not_ask);
        }
    }
}

/// The flows of two calls on one VC, the first of which is changed while it is up, as the client gets them back.
fn flows_of_two_calls(seed: u64, proxy_flows: Flows) -> Run<()> {
    let readings = Readings { proxy_flows, ..Readings::default() };
    let setup = Setup { readings: Some(readings), ..Setup::new(seed, Card::new(Model::I82545em)) };
    lab::run(setup, |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.vc();
        for _ in 0..2 {
            assert_eq!(station.outcome(&vc, &Destination::default()), status::SUCCESS);
            let record = Record::of(&vc);
            let parameters = record.parameters.borrow().clone().expect("parameters");
            let manager = parameters.call_manager.clone().expect("supplied where there are none");
            for flow in [manager.transmit, manager.receive] {
                let link = (flow.token_rate, flow.peak_bandwidth, flow.max_sdu_size);
                assert_eq!(link, (125_000_000, 125_000_000, 1492));
            }
            wan::join(&vc);
            let start = Machine::current().now();
            assert!(exchange(&[Rc::clone(&vc)], &[1000], 50));
            assert!(Machine::current().now() < start + Duration::from_millis(20), "held for a rate");
            let mut slower = parameters;
            if let Some(manager) = &mut slower.call_manager {
                manager.transmit.token_rate = 100_000;
            }
            if client::modify_call(&vc, &slower) == status::PENDING {
                assert!(wait_for(PATIENCE, || record.modified.borrow().len() == 1));
            }
            assert!(Caller::hang_up(&vc));
        }
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        station.down();
        driver.unload();
    })
}

// covers: CmMakeCall, NdisMCmMakeCallComplete
#[test]
fn flows_of_ndproxy_mean_nothing() {
    for (seed, flows) in (1..).zip([Flows::Absent, Flows::OldSpeed, Flows::Nonsense, Flows::Nonsense]) {
        flows_of_two_calls(seed, flows).clean();
    }
}

// covers: MiniportReturnNetBufferLists
#[test]
fn frames_begin_with_address_and_control_where_ndiswan_wants_them() {
    let readings = Readings { wan_wants_framing: true, ..Readings::default() };
    lab::under(readings, || {
        for (seed, model) in (1..).zip(Model::ALL) {
            stories::calls(seed, Card::new(model), Family::TAPI_PROXY, 2, vec![12, 60, 1494], 40).clean();
        }
        stories::paused_with_frames_out(4, Card::new(Model::I82574l), Family::TAPI_PROXY).clean();
    });
}

#[test]
fn other_clients_get_frames_as_they_are_on_the_wire() {
    let mut card = Card::new(Model::I82574l);
    card.keywords.insert("AddressAndControl".to_owned(), Value::Integer(1));
    for family in [Family::PPP, Family::TAPI_PROXY] {
        let card = Card { keywords: card.keywords.clone(), ..Card::new(Model::I82574l) };
        let run = lab::run(Setup::new(1, card), move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, family);
            let vc = station.connected();
            station.caller.hold.set(true);
            send(&vc, &[frame(200, 1)]);
            settle(&[Rc::clone(&vc)]);
            let first = Record::of(&vc).held.borrow()[0].data()[..2].to_vec();
            Caller::let_go(&vc);
            station.finish(&vc);
            station.down();
            driver.unload();
            first
        });
        let expected: &[u8] = if family == Family::PPP { &[0x00, 0x21] } else { &[0xFF, 0x03] };
        assert_eq!(run.clean(), expected);
    }
}

// covers: NdisMCoIndicateStatusEx
#[test]
fn a_status_of_a_vc_is_for_those_who_share_it() {
    let run = lab::run(Setup::new(1, Card::new(Model::I82540em)), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let other = Caller::new();
        let bound: Rc<dyn Client> = Rc::<Caller>::clone(&other);
        station.adapter.bind(&bound);
        let vc = station.connected();
        let before = other.statuses.get();
        wan::join(&vc);
        let told = Record::of(&vc).indications.borrow().len();
        station.finish(&vc);
        station.down();
        driver.unload();
        (told, other.statuses.get() - before)
    });
    let (told, overheard) = run.clean();
    assert!(told >= 2, "told {told} times");
    assert_eq!(overheard, 0);
}

/// A second client opens a family, and leaves at a random moment of the halt.
fn leaves_as_the_adapter_halts(seed: u64) -> Run<()> {
    lab::run(Setup::new(seed, Card::new(Model::I82574l)), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let second = Caller::new();
        let bound: Rc<dyn Client> = Rc::<Caller>::clone(&second);
        station.adapter.bind(&bound);
        let (af, sap) = open(&station.adapter, &second, Family::PPP);
        if client::deregister_sap(&sap) == status::PENDING {
            assert!(wait_for(PATIENCE, || second.sap_deregistered.get()));
        }
        station.close();
        station.adapter.pause();
        second.leaves.set(true);
        let leaving = Rc::clone(&second);
        Machine::current().spawn("leaving client", move || {
            lab::sleep_below([5, 20, 60, 200][usize::try_from(seed % 4).expect("small")]);
            if client::close_address_family(&af) == status::SUCCESS {
                leaving.closed.set(true);
            }
        });
        station.adapter.halt(HaltAction::DeviceDisabled);
        assert!(wait_for(PATIENCE, || second.closed.get()));
        driver.unload();
    })
}

// covers: CmCloseAf, NdisMCmNotifyCloseAddressFamily, SEQ:halt-with-open-afs
#[test]
fn a_client_leaves_as_the_adapter_halts() {
    for seed in 1..200 {
        leaves_as_the_adapter_halts(seed).clean();
    }
}

/// A client that sends one frame, closes the call from within its completion, and deletes the VC from within that of the close.
fn gone_under_a_send(seed: u64) -> Run<()> {
    let nth = usize::try_from(seed).expect("small");
    let setup = Setup { cpus: 1 + nth % 2, ..Setup::new(seed, Card::new(Model::ALL[nth % 3])) };
    lab::run(setup, |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        for number in 0..20 {
            let vc = station.connected();
            let record = Record::of(&vc);
            station.caller.ends_when_sent.set(true);
            send(&vc, &[frame(60, number)]);
            assert!(wait_for(PATIENCE, || record.closed.get()));
            station.caller.ends_when_sent.set(false);
            assert!(wait_for(PATIENCE, || station.af.vcs().is_empty()));
        }
        station.down();
        driver.unload();
    })
}

// covers: MiniportCoSendNetBufferLists, CmDeleteVc
#[test]
fn a_vc_goes_while_its_send_is_still_in_the_driver() {
    for seed in 1..40 {
        gone_under_a_send(seed).clean();
    }
}

// covers: CmRegisterSap
#[test]
fn a_sap_alone_makes_no_access_concentrator() {
    for allowed in [false, true] {
        let control = Control::new();
        let mut card = office::card(Model::I82574l, &control);
        if !allowed {
            card.keywords.remove("Concentrator");
        }
        let run = office::story(
            Setup::new(1, card),
            &control,
            Family::PPP,
            Answer::Now(status::SUCCESS),
            |office| {
                office.control.dial(Dial::default());
                sleep(Duration::from_secs(5));
                // Outgoing calls are none the worse.
                let vc = office.station.connected();
                assert!(exchange(&[Rc::clone(&vc)], &[100], 3));
                office.station.finish(&vc);
                let offered: Vec<_> =
                    office.station.caller.offered.borrow().iter().map(|(vc, _)| Rc::clone(vc)).collect();
                for vc in &offered {
                    office::Office::hang_up(vc);
                }
                offered.len()
            },
        );
        assert_eq!(run.clean(), usize::from(allowed));
    }
}

/// All that a client can ask of a VC.
fn all_of(station: &Station, vc: &Rc<Vc>) -> Vec<(u32, Vec<u8>)> {
    let co = [0x0401_0182, 0x0401_0282].into_iter().chain(0x0002_0101..=0x0002_0105);
    let co = co.chain([0x0002_0201, 0x0002_0207, 0x0002_020D]).map(|oid| {
        let request = OidRequest::query(oid, if oid == 0x0401_0182 { 32 } else { 116 });
        (oid, client::co_oid_request(&station.adapter, Some(vc), request).data)
    });
    let diagnostics = OidRequest::query(0xFE00_1007, 512);
    let diagnostics = client::cm_oid_request(&station.af, Some(vc), diagnostics);
    co.chain([(0xFE00_1007, diagnostics.data)]).collect()
}

// covers: SEQ:vc-reused
#[test]
fn a_second_call_on_a_vc_is_like_a_first() {
    for family in [Family::TAPI_PROXY, Family::PPP] {
        let run = lab::run(Setup::new(1, Card::new(Model::I82574l)), move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, family);
            let used = station.connected();
            // Everything that leaves a trace: traffic, errors, negotiation, a rate, a refusal.
            assert!(exchange(&[Rc::clone(&used)], &[60, 1400], 5));
            send(&used, &[frame(1600, 1)]);
            settle(&[Rc::clone(&used)]);
            let link = [1000_u32, 1100, 0x100, 0, 1, 2, 3, 4].map(u32::to_le_bytes).concat();
            let set = OidRequest::set(0x0401_0181, &link);
            assert_eq!(client::co_oid_request(&station.adapter, Some(&used), set).status, status::SUCCESS);
            let record = Record::of(&used);
            let mut slower = record.parameters.borrow().clone().expect("parameters");
            if let Some(manager) = &mut slower.call_manager {
                (manager.transmit.token_rate, manager.transmit.peak_bandwidth) = (50_000, 60_000);
            }
            if client::modify_call(&used, &slower) == status::PENDING {
                assert!(wait_for(PATIENCE, || record.modified.borrow().len() == 1));
            }
            assert!(Caller::hang_up(&used));
            let nobody = Destination { service: "no such service".to_owned(), ..Destination::default() };
            assert_ne!(station.outcome(&used, &nobody), status::SUCCESS);
            assert_eq!(station.outcome(&used, &Destination::default()), status::SUCCESS);
            let fresh = station.connected();
            for (one, other) in all_of(&station, &used).into_iter().zip(all_of(&station, &fresh)) {
                assert_eq!(one, other, "OID {:#010x}", one.0);
            }
            // So is what it was told, and how fast it is.
            let [one, other] = [&used, &fresh].map(|vc| Record::of(vc));
            assert_eq!(*one.indications.borrow(), *other.indications.borrow());
            assert_eq!(*one.parameters.borrow(), *other.parameters.borrow());
            let start = Machine::current().now();
            assert!(exchange(&[Rc::clone(&used)], &[1400], 100));
            assert!(Machine::current().now() < start + Duration::from_millis(50), "an earlier call's rate");
            station.finish(&used);
            station.finish(&fresh);
            station.down();
            driver.unload();
        });
        run.clean();
    }
}

// covers: MiniportCoOidRequest, SEQ:vc-reused
#[test]
fn a_frame_of_a_dead_session_is_nobodys() {
    let (card, lever) = gated(Card::new(Model::I82574l), Pass::Everything);
    let run = lab::run(Setup::new(1, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        assert!(exchange(&[Rc::clone(&vc)], &[200], 3));
        let sent = lever.sent().into_iter().rev().find(|frame| frame.code == code::DATA).expect("data");
        station.finish(&vc);
        let received = || {
            let request = OidRequest::query(0x0002_0102, 8);
            let data = client::co_oid_request(&station.adapter, None, request).data;
            u64::from_le_bytes(data.try_into().expect("eight bytes"))
        };
        let next = station.connected();
        let before = received();
        let stray = Frame { destination: sent.source, source: sent.destination, ..sent };
        for _ in 0..5 {
            lever.inject(stray.clone().to_bytes());
        }
        sleep(Duration::from_millis(50));
        assert_eq!(received(), before, "OID_GEN_CO_RCV_PDUS_OK");
        assert!(Record::of(&next).received.borrow().is_empty());
        station.finish(&next);
        station.down();
        driver.unload();
    });
    run.clean();
}

// covers: SEQ:outgoing-call, SEQ:vc-reused
#[test]
fn nothing_is_kept_of_calls_that_are_gone() {
    for family in [Family::TAPI_PROXY, Family::PPP] {
        let run = lab::run(Setup::new(2, Card::new(Model::I82574l)), move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, family);
            let round = || {
                let vcs: Vec<_> = (0..3).map(|_| station.connected()).collect();
                assert!(exchange(&vcs, &[300], 3));
                let (last, others) = vcs.split_last().expect("three");
                for vc in others {
                    station.finish(vc);
                }
                let nobody = Destination { service: "no such service".to_owned(), ..Destination::default() };
                assert!(Caller::hang_up(last));
                assert_ne!(station.outcome(last, &nobody), status::SUCCESS);
                assert_eq!(client::delete_vc(last), status::SUCCESS);
                // Longer than a discovery lingers.
                sleep(Duration::from_mins(2));
                Machine::current().pool().bytes()
            };
            // The tables grow with the first calls.
            let first = round();
            let later = [round(), round()];
            // The simulator looks, too, when nobody is left.
            station.close();
            sleep(Duration::from_secs(100));
            station.adapter.pause();
            station.adapter.halt(HaltAction::DeviceDisabled);
            driver.unload();
            (first, later)
        });
        let (first, later) = run.clean();
        assert_eq!(later, [first; 2], "bytes of pool after each round");
    }
}
