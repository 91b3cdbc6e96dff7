//! What was said, in the protocol's own shape.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Which grammar reads a SQL text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// PostgreSQL's own grammar.
    Postgres,
    /// Anything else, read by sqlparser's generic dialect.
    Generic,
}

/// One thing that an agent asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A SQL text, possibly of several statements, as it stood on the wire.
    Sql {
        /// The grammar.
        dialect: Dialect,
        /// The exact bytes, which need not be UTF-8.
        text: Arc<[u8]>,
    },
    /// A connection to a host.
    Connect,
    /// A name to resolve.
    Resolve {
        /// The name, lower case, without the last dot.
        name: String,
        /// The record type, for instance `A`.
        kind: String,
    },
    /// A call of a function of the server's by its number, which PostgreSQL calls the fast path.
    Function {
        /// The number.
        number: u32,
    },
    /// Something the codec knows to be a request, but not what it does.
    Unknown {
        /// What it was, for the record, for instance `Bind`.
        what: &'static str,
    },
}
