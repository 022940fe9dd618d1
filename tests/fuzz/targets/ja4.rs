//! ja4 - libFuzzer's way to the body of the same name
//!
//! Not here: what is checked (`bodies`).

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| gatepost_fuzz::ja4(octets));
