//! Makes the headers of a real WDK readable where file names have case.
//!
//! The WDK was written for file systems that ignore case and its `#include` lines spell names at will.
//! The overlay is a tree of symbolic links: each header under its own name, under its name in lower
//! case, and under each spelling that some header of the tree asks for.

use crate::files::{symlink, write_if_changed};
use crate::wdk_tree::version_parts;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Include directories that wdk-build passes on for a WDM driver, below `Include/<version>`.
const DIRECTORIES: [&str; 3] = ["km/crt", "km", "shared"];

/// The first WDK whose headers declare `ExAllocatePool2` (Windows 10, version 2004).
const EX_ALLOCATE_POOL2: u32 = 19041;

/// Declarations of newer headers that wdk-sys and wdk-alloc name, from the reference pages of
/// `ExAllocatePool2` and `POOL_FLAGS`; appended to an older tree's ntddk.h.
const POOL2_DECLARATIONS: &str = "\
#ifndef POOL_FLAG_NON_PAGED
typedef ULONG64 POOL_FLAGS;
#define POOL_FLAG_UNINITIALIZED 0x0000000000000002UI64
#define POOL_FLAG_CACHE_ALIGNED 0x0000000000000008UI64
#define POOL_FLAG_RAISE_ON_FAILURE 0x0000000000000020UI64
#define POOL_FLAG_NON_PAGED 0x0000000000000040UI64
#define POOL_FLAG_PAGED 0x0000000000000100UI64
NTKERNELAPI PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);
#endif
";

/// Writes the overlay of the headers in `source` (an `Include/<version>` directory) to `destination`.
pub(crate) fn write(source: &Path, destination: &Path, version: &str) -> Result<()> {
    let spellings = spellings(source)?;
    for directory in DIRECTORIES {
        let from = directory_ignoring_case(source, directory);
        let to = destination.join(directory);
        fs::create_dir_all(&to)?;
        if let Some(from) = from {
            link_headers(&from, &to, &spellings)?;
        }
    }
    let shared = destination.join("shared");
    // Comes with the C++ compiler, not with the WDK; static analysis annotations only.
    for name in ["ConcurrencySal.h", "concurrencysal.h"] {
        if !shared.join(name).exists() {
            write_if_changed(&shared.join(name), "/* Annotations for static analysis; empty. */\n")?;
        }
    }
    let build = version_parts(version).and_then(|parts| parts.get(2).copied());
    if build.is_some_and(|build| build < EX_ALLOCATE_POOL2) {
        add_pool2(&destination.join("km"))?;
    }
    Ok(())
}

/// Replaces the link `ntddk.h` with a header that includes what it linked to and adds to it.
fn add_pool2(km: &Path) -> Result<()> {
    let link = km.join("ntddk.h");
    let original = fs::canonicalize(&link).with_context(|| format!("{} is missing", link.display()))?;
    fs::remove_file(&link)?;
    let text = format!("#pragma once\n#include \"{}\"\n{POOL2_DECLARATIONS}", original.display());
    write_if_changed(&link, text)
}

fn directory_ignoring_case(root: &Path, path: &str) -> Option<PathBuf> {
    path.split('/').try_fold(root.to_owned(), |dir, part| crate::wdk_tree::child_ignoring_case(&dir, part))
}

/// Links each file of `from` into `to` under every spelling asked for.
fn link_headers(from: &Path, to: &Path, spellings: &BTreeMap<String, BTreeSet<String>>) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = fs::canonicalize(entry.path())?;
        if path.is_dir() {
            continue;
        }
        let lower = name.to_ascii_lowercase();
        let mut names: BTreeSet<&str> =
            spellings.get(&lower).into_iter().flatten().map(String::as_str).collect();
        names.extend([name.as_str(), lower.as_str()]);
        for name in names {
            symlink(&path, &to.join(name))?;
        }
    }
    Ok(())
}

/// Every file name in an `#include` line of the tree, by its lower-case form.
fn spellings(source: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // What wdk-build's own input asks for.
    for name in ["ntifs.h", "ntddk.h", "ntstrsafe.h", "ndis.h", "ndiswan.h", "ndistapi.h", "bcrypt.h"] {
        all.entry(name.to_owned()).or_default().insert(name.to_owned());
    }
    for directory in DIRECTORIES {
        let Some(directory) = directory_ignoring_case(source, directory) else { continue };
        for entry in fs::read_dir(directory)?.flatten().filter(|entry| entry.path().is_file()) {
            // Old headers are in Windows code pages; only ASCII matters here.
            let text = fs::read(entry.path())?;
            for name in includes(&String::from_utf8_lossy(&text)) {
                all.entry(name.to_ascii_lowercase()).or_default().insert(name);
            }
        }
    }
    Ok(all)
}

/// The file names in the `#include` lines of a header.
fn includes(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let rest = line.trim_start().strip_prefix('#')?.trim_start().strip_prefix("include")?.trim_start();
        let close = match rest.chars().next()? {
            '<' => '>',
            '"' => '"',
            _ => return None,
        };
        let (path, _) = rest[1..].split_once(close)?;
        Some(path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned())
    };
    text.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::TempDir;

    #[test]
    fn include_lines_are_found() {
        let text = "#include <A.h>\r\n  #  include \"sys\\B.H\" // x\n#define include \"c.h\"\n#include NAME\n#include \"d\n";
        assert_eq!(includes(text), ["A.h", "B.H"]);
    }

    #[test]
    fn headers_are_linked_under_each_spelling() {
        let dir = TempDir::new("overlay");
        let (source, destination) = (dir.0.join("wdk"), dir.0.join("overlay"));
        fs::create_dir_all(source.join("km/CRT")).unwrap();
        fs::create_dir_all(source.join("Shared")).unwrap();
        fs::write(source.join("km/NtDDK.h"), "#include \"DriverSpecs.h\"\n").unwrap();
        fs::write(source.join("Shared/driverspecs.h"), "").unwrap();
        fs::write(source.join("km/CRT/StdArg.h"), "").unwrap();
        // Twice: a second build finds everything in place.
        for _ in 0..2 {
            write(&source, &destination, "10.0.16299.0").unwrap();
        }
        for name in
            ["shared/DriverSpecs.h", "shared/driverspecs.h", "km/crt/stdarg.h", "shared/ConcurrencySal.h"]
        {
            assert!(destination.join(name).is_file(), "{name}");
        }
        let ntddk = fs::read_to_string(destination.join("km/ntddk.h")).unwrap();
        assert!(ntddk.contains("ExAllocatePool2") && ntddk.contains("NtDDK.h"));
        write(&source, &dir.0.join("new"), "10.0.26100.0").unwrap();
        assert!(!fs::read_to_string(dir.0.join("new/km/ntddk.h")).unwrap().contains("ExAllocatePool2"));
    }
}
