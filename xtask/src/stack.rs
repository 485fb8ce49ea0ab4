//! `cargo xtask stack`: how much stack the driver takes.

use crate::build;
use crate::target::Target;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use driver_image::pe::Image;
use driver_image::stack::Report;
use driver_image::symbols::Symbols;
use std::fs;

/// Builds the driver and prints its entry points and largest frames; fails if any is above its limit.
pub(crate) fn run(workspace: &Workspace, options: &build::Options) -> Result<()> {
    ensure!(options.setup.target == Target::X64, "the stack is read from the x86-64 image only");
    let sys = build::run(workspace, options)?.sys;
    let bytes = fs::read(&sys).with_context(|| format!("reading {}", sys.display()))?;
    let map = sys.with_extension("map");
    let map = fs::read_to_string(&map).with_context(|| format!("reading {}", map.display()))?;
    let image = Image::parse(&bytes).with_context(|| format!("reading {}", sys.display()))?;
    let report = Report::of(&image, &Symbols::parse(&map, image.base))?;
    print!("{report}");
    if !report.faults.is_empty() {
        bail!("{} faults; a kernel stack is small, and others need it as well", report.faults.len());
    }
    Ok(())
}
