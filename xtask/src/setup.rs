//! `cargo xtask setup`: what a build needs, what is there, and installing the rest.

use crate::command::{line, progress};
use crate::packages::{self, LIBCLANG, Package, RUST};
use crate::target::Target;
use crate::toolchain::{self, Kind, Toolchain};
use anyhow::{Result, bail};
use clap::Args;

/// The oldest compiler the workspace accepts (`rust-version` in Cargo.toml).
const MINIMUM: (u32, u32) = (1, 95);

/// Options about the tools a build needs.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Where core and alloc for the Windows target come from [default: what is installed, else rustup, else
    /// Debian]
    #[arg(long, value_enum)]
    pub(crate) toolchain: Option<Kind>,
    /// Machine to build the driver for
    #[arg(long, value_enum, default_value = "x86_64-pc-windows-msvc")]
    pub(crate) target: Target,
    /// Install nothing: list what is missing and how to install it, and fail if anything is
    #[arg(long)]
    pub(crate) no_install: bool,
}

/// What is there of the things a build may need.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each answers an independent question about the system")]
struct Found {
    libclang: bool,
    rustup_target: bool,
    rustup_linker: bool,
    debian: bool,
    debian_linker: bool,
}

impl Found {
    fn look(target: Target) -> Self {
        Self {
            libclang: packages::has_libclang(),
            rustup_target: toolchain::has_target(target),
            rustup_linker: toolchain::linker(Kind::Rustup).is_some(),
            debian: toolchain::debian_is_complete(MINIMUM),
            debian_linker: toolchain::linker(Kind::Debian).is_some(),
        }
    }

    /// Packages missing for a toolchain.
    fn missing(self, kind: Kind) -> Vec<Package> {
        let mut missing = Vec::new();
        if !self.libclang {
            missing.push(LIBCLANG);
        }
        let linker = match kind {
            Kind::Rustup => self.rustup_linker,
            Kind::Debian => self.debian_linker,
        };
        if !linker {
            missing.push(packages::lld());
        }
        if kind == Kind::Debian && !self.debian {
            missing.extend(RUST);
        }
        missing
    }
}

/// Sees to it that everything is there and returns the toolchain to build with.
pub(crate) fn ensure(options: &Options) -> Result<Toolchain> {
    let found = Found::look(options.target);
    let kind = choose(options, found)?;
    let missing = found.missing(kind);
    if !missing.is_empty() {
        if options.no_install {
            bail!("{}", how_to_install(&missing, None));
        }
        for package in &missing {
            progress("Missing", format_args!("{}: {}", package.name, package.purpose));
        }
        packages::install(&missing)?;
        let still = Found::look(options.target).missing(kind);
        if !still.is_empty() {
            bail!("installed, yet not found or too old: {}", names(&still));
        }
    }
    Toolchain::new(kind)
}

/// Decides for a toolchain; may have rustup add the target on the way.
fn choose(options: &Options, found: Found) -> Result<Kind> {
    match options.toolchain {
        Some(Kind::Debian) => return Ok(Kind::Debian),
        _ if found.rustup_target => return Ok(Kind::Rustup),
        None if found.debian => return Ok(Kind::Debian),
        _ => {}
    }
    if options.no_install {
        bail!(
            "{}",
            how_to_install(
                &found.missing(Kind::Rustup),
                Some((options.target, &found.missing(Kind::Debian)))
            )
        );
    }
    match toolchain::add_target(options.target) {
        Ok(()) => Ok(Kind::Rustup),
        Err(error) if options.toolchain.is_none() => {
            progress("Falling back", format_args!("to Debian's compiler: {error:#}"));
            Ok(Kind::Debian)
        }
        Err(error) => Err(error),
    }
}

fn names(packages: &[Package]) -> String {
    packages.iter().map(|package| package.name).collect::<Vec<_>>().join(" ")
}

/// What is missing and the commands that install it; `target` is a target that rustup does not have yet,
/// with the packages that do instead.
pub(crate) fn how_to_install(missing: &[Package], target: Option<(Target, &[Package])>) -> String {
    let mut lines = vec!["this is missing:".to_owned()];
    lines.extend(
        target.map(|(target, _)| format!("  {}: core and alloc for the driver's target", target.triple())),
    );
    lines.extend(missing.iter().map(|package| format!("  {}: {}", package.name, package.purpose)));
    lines.push("install it with:".to_owned());
    let typed = |packages: &[Package]| {
        let commands = packages::install_commands(packages, !packages::is_root());
        commands.iter().map(|command| format!("  {}", line(command))).collect::<Vec<_>>()
    };
    lines.extend(target.map(|(target, _)| format!("  {}", line(&toolchain::add_target_command(target)))));
    if !missing.is_empty() {
        lines.extend(typed(missing));
    }
    if let Some((_, instead)) = target {
        lines.push("or, where rustup's downloads are blocked, instead of all that:".to_owned());
        lines.extend(typed(instead));
    }
    lines.join("\n")
}

/// `cargo xtask setup`.
pub(crate) fn run(options: &Options) -> Result<()> {
    report(Found::look(options.target), options.target);
    let toolchain = ensure(options)?;
    progress("Ready", format_args!("to build with {}", describe(&toolchain, options.target)));
    Ok(())
}

fn report(found: Found, target: Target) {
    let state = |there: bool| if there { "Found" } else { "Not found" };
    progress(state(found.libclang), format_args!("libclang ({})", LIBCLANG.purpose));
    let precompiled = format_args!("{} in the running toolchain (core and alloc)", target.triple());
    progress(state(found.rustup_target), precompiled);
    progress(state(found.debian), "Debian's rustc-web with sources (used when the former is out of reach)");
    let linker = found.rustup_linker || found.debian_linker;
    progress(state(linker), "rust-lld or lld-link (links the driver)");
}

fn describe(toolchain: &Toolchain, target: Target) -> String {
    let how = match toolchain.kind {
        Kind::Rustup => "the running toolchain's precompiled core and alloc",
        Kind::Debian => "Debian's rustc-web, core and alloc from source",
    };
    format!("{how}, {} for {}", toolchain.linker.display(), target.triple())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Found =
        Found { libclang: true, rustup_target: true, rustup_linker: true, debian: true, debian_linker: true };

    fn options(toolchain: Option<Kind>) -> Options {
        Options { toolchain, target: Target::X64, no_install: true }
    }

    #[test]
    fn each_toolchain_lists_its_own_needs() {
        assert!(ALL.missing(Kind::Rustup).is_empty() && ALL.missing(Kind::Debian).is_empty());
        let bare =
            Found { libclang: false, rustup_linker: false, debian: false, debian_linker: false, ..ALL };
        let lld = packages::lld().name;
        assert_eq!(names(&bare.missing(Kind::Rustup)), format!("libclang-dev {lld}"));
        let rust = "rustc-web cargo-web rust-web-src";
        assert_eq!(names(&bare.missing(Kind::Debian)), format!("libclang-dev {lld} {rust}"));
    }

    #[test]
    fn the_users_choice_goes_first_then_what_is_there() {
        assert_eq!(choose(&options(None), ALL).unwrap(), Kind::Rustup);
        assert_eq!(choose(&options(Some(Kind::Debian)), ALL).unwrap(), Kind::Debian);
        let debian_only = Found { rustup_target: false, ..ALL };
        assert_eq!(choose(&options(None), debian_only).unwrap(), Kind::Debian);
        let error = choose(&options(Some(Kind::Rustup)), debian_only).unwrap_err().to_string();
        assert!(error.contains("rustup target add x86_64-pc-windows-msvc"), "{error}");
        let nothing = Found { rustup_target: false, debian: false, ..ALL };
        let error = choose(&options(None), nothing).unwrap_err().to_string();
        assert!(error.contains("rustc-web cargo-web rust-web-src"), "{error}");
    }

    #[test]
    fn the_minimum_is_the_manifests() {
        let manifest =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("rust-version = \"{}.{}\"", MINIMUM.0, MINIMUM.1)));
    }
}
