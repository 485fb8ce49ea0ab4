#![no_main]

#[path = "../targets/pppoe_inbound.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
