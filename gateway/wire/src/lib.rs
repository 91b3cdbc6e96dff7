//! Sans-io codecs: bytes to messages and back, both directions, borrowed from the input.
//!
//! No socket, clock, or state of a conversation lives here. Everything is total: any bytes give a
//! value or a [`WireError`], never a panic, and no count from the wire is believed before the bytes
//! that it announces are there.

pub mod detect;
pub mod error;
#[doc(hidden)]
pub mod fuzz;
pub mod postgres;
pub mod reader;
pub mod tls;

pub use error::WireError;
