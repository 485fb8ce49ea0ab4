//! A machine with cards in it, the driver on it, and a script that a kernel thread follows.

use std::{
    cell::{Cell, RefCell},
    panic::resume_unwind,
    path::PathBuf,
    rc::Rc,
    thread,
    time::Duration,
};

use ndis_sim::{
    image::Image,
    machine::{self, Config, FailPlan, Machine, Windows},
    memory::pool::tag_name,
    ndis::{self, Adapter, Driver, DriverEntry, Keywords, Readings, Value, status::Status},
    nic::{Faults, Model},
    nt,
    pci::Slot,
    scenario::PCAP_LIMIT,
    verifier::{Finding, Severity},
    wire::{
        AccessConcentrator, Impaired, PcapTee, Wire,
        access_concentrator::{self, Tally},
        impair::Plan,
    },
};

use crate::backend;

/// Virtual time after unload in which a forgotten timer or work item shows.
const AFTERMATH: Duration = Duration::from_secs(2);

/// Virtual time after which a run is given up.
const LIMIT: Duration = Duration::from_mins(30);

/// The rule behind which Windows has a watchdog: an operation on an adapter does not end.
const HANG: &str = "NDIS.7C.0x25";

/// Makes a wire on the machine's thread: wires are not `Send`.
type MakeWire = Box<dyn FnOnce(Box<dyn Wire>) -> Box<dyn Wire> + Send>;

/// One card and what it is plugged into.
pub struct Card {
    /// Which card.
    pub model: Model,
    /// What the access concentrator at the far end does.
    pub peer: access_concentrator::Settings,
    /// What the cable does to frames.
    pub cable: Option<Plan>,
    /// Put between the card and its peer.
    pub wrap: Option<MakeWire>,
    /// What is wrong with the card from the start.
    pub faults: Vec<ndis_sim::nic::Fault>,
    /// The registry key of the adapter.
    pub keywords: Keywords,
    /// Whether the bus grants message interrupts, if the card has them.
    pub messages: bool,
    /// Where a capture of the cable goes.
    pub pcap: Option<PathBuf>,
}

impl Card {
    /// A good card on a good cable to a friendly peer.
    pub fn new(model: Model) -> Self {
        let endpoints = ("WanEndpoints".to_owned(), Value::Integer(32));
        let concentrator = ("Concentrator".to_owned(), Value::Integer(1));
        Self {
            model,
            peer: access_concentrator::Settings::default(),
            cable: None,
            wrap: None,
            faults: Vec::new(),
            keywords: Keywords::from([endpoints, concentrator]),
            messages: true,
            pcap: None,
        }
    }

    /// The same with a wire of one's own around the peer's.
    #[must_use]
    pub fn wrapped(mut self, wrap: impl FnOnce(Box<dyn Wire>) -> Box<dyn Wire> + Send + 'static) -> Self {
        self.wrap = Some(Box::new(wrap));
        self
    }
}

/// Windows 10, version 2004: what `mcm.inx` is decorated for.
pub const OLDEST_BUILD: u32 = 19_041;

/// What a run is made from.
pub struct Setup {
    /// Seed of every decision.
    pub seed: u64,
    /// Virtual processors.
    pub cpus: usize,
    /// The cards.
    pub cards: Vec<Card>,
    /// Which fallible kernel calls fail.
    pub fail: Option<FailPlan>,
    /// Virtual time follows the clock: for peers outside of the process.
    pub real_time: bool,
    /// How NDIS reads its documents; none has the seed choose.
    pub readings: Option<Readings>,
    /// What the clock ticks in, 0 for one that is exact; none has the seed choose.
    pub tick: Option<Duration>,
    /// The release of Windows that runs; none has the seed choose among those that the INF is for.
    pub windows: Option<Windows>,
    /// Guard pages around each pool block, and an event log: what takes most of the time of a short run.
    pub thorough: bool,
}

impl Setup {
    /// One card, and a seed.
    pub fn new(seed: u64, card: Card) -> Self {
        Self {
            seed,
            cpus: 2,
            cards: vec![card],
            fail: None,
            real_time: false,
            readings: Some(READINGS.get()),
            tick: Some(machine::TICK),
            windows: Some(Windows::NEWEST),
            thorough: true,
        }
    }
}

thread_local! {
    static READINGS: Cell<Readings> = const { Cell::new(Readings::DEFAULT) };
}

/// Calls `f`, whose setups have NDIS read its documents so unless they say otherwise.
pub fn under<T>(readings: Readings, f: impl FnOnce() -> T) -> T {
    let before = READINGS.replace(readings);
    let value = f();
    READINGS.set(before);
    value
}

/// A card in the lab.
pub struct Place {
    /// The slot it is in.
    pub slot: Rc<Slot>,
    /// Its faults.
    pub faults: Faults,
    /// What the access concentrator sees.
    pub tally: Rc<RefCell<Tally>>,
    keywords: Keywords,
    messages: bool,
}

/// What a script works with.
pub struct Lab {
    entry: DriverEntry,
    places: Vec<Place>,
}

impl Lab {
    /// Runs `DriverEntry`.
    ///
    /// # Errors
    /// The driver's status.
    pub fn try_load(&self) -> Result<Rc<Driver>, Status> {
        Driver::load("mcm", self.entry)
    }

    /// Runs `DriverEntry`, which must succeed.
    ///
    /// # Panics
    /// If it fails.
    pub fn load(&self) -> Rc<Driver> {
        self.try_load().expect("DriverEntry succeeds")
    }

    /// A card by number.
    pub fn place(&self, card: usize) -> &Place {
        &self.places[card]
    }

    /// The adapter of a card, not started.
    pub fn adapter(&self, driver: &Rc<Driver>, card: usize) -> Rc<Adapter> {
        let place = &self.places[card];
        let mut keywords = place.keywords.clone();
        if ndis::readings().wan_wants_framing {
            keywords.insert("AddressAndControl".to_owned(), Value::Integer(1));
        }
        Adapter::new(driver, Some(Rc::clone(&place.slot)), keywords, place.messages)
    }
}

/// Sleeps in virtual time.
pub fn sleep(time: Duration) {
    Machine::current().sleep(time);
}

/// Sleeps less than this many microseconds, by the seed.
pub fn sleep_below(microseconds: u64) {
    let machine = Machine::current();
    machine.sleep(Duration::from_micros(machine.below(microseconds)));
}

/// What came of a run.
pub struct Run<T> {
    /// What the script returned; `None` if it did not end.
    pub value: Option<T>,
    /// Violated rules, without information.
    pub findings: Vec<Finding>,
    /// What was left over.
    pub leaks: Vec<String>,
    /// Sessions that the access concentrators believe in.
    pub sessions: Vec<u16>,
    /// Frames that they got without credits for them.
    pub violations: u64,
    /// Why the run ended early, if it did.
    pub stopped: Option<String>,
    /// Steps of the run.
    pub steps: Vec<String>,
    /// SHA-256 of the event log.
    pub log_hash: String,
    /// The end of the event log.
    pub log: String,
    /// Fallible calls that the driver made.
    pub fallible_calls: u64,
}

impl<T> Run<T> {
    /// What spoils the run, one line each, sessions without a PADT excepted.
    pub fn blemishes(&self) -> Vec<String> {
        let findings = self.findings.iter().map(ToString::to_string);
        let leaks = self.leaks.iter().map(|leak| format!("left over: {leak}"));
        let stopped = self.stopped.iter().map(|reason| format!("stopped: {reason}"));
        let violations =
            (self.violations != 0).then(|| format!("{} frames without credits", self.violations));
        findings.chain(leaks).chain(stopped).chain(violations).collect()
    }

    /// The script's value.
    ///
    /// # Panics
    /// If anything was found or left over. Sessions that the peer still believes in are no matter here.
    #[track_caller]
    pub fn clean_but_for_sessions(self) -> T {
        let blemishes = self.blemishes();
        if !blemishes.is_empty() {
            let steps = self.steps.join("\n  ");
            panic!("not clean:\n  {}\nsteps:\n  {steps}", blemishes.join("\n  "));
        }
        self.value.expect("the script ended")
    }

    /// The script's value.
    ///
    /// # Panics
    /// If anything was found or left over.
    #[track_caller]
    pub fn clean(self) -> T {
        let sessions = self.sessions.clone();
        let value = self.clean_but_for_sessions();
        assert!(sessions.is_empty(), "sessions {sessions:x?} are still up at the peer: no PADT");
        value
    }

    /// The script's value, whatever was found of one rule, which a device broke and not the driver.
    ///
    /// # Panics
    /// If anything else was found or left over.
    #[track_caller]
    pub fn clean_but_for(self, rule: &str) -> T {
        let others: Vec<_> = self.blemishes().into_iter().filter(|it| !it.contains(rule)).collect();
        assert!(others.is_empty(), "not clean:\n  {}", others.join("\n  "));
        assert!(self.sessions.is_empty(), "sessions {:x?} are still up at the peer: no PADT", self.sessions);
        self.value.expect("the script ended")
    }

    /// Whether a step contains the text.
    pub fn has_step(&self, text: &str) -> bool {
        self.steps.iter().any(|step| step.contains(text))
    }

    /// How many steps contain the text.
    pub fn count_steps(&self, text: &str) -> usize {
        self.steps.iter().filter(|step| step.contains(text)).count()
    }
}

/// Runs `script` in a kernel thread at `PASSIVE_LEVEL` of a machine made from `setup`, then unloads the image and
/// looks for what is left. The script unloads the driver itself.
///
/// # Panics
/// If the script does, or the driver cannot be loaded into memory.
pub fn run<T: Send + 'static>(setup: Setup, script: impl FnOnce(&Lab) -> T + Send + 'static) -> Run<T> {
    let sys = crate::driver();
    // An OS thread has one machine.
    let thread = thread::Builder::new().name("machine".to_owned());
    let thread = thread.spawn(move || on_this_thread(&sys, setup, script)).expect("a thread");
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

fn on_this_thread<T: 'static>(
    sys: &std::path::Path,
    setup: Setup,
    script: impl FnOnce(&Lab) -> T + 'static,
) -> Run<T> {
    let trace = std::env::var_os("SCENARIOS_TRACE").is_some();
    let machine = Machine::new(Config {
        seed: setup.seed,
        cpus: setup.cpus,
        real_time: setup.real_time,
        fail: setup.fail,
        limit: LIMIT,
        tick: setup.tick.unwrap_or_else(|| machine::drawn_tick(setup.seed)),
        windows: setup.windows.unwrap_or_else(|| Windows::drawn(setup.seed, OLDEST_BUILD)),
        trace,
        log: setup.thorough || trace,
        guard: setup.thorough,
    });
    ndis::set_readings(setup.readings.unwrap_or_else(|| Readings::drawn(&machine)));
    let exports = [nt::exports(), ndis::exports()].concat();
    let image = Rc::new(Image::open(sys, &exports).expect("a driver image"));
    machine.set_image(Some(Rc::clone(&image)));
    // SAFETY: the image is mapped and bound, its entry point is a DriverEntry, and it outlives the script.
    let entry = unsafe { std::mem::transmute::<usize, DriverEntry>(image.entry_point()) };
    let places: Vec<_> =
        (1..).zip(setup.cards).map(|(number, card)| place(setup.seed, number, card)).collect();
    let outside: Vec<_> =
        places.iter().map(|place| (Rc::clone(&place.slot), Rc::clone(&place.tally))).collect();
    let lab = Lab { entry, places };
    let value = Rc::new(Cell::new(None));
    let result = Rc::clone(&value);
    let thread = machine.spawn("script", move || result.set(Some(script(&lab))));
    let hung = || machine.verifier().count(HANG) != 0;
    let ended = machine
        .run_until(|| machine.finished(thread) || hung())
        .and_then(|()| {
            if hung() {
                return Ok(());
            }
            nt::audit_unload(&machine);
            image.unload();
            machine.run_for(AFTERMATH)
        })
        .map_err(|stuck| stuck.to_string());
    let ended = if hung() { Err("Windows would have stopped: a watchdog ran out".to_owned()) } else { ended };
    // A driver that was stopped in the middle of something still has what it needs for it.
    let kept =
        if ended.is_ok() { leaks(&machine, outside.iter().map(|(slot, _)| &**slot)) } else { Vec::new() };
    let run = Run {
        value: value.take(),
        findings: machine
            .verifier()
            .findings()
            .into_iter()
            .filter(|it| it.severity != Severity::S3)
            .collect(),
        leaks: kept,
        violations: outside.iter().map(|(_, tally)| tally.borrow().credits.violations).sum(),
        sessions: outside.iter().flat_map(|(_, tally)| tally.borrow().open.clone()).collect(),
        stopped: ended.err(),
        steps: machine.steps().iter().map(|(_, step)| format!("{}: {}", step.actor, step.text)).collect(),
        log_hash: machine.log_hash(),
        log: machine.log_text(),
        fallible_calls: machine.fallible_calls(),
    };
    for (slot, _) in outside {
        slot.detach();
    }
    machine.retire();
    run
}

fn place(seed: u64, number: u8, card: Card) -> Place {
    let settings = access_concentrator::Settings { seed: seed ^ u64::from(number) << 56, ..card.peer };
    let peer = AccessConcentrator::new(settings);
    let tally = peer.tally();
    let mut wire: Box<dyn Wire> = Box::new(peer);
    if let Some(plan) = card.cable {
        wire = Box::new(Impaired::new(wire, plan, seed));
    }
    if let Some(wrap) = card.wrap {
        wire = wrap(wire);
    }
    let faults = Faults::default();
    for fault in card.faults {
        faults.inject(fault);
    }
    let pcap = card.pcap.map(|path| PcapTee::create(&path, PCAP_LIMIT).expect("a capture file"));
    let mac = [0x02, 0, 0, 0, 0, number];
    let device = backend().card(&Machine::current(), card.model, mac, faults.clone());
    let device = device.unwrap_or_else(|error| panic!("{error}"));
    let slot = Slot::new(device, wire, pcap);
    Place { slot, faults, tally, keywords: card.keywords, messages: card.messages }
}

fn leaks<'a>(machine: &Machine, slots: impl Iterator<Item = &'a Slot>) -> Vec<String> {
    let pool = machine.pool().leaks().into_iter().map(|leak| {
        format!("block {} of {} bytes, tag {}, from {}", leak.number, leak.len, tag_name(leak.tag), leak.site)
    });
    let memory = slots.flat_map(|slot| slot.dma().allocated());
    let memory = memory.map(|it| format!("{} bytes of shared memory", it.len));
    let handles = machine.handles().all_open().into_iter().map(|object| format!("handle {object}"));
    pool.chain(memory).chain(handles).collect()
}
