//! An edited copy of wdk-build that runs on hosts other than Windows.
//!
//! wdk-build 0.6 refuses other hosts. What it does there on behalf of a driver's build script is
//! portable nevertheless; four places are not, and each is edited here, in a copy of the source that
//! cargo downloaded. Nothing of that source is kept in the repository.

use crate::files::write_if_changed;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// The version whose text the edits below were written for.
const VERSION: &str = "0.6.0";

/// Copies wdk-build from `source` to `destination` and makes it portable.
pub(crate) fn copy_portable(source: &Path, destination: &Path) -> Result<()> {
    let manifest = read(&source.join("Cargo.toml"))?;
    if !manifest.contains(&format!("version = \"{VERSION}\"")) {
        bail!(
            "{} is not wdk-build {VERSION}, the version that xtask/src/wdk_build_patch.rs can edit; \
             adapt its edits to the new version",
            source.display()
        );
    }
    copy_edited(source, destination, Path::new(""))
}

fn copy_edited(source: &Path, destination: &Path, below: &Path) -> Result<()> {
    let directory = source.join(below);
    for entry in fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))? {
        let entry = entry?;
        let relative = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_edited(source, destination, &relative)?;
            continue;
        }
        let target = destination.join(&relative);
        let edit: Option<fn(&str) -> Result<String>> = match relative.to_str() {
            Some("Cargo.toml") => Some(edit_manifest),
            Some("src/utils.rs") => Some(edit_utils),
            Some("src/cargo_make.rs") => Some(edit_cargo_make),
            // Cargo's notes on the published package; a path dependency has no use for them.
            Some("Cargo.toml.orig" | "Cargo.lock" | ".cargo-ok" | ".cargo_vcs_info.json") => continue,
            _ => None,
        };
        if let Some(edit) = edit {
            let text =
                edit(&read(&entry.path())?).with_context(|| format!("editing {}", entry.path().display()))?;
            write_if_changed(&target, text)?;
        } else {
            write_if_changed(&target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Reads a text with its line ends made uniform: the package was published from Windows.
fn read(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text.replace("\r\n", "\n"))
}

/// Drops the dependency on `windows`, which the registry look-up needs, and the development
/// dependencies, which nobody needs here.
fn edit_manifest(text: &str) -> Result<String> {
    let text = remove_table(text, "[dependencies.windows]")?;
    let text = remove_table(&text, "[dev-dependencies.windows]")?;
    remove_table(&text, "[dev-dependencies.assert_fs]")
}

/// Lets the environment be changed (a build script is one thread when it does) and makes the
/// registry look-up find nothing. The unit tests, which read the registry, go.
fn edit_utils(text: &str) -> Result<String> {
    let Some((text, _)) = text.split_once("#[cfg(test)]\nmod tests {") else {
        bail!("no unit tests at the end")
    };
    let text = remove_between(text, "use windows::{", "};\n")?;
    let text = replace(&text, "HKEY_LOCAL_MACHINE,\n", "(),\n", 2)?;
    let text = replace(&text, "s!(r\"", "r\"", 4)?;
    let text = replace(&text, "Installed Roots\"),\n", "Installed Roots\",\n", 2)?;
    let text = replace(&text, "KitsRoot10\"),\n", "KitsRoot10\",\n", 2)?;
    let text = replace_between(
        &text,
        "fn read_registry_key_string_value(",
        "\n}\n",
        "fn read_registry_key_string_value(_: (), _: &str, _: &str) -> Option<String> {\n    None\n}\n",
    )?;
    let text = replace(&text, "    ffi::{CStr, OsStr},\n", "    ffi::OsStr,\n", 1)?;
    let text = replace(
        &text,
        "pub fn set_var<K, V>(_key: K, _value: V)",
        "pub fn set_var<K, V>(key: K, value: V)",
        1,
    )?;
    let text = replace(&text, "pub fn remove_var<K>(_key: K)", "pub fn remove_var<K>(key: K)", 1)?;
    let set = "unsafe { env::set_var(key, value) };\n";
    let text = replace_between(&text, "compile_error!(", ");\n", set)?;
    let remove = "unsafe { env::remove_var(key) };\n";
    replace_between(&text, "compile_error!(", ");\n", remove)
}

fn edit_cargo_make(text: &str) -> Result<String> {
    replace(text, "std::os::windows::fs::symlink_file(", "std::os::unix::fs::symlink(", 2)
}

/// Replaces each of the `count` occurrences expected, and takes any other number for another version.
fn replace(text: &str, old: &str, new: &str, count: usize) -> Result<String> {
    let found = text.matches(old).count();
    if found != count {
        bail!("expected {count} times, found {found} times: {old:?}");
    }
    Ok(text.replace(old, new))
}

/// Replaces the first stretch that begins with `start` and ends with the next `end`.
fn replace_between(text: &str, start: &str, end: &str, new: &str) -> Result<String> {
    let Some((before, rest)) = text.split_once(start) else { bail!("not found: {start:?}") };
    let Some((_, after)) = rest.split_once(end) else { bail!("no end {end:?} after {start:?}") };
    Ok(format!("{before}{new}{after}"))
}

fn remove_between(text: &str, start: &str, end: &str) -> Result<String> {
    replace_between(text, start, end, "")
}

/// Removes a TOML table: its header up to the next header.
fn remove_table(text: &str, header: &str) -> Result<String> {
    replace_between(text, &format!("{header}\n"), "\n[", "[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_removed_and_its_neighbours_stay() {
        let manifest = "[a]\nx = 1\n\n[b]\ny = [\n    \"z\",\n]\n\n[c]\nw = 2\n";
        assert_eq!(remove_table(manifest, "[b]").unwrap(), "[a]\nx = 1\n\n[c]\nw = 2\n");
        assert!(remove_table(manifest, "[d]").is_err());
    }

    #[test]
    fn another_text_is_refused() {
        assert!(replace("aXbX", "X", "Y", 1).is_err());
        assert_eq!(replace("aXbX", "X", "Y", 2).unwrap(), "aYbY");
        assert!(replace_between("a(b", "(", ")", "").is_err());
        assert!(edit_cargo_make("fn main() {}").is_err());
        assert!(edit_utils("fn set_var() {}").is_err());
    }

    /// The real source, which cargo has where the driver is built at all.
    #[test]
    fn the_downloaded_source_is_editable() {
        let workspace = crate::workspace::Workspace::find().unwrap();
        let source = workspace.dependency_source("wdk-build").unwrap();
        let dir = crate::files::tests::TempDir::new("wdk-build");
        copy_portable(&source, &dir.0).unwrap();
        let utils = fs::read_to_string(dir.0.join("src/utils.rs")).unwrap();
        for gone in ["compile_error!", "use windows", "RegGetValueA", "HKEY_LOCAL_MACHINE,"] {
            assert!(!utils.contains(gone), "{gone}");
        }
        let manifest = fs::read_to_string(dir.0.join("Cargo.toml")).unwrap();
        assert!(!manifest.contains("windows]"));
    }
}
