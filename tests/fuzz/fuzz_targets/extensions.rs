//! libFuzzer on the target `extensions`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::run("extensions", data));
