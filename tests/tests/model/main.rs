//! The driver against a reference model, under random behaviour of clients, peers, cable and Windows.
//!
//! docs/model.md tells how to run many seeds, and how to look at one.

mod hosts;
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
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Instant,
};

use op::Step;
use script::Outcome;

/// Seeds in an ordinary run of the tests.
const SEEDS: u64 = 300;
/// Seeds that have found something once.
const REGRESSIONS: &[u64] = &[557, 606, 648, 849, 922];

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")))
}

/// What is wrong with a run, if anything.
fn fails(seed: u64, steps: &[Step]) -> Option<Outcome> {
    let outcome = catch_unwind(AssertUnwindSafe(|| script::run(seed, steps))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        Outcome { faults: vec![format!("panic: {text}")], history: String::new(), connected: 0, seconds: 0 }
    });
    (!outcome.faults.is_empty()).then_some(outcome)
}

/// Tells of a seed that fails, with as few of its steps as still do.
fn report(seed: u64) -> String {
    let all = op::steps(seed);
    let kept = shrink::smallest(all.len(), |kept| fails(seed, &shrink::chosen(&all, kept)).is_some());
    let steps = shrink::chosen(&all, &kept);
    let mut text = format!("seed {seed}: the driver and the reference disagree\n");
    let numbers: Vec<String> = kept.iter().map(ToString::to_string).collect();
    if let Some(outcome) = fails(seed, &steps) {
        for fault in outcome.faults {
            let _ = writeln!(text, "  {fault}");
        }
        let _ = write!(text, "last events:\n{}", outcome.history);
    }
    let _ = writeln!(text, "steps:");
    for (number, step) in kept.iter().zip(&steps) {
        let _ = writeln!(text, "  {number:>3}  {step}");
    }
    let numbers = numbers.join(",");
    let _ = writeln!(
        text,
        "again: MCM_MODEL_SEED={seed} MCM_MODEL_STEPS={numbers} cargo xtask test -p scenarios --test model"
    );
    text
}

/// Runs the seeds on all processors; the reports of the first few that fail.
fn judge(seeds: impl Fn(u64) -> Option<u64> + Sync) -> Vec<String> {
    const ENOUGH: usize = 3;
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let reports = std::sync::Mutex::new(Vec::new());
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let Some(seed) = seeds(next.fetch_add(1, Ordering::Relaxed)) else { break };
            if fails(seed, &op::steps(seed)).is_none() {
                continue;
            }
            let report = report(seed);
            let mut reports = reports.lock().expect("no panic with the lock held");
            eprintln!("{report}");
            reports.push(report);
            stop.store(reports.len() >= ENOUGH, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    reports.into_inner().expect("no panic with the lock held")
}

// covers: CmOpenAf, CmCloseAf, CmRegisterSap, CmDeregisterSap, CmCreateVc, CmDeleteVc, CmMakeCall, CmCloseCall, CmNotifyCloseAfComplete
// covers: CmIncomingCallComplete, CmActivateVcComplete, CmDeactivateVcComplete, NdisMCmCreateVc, NdisMCmDeleteVc, NdisMCmDispatchIncomingCall
// covers: NdisMCmDispatchCallConnected, NdisMCmActivateVc, NdisMCmDeactivateVc
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
    let reports = judge(|n| (n < count).then(|| first + n));
    if count != usual {
        println!("{count} seeds in {:.1} s", start.elapsed().as_secs_f64());
    }
    assert!(reports.is_empty(), "{}", reports.join("\n"));
}

/// One seed, and of it the steps that `MCM_MODEL_STEPS` names, if it does.
fn one(seed: u64) {
    let all = op::steps(seed);
    let steps = match env::var("MCM_MODEL_STEPS") {
        Ok(list) => {
            let kept: Vec<usize> = list.split(',').filter_map(|number| number.parse().ok()).collect();
            shrink::chosen(&all, &kept)
        }
        Err(_) => all,
    };
    for step in &steps {
        println!("{step}");
    }
    let outcome = script::run(seed, &steps);
    println!("{}{} calls up, {} s", outcome.history, outcome.connected, outcome.seconds);
    assert!(outcome.faults.is_empty(), "{}", outcome.faults.join("\n"));
}

#[test]
fn seeds_that_found_something_stay_clean() {
    let reports = judge(|n| REGRESSIONS.get(usize::try_from(n).ok()?).copied());
    assert!(reports.is_empty(), "{}", reports.join("\n"));
}
