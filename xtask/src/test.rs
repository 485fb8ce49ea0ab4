//! `cargo xtask test`: every test of the repository, with the driver built first.

use crate::build;
use crate::command::{line, progress};
use crate::workspace::{self, Workspace};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
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
    let image = build::run(workspace, &options.build)?;
    let mut command = workspace.host_cargo("test");
    command.args(["--profile", workspace::SIM_PROFILE, "--no-fail-fast"]);
    let selects = |argument: &OsString| argument == "-p" || argument == "--package";
    if !options.arguments.iter().any(selects) {
        command.args(workspace.host_selection()?);
    }
    command.args(&options.arguments).env("MCM_SYS", &image.sys).stdout(Stdio::piped());
    progress("Testing", line(&command));
    let mut child = command.spawn().context("starting cargo test")?;
    let mut totals = Totals::default();
    let output = child.stdout.take().context("no output of cargo test")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        totals.add(String::from_utf8_lossy(&line).trim_end());
        let mut out = std::io::stdout().lock();
        out.write_all(&line)?;
        out.write_all(b"\n")?;
    }
    let status = child.wait()?;
    println!(
        "\nsummary: {} passed, {} failed, {} ignored in {} test programs; {} s with the builds",
        totals.passed,
        totals.failed,
        totals.ignored,
        totals.programs,
        start.elapsed().as_secs()
    );
    for failure in &totals.failures {
        println!("failed: {failure}");
    }
    if !status.success() {
        bail!("cargo test failed: {status}");
    }
    Ok(())
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
}
