//! Results of earlier runs, each kept under what it depends on: the slip, the sources of driver, simulator and
//! scenarios, and how the driver is built.

use super::caught::Caught;
use super::list::Mutant;
use super::suite::Times;
use crate::build;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What the results depend on, from the workspace's root.
const SOURCES: [&str; 12] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "build.rs",
    "crates",
    "include",
    "mcm.inx",
    "rust-toolchain.toml",
    "sim",
    "src",
    "tests",
    "wdk",
];

#[derive(Debug)]
pub(super) struct Kept {
    directory: PathBuf,
    /// Of the sources and the options.
    base: Vec<u8>,
}

/// One result, as a file.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// For people who look into the file.
    what: String,
    caught: Caught,
}

impl Kept {
    /// `tests` chooses among the test programs.
    pub(super) fn open(workspace: &Workspace, options: &build::Options, tests: Option<&str>) -> Result<Self> {
        let mut hash = Sha256::new();
        for name in SOURCES {
            add(&mut hash, &workspace.root.join(name))?;
        }
        hash.update(format!("{options:?} {tests:?}"));
        let directory = super::base(workspace).join("results");
        fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
        Ok(Self { directory, base: hash.finalize().to_vec() })
    }

    pub(super) fn result(&self, mutant: &Mutant) -> Option<Caught> {
        load(&self.of(mutant)).map(|entry: Entry| entry.caught)
    }

    pub(super) fn keep(&self, mutant: &Mutant, caught: &Caught) -> Result<()> {
        save(&self.of(mutant), &Entry { what: mutant.what.clone(), caught: caught.clone() })
    }

    /// How long the programs took with the driver as it is, with which they were clean.
    pub(super) fn times(&self) -> Option<Times> {
        load(&self.path(&[b"times"]))
    }

    pub(super) fn keep_times(&self, times: &Times) -> Result<()> {
        save(&self.path(&[b"times"]), times)
    }

    fn of(&self, mutant: &Mutant) -> PathBuf {
        self.path(&[mutant.file.as_bytes(), mutant.find.as_bytes(), mutant.with.as_bytes()])
    }

    fn path(&self, parts: &[&[u8]]) -> PathBuf {
        let mut hash = Sha256::new();
        hash.update(&self.base);
        for part in parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let name = hash.finalize().iter().take(16).fold(String::new(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        });
        self.directory.join(name).with_extension("toml")
    }
}

/// Takes in a file, or a directory's files in the order of their names.
fn add(hash: &mut Sha256, path: &Path) -> Result<()> {
    hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
    hash.update([0]);
    if !path.is_dir() {
        let contents = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        hash.update(contents.len().to_le_bytes());
        hash.update(contents);
        return Ok(());
    }
    let entries = fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths.iter().try_for_each(|path| add(hash, path))
}

fn load<T: DeserializeOwned>(path: &Path) -> Option<T> {
    toml::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// Writes a file that is whole or not there.
fn save(path: &Path, value: &impl Serialize) -> Result<()> {
    let draft = path.with_extension("draft");
    fs::write(&draft, toml::to_string(value)?).with_context(|| format!("writing {}", draft.display()))?;
    fs::rename(&draft, path).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::list::tests::mutant;
    use super::*;
    use crate::files::tests::TempDir;

    fn kept(directory: &Path, base: &str) -> Kept {
        Kept { directory: directory.to_owned(), base: base.as_bytes().to_vec() }
    }

    #[test]
    fn a_result_is_found_again_until_something_changes() {
        let dir = TempDir::new("kept");
        let (slip, other) = (mutant("a", "any"), mutant("c", "any"));
        let caught = Caught::by_test("test", "nic: x");
        kept(&dir.0, "one").keep(&slip, &caught).unwrap();
        assert_eq!(kept(&dir.0, "one").result(&slip), Some(caught.clone()));
        assert_eq!(
            kept(&dir.0, "one").result(&Mutant { rule: "leak".to_owned(), ..slip.clone() }),
            Some(caught)
        );
        assert_eq!(kept(&dir.0, "one").result(&other), None);
        assert_eq!(kept(&dir.0, "two").result(&slip), None);
    }

    #[test]
    fn times_are_kept_beside_them() {
        let dir = TempDir::new("times");
        let kept = kept(&dir.0, "one");
        assert!(kept.times().is_none());
        kept.keep_times(&Times([("nic".to_owned(), 1.5)].into())).unwrap();
        assert_eq!(kept.times().unwrap().0["nic"].to_bits(), 1.5_f64.to_bits());
    }

    #[test]
    fn every_source_counts() {
        let dir = TempDir::new("sources");
        let hash = || {
            let mut hash = Sha256::new();
            add(&mut hash, &dir.0).unwrap();
            hash.finalize().to_vec()
        };
        fs::write(dir.0.join("a"), "1").unwrap();
        let one = hash();
        fs::write(dir.0.join("a"), "2").unwrap();
        let two = hash();
        fs::rename(dir.0.join("a"), dir.0.join("b")).unwrap();
        assert!(one != two && two != hash() && hash() == hash());
    }
}
