//! Tests of the machine, run as activities without a driver.

mod border;
mod faults;
mod locks;
mod mmio;
mod scheduler;
mod time;

use std::rc::Rc;

use super::{Config, Machine};

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
