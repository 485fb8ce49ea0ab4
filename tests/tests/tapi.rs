//! What NDPROXY, and TAPI behind it, is told and may ask: lines and their limits, parameters in and out, the modes in
//! which calls end, and what the peer said.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    ndis::{
        Family, Indication, Value, Vc,
        client::{self, Client},
        oid::{OidRequest, OidResult},
        parameters::CallParameters,
        status::{self, Status},
        wait_for,
    },
    nic::Model,
    wire::access_concentrator::{self, HangUp, Mode},
};
use scenarios::{
    Caller, Card, Record, Setup, Station,
    blocks::{self, Destination},
    caller::PATIENCE,
    lab, station,
};

const CM_CAPS: u32 = 0xFE00_1001;
const LINE_CAPS: u32 = 0xFE00_1002;
const ADDRESS_CAPS: u32 = 0xFE00_1003;
const GET_CALL_DIAGNOSTICS: u32 = 0xFE00_1007;
const WAN_LINE_COUNT: u32 = 0x0401_010A;
const WAN_CO_GET_INFO: u32 = 0x0401_0180;
const WAN_CO_SET_LINK_INFO: u32 = 0x0401_0181;
const WAN_CO_GET_LINK_INFO: u32 = 0x0401_0182;
/// `NDIS_STATUS_TAPI_INUSE`, `..._NODEVICE`, `..._INVALADDRESSID`, `..._INVALCALLPARAMS`.
const INUSE: Status = 0xC001_2008_u32.cast_signed();
const NODEVICE: Status = 0xC001_201E_u32.cast_signed();
const INVALADDRESSID: Status = 0xC001_200A_u32.cast_signed();
const INVALCALLPARAMS: Status = 0xC001_200E_u32.cast_signed();

fn with(keywords: &[(&str, u32)], peer: access_concentrator::Settings) -> Card {
    let mut card = Card { peer, ..Card::new(Model::I82574l) };
    for &(name, value) in keywords {
        card.keywords.insert(name.to_owned(), Value::Integer(value));
    }
    card
}

fn word(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(data[at..at + 4].try_into().expect("four bytes"))
}

/// The block of a call on a line, to anybody.
fn on_line(line: u32) -> CallParameters {
    altered(|block| block[..4].copy_from_slice(&line.to_le_bytes()))
}

/// A call to `ac\isp` with another block than a proper client's.
fn altered(change: impl FnOnce(&mut Vec<u8>)) -> CallParameters {
    let to = Destination { ac: "AC-sim".to_owned(), service: "internet".to_owned() };
    let mut call = blocks::call(Family::TAPI_PROXY, &to);
    change(&mut call.media.as_mut().expect("media parameters").specific.parameters);
    call
}

/// Makes a call with these parameters and waits for its end.
fn make(vc: &Rc<Vc>, parameters: &CallParameters) -> Status {
    let record = Rc::new(Record::default());
    vc.set_client_data(Rc::<Record>::clone(&record));
    let status = client::make_call(vc, parameters);
    if status != status::PENDING {
        record.made.set(Some(status));
    }
    assert!(wait_for(PATIENCE, || record.made.get().is_some()), "the call neither comes up nor fails");
    record.made.get().expect("just waited for")
}

/// A query of the call manager that says which line, and how much room there is.
fn caps(station: &Station, oid: u32, line: u32, room: usize) -> OidResult {
    let before = if oid == LINE_CAPS { 8 } else { 12 };
    let mut buffer = vec![0; before + room];
    buffer[..4].copy_from_slice(&line.to_le_bytes());
    buffer[before..before + 4].copy_from_slice(&u32::try_from(room).expect("short").to_le_bytes());
    client::cm_oid_request(&station.af, None, OidRequest::query_with(oid, &buffer))
}

// covers: CmMakeCall, CmOidRequest, OID_CO_TAPI_CM_CAPS@cm, OID_CO_TAPI_LINE_CAPS@cm, OID_CO_TAPI_ADDRESS_CAPS@cm
// covers: OID_WAN_LINE_COUNT@co, SEQ:line-in-use
#[test]
fn there_are_as_many_lines_as_endpoints_and_each_carries_one_call() {
    let card = with(&[("WanEndpoints", 3)], access_concentrator::Settings::default());
    let run = lab::run(Setup::new(1, card), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let count = client::co_oid_request(&station.adapter, None, OidRequest::query(WAN_LINE_COUNT, 4));
        let manager = client::cm_oid_request(&station.af, None, OidRequest::query(CM_CAPS, 12));
        assert_eq!((word(&count.data, 0), word(&manager.data, 4)), (3, 3));
        for line in [0, 2, u32::MAX] {
            let dev = caps(&station, LINE_CAPS, line, 400);
            let address = caps(&station, ADDRESS_CAPS, line, 300);
            assert_eq!((dev.status, address.status), (status::SUCCESS, status::SUCCESS), "line {line}");
            // ulMaxNumActiveCalls of the line and of its address, ulPermanentLineID counts up.
            assert_eq!((word(&dev.data, 8 + 116), word(&address.data, 12 + 84)), (1, 1));
        }
        let permanent = |line| word(&caps(&station, LINE_CAPS, line, 400).data, 8 + 28);
        assert_eq!(permanent(2), permanent(0).wrapping_add(2));
        for oid in [LINE_CAPS, ADDRESS_CAPS] {
            assert_eq!(caps(&station, oid, 3, 400).status, NODEVICE);
        }
        let vcs: Vec<_> = (0..4).map(|_| station.vc()).collect();
        assert_eq!(make(&vcs[0], &on_line(1)), status::SUCCESS);
        assert_eq!(make(&vcs[1], &on_line(1)), INUSE);
        assert_eq!(make(&vcs[1], &on_line(u32::MAX)), status::SUCCESS);
        assert_eq!(make(&vcs[2], &on_line(u32::MAX)), status::SUCCESS);
        for line in [0, 1, 2, u32::MAX] {
            assert_eq!(make(&vcs[3], &on_line(line)), INUSE, "line {line}");
        }
        assert_eq!(make(&vcs[3], &on_line(3)), NODEVICE);
        // Clients that know no lines have no more endpoints.
        let other = Caller::new();
        let bound: Rc<dyn Client> = Rc::<Caller>::clone(&other);
        station.adapter.bind(&bound);
        let (af, sap) = station::open(&station.adapter, &other, Family::PPP);
        let (made, vc) = client::create_vc(&af);
        assert_eq!(made, status::SUCCESS);
        assert_eq!(make(&vc, &blocks::call(Family::PPP, &Destination::default())), INUSE);
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        if client::deregister_sap(&sap) == status::PENDING {
            assert!(wait_for(PATIENCE, || other.sap_deregistered.get()));
        }
        if client::close_address_family(&af) == status::PENDING {
            assert!(wait_for(PATIENCE, || other.closed.get()));
        }
        // A line is free again when its call is closed, and when a call on it fails.
        assert!(Caller::hang_up(&vcs[0]));
        let nobody = Destination { service: "no such service".to_owned(), ..Destination::default() };
        assert_eq!(station.outcome(&vcs[3], &nobody), status::TAPI_DISCONNECTMODE_NOANSWER);
        assert_eq!(make(&vcs[3], &on_line(1)), status::SUCCESS);
        for vc in &vcs[1..] {
            assert!(Caller::hang_up(vc));
        }
        for vc in &vcs {
            assert_eq!(client::delete_vc(vc), status::SUCCESS);
        }
        station.down();
        driver.unload();
    });
    run.clean();
}

// covers: CmMakeCall, SEQ:make-call-refused
#[test]
fn parameters_that_are_wrong_end_in_a_status_that_says_so() {
    let run = lab::run(Setup::new(2, Card::new(Model::I82574l)), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.vc();
        let put = |at: usize, value: u32| {
            altered(move |block| block[at..at + 4].copy_from_slice(&value.to_le_bytes()))
        };
        let cases: Vec<(&str, CallParameters, Status)> = vec![
            ("a block that ends too early", altered(|block| block.truncate(47)), INVALCALLPARAMS),
            ("no block", altered(Vec::clear), INVALCALLPARAMS),
            ("a block of 5,000 bytes", altered(|block| block.resize(5000, 0)), INVALCALLPARAMS),
            ("an incoming call", put(8, 2), INVALCALLPARAMS),
            ("an unknown flag", put(8, 0x41), INVALCALLPARAMS),
            ("a destination in the fixed part", put(24, 0), INVALCALLPARAMS),
            ("a destination behind the end", put(24, 4000), INVALCALLPARAMS),
            (
                "no call parameters, and no word that the defaults will do",
                altered(|block| block[8] = 1),
                status::SUCCESS,
            ),
            ("no such line", put(0, 32), NODEVICE),
            ("no such address", put(4, 1), INVALADDRESSID),
            (
                "a destination of an odd number of bytes",
                altered(|block| block[16] -= 1),
                status::TAPI_DISCONNECTMODE_BADADDRESS,
            ),
            (
                "a destination with two separators",
                altered(|block| block[48 + 2 * "AC-sim\\".len()] = b'\\'),
                status::TAPI_DISCONNECTMODE_BADADDRESS,
            ),
            ("no media parameters", CallParameters { media: None, ..put(4, 0) }, status::INVALID_DATA),
            ("a query", CallParameters { flags: 4, ..put(4, 0) }, status::NOT_SUPPORTED),
            ("a multipoint call", CallParameters { flags: 0x10, ..put(4, 0) }, status::NOT_SUPPORTED),
            (
                "no call manager parameters",
                CallParameters { call_manager: None, ..put(4, 0) },
                status::SUCCESS,
            ),
        ];
        for (what, parameters, wanted) in cases {
            let found = make(&vc, &parameters);
            assert_eq!(found, wanted, "{what}: {}", status::name(found));
            if found == status::SUCCESS {
                assert!(Caller::hang_up(&vc));
            }
        }
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        station.down();
        driver.unload();
    });
    run.clean();
}

/// What a call on a card came to: `MaxSduSize` of its parameters, indicated MTU, `OID_WAN_CO_GET_INFO`'s and
/// `..._GET_LINK_INFO`'s largest frames.
fn sizes(card: Card) -> [u32; 4] {
    let run = lab::run(Setup::new(3, card), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        let ask =
            |oid, len| client::co_oid_request(&station.adapter, Some(&vc), OidRequest::query(oid, len)).data;
        let record = Record::of(&vc);
        let parameters = record.parameters.borrow().clone().expect("parameters");
        let manager = parameters.call_manager.expect("call manager parameters");
        // CALL_PARAMETERS_CHANGED, and a gigabit both ways.
        assert_eq!(parameters.flags & 2, 2);
        assert_eq!((manager.transmit.token_rate, manager.receive.peak_bandwidth), (125_000_000, 125_000_000));
        assert_eq!(manager.transmit.max_sdu_size, manager.receive.max_sdu_size);
        // WAN_CO_MTULINKPARAMS: version, both speeds, window, MTU.
        let indications = record.indications.borrow().clone();
        let [Indication { code: 0x4001_0025, data }] = &indications[..] else { panic!("{indications:x?}") };
        assert_eq!([word(data, 0), word(data, 4), word(data, 8)], [1, 125_000_000, 125_000_000]);
        assert_eq!(word(data, 12), word(&ask(WAN_CO_GET_INFO, 16), 4), "the send window");
        let link = ask(WAN_CO_GET_LINK_INFO, 32);
        // NDISWAN may lower the sizes, and not raise them: more is taken for as much as the VC has. The next call begins anew.
        let mut lower = link.clone();
        lower[..4].copy_from_slice(&1000_u32.to_le_bytes());
        let set = |data: &[u8]| {
            let request = OidRequest::set(WAN_CO_SET_LINK_INFO, data);
            client::co_oid_request(&station.adapter, Some(&vc), request).status
        };
        assert_eq!(set(&lower), status::SUCCESS);
        assert_eq!(ask(WAN_CO_GET_LINK_INFO, 32), lower);
        let mut higher = link.clone();
        higher[4..8].copy_from_slice(&(word(&link, 4) + 1).to_le_bytes());
        assert_eq!(set(&higher), status::SUCCESS);
        assert_eq!(ask(WAN_CO_GET_LINK_INFO, 32), link);
        let found = [
            manager.transmit.max_sdu_size,
            word(data, 16),
            word(&ask(WAN_CO_GET_INFO, 16), 0),
            word(&link, 0),
        ];
        assert!(Caller::hang_up(&vc));
        assert_eq!(station.outcome(&vc, &Destination::default()), status::SUCCESS);
        assert_eq!(ask(WAN_CO_GET_LINK_INFO, 32), link, "the second call");
        station.finish(&vc);
        station.down();
        driver.unload();
        found
    });
    run.clean()
}

// covers: NdisMCoIndicateStatusEx, OID_WAN_CO_GET_LINK_INFO@co, OID_WAN_CO_SET_LINK_INFO@co, RFC4638:PPP-Max-Payload
#[test]
fn a_call_is_as_wide_as_its_session_and_tells_ndiswan() {
    let peer = |max_payload| access_concentrator::Settings {
        max_payload,
        ..access_concentrator::Settings::default()
    };
    assert_eq!(sizes(with(&[], peer(1500))), [1492; 4]);
    assert_eq!(sizes(with(&[("MaxPayload", 1500)], peer(1500))), [1500; 4]);
    assert_eq!(sizes(with(&[("MaxPayload", 1500)], peer(1498))), [1498, 1498, 1500, 1498]);
    assert_eq!(sizes(with(&[("MaxPayload", 1500)], peer(1492))), [1492, 1492, 1500, 1492]);
}

/// `ulOrigin` and the text of `CO_TAPI_CALL_DIAGNOSTICS`.
fn diagnostics(station: &Station, vc: &Rc<Vc>) -> (u32, String) {
    let ask =
        |len| client::cm_oid_request(&station.af, Some(vc), OidRequest::query(GET_CALL_DIAGNOSTICS, len));
    let data = ask(ask(0).needed as usize).data;
    let length = usize::from(u16::from_le_bytes([data[8], data[9]]));
    let start = if length == 0 { data.len() } else { 8 + word(&data, 16) as usize };
    assert_eq!(word(&data, 4), 1, "LINECALLREASON_DIRECT");
    (word(&data, 0), String::from_utf8_lossy(&data[start..start + length]).into_owned())
}

// covers: CmMakeCall, OID_CO_TAPI_GET_CALL_DIAGNOSTICS@cm, SEQ:outgoing-call-fails, RFC2516:5.4, RFC2516:A
#[test]
fn a_refused_call_ends_in_a_mode_and_says_what_the_peer_said() {
    for (seed, mode, wanted, said) in [
        (1, Mode::ServiceNameError, status::TAPI_DISCONNECTMODE_BADADDRESS, "refused"),
        (2, Mode::AcSystemError, status::TAPI_DISCONNECTMODE_CONGESTION, "refused"),
        (3, Mode::GenericError, status::TAPI_DISCONNECTMODE_REJECT, "refused"),
        (4, Mode::Silent, status::TAPI_DISCONNECTMODE_NOANSWER, ""),
    ] {
        let card =
            with(&[], access_concentrator::Settings { mode, ..access_concentrator::Settings::default() });
        let run = lab::run(Setup::new(seed, card), move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
            let vc = station.vc();
            assert_eq!(diagnostics(&station, &vc), (1, String::new()), "before any call");
            assert_eq!(station.outcome(&vc, &Destination::default()), wanted, "{mode:?}");
            assert_eq!(diagnostics(&station, &vc), (1, said.to_owned()), "{mode:?}");
            assert_eq!(client::delete_vc(&vc), status::SUCCESS);
            station.down();
            driver.unload();
        });
        run.clean();
    }
}

// covers: OID_CO_TAPI_GET_CALL_DIAGNOSTICS@cm, SEQ:network-closes, RFC2516:5.5
#[test]
fn a_call_that_the_peer_ends_tells_why() {
    let hang_up = Some(HangUp { after: Duration::from_millis(5), before: Duration::from_millis(9) });
    let card =
        with(&[], access_concentrator::Settings { hang_up, ..access_concentrator::Settings::default() });
    let run = lab::run(Setup::new(5, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        assert!(wait_for(PATIENCE, || Record::of(&vc).ended.get().is_some()));
        assert_eq!(Record::of(&vc).ended.get(), Some(status::TAPI_DISCONNECTMODE_NORMAL));
        let said = (1, "closed by the access concentrator".to_owned());
        assert_eq!(diagnostics(&station, &vc), said);
        assert!(Caller::hang_up(&vc));
        assert_eq!(diagnostics(&station, &vc), said, "until the next call");
        assert_eq!(station.outcome(&vc, &Destination::default()), status::SUCCESS);
        assert_eq!(diagnostics(&station, &vc), (1, String::new()));
        station.finish(&vc);
        station.down();
        driver.unload();
    });
    run.clean();
}
