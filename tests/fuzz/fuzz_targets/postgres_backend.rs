//! Bytes of a PostgreSQL target.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_wire::fuzz::postgres_backend(data));
