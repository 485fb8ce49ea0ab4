use super::{machine, rules, run};
use crate::machine::{DISPATCH_LEVEL, IrqlRange, LockKind, Machine, Step, enter};

#[test]
pub(super) fn an_export_checks_its_irql() {
    let machine = machine(1);
    run(&machine, || {
        let machine = Machine::current();
        drop(enter("NdisMSleep", IrqlRange::PASSIVE));
        assert_eq!(rules(&machine), [""; 0]);
        machine.raise_irql(DISPATCH_LEVEL);
        drop(enter("NdisMSleep", IrqlRange::PASSIVE));
        drop(enter("NdisSetEvent", IrqlRange::DISPATCH_OR_BELOW));
        machine.lower_irql(0);
        drop(enter("NdisMAllocateNetBufferSGList", IrqlRange::DISPATCH));
    });
    assert_eq!(rules(&machine), ["IRQL.NdisMSleep", "IRQL.NdisMAllocateNetBufferSGList"]);
    let finding = &machine.verifier().findings()[0];
    assert_eq!((finding.irql, finding.call_site.as_deref()), (2, Some("NdisMSleep")));
}

#[test]
pub(super) fn a_callback_returns_at_its_irql() {
    let machine = machine(1);
    run(&machine, || {
        let machine = Machine::current();
        machine.call_driver("MiniportPause", || assert_eq!(Machine::current().extent(), ["MiniportPause"]));
        assert_eq!(rules(&machine), [""; 0]);
        machine.call_driver("MiniportPause", || {
            Machine::current().raise_irql(DISPATCH_LEVEL);
        });
        assert_eq!(machine.irql(), 0, "put right");
    });
    assert_eq!(rules(&machine), ["CO-305"]);
}

#[test]
pub(super) fn an_isr_returns_at_its_irql() {
    let machine = machine(1);
    machine.interrupt(None, 5, "isr", || {
        Machine::current().call_driver("MiniportInterrupt", || {
            Machine::current().raise_irql(9);
        });
    });
    let _ = machine.run_until(|| false);
    assert_eq!(rules(&machine), ["DV.C4.0x111"]);
}

#[test]
fn a_callback_returns_without_the_locks_it_took() {
    let machine = machine(1);
    run(&machine, || {
        let machine = Machine::current();
        machine.raise_irql(DISPATCH_LEVEL);
        machine.acquire(1, LockKind::AtDpcLevel);
        machine.call_driver("MiniportReturnNetBufferLists", || {
            Machine::current().acquire(2, LockKind::AtDpcLevel);
        });
        assert!(machine.holds_lock(1) && !machine.holds_lock(2));
        machine.release(1, LockKind::AtDpcLevel);
        machine.lower_irql(0);
    });
    assert_eq!(rules(&machine), ["SDV.SpinLock"]);
}

#[test]
pub(super) fn irql_is_raised_upwards_and_lowered_downwards() {
    let machine = machine(1);
    run(&machine, || {
        let machine = Machine::current();
        assert_eq!(machine.raise_irql(5), 0);
        machine.raise_irql(DISPATCH_LEVEL);
        assert_eq!(machine.irql(), 5);
        machine.lower_irql(9);
        assert_eq!(machine.irql(), 5);
        machine.lower_irql(0);
        machine.queue_dpc(None, "dpc", || Machine::current().lower_irql(0));
    });
    let _ = machine.run_until(|| false);
    assert_eq!(rules(&machine), ["DV.C4.0x30", "DV.C4.0x31", "DV.C4.0x31"]);
}

#[test]
fn steps_are_kept_and_logged() {
    let machine = machine(1);
    machine.step(Step::new("wire", "PADI sent"));
    assert_eq!(machine.steps()[0].1, Step::new("wire", "PADI sent"));
    assert!(machine.log_text().contains("* wire: PADI sent"));
    assert_eq!(machine.log_lines(), 1);
}

#[test]
fn the_hash_is_that_of_the_text() {
    use sha2::Digest;
    let machine = machine(1);
    machine.log(format_args!("one\nline"));
    machine.log(format_args!("another"));
    let hash = sha2::Sha256::digest(machine.log_text());
    let bytes = machine.log_hash();
    assert!(hash.iter().enumerate().all(|(at, byte)| bytes[2 * at..2 * at + 2] == format!("{byte:02x}")));
    assert_eq!(machine.log_text().lines().count(), 2);
}

#[test]
fn the_same_finding_at_the_same_place_is_counted() {
    let machine = machine(1);
    for _ in 0..3 {
        machine.finding("SDV.SpinLock", None, "again".to_owned());
    }
    let findings = machine.verifier().findings();
    assert_eq!((findings.len(), findings[0].count), (1, 3));
    assert_eq!(machine.verifier().count("SDV.SpinLock"), 3);
}
