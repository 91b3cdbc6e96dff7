//! What is known of a statement beside its operation, and how prepared statements resolve.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::postgres::{Comparison, Names};
use weir_model::{Effect, Operation, Resource, ResourceKind};

/// A text that a statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// In itself.
    Text(String),
    /// By a parameter, counted from 0.
    Parameter(usize),
}

/// What is known of a whole message.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What it does; of several statements the worst effect wins.
    pub operation: Arc<Operation>,
    /// How many statements it has.
    pub statements: u32,
    /// libpg_query's fingerprint of the whole text: it ignores literals, schema names and the
    /// digits in relations' names.
    pub fingerprint: Option<i64>,
    /// Whether a column catalogue may be stale afterwards.
    pub changes_schema: bool,
    /// Whether it changes state that later statements depend on (search path, role, lexing, ...).
    pub changes_session: bool,
    /// Whether texts after it may be in another encoding than UTF-8.
    pub leaves_utf8: bool,
    /// Whether it is nothing but transaction control.
    pub transaction: bool,
    /// Names of columns that may flow into result columns without an origin, aliases followed back;
    /// `*` where any column may.
    pub computed: BTreeSet<String>,
    /// Names written as `x.name` or `(x).name`. PostgreSQL reads such a name as the call `name(x)`
    /// where x has no such column: one that the catalogue does not know stands for `*`.
    pub dotted: BTreeSet<String>,
    /// Which columns conditions, orders and limits compare with each other: of a hidden one among
    /// others, more may be told than its masked value hides.
    pub compares: BTreeSet<Comparison>,
    /// Which names it uses whose meaning the target's catalogue decides.
    pub names: Names,
    /// Whether it may change what names mean, or what runs behind them.
    pub plants: bool,
    /// Where integers begin, in bytes, whose value none of this depends on: see [`crate::skeleton`].
    pub free: Vec<usize>,
    /// Whether `computed` belongs to a cursor or prepared statement that is defined here.
    pub defines: bool,
    /// Whether it returns what was defined earlier (`FETCH`, `EXECUTE`).
    pub deferred: bool,
    /// Whether it stores values that it reads from tables (`INSERT ... SELECT`, `SET a = b`,
    /// `CREATE TABLE AS`), which may carry a column's values to one of another name.
    pub stores: bool,
    /// Of each of its statements: whether it changes rows and returns none of its own.
    pub silent: Vec<bool>,
    /// SQL-level prepared statements that it defines, in order.
    pub prepares: Vec<(String, Arc<Operation>)>,
    /// SQL-level prepared statements that it runs; until resolved the effect is `Unknown`.
    pub executes: Vec<String>,
    /// Prepared statements that it drops; `None` is all of them.
    pub deallocates: Vec<Option<String>>,
    /// Notifications that it sends itself, as it writes them: channel and payload.
    pub notifies: Vec<(Said, Said)>,
    /// The effect of everything but the prepared statements that it runs.
    pub(crate) rest: Effect,
}

impl Facts {
    /// The facts of something that was not understood.
    pub fn unknown(verb: &str) -> Self {
        let mut facts = Self::plain(Operation::unknown(verb));
        facts.changes_schema = true;
        facts.plants = true;
        facts.stores = true;
        facts.changes_session = true;
        facts.computed.insert("*".to_owned());
        facts
    }

    /// The facts of an operation that has no more to it.
    pub(crate) fn plain(operation: Operation) -> Self {
        Self {
            rest: operation.effect,
            operation: Arc::new(operation),
            statements: 1,
            fingerprint: None,
            changes_schema: false,
            changes_session: false,
            leaves_utf8: false,
            transaction: false,
            computed: BTreeSet::new(),
            dotted: BTreeSet::new(),
            compares: BTreeSet::new(),
            names: Names::default(),
            plants: false,
            free: Vec::new(),
            defines: false,
            deferred: false,
            stores: false,
            silent: Vec::new(),
            prepares: Vec::new(),
            executes: Vec::new(),
            deallocates: Vec::new(),
            notifies: Vec::new(),
        }
    }

    /// The facts of something whose columns nobody followed.
    pub(crate) fn unknown_columns() -> Self {
        let mut facts = Self::unknown("sql");
        (facts.changes_schema, facts.plants, facts.changes_session) = (false, false, false);
        facts
    }

    /// The operation with every `EXECUTE` replaced by what was prepared under its name, be it by
    /// `PREPARE` or by the protocol. An unknown name stays `Unknown`.
    pub fn resolve(&self, lookup: &dyn Fn(&str) -> Option<Arc<Operation>>) -> Arc<Operation> {
        if self.executes.is_empty() {
            return Arc::clone(&self.operation);
        }
        let mut whole = Operation::clone(&self.operation);
        whole.effect = self.rest;
        for name in &self.executes {
            // A name may be prepared anew in this very message: both meanings count.
            let here = self.prepares.iter().filter(|(n, _)| n == name).map(|(_, o)| Arc::clone(o));
            let mut known = false;
            for operation in lookup(name).into_iter().chain(here) {
                known = true;
                whole = join(&whole, &operation);
            }
            if !known {
                whole.effect = Effect::Unknown;
            }
        }
        Arc::new(whole)
    }
}

/// Both operations as one: the stronger effect, and everything that either touches.
pub fn join(one: &Operation, two: &Operation) -> Operation {
    let mut verbs = one.verbs.clone();
    for verb in &two.verbs {
        if !verbs.contains(verb) {
            verbs.push(verb.clone());
        }
    }
    let mut merged: BTreeMap<(ResourceKind, String), (BTreeSet<String>, bool)> = BTreeMap::new();
    for resource in one.resources.iter().chain(&two.resources) {
        let entry = merged.entry((resource.kind, resource.name.clone())).or_default();
        entry.0.extend(resource.columns.iter().cloned());
        entry.1 |= resource.written;
    }
    let resources = merged
        .into_iter()
        .map(|((kind, name), (columns, written))| Resource {
            kind,
            name,
            columns: columns.into_iter().collect(),
            written,
        })
        .collect();
    Operation {
        effect: one.effect.max(two.effect),
        verbs,
        resources,
        flags: one.flags.union(&two.flags).copied().collect(),
    }
}
