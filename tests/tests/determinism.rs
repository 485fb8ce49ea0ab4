//! A run is a function of its seed.

use ndis_sim::{ndis::Family, nic::Model, scenario::Scenario};
use scenarios::{Card, cannot_on_qemu, driver, stories};

/// Why this is not asked of QEMU.
const QEMU: &str = "it is another process, with threads of its own";

#[test]
fn the_same_seed_gives_the_same_log_and_another_gives_another() {
    if cannot_on_qemu(QEMU) {
        return;
    }
    let hash = |seed| stories::hostile(seed, Card::new(Model::I82574l), Family::TAPI_PROXY).log_hash;
    for seed in [1, 77, u64::MAX] {
        assert_eq!(hash(seed), hash(seed), "seed {seed}");
    }
    assert_ne!(hash(1), hash(2));
}

#[test]
fn runs_on_several_threads_at_once_are_the_same_run() {
    if cannot_on_qemu(QEMU) {
        return;
    }
    let hash = || stories::pulled_out(9, Card::new(Model::I82540em), Family::PPP).log_hash;
    let first = hash();
    let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(hash)).collect();
    for thread in threads {
        assert_eq!(thread.join().expect("no panic"), first);
    }
}

#[test]
fn the_commands_scenario_is_deterministic_on_every_card() {
    for nic in Model::ALL {
        let outcome = |seed| {
            let scenario =
                Scenario { nic, seed, calls: 2, cpus: 4, bad_cable: true, ..Scenario::new(driver()) };
            scenario.run(|_, _| ()).expect("a run")
        };
        let (first, again, other) = (outcome(5), outcome(5), outcome(6));
        assert!(first.ok, "{nic}: {:?}", first.findings);
        assert_eq!(first.event_log_sha256, again.event_log_sha256, "{nic}");
        assert_eq!(first.event_log_lines, again.event_log_lines, "{nic}");
        assert_ne!(first.event_log_sha256, other.event_log_sha256, "{nic}");
    }
}
