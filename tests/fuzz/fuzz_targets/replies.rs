//! libFuzzer on the target `replies`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::run("replies", data));
