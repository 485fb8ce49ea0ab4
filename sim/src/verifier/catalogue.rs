//! The rules, each part's own, and the catalogue of them all.

use std::fmt;

use crate::{clients, ndis, nic, pci, qemu, scenario, traffic};

/// How bad a violation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Windows would stop, hang or be corrupted.
    S0,
    /// A documented obligation is violated; Windows would often survive.
    S1,
    /// A recommendation is not followed.
    S2,
    /// Information.
    S3,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A rule that the simulator enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its identifier.
    pub id: &'static str,
    /// How bad a violation is.
    pub severity: Severity,
    /// What it asks for.
    pub statement: &'static str,
}

/// The rule of this id.
pub(crate) const fn rule(id: &'static str, severity: Severity, statement: &'static str) -> Rule {
    Rule { id, severity, statement }
}

/// Every part's rules.
const PARTS: &[&[Rule]] = &[
    KERNEL,
    ndis::RULES,
    clients::RULES,
    pci::RULES,
    nic::RULES,
    qemu::RULES,
    scenario::RULES,
    traffic::RULES,
];

/// What the ids of [`IRQL`] begin with; the name of a routine follows.
const IRQL_PREFIX: &str = "IRQL.";
/// The rule that each routine has by the page that documents it.
pub(super) const IRQL: Rule =
    rule("IRQL.<routine>", Severity::S1, "A routine is called at an IRQL that its page allows.");

/// Every rule, sorted by id.
pub fn catalogue() -> Vec<Rule> {
    let mut rules: Vec<Rule> = PARTS.iter().copied().flatten().copied().collect();
    rules.push(IRQL);
    rules.sort_by_key(|rule| rule.id);
    rules
}

/// The rule of an id that a finding names.
pub(super) fn find(id: &str) -> Option<Rule> {
    if id.starts_with(IRQL_PREFIX) {
        return Some(IRQL);
    }
    PARTS.iter().copied().flatten().find(|rule| rule.id == id).copied()
}

const KERNEL: &[Rule] = &[
    rule("BC.133", Severity::S0, "Spin locks do not deadlock."),
    rule("BC.50", Severity::S0, "The driver touches valid addresses only."),
    rule("BC.7F.0x00", Severity::S0, "No division by zero."),
    rule(
        "BC.7F.0x06",
        Severity::S0,
        "The driver executes valid instructions; a panic in it ends in one that is not.",
    ),
    rule("BC.7F.0x08", Severity::S0, "The driver's stack does not overflow."),
    rule("BC.BE", Severity::S0, "Read-only memory is not written."),
    rule("BC.BugCheck", Severity::S0, "The driver does not stop the system."),
    rule("BC.C2.0x9B", Severity::S1, "A pool tag is not zero."),
    rule("BC.18", Severity::S0, "Run-down protection is released as often as it was acquired."),
    rule(
        "BC.C1.0x24",
        Severity::S0,
        "The bytes between the end of a block and its alignment are not written.",
    ),
    rule("BC.C2.0x9D", Severity::S2, "A pool tag has a letter or a digit."),
    rule("BC.CC", Severity::S0, "Freed memory is not touched."),
    rule("BC.CD", Severity::S0, "Memory past the end or before the start of a block is not touched."),
    rule("BC.CE", Severity::S0, "Nothing calls into the driver after it was unloaded."),
    rule("BC.D1", Severity::S0, "At DISPATCH_LEVEL or above the driver touches valid addresses only."),
    rule("BC.139", Severity::S0, "The driver's own integrity checks do not fail."),
    rule(
        "BC.C0000096",
        Severity::S0,
        "The driver executes no privileged instruction that the simulator lacks.",
    ),
    rule("SDVW.DebugBreakUsage", Severity::S0, "The driver does not execute breakpoints."),
    rule("BC.FC", Severity::S0, "Only code is executed."),
    rule(
        "CO-289",
        Severity::S1,
        "Events are initialised before use, once, and not freed while they are waited for.",
    ),
    rule("CO-292", Severity::S1, "Register accesses stay inside the mapped range."),
    rule(
        "CO-301",
        Severity::S1,
        "No spin lock is held across a call that can wait or call back into the driver.",
    ),
    rule("CO-305", Severity::S0, "A callback returns at the IRQL it was called at."),
    rule("DV.C4.0x00", Severity::S1, "A pool request is for at least a byte."),
    rule("DV.C4.0x100A", Severity::S0, "A thread does not end while it holds a lock."),
    rule("DV.C4.0x100B", Severity::S0, "Memory with a held lock in it is not freed."),
    rule(
        "DV.C4.0x1003",
        Severity::S1,
        "The IRQL stays at DISPATCH_LEVEL until the last spin lock is released.",
    ),
    rule("DV.C4.0x1001", Severity::S0, "Locks are always acquired in the same order."),
    rule("DV.C4.0x10", Severity::S0, "Only what was allocated is freed."),
    rule("DV.C4.0x111", Severity::S0, "An interrupt service routine returns at the IRQL it was called at."),
    rule("DV.C4.0x13", Severity::S0, "A block is freed once."),
    rule("DV.C4.0x16", Severity::S0, "A block is freed by the address it was allocated at."),
    rule("DV.C4.0x2000", Severity::S2, "Pool is not executable."),
    rule("DV.C4.0x30", Severity::S0, "Raising the IRQL does not lower it."),
    rule(
        "DV.C4.0x31",
        Severity::S0,
        "Lowering the IRQL does not raise it, nor lower it below that of a DPC or an ISR.",
    ),
    rule("DV.C4.0x3B", Severity::S0, "Nothing waits at DISPATCH_LEVEL or above."),
    rule("DV.C4.0x62", Severity::S0, "An unloaded driver leaves no pool allocated."),
    rule("DV.C4.0xDC", Severity::S0, "An unloaded driver leaves no event provider registered."),
    rule("DV.C4.0xDD", Severity::S0, "Only registered event providers are used."),
    rule("DV.C4.0xF0", Severity::S0, "memcpy does not copy between overlapping ranges."),
    rule("DV.C2.0x0A", Severity::S0, "A block is freed with the tag it was allocated with."),
    rule(
        "DDI.IrqlKeReleaseSpinLock",
        Severity::S0,
        "A spin lock's release restores the IRQL that its acquire saved.",
    ),
    rule(
        "SDV.NdisStallExecution_Delay",
        Severity::S2,
        "The processor is not stalled for more than 50 us at a time.",
    ),
    rule(
        "SDV.SpinLock",
        Severity::S0,
        "A spin lock is acquired once and released before its callback returns.",
    ),
    rule(
        "SDV.SpinLockDprRelease",
        Severity::S1,
        "A spin lock is released by the counterpart of what acquired it; one that KeTryToAcquireSpinLockAtDpcLevel acquired, by \
         KeReleaseSpinLock or KeReleaseSpinLockFromDpcLevel.",
    ),
    rule("SDV.SpinLockRelease", Severity::S0, "Only a held spin lock is released, by its holder."),
    rule(
        "SIM.SharedData",
        Severity::S0,
        "Of KUSER_SHARED_DATA only what is simulated is read: time, version, and a few more (sim/src/machine/shared_data.rs).",
    ),
];
