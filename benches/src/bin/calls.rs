//! What a call costs in mcm.sys: see [`benches::calls`].

use std::process::ExitCode;

use ndis_sim::wire::rp_pppoe::stand_in;

fn main() -> ExitCode {
    // pppoe-server starts this program as its pppd.
    stand_in::run().unwrap_or_else(benches::calls::main)
}
