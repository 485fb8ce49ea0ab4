//! What the fuzz targets have collected, judged again by their own rules, without a fuzzer.

#[path = "../../../fuzz/targets/call_parameters.rs"]
mod call_parameters;
#[path = "../../../fuzz/targets/oid.rs"]
mod oid;
#[path = "../../../fuzz/targets/ppp_make_call.rs"]
mod ppp_make_call;
#[path = "../../../fuzz/targets/replay.rs"]
mod replay;
#[path = "../../../fuzz/targets/sap.rs"]
mod sap;
#[path = "../../../fuzz/targets/tapi_make_call.rs"]
mod tapi_make_call;

use replay::replay;

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
