//! libFuzzer on the target `addresses`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::run("addresses", data));
