//! libFuzzer on the target `entries`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::run("entries", data));
