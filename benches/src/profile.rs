//! Where instructions are spent: by the driver's functions as written, inlined or not.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};
use ndis_sim::image::Image;
use pdb_addr2line::pdb::PDB;
use pdb_addr2line::{Context, ContextPdbData};

use crate::routines;

/// Directories of the driver's sources in the repository.
const SOURCES: [&str; 2] = ["src/", "crates/"];

/// Functions and the instructions executed in each, most first. Code of the language's library counts for the function
/// of the driver that it was inlined into.
///
/// # Errors
/// When the debug information beside the image cannot be read.
pub(crate) fn by_function(
    sys: &Path,
    image: &Image,
    hits: impl Iterator<Item = (usize, u32)>,
) -> Result<Vec<(String, f64)>> {
    let path = sys.with_extension("pdb");
    let file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
    let data = ContextPdbData::try_from_pdb(PDB::open(file)?)?;
    let context = data.make_context()?;
    let mut functions = BTreeMap::new();
    for (address, count) in hits {
        let name = if image.contains(address) {
            let rva = u32::try_from(address - image.base())?;
            function(&context, rva)?.unwrap_or_else(|| image.symbol(address).unwrap_or_default())
        } else {
            format!("{} (the kernel's)", routines::name(address))
        };
        *functions.entry(name).or_insert(0.0) += f64::from(count);
    }
    let mut functions: Vec<_> = functions.into_iter().collect();
    functions.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(functions)
}

/// The innermost function of the driver's own sources at an address, with its file.
fn function(context: &Context<'_, '_>, rva: u32) -> Result<Option<String>> {
    let Some(found) = context.find_frames(rva)? else { return Ok(None) };
    let mut outermost = None;
    for frame in found.frames {
        let (Some(function), file) = (frame.function, frame.file.unwrap_or_default()) else { continue };
        let file = file.replace('\\', "/");
        if let Some(file) = source(&file) {
            return Ok(Some(format!("{} ({file})", short(&function))));
        }
        outermost = Some(function);
    }
    Ok(outermost)
}

/// The path in the repository of one of the driver's sources.
fn source(file: &str) -> Option<&str> {
    let foreign = file.contains("/rustc/") || file.contains("/registry/");
    let start = SOURCES.iter().filter_map(|directory| {
        let at = file.find(&format!("/{directory}")).map(|at| at + 1);
        at.or_else(|| file.starts_with(directory).then_some(0))
    });
    start.min().filter(|_| !foreign).map(|at| &file[at..])
}

/// The name without its arguments and types.
fn short(function: &str) -> &str {
    function.split(['(', '<']).next().unwrap_or(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_the_driver_are_told_from_others() {
        assert_eq!(source("/x/workspace/crates/e1000/src/receive.rs"), Some("crates/e1000/src/receive.rs"));
        assert_eq!(source("/x/workspace/src/datapath/send.rs"), Some("src/datapath/send.rs"));
        assert_eq!(source("src/lib.rs"), Some("src/lib.rs"));
        assert_eq!(source("/rustc/0123/library/core/src/option.rs"), None);
        assert_eq!(source("/x/registry/crates/a/src/lib.rs"), None);
    }
}
