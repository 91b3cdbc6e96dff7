//! Bytes of a TLS client.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_wire::fuzz::client_hello(data));
