//! What a frame costs in mcm.sys: see [`benches::datapath`].

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::datapath::main()
}
