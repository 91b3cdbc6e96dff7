//! Decides: Cedar policies, asked up to two questions per operation and one per result column.
//!
//! May it run at all? No means refuse. May it run without a human? No means hold. May this column
//! be seen in clear? No means mask. Cedar's own meaning is kept: order-free, forbid wins, default
//! deny. Whatever can't be evaluated is denied.

pub mod cases;
mod column;
mod decide;
mod entities;
mod literals;
mod load;
mod mentions;
mod partition;
mod rule;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use column::ColumnVerdict;
pub use decide::{Action, Ask, DEFAULT_DENY, DEFAULT_HOLD, POLICY_ERROR};
pub use rule::{Rule, Scope, Severity};
pub use source::{Problem, Source};

/// The schema that every policy is checked against.
pub const SCHEMA: &str = include_str!("../../../policies/schema.cedarschema");
/// The policies that Weir comes with.
pub const SHIPPED: &str = include_str!("../../../policies/default.cedar");

/// A checked set of policies, ready to be asked.
pub struct PolicySet {
    hash: Arc<str>,
    rules: BTreeMap<String, Rule>,
    partitions: partition::Partitions,
    names: entities::Names,
}

impl PolicySet {
    /// Checks and prepares a set; reports everything that is wrong with it at once.
    pub fn load(sources: &[Source]) -> Result<Self, Vec<Problem>> {
        load::load(sources)
    }

    /// The set that Weir comes with.
    pub fn shipped() -> Result<Self, Vec<Problem>> {
        Self::load(&[Source { name: "default.cedar".to_owned(), text: SHIPPED.to_owned() }])
    }

    /// Hex SHA-256 over schema and sources, whatever the order of the sources.
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// The policies' ids, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    /// What a policy's annotations say.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.get(id)
    }
}
