//! `cargo xtask wdk-diff DIR`: are the headers in `wdk/` those of a real WDK, as far as they go?
//!
//! bindgen reads both trees for the driver's target and contract. Every type, field, offset, size, constant and
//! prototype that `wdk/Include` declares must be in the WDK's bindings and the same. The WDK has far more; that is
//! no difference.

mod bindings;
mod interface;
mod macros;

use crate::command::progress;
use crate::files::write_if_changed;
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
    progress("Reading", format_args!("the repository's headers ({} macros)", macros.len()));
    let own = bindings::generate(&ours, &base, &macros, None)?;
    write_if_changed(&base.join("own.rs"), &own)?;
    let own = Interface::of(&own)?;

    progress("Reading", format_args!("WDK {} in {}", theirs.version, dir.display()));
    let real = bindings::generate(&theirs, &base, &macros, Some(&own.names()))?;
    write_if_changed(&base.join("wdk.rs"), &real)?;
    let real = Interface::of(&real)?;

    let differences = own.differences(&real);
    for difference in &differences {
        println!("{difference}");
    }
    let Counts { types, fields, constants, functions, layouts } = own.counts();
    println!(
        "{types} types with {fields} fields, {constants} constants, {functions} prototypes, {layouts} sizes, \
         alignments and offsets compared with WDK {}: {} differences",
        theirs.version,
        differences.len()
    );
    if !differences.is_empty() {
        bail!("wdk/Include differs from the WDK");
    }
    Ok(())
}
