//! What the scenarios have in common: a [`Lab`] to run `mcm.sys` in, a [`Caller`] as its client, and a [`Station`],
//! an adapter that is up with its client on it.
//!
//! The tests in `tests/` tell one story each. [`set`] is the fixed set of stories that `cargo xtask mutants` runs
//! against damaged drivers; the program `scenarios` runs it.

pub mod backend;
pub mod blocks;
pub mod caller;
pub mod careful;
pub mod credits;
pub mod hangs;
pub mod lab;
pub mod office;
pub mod rates;
pub mod set;
pub mod station;
pub mod stories;
pub mod wires;

use std::path::PathBuf;

pub use backend::{backend, cannot_on_qemu, on_qemu, seeds, some_of};
pub use caller::{Answer, Caller, Record};
pub use lab::{Card, Lab, Run, Setup};
pub use station::Station;

/// The environment variable that names the driver.
pub const MCM_SYS: &str = "MCM_SYS";

/// The driver to run.
///
/// # Panics
/// If [`MCM_SYS`] is not set or names no file.
pub fn driver() -> PathBuf {
    let Some(path) = std::env::var_os(MCM_SYS).map(PathBuf::from) else {
        panic!("no driver to test: {MCM_SYS} is not set. `cargo xtask test` builds mcm.sys and sets it.");
    };
    assert!(path.is_file(), "{MCM_SYS} names {}, which is no file: run `cargo xtask test`", path.display());
    path
}
