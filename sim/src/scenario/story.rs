//! The script of a run, told in a kernel thread at `PASSIVE_LEVEL`.

use std::{cell::Cell, rc::Rc, time::Duration};

use super::{
    Ending, Scenario,
    dialler::{Dialler, HDLC, Record},
    pattern::Pattern,
    tapi,
};
use crate::{
    machine::{DISPATCH_LEVEL, Machine, PASSIVE_LEVEL, Step},
    ndis::{
        self, Adapter, AddressFamily, Driver, DriverEntry, Frames, HaltAction, Keywords, Sap, State, Value,
        Vc,
        client::{self, Client},
        status::{self, Status},
        wait_for,
    },
    pci::Slot,
};

/// Time for what a person would wait for: a link, a call, the end of a call.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time without any frame after which the missing ones are given up.
const SILENCE: Duration = Duration::from_secs(5);
/// Frames of all calls that may be under way; fewer than the receive buffers a driver has by default.
const WINDOW: usize = 128;
/// Frames given to the driver at once.
const BATCH: usize = 8;

/// What the script found out.
#[derive(Default)]
pub(super) struct Tale {
    pub(super) calls_up: Cell<u32>,
    pub(super) calls_failed: Cell<u32>,
    pub(super) frames_sent: Cell<u64>,
    pub(super) frames_received: Cell<u64>,
    /// Why the script ended early.
    pub(super) stopped: Cell<Option<String>>,
    pub(super) finished: Cell<bool>,
}

/// What the script works with.
pub(super) struct Story {
    pub(super) scenario: Scenario,
    pub(super) entry: DriverEntry,
    pub(super) slot: Rc<Slot>,
    /// Between call set-up and traffic.
    pub(super) settle: Duration,
    pub(super) tale: Rc<Tale>,
}

fn step(text: String) {
    Machine::current().step(Step::new("script", text));
}

impl Story {
    /// Tells the story.
    pub(super) fn tell(&self) {
        if let Err(reason) = self.driver() {
            self.tale.stopped.set(Some(reason));
        }
        self.tale.finished.set(true);
    }

    fn driver(&self) -> Result<(), String> {
        let failed = |what: &str, status| format!("{what} failed: {}", status::name(status));
        let driver = Driver::load("mcm", self.entry).map_err(|status| failed("DriverEntry", status))?;
        if !driver.is_registered() {
            driver.unload();
            return Err("DriverEntry succeeded and registered no miniport".to_owned());
        }
        let adapter = Adapter::new(&driver, Some(Rc::clone(&self.slot)), self.keywords(), true);
        let dialler = Dialler::new();
        let bound: Rc<dyn Client> = Rc::<Dialler>::clone(&dialler);
        adapter.bind(&bound);
        let result = match adapter.start() {
            Ok(()) => self.adapter(&adapter, &dialler),
            Err(status) => Err(failed("MiniportInitializeEx", status)),
        };
        dialler.forget();
        driver.unload();
        result
    }

    /// The registry key of the adapter: the driver's defaults, and room for the calls.
    fn keywords(&self) -> Keywords {
        let endpoints = Value::Integer(self.scenario.calls.max(4));
        Keywords::from([("WanEndpoints".to_owned(), endpoints)])
    }

    /// From restart to halt.
    fn adapter(&self, adapter: &Rc<Adapter>, dialler: &Rc<Dialler>) -> Result<(), String> {
        let result = match adapter.restart() {
            Ok(()) => self.calls(adapter, dialler),
            Err(status) => Err(format!("MiniportRestart failed: {}", status::name(status))),
        };
        if adapter.state() == State::Running {
            adapter.pause();
        }
        let closed = Self::close_family(dialler);
        let removed = self.scenario.ending == Ending::SurpriseRemoval;
        adapter.halt(if removed { HaltAction::SurpriseRemoved } else { HaltAction::DeviceDisabled });
        result.and(closed)
    }

    /// Everything that happens while the adapter runs.
    fn calls(&self, adapter: &Rc<Adapter>, dialler: &Rc<Dialler>) -> Result<(), String> {
        if !wait_for(PATIENCE, || dialler.opened.get().is_some() && dialler.link.get()) {
            return Err("no link, or no address family, within two minutes".to_owned());
        }
        let af = dialler.address_family().ok_or("the TAPI address family cannot be opened")?;
        let sap = Self::register_sap(&af, dialler)?;
        let vcs = self.dial(&af)?;
        if !self.settle.is_zero() {
            Machine::current().sleep(self.settle);
        }
        self.exchange(&vcs);
        self.end(adapter, &vcs);
        Self::hang_up(&vcs)?;
        for vc in &vcs {
            client::delete_vc(vc);
        }
        Self::deregister_sap(&sap, dialler)
    }

    fn register_sap(af: &Rc<AddressFamily>, dialler: &Dialler) -> Result<Rc<Sap>, String> {
        let (status, sap) = client::register_sap(af, tapi::SAP_TYPE, &tapi::sap());
        if status != status::PENDING {
            dialler.sap_registered.set(Some(status));
        }
        wait_for(PATIENCE, || dialler.sap_registered.get().is_some());
        match dialler.sap_registered.get() {
            Some(status::SUCCESS) => Ok(sap),
            Some(status) => Err(format!("registering a SAP failed: {}", status::name(status))),
            None => Err("registering a SAP does not end".to_owned()),
        }
    }

    fn deregister_sap(sap: &Rc<Sap>, dialler: &Dialler) -> Result<(), String> {
        if client::deregister_sap(sap) != status::PENDING {
            dialler.sap_deregistered.set(true);
        }
        let done = wait_for(PATIENCE, || dialler.sap_deregistered.get());
        done.then_some(()).ok_or_else(|| "deregistering the SAP does not end".to_owned())
    }

    /// Makes all calls at once and waits until each is up or has failed.
    fn dial(&self, af: &Rc<AddressFamily>) -> Result<Vec<Rc<Vc>>, String> {
        let Scenario { calls, size, seed, ac, service, .. } = &self.scenario;
        let parameters = tapi::call(&tapi::destination(ac, service));
        let mut vcs = Vec::new();
        for call in 0..*calls {
            let (status, vc) = client::create_vc(af);
            if status != status::SUCCESS {
                self.tale.calls_failed.set(self.tale.calls_failed.get() + 1);
                step(format!("call {call}: no VC: {}", status::name(status)));
                continue;
            }
            let record = Record::new(Pattern::new(call, *size, *seed));
            vc.set_client_data(Rc::<Record>::clone(&record));
            let status = client::make_call(&vc, &parameters);
            if status != status::PENDING {
                record.made.set(Some(status));
            }
            vcs.push(vc);
        }
        let made = |vc: &Rc<Vc>| Record::of(vc).made.get();
        if !wait_for(PATIENCE, || vcs.iter().all(|vc| made(vc).is_some())) {
            return Err("calls are neither up nor failed after two minutes".to_owned());
        }
        let up = vcs.iter().filter(|vc| made(vc) == Some(status::SUCCESS)).count();
        let failed = vcs.len() - up;
        self.tale.calls_up.set(u32::try_from(up).unwrap_or(u32::MAX));
        self.tale.calls_failed.set(self.tale.calls_failed.get() + u32::try_from(failed).unwrap_or(u32::MAX));
        step(format!("{up} of {calls} calls are up"));
        Ok(vcs)
    }

    /// Sends the frames of all calls and waits for them to come back.
    fn exchange(&self, vcs: &[Rc<Vc>]) {
        let window = (WINDOW / vcs.len().max(1)).max(1);
        loop {
            let mut busy = false;
            for vc in vcs {
                busy |= self.feed(vc, window);
            }
            if !busy {
                break;
            }
            let progress = || -> (u64, usize) {
                let records = || vcs.iter().map(|vc| Record::of(vc));
                let received = records().map(|record| record.received.get()).sum();
                (received, records().filter(|record| record.is_up()).count())
            };
            let before = progress();
            if !wait_for(SILENCE, || progress() != before) {
                break;
            }
        }
        // What is under way when a call ends is nobody's loss: count what came, and let sends end.
        wait_for(PATIENCE, || vcs.iter().all(|vc| Record::of(vc).in_driver.get() == 0));
        let total = |count: fn(&Record) -> u64| vcs.iter().map(|vc| count(&Record::of(vc))).sum::<u64>();
        let (sent, received) =
            (total(|record| u64::from(record.sent.get())), total(|record| record.received.get()));
        let missing: usize = vcs.iter().map(|vc| Record::of(vc).pattern.missing()).sum();
        self.tale.frames_sent.set(sent);
        self.tale.frames_received.set(received);
        step(format!("{sent} frames sent, {received} came back as sent, {missing} missing"));
    }

    /// Gives the driver as many frames of the call as the window allows; `false` once nothing is left to do.
    fn feed(&self, vc: &Rc<Vc>, window: usize) -> bool {
        let record = Record::of(vc);
        if !record.is_up() {
            return false;
        }
        let left = (self.scenario.frames - record.sent.get()) as usize;
        let missing = record.pattern.missing();
        let now = left.min(window.saturating_sub(missing)).min(BATCH);
        if now == 0 {
            return missing != 0;
        }
        let frames = (0..now).map(|_| [&HDLC[..], &record.pattern.next()].concat());
        let frames = Frames::singles(frames.collect::<Vec<_>>());
        let count = u32::try_from(now).unwrap_or(0);
        record.sent.set(record.sent.get() + count);
        record.in_driver.set(record.in_driver.get() + count);
        send_at_some_irql(vc, &frames);
        true
    }

    /// What ends the calls, if it is not the client.
    fn end(&self, adapter: &Rc<Adapter>, vcs: &[Rc<Vc>]) {
        match self.scenario.ending {
            Ending::Client => {}
            Ending::Network => {
                step("waiting for the access concentrator to hang up".to_owned());
                wait_for(PATIENCE, || !vcs.iter().any(|vc| Record::of(vc).is_up()));
            }
            Ending::SurpriseRemoval => {
                adapter.surprise_remove();
                adapter.pause();
            }
        }
    }

    /// Closes every call that was made.
    fn hang_up(vcs: &[Rc<Vc>]) -> Result<(), String> {
        let made = |vc: &&Rc<Vc>| Record::of(vc).made.get() == Some(status::SUCCESS);
        for vc in vcs.iter().filter(made) {
            if client::close_call(vc) != status::PENDING {
                Record::of(vc).closed.set(true);
            }
        }
        let done = wait_for(PATIENCE, || vcs.iter().filter(made).all(|vc| Record::of(vc).closed.get()));
        done.then_some(()).ok_or_else(|| "closing the calls does not end".to_owned())
    }

    fn close_family(dialler: &Rc<Dialler>) -> Result<(), String> {
        let Some(af) = dialler.address_family() else { return Ok(()) };
        let status: Status = client::close_address_family(&af);
        if status != status::PENDING {
            dialler.closed.set(true);
            ndis::changed();
        }
        let done = wait_for(PATIENCE, || dialler.closed.get());
        done.then_some(()).ok_or_else(|| "closing the address family does not end".to_owned())
    }
}

/// Protocols send at any IRQL up to `DISPATCH_LEVEL`: so does the script, by the seed.
fn send_at_some_irql(vc: &Rc<Vc>, frames: &Frames) {
    let machine = Machine::current();
    if machine.chance(1, 2) {
        machine.raise_irql(DISPATCH_LEVEL);
        client::send(vc, frames);
        machine.lower_irql(PASSIVE_LEVEL);
    } else {
        client::send(vc, frames);
    }
}
