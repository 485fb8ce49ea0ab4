//! The rules and their findings.
//!
//! A rule has an id that never changes: `SDV.*` for a rule of Static Driver Verifier, `IRQL.<function>` for the IRQL of
//! a routine, `NV.*` for a run-time rule of NDIS verification, `DDI.*` for DDI compliance, `DV.<bug check>.<parameter>`
//! for what Driver Verifier stops, `BC.<bug check>` for what the kernel stops, `NDIS.7C.*` for what NDIS stops,
//! `CO-nnn` for an invariant of connection-oriented NDIS, and `SIM.*` for a shortcoming of the simulator itself.

mod catalogue;
mod finding;
#[cfg(test)]
pub(crate) mod trips;

pub(crate) use catalogue::rule;
pub use catalogue::{Rule, Severity, catalogue};
pub use finding::{Finding, Verifier};
