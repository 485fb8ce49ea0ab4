//! What the adapter offers to hosts that call it: as the registry says, and as its clients' SAPs do.

// all cover: CmRegisterSap

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{Family, Value, client, status, wait_for},
    nic::Model,
    wire::{
        access_concentrator::Settings,
        frame::{BROADCAST, DISCOVERY, Frame, code, push_tag, tag},
        host::{CallState, Control, Dial},
    },
};
use scenarios::{
    Answer, Caller, Record, Run, Setup,
    blocks::{self, Destination},
    caller::PATIENCE,
    lab,
    office::{Office, card, story},
    station,
};

/// How clients take calls.
const YES: Answer = Answer::Now(status::SUCCESS);
/// `LINEMEDIAMODE_UNKNOWN`, `LINEMEDIAMODE_INTERACTIVEVOICE`, `LINEMEDIAMODE_DIGITALDATA`.
const UNKNOWN: u32 = 0x2;
const VOICE: u32 = 0x4;
const DIGITAL_DATA: u32 = 0x100;
/// `CO_TAPI_LINE_ID_UNSPECIFIED`.
const ANY: u32 = u32::MAX;

/// A call of a host of its own.
fn dial(number: u16, service: &str) -> Dial {
    let [high, low] = number.to_be_bytes();
    Dial { mac: [2, 0, 0, 1, high, low], service: service.to_owned(), ..Dial::default() }
}

/// Tells a story in an office with these keywords. The other peer on the cable has services that nobody asks for.
fn office(
    family: u32,
    keywords: &[(&str, Value)],
    answer: Answer,
    tell: impl FnOnce(&Office) + Send + 'static,
) -> Run<()> {
    let control = Control::new();
    let mut card = card(Model::I82574l, &control);
    card.peer = Settings { services: vec!["elsewhere".to_owned()], ..Settings::default() };
    card.keywords.extend(keywords.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    story(Setup::new(1, card), &control, family, answer, tell)
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

// covers: SEQ:sap-matching, RFC2516:5.1, RFC2516:5.2
#[test]
fn tapi_takes_calls_for_the_services_that_the_registry_lists() {
    let keywords =
        [("ConcentratorName", text("bras 1")), ("ConcentratorServices", text("internet, gr\u{f6}\u{df}e"))];
    let run = office(Family::TAPI_PROXY, &keywords, YES, |office| {
        for (number, service) in [(1, ""), (2, "internet"), (3, "gr\u{f6}\u{df}e")] {
            let (call, vc) = office.connected(dial(number, service));
            let view = office.control.call(call).expect("a call");
            assert_eq!(view.ac_name, "bras 1");
            let names: Vec<_> =
                view.services.iter().map(String::as_str).filter(|it| *it != service).collect();
            assert!(names.iter().all(|it| ["internet", "gr\u{f6}\u{df}e"].contains(it)), "{names:?}");
            assert_eq!(names.len(), if service.is_empty() { 2 } else { 1 });
            Office::hang_up(&vc);
        }
        let other = office.control.dial(dial(4, "voice"));
        assert_eq!(office.settled(other).state, CallState::NoAnswer);
    });
    run.clean();
    // It says nothing about the SAPs of clients that name their services, nor for them.
    let run = office(Family::PPP, &keywords, YES, |office| {
        let (call, vc) = office.connected(dial(1, "voice"));
        let view = office.control.call(call).expect("a call");
        assert_eq!((view.ac_name.as_str(), &view.services[..]), ("bras 1", &["voice".to_owned()][..]));
        Office::hang_up(&vc);
    });
    run.clean();
}

// covers: SEQ:sap-matching
#[test]
fn tapi_takes_calls_of_its_media_modes() {
    let run = office(Family::TAPI_PROXY, &[], YES, |office| {
        assert_eq!(client::deregister_sap(&office.station.sap), status::SUCCESS);
        let register = |modes| {
            let sap = ndis_sim::clients::tapi_proxy::sap(ANY, ANY, modes);
            client::register_sap(&office.station.af, blocks::TAPI_SAP, &sap)
        };
        // No line can carry voice.
        assert_eq!(register(VOICE).0, status::INVALID_DATA);
        // Who only makes calls is offered none.
        let (made, without) = register(0);
        assert_eq!(made, status::SUCCESS);
        let call = office.control.dial(dial(1, ""));
        assert_eq!(office.settled(call).state, CallState::NoAnswer);
        for (number, modes, offered) in [
            (2, DIGITAL_DATA, DIGITAL_DATA),
            (3, VOICE | UNKNOWN | DIGITAL_DATA, DIGITAL_DATA),
            (4, UNKNOWN, UNKNOWN | DIGITAL_DATA),
        ] {
            let (made, sap) = register(modes);
            assert_eq!(made, status::SUCCESS, "{modes:#x}");
            let (_, vc) = office.connected(dial(number, ""));
            let offer =
                Record::of(&vc).offer.borrow().clone().and_then(|it| it.media).expect("media parameters");
            // ulMediaMode of LINE_CALL_INFO, which lies at 32.
            let offered_as = offer.specific.parameters[64..68].try_into().expect("four bytes");
            assert_eq!(u32::from_le_bytes(offered_as), offered, "{modes:#x}");
            Office::hang_up(&vc);
            assert_eq!(client::deregister_sap(&sap), status::SUCCESS);
        }
        assert_eq!(client::deregister_sap(&without), status::SUCCESS);
    });
    run.clean();
}

#[test]
fn tapi_has_a_sap_for_each_line_that_it_does_not_name() {
    let run = office(Family::TAPI_PROXY, &[("WanEndpoints", Value::Integer(3))], YES, |office| {
        let sap = ndis_sim::clients::tapi_proxy::sap(ANY, ANY, DIGITAL_DATA);
        let register = || client::register_sap(&office.station.af, blocks::TAPI_SAP, &sap);
        let saps: Vec<_> = (0..3).map(|_| register()).collect();
        assert!(saps.iter().all(|(made, _)| *made == status::SUCCESS));
        assert_eq!(register().0, status::SAP_IN_USE);
        let calls: Vec<_> = (1..=3).map(|number| office.connected(dial(number, "")).1).collect();
        for vc in &calls {
            Office::hang_up(vc);
        }
        for (_, sap) in &saps {
            assert_eq!(client::deregister_sap(sap), status::SUCCESS);
        }
        let (made, sap) = register();
        assert_eq!((made, client::deregister_sap(&sap)), (status::SUCCESS, status::SUCCESS));
    });
    run.clean();
}

// covers: SEQ:line-limit, CmMakeCall
#[test]
fn all_calls_together_are_no_more_than_the_endpoints() {
    let run = office(Family::PPP, &[("WanEndpoints", Value::Integer(3))], YES, |office| {
        let other = Caller::new();
        office.station.adapter.bind(&(Rc::<Caller>::clone(&other) as _));
        let (af, sap) = station::open(&office.station.adapter, &other, Family::TAPI_PROXY);
        // One in, one out; then one of the other family, on the last line, which nobody has.
        let (_, taken) = office.connected(dial(1, ""));
        let elsewhere = Destination { service: "elsewhere".to_owned(), ..Destination::default() };
        let ours = [office.station.vc(), office.station.vc()];
        assert_eq!(office.station.outcome(&ours[0], &elsewhere), status::SUCCESS);
        let (made, theirs) = client::create_vc(&af);
        assert_eq!(made, status::SUCCESS);
        let record = Rc::new(Record::default());
        theirs.set_client_data(Rc::<Record>::clone(&record));
        let on_a_line = blocks::call(Family::TAPI_PROXY, &elsewhere);
        assert_eq!(client::make_call(&theirs, &on_a_line), status::PENDING);
        assert!(wait_for(PATIENCE, || record.made.get() == Some(status::SUCCESS)));
        // That is all.
        assert_eq!(status::name(office.station.outcome(&ours[1], &elsewhere)), "TAPI_INUSE");
        let late = office.control.dial(dial(2, ""));
        assert_eq!(office.settled(late).state, CallState::NoAnswer);
        // Each that ends leaves its place.
        Office::hang_up(&taken);
        assert_eq!(office.station.outcome(&ours[1], &elsewhere), status::SUCCESS);
        office.station.finish(&ours[1]);
        assert!(Caller::hang_up(&theirs));
        assert_eq!(client::delete_vc(&theirs), status::SUCCESS);
        let again: Vec<_> = (3..5).map(|number| office.connected(dial(number, "")).1).collect();
        for vc in &again {
            Office::hang_up(vc);
        }
        office.station.finish(&ours[0]);
        assert_eq!(client::deregister_sap(&sap), status::SUCCESS);
        assert_eq!(client::close_address_family(&af), status::SUCCESS);
    });
    run.clean();
}

// covers: RFC2516:9, BUG:padi-flood
#[test]
fn the_registry_says_how_many_answers_there_are() {
    for (rate, most) in [(10, 12), (1000, 625)] {
        let run = office(Family::PPP, &[("ConcentratorAnswers", Value::Integer(rate))], YES, move |office| {
            for number in 0..4000_u16 {
                let mut payload = Vec::new();
                push_tag(&mut payload, tag::SERVICE_NAME, b"");
                let [high, low] = number.to_be_bytes();
                office.control.inject(&Frame {
                    destination: BROADCAST,
                    source: [2, 1, 0, 0, high, low],
                    ethertype: DISCOVERY,
                    code: code::PADI,
                    session: 0,
                    payload,
                });
                if number % 100 == 0 {
                    lab::sleep(Duration::from_millis(12));
                }
            }
            // Half a second, and half of a burst.
            let offers = office.control.count(code::PADO);
            assert!((most / 4..=most).contains(&offers), "{offers} offers, at most {most} may be");
        });
        run.clean();
    }
}

// covers: RFC2516:8
#[test]
fn the_registry_says_how_many_requests_there_are() {
    let run = office(Family::PPP, &[("ConcentratorRequests", Value::Integer(4))], YES, |office| {
        let calls: Vec<_> = (1..=6).map(|number| office.control.dial(dial(number, ""))).collect();
        let up =
            |call: &usize| matches!(office.control.call(*call).map(|it| it.state), Some(CallState::Up(_)));
        lab::sleep(Duration::from_secs(4));
        assert_eq!(calls.iter().filter(|call| up(call)).count(), 4);
        // The others are not refused, and get on when those before them are forgotten.
        let start = Machine::current().now();
        let mut calls = calls;
        while !calls.iter().all(up) {
            assert!(Machine::current().now() < start + Duration::from_secs(40));
            lab::sleep(Duration::from_secs(1));
            for call in &mut calls {
                let view = office.control.call(*call).expect("was dialled");
                assert!(!matches!(view.state, CallState::Refused(..)), "{view:?}");
                if view.state == CallState::NoAnswer {
                    *call = office.control.dial(dial(100 + u16::try_from(*call).expect("few"), ""));
                }
            }
        }
        for (vc, _) in office.station.caller.offered.borrow().clone() {
            Office::hang_up(&vc);
        }
    });
    run.clean();
}
