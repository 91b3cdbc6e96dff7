//! What runs behind names: which functions, operators, casts, types and relations of a target's own may
//! do more than read, although a text that uses them looks like a read.
//!
//! A function may be chosen for a built-in one by the types of its arguments; an operator, a cast, a
//! domain's constraint, a view and row security call functions that the text does not show. What such a
//! thing is made of is read out of the target's catalogue; whatever can't be followed counts as more than
//! a read, and so does what uses it.

mod read;
mod sources;
mod tree;

use std::collections::{BTreeSet, HashSet};

use weir_model::{Operation, ResourceKind};

use crate::Facts;

pub use sources::Sources;

/// The queries whose results [`Sources::behind`] reads, for one simple query.
pub const QUERY: &str = include_str!("behind/query.sql");

/// A row of texts; what is NULL is empty.
pub type Row = Vec<String>;

/// Numbers below this belong to the system.
const FIRST_NORMAL: u32 = 16_384;

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

/// What may do more than read, by name whatever its schema.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Behind {
    functions: HashSet<String>,
    /// Those of the functions that `x.name` calls.
    dotted: HashSet<String>,
    operators: HashSet<String>,
    types: HashSet<String>,
    /// The types by their numbers.
    numbers: HashSet<u32>,
    relations: HashSet<String>,
}

impl Behind {
    /// Whether there is nothing of the kind.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a text, or what it runs that was prepared before, uses anything of the kind.
    pub fn is_used(&self, facts: &Facts, operation: &Operation) -> bool {
        if self.is_empty() {
            return false;
        }
        let any = |set: &HashSet<String>, names: &BTreeSet<String>| {
            !set.is_empty() && names.iter().any(|name| set.contains(name))
        };
        let names = &facts.names;
        // What EXECUTE runs has its names in another text.
        !facts.executes.is_empty()
            || any(&self.functions, &names.functions)
            || any(&self.dotted, &facts.dotted)
            || any(&self.operators, &names.operators)
            || any(&self.types, &names.types)
            || (!self.relations.is_empty() && self.touches(operation))
    }

    /// Whether one of these types of parameters runs something when a value of it is read.
    pub fn has_type(&self, numbers: impl IntoIterator<Item = u32>) -> bool {
        !self.numbers.is_empty() && numbers.into_iter().any(|number| self.numbers.contains(&number))
    }

    /// Whether converting a value to some type runs something.
    pub fn has_types(&self) -> bool {
        !self.types.is_empty()
    }

    fn touches(&self, operation: &Operation) -> bool {
        let tables = operation.resources.iter().filter(|r| r.kind == ResourceKind::Table);
        tables
            .filter_map(|table| table.name.rsplit('.').next())
            .any(|name| self.relations.contains(name))
    }
}
