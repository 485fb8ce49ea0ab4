//! `cargo xtask package`: what can be prepared of a driver package without Windows.

use crate::build;
use crate::command::{capture, progress};
use crate::files::write_if_changed;
use crate::target::Target;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs;
use std::process::Command;

/// For those who write a kernel client: beside the driver, and not part of what Windows installs.
const CLIENT_FILES: [(&str, &str); 1] = [("mcm_ppp.h", include_str!("../../include/mcm_ppp.h"))];

/// Builds the driver and puts it in a directory with its INF and what a client needs to compile.
pub(crate) fn run(workspace: &Workspace, options: &build::Options) -> Result<()> {
    let image = build::run(workspace, options)?;
    let template = fs::read_to_string(workspace.root.join("mcm.inx")).context("reading mcm.inx")?;
    let version = format!("{}.0", env!("CARGO_PKG_VERSION"));
    let inf = stamp(&template, options.setup.target, &source_date(workspace)?, &version)?;
    let directory = image.sys.with_file_name("package");
    write_if_changed(&directory.join("mcm.inf"), inf)?;
    for name in ["mcm.sys", "mcm.map", "mcm.pdb"] {
        write_if_changed(&directory.join(name), fs::read(image.sys.with_file_name(name))?)?;
    }
    for (name, contents) in CLIENT_FILES {
        write_if_changed(&directory.join(name), contents)?;
    }
    progress("Staged", directory.display());
    eprintln!(
        "This is not an installable package yet. The catalog (Inf2Cat), the signatures (SignTool) and the check of\n\
         the INF (InfVerif) need Windows and the WDK: `cargo make` there does them all, see Makefile.toml."
    );
    Ok(())
}

/// Date of the commit, `mm/dd/yyyy`, so that equal sources give equal packages.
fn source_date(workspace: &Workspace) -> Result<String> {
    let mut git = Command::new("git");
    git.current_dir(&workspace.root).args(["log", "-1", "--format=%cd", "--date=format:%m/%d/%Y"]);
    capture(&mut git).context("asking git for the date of the last commit, which the INF bears")
}

/// Does what the WDK's StampInf does to an INX: names the architecture and sets `DriverVer`.
fn stamp(template: &str, target: Target, date: &str, version: &str) -> Result<String> {
    let architecture = match target {
        Target::X64 => "amd64",
        Target::Arm64 => "arm64",
    };
    let mut stamped = 0;
    let mut lines: Vec<String> = Vec::new();
    for line in template.lines() {
        let key = line.split('=').next().unwrap_or_default().trim();
        if line.contains('=') && key.eq_ignore_ascii_case("DriverVer") {
            stamped += 1;
            lines.push(format!("DriverVer = {date},{version}"));
        } else {
            lines.push(line.replace("$ARCH$", architecture));
        }
    }
    if stamped != 1 {
        bail!("mcm.inx has {stamped} DriverVer lines; an INF has one");
    }
    if let Some(left) = lines.iter().find(|line| !line.trim_start().starts_with(';') && has_variable(line)) {
        bail!("mcm.inx has a variable that is not known here: {left}");
    }
    Ok(lines.join("\r\n") + "\r\n")
}

/// Whether a line has a variable of `StampInf`'s: capitals between dollar signs. (The signature
/// `"$Windows NT$"` is none.)
fn has_variable(line: &str) -> bool {
    let capitals = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase());
    line.split('$').skip(1).any(capitals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inx_becomes_an_inf() {
        let inx = "[Version]\nDriverVer=\n[Manufacturer]\n%M%=Models,NT$ARCH$\n";
        let inf = stamp(inx, Target::X64, "11/20/2026", "0.1.0.0").unwrap();
        assert_eq!(
            inf,
            "[Version]\r\nDriverVer = 11/20/2026,0.1.0.0\r\n[Manufacturer]\r\n%M%=Models,NTamd64\r\n"
        );
        assert!(stamp(inx, Target::Arm64, "", "").unwrap().contains("NTarm64"));
    }

    #[test]
    fn what_cannot_be_stamped_is_an_error() {
        assert!(stamp("[Version]\n", Target::X64, "", "").is_err());
        assert!(stamp("DriverVer=\nKmdfLibraryVersion = $KMDFVERSION$\n", Target::X64, "", "").is_err());
        assert!(
            stamp("DriverVer=\n; $COMMENT$\nSignature = \"$Windows NT$\"\n", Target::X64, "", "").is_ok()
        );
    }

    #[test]
    fn the_drivers_own_inx_can_be_stamped() {
        let inx = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../mcm.inx")).unwrap();
        let inf = stamp(&inx, Target::X64, "11/20/2026", "0.1.0.0").unwrap();
        assert!(inf.contains("DriverVer = 11/20/2026,0.1.0.0\r\n") && inf.contains("NTamd64.10.0"));
    }
}
