//! What the fuzz targets have collected, judged again by their own rules, without a fuzzer.

#[path = "../../../fuzz/targets/concentrator.rs"]
mod concentrator;
#[path = "../../../fuzz/targets/pppoe_discovery.rs"]
mod pppoe_discovery;
#[path = "../../../fuzz/targets/pppoe_inbound.rs"]
mod pppoe_inbound;

use std::path::Path;

/// Every input in a target's corpus.
fn replay(target: &str, run: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(directory).expect("a corpus") {
        run(&std::fs::read(entry.expect("an entry").path()).expect("an input"));
        count += 1;
    }
    assert!(count > 1, "the corpus is empty");
}

#[test]
fn frames() {
    replay("pppoe_inbound", pppoe_inbound::run);
}

#[test]
fn packets_for_a_host() {
    replay("pppoe_discovery", pppoe_discovery::run);
}

#[test]
fn packets_for_an_access_concentrator() {
    replay("concentrator", concentrator::run);
}
