//! libFuzzer on the target `jwks`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::run("jwks", data));
