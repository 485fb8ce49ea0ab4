//! The rules and their findings.
//!
//! A rule has an id that never changes: `SDV.*` for a rule of Static Driver Verifier, `IRQL.<function>` for the IRQL of
//! a routine, `NV.*` for a run-time rule of NDIS verification, `DDI.*` for DDI compliance, `DV.<bug check>.<parameter>`
//! for what Driver Verifier stops, `BC.<bug check>` for what the kernel stops, `NDIS.7C.*` for what NDIS stops,
//! `CO-nnn` for an invariant of connection-oriented NDIS, `NIC.*` and `PCI.*` for the card and its bus, `WIRE.*` for the frames of clients on the wire, and `QEMU.*` and
//! `SIM.*` for the simulation itself. `docs/rules.md` lists them all. Each has a case that trips it; a test sees to that.

mod catalogue;
mod finding;
#[cfg(test)]
pub(crate) mod trips;

pub(crate) use catalogue::rule;
pub use catalogue::{Rule, Severity, catalogue};
pub use finding::{Finding, Verifier};
