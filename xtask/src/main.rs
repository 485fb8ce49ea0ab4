//! The repository's commands: `cargo xtask --help`.
//!
//! One file for each thing: the commands (`setup`, `build`, ...), the tools they need (`toolchain`,
//! `packages`, `referees`), and what stands in for Windows (`wdk_tree`, `import_libs`, `wdk_build_patch`,
//! `shadow`).

mod bench;
mod build;
mod check;
#[cfg(test)]
mod client_header;
mod command;
mod compile_fail;
mod coverage;
mod files;
mod image_stamp;
mod import_libs;
mod mutants;
mod package;
mod packages;
mod referees;
mod run;
mod setup;
mod shadow;
mod stack;
mod target;
mod test;
mod toolchain;
mod wdk_build_patch;
mod wdk_diff;
mod wdk_overlay;
mod wdk_tree;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

/// Builds, runs and tests mcm.sys; no Windows needed.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Debug, Subcommand)]
enum Commands {
    /// Say what a build needs and what is there, and install what is missing
    Setup(setup::Options),
    /// Build mcm.sys, with its link map and debug information beside it
    Build(build::Options),
    /// Run mcm.sys in the simulator; standard output is the simulator's alone
    Run(run::Options),
    /// Measure mcm.sys; standard output is the benchmark's alone
    Bench(bench::Options),
    /// Build mcm.sys and run every test, native and in the simulator
    Test(test::Options),
    /// Lint all crates, the driver's for the Windows target; warnings are errors
    Clippy(build::Options),
    /// Document all crates; warnings are errors
    Doc(build::Options),
    /// Print how much stack the driver takes: its entry points, the deepest path from each, the largest frames
    Stack(build::Options),
    /// Stage mcm.sys and its INF (catalog and signature need Windows)
    Package(build::Options),
    /// Make slips in the driver, one at a time, and see that something notices
    Mutants(mutants::Options),
    /// Compile what the types of crate `ndis` must refuse
    CompileFail(build::Options),
    /// Make the table of what is covered by which test, docs/coverage.md
    Coverage,
    /// Compare the headers in `wdk/` with those of a real WDK
    WdkDiff {
        /// The directory that holds `Include`
        dir: std::path::PathBuf,
    },
}

fn dispatch(cli: Cli) -> Result<()> {
    let workspace = Workspace::find()?;
    match cli.command {
        Commands::Setup(options) => setup::run(&options),
        Commands::Build(options) => {
            let image = build::run(&workspace, &options)?;
            println!("{}", image.sys.display());
            Ok(())
        }
        Commands::Run(options) => run::run(&workspace, &options),
        Commands::Bench(options) => bench::run(&workspace, &options),
        Commands::Test(options) => test::run(&workspace, &options),
        Commands::Clippy(options) => check::clippy(&workspace, &options),
        Commands::Doc(options) => check::doc(&workspace, &options),
        Commands::CompileFail(options) => compile_fail::run(&workspace, &options).map(drop),
        Commands::Stack(options) => stack::run(&workspace, &options),
        Commands::Coverage => coverage::run(&workspace),
        Commands::WdkDiff { dir } => wdk_diff::run(&dir),
        Commands::Mutants(options) => mutants::run(&workspace, &options),
        Commands::Package(options) => package::run(&workspace, &options),
    }
}

fn main() -> ExitCode {
    match dispatch(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn build_options_are_read() {
        let cli = Cli::try_parse_from(["xtask", "build", "--toolchain", "debian", "--debug", "--no-install"])
            .unwrap();
        let Commands::Build(options) = cli.command else { panic!("not build") };
        assert_eq!(options.setup.toolchain, Some(toolchain::Kind::Debian));
        assert!(options.debug && options.setup.no_install && options.wdk.is_none());
        assert!(Cli::try_parse_from(["xtask", "build", "--debug", "--release"]).is_err());
        assert!(Cli::try_parse_from(["xtask", "build", "--target", "i686-pc-windows-msvc"]).is_err());
    }
}
