//! `cargo xtask wdk-diff DIR`: are the headers in `wdk/` those of a real WDK, as far as they go?
//!
//! bindgen reads both trees for the driver's targets and contract. Every type, field, offset, size, constant and
//! prototype that `wdk/Include` declares must be in the WDK's bindings and the same. The WDK has far more; that is
//! no difference.

mod bindings;
mod interface;
mod macros;

use crate::command::progress;
use crate::target::Target;
use crate::wdk_tree::WdkTree;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use interface::{Counts, Interface};
use std::path::Path;

/// Compares the repository's headers with the WDK in `dir`, the directory that holds `Include`.
pub(crate) fn run(dir: &Path) -> Result<()> {
    let workspace = Workspace::find()?;
    let base = workspace.target.join("wdk-diff");
    let ours = WdkTree::assemble(&workspace, base.join("own"), None, Target::X64)?;
    let theirs = WdkTree::assemble(&workspace, base.join("wdk"), Some(&dir.canonicalize()?), Target::X64)?;
    let macros = macros::names_below(&workspace.root.join("wdk/Include"))?;

    let mut equal = true;
    for target in [Target::X64, Target::Arm64] {
        progress("Comparing", format_args!("with WDK {} for {}", theirs.version, target.triple()));
        let scratch = base.join(target.triple());
        let own = bindings::generate(&ours, target, &scratch.join("own"), &macros, None)?;
        let own = Interface::of(&own)?;
        let real = bindings::generate(&theirs, target, &scratch.join("wdk"), &macros, Some(&own.names()))?;
        let differences = own.differences(&Interface::of(&real)?);
        for difference in &differences {
            println!("{difference}");
        }
        equal &= differences.is_empty();
        let Counts { types, fields, constants, functions, layouts } = own.counts();
        println!(
            "{types} types with {fields} fields, {constants} constants, {functions} prototypes, {layouts} sizes, \
             alignments and offsets: {} differences",
            differences.len()
        );
    }
    if !equal {
        bail!("wdk/Include differs from the WDK");
    }
    Ok(())
}
