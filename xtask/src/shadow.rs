//! A shadow of the workspace, in which the driver is built on Linux.
//!
//! The build has to replace wdk-build by an edited copy, and that changes the lock file. So that the
//! committed one stays as it is, cargo works in a directory below `target` whose entries are links to
//! the workspace's, except `Cargo.toml` and `Cargo.lock`, which are copies with that replacement. wdk-build also wants
//! a `Cargo.lock` in a directory above its output, which this arrangement gives it whatever the
//! user's target directory.

use crate::files::{symlink, write_if_changed};
use crate::wdk_build_patch;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The replacement, appended to the copy of the manifest.
const PATCH: &str = "\n[patch.crates-io]\nwdk-build = { path = \"wdk-build\" }\n";

/// Brings the shadow in `directory` up to date; `wdk_build` is the source of wdk-build.
pub(crate) fn update(workspace: &Workspace, wdk_build: &Path, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    wdk_build_patch::copy_portable(wdk_build, &directory.join("wdk-build"))?;
    for entry in links(&workspace.root)? {
        if let Some(name) = entry.file_name() {
            symlink(&entry, &directory.join(name))?;
        }
    }
    let manifest = fs::read_to_string(workspace.root.join("Cargo.toml"))?;
    if manifest.contains("[patch.crates-io]") {
        bail!("Cargo.toml has a [patch.crates-io] already; xtask/src/shadow.rs appends its own");
    }
    let manifest = manifest.replace("[workspace]\n", "[workspace]\nexclude = [\"wdk-build\"]\n");
    write_if_changed(&directory.join("Cargo.toml"), manifest + PATCH)?;
    let lock = fs::read_to_string(workspace.root.join("Cargo.lock"))?;
    update_lock(&directory.join("Cargo.lock"), &edit_lock(&lock)?)
}

/// The workspace's entries that a build may read: all but what is copied, generated or hidden.
fn links(root: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(root).with_context(|| format!("reading {}", root.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let skip = name.starts_with('.') || ["Cargo.toml", "Cargo.lock", "target"].contains(&name.as_ref());
        if !skip {
            entries.push(entry.path());
        }
    }
    Ok(entries)
}

/// Writes the lock file, unless it is what cargo made of the same text the last time.
fn update_lock(path: &Path, text: &str) -> Result<()> {
    let origin = path.with_extension("lock.origin");
    if path.exists() && fs::read_to_string(&origin).is_ok_and(|old| old == text) {
        return Ok(());
    }
    write_if_changed(path, text)?;
    write_if_changed(&origin, text)
}

/// Makes wdk-build a path dependency that no longer depends on `windows`, so that cargo finds nothing
/// to resolve. (Cargo itself then drops the packages nobody depends on.)
fn edit_lock(lock: &str) -> Result<String> {
    let mut edited = false;
    let packages: Vec<String> = lock
        .split("\n\n")
        .map(|package| {
            if !package.contains("name = \"wdk-build\"\n") {
                return package.to_owned();
            }
            edited = true;
            let dropped = ["source = ", "checksum = ", " \"windows\","];
            let keep = |line: &&str| !dropped.iter().any(|start| line.starts_with(start));
            package.lines().filter(keep).collect::<Vec<_>>().join("\n")
        })
        .collect();
    if !edited {
        bail!("Cargo.lock has no wdk-build");
    }
    Ok(packages.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::TempDir;

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"wdk-build\"\nversion = \"0.6.0\"\nsource = \"registry+x\"\n\
                        checksum = \"00\"\ndependencies = [\n \"anyhow\",\n \"windows\",\n]\n\n[[package]]\n\
                        name = \"windows\"\nversion = \"0.62.2\"\nsource = \"registry+x\"\n";

    #[test]
    fn the_lock_loses_the_registry_and_windows() {
        let edited = edit_lock(LOCK).unwrap();
        let wdk_build = "name = \"wdk-build\"\nversion = \"0.6.0\"\ndependencies = [\n \"anyhow\",\n]\n";
        assert!(edited.contains(wdk_build), "{edited}");
        assert!(edited.ends_with("source = \"registry+x\"\n"));
        assert!(edit_lock("version = 4\n").is_err());
    }

    #[test]
    fn what_cargo_made_of_the_lock_is_kept() {
        let dir = TempDir::new("lock");
        let path = dir.0.join("Cargo.lock");
        update_lock(&path, "one").unwrap();
        fs::write(&path, "one, pruned by cargo").unwrap();
        update_lock(&path, "one").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one, pruned by cargo");
        update_lock(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    }

    #[test]
    fn generated_and_hidden_entries_are_not_linked() {
        let dir = TempDir::new("shadow");
        for name in ["src", "target", ".git"] {
            fs::create_dir(dir.0.join(name)).unwrap();
        }
        for name in ["Cargo.toml", "Cargo.lock", "build.rs", ".gitignore"] {
            fs::write(dir.0.join(name), "").unwrap();
        }
        let mut found = links(&dir.0).unwrap();
        found.sort();
        assert_eq!(found, [dir.0.join("build.rs"), dir.0.join("src")]);
    }
}
