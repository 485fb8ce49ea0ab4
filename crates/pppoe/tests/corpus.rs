//! What the fuzz targets have collected, judged again by their own rules, without a fuzzer.

#[path = "../../../fuzz/targets/concentrator.rs"]
mod concentrator;
#[path = "../../../fuzz/targets/credits.rs"]
mod credits;
#[path = "../../../fuzz/targets/pppoe_discovery.rs"]
mod pppoe_discovery;
#[path = "../../../fuzz/targets/pppoe_inbound.rs"]
mod pppoe_inbound;
#[path = "../../../fuzz/targets/replay.rs"]
mod replay;

use replay::replay;

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

#[test]
fn credits_of_two() {
    replay("credits", credits::run);
}
