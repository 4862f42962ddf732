//! libFuzzer on the target `jwt`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::run("jwt", data));
