//! Programs that only some runs and tests use: real peers, QEMU's cards, a dissector.
//!
//! They are installed as Debian packages. Where apt would have to remove something of the user's for that, a package and
//! what it depends on are unpacked below `target/` instead, and the system stays as it is.

use crate::command::{capture, line, progress, run_quiet_stdout, which};
use crate::files::write_if_changed;
use crate::packages::{self, Package};
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each package, with the program that shows whether it is there.
const REFEREES: [(Package, &str); 5] = [
    (Package { name: "pppoe", purpose: "pppoe-server, the real peer of --peer rp-pppoe" }, "pppoe-server"),
    (Package { name: "iproute2", purpose: "ip makes the peer's network namespace" }, "ip"),
    (Package { name: "qemu-system-x86", purpose: "the card models of --backend qemu" }, "qemu-system-x86_64"),
    (
        Package { name: "user-mode-linux", purpose: "a Linux of its own whose pppd dials the card" },
        "linux.uml",
    ),
    (Package { name: "tshark", purpose: "an independent dissector for the tests' captures" }, "tshark"),
];

/// Those that `wanted` picks by their program and that are missing.
pub(crate) fn missing(workspace: &Workspace, wanted: impl Fn(&str) -> bool) -> Vec<Package> {
    let is_missing = |program: &str| wanted(program) && !is_there(workspace, program);
    REFEREES.iter().filter(|(_, program)| is_missing(program)).map(|(package, _)| *package).collect()
}

/// Installs packages of [`missing`], or unpacks those that apt does not install.
pub(crate) fn provide(workspace: &Workspace, packages: &[Package]) -> Result<()> {
    if packages.is_empty() || packages::install(packages).is_ok() {
        return Ok(());
    }
    // One that cannot be had must not keep the others away.
    let mut outcome = Ok(());
    for &package in packages {
        let installed = packages.len() > 1 && packages::install(&[package]).is_ok();
        if !installed && let Err(error) = unpack(workspace, package) {
            outcome = Err(error.context(format!("unpacking {}", package.name)));
        }
    }
    outcome
}

/// The search path for programs, with the unpacked ones last.
pub(crate) fn search_path(workspace: &Workspace) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([programs(workspace)]);
    std::env::join_paths(directories).unwrap_or(path)
}

/// Where the unpacked programs can be started.
fn programs(workspace: &Workspace) -> PathBuf {
    workspace.target.join("referees/bin")
}

/// Whether a program is there, also where only root's search path looks.
fn is_there(workspace: &Workspace, program: &str) -> bool {
    let is_in = |dir: &Path| dir.join(program).is_file();
    which(program).is_some() || is_in(Path::new("/usr/sbin")) || is_in(&programs(workspace))
}

/// Downloads a package and all that it lacks here, and unpacks it where it disturbs nothing.
fn unpack(workspace: &Workspace, package: Package) -> Result<()> {
    let program = REFEREES.iter().find(|(known, _)| *known == package).map(|(_, program)| *program);
    let program = program.context("not a referee")?;
    let simulated = capture(Command::new("apt-get").args([
        "install",
        "--simulate",
        "--no-install-recommends",
        package.name,
    ]));
    let names = simulated.as_deref().map(to_install).unwrap_or_default();
    ensure!(!names.is_empty(), "apt-get does not know how to install it");
    let dir = workspace.target.join("referees").join(package.name);
    let (archives, root) = (dir.join("archives"), dir.join("root"));
    std::fs::create_dir_all(&archives).with_context(|| format!("creating {}", archives.display()))?;
    let mut download = Command::new("apt-get");
    // Root's downloads go through another user, who cannot write here.
    download.args(["-o", "APT::Sandbox::User=root", "download"]).args(&names).current_dir(&archives);
    progress("Unpacking", line(&download));
    run_quiet_stdout(&mut download)?;
    for archive in std::fs::read_dir(&archives)? {
        run_quiet_stdout(Command::new("dpkg-deb").arg("--extract").arg(archive?.path()).arg(&root))?;
    }
    let start = start_script(package.name, program);
    let script = programs(workspace).join(program);
    write_if_changed(&script, start)?;
    make_executable(&script)
}

/// The packages that `apt-get install --simulate` would install.
fn to_install(simulated: &str) -> Vec<String> {
    let names = simulated.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

/// Starts an unpacked program with the libraries that came with it, wherever the target directory has been moved to.
fn start_script(package: &str, program: &str) -> String {
    let architecture = std::env::consts::ARCH;
    format!(
        "#!/bin/sh\nroot=$(dirname \"$0\")/../{package}/root\n\
         libraries=$root/usr/lib/{architecture}-linux-gnu:$root/lib/{architecture}-linux-gnu\n\
         LD_LIBRARY_PATH=$libraries exec \"$root/usr/bin/{program}\" \"$@\"\n"
    )
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making {} executable", path.display()))
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_installation_names_its_packages() {
        let said = "Remv qemu-utils [1:10]\nInst libfdt1 (1.6 Debian:12 [amd64])\nInst qemu-system-x86 (1:7.2)\nConf libfdt1\n";
        assert_eq!(to_install(said), ["libfdt1", "qemu-system-x86"]);
        assert!(to_install("E: Unable to locate package\n").is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn an_unpacked_program_starts_with_its_libraries_wherever_it_is() {
        let dir = std::env::temp_dir().join(format!("mcm referees {}", std::process::id()));
        let (scripts, root) = (dir.join("bin"), dir.join("package/root/usr/bin"));
        for (place, name, text) in [
            (&scripts, "program", start_script("package", "program")),
            (&root, "program", "#!/bin/sh\necho \"$LD_LIBRARY_PATH $1\"\n".to_owned()),
        ] {
            write_if_changed(&place.join(name), text).expect("written");
            make_executable(&place.join(name)).expect("executable");
        }
        let said = capture(Command::new(scripts.join("program")).arg("an argument")).expect("started");
        std::fs::remove_dir_all(&dir).expect("removed");
        assert!(said.starts_with(&format!("{}/../package/root/usr/lib/", scripts.display())), "{said}");
        assert!(said.trim().ends_with(" an argument"), "{said}");
    }
}
