//! `cargo xtask run`: the driver in the simulator.

use crate::build;
use crate::command::{become_program, progress, run_quiet_stdout};
use crate::referees;
use crate::workspace::{self, Workspace};
use anyhow::{Result, bail};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// Options of `cargo xtask run`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    build: build::Options,
    /// Arguments of the simulator, after those above; `-- --help` lists them
    #[arg(value_name = "ARGUMENTS OF NDIS-SIM", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Options {
    /// Whether the simulator is asked to run a program of Debian's.
    fn wants(&self, program: &str) -> bool {
        let asked = |words: [&str; 2]| {
            self.arguments.iter().any(|argument| words.iter().any(|word| argument == word))
        };
        match program {
            "pppoe-server" | "ip" => {
                asked(["rp-pppoe", "--peer=rp-pppoe"]) || asked(["rp-pppoe-client", "--peer=rp-pppoe-client"])
            }
            "qemu-system-x86_64" => asked(["qemu", "--backend=qemu"]),
            _ => false,
        }
    }
}

/// Builds driver and simulator and runs the one in the other. Standard output is the simulator's alone.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let missing = referees::missing(workspace, |program| options.wants(program));
    if !missing.is_empty() {
        if options.build.setup.no_install {
            bail!("{}", crate::setup::how_to_install(&missing, None));
        }
        referees::provide(workspace, &missing)?;
    }
    let image = build::run(workspace, &options.build)?;
    let simulator = build_simulator(workspace)?;
    let mut command = Command::new(simulator);
    command.arg("--sys").arg(&image.sys).args(&options.arguments);
    become_program(command.env("PATH", referees::search_path(workspace)))
}

/// Builds `ndis-sim` in profile `sim` and returns its path.
fn build_simulator(workspace: &Workspace) -> Result<PathBuf> {
    progress("Building", "ndis-sim");
    run_quiet_stdout(workspace.host_cargo("build").args([
        "--profile",
        workspace::SIM_PROFILE,
        "--package",
        "ndis-sim",
    ]))?;
    Ok(workspace
        .target
        .join(workspace::SIM_PROFILE)
        .join(format!("ndis-sim{}", std::env::consts::EXE_SUFFIX)))
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

    fn parse(arguments: &[&str]) -> Options {
        Cli::try_parse_from(std::iter::once(&"run").chain(arguments)).unwrap().options
    }

    #[test]
    fn everything_unknown_goes_to_the_simulator() {
        let options = parse(&["--debug", "--peer", "rp-pppoe", "--seed", "7", "--json"]);
        assert!(options.build.debug && options.wants("pppoe-server"));
        assert_eq!(options.arguments, ["--peer", "rp-pppoe", "--seed", "7", "--json"]);
        assert_eq!(parse(&["--json"]).arguments, ["--json"]);
        assert_eq!(parse(&["--", "--help"]).arguments, ["--help"]);
        assert!(!parse(&["--seed", "7"]).wants("pppoe-server"));
        assert!(parse(&["--peer=rp-pppoe"]).wants("pppoe-server"));
    }
}
