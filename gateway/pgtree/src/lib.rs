//! PostgreSQL's own parser, and its tree as pg_query's types without a detour through protobuf.
//!
//! libpg_query is PostgreSQL's scanner and grammar as a library. pg_query hands a tree over as a
//! protobuf message that is written in C and read in Rust again; here the C structs are read where
//! they are. What comes out is the same to the last field: see `tests`.

#![allow(unsafe_code)] // invariant 12: the tree is C's

mod nodes;
mod parser;
mod reader;
#[cfg(test)]
mod tests;

pub use parser::{ParseError, Tree, parse};
