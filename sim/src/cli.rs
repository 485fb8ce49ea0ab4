//! The command line of `ndis-sim`.

mod progress;
mod reading;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, ValueEnum};

use progress::ProgressLine;
use reading::Reading;

use crate::{
    machine::{Step, TICK},
    nic::Model,
    report,
    scenario::{Backend, Ending, MAX_BURST, MAX_FRAME, MIN_FRAME, PCAP_LIMIT, Peer, Scenario},
    wire::rp_pppoe::{clean_up_when_interrupted, leave_it_to_the_handler},
};

/// Exit status of a run with findings, leaks or lost frames.
const NOT_CLEAN: u8 = 1;
/// Exit status when no run was made.
const NO_RUN: u8 = 2;
/// Where builds leave the driver, relative to the directory the command is run in.
const BUILT: [&str; 2] =
    ["target/x86_64-pc-windows-msvc/release/mcm.sys", "target/x86_64-pc-windows-msvc/debug/mcm.sys"];

const EXAMPLES: &str = "\
Examples:
  ndis-sim --sys target/x86_64-pc-windows-msvc/release/mcm.sys
  ndis-sim --nic 82540em --calls 4 --frames 1000 --size 1494
  ndis-sim --incoming 2                              (hosts call the card as well)
  ndis-sim --backend qemu --nic 82545em              (package qemu-system-x86)
  ndis-sim --bad-cable --ending network --seed 1 --runs 200
  ndis-sim --reading activation-later --reading halt-unpaused
  ndis-sim --burst 480 --reading more-pending-ignored (480 frames arrive at once)
  ndis-sim --peer rp-pppoe --pcap run.pcapng        (root; packages pppoe and iproute2)
  ndis-sim --peer rp-pppoe-client --incoming 3       (the same)
  ndis-sim --peer eth1 --service internet --json    (root or CAP_NET_RAW)

The driver is that of --sys, else of the environment variable MCM_SYS, else a build below target/.
A run with the embedded peer and the in-process card depends on its options and its seed alone: the same ones give
the same event log.
Exit status: 0 for clean runs, 1 when something was found, leaked or lost, 2 when no run could be made.";

/// Runs mcm.sys on Linux: plays Windows, a network card and an access concentrator to it, and checks the rules.
#[derive(Debug, Parser)]
#[command(name = "ndis-sim", version, after_help = EXAMPLES)]
struct Arguments {
    /// Driver image to run
    #[arg(long, value_name = "FILE", env = "MCM_SYS")]
    sys: Option<PathBuf>,
    /// Card: 82540em, 82545em or 82574l
    #[arg(long, value_name = "CARD", default_value = "82574l")]
    nic: Model,
    /// Who plays the card: in-process or qemu
    #[arg(long, value_name = "BACKEND", default_value = "in-process")]
    backend: Backend,
    /// What the card is plugged into: embedded, rp-pppoe, rp-pppoe-client, or the name of a Linux interface
    #[arg(long, value_name = "PEER", default_value = "embedded")]
    peer: Peer,
    /// Calls that clients make, all up at the same time (default: 1; none with rp-pppoe-client)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=65_534))]
    calls: Option<u32>,
    /// Calls that hosts make, up together with the others (default: 0; 1 with rp-pppoe-client)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=65_534))]
    incoming: Option<u32>,
    /// Frames sent on each call, each of which has to come back
    #[arg(long, value_name = "N", default_value_t = 10)]
    frames: u32,
    /// Frames besides, of all calls together, that come back to the card all at once (1 to 1500; embedded peer only)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_BURST)))]
    burst: Option<u32>,
    /// Bytes of a frame from the PPP protocol field on (42 to 1494)
    #[arg(long, value_name = "BYTES", default_value_t = 512, value_parser = frame_size)]
    size: usize,
    /// Seed of every decision: scheduling, session ids, losses
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Runs to make, with this seed and the following ones
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Virtual processors
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = processors)]
    cpus: usize,
    /// Service asked for (default: any)
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    service: String,
    /// Access concentrator asked for (default: any)
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    ac: String,
    /// How the calls end
    #[arg(long, value_enum, default_value_t = EndingArgument::Client)]
    ending: EndingArgument,
    /// Lose, repeat, delay and reorder discovery frames (embedded peer only)
    #[arg(long)]
    bad_cable: bool,
    /// How NDIS reads a document that contradicts others (default: as most of them say); may be given again
    #[arg(long = "reading", value_name = "NAME", value_enum)]
    readings: Vec<Reading>,
    /// What the clock of the kernel ticks in, in milliseconds; 0 for an exact one (default: 15.625, or what the seed draws with
    /// --reading drawn)
    #[arg(long, value_name = "MS", value_parser = tick)]
    tick: Option<Duration>,
    /// Make the Nth fallible kernel call (from 0) fail; with --runs, each following one in turn
    #[arg(long, value_name = "N")]
    fail: Option<u64>,
    /// Where the capture goes (default: ndis-sim-SEED.pcapng in target/ or the temporary directory)
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Most mebibytes of the capture; frames that come later are left out
    #[arg(long, value_name = "MIB", default_value_t = PCAP_LIMIT >> 20)]
    pcap_limit: u64,
    /// Print the event log to standard error
    #[arg(long)]
    trace: bool,
    /// Print one JSON object a run to standard output and nothing else
    #[arg(long)]
    json: bool,
}

/// How the calls end, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EndingArgument {
    /// The client closes them
    Client,
    /// The access concentrator hangs up at random moments
    Network,
    /// The card is pulled out
    SurpriseRemoval,
}

impl From<EndingArgument> for Ending {
    fn from(argument: EndingArgument) -> Self {
        match argument {
            EndingArgument::Client => Self::Client,
            EndingArgument::Network => Self::Network,
            EndingArgument::SurpriseRemoval => Self::SurpriseRemoval,
        }
    }
}

fn frame_size(text: &str) -> Result<usize, String> {
    let size: usize = text.parse().map_err(|_| "not a number of bytes".to_owned())?;
    let fits = (MIN_FRAME..=MAX_FRAME).contains(&size);
    fits.then_some(size).ok_or_else(|| format!("a frame has {MIN_FRAME} to {MAX_FRAME} bytes"))
}

fn tick(text: &str) -> Result<Duration, String> {
    let milliseconds: f64 = text.parse().map_err(|_| "not a number of milliseconds".to_owned())?;
    let fits = milliseconds == 0.0 || (0.5..=15.625).contains(&milliseconds);
    fits.then(|| Duration::from_secs_f64(milliseconds / 1000.0))
        .ok_or_else(|| "Windows ticks every 0.5 to 15.625 ms; 0 is an exact clock".to_owned())
}

fn processors(text: &str) -> Result<usize, String> {
    let cpus: usize = text.parse().map_err(|_| "not a number of processors".to_owned())?;
    (1..=64).contains(&cpus).then_some(cpus).ok_or_else(|| "1 to 64 processors".to_owned())
}

/// The command: reads the process's arguments, makes the runs and reports them.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ready = clean_up_when_interrupted().map_err(|error| error.to_string());
    let result = ready.and_then(|()| make_runs(&arguments));
    leave_it_to_the_handler();
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(NOT_CLEAN),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(NO_RUN)
        }
    }
}

/// Makes every run; whether all were clean.
fn make_runs(arguments: &Arguments) -> Result<bool, String> {
    let scenario = scenario(arguments)?;
    let mut clean = 0;
    for run in 0..arguments.runs {
        leave_it_to_the_handler();
        let seed = arguments.seed.wrapping_add(run);
        let fail = arguments.fail.map(|call| call.saturating_add(run));
        let pcap = (arguments.runs == 1).then(|| capture(arguments, seed));
        clean += u64::from(make_run(arguments, &Scenario { seed, fail, pcap, ..scenario.clone() })?);
    }
    if arguments.runs > 1 && !arguments.json {
        println!("{clean} of {} runs were clean", arguments.runs);
    }
    Ok(clean == arguments.runs)
}

fn make_run(arguments: &Arguments, scenario: &Scenario) -> Result<bool, String> {
    let quiet = arguments.json || arguments.runs > 1;
    let line = ProgressLine::start(!arguments.json && !arguments.trace);
    let scenario = Scenario { progress: Some(line.progress()), ..scenario.clone() };
    let wipe = line.wiper();
    let told = move |time: Duration, step: &Step| {
        if !quiet {
            wipe.wipe();
            // A reader that went away (a closed pipe) ends the printing, not the run.
            let _ = writeln!(io::stdout(), "{}", report::step(time, step));
        }
    };
    let outcome = scenario.run(told);
    line.end();
    let outcome = outcome.map_err(|error| error.to_string())?;
    let text = if arguments.json {
        report::json(&outcome).map_err(|error| error.to_string())?
    } else if arguments.runs > 1 && outcome.ok {
        format!(
            "seed {}: clean, {} calls, event log {}",
            outcome.seed, outcome.calls_up, outcome.event_log_sha256
        )
    } else {
        report::summary(&outcome)
    };
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    Ok(outcome.ok)
}

/// The scenario that the arguments ask for, or what is wrong with them.
fn scenario(arguments: &Arguments) -> Result<Scenario, String> {
    if arguments.peer.is_real() && (arguments.bad_cable || arguments.ending == EndingArgument::Network) {
        return Err(format!("--bad-cable and --ending network need --peer embedded, not {}", arguments.peer));
    }
    if arguments.peer.is_real() && arguments.burst.is_some() {
        return Err(format!("--burst needs --peer embedded, not {}", arguments.peer));
    }
    if arguments.pcap.is_some() && arguments.runs > 1 {
        return Err("--pcap holds one run: leave --runs out".to_owned());
    }
    let dials_in = arguments.peer == Peer::RpPppoeClient;
    let calls = arguments.calls.unwrap_or(u32::from(!dials_in));
    let incoming = arguments.incoming.unwrap_or(u32::from(dials_in));
    if dials_in && calls != 0 {
        return Err("nobody answers calls at --peer rp-pppoe-client: leave --calls out".to_owned());
    }
    if incoming != 0 && !dials_in && arguments.peer != Peer::Embedded {
        let peer = &arguments.peer;
        return Err(format!("--incoming needs --peer embedded or rp-pppoe-client, not {peer}"));
    }
    if calls == 0 && incoming == 0 {
        return Err("no calls at all: --calls or --incoming has to be at least 1".to_owned());
    }
    let readings = Reading::all(&arguments.readings)?;
    Ok(Scenario {
        nic: arguments.nic,
        backend: arguments.backend,
        peer: arguments.peer.clone(),
        cpus: arguments.cpus,
        calls,
        incoming,
        frames: arguments.frames,
        burst: arguments.burst.unwrap_or(0),
        size: arguments.size,
        seed: arguments.seed,
        service: arguments.service.clone(),
        ac: arguments.ac.clone(),
        ending: arguments.ending.into(),
        bad_cable: arguments.bad_cable,
        readings,
        tick: arguments.tick.or(readings.map(|_| TICK)),
        fail: arguments.fail,
        trace: arguments.trace,
        pcap: None,
        pcap_limit: arguments.pcap_limit.saturating_mul(1 << 20),
        progress: None,
        sys: driver(arguments.sys.as_deref())?,
    })
}

/// The driver's file.
fn driver(given: Option<&Path>) -> Result<PathBuf, String> {
    let built = BUILT.into_iter().map(Path::new).find(|path| path.is_file());
    let path = given
        .or(built)
        .ok_or("no driver: give one with --sys FILE or MCM_SYS, or build it with `cargo xtask build`")?;
    if !path.is_file() {
        return Err(format!("there is no driver {}: `cargo xtask build` makes one", path.display()));
    }
    Ok(path.to_owned())
}

/// Where the capture goes.
fn capture(arguments: &Arguments, seed: u64) -> PathBuf {
    let default = || {
        let target = Path::new("target");
        let directory = if target.is_dir() { target.to_owned() } else { std::env::temp_dir() };
        directory.join(format!("ndis-sim-{seed}.pcapng"))
    };
    arguments.pcap.clone().unwrap_or_else(default)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("ndis-sim").chain(line.split_whitespace()))
    }

    #[test]
    fn definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn defaults_make_one_call() {
        let arguments = parse("--sys x").expect("valid");
        assert_eq!((arguments.nic, arguments.calls, arguments.runs), (Model::I82574l, None, 1));
        assert_eq!(arguments.peer, Peer::Embedded);
    }

    #[test]
    fn bad_values_are_named() {
        for (line, says) in [
            ("--nic 82599", "82540em, 82545em or 82574l"),
            ("--backend vmware", "in-process or by qemu"),
            ("--size 2000", "42 to 1494"),
            ("--burst 0", "1..=1500"),
            ("--burst 2000", "1..=1500"),
            ("--size many", "not a number"),
            ("--calls 65535", "0..=65534"),
            ("--cpus 0", "1 to 64"),
            ("--tick fast", "not a number"),
            ("--tick 20", "0.5 to 15.625"),
            ("--ending never", "surprise-removal"),
            ("--reading tea-leaves", "every-answer-completed"),
        ] {
            let error = parse(line).expect_err(line).to_string();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn what_needs_the_embedded_peer_says_so() {
        let arguments = parse("--sys Cargo.toml --peer rp-pppoe --bad-cable").expect("valid on its own");
        assert!(scenario(&arguments).expect_err("a contradiction").contains("--peer embedded"));
        let arguments = parse("--sys Cargo.toml --peer rp-pppoe --burst 9").expect("valid on its own");
        assert!(scenario(&arguments).expect_err("a contradiction").contains("--peer embedded"));
    }

    #[test]
    fn calls_go_where_somebody_is() {
        let made = |line: &str| {
            scenario(&parse(&format!("--sys Cargo.toml {line}")).expect("valid on its own"))
                .map(|scenario| (scenario.calls, scenario.incoming))
        };
        assert_eq!(made(""), Ok((1, 0)));
        assert_eq!(made("--incoming 2"), Ok((1, 2)));
        assert_eq!(made("--peer rp-pppoe-client"), Ok((0, 1)));
        assert!(made("--peer rp-pppoe --incoming 1").is_err());
        assert!(made("--peer rp-pppoe-client --calls 1").is_err());
        assert!(made("--calls 0").is_err());
    }

    #[test]
    fn missing_driver_is_named_with_the_remedy() {
        let error = driver(Some(Path::new("no/such.sys"))).expect_err("there is none");
        assert!(error.contains("no/such.sys") && error.contains("cargo xtask build"));
    }
}
