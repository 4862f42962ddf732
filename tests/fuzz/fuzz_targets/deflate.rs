//! libFuzzer on the target `deflate`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::run("deflate", data));
