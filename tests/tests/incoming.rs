//! Calls that come in: hosts on the wire dial the card, whose clients take the calls or do not.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{Course, Family, Readings, Value, client, oid::OidRequest, status, wait_for},
    nic::Model,
    wire::{
        access_concentrator::Settings,
        frame::{DISCOVERY, Frame, code, tag},
        host::{CallState, Control, Dial},
    },
};
use scenarios::{
    Answer, Caller, Record, Setup,
    blocks::{self, Destination},
    caller::PATIENCE,
    office::{Office, card, gone, story},
    station::exchange,
};

const FAMILIES: [u32; 2] = [Family::TAPI_PROXY, Family::PPP];
/// The ways in which a client can take a call.
const YES: [Answer; 3] =
    [Answer::Now(status::SUCCESS), Answer::Inline(status::SUCCESS), Answer::Elsewhere(status::SUCCESS)];

/// A host of its own address.
fn host(number: u8) -> Dial {
    Dial { mac: [0x02, 0, 0, 0, 0xbb, number], ..Dial::default() }
}

// covers: NdisMCmCreateVc, NdisMCmDispatchIncomingCall, CmIncomingCallComplete, NdisMCmDispatchCallConnected
// covers: NdisMCmDeleteVc, CmCloseCall, SEQ:incoming-call-accepted, RFC2516:5.2, RFC2516:5.4
#[test]
fn a_host_calls_talks_and_is_hung_up_on() {
    for (seed, model) in (1..).zip(Model::ALL) {
        for family in FAMILIES {
            for answer in YES {
                let control = Control::new();
                let setup = Setup::new(seed, card(model, &control));
                let run = story(setup, &control, family, answer, |office| {
                    let (call, vc) = office.connected(Dial::default());
                    assert!(exchange(&[Rc::clone(&vc)], &[42, 512, 1494], 10), "frames of the call");
                    Office::hang_up(&vc);
                    office.becomes(call, &CallState::EndedByPeer);
                });
                run.clean();
            }
        }
    }
}

// covers: NdisMCmActivateVc, CmActivateVcComplete, NdisMCmDeactivateVc, CmDeactivateVcComplete
// covers: SEQ:activation-pended, SEQ:incoming-call-accepted, SEQ:outgoing-call
// covers: SEQ:answer-modes
#[test]
fn activation_and_deactivation_may_pend() {
    for (seed, course) in (1..).zip([Course::Announced, Course::Inline, Course::Later, Course::Drawn]) {
        for every_answer_completed in [false, true] {
            let control = Control::new();
            let readings = Readings {
                activation: course,
                deactivation: course,
                every_answer_completed,
                ..Readings::default()
            };
            let card = card(Model::ALL[usize::try_from(seed % 3).unwrap()], &control);
            let setup = Setup { readings: Some(readings), ..Setup::new(seed, card) };
            let answer = YES[usize::try_from(seed % 3).unwrap()];
            let run = story(setup, &control, Family::TAPI_PROXY, answer, |office| {
                let (_, incoming) = office.connected(Dial::default());
                let outgoing = office.station.connected();
                assert!(exchange(&[Rc::clone(&incoming), Rc::clone(&outgoing)], &[42, 1494], 10), "frames");
                Office::hang_up(&incoming);
                // The VC of the outgoing call serves twice.
                assert!(Caller::hang_up(&outgoing));
                assert_eq!(office.station.outcome(&outgoing, &Destination::default()), status::SUCCESS);
                office.station.finish(&outgoing);
                // One is rejected, on an active VC.
                office.station.caller.answer.set(Answer::Now(status::NOT_ACCEPTED));
                let (call, vc, _) = office.ringing(host(2));
                assert!(matches!(office.settled(call).state, CallState::Refused(..)));
                assert!(wait_for(PATIENCE, || !vc.is_active()));
            });
            run.clean();
        }
    }
}

// covers: SEQ:incoming-call-rejected, RFC2516:5.4, RFC2516:A, CmIncomingCallComplete
#[test]
fn clients_reject_calls_and_hosts_are_told_why() {
    let reasons = [
        (status::NOT_ACCEPTED, tag::GENERIC_ERROR),
        (status::TAPI_DISCONNECTMODE_BUSY, tag::AC_SYSTEM_ERROR),
        (status::RESOURCES, tag::AC_SYSTEM_ERROR),
        (status::TAPI_DISCONNECTMODE_BADADDRESS, tag::SERVICE_NAME_ERROR),
    ];
    for (seed, (reason, error)) in (1..).zip(reasons) {
        for answer in [Answer::Now(reason), Answer::Inline(reason), Answer::Elsewhere(reason)] {
            let control = Control::new();
            let setup = Setup::new(seed, card(Model::I82540em, &control));
            let run = story(setup, &control, Family::TAPI_PROXY, answer, move |office| {
                let (call, ..) = office.ringing(Dial::default());
                let CallState::Refused(kind, text) = office.settled(call).state else {
                    panic!("{:?}", office.control.call(call))
                };
                assert_eq!(kind, error, "{text}");
                assert!(!text.is_empty());
                // The line is free again.
                office.station.caller.answer.set(Answer::Now(status::SUCCESS));
                let (_, vc) = office.connected(host(2));
                Office::hang_up(&vc);
            });
            run.clean();
        }
    }
    // A client without a VC for it.
    let control = Control::new();
    let setup = Setup::new(9, card(Model::I82540em, &control));
    let run = story(setup, &control, Family::PPP, Answer::NoVc, |office| {
        let call = office.control.dial(Dial::default());
        assert!(matches!(office.settled(call).state, CallState::Refused(..)));
    });
    run.clean();
}

// covers: CmIncomingCallComplete, SEQ:incoming-call-rejected
#[test]
fn an_answer_that_says_that_it_is_none_is_a_refusal() {
    // NdisClIncomingCallComplete takes any status but NDIS_STATUS_PENDING.
    for (seed, answer) in (1..).zip([Answer::Inline(status::PENDING), Answer::Elsewhere(status::PENDING)]) {
        for family in FAMILIES {
            let control = Control::new();
            let setup = Setup::new(seed, card(Model::I82574l, &control));
            let run = story(setup, &control, family, answer, |office| {
                let (call, _, record) = office.ringing(Dial::default());
                let state = office.settled(call).state;
                assert!(matches!(state, CallState::Refused(tag::GENERIC_ERROR, _)), "{state:?}");
                gone(&record);
                office.station.caller.answer.set(Answer::Now(status::SUCCESS));
                let (_, vc) = office.connected(host(2));
                Office::hang_up(&vc);
            });
            run.clean();
        }
    }
}

// covers: NdisMCmDispatchIncomingCloseCall, SEQ:incoming-call-closed-by-peer
#[test]
fn hosts_end_their_calls() {
    for seed in 0..12 {
        let control = Control::new();
        let model = Model::ALL[usize::try_from(seed % 3).unwrap()];
        let (at_once, answer) = (seed % 2 == 0, YES[usize::try_from(seed / 2 % 3).unwrap()]);
        let setup = Setup { readings: None, windows: None, ..Setup::new(seed, card(model, &control)) };
        let run =
            story(setup, &control, FAMILIES[usize::try_from(seed % 2).unwrap()], answer, move |office| {
                office.station.caller.close_at_once.set(at_once);
                // At any moment, that of the connection included.
                let after = Duration::from_micros(Machine::current().below(300));
                let (call, vc, record) =
                    office.ringing(Dial { hang_up: Some(after), eager: true, ..Dial::default() });
                office.becomes(call, &CallState::HungUp);
                assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "the client is not told");
                assert_eq!(record.ended.get(), Some(status::TAPI_DISCONNECTMODE_NORMAL));
                if at_once {
                    assert!(wait_for(PATIENCE, || record.closed.get()));
                } else {
                    assert!(Caller::hang_up(&vc));
                }
                gone(&record);
                assert_eq!(office.control.count(code::PADT), 0, "a PADT is not answered");
            });
        run.clean();
    }
}

// covers: SEQ:incoming-call-peer-gone, NdisMCmDispatchIncomingCloseCall
#[test]
fn a_call_that_nobody_answers_is_taken_back() {
    for seed in 0..4 {
        let control = Control::new();
        let setup = Setup::new(seed, card(Model::I82574l, &control));
        let run = story(
            setup,
            &control,
            FAMILIES[usize::try_from(seed % 2).unwrap()],
            Answer::Later,
            move |office| {
                let (call, vc, record) = office.ringing(Dial::default());
                office.becomes(call, &CallState::NoAnswer);
                assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "it rings forever");
                match seed {
                    // It closes, as the page of ProtocolClIncomingCloseCall says.
                    0 => assert!(Caller::hang_up(&vc)),
                    // It accepts what is over, at another rate, and then closes.
                    1 => {
                        client::ask_for_rate(&vc, 1_000_000);
                        client::accept_call(&vc, status::SUCCESS);
                        assert!(Caller::hang_up(&vc));
                    }
                    // It rejects.
                    _ => client::accept_call(&vc, status::NOT_ACCEPTED),
                }
                gone(&record);
                assert_eq!(office.control.count(code::PADS), 0);
            },
        );
        run.clean();
    }
}

// covers: CmCloseCall, SEQ:incoming-call-closed-by-client
#[test]
fn clients_close_calls_before_they_are_up() {
    for seed in 0..8 {
        for answer in [Answer::Close, Answer::Later, YES[0], YES[1], YES[2]] {
            let control = Control::new();
            let model = Model::ALL[usize::try_from(seed % 3).unwrap()];
            let setup = Setup { readings: None, windows: None, ..Setup::new(seed, card(model, &control)) };
            let family = FAMILIES[usize::try_from(seed % 2).unwrap()];
            let run = story(setup, &control, family, answer, move |office| {
                office.station.caller.close_when_connected.set(true);
                let (call, vc, record) = office.ringing(Dial { eager: true, ..Dial::default() });
                match answer {
                    Answer::Later => assert!(Caller::hang_up(&vc)),
                    _ => assert!(wait_for(PATIENCE, || record.closed.get()), "the close does not end"),
                }
                gone(&record);
                let state = office.settled(call).state;
                match answer {
                    Answer::Close | Answer::Later => assert!(matches!(state, CallState::Refused(..))),
                    _ => office.becomes(call, &CallState::EndedByPeer),
                }
            });
            run.clean();
        }
    }
}

// covers: SEQ:close-from-both-sides, RFC2516:5.5
#[test]
fn both_sides_hang_up_at_the_same_time() {
    for seed in 0..24 {
        let control = Control::new();
        let model = Model::ALL[usize::try_from(seed % 3).unwrap()];
        let setup = Setup { readings: None, windows: None, ..Setup::new(seed, card(model, &control)) };
        let run = story(setup, &control, FAMILIES[usize::try_from(seed % 2).unwrap()], YES[1], |office| {
            let (call, vc) = office.connected(Dial::default());
            let record = Record::of(&vc);
            office.control.hang_up(call);
            scenarios::lab::sleep_below(1200);
            assert!(Caller::hang_up(&vc), "the close does not end");
            gone(&record);
        });
        run.clean();
    }
}

// covers: SEQ:line-limit, RFC2516:A
#[test]
fn there_are_no_more_calls_than_lines() {
    for family in FAMILIES {
        let control = Control::new();
        let mut card = card(Model::I82574l, &control);
        card.keywords.insert("WanEndpoints".to_owned(), Value::Integer(2));
        let run = story(Setup::new(1, card), &control, family, YES[0], move |office| {
            // A SAP for each line; the station has one for the first.
            let second_sap = (family == Family::TAPI_PROXY).then(|| {
                let (kind, sap) = (blocks::TAPI_SAP, blocks::tapi_sap(1));
                client::register_sap(&office.station.af, kind, &sap).1
            });
            let (_, first) = office.connected(host(1));
            let (_, second) = office.connected(host(2));
            // Who asks now is not offered anything, or is told that there is no room.
            let third = office.control.dial(host(3));
            let state = office.settled(third).state;
            let refused = matches!(state, CallState::Refused(tag::AC_SYSTEM_ERROR, _) | CallState::NoAnswer);
            assert!(refused, "{state:?}");
            if family == Family::TAPI_PROXY {
                let vc = office.station.vc();
                let status = office.station.outcome(&vc, &Destination::default());
                assert_eq!(status::name(status), "TAPI_INUSE");
                assert_eq!(client::delete_vc(&vc), status::SUCCESS);
            }
            Office::hang_up(&first);
            let (_, fourth) = office.connected(host(4));
            for vc in [second, fourth] {
                Office::hang_up(&vc);
            }
            if let Some(sap) = second_sap {
                assert_eq!(client::deregister_sap(&sap), status::SUCCESS);
            }
        });
        run.clean();
    }
}

// covers: CmRegisterSap, CmDeregisterSap, SEQ:sap-matching, RFC2516:5.1, RFC2516:5.2
#[test]
fn calls_reach_the_sap_that_names_their_service() {
    let control = Control::new();
    let mut card = card(Model::I82545em, &control);
    // The other peer on the cable has other services.
    card.peer = Settings { services: vec!["elsewhere".to_owned()], ..Settings::default() };
    let run = story(Setup::new(1, card), &control, Family::PPP, YES[0], |office| {
        assert_eq!(client::deregister_sap(&office.station.sap), status::SUCCESS);
        let dial = |service: &str, number| Dial { service: service.to_owned(), ..host(number) };
        // Without a SAP nothing is offered.
        let nobody = office.control.dial(dial("", 1));
        assert_eq!(office.settled(nobody).state, CallState::NoAnswer);
        let saps = ["internet", "voice"].map(|name| {
            let (status, sap) =
                client::register_sap(&office.station.af, blocks::PPP_TYPE, &blocks::ppp_sap(name));
            assert_eq!(status, status::SUCCESS);
            sap
        });
        let other = office.control.dial(dial("video", 2));
        assert_eq!(office.settled(other).state, CallState::NoAnswer);
        for (number, service) in [(3, "voice"), (4, "")] {
            let (call, vc) = office.connected(dial(service, number));
            let view = office.control.call(call).expect("a call");
            assert!(view.services.iter().any(|name| name == "internet"), "{:?}", view.services);
            assert!(view.services.iter().any(|name| name == "voice"), "{:?}", view.services);
            assert_eq!(view.ac_name, "mcm-020000000001");
            Office::hang_up(&vc);
        }
        // A SAP goes while a call is up, and while one is offered: both stay as they are.
        let (_, up) = office.connected(dial("internet", 5));
        office.station.caller.answer.set(Answer::Later);
        let (call, offered, record) = office.ringing(dial("voice", 6));
        for sap in &saps {
            assert_eq!(client::deregister_sap(sap), status::SUCCESS);
        }
        client::accept_call(&offered, status::SUCCESS);
        assert!(matches!(office.settled(call).state, CallState::Up(_)));
        assert!(wait_for(PATIENCE, || record.is_up()));
        assert!(exchange(&[Rc::clone(&up), Rc::clone(&offered)], &[100], 5));
        let late = office.control.dial(dial("voice", 7));
        assert_eq!(office.settled(late).state, CallState::NoAnswer);
        for vc in [up, offered] {
            Office::hang_up(&vc);
        }
    });
    run.clean();
}

// covers: RFC4638:PPP-Max-Payload
#[test]
fn an_offer_says_who_calls_and_for_what() {
    for family in FAMILIES {
        let control = Control::new();
        let mut card = card(Model::I82574l, &control);
        card.keywords.insert("MaxPayload".to_owned(), Value::Integer(1500));
        let run = story(Setup::new(1, card), &control, family, YES[2], move |office| {
            let dial = Dial { service: "isp".to_owned(), max_payload: 1500, ..Dial::default() };
            let mac = dial.mac;
            let (call, vc) = office.connected(dial);
            let offer = Record::of(&vc).offer.borrow().clone().expect("an offer");
            let manager = offer.call_manager.expect("call manager parameters");
            for flow in [manager.transmit, manager.receive] {
                assert_eq!((flow.peak_bandwidth, flow.token_rate), (125_000_000, 125_000_000));
                assert_eq!(flow.max_sdu_size, 1500);
            }
            let media = offer.media.expect("media parameters");
            assert_eq!(media.flags, 0xC, "TRANSMIT_VC | RECEIVE_VC");
            let block = media.specific.parameters;
            if family == Family::TAPI_PROXY {
                blocks::check_tapi_offer(&block, 0, mac, "isp");
            } else {
                assert_eq!(media.specific.param_type, blocks::PPP_TYPE);
                blocks::check_ppp_offer(&block, mac, "isp", 1500);
            }
            assert_eq!(office.control.call(call).unwrap().max_payload, Some(1500));
            assert!(exchange(&[Rc::clone(&vc)], &[1502], 5), "frames of RFC 4638");
            Office::hang_up(&vc);
        });
        run.clean();
    }
}

// covers: OID_CO_TAPI_GET_CALL_DIAGNOSTICS@cm, OID_WAN_CO_GET_LINK_INFO@co, SEQ:incoming-call-accepted, RFC5578:metrics
#[test]
fn a_call_that_came_in_says_so() {
    let control = Control::new();
    let setup = Setup::new(1, card(Model::I82574l, &control));
    let run = story(setup, &control, Family::TAPI_PROXY, YES[0], |office| {
        let (_, vc) = office.connected(Dial::default());
        // LINECALLORIGIN_INBOUND, LINECALLREASON_DIRECT, and nothing said.
        let request = OidRequest::query(0xFE00_1007, 24);
        let data = client::cm_oid_request(&office.station.af, Some(&vc), request).data;
        assert_eq!(data[..8], [0x80, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(data[8..10], [0, 0]);
        let request = OidRequest::query(0x0401_0182, 32);
        let data = client::co_oid_request(&office.station.adapter, Some(&vc), request).data;
        assert_eq!(data[..4], 1492_u32.to_le_bytes());
        // Metrics of the host's link are the call's here too: 10 Mbit/s.
        let seen = office.control.seen();
        let pads = seen.iter().find(|frame| frame.code == code::PADS).expect("a PADS");
        Record::of(&vc).indications.take();
        office.control.inject(&Frame {
            destination: pads.source,
            source: pads.destination,
            ethertype: DISCOVERY,
            code: 0x0C,
            session: pads.session,
            payload: vec![0x01, 0x07, 0, 10, 0, 0b0_1010, 80, 50, 0, 10, 0, 10, 0, 10],
        });
        assert!(wait_for(PATIENCE, || !Record::of(&vc).indications.borrow().is_empty()), "no indication");
        let told = Record::of(&vc).indications.take();
        assert_eq!((told[0].code, &told[0].data[4..8]), (0x4001_0025, &1_250_000_u32.to_le_bytes()[..]));
        Office::hang_up(&vc);
    });
    run.clean();
}
