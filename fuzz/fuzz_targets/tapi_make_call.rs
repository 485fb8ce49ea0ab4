#![no_main]

#[path = "../targets/tapi_make_call.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
