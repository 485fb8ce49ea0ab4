//! Calls that come up, and what the client can do with them.

use std::rc::Rc;

use ndis_sim::{
    ndis::{Family, Value, client, oid::OidRequest, status, wait_for},
    nic::Model,
    wire::frame::{DISCOVERY, code, tag},
};
use scenarios::{
    Card, Record, Setup, Station, blocks,
    caller::PATIENCE,
    lab, seeds, some_of,
    station::exchange,
    stories::{self, SIZES},
    wires::{Pass, gated},
};

const FAMILIES: [u32; 2] = [Family::TAPI_PROXY, Family::PPP];

/// Every card with every family.
fn everywhere() -> impl Iterator<Item = (u64, Model, u32)> {
    let pairs = Model::ALL.into_iter().flat_map(|model| FAMILIES.map(|family| (model, family)));
    (1..).zip(pairs).map(|(seed, (model, family))| (seed, model, family))
}

// covers: SEQ:outgoing-call, CmCreateVc, CmMakeCall, CmCloseCall, CmDeleteVc, MiniportCoSendNetBufferLists
// covers: MiniportReturnNetBufferLists, MiniportMessageInterrupt, MiniportMessageInterruptDPC
// covers: NdisMCmActivateVc, NdisMCmDeactivateVc, NdisMCmMakeCallComplete, NdisMCmCloseCallComplete
#[test]
fn a_call_on_every_card_and_family_carries_frames_of_every_size() {
    for (seed, model, family) in everywhere() {
        stories::calls(seed, Card::new(model), family, 1, SIZES.to_vec(), 40).clean();
    }
}

// covers: RFC2516:6
#[test]
fn frames_of_each_length_come_back() {
    let sizes: Vec<usize> = (42..=1494).step_by(11).collect();
    stories::calls(11, Card::new(Model::I82574l), Family::TAPI_PROXY, 1, sizes, 3).clean();
}

#[test]
fn one_to_sixteen_calls_are_up_at_once() {
    for calls in some_of(1..=16, 7) {
        let model = Model::ALL[calls % 3];
        let family = FAMILIES[calls % 2];
        stories::calls(calls as u64, Card::new(model), family, calls, vec![42, 700, 1494], 8).clean();
    }
}

// covers: SEQ:vc-reused
#[test]
fn a_vc_serves_several_calls() {
    for (seed, model, family) in everywhere() {
        stories::vc_used_again(seed, Card::new(model), family).clean();
    }
}

/// A client asks for a payload on a card whose keyword says another: what the peer is asked for in PADI and PADR, and the
/// largest frame of the call.
fn payload(seed: u64, keyword: u32, asked: u32) -> (Vec<Option<u16>>, u32) {
    let (mut card, lever) = gated(Card::new(Model::I82545em), Pass::Everything);
    card.keywords.insert("MaxPayload".to_owned(), Value::Integer(keyword));
    let run = lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::PPP);
        let vc = station.vc();
        let record = Rc::new(Record::default());
        vc.set_client_data(Rc::<Record>::clone(&record));
        assert_eq!(client::make_call(&vc, &blocks::call_for_payload(asked)), status::PENDING);
        assert!(wait_for(PATIENCE, || record.made.get().is_some()), "the call hangs");
        assert!(record.is_up(), "{:?}", record.made.get());
        let link = client::co_oid_request(&station.adapter, Some(&vc), OidRequest::query(0x0401_0182, 32));
        let largest = u32::from_le_bytes(link.data[..4].try_into().expect("four bytes"));
        let longest = usize::try_from(largest).expect("a small number") + 2;
        assert!(exchange(&[Rc::clone(&vc)], &[longest, 60], 3), "frames of {longest} bytes");
        station.finish(&vc);
        station.down();
        driver.unload();
        largest
    });
    let largest = run.clean();
    let requests = lever
        .sent()
        .into_iter()
        .filter(|frame| frame.ethertype == DISCOVERY && [code::PADI, code::PADR].contains(&frame.code));
    let tags = requests.map(|frame| {
        let tags = frame.tags().expect("tags");
        let value = tags.iter().find(|(kind, _)| *kind == tag::PPP_MAX_PAYLOAD).map(|(_, value)| *value);
        value.map(|value| u16::from_be_bytes(value.try_into().expect("two bytes")))
    });
    (tags.collect(), largest)
}

// covers: RFC4638:PPP-Max-Payload, CmMakeCall, OID_WAN_CO_GET_LINK_INFO@co
#[test]
fn a_call_asks_for_no_more_than_the_card_is_set_up_for() {
    for (seed, keyword) in (1..).zip([1492, 1496, 1500]) {
        for asked in [0, 1492, 1495, 1498, 1500, 65_535] {
            let granted = asked.max(1492).min(keyword);
            let (tags, largest) = payload(seed, keyword, asked);
            let wanted = u16::try_from(granted).ok().filter(|&octets| octets > 1492);
            assert!(tags.len() >= 2, "a PADI and a PADR");
            assert!(tags.iter().all(|&tag| tag == wanted), "{asked} of {keyword}: {tags:?}");
            assert_eq!(largest, granted, "{asked} of {keyword}");
        }
    }
}

// covers: SEQ:close-with-data-in-flight, MiniportReturnNetBufferLists
#[test]
fn frames_under_way_do_not_survive_their_call() {
    for (seed, model, family) in everywhere() {
        stories::closed_under_way(seed, Card::new(model), family).clean();
    }
}

// covers: SEQ:close-while-connecting, CmCloseCall
#[test]
fn a_client_may_give_up_at_any_stage() {
    for (seed, model, family) in everywhere() {
        let stages =
            [(Pass::Nothing, 1), (Pass::Offers, 1), (Pass::Nothing, 3_000_000), (Pass::Offers, 3_000_000)];
        for (pass, after) in some_of(stages, 3) {
            let run = stories::cancelled(seed, Card::new(model), family, pass, after);
            // The gate drops the PADS: the peer has a session of which the host never heard.
            let status = if pass == Pass::Offers { run.clean_but_for_sessions() } else { run.clean() };
            assert_eq!(status, status::REQUEST_ABORTED, "{model}, {pass:?}");
        }
    }
}

// covers: SEQ:close-races-connect, CmCloseCall
#[test]
fn a_client_may_give_up_while_the_call_comes_up() {
    // From the PADI to the PADS and a little beyond; the session may be up or not when the close comes.
    for seed in seeds(60) {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        let run = stories::cancelled(seed, Card::new(model), Family::TAPI_PROXY, Pass::Everything, 700);
        let status = run.clean();
        assert!([status::SUCCESS, status::REQUEST_ABORTED].contains(&status), "{}", status::name(status));
    }
}

// covers: RFC2516:5.5
#[test]
fn a_session_that_comes_too_late_is_terminated() {
    for (seed, model, family) in everywhere() {
        stories::cancelled_before_confirmation(seed, Card::new(model), family).clean();
    }
}
