//! Makes the machine of a run, runs it, and gathers what came of it.

use std::{fmt, path::PathBuf, rc::Rc, thread, time::Duration};

use super::{
    Ending, Found, Outcome, Scenario, audit,
    peer::{self, Connected},
    story::{Story, Tale},
    totals::Totals,
};
use crate::{
    image::Image,
    machine::{Config, FailPlan, Machine, Step, drawn_tick},
    ndis::{self, DriverEntry, Readings},
    nic::Faults,
    nt,
    pci::Slot,
    verifier::{Rule, Severity, rule},
    wire::PcapTee,
};

/// The card's address: locally administered, the same in every run.
const MAC: [u8; 6] = [0x02, 0x00, 0x00, 0x00, 0x00, 0x01];
/// Virtual time after unload in which a forgotten timer or work item shows.
const AFTERMATH: Duration = Duration::from_secs(2);

pub(crate) const RULES: &[Rule] =
    &[rule("SIM.Data", Severity::S0, "Frames arrive once and as they were sent.")];

/// Why a run could not begin.
#[derive(Debug)]
pub enum RunError {
    /// The image cannot be loaded.
    Image(String),
    /// The card cannot be had.
    Card(String),
    /// The peer cannot be had.
    Peer(String),
    /// The capture cannot be written.
    Capture(PathBuf, std::io::Error),
    /// The simulator itself failed.
    Internal(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(reason) => write!(f, "cannot load the driver: {reason}"),
            Self::Card(reason) => write!(f, "the card cannot be had: {reason}"),
            Self::Peer(reason) => write!(f, "the peer cannot be had: {reason}"),
            Self::Capture(path, error) => write!(f, "cannot write the capture {}: {error}", path.display()),
            Self::Internal(reason) => write!(f, "the simulator failed: {reason}"),
        }
    }
}

impl std::error::Error for RunError {}

/// Runs `scenario` on a thread of its own: an OS thread has one machine.
pub(super) fn run(
    scenario: Scenario,
    told: impl Fn(Duration, &Step) + Send + 'static,
) -> Result<Outcome, RunError> {
    let thread =
        thread::Builder::new().name("machine".to_owned()).spawn(move || on_this_thread(&scenario, told));
    let thread = thread.map_err(|error| RunError::Internal(error.to_string()))?;
    thread.join().unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        Err(RunError::Internal(text.to_owned()))
    })
}

fn on_this_thread(
    scenario: &Scenario,
    told: impl Fn(Duration, &Step) + 'static,
) -> Result<Outcome, RunError> {
    let machine = Machine::new(Config {
        seed: scenario.seed,
        cpus: scenario.cpus,
        real_time: scenario.peer.is_real(),
        trace: scenario.trace,
        fail: scenario.fail.map(FailPlan::Nth),
        tick: scenario.tick.unwrap_or_else(|| drawn_tick(scenario.seed)),
        ..Config::default()
    });
    machine.on_step(told);
    ndis::set_readings(scenario.readings.unwrap_or_else(|| Readings::drawn(&machine)));
    let image = load(&machine, scenario)?;
    let pcap = match &scenario.pcap {
        Some(path) => {
            let tee = PcapTee::create(path, scenario.pcap_limit);
            Some(tee.map_err(|error| RunError::Capture(path.clone(), error))?)
        }
        None => None,
    };
    let Connected { wire, tally, ready, hosts, burst } = peer::connect(scenario)?;
    let card = scenario.backend.card(&machine, scenario.nic, MAC, Faults::default())?;
    let slot = Slot::new(card, wire, pcap);
    let tale = Rc::new(Tale::default());
    let entry = entry_point(&image);
    let story = Story {
        scenario: scenario.clone(),
        entry,
        slot: Rc::clone(&slot),
        ready,
        hosts,
        burst,
        tale: Rc::clone(&tale),
        totals: Totals::new(scenario.progress.clone()),
        removed: Rc::default(),
    };
    let thread = machine.spawn("script", move || story.tell());
    let ended = machine.join(thread).and_then(|()| {
        nt::audit_unload(&machine);
        image.unload();
        machine.run_for(AFTERMATH)
    });
    let mut outcome = gather(&machine, scenario, &tale);
    outcome.sys_sha256.clone_from(&image.sha256);
    outcome.pcapng_left_out = slot.left_out_of_capture();
    if let Err(stuck) = ended {
        outcome.stopped = Some(stuck.to_string());
    }
    // A bad cable, an absent card or a lack of memory may lose the PADT; the embedded peer then keeps its session.
    let lossy =
        scenario.bad_cable || scenario.ending == Ending::SurpriseRemoval || outcome.injected_failures != 0;
    outcome.leaks = audit::leaks(&machine, &slot, tally.as_deref().filter(|_| !lossy));
    outcome.judge(scenario.bad_cable || scenario.ending != Ending::Client || outcome.injected_failures != 0);
    slot.detach();
    machine.set_image(None);
    Ok(outcome)
}

fn load(machine: &Machine, scenario: &Scenario) -> Result<Rc<Image>, RunError> {
    let exports = [nt::exports(), ndis::exports()].concat();
    let image = Image::open(&scenario.sys, &exports).map_err(|error| RunError::Image(error.to_string()))?;
    let image = Rc::new(image);
    let text = format!(
        "{}: {} bytes in memory, {} sections, {} imports bound, SHA-256 {}",
        image.name(),
        image.size(),
        image.sections().len(),
        image.imports().len(),
        image.sha256
    );
    machine.step(Step::new("loader", text));
    machine.set_image(Some(Rc::clone(&image)));
    Ok(image)
}

fn entry_point(image: &Image) -> DriverEntry {
    // SAFETY: the loader has mapped and bound the image, and the entry point of a driver image is its DriverEntry,
    // of this type. The image stays mapped for as long as the machine names it as its driver.
    unsafe { std::mem::transmute::<usize, DriverEntry>(image.entry_point()) }
}

fn gather(machine: &Machine, scenario: &Scenario, tale: &Tale) -> Outcome {
    let bytes = |frames: u64| frames * scenario.size as u64;
    Outcome {
        seed: scenario.seed,
        nic: scenario.nic.to_string(),
        backend: scenario.backend.to_string(),
        peer: scenario.peer.to_string(),
        calls_up: tale.calls_up.get(),
        calls_failed: tale.calls_failed.get(),
        frames_sent: tale.frames_sent.get(),
        frames_received: tale.frames_received.get(),
        bytes_sent: bytes(tale.frames_sent.get()),
        bytes_received: bytes(tale.frames_received.get()),
        findings: machine.verifier().findings().iter().map(Found::from).collect(),
        gave_up: tale.gave_up.take(),
        injected_failures: machine.injected_failures(),
        fallible_calls: machine.fallible_calls(),
        event_log_sha256: machine.log_hash(),
        event_log_lines: machine.log_lines(),
        virtual_time_ns: u64::try_from(machine.now().as_nanos()).unwrap_or(u64::MAX),
        pcapng: scenario.pcap.clone(),
        ..Outcome::default()
    }
}
