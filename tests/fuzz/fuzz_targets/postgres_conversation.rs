//! Changes to a valid PostgreSQL conversation.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_wire::fuzz::conversation(data));
