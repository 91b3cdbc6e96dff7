//! Random statements about the planted database; the same ones for the same seed and number.

mod expression;
mod from;
mod query;
mod scenes;
mod statement;
mod tables;
mod templates;

use fastrand::Rng;

use crate::wire::Way;

/// What an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Int,
    Num,
    Date,
    Moment,
    Uuid,
    Bytes,
    Json,
    Raw,
    Texts,
    Ints,
    Comp,
}

impl Kind {
    fn by_letter(letter: char) -> Option<Self> {
        Some(match letter {
            't' => Self::Text,
            'i' => Self::Int,
            'n' => Self::Num,
            'd' => Self::Date,
            's' => Self::Moment,
            'u' => Self::Uuid,
            'b' => Self::Bytes,
            'j' => Self::Json,
            'w' => Self::Raw,
            'a' => Self::Texts,
            'k' => Self::Ints,
            'c' => Self::Comp,
            _ => return None,
        })
    }
}

/// A column in scope.
#[derive(Clone, Debug)]
struct Column {
    name: String,
    kind: Kind,
}

/// A relation in scope.
#[derive(Clone, Debug)]
struct Relation {
    alias: String,
    columns: Vec<Column>,
    /// Of a view over masked columns every column counts as masked.
    masked: bool,
}

/// A query with the columns that it has.
struct Query {
    sql: String,
    columns: Vec<Column>,
}

/// One statement or several, that belong together.
pub struct Script {
    pub steps: Vec<(String, Way)>,
}

/// Makes statements.
struct Maker {
    rng: Rng,
    /// Relations in scope, innermost level last.
    levels: Vec<Vec<Relation>>,
    /// Common table expressions in scope.
    ctes: Vec<Relation>,
    names: usize,
    /// How many more subqueries a statement may have.
    budget: usize,
}

/// The script of a number.
pub fn script(seed: u64, number: u64) -> Script {
    let rng = Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut maker = Maker { rng, levels: Vec::new(), ctes: Vec::new(), names: 0, budget: 6 };
    maker.script()
}

impl Maker {
    fn one<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.rng.usize(..list.len())]
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn kind(&mut self) -> Kind {
        let weighted = "ttttttttiiinndsubjjjwaaakc".as_bytes();
        let letter = char::from(*self.one(weighted));
        Kind::by_letter(letter).unwrap_or(Kind::Text)
    }
}
