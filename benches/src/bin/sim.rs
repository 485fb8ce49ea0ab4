//! What a frame costs the simulator, of one call and of many: see [`benches::sim`].

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::sim::main()
}
