//! Statement -> operation: what a statement does, to what, and what its answer is made of.
//!
//! PostgreSQL is read by PostgreSQL's own grammar and an exhaustive walk over its tree; everything
//! else by sqlparser, and then only where no lexing difference between servers can matter. What
//! cannot be understood is `Effect::Unknown`, never a read.

mod facts;
mod generic;
mod guard;
mod postgres;
mod skeleton;

pub use facts::{Facts, Said, join};
pub use guard::SqlState;
pub use postgres::{
    BEHIND_QUERY, Before, BeforeImage, Behind, Body, Comparison, Given, Names, Place, Places, Row,
    Sources,
};
pub use postgres::{body, is_ascii_safe, is_safe_function, is_utf8};
pub use postgres::{mentions_replication, replication};
pub use skeleton::{Skeleton, skeleton};

use weir_model::{Dialect, Effect, Operation, Resource, ResourceKind, Statement};

/// What a statement does, in the given state of its session.
pub fn classify(statement: &Statement, state: &SqlState) -> Facts {
    match statement {
        Statement::Sql { dialect, text } => classify_sql(*dialect, text, state),
        Statement::Connect => Facts::plain(Operation {
            effect: Effect::Session,
            verbs: vec!["connect".to_owned()],
            resources: Vec::new(),
            flags: Default::default(),
        }),
        Statement::Resolve { name, .. } => Facts::plain(Operation {
            effect: Effect::Read,
            verbs: vec!["resolve".to_owned()],
            resources: vec![Resource {
                kind: ResourceKind::Host,
                name: name.clone(),
                columns: Vec::new(),
                written: false,
            }],
            flags: Default::default(),
        }),
        Statement::Function { number } => postgres::call(*number),
        Statement::Unknown { what } => Facts::unknown(&what.to_lowercase()),
    }
}

/// What a SQL text does, in the given state of its session.
pub fn classify_sql(dialect: Dialect, text: &[u8], state: &SqlState) -> Facts {
    let Some(text) = guard::readable(text, state) else {
        return Facts::unknown("sql");
    };
    // The parsers' own conveniences index into their trees; a slip of theirs must cost one
    // statement, not the worker.
    let parsed = std::panic::catch_unwind(|| match dialect {
        Dialect::Postgres => postgres::classify(text),
        Dialect::Generic => generic::classify(text),
    });
    parsed.unwrap_or_else(|_| Facts::unknown("sql"))
}

/// What a SQL text changes of the rows that are there, as queries to be run before it. Rows that
/// triggers, rules and foreign keys change beside it are not in it.
pub fn before_image(dialect: Dialect, text: &[u8], state: &SqlState) -> BeforeImage {
    let operation = classify_sql(dialect, text, state).operation;
    let readable = guard::readable(text, state);
    match (dialect, readable) {
        (Dialect::Postgres, Some(text)) => {
            let found = std::panic::catch_unwind(|| postgres::before_image(text, &operation));
            found.unwrap_or(BeforeImage::Unknown)
        }
        _ => BeforeImage::Unknown,
    }
}

/// Where a PostgreSQL text says the values of columns, in the given state of its session.
pub fn places(text: &[u8], state: &SqlState) -> Places {
    match guard::readable(text, state) {
        Some(text) if state.standard_conforming_strings => {
            std::panic::catch_unwind(|| postgres::places(text)).unwrap_or_default()
        }
        Some(_) | None => Places::default(),
    }
}

#[cfg(test)]
mod tests;
