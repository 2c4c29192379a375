#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| ocsprey_fuzz::configuration(octets));
