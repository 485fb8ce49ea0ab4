//! `cargo xtask build`: the driver, from source to `mcm.sys`.

use crate::command::{progress, run_quiet_stdout};
use crate::files::write_if_changed;
use crate::image_stamp;
use crate::setup;
use crate::shadow;
use crate::target::Target;
use crate::toolchain::{Kind, Toolchain};
use crate::wdk_tree::WdkTree;
use crate::workspace::{Workspace, without_package_variables};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Options of a driver build.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) setup: setup::Options,
    /// Build against the headers (and libraries, if any) of this WDK instead of `wdk/`: the directory
    /// that holds `Include`
    #[arg(long, value_name = "DIR")]
    pub(crate) wdk: Option<PathBuf>,
    /// Build optimised (the default)
    #[arg(long, conflicts_with = "debug")]
    pub(crate) release: bool,
    /// Build unoptimised, with debug assertions
    #[arg(long)]
    pub(crate) debug: bool,
}

impl Options {
    fn profile(&self) -> &'static str {
        if self.debug { "debug" } else { "release" }
    }
}

/// A prepared driver build: tools, WDK tree and shadow workspace.
#[derive(Debug)]
pub(crate) struct DriverBuild<'a> {
    workspace: &'a Workspace,
    options: &'a Options,
    toolchain: Toolchain,
    wdk: WdkTree,
    shadow: PathBuf,
    /// Directory of the sources of registry dependencies.
    registry: PathBuf,
}

/// Where a build put its results.
#[derive(Debug)]
pub(crate) struct Image {
    /// The driver image; its link map `mcm.map` and debug information `mcm.pdb` are beside it.
    pub(crate) sys: PathBuf,
}

impl<'a> DriverBuild<'a> {
    /// Sees to tools, WDK tree and shadow workspace.
    pub(crate) fn prepare(workspace: &'a Workspace, options: &'a Options) -> Result<Self> {
        let toolchain = setup::ensure(&options.setup)?;
        let wdk_dir = options.wdk.as_deref().map(fs::canonicalize).transpose().context("--wdk")?;
        let kind = match toolchain.kind {
            Kind::Rustup => "rustup",
            Kind::Debian => "debian",
        };
        // One directory for each set of bindings: cargo does not see WDKContentRoot change.
        let name =
            wdk_dir.as_deref().map_or_else(|| kind.to_owned(), |dir| format!("{kind}-{}", path_key(dir)));
        let base = workspace.target.join("driver").join(name);
        let wdk = WdkTree::assemble(
            workspace,
            base.join("wdk-content-root"),
            wdk_dir.as_deref(),
            options.setup.target,
        )?;
        let shadow = base.join("workspace");
        let wdk_build = workspace.dependency_source("wdk-build")?;
        shadow::update(workspace, &wdk_build, &shadow)?;
        let registry = wdk_build.parent().unwrap_or(&wdk_build).to_owned();
        Ok(Self { workspace, options, toolchain, wdk, shadow, registry })
    }

    /// Whether clippy can look at the driver: Debian's compiler comes without it.
    pub(crate) fn has_clippy(&self) -> bool {
        matches!(self.toolchain.kind, Kind::Rustup)
    }

    /// A cargo subcommand in the shadow workspace, for the driver's target.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = self.toolchain.cargo();
        let target = self.options.setup.target.triple();
        command.current_dir(&self.shadow).args([subcommand, "--target", target]);
        command.args(self.toolchain.build_arguments());
        if !self.options.debug {
            command.arg("--release");
        }
        let linker = format!("CARGO_TARGET_{}_LINKER", target.to_ascii_uppercase().replace('-', "_"));
        command
            .env("CARGO_TARGET_DIR", self.shadow.join("target"))
            .env("CARGO_ENCODED_RUSTFLAGS", self.rustflags())
            .env(linker, &self.toolchain.linker)
            .env("WDKContentRoot", &self.wdk.root)
            .env("Version_Number", &self.wdk.version)
            .env_remove("RUSTFLAGS");
        without_package_variables(&mut command);
        command
    }

    /// Flags for the target's code, in cargo's encoding. The linker is told to derive its time stamp from the contents,
    /// and paths of this machine are kept out, so that equal sources give equal images.
    fn rustflags(&self) -> OsString {
        let shadow = self.shadow.display();
        let registry = self.registry.display();
        let flags = [
            "-Ctarget-feature=+crt-static".to_owned(),
            "-Clink-arg=/Brepro".to_owned(),
            "-Clink-arg=/PDBALTPATH:mcm.pdb".to_owned(),
            format!("--remap-path-prefix={shadow}=."),
            format!("--remap-path-prefix={registry}=registry"),
        ];
        flags.join("\u{1f}").into()
    }

    /// Compiles and links, and puts the image, its map and its debug information in cargo's target
    /// directory.
    pub(crate) fn image(&self) -> Result<Image> {
        let (target, profile) = (self.options.setup.target, self.options.profile());
        progress(
            "Building",
            format_args!("mcm.sys ({profile}, {}, WDK {})", target.triple(), self.wdk.version),
        );
        run_quiet_stdout(self.cargo("build").args(["--package", "mcm"]))?;
        let (image, bytes) = self.collect()?;
        progress("Built", format_args!("{} ({} bytes)", image.sys.display(), bytes.len()));
        progress("SHA-256", image_stamp::sha256(&bytes));
        Ok(image)
    }

    /// The same without a word; what the compiler has to say is in the error.
    pub(crate) fn silent_image(&self) -> Result<Image> {
        let mut command = self.cargo("build");
        let output = command.args(["--quiet", "--package", "mcm"]).output().context("starting cargo")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(self.collect()?.0)
    }

    /// Puts what was built where it is looked for; returns the image's contents too.
    fn collect(&self) -> Result<(Image, Vec<u8>)> {
        let (target, profile) = (self.options.setup.target, self.options.profile());
        let built = self.shadow.join("target").join(target.triple()).join(profile);
        let directory = self.destination(target, profile);
        fs::create_dir_all(&directory)?;
        let sys = directory.join("mcm.sys");
        let mut image = read(&built.join("mcm.dll"))?;
        let mut pdb = read(&built.join("mcm.pdb"))?;
        image_stamp::stamp(&mut image, &mut pdb).context("stamping mcm.sys")?;
        write_if_changed(&sys, &image)?;
        write_if_changed(&directory.join("mcm.pdb"), pdb)?;
        write_if_changed(&directory.join("mcm.map"), read(&built.join("deps/mcm.map"))?)?;
        Ok((Image { sys }, image))
    }

    fn destination(&self, target: Target, profile: &str) -> PathBuf {
        self.workspace.target.join(target.triple()).join(profile)
    }
}

fn read(result: &Path) -> Result<Vec<u8>> {
    fs::read(result).with_context(|| format!("the build left no {}", result.display()))
}

/// A short name for a directory: its last component and a checksum of the whole.
fn path_key(path: &Path) -> String {
    // FNV-1a, because std's hasher may change from release to release.
    let bytes = path.as_os_str().as_encoded_bytes();
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let name = path.file_name().map(|name| name.to_string_lossy().replace(' ', "-")).unwrap_or_default();
    format!("{name}-{:08x}", hash >> 32)
}

/// `cargo xtask build`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Image> {
    DriverBuild::prepare(workspace, options)?.image()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_with_the_whole_path() {
        let (a, b) = (path_key(Path::new("/a/Windows Kits")), path_key(Path::new("/b/Windows Kits")));
        assert_ne!(a, b);
        assert!(a.starts_with("Windows-Kits-"), "{a}");
    }
}
