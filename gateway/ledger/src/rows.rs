//! The tables of the record: one struct per table, a field per column.
//!
//! The actor stands on each row, so that who did something needs no join. Columns are only ever
//! added, never renamed or given another field id: an old file reads as a row with defaults.

mod tables;

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema, SchemaRef};

use crate::value::{Text, Texts};

pub use tables::{AnswerRow, CoverageRow, EventRow, ExchangeRow, FlowRow, HoldRow, SessionRow};

/// A table of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// A binding's life.
    Sessions,
    /// A connection.
    Flows,
    /// An operation with its answer.
    Exchanges,
    /// A part of an answer as delivered.
    Answers,
    /// A hold's life; one row per answer to it.
    Holds,
    /// Anything else.
    Events,
    /// What was covered, and what was not.
    Coverage,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 7] = [
        Self::Sessions,
        Self::Flows,
        Self::Exchanges,
        Self::Answers,
        Self::Holds,
        Self::Events,
        Self::Coverage,
    ];

    /// The folder and view it stands in.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Flows => "flows",
            Self::Exchanges => "exchanges",
            Self::Answers => "answers",
            Self::Holds => "holds",
            Self::Events => "events",
            Self::Coverage => "coverage",
        }
    }

    /// Its columns.
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Sessions => SessionRow::schema(),
            Self::Flows => FlowRow::schema(),
            Self::Exchanges => ExchangeRow::schema(),
            Self::Answers => AnswerRow::schema(),
            Self::Holds => HoldRow::schema(),
            Self::Events => EventRow::schema(),
            Self::Coverage => CoverageRow::schema(),
        }
    }

    /// Columns that are looked up by value, and get a Bloom filter.
    pub fn lookup_columns(self) -> &'static [&'static str] {
        match self {
            Self::Sessions => &["session"],
            Self::Flows => &["flow", "session"],
            Self::Exchanges => &["exchange", "session", "flow", "hold"],
            Self::Answers => &["exchange", "session", "flow"],
            Self::Holds => &["hold", "exchange", "session", "flow"],
            Self::Events => &["session", "flow"],
            Self::Coverage => &["session"],
        }
    }
}

/// A row of a table.
pub trait Row: Sized {
    /// Which table.
    const TABLE: Table;
    /// The table's columns.
    fn schema() -> SchemaRef;
    /// Rows as a batch.
    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError>;
    /// The rows of a batch; columns that it lacks have their defaults.
    fn rows(batch: &RecordBatch) -> Vec<Self>;
    /// The row for `--json`.
    fn json(&self) -> serde_json::Value;
}

/// Who did it: the columns that stand on each row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The `sub` claim.
    pub subject: Text,
    /// The token's issuer.
    pub issuer: Text,
    /// The `email` claim.
    pub email: Option<Text>,
    /// Groups after claim mapping.
    pub groups: Texts,
    /// The agent.
    pub agent: Text,
    /// On whose behalf the subject acts.
    pub on_behalf_of: Option<Text>,
}

/// Rows that are complete, by table.
#[derive(Clone, Default)]
pub struct Rows {
    /// Sessions.
    pub sessions: Vec<SessionRow>,
    /// Flows.
    pub flows: Vec<FlowRow>,
    /// Exchanges.
    pub exchanges: Vec<ExchangeRow>,
    /// Parts of answers.
    pub answers: Vec<AnswerRow>,
    /// Holds.
    pub holds: Vec<HoldRow>,
    /// Events.
    pub events: Vec<EventRow>,
    /// Coverage.
    pub coverage: Vec<CoverageRow>,
}

impl Rows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
            + self.flows.len()
            + self.exchanges.len()
            + self.answers.len()
            + self.holds.len()
            + self.events.len()
            + self.coverage.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds other rows.
    pub fn append(&mut self, mut other: Self) {
        self.sessions.append(&mut other.sessions);
        self.flows.append(&mut other.flows);
        self.exchanges.append(&mut other.exchanges);
        self.answers.append(&mut other.answers);
        self.holds.append(&mut other.holds);
        self.events.append(&mut other.events);
        self.coverage.append(&mut other.coverage);
    }

    /// A table's rows as a batch; `None` where there are none.
    pub fn batch(&self, table: Table) -> Result<Option<RecordBatch>, ArrowError> {
        let batch = match table {
            Table::Sessions => SessionRow::batch(&self.sessions)?,
            Table::Flows => FlowRow::batch(&self.flows)?,
            Table::Exchanges => ExchangeRow::batch(&self.exchanges)?,
            Table::Answers => AnswerRow::batch(&self.answers)?,
            Table::Holds => HoldRow::batch(&self.holds)?,
            Table::Events => EventRow::batch(&self.events)?,
            Table::Coverage => CoverageRow::batch(&self.coverage)?,
        };
        Ok(Some(batch).filter(|batch| batch.num_rows() > 0))
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({})", self.len())
    }
}

/// Declares a table's row: `field_id name: type`.
macro_rules! row {
    (
        $(#[$meta:meta])*
        $name:ident in $table:ident { $($(#[$doc:meta])* $id:literal $field:ident: $type:ty,)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name { $($(#[$doc])* pub $field: $type,)* }

        impl $crate::rows::Row for $name {
            const TABLE: $crate::rows::Table = $crate::rows::Table::$table;

            fn schema() -> arrow_schema::SchemaRef {
                static SCHEMA: std::sync::LazyLock<arrow_schema::SchemaRef> =
                    std::sync::LazyLock::new(|| {
                        $crate::rows::schema_of(vec![
                            $($crate::value::field::<$type>($id, stringify!($field)),)*
                        ])
                    });
                SCHEMA.clone()
            }

            fn batch(
                rows: &[Self],
            ) -> Result<arrow_array::RecordBatch, arrow_schema::ArrowError> {
                let columns = vec![$(
                    <$type as $crate::value::Value>::array(
                        $id,
                        &mut rows.iter().map(|row| &row.$field),
                    ),
                )*];
                arrow_array::RecordBatch::try_new(Self::schema(), columns)
            }

            fn rows(batch: &arrow_array::RecordBatch) -> Vec<Self> {
                let mut rows = vec![Self::default(); batch.num_rows()];
                $(if let Some(array) = batch.column_by_name(stringify!($field)) {
                    for (at, row) in rows.iter_mut().enumerate() {
                        if let Some(value) = $crate::value::Value::read(array, at) {
                            row.$field = value;
                        }
                    }
                })*
                rows
            }

            fn json(&self) -> serde_json::Value {
                let mut object = serde_json::Map::new();
                $(object.insert(
                    stringify!($field).to_owned(),
                    $crate::value::Value::json(&self.$field),
                );)*
                object.into()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(hidden)"))
            }
        }
    };
}
use row;

/// The same for a row that carries its actor.
macro_rules! row_with_actor {
    ($(#[$meta:meta])* $name:ident in $table:ident { $($columns:tt)* }) => {
        $crate::rows::row! {
            $(#[$meta])*
            $name in $table {
                $($columns)*
                /// The `sub` claim of who did it.
                101 subject: $crate::value::Text,
                /// The issuer of that claim.
                102 issuer: $crate::value::Text,
                /// The `email` claim.
                103 email: Option<$crate::value::Text>,
                /// Groups after claim mapping.
                104 groups: $crate::value::Texts,
                /// The agent.
                105 agent: $crate::value::Text,
                /// On whose behalf.
                106 on_behalf_of: Option<$crate::value::Text>,
            }
        }

        impl $name {
            /// Who did it.
            pub fn actor(&self) -> $crate::rows::Actor {
                $crate::rows::Actor {
                    subject: self.subject.clone(),
                    issuer: self.issuer.clone(),
                    email: self.email.clone(),
                    groups: self.groups.clone(),
                    agent: self.agent.clone(),
                    on_behalf_of: self.on_behalf_of.clone(),
                }
            }

            /// The same row, done by `actor`.
            #[must_use]
            pub(crate) fn by(mut self, actor: $crate::rows::Actor) -> Self {
                self.subject = actor.subject;
                self.issuer = actor.issuer;
                self.email = actor.email;
                self.groups = actor.groups;
                self.agent = actor.agent;
                self.on_behalf_of = actor.on_behalf_of;
                self
            }
        }
    };
}
use row_with_actor;

fn schema_of(fields: Vec<arrow_schema::Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests;
