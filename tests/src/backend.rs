//! Who plays the cards: the simulator's own model or, where [`MCM_CARDS`] says so, QEMU's.

use std::{
    io::{self, Write as _},
    ops::Range,
    sync::OnceLock,
    thread,
};

use ndis_sim::scenario::Backend;

/// The environment variable that names the player: `in-process` or `qemu`.
pub const MCM_CARDS: &str = "MCM_CARDS";

/// Seeds of a story that QEMU is told where the simulator's own model is told many: some for each card.
const SEEDS_ON_QEMU: u64 = 3;

/// Who plays the cards of this process.
///
/// # Panics
/// If [`MCM_CARDS`] names nobody.
pub fn backend() -> Backend {
    static BACKEND: OnceLock<Backend> = OnceLock::new();
    *BACKEND.get_or_init(|| match std::env::var(MCM_CARDS) {
        Ok(name) => name.parse().unwrap_or_else(|error| panic!("{MCM_CARDS}={name}: {error}")),
        Err(_) => Backend::default(),
    })
}

/// The cards are QEMU's.
pub fn on_qemu() -> bool {
    backend() == Backend::Qemu
}

/// The seeds of a story: `count`, but few where each takes a process.
pub fn seeds(count: u64) -> Range<u64> {
    0..if on_qemu() { count.min(SEEDS_ON_QEMU) } else { count }
}

/// Some of `all` where each takes a process: every `nth`.
pub fn some_of<T>(all: impl IntoIterator<Item = T>, nth: usize) -> impl Iterator<Item = T> {
    all.into_iter().step_by(if on_qemu() { nth } else { 1 })
}

/// Whether this test has to be left out with QEMU's cards, for this `reason`; says so.
pub fn cannot_on_qemu(reason: &str) -> bool {
    if on_qemu() {
        let name = thread::current().name().unwrap_or("a scenario").to_owned();
        // Not by `eprintln`, which the test program keeps to itself.
        let _ = writeln!(io::stderr(), "skipped on QEMU's cards: {name}: {reason}");
    }
    on_qemu()
}
