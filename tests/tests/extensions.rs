//! What peers say in a session beside PPP, and frames that are damaged: told to the VC, once in a while, and to nobody
//! else.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    ndis::{Family, Indication, Vc, client, oid::OidRequest, wait_for},
    nic::Model,
    wire::{
        access_concentrator,
        credits::Plan,
        frame::{DISCOVERY, Frame, SESSION, code},
    },
};
use scenarios::{
    Card, Record, Setup, Station,
    caller::PATIENCE,
    lab::{self, sleep},
    station::exchange,
    wires::{Lever, Pass, gated},
};

const PADG: u8 = 0x0A;
const PADC: u8 = 0x0B;
const PADQ: u8 = 0x0C;
const PADM: u8 = 0xD3;
const PADN: u8 = 0xD4;
const GET_CALL_DIAGNOSTICS: u32 = 0xFE00_1007;
const RCV_PDUS_ERROR: u32 = 0x0002_0104;
/// `NDIS_STATUS_WAN_CO_MTULINKPARAMS` and `NDIS_STATUS_WAN_CO_FRAGMENT`.
const MTU_LINK_PARAMETERS: u32 = 0x4001_0025;
const FRAGMENT: u32 = 0x4001_0015;
/// Longer than the driver turns a deaf ear.
const WHILE: Duration = Duration::from_millis(200);

/// The host's station address, which the lab gives its first card.
const HOST: [u8; 6] = [0x02, 0, 0, 0, 0, 1];

/// A call that is up, and a hand on the wire.
struct Talk<'a> {
    station: &'a Station,
    vc: Rc<Vc>,
    lever: Lever,
    peer: [u8; 6],
    session: u16,
}

impl Talk<'_> {
    fn tags(tags: &[(u16, &[u8])]) -> Vec<u8> {
        let mut payload = Vec::new();
        for (kind, value) in tags {
            payload.extend(kind.to_be_bytes());
            payload.extend(u16::try_from(value.len()).expect("a short tag").to_be_bytes());
            payload.extend(*value);
        }
        payload
    }

    fn frame(&self, code: u8, tags: &[(u16, &[u8])]) -> Frame {
        Frame {
            destination: HOST,
            source: self.peer,
            ethertype: DISCOVERY,
            code,
            session: self.session,
            payload: Self::tags(tags),
        }
    }

    /// Has the peer send a packet, and waits until it has been looked at.
    fn says(&self, frame: &Frame) {
        self.lever.inject(frame.to_bytes());
        sleep(WHILE);
    }

    fn indications(&self) -> Vec<Indication> {
        Record::of(&self.vc).indications.take()
    }

    fn diagnostics(&self) -> String {
        let request = |len| {
            client::cm_oid_request(
                &self.station.af,
                Some(&self.vc),
                OidRequest::query(GET_CALL_DIAGNOSTICS, len),
            )
        };
        let data = request(request(0).needed as usize).data;
        let length = usize::from(u16::from_le_bytes([data[8], data[9]]));
        String::from_utf8_lossy(data.get(24..24 + length).unwrap_or_default()).into_owned()
    }

    /// How many frames with this code the host has sent.
    fn answers(&self, code: u8) -> usize {
        self.lever.count(code)
    }
}

/// A story on a card with one call.
fn talk(seed: u64, peer: access_concentrator::Settings, story: impl FnOnce(&Talk<'_>) + Send + 'static) {
    let (card, lever) = gated(Card { peer, ..Card::new(Model::I82574l) }, Pass::Everything);
    let run = lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        let session = station.tally.borrow().open[0];
        let peer = access_concentrator::Settings::default().mac;
        let talk = Talk { station: &station, vc: Rc::clone(&vc), lever, peer, session };
        talk.indications();
        story(&talk);
        assert!(exchange(&[Rc::clone(&vc)], &[100, 1000], 5), "the call works on");
        station.finish(&vc);
        station.down();
        driver.unload();
    });
    run.clean();
}

/// Rate, window and MTU of an indication of link parameters.
fn link_parameters(indications: &[Indication]) -> Vec<[u32; 3]> {
    let word = |data: &[u8], at: usize| u32::from_le_bytes(data[at..at + 4].try_into().expect("four bytes"));
    let these = indications.iter().filter(|indication| indication.code == MTU_LINK_PARAMETERS);
    these.map(|it| [word(&it.data, 4), word(&it.data, 8), word(&it.data, 16)]).collect()
}

/// The value of a Metrics tag: flags, quality, resources, latency, current and maximum rate.
fn metrics(flags: u8, current: u16, maximum: u16) -> Vec<u8> {
    let mut value = vec![0, flags, 80, 50, 0, 10];
    value.extend(current.to_be_bytes());
    value.extend(maximum.to_be_bytes());
    value
}

// covers: RFC5578:metrics, NdisMCoIndicateStatusEx, OID_CO_TAPI_GET_CALL_DIAGNOSTICS@cm
#[test]
fn metrics_of_the_peers_link_become_the_calls() {
    talk(1, access_concentrator::Settings::default(), |talk| {
        // 54 of 100 Mbit/s: MDR and CDR in Mbit/s.
        talk.says(&talk.frame(PADQ, &[(0x0107, &metrics(0b0_1010, 54, 100))]));
        assert_eq!(link_parameters(&talk.indications()), [[6_750_000, 6_750_000, 1492]]);
        assert_eq!(
            talk.diagnostics(),
            "link quality 80 %, resources 50 %, latency 10 ms, 54000 of 100000 kbit/s"
        );
        // A link that only receives; faster than the card; not at all.
        talk.says(&talk.frame(PADQ, &[(0x0107, &metrics(0b0_1011, 54, 100))]));
        assert_eq!(link_parameters(&talk.indications()), [[125_000_000, 6_750_000, 1492]]);
        talk.says(&talk.frame(PADQ, &[(0x0107, &metrics(0b1_0100, 40, 40))]));
        assert_eq!(link_parameters(&talk.indications()), [[125_000_000, 125_000_000, 1492]]);
        talk.says(&talk.frame(PADQ, &[(0x0107, &metrics(0, 0, 0))]));
        assert_eq!(link_parameters(&talk.indications()), [[1, 1, 1492]]);
        // Asked for ours, the host answers, and no more.
        assert_eq!(talk.answers(PADQ), 0);
        talk.says(&talk.frame(PADQ, &[(0x0107, &[])]));
        assert_eq!((talk.answers(PADQ), talk.indications().len()), (1, 0));
        let sent = talk.lever.sent();
        let answer =
            sent.iter().find(|frame| frame.ethertype == DISCOVERY && frame.code == PADQ).expect("a PADQ");
        assert_eq!((answer.destination, answer.session), (talk.peer, talk.session));
        // 100 % and a gigabit of a gigabit.
        assert_eq!(
            answer.payload[..14],
            Talk::tags(&[(0x0107, &[0, 0b0_1010, 100, 100, 0, 0, 3, 232, 3, 232])])
        );
    });
}

// covers: RFC5578:metrics
#[test]
fn metrics_of_others_and_floods_of_them_change_nothing() {
    talk(2, access_concentrator::Settings::default(), |talk| {
        let good = talk.frame(PADQ, &[(0x0107, &metrics(0, 54, 100))]);
        for stranger in [
            Frame { source: [0x02, 0, 0, 0, 0xAC, 9], ..good.clone() },
            Frame { session: talk.session.wrapping_add(1).max(1), ..good.clone() },
            Frame { session: 0, ..good.clone() },
            Frame { destination: [0xFF; 6], ..good.clone() },
            talk.frame(PADQ, &[(0x0107, &[0; 9])]),
            talk.frame(PADQ, &[]),
        ] {
            talk.says(&stranger);
            assert_eq!((talk.indications(), talk.answers(PADQ)), (vec![], 0), "{stranger:?}");
        }
        for _ in 0..100 {
            talk.lever.inject(good.to_bytes());
            talk.lever.inject(talk.frame(PADQ, &[(0x0107, &[])]).to_bytes());
        }
        sleep(Duration::from_secs(1));
        let (told, answered) = (talk.indications().len(), talk.answers(PADQ));
        assert!(told + answered >= 1, "none of a flood is looked at");
        assert!(told + answered <= 11, "{told} indications and {answered} answers in a second");
    });
}

// covers: OID_CO_TAPI_GET_CALL_DIAGNOSTICS@cm
#[test]
fn messages_and_routes_are_shown() {
    talk(3, access_concentrator::Settings::default(), |talk| {
        talk.says(&talk.frame(PADM, &[(0x0112, b"maintenance\nat noon"), (0x0111, b"http://isp.example/")]));
        assert_eq!(talk.diagnostics(), "maintenance?at noon");
        talk.says(&talk.frame(PADM, &[(0x0111, b"http://isp.example/")]));
        assert_eq!(talk.diagnostics(), "http://isp.example/");
        let route = [10, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        talk.says(&talk.frame(PADN, &[(0x0121, &route)]));
        assert_eq!(talk.diagnostics(), "route to 10.0.0.0 mask 255.0.0.0 through 0.0.0.0");
        assert_eq!(talk.indications(), []);
    });
}

/// Credits hold if the PADR and the PADS both have them. This PADR has not, so a peer that hands them out anyway
/// is not bound, and frames flow without.
// covers: RFC5578:packets, RFC5578:metrics
#[test]
fn credits_that_were_not_asked_for_are_not_waited_for() {
    let peer = access_concentrator::Settings {
        credits: Some(Plan { unasked: true, ..Plan::once(100) }),
        ..access_concentrator::Settings::default()
    };
    talk(4, peer, |talk| {
        let padr = talk.lever.sent().into_iter().find(|frame| frame.code == code::PADR).expect("a PADR");
        let tags = padr.tags().expect("tags");
        assert!(tags.iter().all(|(kind, _)| ![0x0106, 0x0109].contains(kind)), "credits in the PADR");
        assert!(exchange(&[Rc::clone(&talk.vc)], &[1494], 200), "more than 100 credits' worth");
        for code in [PADG, PADC] {
            talk.says(&talk.frame(code, &[(0x0108, &[0, 1]), (0x0106, &[0, 0, 0, 0])]));
        }
        assert_eq!((talk.answers(PADC), talk.answers(PADG), talk.indications().len()), (0, 0, 0));
        // Credits in front of PPP make a frame that is none.
        let mut credits = Frame { ethertype: SESSION, ..talk.frame(code::DATA, &[(0x0106, &[0, 1, 0, 2])]) };
        credits.payload.extend([0x00, 0x21, 0x45, 0, 0, 0]);
        let before = Record::of(&talk.vc).received.borrow().len();
        talk.says(&credits);
        assert_eq!(Record::of(&talk.vc).received.borrow().len(), before);
    });
}

/// A frame whose length says more than has arrived is a part of a frame: NDISWAN counts them by VC.
// covers: NdisMCoIndicateStatusEx, OID_GEN_CO_RCV_PDUS_ERROR@co, RFC2516:4
#[test]
fn a_part_of_a_frame_is_told_to_its_vc() {
    talk(5, access_concentrator::Settings::default(), |talk| {
        let data = Frame { ethertype: SESSION, ..talk.frame(code::DATA, &[]) };
        let mut cut = Frame { payload: vec![0x00, 0x21, 0x45, 0], ..data.clone() }.to_bytes();
        cut[18..20].copy_from_slice(&1000_u16.to_be_bytes());
        cut.resize(60, 0);
        let errors = |vc| {
            let request = OidRequest::query(RCV_PDUS_ERROR, 8);
            let data = client::co_oid_request(&talk.station.adapter, vc, request).data;
            u64::from_le_bytes(data.try_into().expect("eight bytes"))
        };
        let before = (errors(None), errors(Some(&talk.vc)));
        // Whoever asks about a VC is told its link parameters.
        talk.indications();
        talk.lever.inject(cut.clone());
        assert!(
            wait_for(PATIENCE, || !Record::of(&talk.vc).indications.borrow().is_empty()),
            "no indication"
        );
        // NDIS_WAN_CO_FRAGMENT: WAN_ERROR_FRAMING.
        assert_eq!(talk.indications(), [Indication { code: FRAGMENT, data: vec![2, 0, 0, 0] }]);
        assert_eq!((errors(None), errors(Some(&talk.vc))), (before.0 + 1, before.1 + 1));
        // A flood is counted whole, and told now and then.
        sleep(WHILE);
        for _ in 0..200 {
            talk.lever.inject(cut.clone());
        }
        sleep(Duration::from_secs(1));
        let told = talk.indications().len();
        assert!((1..=11).contains(&told), "{told} indications");
        assert_eq!((errors(None), errors(Some(&talk.vc))), (before.0 + 201, before.1 + 201));
        // Of another session, nobody is told.
        let mut stranger = cut;
        stranger[11] ^= 1;
        talk.lever.inject(stranger);
        sleep(WHILE);
        assert_eq!((talk.indications(), errors(Some(&talk.vc))), (vec![], before.1 + 201));
    });
}
