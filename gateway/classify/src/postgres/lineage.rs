//! Which columns may flow into result columns that have no origin.
//!
//! Names only: an alias of a bare column is followed back, and an expression's inputs count
//! wherever in the message it stands, so that no nesting can hide one.

use std::collections::{BTreeMap, BTreeSet};

/// What flows where.
#[derive(Default)]
pub(super) struct Lineage {
    computed: BTreeSet<String>,
    dotted: BTreeSet<String>,
    renames: BTreeMap<String, BTreeSet<String>>,
}

impl Lineage {
    /// A column flows into an expression; `*` is any column.
    pub(super) fn flows(&mut self, name: &str) {
        if !self.computed.contains(name) {
            self.computed.insert(name.to_owned());
        }
    }

    /// A name was written after a dot.
    pub(super) fn dotted(&mut self, name: &str) {
        if !self.dotted.contains(name) {
            self.dotted.insert(name.to_owned());
        }
    }

    /// A bare column (`*`: any) is known by another name further out.
    pub(super) fn renamed(&mut self, alias: &str, column: &str) {
        if alias != column {
            self.renames.entry(alias.to_owned()).or_default().insert(column.to_owned());
        }
    }

    /// Aliases of bare columns.
    pub(super) fn renames(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.renames
    }

    /// The computed columns with aliases followed back, and the dotted names.
    pub(super) fn finish(mut self) -> (BTreeSet<String>, BTreeSet<String>) {
        let mut open: Vec<String> = self.computed.iter().cloned().collect();
        while let Some(name) = open.pop() {
            for source in self.renames.remove(&name).unwrap_or_default() {
                if self.computed.insert(source.clone()) {
                    open.push(source);
                }
            }
        }
        (self.computed, self.dotted)
    }
}
