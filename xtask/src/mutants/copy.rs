//! A copy of the tree to make slips in, with a target directory of its own.

use super::list::Mutant;
use super::read;
use crate::build::{self, DriverBuild, Image};
use crate::files::write_if_changed;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// What of the tree no build and no test reads.
const SKIPPED: [&str; 2] = ["target", ".git"];

pub(super) struct Copy {
    pub(super) workspace: Workspace,
}

impl Copy {
    /// Brings the copy of worker `number` up to date, and undoes what an interrupted run has left in it.
    pub(super) fn make(workspace: &Workspace, number: usize) -> Result<Self> {
        let base = super::base(workspace).join(format!("worker-{number}"));
        let root = base.join("tree");
        copy_tree(&workspace.root, &root)?;
        Ok(Self { workspace: Workspace { root, target: base.join("target") } })
    }

    /// Prepares the driver's build there.
    pub(super) fn driver<'a>(&'a self, options: &'a build::Options) -> Result<Driver<'a>> {
        Ok(Driver { copy: self, build: DriverBuild::prepare(&self.workspace, options)? })
    }
}

/// The driver in a copy.
pub(super) struct Driver<'a> {
    pub(super) copy: &'a Copy,
    build: DriverBuild<'a>,
}

impl Driver<'_> {
    pub(super) fn image(&self) -> Result<Image> {
        self.build.silent_image()
    }

    /// Does something with a slip made.
    pub(super) fn with<T>(&self, mutant: &Mutant, action: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let path = self.copy.workspace.root.join(&mutant.file);
        let sound = read(&path)?;
        fs::write(&path, mutant.apply(&sound)?)?;
        let result = action(self);
        fs::write(&path, sound)?;
        result.with_context(|| format!("{:?} in {}", mutant.what, mutant.file))
    }
}

/// Copies a directory, leaving alone what is equal and removing what is no longer there.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    let mut names = Vec::new();
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            write_if_changed(&target, fs::read(entry.path())?)?;
        }
        names.push(name);
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if names.contains(&entry.file_name()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::TempDir;

    #[test]
    fn a_copy_follows_its_original() {
        let dir = TempDir::new("copy");
        let (from, to) = (dir.0.join("a"), dir.0.join("b"));
        for name in ["x/one", "y/four", "two", "target/three"] {
            write_if_changed(&from.join(name), name).unwrap();
        }
        copy_tree(&from, &to).unwrap();
        assert!(to.join("x/one").exists() && !to.join("target").exists());
        fs::remove_file(from.join("two")).unwrap();
        fs::remove_dir_all(from.join("y")).unwrap();
        copy_tree(&from, &to).unwrap();
        assert!(!to.join("two").exists() && !to.join("y").exists());
    }
}
