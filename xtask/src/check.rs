//! `cargo xtask clippy` and `cargo xtask doc`: the same tool over the host's crates and, for the
//! Windows target, over the driver's; warnings are errors. Both are looked at even if the first has any.

use crate::build::{self, DriverBuild};
use crate::command::{progress, run_quiet_stdout};
use crate::workspace::Workspace;
use anyhow::Result;

/// `cargo xtask clippy`.
pub(crate) fn clippy(workspace: &Workspace, options: &build::Options) -> Result<()> {
    progress("Checking", "the host's crates with clippy");
    let mut host = workspace.host_cargo("clippy");
    host.args(workspace.host_selection()?).args(["--all-targets", "--", "-D", "warnings"]);
    let host = run_quiet_stdout(&mut host);
    progress("Checking", "the driver's crates with clippy");
    let driver = DriverBuild::prepare(workspace, options)?;
    if !driver.has_clippy() {
        progress(
            "Skipping",
            "the driver's crates: Debian's compiler has no clippy; rustup's target would do",
        );
        return host;
    }
    let mut command = driver.cargo("clippy");
    command.arg("--no-deps").args(workspace.driver_selection()?).args(["--", "-D", "warnings"]);
    host.and(run_quiet_stdout(&mut command))
}

/// `cargo xtask doc`.
pub(crate) fn doc(workspace: &Workspace, options: &build::Options) -> Result<()> {
    progress("Documenting", "the host's crates");
    let mut host = workspace.host_cargo("doc");
    host.env("RUSTDOCFLAGS", "-D warnings").arg("--no-deps").args(workspace.host_selection()?);
    let host = run_quiet_stdout(&mut host);
    progress("Documenting", "the driver's crates");
    let driver = DriverBuild::prepare(workspace, options)?;
    let mut command = driver.cargo("doc");
    // A driver is no library: what there is to read of it is private.
    command
        .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links")
        .args(["--no-deps", "--document-private-items"]);
    command.args(workspace.driver_selection()?);
    host.and(run_quiet_stdout(&mut command))
}
