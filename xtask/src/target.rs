//! The machines the driver is built for.

use clap::ValueEnum;

/// A Rust target triple of a Windows kernel driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// 64-bit x86; what the simulator runs.
    #[value(name = "x86_64-pc-windows-msvc")]
    X64,
    /// 64-bit Arm; builds, but the simulator cannot run it.
    #[value(name = "aarch64-pc-windows-msvc")]
    Arm64,
}

impl Target {
    /// The triple, as rustc wants it.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::X64 => "x86_64-pc-windows-msvc",
            Self::Arm64 => "aarch64-pc-windows-msvc",
        }
    }

    /// The directory below `Lib/<version>/km` where wdk-build looks for this machine's libraries.
    pub(crate) fn library_directory(self) -> &'static str {
        match self {
            Self::X64 => "x64",
            Self::Arm64 => "ARM64",
        }
    }
}
