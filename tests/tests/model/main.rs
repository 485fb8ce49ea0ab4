//! The driver against a reference model, under random behaviour of clients, peers, cable and Windows.
//!
//! docs/model.md tells how to run many seeds, and how to look at one.

mod draw;
mod hosts;
mod junk;
mod op;
mod parameters;
mod player;
mod reference;
mod script;
mod shrink;
mod street;
mod world;

use std::{
    env,
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use ndis_sim::ndis::Readings;
use op::Step;
use script::Outcome;

/// Seeds in an ordinary run of the tests.
const SEEDS: u64 = 300;
/// Seeds whose plain steps have found something once.
const REGRESSIONS: &[u64] = &[557, 606, 648, 849, 922];

/// What is run: the steps of a seed, and how NDIS reads its documents.
struct Life {
    seed: u64,
    steps: Vec<Step>,
    readings: Option<Readings>,
    plain: bool,
}

impl Life {
    /// All that a seed decides.
    fn of(seed: u64) -> Self {
        Self { seed, steps: draw::steps(seed), readings: script::readings(seed), plain: false }
    }

    /// The same as it was before there were rates, junk and failures, and with fewer readings.
    fn plain(seed: u64) -> Self {
        let readings = (seed % 2 == 1).then(Readings::default);
        Self { seed, steps: draw::plain(seed), readings, plain: true }
    }

    /// With some of its steps only.
    fn with(&self, kept: &[usize]) -> Self {
        Self { steps: shrink::chosen(&self.steps, kept), ..*self }
    }

    /// What comes of it.
    fn run(&self) -> Outcome {
        let run = || script::run(self.seed, self.readings, &self.steps);
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            Outcome { faults: vec![format!("panic: {text}")], ..Outcome::default() }
        })
    }

    fn fails(&self) -> bool {
        !self.run().faults.is_empty()
    }

    /// Tells of one that fails, with as few of its steps as still do.
    fn report(&self) -> String {
        let seed = self.seed;
        let kept = shrink::smallest(self.steps.len(), |kept| self.with(kept).fails());
        let least = self.with(&kept);
        let mut text = format!("seed {seed}: the driver and the reference disagree\n");
        let numbers: Vec<String> = kept.iter().map(ToString::to_string).collect();
        let outcome = least.run();
        for fault in outcome.faults {
            let _ = writeln!(text, "  {fault}");
        }
        let _ = write!(text, "last events:\n{}", outcome.history);
        let _ = writeln!(text, "steps:");
        for (number, step) in kept.iter().zip(&least.steps) {
            let _ = writeln!(text, "  {number:>3}  {step}");
        }
        let numbers = numbers.join(",");
        let plain = if self.plain { "MCM_MODEL_PLAIN=1 " } else { "" };
        let _ = writeln!(
            text,
            "again: {plain}MCM_MODEL_SEED={seed} MCM_MODEL_STEPS={numbers} cargo xtask test -p scenarios --test model"
        );
        text
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")))
}

/// What came of many lives.
#[derive(Default)]
struct Judgement {
    /// Those of the first few that fail.
    reports: Vec<String>,
    connected: u32,
    changed: u32,
}

/// Runs lives on all processors.
fn judge(lives: impl Fn(u64) -> Option<Life> + Sync) -> Judgement {
    const ENOUGH: usize = 3;
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let all = Mutex::new(Judgement::default());
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let Some(life) = lives(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let outcome = life.run();
            let report = (!outcome.faults.is_empty()).then(|| life.report());
            let mut all = all.lock().expect("no panic with the lock held");
            all.connected += outcome.connected;
            all.changed += outcome.changed;
            if let Some(report) = report {
                eprintln!("{report}");
                all.reports.push(report);
                stop.store(all.reports.len() >= ENOUGH, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    all.into_inner().expect("no panic with the lock held")
}

// covers: CmOpenAf, CmCloseAf, CmRegisterSap, CmDeregisterSap, CmCreateVc, CmDeleteVc, CmMakeCall, CmCloseCall, CmNotifyCloseAfComplete
// covers: CmIncomingCallComplete, CmActivateVcComplete, CmDeactivateVcComplete, NdisMCmCreateVc, NdisMCmDeleteVc, NdisMCmDispatchIncomingCall
// covers: NdisMCmDispatchCallConnected, NdisMCmActivateVc, NdisMCmDeactivateVc, CmModifyCallQoS, NdisMCmModifyCallQoSComplete
// covers: MiniportPause, MiniportRestart, MiniportHaltEx, MiniportCoSendNetBufferLists, MiniportReturnNetBufferLists
// covers: SEQ:outgoing-call, SEQ:outgoing-call-fails, SEQ:network-closes, SEQ:vc-reused, SEQ:halt-with-open-afs
// covers: SEQ:incoming-call-accepted, SEQ:incoming-call-rejected, SEQ:incoming-call-peer-gone, SEQ:incoming-call-closed-by-client, SEQ:several-clients
// covers: SEQ:sleep-wake, SEQ:pause-restart, SEQ:link-loss, SEQ:surprise-removal, SEQ:af-close-with-live-objects, SEQ:activation-pended
// covers: RFC2516:5.1, RFC2516:5.2, RFC2516:5.3, RFC2516:5.4, RFC2516:5.5
#[test]
fn the_driver_agrees_with_the_reference() {
    if let Some(seed) = number("MCM_MODEL_SEED") {
        return one(seed);
    }
    // On QEMU's cards each takes a process.
    let usual = if scenarios::on_qemu() { SEEDS / 30 } else { SEEDS };
    let (first, count) = (number("MCM_MODEL_FIRST").unwrap_or(1), number("MCM_MODEL_SEEDS").unwrap_or(usual));
    let start = Instant::now();
    let Judgement { reports, connected, changed } = judge(|n| (n < count).then(|| Life::of(first + n)));
    if count != usual {
        let seconds = start.elapsed().as_secs_f64();
        println!("{count} seeds in {seconds:.1} s: {connected} calls came up, {changed} changes of calls");
    }
    assert!(reports.is_empty(), "{}", reports.join("\n"));
    // They are lives, and not only refusals.
    let least = u32::try_from(count / 10).expect("few");
    assert!(connected >= least && changed >= least / 10, "{connected} calls came up, {changed} changes");
}

/// One seed, and of it the steps that `MCM_MODEL_STEPS` names, if it does.
fn one(seed: u64) {
    let plain = number("MCM_MODEL_PLAIN").is_some();
    let all = if plain { Life::plain(seed) } else { Life::of(seed) };
    let life = match env::var("MCM_MODEL_STEPS") {
        Ok(list) => {
            let kept: Vec<usize> = list.split(',').filter_map(|number| number.parse().ok()).collect();
            all.with(&kept)
        }
        Err(_) => all,
    };
    for step in &life.steps {
        println!("{step}");
    }
    let outcome = life.run();
    println!("{}{} calls up, {} s", outcome.history, outcome.connected, outcome.seconds);
    assert!(outcome.faults.is_empty(), "{}", outcome.faults.join("\n"));
}

#[test]
fn seeds_that_found_something_stay_clean() {
    let Judgement { reports, .. } =
        judge(|n| REGRESSIONS.get(usize::try_from(n).ok()?).copied().map(Life::plain));
    assert!(reports.is_empty(), "{}", reports.join("\n"));
}
