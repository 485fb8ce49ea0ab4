//! Hosts and access concentrators that nobody here wrote: rp-pppoe's in both roles, with frames of RFC 2516 and of
//! RFC 4638, and tshark as the judge of what was on the wire.

use std::{path::PathBuf, process::Command, rc::Rc, time::Duration};

use ndis_sim::{
    ndis::{Family, Value, status, wait_for},
    nic::Model,
    wire::{
        LinuxHost, RpPppoe, RpPppoeHosts,
        access_concentrator::Settings,
        rp_pppoe::{self, Relays, StartError},
    },
};
use scenarios::{
    Answer, Caller, Card, Setup, Station,
    blocks::Destination,
    caller::PATIENCE,
    lab,
    office::gone,
    station::{exchange, listen, send},
};

/// The same for a machine that is real, and so its time.
const REAL_PATIENCE: Duration = Duration::from_secs(40);

/// What the system lets be started; a line says why not.
fn unless_missing<T>(started: Result<T, StartError>) -> Option<T> {
    match started {
        Ok(peer) => Some(peer),
        Err(error @ (StartError::Server(_) | StartError::Interface(_))) => panic!("{error}"),
        Err(error) => {
            println!("skipped: no rp-pppoe: {error}");
            None
        }
    }
}

/// Fields of each frame of a capture, which is removed, one of them what tshark finds malformed; `None` without tshark.
fn dissected(path: &PathBuf) -> Option<Vec<Vec<String>>> {
    let fields = ["-e", "pppoe.code", "-e", "pppoe.session_id", "-e", "_ws.malformed"];
    let output = Command::new("tshark").arg("-r").arg(path).args(["-T", "fields"]).args(fields).output();
    std::fs::remove_file(path).expect("the capture is there");
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            println!("not judged: tshark cannot be run ({error})");
            return None;
        }
    };
    assert!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    Some(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

// covers: SEQ:incoming-call-accepted, RFC2516:5.1, RFC2516:5.2, RFC2516:5.3, RFC2516:5.4, RFC2516:5.5, PEER:rp-pppoe-client
#[test]
fn rp_pppoe_dials_every_card() {
    for (seed, model) in (1..).zip(Model::ALL) {
        let Some(peer) = unless_missing(RpPppoeHosts::start()) else { return };
        let clients = peer.clients();
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("rp-pppoe-client-{}-{seed}.pcapng", std::process::id()));
        let card = Card { pcap: Some(path.clone()), ..Card::new(model) }.wrapped(move |_| Box::new(peer));
        let setup = Setup { real_time: true, ..Setup::new(seed, card) };
        let run = lab::run(setup, move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, Family::PPP);
            station.caller.answer.set(Answer::Elsewhere(status::SUCCESS));
            let dialled = ["isp", ""].map(|service| clients.dial(service).expect("a client"));
            assert!(wait_for(PATIENCE, || station.caller.offered.borrow().len() == 2), "no calls");
            let calls = station.caller.offered.borrow().clone();
            assert!(wait_for(PATIENCE, || calls.iter().all(|(_, record)| record.is_up())), "not connected");
            listen(|| clients.listening(), 2);
            for (vc, _) in &calls {
                assert!(exchange(&[Rc::clone(vc)], &[42, 512, 1494], 10), "frames of a call");
            }
            // One is closed here, the other there.
            let (vc, record) = &calls[0];
            assert!(Caller::hang_up(vc));
            gone(record);
            let ended = || dialled.iter().filter(|&&host| clients.has_ended(host)).count();
            assert!(wait_for(PATIENCE, || ended() == 1), "no PADT got there");
            let (vc, record) = &calls[1];
            dialled.iter().filter(|&&host| !clients.has_ended(host)).for_each(|&host| clients.hang_up(host));
            assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no PADT came");
            assert!(Caller::hang_up(vc));
            gone(record);
            station.down();
            driver.unload();
        });
        run.clean();
        let Some(lines) = dissected(&path) else { continue };
        for (code, name) in [("0x07", "PADO"), ("0x65", "PADS")] {
            assert!(lines.iter().filter(|line| line[0] == code).count() >= 2, "{name} of two calls");
        }
        assert!(lines.iter().all(|line| line.get(2).is_none_or(String::is_empty)), "malformed: {lines:?}");
    }
}

/// An LCP Configure-Request of this length, with options that nobody knows (RFC 1661 section 5.1).
fn unknown_request(length: u16) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    let mut frame = vec![0xc0, 0x21, 1, 7, high, low];
    let mut left = usize::from(length) - 4;
    while left > 0 {
        // An option has two bytes at least, so none may be left alone.
        let option = if left == 256 { 254 } else { left.min(255) };
        frame.extend([200, u8::try_from(option).expect("at most 255")]);
        frame.extend((2..option).map(|n| u8::try_from(n).expect("at most 255")));
        left -= option;
    }
    frame
}

// covers: RFC4638:PPP-Max-Payload, RFC4638:large-payloads, PEER:rp-pppoe-plugin
#[test]
fn pppd_dials_with_and_without_large_frames() {
    for (max_payload, model) in [(1500, Model::I82574l), (1492, Model::I82545em)] {
        let stand_in = PathBuf::from(env!("CARGO_BIN_EXE_scenarios"));
        let Some(peer) = unless_missing(LinuxHost::boot(&stand_in, max_payload)) else { return };
        let pppd = peer.pppd();
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("pppd-{}-{max_payload}.pcapng", std::process::id()));
        let mut card = Card { pcap: Some(path.clone()), ..Card::new(model) }.wrapped(move |_| Box::new(peer));
        card.keywords.insert("MaxPayload".to_owned(), Value::Integer(1500));
        let setup = Setup { real_time: true, ..Setup::new(1, card) };
        let run = lab::run(setup, move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, Family::PPP);
            station.caller.answer.set(Answer::Elsewhere(status::SUCCESS));
            let caller = &station.caller;
            pppd.dial();
            assert!(
                wait_for(REAL_PATIENCE, || !caller.offered.borrow().is_empty()),
                "no call: {:?}",
                pppd.said()
            );
            let (vc, record) = caller.offered.borrow()[0].clone();
            let offered = record.offer.borrow().as_ref().and_then(|offer| offer.call_manager.clone());
            assert_eq!(offered.expect("flows").transmit.max_sdu_size, u32::from(max_payload));
            assert!(wait_for(REAL_PATIENCE, || record.is_up()), "not connected: {:?}", pppd.said());
            // It is deaf until it speaks itself.
            let asks = || record.received.borrow().iter().any(|frame| frame.starts_with(&[0xc0, 0x21, 1]));
            assert!(wait_for(REAL_PATIENCE, asks), "no Configure-Request: {:?}", pppd.said());
            // It rejects what it does not know, in a frame as long as the one it came in.
            let request = unknown_request(max_payload);
            send(&vc, std::slice::from_ref(&request));
            let reject = [&[0xc0, 0x21, 4], &request[3..]].concat();
            let rejected = || record.received.borrow().contains(&reject);
            assert!(wait_for(REAL_PATIENCE, rejected), "no Configure-Reject: {:?}", pppd.said());
            assert!(Caller::hang_up(&vc));
            gone(&record);
            assert!(wait_for(REAL_PATIENCE, || pppd.has_ended()), "no PADT got there: {:?}", pppd.said());
            station.down();
            driver.unload();
        });
        run.clean();
        let Some(lines) = dissected(&path) else { continue };
        assert!(lines.iter().all(|line| line.get(2).is_none_or(String::is_empty)), "malformed: {lines:?}");
    }
}

/// Calls out over a card that offers this payload; how large a frame the client may send.
fn largest_frame(card: Card, relays: Option<Relays>, to: Destination) -> usize {
    let card = Card {
        keywords: {
            let mut it = card.keywords;
            it.insert("MaxPayload".to_owned(), Value::Integer(1500));
            it
        },
        ..card
    };
    let setup = Setup { real_time: relays.is_some(), ..Setup::new(1, card) };
    let run = lab::run(setup, move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.vc();
        assert_eq!(station.outcome(&vc, &to), status::SUCCESS);
        if let Some(relays) = relays {
            listen(|| relays.listening(), 1);
        }
        let record = scenarios::Record::of(&vc);
        let parameters = record.parameters.borrow().clone().expect("the call's parameters");
        let granted = parameters.call_manager.expect("flows").transmit.max_sdu_size;
        let largest = usize::try_from(granted).expect("small") + 2;
        assert!(exchange(&[Rc::clone(&vc)], &[42, largest], 10), "frames of {largest} bytes");
        station.finish(&vc);
        station.down();
        driver.unload();
        largest
    });
    run.clean()
}

// covers: RFC4638:PPP-Max-Payload, RFC4638:large-payloads
#[test]
fn large_frames_go_where_the_peer_takes_them() {
    for (max_payload, largest) in [(1500, 1502), (1492, 1494)] {
        let peer = Settings { max_payload, ..Settings::default() };
        let card = Card { peer, ..Card::new(Model::I82574l) };
        assert_eq!(largest_frame(card, None, Destination::default()), largest);
    }
}

// covers: RFC4638:PPP-Max-Payload, RFC4638:large-payloads, PEER:pppoe-server
#[test]
fn rp_pppoe_serves_large_frames() {
    let settings = rp_pppoe::Settings {
        ac_name: "AC-test".to_owned(),
        service: "isp".to_owned(),
        sessions: 4,
        stand_in: PathBuf::from(env!("CARGO_BIN_EXE_scenarios")),
        echo: true,
        message: None,
    };
    let Some(peer) = unless_missing(RpPppoe::start(&settings)) else { return };
    let relays = peer.relays();
    let card = Card::new(Model::I82574l).wrapped(move |_| Box::new(peer));
    let to = Destination { ac: "AC-test".to_owned(), service: "isp".to_owned() };
    assert_eq!(largest_frame(card, relays, to), 1502);
}
