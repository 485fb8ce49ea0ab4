//! The macros of the headers that stand for a number.

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Names of the macros without parameters that the headers below `directory` define.
pub(super) fn names_below(directory: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            names.append(&mut names_below(&path)?);
        } else {
            names.extend(fs::read_to_string(&path)?.lines().filter_map(object_macro).map(str::to_owned));
        }
    }
    Ok(names)
}

/// The name of a macro that has a body and no parameters.
fn object_macro(line: &str) -> Option<&str> {
    let (name, body) = line.strip_prefix("#define ")?.split_once(' ')?;
    (!name.contains('(') && !body.trim().is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::object_macro;

    #[test]
    fn only_macros_with_a_value_count() {
        assert_eq!(object_macro("#define PAGE_SIZE 0x1000"), Some("PAGE_SIZE"));
        assert_eq!(
            object_macro("#define NDIS_STATUS_SUCCESS ((NDIS_STATUS)0x0L)"),
            Some("NDIS_STATUS_SUCCESS")
        );
        assert_eq!(object_macro("#define FIELD_OFFSET(type, field) 1"), None);
        assert_eq!(object_macro("#define _NDIS_"), None);
        assert_eq!(object_macro("#include <ndis.h>"), None);
    }
}
