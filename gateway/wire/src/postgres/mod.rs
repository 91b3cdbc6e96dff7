//! PostgreSQL's protocol 3 as a proxy sees it: both directions, borrowed from the input.
//!
//! Sources: the manual's chapter "Frontend/Backend Protocol", and the server's own readers
//! (`backend_startup.c`, `postgres.c`, `fastpath.c`, `pqcomm.c`). Where the server is lax, this is
//! strict: every message that parses has exactly one encoding, which is the bytes it was read from.

pub mod backend;
pub mod build;
pub mod conversation;
pub mod fields;
pub mod frame;
pub mod frontend;
pub mod lists;
pub mod refuse;
pub mod rows;
pub mod sasl;
pub mod startup;

pub use backend::{Authentication, Backend, Transaction, command_tag};
pub use build::{ErrorFields, RowWriter, Severity};
pub use conversation::{ClientStep, Conversation, TargetStep};
pub use fields::Fields;
pub use frame::{Frame, Side};
pub use frontend::{Frontend, FunctionCall, Kind};
pub use lists::{Cells, DataRow, Formats, Oids, Strings};
pub use rows::{Field, RowDescription};
pub use startup::Startup;
