//! Tests of the machine, run as activities without a driver.

mod border;
mod faults;
mod locks;
mod mmio;
mod scheduler;
mod shared_data;
mod time;

use std::rc::Rc;

use super::{Config, Machine};
use crate::verifier::trips::Trip;

/// The rules that are tripped by tests of this part.
pub(crate) const TRIPS: &[Trip] = &[
    ("BC.133", locks::some_schedule_deadlocks_and_the_report_names_both),
    ("BC.139", faults::invalid_instructions),
    ("BC.50", faults::null_pointers),
    ("BC.7F.0x00", faults::invalid_instructions),
    ("BC.7F.0x06", faults::invalid_instructions),
    ("BC.7F.0x08", faults::stack_overflows),
    ("BC.BugCheck", faults::a_stop_by_the_driver),
    ("BC.C0000096", faults::invalid_instructions),
    ("BC.BE", shared_data::shared_data_is_not_written),
    ("BC.CC", faults::freed_memory),
    ("BC.CD", faults::past_the_end),
    ("BC.D1", faults::null_pointers),
    ("BC.FC", faults::calls_of_data),
    ("CO-292", faults::past_the_registers),
    ("CO-305", border::a_callback_returns_at_its_irql),
    ("DV.C4.0x1001", locks::opposite_orders_are_found_even_when_nothing_hangs),
    ("DV.C4.0x1003", locks::the_irql_stays_up_while_a_lock_is_held),
    ("DV.C4.0x100A", locks::a_thread_ends_without_locks),
    ("DV.C4.0x100B", locks::memory_with_a_held_lock_is_not_freed),
    ("DV.C4.0x111", border::an_isr_returns_at_its_irql),
    ("DV.C4.0x30", border::irql_is_raised_upwards_and_lowered_downwards),
    ("DV.C4.0x31", border::irql_is_raised_upwards_and_lowered_downwards),
    ("DV.C4.0x3B", time::nothing_waits_at_dispatch),
    ("IRQL.<routine>", border::an_export_checks_its_irql),
    ("SDV.SpinLock", locks::acquiring_a_held_lock_ends_the_run),
    ("SDV.SpinLockDprRelease", locks::the_release_matches_the_acquire),
    ("SDV.SpinLockRelease", locks::releasing_what_is_not_held_is_found),
    ("SDVW.DebugBreakUsage", faults::invalid_instructions),
    ("SIM.SharedData", shared_data::what_is_not_simulated_ends_the_run),
];

fn machine(seed: u64) -> Rc<Machine> {
    Machine::new(Config { seed, ..Config::default() })
}

fn single(seed: u64) -> Rc<Machine> {
    Machine::new(Config { seed, cpus: 1, ..Config::default() })
}

/// Runs `f` as a thread to its end.
fn run(machine: &Machine, f: impl FnOnce() + 'static) {
    let thread = machine.spawn("test", f);
    machine.join(thread).expect("the thread ends");
}

fn rules(machine: &Machine) -> Vec<String> {
    machine.verifier().findings().iter().map(|finding| finding.rule.to_string()).collect()
}
