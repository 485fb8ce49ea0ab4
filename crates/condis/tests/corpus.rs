//! What the fuzz targets have collected, judged again by their own rules, without a fuzzer.

#[path = "../../../fuzz/targets/call_parameters.rs"]
mod call_parameters;
#[path = "../../../fuzz/targets/oid.rs"]
mod oid;
#[path = "../../../fuzz/targets/ppp_make_call.rs"]
mod ppp_make_call;
#[path = "../../../fuzz/targets/sap.rs"]
mod sap;
#[path = "../../../fuzz/targets/tapi_make_call.rs"]
mod tapi_make_call;

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
fn parameters_of_calls() {
    replay("call_parameters", call_parameters::run);
}

#[test]
fn oid_requests() {
    replay("oid", oid::run);
}

#[test]
fn make_calls_of_ppp_clients() {
    replay("ppp_make_call", ppp_make_call::run);
}

#[test]
fn make_calls_of_ndproxy() {
    replay("tapi_make_call", tapi_make_call::run);
}

#[test]
fn saps() {
    replay("sap", sap::run);
}
