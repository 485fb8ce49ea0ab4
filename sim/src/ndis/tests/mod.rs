//! A conforming driver passes without a finding; each deviation from it is found by its rule.

mod answers;
mod bring_up;
mod calls;
mod client;
mod conforming;
mod data;
mod deviations;
mod hardware;
mod mini;
mod misuse;
mod on_card;
mod ordinary;
mod questions;
mod readings;
pub(crate) mod rest;
mod trips;

pub(crate) use trips::tripped;

use std::rc::Rc;
use std::time::Duration;

use self::client::Recorder;
use super::client as ndis_client;
use super::client::Client;
use super::oid::OidRequest;
use super::{Adapter, AddressFamily, Driver, Family, HaltAction, Keywords, Vc, status, wait_for};
use crate::machine::{Config, Machine};
use crate::nic::{E1000, Faults, Model};
use crate::pci::Slot;
use crate::wire::Unconnected;

/// The conforming driver but for a deviation, on this OS thread.
pub(crate) fn driver(deviation: &'static str) -> super::DriverEntry {
    mini::mini(|it| it.deviation.set(deviation));
    mini::entry
}

/// What ended the run and the rules that were found broken.
#[derive(Debug)]
struct Outcome {
    findings: Vec<(String, String)>,
    stuck: Option<String>,
}

impl Outcome {
    fn has(&self, rule: &str) -> bool {
        self.findings.iter().any(|(known, _)| known == rule)
    }
}

/// Runs `script` as a kernel thread of a machine of its own, with the driver's deviation.
fn run(seed: u64, deviation: mini::Deviation, pend: bool, script: impl FnOnce() + Send + 'static) -> Outcome {
    let thread = std::thread::spawn(move || {
        mini::mini(|it| {
            it.deviation.set(deviation);
            it.pend.set(pend);
        });
        let machine = Machine::new(Config { seed, ..Config::default() });
        let thread = machine.spawn("script", script);
        let stuck = machine.join(thread).err().map(|stuck| stuck.to_string());
        // What is still due fires: late timers, deadlines.
        let _ = machine.run_for(Duration::from_secs(400));
        let findings = machine.verifier().findings();
        let findings = findings.into_iter().map(|it| (it.rule.to_string(), it.detail)).collect();
        Outcome { findings, stuck }
    });
    thread.join().expect("the run does not panic")
}

/// One adapter with one client, started.
struct Bench {
    driver: Rc<Driver>,
    adapter: Rc<Adapter>,
    recorder: Rc<Recorder>,
    client: Rc<dyn Client>,
}

const SECOND: Duration = Duration::from_secs(1);

impl Bench {
    /// Loads the driver and starts its adapter; none if the driver refuses, as some deviations do.
    fn start() -> Option<Self> {
        Self::start_on(None, false)
    }

    /// The same on a card, which may be granted messages.
    fn start_on(model: Option<Model>, messages: bool) -> Option<Self> {
        let driver = Driver::load("mini", mini::entry).ok()?;
        let slot = model.map(|model| {
            let card = E1000::new(model, [2, 0, 0, 0, 0, 1], Faults::default());
            Slot::new(Box::new(card), Box::new(Unconnected), None)
        });
        let adapter = Adapter::new(&driver, slot, Keywords::new(), messages);
        let recorder = Rc::new(Recorder::default());
        let client: Rc<dyn Client> = Rc::clone(&recorder) as _;
        adapter.bind(&client);
        if adapter.start().is_err() {
            driver.unload();
            return None;
        }
        adapter.restart().ok()?;
        Some(Self { driver, adapter, recorder, client })
    }

    fn open(&self) -> Rc<AddressFamily> {
        let family = Family { family: Family::TAPI_PROXY, major: 1, minor: 0 };
        let (status, af) = ndis_client::open_address_family(&self.adapter, family, &self.client);
        if status == status::PENDING {
            assert!(wait_for(SECOND, || self.recorder.opened.get().is_some()), "the open ends");
        }
        af
    }

    fn connect(&self, af: &Rc<AddressFamily>) -> Option<Rc<Vc>> {
        let (status, vc) = ndis_client::create_vc(af);
        if status != status::SUCCESS {
            return None;
        }
        self.recorder.call.set(None);
        let mut status = ndis_client::make_call(&vc, &calls::parameters());
        if status == status::PENDING {
            wait_for(500 * SECOND, || self.recorder.call.get().is_some());
            status = self.recorder.call.get().unwrap_or(status::FAILURE);
        }
        if status != status::SUCCESS {
            ndis_client::delete_vc(&vc);
            return None;
        }
        Some(vc)
    }

    fn send(&self, vc: &Rc<Vc>, frames: &super::Frames) {
        let ids = ndis_client::send(vc, frames);
        let sent = self.recorder.sent.borrow().len();
        let _ = wait_for(60 * SECOND, || self.recorder.sent.borrow().len() >= ids.len().max(sent));
    }

    fn disconnect(&self, vc: &Rc<Vc>) {
        self.recorder.call_closed.set(None);
        if ndis_client::close_call(vc) == status::PENDING {
            wait_for(SECOND, || self.recorder.call_closed.get().is_some());
        }
        ndis_client::delete_vc(vc);
    }

    fn close(&self, af: &Rc<AddressFamily>) {
        self.recorder.closed.set(false);
        if ndis_client::close_address_family(af) == status::PENDING {
            wait_for(SECOND, || self.recorder.closed.get());
        }
    }

    fn stop(self) {
        self.adapter.pause();
        self.adapter.halt(HaltAction::DeviceDisabled);
        self.driver.unload();
    }
}

/// A frame of this length, with address and control field.
fn long(length: usize) -> Vec<u8> {
    let mut frame = vec![7; length];
    frame[..2].copy_from_slice(&[0xFF, 0x03]);
    frame
}

/// Everything a client does in an ordinary life.
fn life() {
    let Some(bench) = Bench::start() else { return };
    let af = bench.open();
    let (status, sap) = ndis_client::register_sap(&af, 0x8000, &[0; 12]);
    if status == status::PENDING {
        wait_for(SECOND, || bench.recorder.sap.get().is_some());
    }
    bench.adapter.oid_request(OidRequest::query(0x0001_0104, 4));
    ndis_client::co_oid_request(&bench.adapter, None, OidRequest::query(0x0401_0180, 2));
    ndis_client::co_oid_request(&bench.adapter, None, OidRequest::query(0x0401_0180, 16));
    ndis_client::cm_oid_request(&af, None, OidRequest::query(0xFE00_1001, 12));
    ndis_client::co_oid_request(&bench.adapter, None, OidRequest::set(0x0001_010E, &[1, 0, 0, 0]));
    let other = bench.connect(&af);
    if let Some(vc) = bench.connect(&af) {
        bench.send(&vc, &super::Frames::singles([b"\xFF\x03\xC0\x21hello".to_vec(), long(1400)]));
        let fragments = super::Frames { fragment: true, ..super::Frames::singles([long(700)]) };
        bench.send(&vc, &fragments);
        bench.disconnect(&vc);
    }
    if let Some(other) = other {
        bench.disconnect(&other);
    }
    if ndis_client::deregister_sap(&sap) == status::PENDING {
        wait_for(SECOND, || bench.recorder.sap_gone.get());
    }
    bench.close(&af);
    bench.stop();
}
