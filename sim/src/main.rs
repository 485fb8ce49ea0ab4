//! The command `ndis-sim`; see [`ndis_sim::cli`].

use std::process::ExitCode;

use ndis_sim::{cli, wire::rp_pppoe::stand_in};

fn main() -> ExitCode {
    stand_in::run().unwrap_or_else(cli::main)
}
