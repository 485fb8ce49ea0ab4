//! Where things are: the repository, its target directory, and the sources of its dependencies.

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Profile of `.cargo/config.toml` that the simulator and the tests are built with.
pub(crate) const SIM_PROFILE: &str = "sim";

/// The repository this program belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// Directory of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target directory, wherever the user's configuration puts it.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo where the workspace and its target directory are.
    pub(crate) fn find() -> Result<Self> {
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let metadata = MetadataCommand::new()
            .manifest_path(manifest_dir.join("Cargo.toml"))
            .no_deps()
            .exec()
            .context("asking cargo for the workspace")?;
        Ok(Self {
            root: metadata.workspace_root.into_std_path_buf(),
            target: metadata.target_directory.into_std_path_buf(),
        })
    }

    /// Resolves and, where needed, downloads every dependency; `Cargo.lock` is taken as it is.
    fn metadata(&self) -> Result<Metadata> {
        MetadataCommand::new()
            .manifest_path(self.root.join("Cargo.toml"))
            .other_options(["--locked".to_owned()])
            .exec()
            .context("resolving the workspace's dependencies")
    }

    /// The members that are part of mcm.sys and depend on the WDK; they build for Windows only.
    fn driver_members(&self) -> Result<Vec<String>> {
        let metadata = MetadataCommand::new()
            .manifest_path(self.root.join("Cargo.toml"))
            .no_deps()
            .exec()
            .context("asking cargo for the workspace's members")?;
        let needs_wdk = metadata
            .packages
            .into_iter()
            .filter(|package| package.dependencies.iter().any(|dependency| dependency.name == "wdk-sys"));
        Ok(needs_wdk.map(|package| package.name.to_string()).collect())
    }

    /// Arguments that select the members which build for this machine.
    pub(crate) fn host_selection(&self) -> Result<Vec<String>> {
        let excluded = self.driver_members()?.into_iter().flat_map(|name| ["--exclude".to_owned(), name]);
        Ok(std::iter::once("--workspace".to_owned()).chain(excluded).collect())
    }

    /// Arguments that select the members which build for Windows only.
    pub(crate) fn driver_selection(&self) -> Result<Vec<String>> {
        Ok(self.driver_members()?.into_iter().flat_map(|name| ["--package".to_owned(), name]).collect())
    }

    /// A cargo subcommand in the workspace, with the toolchain that runs xtask.
    pub(crate) fn host_cargo(&self, subcommand: &str) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).arg(subcommand);
        without_package_variables(&mut command);
        command
    }

    /// Directory of the source of a registry dependency, as cargo unpacked it.
    pub(crate) fn dependency_source(&self, name: &str) -> Result<PathBuf> {
        let metadata = self.metadata()?;
        let mut found =
            metadata.packages.iter().filter(|package| package.name == name && package.source.is_some());
        let Some(package) = found.next() else {
            bail!("the workspace does not depend on {name} from a registry");
        };
        if found.next().is_some() {
            bail!("the workspace depends on two versions of {name}; wdk-build allows one");
        }
        let manifest = package.manifest_path.as_std_path();
        Ok(manifest.parent().unwrap_or(Path::new("/")).to_owned())
    }
}

/// Takes from a child's environment what cargo set to describe xtask itself: build scripts that track
/// one of these would run again for nothing.
pub(crate) fn without_package_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_apart_by_their_need_of_the_wdk() {
        let workspace = Workspace::find().unwrap();
        let driver = workspace.driver_selection().unwrap();
        for name in ["mcm", "ndis", "ndis-sys"] {
            assert!(driver.iter().any(|argument| argument == name), "{name}");
        }
        assert!(!driver.iter().any(|argument| argument == "pppoe"));
        let host = workspace.host_selection().unwrap();
        assert_eq!(host[0], "--workspace");
        assert_eq!(host.len(), driver.len() + 1);
    }
}
