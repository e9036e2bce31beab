//! Routes, and a path.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::routing::check(input));
