//! What went wrong in other people's networks and drivers when a PPPoE call starts, ends or sleeps, and must not here.

use std::{os::fd::RawFd, time::Duration};

use ndis_sim::{
    ndis::{Family, client, status, wait_for},
    nic::Model,
    wire::{
        AccessConcentrator, Hub, Wire, access_concentrator,
        frame::{BROADCAST, DISCOVERY, Frame, SESSION, code},
    },
};
use scenarios::{
    Caller, Card, Record, Setup, Station,
    blocks::Destination,
    caller::PATIENCE,
    lab::{self, sleep, sleep_below},
    station::exchange,
    wires::{Pass, gated},
};

/// `NdisDeviceStateD0` and `NdisDeviceStateD3`.
const D0: u32 = 1;
const D3: u32 = 4;

/// A segment full of hosts that have waited for this one to come up: from the first moment on, PADIs, PADRs with made-up
/// cookies, session frames of long ago and PADTs.
struct Crowd {
    inner: Box<dyn Wire>,
    next: Duration,
    every: Duration,
    count: u64,
}

impl Crowd {
    fn frame(&self) -> Frame {
        let [.., high, low] = self.count.to_be_bytes();
        let (source, own) = ([2, 0, 0, 9, high, low], [2, 0, 0, 0, 0, 1]);
        let tags = |kind: u16, value: &[u8]| {
            let length = u16::try_from(value.len()).expect("short").to_be_bytes();
            [&kind.to_be_bytes()[..], &length, value].concat()
        };
        let (destination, ethertype, code, session, payload) = match self.count % 4 {
            0 | 1 => (BROADCAST, DISCOVERY, code::PADI, 0, tags(0x0101, b"")),
            2 => (own, DISCOVERY, code::PADR, 0, [tags(0x0101, b""), tags(0x0104, b"a cookie")].concat()),
            _ if self.count % 8 == 3 => {
                (own, SESSION, code::DATA, 7, vec![0xC0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0])
            }
            _ => (own, DISCOVERY, code::PADT, 7, Vec::new()),
        };
        Frame { destination, source, ethertype, code, session, payload }
    }
}

impl Wire for Crowd {
    fn send(&mut self, now: Duration, frame: &[u8]) {
        self.inner.send(now, frame);
    }

    fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        if now >= self.next {
            self.next += self.every;
            self.count += 1;
            let mut bytes = self.frame().to_bytes();
            bytes.resize(bytes.len().max(60), 0);
            return Some(bytes);
        }
        self.inner.receive(now)
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.inner.deadline().map_or(self.next, |at| at.min(self.next)))
    }

    fn fd(&self) -> Option<RawFd> {
        None
    }
}

/// A server that started while hundreds of clients were waiting for it did not come up on all of its interfaces
/// (accel-ppp, issue 125).
// covers: BUG:accel-ppp-125-start-under-load, MiniportInitializeEx, SEQ:start-under-load
#[test]
fn a_card_starts_calls_pauses_and_halts_on_a_segment_that_shouts() {
    for (seed, model) in (1..).zip(Model::ALL) {
        let card = Card::new(model).wrapped(|inner| {
            let every = Duration::from_micros(100);
            Box::new(Crowd { inner, next: Duration::ZERO, every, count: 0 })
        });
        let run = lab::run(Setup::new(seed, card), |lab| {
            let driver = lab.load();
            for _ in 0..2 {
                let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
                let vcs: Vec<_> = (0..4).map(|_| station.connected()).collect();
                assert!(exchange(&vcs, &[100, 1494], 20), "frames are lost in the noise");
                station.adapter.pause();
                sleep(Duration::from_millis(5));
                station.adapter.restart().expect("MiniportRestart succeeds");
                assert!(exchange(&vcs, &[600], 20), "frames are lost after a pause");
                for vc in &vcs {
                    station.finish(vc);
                }
                station.down();
            }
            driver.unload();
        });
        run.clean();
    }
}

/// Windows stopped when a PPPoE call started, because a driver in the stack passed on a status indication whose object
/// header was wrong (npcap, issues 296 and 755; nmap, issue 1557). Every indication of a call from its start to its end is
/// judged by the simulator, header and all; that there are some is the point of this test.
// covers: BUG:npcap-755-object-header, NdisMCoIndicateStatusEx
#[test]
fn every_indication_of_a_call_has_a_good_header() {
    let run = lab::run(Setup::new(1, Card::new(Model::I82574l)), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        assert_eq!(Record::of(&vc).indications.borrow().len(), 1, "link parameters");
        station.slot.set_link(false);
        assert!(wait_for(PATIENCE, || station.caller.link.get() == Some(false)), "no link state");
        assert!(Caller::hang_up(&vc));
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        assert!(station.caller.link_changes.get() >= 1);
        station.down();
        driver.unload();
    });
    assert!(run.has_step("indicates WAN_CO_MTULINKPARAMS"), "{:#?}", run.steps);
    // Without a link there is no PADT.
    run.clean_but_for_sessions();
}

/// A PPPoE driver kept the machine from sleeping and from shutting down: it waited, in a power request, for something that
/// could not come any more (bug check 0x9F with raspppoe, reported in WSL2's tracker as 221). Here the power request comes
/// at any moment of a call's life, with the answers of the peer missing, and the client is slow.
// covers: BUG:raspppoe-9f-power-hang, OID_PNP_SET_POWER@miniport, SEQ:sleep-wake
#[test]
fn sleep_does_not_wait_for_the_peer_nor_for_the_client() {
    for seed in 0..24 {
        let pass = [Pass::Nothing, Pass::Offers, Pass::Everything][usize::try_from(seed % 3).expect("small")];
        let model = Model::ALL[usize::try_from(seed / 3 % 3).expect("small")];
        let (card, lever) = gated(Card::new(model), pass);
        let run = lab::run(Setup::new(seed, card), move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
            let vcs = [station.vc(), station.vc()];
            let records: Vec<_> = vcs.iter().map(|vc| station.dial(vc, &Destination::default())).collect();
            sleep_below(3_000_000);
            let machine = ndis_sim::machine::Machine::current();
            station.adapter.pause();
            let before = machine.now();
            assert_eq!(station.adapter.set_power(D3), status::SUCCESS, "to D3");
            // The client has done nothing yet; Windows gives a power request ten minutes, a user far less.
            assert!(
                machine.now().saturating_sub(before) < Duration::from_secs(1),
                "{:?} to sleep",
                machine.now().saturating_sub(before)
            );
            for (vc, record) in vcs.iter().zip(&records) {
                assert!(
                    wait_for(PATIENCE, || record.made.get().is_some()),
                    "the call neither comes up nor fails"
                );
                if record.made.get() == Some(status::SUCCESS) {
                    assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
                    assert!(Caller::hang_up(vc), "the close does not end");
                }
            }
            let before = machine.now();
            assert_eq!(station.adapter.set_power(D0), status::SUCCESS, "to D0");
            assert!(
                machine.now().saturating_sub(before) < Duration::from_secs(5),
                "{:?} to wake",
                machine.now().saturating_sub(before)
            );
            station.adapter.restart().expect("MiniportRestart succeeds");
            lever.set(Pass::Everything);
            // Until the link is negotiated anew.
            sleep(Duration::from_secs(10));
            assert_eq!(
                station.outcome(&vcs[0], &Destination::default()),
                status::SUCCESS,
                "a call after sleep"
            );
            assert!(Caller::hang_up(&vcs[0]));
            for vc in &vcs {
                assert_eq!(client::delete_vc(vc), status::SUCCESS);
            }
            station.down();
            driver.unload();
        });
        // A PADS that the gate kept back is of a session that the host has never heard of.
        run.clean_but_for_sessions();
    }
}

/// Of several PADOs, the first that fits the call is taken, however many came before it; and two access concentrators may
/// hand out the same session id.
// covers: RFC2516:5.2, RFC2516:5.3, RFC2516:4
#[test]
fn of_several_offers_the_one_that_fits_is_taken() {
    let card = Card::new(Model::I82574l).wrapped(|_| {
        let ac = |number: u8, name: &str, service: &str, latency| {
            AccessConcentrator::new(access_concentrator::Settings {
                mac: [0x02, 0, 0, 0, 0xAC, number],
                ac_name: name.to_owned(),
                services: vec![service.to_owned()],
                latency: Duration::from_micros(latency),
                // The same seed: the same session ids.
                ..access_concentrator::Settings::default()
            })
        };
        let both = [ac(1, "north", "internet", 100), ac(2, "south", "voice", 900)];
        Box::new(Hub::new(both.map(|ac| Box::new(ac) as Box<dyn Wire>).into()))
    });
    let run = lab::run(Setup::new(1, card), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::PPP);
        let to = |ac: &str, service: &str| Destination { ac: ac.to_owned(), service: service.to_owned() };
        let calls =
            [to("", ""), to("south", ""), to("", "voice"), to("north", "internet"), to("south", "voice")];
        let vcs: Vec<_> = calls
            .iter()
            .map(|to| {
                let vc = station.vc();
                assert_eq!(station.outcome(&vc, to), status::SUCCESS, "{to:?}");
                vc
            })
            .collect();
        assert!(exchange(&vcs, &[42, 900], 10), "each call has a session of its own");
        let nobody = station.vc();
        for to in [to("north", "voice"), to("south", "internet"), to("west", "")] {
            let found = station.outcome(&nobody, &to);
            assert_eq!(found, status::TAPI_DISCONNECTMODE_NOANSWER, "{to:?}: {}", status::name(found));
        }
        assert_eq!(client::delete_vc(&nobody), status::SUCCESS);
        for vc in &vcs {
            station.finish(vc);
        }
        station.down();
        driver.unload();
    });
    assert_eq!(run.count_steps("PADS received"), 5, "{:#?}", run.steps);
    run.clean();
}
