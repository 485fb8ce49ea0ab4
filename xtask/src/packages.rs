//! Debian packages that a build needs, and what stands for each of them being there.

use crate::command::{capture, line, progress, run_quiet_stdout, which};
use crate::toolchain::MINIMUM_LLD;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something a build needs that a Debian package brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name for apt.
    pub(crate) name: &'static str,
    /// What it is needed for, as the user is told.
    pub(crate) purpose: &'static str,
}

/// libclang with the compiler's own headers.
pub(crate) const LIBCLANG: Package =
    Package { name: "libclang-dev", purpose: "bindgen reads the WDK's headers with libclang" };
/// The compiler and the sources of `core` and `alloc`.
pub(crate) const RUST: [Package; 3] = [
    Package { name: "rustc-web", purpose: "a Rust compiler for the Windows target" },
    Package { name: "cargo-web", purpose: "the cargo that goes with it" },
    Package { name: "rust-web-src", purpose: "sources of core and alloc, compiled for the Windows target" },
];

/// Packages of LLVM's linker, the distribution's default first.
const LLD: [&str; 8] = ["lld", "lld-22", "lld-21", "lld-20", "lld-19", "lld-18", "lld-17", "lld-16"];

/// LLVM's linker, in a version new enough for a driver.
pub(crate) fn lld() -> Package {
    let candidate = |name: &&str| {
        let policy = capture(Command::new("apt-cache").args(["policy", name]));
        policy.as_deref().and_then(candidate_major).is_some_and(|major| major >= MINIMUM_LLD)
    };
    let name = LLD.into_iter().find(candidate).unwrap_or(LLD[0]);
    Package { name, purpose: "lld-link links the driver" }
}

/// The upstream major version of the candidate in the output of `apt-cache policy`.
fn candidate_major(policy: &str) -> Option<u32> {
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    let upstream = version.split_once(':').map_or(version, |(_epoch, upstream)| upstream);
    upstream.split(['.', '-']).next()?.parse().ok()
}

/// Whether bindgen will find libclang: in `LIBCLANG_PATH`, where llvm-config says, or in the usual places.
pub(crate) fn has_libclang() -> bool {
    let mut directories: Vec<PathBuf> = Vec::new();
    directories.extend(std::env::var_os("LIBCLANG_PATH").map(PathBuf::from));
    directories.extend(capture(Command::new("llvm-config").arg("--libdir")).map(PathBuf::from));
    directories.extend(llvm_directories(Path::new("/usr/lib")));
    directories.extend(["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from));
    directories.push(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH).into());
    directories.iter().any(|directory| directory.is_file() || holds_libclang(directory))
}

fn llvm_directories(lib: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(lib).into_iter().flatten().flatten();
    let llvm = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm-"));
    llvm.map(|entry| entry.path().join("lib")).collect()
}

fn holds_libclang(directory: &Path) -> bool {
    let mut files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    files.any(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        let stem = name.strip_prefix("libclang").is_some_and(|rest| rest.starts_with(['.', '-']));
        stem && !name.starts_with("libclang-cpp") && name.contains(".so")
    })
}

/// The commands that install packages, as root or through sudo.
pub(crate) fn install_commands(packages: &[Package], sudo: bool) -> Vec<Command> {
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if sudo { "sudo" } else { "apt-get" });
        if sudo {
            command.arg("apt-get");
        }
        command.args(arguments);
        command
    };
    let update = apt(&["update"]);
    // --no-remove: rustc-web conflicts with Debian's own rustc, which is the user's to remove.
    let mut install = apt(&["install", "--yes", "--no-install-recommends", "--no-remove"]);
    install.args(packages.iter().map(|package| package.name));
    vec![update, install]
}

/// Installs packages with apt-get.
pub(crate) fn install(packages: &[Package]) -> Result<()> {
    let names = packages.iter().map(|package| package.name).collect::<Vec<_>>().join(" ");
    if which("apt-get").is_none() {
        bail!("please install what Debian calls {names}: this system has no apt-get");
    }
    let sudo = !is_root();
    if sudo && which("sudo").is_none() {
        bail!("please install as root: apt-get install {names} (there is no sudo here)");
    }
    for mut command in install_commands(packages, sudo) {
        progress("Installing", line(&command));
        command.env("DEBIAN_FRONTEND", "noninteractive");
        run_quiet_stdout(&mut command).context("installing Debian packages")?;
    }
    Ok(())
}

/// Whether this process may install packages without sudo.
pub(crate) fn is_root() -> bool {
    capture(Command::new("id").arg("-u")).as_deref() == Some("0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_typed() {
        let typed: Vec<String> = install_commands(&[LIBCLANG, RUST[0]], true).iter().map(line).collect();
        assert_eq!(
            typed,
            [
                "sudo apt-get update",
                "sudo apt-get install --yes --no-install-recommends --no-remove libclang-dev rustc-web"
            ]
        );
        assert_eq!(line(&install_commands(&[LIBCLANG], false)[0]), "apt-get update");
    }

    #[test]
    fn candidates_are_read_without_epoch_and_revision() {
        let policy = "lld:\n  Installed: (none)\n  Candidate: 1:14.0-55.7~deb12u1\n  Version table:\n";
        assert_eq!(candidate_major(policy), Some(14));
        assert_eq!(candidate_major("lld-22:\n  Candidate: 22.1.8-1\n"), Some(22));
        assert_eq!(candidate_major("lld-23:\n  Candidate: (none)\n"), None);
        assert_eq!(candidate_major(""), None);
    }

    #[test]
    fn libclang_is_told_from_its_neighbours() {
        let dir = crate::files::tests::TempDir::new("libclang");
        for other in ["libclang-cpp.so.14", "libclangTooling.a", "libclang.a"] {
            std::fs::write(dir.0.join(other), "").unwrap();
        }
        assert!(!holds_libclang(&dir.0));
        std::fs::write(dir.0.join("libclang-14.so.14.0.6"), "").unwrap();
        assert!(holds_libclang(&dir.0));
    }
}
