//! `cargo xtask bench`: what the driver costs.

use crate::build;
use crate::command::{become_program, progress, run_quiet_stdout};
use crate::workspace::{self, Workspace};
use anyhow::Result;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// Options of `cargo xtask bench`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Options {
    /// What to measure
    #[arg(value_enum)]
    benchmark: Benchmark,
    #[command(flatten)]
    build: build::Options,
    /// Arguments of the benchmark, after those above; `-- --help` lists them
    #[arg(value_name = "ARGUMENTS OF THE BENCHMARK", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// The benchmarks of package `benches`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// Instructions and cycles of a frame, sent and received
    Datapath,
    /// Instructions, cycles and memory of a call, one and all 65,534 of them
    Calls,
    /// Processor time that a frame costs the simulator, of one call and of many
    Sim,
}

impl Benchmark {
    fn name(self) -> &'static str {
        match self {
            Self::Datapath => "datapath",
            Self::Calls => "calls",
            Self::Sim => "sim",
        }
    }
}

/// Builds driver and benchmark and runs the one on the other. Standard output is the benchmark's alone.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let image = build::run(workspace, &options.build)?;
    let name = options.benchmark.name();
    let program = build_benchmark(workspace, name)?;
    let plot = workspace.target.join("bench").join(format!("{name}.svg"));
    let mut command = Command::new(program);
    command.arg("--sys").arg(&image.sys).arg("--plot").arg(plot);
    become_program(command.args(&options.arguments))
}

fn build_benchmark(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    progress("Building", name);
    run_quiet_stdout(workspace.host_cargo("build").args([
        "--profile",
        workspace::SIM_PROFILE,
        "--package",
        "benches",
        "--bin",
        name,
    ]))?;
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    Ok(workspace.target.join(workspace::SIM_PROFILE).join(file))
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
    fn everything_unknown_goes_to_the_benchmark() {
        let parse = |arguments: &[&str]| Cli::try_parse_from(std::iter::once(&"bench").chain(arguments));
        let options = parse(&["datapath", "--debug", "--json", "--vcs", "1"]).unwrap().options;
        assert!(options.build.debug && options.benchmark == Benchmark::Datapath);
        assert_eq!(options.arguments, ["--json", "--vcs", "1"]);
        let options = parse(&["calls", "--calls", "100"]).unwrap().options;
        assert_eq!((options.benchmark, options.benchmark.name()), (Benchmark::Calls, "calls"));
        assert_eq!(parse(&["sim", "--frames", "10"]).unwrap().options.benchmark, Benchmark::Sim);
        assert!(parse(&["memory"]).is_err());
    }
}
