//! The script of a run, told in a kernel thread at `PASSIVE_LEVEL`.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use super::{
    Ending, Scenario, destination,
    dialler::{Dialler, Record},
    pattern::Pattern,
    peer::{Callers, Ready},
    totals::Totals,
};
use crate::{
    clients::{tapi_proxy, wan},
    machine::{Machine, Step},
    ndis::{
        self, Adapter, Creator, Driver, DriverEntry, Family, HaltAction, Keywords, Sap, State, Value, Vc,
        client::{self, Client},
        status::{self, Status},
        wait_for,
    },
    pci::Slot,
    wire::burst,
};

/// Time for what a person would wait for: a link, a call, the end of a call.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);
/// A card that is pulled out is pulled out within this time from the first call: in call set-up, in traffic or in
/// the silence after it.
const REMOVAL: Duration = Duration::from_millis(4);

/// What the script found out.
#[derive(Default)]
pub(super) struct Tale {
    pub(super) calls_up: Cell<u32>,
    pub(super) calls_failed: Cell<u32>,
    pub(super) frames_sent: Cell<u64>,
    pub(super) frames_received: Cell<u64>,
    /// The first thing that failed, if the script could not do all it wanted.
    pub(super) gave_up: RefCell<Option<String>>,
}

/// What the script works with.
pub(super) struct Story {
    pub(super) scenario: Scenario,
    pub(super) entry: DriverEntry,
    pub(super) slot: Rc<Slot>,
    /// Between call set-up and traffic.
    pub(super) ready: Ready,
    /// Who dials the card.
    pub(super) hosts: Callers,
    /// Has frames arrive at once, if that is wanted.
    pub(super) burst: Option<burst::Control>,
    pub(super) tale: Rc<Tale>,
    pub(super) totals: Rc<Totals>,
    /// The card has been pulled out.
    pub(super) removed: Rc<Cell<bool>>,
}

pub(super) fn step(text: String) {
    Machine::current().step(Step::new("script", text));
}

impl Story {
    /// Tells the story. What fails is noted, and the rest taken down in good order.
    pub(super) fn tell(&self) {
        self.note(self.driver());
    }

    fn note<T>(&self, result: Result<T, String>) -> Option<T> {
        let reason = match result {
            Ok(value) => return Some(value),
            Err(reason) => reason,
        };
        step(reason.clone());
        self.tale.gave_up.borrow_mut().get_or_insert(reason);
        None
    }

    fn driver(&self) -> Result<(), String> {
        let failed = |what: &str, status| format!("{what} failed: {}", status::name(status));
        let driver = Driver::load("mcm", self.entry).map_err(|status| failed("DriverEntry", status))?;
        if !driver.is_registered() {
            driver.unload();
            return Err("DriverEntry succeeded and registered no miniport".to_owned());
        }
        let adapter = Adapter::new(&driver, Some(Rc::clone(&self.slot)), self.keywords(), true);
        let mut diallers = vec![Dialler::new("NDPROXY", Family::TAPI_PROXY, &self.totals)];
        if !self.scenario.readings.is_some_and(|it| it.one_address_family) {
            diallers.push(Dialler::new("PPP client", Family::PPP, &self.totals));
        }
        for dialler in &diallers {
            let bound: Rc<dyn Client> = Rc::<Dialler>::clone(dialler);
            adapter.bind(&bound);
        }
        let started = adapter.start().map_err(|status| failed("MiniportInitializeEx", status));
        if started.is_ok() {
            self.adapter(&adapter, &diallers);
        }
        for dialler in &diallers {
            dialler.forget();
        }
        driver.unload();
        started
    }

    /// The registry key of the adapter: the driver's defaults, and room for the calls.
    fn keywords(&self) -> Keywords {
        let calls = self.scenario.calls.saturating_add(self.scenario.incoming);
        let endpoints = Value::Integer(calls.clamp(4, 65_534));
        let mut keywords = Keywords::from([("WanEndpoints".to_owned(), endpoints)]);
        if self.scenario.burst != 0 {
            let buffers = Value::Integer(super::burst::buffers(self.scenario.burst));
            keywords.insert("*ReceiveBuffers".to_owned(), buffers);
        }
        if self.scenario.incoming != 0 {
            keywords.insert("Concentrator".to_owned(), Value::Integer(1));
        }
        if ndis::readings().wan_wants_framing {
            keywords.insert("AddressAndControl".to_owned(), Value::Integer(1));
        }
        keywords
    }

    /// From restart to halt.
    fn adapter(&self, adapter: &Rc<Adapter>, diallers: &[Rc<Dialler>]) {
        let restarted = adapter.restart();
        let restarted =
            restarted.map_err(|status| format!("MiniportRestart failed: {}", status::name(status)));
        if self.note(restarted).is_some() {
            self.note(self.calls(adapter, diallers));
        }
        let unpaused = self.scenario.readings.is_some_and(|it| it.halt_unpaused);
        if adapter.state() == State::Running && !unpaused {
            adapter.pause();
        }
        for dialler in diallers {
            self.note(Self::close_family(dialler));
        }
        let removed = self.removed.get();
        adapter.halt(if removed { HaltAction::SurpriseRemoved } else { HaltAction::DeviceDisabled });
    }

    /// Everything that happens while the adapter runs.
    fn calls(&self, adapter: &Rc<Adapter>, diallers: &[Rc<Dialler>]) -> Result<(), String> {
        let ready = |dialler: &Rc<Dialler>| dialler.opened.get().is_some() && dialler.link.get();
        if !wait_for(PATIENCE, || diallers.iter().all(ready)) {
            return Err("no link, or no address family, within two minutes".to_owned());
        }
        let mut saps = Vec::new();
        for dialler in diallers {
            let sap = self.note(Self::register_sap(dialler));
            saps.extend(sap.map(|sap| (sap, Rc::clone(dialler))));
        }
        self.ask(adapter, diallers);
        self.pull_out_sometime(adapter);
        let mut vcs = self.dial(diallers)?;
        vcs.extend(self.be_called(diallers));
        self.ready.wait(|| vcs.iter().filter(|vc| Record::of(vc).is_up()).count());
        self.exchange(&vcs);
        self.end(adapter);
        self.hang_up(&vcs)?;
        for vc in vcs.iter().filter(|vc| vc.creator() == Creator::Client) {
            client::delete_vc(vc);
        }
        let gone = |dialler: &Rc<Dialler>| dialler.deleted.get() >= dialler.offered.borrow().len();
        if !wait_for(PATIENCE, || diallers.iter().all(gone)) {
            return Err("the driver does not delete its VCs".to_owned());
        }
        saps.iter().try_for_each(|(sap, dialler)| Self::deregister_sap(sap, dialler))
    }

    /// Waits for what the calls add up to; who looks on is told on the way.
    pub(super) fn wait_for(&self, timeout: Duration, condition: impl Fn(&Totals) -> bool) -> bool {
        wait_for(timeout, || {
            self.totals.tell();
            condition(&self.totals)
        })
    }

    /// Whether answers may be expected of the driver: no call ends by itself, and no kernel call is made to fail.
    fn is_quiet(&self) -> bool {
        self.scenario.ending == Ending::Client && self.scenario.fail.is_none()
    }

    /// Asks what NDPROXY and NDISWAN ask before the first call.
    fn ask(&self, adapter: &Rc<Adapter>, diallers: &[Rc<Dialler>]) {
        if !self.is_quiet() {
            return;
        }
        for af in
            diallers.iter().filter(|it| it.family == Family::TAPI_PROXY).filter_map(|it| it.address_family())
        {
            for line in tapi_proxy::ask(&af) {
                step(format!(
                    "line \"{}\": medium {}, at most {} calls",
                    line.name, line.media_name, line.calls
                ));
            }
        }
        let info = wan::ask(adapter);
        step(format!(
            "NDISWAN may send frames of {} bytes, {} at a time",
            info.max_frame_size, info.max_send_window
        ));
    }

    /// Has the card pulled out at a random moment, if the calls are to end so.
    fn pull_out_sometime(&self, adapter: &Rc<Adapter>) {
        if self.scenario.ending != Ending::SurpriseRemoval {
            return;
        }
        let machine = Machine::current();
        let span = u64::try_from(REMOVAL.as_nanos()).unwrap_or(u64::MAX);
        let delay = Duration::from_nanos(machine.below(span));
        let (adapter, removed) = (Rc::clone(adapter), Rc::clone(&self.removed));
        machine.spawn("PnP", move || {
            Machine::current().sleep(delay);
            adapter.surprise_remove();
            removed.set(true);
            ndis::changed();
        });
    }

    fn register_sap(dialler: &Dialler) -> Result<Rc<Sap>, String> {
        let af = dialler.address_family().ok_or("an address family cannot be opened")?;
        let (kind, sap) = destination::sap(dialler.family);
        let (status, sap) = client::register_sap(&af, kind, &sap);
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
    fn dial(&self, diallers: &[Rc<Dialler>]) -> Result<Vec<Rc<Vc>>, String> {
        let Scenario { calls, size, seed, ac, service, .. } = &self.scenario;
        let open: Vec<_> = diallers.iter().filter_map(|it| it.address_family()).collect();
        let mut vcs = Vec::new();
        // The clients take turns.
        for (call, af) in (0..*calls).zip(open.iter().cycle()) {
            let parameters = destination::call(af.family().family, call, ac, service);
            let (status, vc) = client::create_vc(af);
            if status != status::SUCCESS {
                self.tale.calls_failed.set(self.tale.calls_failed.get() + 1);
                step(format!("call {call}: no VC: {}", status::name(status)));
                continue;
            }
            let record = Record::new(Pattern::new(call, *size, *seed), &self.totals);
            vc.set_client_data(Rc::<Record>::clone(&record));
            let status = client::make_call(&vc, &parameters);
            if status != status::PENDING {
                record.set_made(status);
            }
            vcs.push(vc);
        }
        let made = |vc: &Rc<Vc>| Record::of(vc).made();
        if !self.wait_for(PATIENCE, |totals| totals.made.get() >= vcs.len()) {
            return Err("calls are neither up nor failed after two minutes".to_owned());
        }
        let up = vcs.iter().filter(|vc| made(vc) == Some(status::SUCCESS)).count();
        let failed = vcs.len() - up;
        self.tale.calls_up.set(u32::try_from(up).unwrap_or(u32::MAX));
        self.tale.calls_failed.set(self.tale.calls_failed.get() + u32::try_from(failed).unwrap_or(u32::MAX));
        step(format!("{up} of {calls} calls are up"));
        self.ask_about(&vcs);
        Ok(vcs)
    }

    /// Has hosts call, and waits until each call is up or has failed.
    fn be_called(&self, diallers: &[Rc<Dialler>]) -> Vec<Rc<Vc>> {
        let Scenario { calls, incoming, size, seed, .. } = self.scenario;
        if incoming == 0 {
            return Vec::new();
        }
        let before = self.totals.made.get();
        let next = Rc::new(Cell::new(calls));
        for dialler in diallers {
            let next = Rc::clone(&next);
            let pattern = move || Pattern::new(next.replace(next.get() + 1), size, seed);
            dialler.patterns.replace(Some(Rc::new(pattern)));
        }
        let hang_up = (self.scenario.ending == Ending::Network).then_some(Duration::from_millis(5));
        for nth in 0..incoming {
            self.note(self.hosts.dial(nth, &self.scenario.service, hang_up));
        }
        let offered = || diallers.iter().flat_map(|it| it.offered.borrow().clone()).collect::<Vec<_>>();
        let up = || self.totals.made.get() - before;
        let wanted = usize::try_from(incoming).unwrap_or(usize::MAX);
        self.wait_for(PATIENCE, |_| up() >= wanted || self.removed.get());
        let failed = u32::try_from(wanted.saturating_sub(up())).unwrap_or(u32::MAX);
        self.tale.calls_up.set(self.tale.calls_up.get() + incoming.saturating_sub(failed));
        self.tale.calls_failed.set(self.tale.calls_failed.get() + failed);
        step(format!("{} of {incoming} calls that come in are up", incoming.saturating_sub(failed)));
        let vcs: Vec<_> = offered().into_iter().filter(|vc| Record::of(vc).made().is_some()).collect();
        self.ask_about(&vcs);
        vcs
    }

    /// Asks what calls that are up begin with, and what NDISWAN asks, which comes then.
    fn ask_about(&self, vcs: &[Rc<Vc>]) {
        if !self.is_quiet() {
            return;
        }
        for vc in vcs.iter().filter(|vc| Record::of(vc).is_up()) {
            wan::ask_fresh(vc);
            if vc.address_family().family().family == Family::TAPI_PROXY {
                wan::join(vc);
            }
            wan::ask_link(vc);
        }
    }

    /// What ends the calls, if it is not the client.
    fn end(&self, adapter: &Rc<Adapter>) {
        match self.scenario.ending {
            Ending::Client => {}
            Ending::Network => {
                step("waiting for the access concentrator to hang up".to_owned());
                self.wait_for(PATIENCE, |totals| totals.up.get() == 0);
            }
            Ending::SurpriseRemoval => {
                wait_for(PATIENCE, || self.removed.get());
                adapter.pause();
            }
        }
    }

    /// Closes every call that was made. Records are fetched before: VCs that the driver created go with their calls.
    fn hang_up(&self, vcs: &[Rc<Vc>]) -> Result<(), String> {
        let made: Vec<_> = vcs
            .iter()
            .map(|vc| (vc, Record::of(vc)))
            .filter(|(_, record)| record.made() == Some(status::SUCCESS))
            .collect();
        for (vc, record) in &made {
            if client::close_call(vc) != status::PENDING {
                record.set_closed();
            }
        }
        let done = self.wait_for(PATIENCE, |totals| totals.closed.get() >= made.len());
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
