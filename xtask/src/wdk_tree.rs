//! The tree that `WDKContentRoot` names: headers and import libraries laid out as in the WDK.
//!
//! By default the headers are the repository's own (`wdk/Include`); with `--wdk DIR` they are those of
//! a real WDK, made readable on a case-sensitive file system by [`crate::wdk_overlay`].

use crate::command::progress;
use crate::files::symlink;
use crate::target::Target;
use crate::workspace::Workspace;
use crate::{import_libs, wdk_overlay};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// What wdk-build is told about the WDK.
#[derive(Debug)]
pub(crate) struct WdkTree {
    /// `WDKContentRoot`.
    pub(crate) root: PathBuf,
    /// `Version_Number`, such as `10.0.26100.0`: the directory below `Include` and `Lib`.
    pub(crate) version: String,
}

impl WdkTree {
    /// Makes the tree in `root` out of the repository's headers, or those of the WDK in `wdk`.
    pub(crate) fn assemble(
        workspace: &Workspace,
        root: PathBuf,
        wdk: Option<&Path>,
        target: Target,
    ) -> Result<Self> {
        let source = wdk.map_or_else(|| workspace.root.join("wdk"), Path::to_owned);
        let include = child_ignoring_case(&source, "Include")
            .with_context(|| format!("{} has no directory Include: not a WDK", source.display()))?;
        let version = latest_version(&include)?;
        let libraries = root.join("Lib").join(&version).join("km").join(target.library_directory());
        fs::create_dir_all(&libraries)?;
        if wdk.is_some() {
            progress("Overlaying", format_args!("{} (WDK {version})", source.display()));
            wdk_overlay::write(&include.join(&version), &root.join("Include").join(&version), &version)?;
            link_libraries(&source, &version, target, &libraries)?;
        } else {
            symlink(&include, &root.join("Include"))?;
        }
        import_libs::write_all(&workspace.root.join("wdk/lib"), &libraries, target, wdk.is_some())?;
        Ok(Self { root, version })
    }
}

/// Links what libraries the WDK has for the target; the rest is made from module definitions.
fn link_libraries(wdk: &Path, version: &str, target: Target, libraries: &Path) -> Result<()> {
    let km = child_ignoring_case(wdk, "Lib")
        .and_then(|lib| child_ignoring_case(&lib, version))
        .and_then(|lib| child_ignoring_case(&lib, "km"))
        .and_then(|lib| child_ignoring_case(&lib, target.library_directory()));
    let Some(km) = km else { return Ok(()) };
    for wanted in [
        "ntoskrnl.lib",
        "hal.lib",
        "ndis.lib",
        "cng.lib",
        "wmilib.lib",
        "BufferOverflowFastFailK.lib",
        "arm64rt.lib",
    ] {
        if let Some(library) = child_ignoring_case(&km, wanted) {
            symlink(&library, &libraries.join(wanted))?;
        }
    }
    Ok(())
}

/// The entry of `directory` whose name is `name` but for case.
pub(crate) fn child_ignoring_case(directory: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?.flatten();
    let mut matching: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|entry| entry.eq_ignore_ascii_case(name)))
        .map(|entry| entry.path())
        .collect();
    matching.sort();
    matching.pop()
}

/// The latest WDK version with kernel-mode headers below `include`.
fn latest_version(include: &Path) -> Result<String> {
    let mut versions: Vec<(Vec<u32>, String)> = fs::read_dir(include)?
        .flatten()
        .filter_map(|entry| Some((entry.path(), entry.file_name().into_string().ok()?)))
        .filter(|(path, _)| child_ignoring_case(path, "km").is_some())
        .filter_map(|(_, name)| Some((version_parts(&name)?, name)))
        .collect();
    versions.sort();
    match versions.pop() {
        Some((_, name)) => Ok(name),
        None => bail!("{} has no <version>/km directory (kernel-mode headers)", include.display()),
    }
}

/// The numbers of a WDK version, which has four and begins with 10.
pub(crate) fn version_parts(name: &str) -> Option<Vec<u32>> {
    let parts: Vec<u32> = name.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    (parts.len() == 4 && parts[0] == 10).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::TempDir;

    #[test]
    fn versions_are_compared_as_numbers() {
        let dir = TempDir::new("versions");
        for name in ["10.0.9600.0/km", "10.0.26100.0/km", "10.0.28000.0/um", "wdf/km", "11.0.1.1/km"] {
            fs::create_dir_all(dir.0.join(name)).unwrap();
        }
        assert_eq!(latest_version(&dir.0).unwrap(), "10.0.26100.0");
        assert!(latest_version(&dir.0.join("wdf")).is_err());
    }

    #[test]
    fn names_match_without_case() {
        let dir = TempDir::new("case");
        fs::write(dir.0.join("NtosKrnl.Lib"), "").unwrap();
        assert_eq!(child_ignoring_case(&dir.0, "ntoskrnl.lib").unwrap(), dir.0.join("NtosKrnl.Lib"));
        assert_eq!(child_ignoring_case(&dir.0, "hal.lib"), None);
        assert_eq!(child_ignoring_case(&dir.0.join("absent"), "x"), None);
    }
}
