//! Where things are: the repository, its target directory, and the sources of its dependencies.

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};
use std::path::{Path, PathBuf};

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

    /// Directory of the source of a registry dependency, as cargo unpacked it.
    pub(crate) fn dependency_source(&self, name: &str) -> Result<PathBuf> {
        let metadata = self.metadata()?;
        let mut found = metadata.packages.iter().filter(|package| package.name == name && package.source.is_some());
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
