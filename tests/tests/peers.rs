//! What the peer, the cable and the link do to calls.

use std::{path::PathBuf, process::Command, rc::Rc, time::Duration};

use ndis_sim::{
    ndis::{Family, client, oid::OidRequest, status, wait_for},
    nic::Model,
    wire::{
        RpPppoe,
        access_concentrator::{HangUp, Settings},
        rp_pppoe,
    },
};
use scenarios::{
    Card, Setup, Station,
    blocks::Destination,
    caller::PATIENCE,
    lab,
    set::REFUSALS,
    station::{exchange, listen},
    stories,
};

const FAMILIES: [u32; 2] = [Family::TAPI_PROXY, Family::PPP];

// covers: SEQ:outgoing-call-fails, CmMakeCall, RFC2516:5.4
#[test]
fn refusals_are_told_to_the_client() {
    for (mode, wanted) in REFUSALS {
        for (seed, family) in (1..).zip(FAMILIES) {
            let model = Model::ALL[usize::try_from(seed).expect("small")];
            let status = stories::refused(seed, Card::new(model), family, mode).clean();
            assert_eq!(status::name(status), status::name(wanted), "{mode:?}");
        }
    }
}

// covers: RFC2516:5.2
#[test]
fn services_and_concentrators_are_chosen_by_name() {
    let settings = Settings {
        ac_name: "AC 100% \\ north".to_owned(),
        services: vec!["internet".to_owned(), "voice".to_owned()],
        ..Settings::default()
    };
    for family in FAMILIES {
        let card = Card { peer: settings.clone(), ..Card::new(Model::I82574l) };
        let run = lab::run(Setup::new(1, card), move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, family);
            let name = |text: &str| text.to_owned();
            for (ac, service, wanted) in [
                ("", "", status::SUCCESS),
                ("", "voice", status::SUCCESS),
                ("AC 100% \\ north", "internet", status::SUCCESS),
                ("", "video", status::TAPI_DISCONNECTMODE_NOANSWER),
                ("AC south", "voice", status::TAPI_DISCONNECTMODE_NOANSWER),
            ] {
                let vc = station.vc();
                let status = station.outcome(&vc, &Destination { ac: name(ac), service: name(service) });
                assert_eq!(status::name(status), status::name(wanted), "{ac:?} {service:?}");
                if status == status::SUCCESS {
                    station.finish(&vc);
                } else {
                    assert_eq!(client::delete_vc(&vc), status::SUCCESS);
                }
            }
            station.down();
            driver.unload();
        });
        run.clean();
    }
}

// covers: SEQ:network-closes, SEQ:close-from-both-sides, NdisMCmDispatchIncomingCloseCall, RFC2516:5.5
#[test]
fn the_peer_ends_calls() {
    let millis = Duration::from_millis;
    for seed in 0..12 {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        let hang_up = HangUp { after: Duration::ZERO, before: millis(6) };
        let family = FAMILIES[usize::try_from(seed % 2).expect("small")];
        stories::ended_by_peer(seed, Card::new(model), family, hang_up, seed % 4 < 2).clean();
    }
}

// covers: SEQ:network-closes, NdisMCmDispatchIncomingCloseCall
#[test]
fn the_peer_ends_a_call_the_moment_it_is_up() {
    for seed in 0..12 {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        let hang_up = HangUp { after: Duration::ZERO, before: Duration::ZERO };
        stories::ended_by_peer(seed, Card::new(model), Family::TAPI_PROXY, hang_up, seed % 4 < 2).clean();
    }
}

// covers: SEQ:link-loss
#[test]
fn the_link_goes_while_a_call_is_made_and_while_it_is_up() {
    for seed in 0..12 {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        for connected in [false, true] {
            let run = stories::link_lost(seed, Card::new(model), Family::TAPI_PROXY, connected);
            // No PADT gets through.
            let status = run.clean_but_for_sessions();
            assert_eq!(status::name(status), "TAPI_DISCONNECTMODE_UNREACHABLE", "{model}, up: {connected}");
        }
    }
}

// covers: PEER:tshark
#[test]
fn captures_are_what_wireshark_reads() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("call-{}.pcapng", std::process::id()));
    let card = Card { pcap: Some(path.clone()), ..Card::new(Model::I82574l) };
    stories::calls(1, card, Family::TAPI_PROXY, 2, vec![60, 1494], 5).clean();
    let fields = [
        "-e",
        "eth.src",
        "-e",
        "pppoe.code",
        "-e",
        "pppoe.session_id",
        "-e",
        "frame.len",
        "-e",
        "_ws.malformed",
    ];
    let output = Command::new("tshark").arg("-r").arg(&path).args(["-T", "fields"]).args(fields).output();
    std::fs::remove_file(&path).expect("the capture is there");
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: tshark cannot be run ({error}): `apt-get install tshark`");
            return;
        }
    };
    assert!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let count = |code: &str| lines.iter().filter(|line| line[1] == code).count();
    for code in ["0x09", "0x07", "0x19", "0x65", "0xa7"] {
        assert_eq!(count(code), 2, "packets of code {code} of two calls:\n{text}");
    }
    assert_eq!(count("0x00"), 2 * 2 * 2 * 5, "session frames, both ways");
    assert!(lines.iter().all(|line| line.get(4).is_none_or(|it| it.is_empty())), "malformed:\n{text}");
}

// covers: PEER:pppoe-server
#[test]
fn rp_pppoe_serves_every_card() {
    for (seed, model) in (1..).zip(Model::ALL) {
        let settings = rp_pppoe::Settings {
            ac_name: "AC-test".to_owned(),
            service: "isp".to_owned(),
            sessions: 8,
            stand_in: PathBuf::from(env!("CARGO_BIN_EXE_scenarios")),
            echo: true,
            message: Some("down at noon".to_owned()),
        };
        let peer = match RpPppoe::start(&settings) {
            Ok(peer) => peer,
            Err(
                error @ (rp_pppoe::StartError::Missing(..)
                | rp_pppoe::StartError::Command(..)
                | rp_pppoe::StartError::Io(..)),
            ) => {
                println!("skipped: no rp-pppoe server: {error}");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let relays = peer.relays().expect("a server");
        let card = Card::new(model).wrapped(move |_| Box::new(peer));
        let setup = Setup { real_time: true, ..Setup::new(seed, card) };
        let run = lab::run(setup, move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
            let to = Destination { ac: "AC-test".to_owned(), service: "isp".to_owned() };
            let vcs = [station.vc(), station.vc()];
            for vc in &vcs {
                assert_eq!(station.outcome(vc, &to), status::SUCCESS);
            }
            listen(|| relays.listening(), vcs.len());
            // The server's PADM, as OID_CO_TAPI_GET_CALL_DIAGNOSTICS shows it.
            let said = || {
                let request = OidRequest::query(0xFE00_1007, 24 + "down at noon".len());
                client::cm_oid_request(&station.af, Some(&vcs[0]), request).data
            };
            let shown = || said().get(24..) == Some(&b"down at noon"[..]);
            assert!(wait_for(PATIENCE, shown), "{:?}", said());
            assert!(exchange(&[Rc::clone(&vcs[0])], &[42, 512, 1494], 10), "frames of the first call");
            assert!(exchange(&[Rc::clone(&vcs[1])], &[42, 512, 1494], 10), "frames of the second call");
            for vc in &vcs {
                station.finish(vc);
            }
            station.down();
            driver.unload();
        });
        run.clean();
    }
}
