//! What a statement means, whatever protocol it came in.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The strongest thing an operation does. Ordered: a statement's effect is the maximum of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Nothing but session or transaction state (`BEGIN`, `SET`, `LISTEN`).
    Session,
    /// Reads data.
    Read,
    /// Changes data.
    Write,
    /// Changes the schema.
    Schema,
    /// Changes roles, privileges, the server's configuration, or reaches the server's host.
    Admin,
    /// Could not be understood; never treated as a read.
    Unknown,
}

impl Effect {
    /// The name used in policy and record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Read => "read",
            Self::Write => "write",
            Self::Schema => "schema",
            Self::Admin => "admin",
            Self::Unknown => "unknown",
        }
    }
}

/// A property of an operation that policy may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// `UPDATE` or `DELETE` that is not limited by a condition.
    NoWhere,
    /// More than one statement in one message.
    Multi,
    /// Calls a function that is not known to be free of side effects.
    VolatileFunction,
    /// Runs a program on the server's host, or reads or writes its files.
    ToProgram,
    /// Sends rows by COPY, which carries no column origins.
    CopyOut,
    /// Changes roles or privileges.
    Privilege,
    /// Runs text that is itself a program (`DO`, `EXECUTE` of a string).
    DynamicSql,
    /// A literal that looks like a credential.
    SecretLiteral,
    /// Compares a column that is hidden from the caller with others, so that the rows, their order or
    /// their number may tell its values.
    Inference,
}

impl Flag {
    /// The name used in policy and record.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoWhere => "no_where",
            Self::Multi => "multi",
            Self::VolatileFunction => "volatile_function",
            Self::ToProgram => "to_program",
            Self::CopyOut => "copy_out",
            Self::Privilege => "privilege",
            Self::DynamicSql => "dynamic_sql",
            Self::SecretLiteral => "secret_literal",
            Self::Inference => "inference",
        }
    }
}

/// What kind of thing an operation touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceKind {
    /// A table, view, sequence or other relation.
    Table,
    /// A function or procedure.
    Function,
    /// A schema.
    Schema,
    /// A database.
    Database,
    /// A role.
    Role,
    /// Any other object of the server (type, extension, publication, ...).
    Object,
    /// A host and port.
    Host,
    /// A file or program on the server's host.
    File,
}

/// One thing that an operation touches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// What it is.
    pub kind: ResourceKind,
    /// Its name as written, folded as the server folds it, qualified only if it was written so.
    pub name: String,
    /// Columns named anywhere in the statement that may belong to it; `*` for all.
    pub columns: Vec<String>,
    /// Whether the operation changes it, rather than only reads it.
    pub written: bool,
}

/// What a statement means.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operation {
    /// The strongest thing it does.
    pub effect: Effect,
    /// What it does, lower case, in order of appearance and without duplicates: `select`, `delete`.
    pub verbs: Vec<String>,
    /// What it touches, sorted.
    pub resources: Vec<Resource>,
    /// Its properties.
    pub flags: BTreeSet<Flag>,
}

impl Operation {
    /// The operation of something that was not understood.
    pub fn unknown(verb: &str) -> Self {
        Self {
            effect: Effect::Unknown,
            verbs: vec![verb.to_owned()],
            resources: Vec::new(),
            flags: BTreeSet::new(),
        }
    }
}
