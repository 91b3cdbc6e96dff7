//! Bytes of a PostgreSQL client.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_wire::fuzz::postgres_frontend(data));
