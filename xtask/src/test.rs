//! `cargo xtask test`: every test of the repository, with the driver built first.

use crate::build;
use crate::command::{line, progress};
use crate::referees;
use crate::workspace::{self, Workspace};
use anyhow::{Context, Result, ensure};
use clap::Args;
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
    /// Further arguments of `cargo test`, such as a test's name, or `-p` and a package
    #[arg(value_name = "ARGUMENTS OF CARGO TEST", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
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

/// Builds the driver, then runs the tests of the host's crates and the scenarios, which find the
/// driver through the environment variable `MCM_SYS`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let start = Instant::now();
    if !options.build.setup.no_install
        && let Err(error) = referees::provide(workspace, &referees::missing(workspace, |_| true))
    {
        // They judge some of the tests, which say that they are skipped without them.
        progress("Missing", format_args!("programs for some tests, which are skipped: {error:#}"));
    }
    let image = build::run(workspace, &options.build)?;
    let mut totals = Totals::default();
    let mut passed = true;
    for selection in selections(workspace, &options.arguments)? {
        let mut command = workspace.host_cargo("test");
        command.arg("--no-fail-fast").args(selection).args(&options.arguments);
        command.env("MCM_SYS", &image.sys).env("PATH", referees::search_path(workspace));
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

/// Arguments of each `cargo test`: what runs in the simulator wants the simulator's profile; xtask and
/// all it depends on have been built in the other one to get here. A selection of the user's stands.
fn selections(workspace: &Workspace, arguments: &[OsString]) -> Result<Vec<Vec<String>>> {
    let profile = vec!["--profile".to_owned(), workspace::SIM_PROFILE.to_owned()];
    let selects = |argument: &OsString| ["-p", "--package"].iter().any(|option| argument == option);
    if arguments.iter().any(selects) {
        return Ok(vec![profile]);
    }
    let mut simulated = profile;
    simulated.extend(workspace.host_selection()?);
    simulated.extend(["--exclude", "xtask"].map(str::to_owned));
    Ok(vec![simulated, vec!["--package".to_owned(), "xtask".to_owned()]])
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
        let workspace = Workspace::find().unwrap();
        assert_eq!(selections(&workspace, &["-p".into(), "pppoe".into()]).unwrap(), [["--profile", "sim"]]);
        let both = selections(&workspace, &["a_name".into()]).unwrap();
        assert_eq!(both.len(), 2);
        assert!(both[0].contains(&"--exclude".to_owned()) && both[1] == ["--package", "xtask"]);
    }
}
