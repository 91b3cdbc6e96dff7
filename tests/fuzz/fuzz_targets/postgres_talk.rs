//! A PostgreSQL client and target that say anything at any time.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_wire::fuzz::talk(data));
