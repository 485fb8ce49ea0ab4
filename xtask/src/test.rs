//! `cargo xtask test`: every test of the repository, with the driver built first.

use crate::build;
use crate::command::{line, progress};
use crate::compile_fail;
use crate::referees;
use crate::target::Target;
use crate::workspace::{self, Workspace};
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Options of `cargo xtask test`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    build: build::Options,
    /// Run the scenarios on these cards only: the simulator's own models or QEMU's [default: on both]
    #[arg(long, value_enum)]
    cards: Option<Cards>,
    /// Further arguments of `cargo test`, such as a test's name, or `-p` and a package
    #[arg(value_name = "ARGUMENTS OF CARGO TEST", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Who plays the cards of the scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Cards {
    InProcess,
    Qemu,
}

impl Cards {
    /// The package of the scenarios, and the variable by which they are told of this.
    const SCENARIOS: &str = "scenarios";
    const VARIABLE: &str = "MCM_CARDS";
    /// The program that QEMU's cards take.
    const QEMU: &str = "qemu-system-x86_64";

    /// Their name in that variable.
    fn name(self) -> &'static str {
        match self {
            Self::InProcess => "in-process",
            Self::Qemu => "qemu",
        }
    }
}

/// What the test programs reported, summed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    programs: usize,
    passed: usize,
    failed: usize,
    ignored: usize,
    /// The tests that failed, as each program lists them at its end.
    failures: Vec<String>,
}

impl Totals {
    /// Takes in a line of a test program's output.
    fn add(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.push(name.to_owned());
        }
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        self.programs += 1;
        for part in rest.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) =
                (words.next().and_then(|n| n.parse::<usize>().ok()), words.next())
            else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

/// The variable by which a test of the image for ARM64 is told where that is.
const ARM64_VARIABLE: &str = "MCM_SYS_ARM64";

/// Builds the driver for ARM64, if there is what that takes: the test of its barriers reads it.
fn arm64_image(workspace: &Workspace, options: &build::Options) -> Result<Option<build::Image>> {
    let mut options = options.clone();
    options.setup.target = Target::Arm64;
    match build::DriverBuild::prepare(workspace, &options) {
        Ok(build) => build.image().map(Some),
        Err(error) => {
            progress("Skipped", format_args!("the test of the image for ARM64: {error:#}"));
            Ok(None)
        }
    }
}

/// Builds the driver, sees that its types refuse what they are there to refuse, then runs the tests of the host's crates and
/// the scenarios, which find the driver through the environment variable `MCM_SYS`; then the scenarios once more, on QEMU's cards.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let start = Instant::now();
    if !options.build.setup.no_install
        && let Err(error) = referees::provide(workspace, &referees::missing(workspace, |_| true))
    {
        // They judge some of the tests, which say that they are skipped without them.
        progress("Missing", format_args!("programs for some tests, which are skipped: {error:#}"));
    }
    let image = build::run(workspace, &options.build)?;
    let arm64 = arm64_image(workspace, &options.build)?;
    let mut totals = Totals::default();
    let mut passed = true;
    if options.arguments.is_empty() {
        totals.programs += 1;
        match compile_fail::run(workspace, &options.build) {
            Ok(cases) => totals.passed += cases,
            Err(error) => {
                eprintln!("error: {error:#}");
                totals.failed += 1;
                totals.failures.push("compile-fail".to_owned());
                passed = false;
            }
        }
    }
    for (cards, selection) in selections(workspace, options)? {
        if cards == Cards::Qemu && !referees::missing(workspace, |it| it == Cards::QEMU).is_empty() {
            let qemu = Cards::QEMU;
            progress("Skipped", format_args!("the scenarios on QEMU's cards: there is no {qemu}"));
            continue;
        }
        let mut command = workspace.host_cargo("test");
        command.arg("--no-fail-fast").args(selection).args(&options.arguments);
        command.env("MCM_SYS", &image.sys).env("PATH", referees::search_path(workspace));
        command.env(Cards::VARIABLE, cards.name());
        if let Some(image) = &arm64 {
            command.env(ARM64_VARIABLE, &image.sys);
        }
        passed &= run_and_count(&mut command, &mut totals)?;
    }
    let seconds = start.elapsed().as_secs();
    let Totals { programs, passed: ok, failed, ignored, failures } = totals;
    println!(
        "\nsummary: {ok} passed, {failed} failed, {ignored} ignored in {programs} test programs; {seconds} s with builds"
    );
    for failure in failures {
        println!("failed: {failure}");
    }
    ensure!(passed, "not all tests passed");
    Ok(())
}

/// Cards and arguments of each `cargo test`: what runs in the simulator wants the simulator's profile; xtask and
/// all it depends on have been built in the other one to get here. A selection of the user's stands.
fn selections(workspace: &Workspace, options: &Options) -> Result<Vec<(Cards, Vec<String>)>> {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let profile = words(&["--profile", workspace::SIM_PROFILE]);
    let selects = |argument: &OsString| ["-p", "--package"].iter().any(|option| argument == option);
    let of_user = options.arguments.iter().any(selects);
    let scenarios = !of_user || options.arguments.iter().any(|argument| argument == Cards::SCENARIOS);
    let mut all = Vec::new();
    if of_user {
        all.push((Cards::InProcess, profile.clone()));
    } else {
        let simulated = [profile.clone(), workspace.host_selection()?, words(&["--exclude", "xtask"])];
        all.push((Cards::InProcess, simulated.concat()));
        all.push((Cards::InProcess, words(&["--package", "xtask"])));
    }
    if scenarios {
        let package = if of_user { Vec::new() } else { words(&["--package", Cards::SCENARIOS]) };
        all.push((Cards::Qemu, [profile, package].concat()));
    }
    all.retain(|(cards, _)| options.cards.is_none_or(|only| only == *cards));
    Ok(all)
}

/// Runs `cargo test`, passes its output on, sums its results, and says whether it succeeded.
fn run_and_count(command: &mut Command, totals: &mut Totals) -> Result<bool> {
    progress("Testing", line(command));
    let mut child = command.stdout(Stdio::piped()).spawn().context("starting cargo test")?;
    let output = child.stdout.take().context("no output of cargo test")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        totals.add(String::from_utf8_lossy(&line).trim_end());
        let mut out = std::io::stdout().lock();
        out.write_all(&line)?;
        out.write_all(b"\n")?;
    }
    Ok(child.wait()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn results_are_summed() {
        let mut totals = Totals::default();
        for line in [
            "running 3 tests",
            "test a::b ... ok",
            "test a::c ... FAILED",
            "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s",
            "test result: ok. 40 passed; 0 failed; 2 ignored; 0 measured; 1 filtered out; finished in 12.30s",
        ] {
            totals.add(line);
        }
        let failures = vec!["a::c".to_owned()];
        assert_eq!(totals, Totals { programs: 2, passed: 41, failed: 1, ignored: 3, failures });
    }

    #[test]
    fn a_selection_of_the_users_stands() {
        let selected = |arguments: &[&str]| {
            let options = Cli::try_parse_from([&["test"], arguments].concat()).unwrap().options;
            selections(&Workspace::find().unwrap(), &options).unwrap()
        };
        let profile = ["--profile", "sim"].map(str::to_owned).to_vec();
        assert_eq!(selected(&["-p", "pppoe"]), [(Cards::InProcess, profile.clone())]);
        assert_eq!(selected(&["--cards", "qemu", "-p", "scenarios"]), [(Cards::Qemu, profile)]);
        let all = selected(&["a_name"]);
        assert_eq!(
            all.iter().map(|(cards, _)| cards.name()).collect::<Vec<_>>(),
            ["in-process", "in-process", "qemu"]
        );
        assert!(all[0].1.contains(&"--exclude".to_owned()) && all[1].1 == ["--package", "xtask"]);
        assert!(all[2].1.ends_with(&["--package", "scenarios"].map(str::to_owned)));
    }
}
