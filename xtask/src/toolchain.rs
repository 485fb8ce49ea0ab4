//! The Rust toolchain that compiles the driver.
//!
//! Two ways lead to `core` and `alloc` for the Windows target: rustup has them precompiled, or they are
//! compiled from Debian's `rust-web-src`. The second serves where rustup's downloads are out of reach.

use crate::command::{capture, line, progress, which};
use crate::target::Target;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long rustup may try to download the target before Debian's packages are used instead.
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(3);

/// Where `core` and `alloc` for the Windows target come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// The toolchain that runs xtask, with rustup's precompiled target.
    Rustup,
    /// Debian's rustc-web and cargo-web, which build the target's libraries from rust-web-src.
    Debian,
}

/// A toolchain that can build the driver.
#[derive(Debug)]
pub(crate) struct Toolchain {
    pub(crate) kind: Kind,
    /// Plain name or path of the COFF linker, as rustc takes it.
    pub(crate) linker: PathBuf,
}

impl Toolchain {
    /// The toolchain of a kind, whose parts `setup` has seen to.
    pub(crate) fn new(kind: Kind) -> Result<Self> {
        Ok(Self {
            kind,
            linker: linker(kind)
                .with_context(|| format!("neither rust-lld nor lld-link {MINIMUM_LLD} or newer is there"))?,
        })
    }

    /// A cargo command with this toolchain.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = cargo(self.kind);
        if self.kind == Kind::Debian {
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        command
    }

    /// Arguments that a build for the Windows target needs beside `--target`.
    pub(crate) fn build_arguments(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Rustup => &[],
            Kind::Debian => &["-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"],
        }
    }
}

fn cargo(kind: Kind) -> Command {
    match kind {
        Kind::Rustup => Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
        Kind::Debian => {
            let mut command = Command::new("/usr/bin/cargo");
            command.env("RUSTC", "/usr/bin/rustc").env("RUSTDOC", "/usr/bin/rustdoc").env_remove("CARGO");
            // Set by the rustup toolchain that may be running this.
            command.env_remove("RUSTUP_TOOLCHAIN").env_remove("LD_LIBRARY_PATH");
            command
        }
    }
}

fn rustc(kind: Kind) -> Command {
    Command::new(match kind {
        Kind::Rustup => std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()),
        Kind::Debian => "/usr/bin/rustc".into(),
    })
}

fn sysroot(kind: Kind) -> Option<PathBuf> {
    capture(rustc(kind).args(["--print", "sysroot"])).map(PathBuf::from)
}

/// The oldest LLD that takes `/KERNEL` and `/MAPINFO`, which wdk-build passes, for options and not for files.
pub(crate) const MINIMUM_LLD: u32 = 16;

/// The linker: rustc's own `rust-lld`, else LLVM's `lld-link` (rustc infers the linker's command-line
/// language from either name).
pub(crate) fn linker(kind: Kind) -> Option<PathBuf> {
    let own = sysroot(kind).is_some_and(|root| {
        let hosts = std::fs::read_dir(root.join("lib/rustlib")).into_iter().flatten().flatten();
        hosts.map(|host| host.path().join("bin/rust-lld")).any(|lld| lld.is_file())
    });
    if own { Some("rust-lld".into()) } else { lld_link() }
}

/// An `lld-link` that is new enough: on `PATH`, or one of Debian's packages by version.
fn lld_link() -> Option<PathBuf> {
    let directories = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let llvm = directories.filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm-"));
    let mut versioned: Vec<PathBuf> = llvm.map(|entry| entry.path().join("bin/lld-link")).collect();
    versioned.sort();
    which("lld-link").into_iter().chain(versioned).find(|lld| {
        let version = capture(Command::new(lld).arg("--version"));
        version.as_deref().and_then(parse_lld_version).is_some_and(|major| major >= MINIMUM_LLD)
    })
}

/// The major version in the output of `lld-link --version`.
fn parse_lld_version(output: &str) -> Option<u32> {
    output.split_once("LLD ")?.1.split('.').next()?.parse().ok()
}

/// Whether the compiler of this kind has the target's precompiled libraries.
pub(crate) fn has_target(target: Target) -> bool {
    sysroot(Kind::Rustup).is_some_and(|root| has_target_in(&root, target))
}

fn has_target_in(sysroot: &Path, target: Target) -> bool {
    let libraries = sysroot.join("lib/rustlib").join(target.triple()).join("lib");
    let mut files = std::fs::read_dir(libraries).into_iter().flatten().flatten();
    files.any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
}

/// Whether Debian's compiler is new enough and has the library sources beside it.
pub(crate) fn debian_is_complete(minimum: (u32, u32)) -> bool {
    let version = capture(Command::new("/usr/bin/rustc").arg("--version"));
    version.as_deref().and_then(parse_version).is_some_and(|found| found >= minimum)
        && Path::new("/usr/bin/cargo").is_file()
        && sysroot(Kind::Debian).is_some_and(|root| root.join("lib/rustlib/src/rust/library/core").is_dir())
}

/// Major and minor version in the output of `rustc --version`.
pub(crate) fn parse_version(output: &str) -> Option<(u32, u32)> {
    let mut numbers = output.strip_prefix("rustc ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The command that adds the target.
pub(crate) fn add_target_command(target: Target) -> Command {
    let mut command = Command::new("rustup");
    // Its own backtrace would only hide what it says.
    command.args(["target", "add", target.triple()]).env_remove("RUST_BACKTRACE");
    command
}

/// Has rustup download the target's libraries, within [`DOWNLOAD_LIMIT`].
pub(crate) fn add_target(target: Target) -> Result<()> {
    if which("rustup").is_none() {
        bail!("rustup is not installed");
    }
    let mut command = add_target_command(target);
    progress("Downloading", format_args!("{} ({})", target.triple(), line(&command)));
    let mut child = command.stdout(Stdio::null()).spawn().context("starting rustup")?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > DOWNLOAD_LIMIT {
            child.kill()?;
            child.wait()?;
            bail!("rustup did not finish within {} s", DOWNLOAD_LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    if !status.success() || !has_target(target) {
        bail!("rustup could not add {}", target.triple());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(
            parse_version("rustc 1.96.0 (abc 2026-05-01) (built from a source tarball)"),
            Some((1, 96))
        );
        assert_eq!(parse_version("rustc 2.1.0-nightly"), Some((2, 1)));
        assert_eq!(parse_version("clang version 14"), None);
        assert!((1, 100) > (1, 95));
        assert_eq!(parse_lld_version("Debian LLD 14.0.6"), Some(14));
        assert_eq!(parse_lld_version("LLD 22.1.8 (compatible with GNU linkers)"), Some(22));
        assert_eq!(parse_lld_version("LINK : fatal error"), None);
    }

    #[test]
    fn a_target_is_there_when_its_core_is() {
        let dir = crate::files::tests::TempDir::new("sysroot");
        let libraries = dir.0.join("lib/rustlib/x86_64-pc-windows-msvc/lib");
        assert!(!has_target_in(&dir.0, Target::X64));
        std::fs::create_dir_all(&libraries).unwrap();
        assert!(!has_target_in(&dir.0, Target::X64));
        std::fs::write(libraries.join("libcore-0123.rlib"), "").unwrap();
        assert!(has_target_in(&dir.0, Target::X64));
        assert!(!has_target_in(&dir.0, Target::Arm64));
    }
}
