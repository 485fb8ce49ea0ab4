//! `sim`: what a frame costs the simulator itself, in processor time, when one call has all frames and when many calls
//! share them. Who looks at every call for every frame shows in the ratio.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use ndis_sim::scenario::Scenario;
use serde::Serialize;

use crate::clock::ticks_to_f64;
use crate::command::{self, progress};

/// What the ratio may be.
const TARGET: f64 = 1.3;

/// Measures the simulator.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Arguments {
    /// Driver image to run
    #[arg(long, value_name = "FILE")]
    sys: PathBuf,
    /// Calls that share the frames
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=65_534))]
    calls: u32,
    /// Frames of each of them; one call has as many as all of them together
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    frames: u32,
    /// Runs of each kind, in turn, of which the quickest counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Taken and not used, as there is nothing to draw
    #[arg(long, value_name = "FILE", hide = true)]
    plot: Option<PathBuf>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

/// One kind of run.
#[derive(Debug, Serialize)]
struct Row {
    calls: u32,
    /// Of each call.
    frames: u32,
    /// Microseconds of processor time a frame, call set-up and everything else of the run included.
    microseconds: f64,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Results {
    rows: [Row; 2],
    ratio: f64,
    target: f64,
}

/// Processor time of this process in microseconds.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux, and the time is written to a live variable.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    ticks_to_f64(time.tv_sec.unsigned_abs()) * 1e6 + ticks_to_f64(time.tv_nsec.unsigned_abs()) / 1e3
}

/// Microseconds a frame of one run, which has to be clean.
fn run(sys: &Path, calls: u32, frames: u32) -> Result<f64> {
    let scenario = Scenario { calls, frames, ..Scenario::new(sys.to_owned()) };
    let before = processor_time();
    let outcome = scenario.run(|_, _| ())?;
    let spent = processor_time() - before;
    ensure!(outcome.ok, "a run of {calls} calls is not clean: {:?} {:?}", outcome.findings, outcome.stopped);
    Ok(spent / ticks_to_f64(outcome.frames_sent.max(1)))
}

fn measure(arguments: &Arguments) -> Result<Results> {
    let Arguments { sys, calls, frames, runs, .. } = arguments;
    let all = calls.saturating_mul(*frames);
    let kinds = [(1, all), (*calls, *frames)];
    let mut best = [f64::INFINITY; 2];
    for nth in 0..*runs {
        for ((calls, frames), best) in kinds.into_iter().zip(&mut best) {
            progress(&format!("{calls} calls of {frames} frames, run {} of {runs}", nth + 1));
            *best = best.min(run(sys, calls, frames)?);
        }
    }
    progress("");
    let [one, many] = best;
    let row = |(calls, frames), microseconds| Row { calls, frames, microseconds };
    Ok(Results { rows: [row(kinds[0], one), row(kinds[1], many)], ratio: many / one, target: TARGET })
}

fn print(results: &Results) {
    println!("{:>8} {:>12} {:>14}", "calls", "frames each", "us a frame");
    for Row { calls, frames, microseconds } in &results.rows {
        println!("{calls:>8} {frames:>12} {microseconds:>14.2}");
    }
    let met = if results.ratio <= results.target { "met" } else { "missed" };
    println!("\nratio {:.2}, at most {:.1}: {met}", results.ratio, results.target);
}

/// The command.
pub fn main() -> ExitCode {
    command::run(|| {
        let arguments = Arguments::parse();
        let results = measure(&arguments)?;
        if arguments.json {
            serde_json::to_writer(io::stdout(), &results)?;
            println!();
        } else {
            print(&results);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn processor_time_passes() {
        let before = processor_time();
        let mut sum = 0_u64;
        while processor_time() <= before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(processor_time() > before);
    }
}
