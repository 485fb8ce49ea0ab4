//! Import libraries from the module definition files in `wdk/lib`.
//!
//! An import library only says which names a module exports, so one made from a list of names links
//! to the same image as the WDK's own.

use crate::files::write_if_changed;
use crate::target::Target;
use anyhow::{Context, Result};
use implib::{Flavor, ImportLibrary, MachineType};
use std::fs;
use std::io::Cursor;
use std::path::Path;

/// Libraries that wdk-sys names and that hold code in the WDK (buffer overflow checks of C code,
/// arm64 run-time support) which Rust code does not call: an archive without members will do.
const EMPTY: [&str; 2] = ["BufferOverflowFastFailK", "arm64rt"];

/// Makes `<name>.lib` in `directory` of each `<name>.def` in `definitions`, and the empty libraries.
/// With `only_missing` a library that is there already is left alone.
pub(crate) fn write_all(
    definitions: &Path,
    directory: &Path,
    target: Target,
    only_missing: bool,
) -> Result<()> {
    let wanted = |name: &str| {
        let path = directory.join(format!("{name}.lib"));
        (!only_missing || !path.exists()).then_some(path)
    };
    for name in EMPTY {
        if let Some(path) = wanted(name) {
            write_if_changed(&path, "!<arch>\n")?;
        }
    }
    for entry in fs::read_dir(definitions).with_context(|| format!("reading {}", definitions.display()))? {
        let definition = entry?.path();
        let stem = definition.file_stem().and_then(|stem| stem.to_str());
        if let (Some("def"), Some(stem)) = (definition.extension().and_then(|e| e.to_str()), stem)
            && let Some(path) = wanted(stem)
        {
            let text = fs::read_to_string(&definition)?;
            let library = import_library(&text, target)
                .with_context(|| format!("making an import library of {}", definition.display()))?;
            write_if_changed(&path, library)?;
        }
    }
    Ok(())
}

/// The bytes of the import library that a module definition describes.
fn import_library(definition: &str, target: Target) -> Result<Vec<u8>> {
    let machine = match target {
        Target::X64 => MachineType::AMD64,
        Target::Arm64 => MachineType::ARM64,
    };
    let mut bytes = Cursor::new(Vec::new());
    ImportLibrary::new(definition, machine, Flavor::Msvc)?.write_to(&mut bytes)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn definitions() -> Vec<(String, String)> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wdk/lib");
        let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        files
            .map(|path| {
                (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())
            })
            .collect()
    }

    fn exports(definition: &str) -> Vec<&str> {
        let lines =
            definition.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(';'));
        lines.skip_while(|line| *line != "EXPORTS").skip(1).collect()
    }

    #[test]
    fn every_definition_makes_a_library_with_each_name() {
        for (name, text) in definitions() {
            for target in [Target::X64, Target::Arm64] {
                let library = import_library(&text, target).unwrap();
                assert!(library.starts_with(b"!<arch>\n"), "{name}");
                for export in exports(&text) {
                    let symbol = format!("\0__imp_{export}\0");
                    let found = library.windows(symbol.len()).any(|window| window == symbol.as_bytes());
                    assert!(found, "{name}: {export}");
                }
            }
        }
    }

    #[test]
    fn names_are_unique_over_all_modules() {
        let mut seen = BTreeSet::new();
        for (name, text) in definitions() {
            assert!(text.contains("LIBRARY "), "{name} names no module");
            for export in exports(&text) {
                assert!(seen.insert(export.to_owned()), "{export} is exported twice (second time by {name})");
                let valid = export.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                assert!(valid, "{name}: {export:?} is no plain name");
            }
        }
        for needed in ["memcpy", "memset", "memmove", "memcmp", "__chkstk", "NdisMRegisterMiniportDriver"] {
            assert!(seen.contains(needed), "{needed}");
        }
    }

    #[test]
    fn a_library_that_is_there_can_be_kept() {
        let dir = crate::files::tests::TempDir::new("libs");
        fs::write(dir.0.join("x.def"), "LIBRARY x.sys\nEXPORTS\n    F\n").unwrap();
        fs::write(dir.0.join("x.lib"), "the real one").unwrap();
        write_all(&dir.0, &dir.0, Target::X64, true).unwrap();
        assert_eq!(fs::read(dir.0.join("x.lib")).unwrap(), b"the real one");
        assert!(dir.0.join("BufferOverflowFastFailK.lib").exists());
        write_all(&dir.0, &dir.0, Target::X64, false).unwrap();
        assert_ne!(fs::read(dir.0.join("x.lib")).unwrap(), b"the real one");
    }
}
