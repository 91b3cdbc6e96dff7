//! The walk over one message: what it has gathered so far, and which file reads which statement.

use std::collections::BTreeSet;
use std::sync::Arc;

use pg_query::NodeEnum;
use weir_model::{Effect, Flag, Operation, ResourceKind};

use super::inference::Inference;
use super::lineage::Lineage;
use super::meaning::{Names, plants};
use super::place::{Place, place};
use super::query;
use super::scope::{Resources, Scopes};
use crate::Said;

/// What has been gathered so far.
pub(super) struct Walk {
    pub(super) effect: Effect,
    pub(super) verbs: Vec<String>,
    pub(super) flags: BTreeSet<Flag>,
    pub(super) resources: Resources,
    pub(super) scopes: Scopes,
    pub(super) lineage: Lineage,
    pub(super) inference: Inference,
    pub(super) names: Names,
    pub(super) plants: bool,
    pub(super) changes_schema: bool,
    pub(super) changes_session: bool,
    pub(super) leaves_utf8: bool,
    pub(super) transactions: usize,
    pub(super) defines: bool,
    pub(super) deferred: bool,
    pub(super) stores: bool,
    pub(super) silent: Vec<bool>,
    /// Columns and sublinks read so far: what changed it was not made of constants alone.
    pub(super) columns_seen: usize,
    /// Where integers begin whose value means nothing.
    pub(super) free: Vec<usize>,
    pub(super) prepares: Vec<(String, Arc<Operation>)>,
    pub(super) executes: Vec<String>,
    pub(super) deallocates: Vec<Option<String>>,
    pub(super) notifies: Vec<(Said, Said)>,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            effect: Effect::Session,
            verbs: Vec::new(),
            flags: BTreeSet::new(),
            resources: Resources::default(),
            scopes: Scopes::default(),
            lineage: Lineage::default(),
            inference: Inference::default(),
            names: Names::default(),
            plants: false,
            changes_schema: false,
            changes_session: false,
            leaves_utf8: false,
            transactions: 0,
            defines: false,
            deferred: false,
            stores: false,
            silent: Vec::new(),
            columns_seen: 0,
            free: Vec::new(),
            prepares: Vec::new(),
            executes: Vec::new(),
            deallocates: Vec::new(),
            notifies: Vec::new(),
        }
    }
}

impl Walk {
    /// Reads a statement of the message.
    pub(super) fn top(&mut self, node: &NodeEnum) {
        self.scopes = Scopes::default();
        self.silent.push(query::is_silent(node));
        self.statement(node);
        if self.scopes.exhausted() {
            self.unplaced();
        }
    }

    /// Reads a statement, wherever it stands.
    pub(super) fn statement(&mut self, node: &NodeEnum) {
        self.plants |= plants(node);
        match place(node) {
            Place::Query => {
                self.query(node, false);
            }
            Place::Carrier => self.carrier(node),
            Place::Session => self.session(node),
            Place::Write => self.write(node),
            Place::Schema => self.schema(node),
            Place::Admin => self.admin(node),
            Place::Opaque => self.opaque(node),
            Place::Expression | Place::Relation | Place::Part | Place::Analysed => self.unplaced(),
        }
    }

    /// A node stands where the walk has no place for it.
    pub(super) fn unplaced(&mut self) {
        self.raise(Effect::Unknown);
        self.lineage.flows("*");
    }

    /// Makes the effect at least this one.
    pub(super) fn raise(&mut self, effect: Effect) {
        self.effect = self.effect.max(effect);
    }

    /// Adds a verb.
    pub(super) fn verb(&mut self, verb: &str) {
        if !self.verbs.iter().any(|v| v == verb) {
            self.verbs.push(verb.to_owned());
        }
    }

    /// Adds a flag.
    pub(super) fn flag(&mut self, flag: Flag) {
        self.flags.insert(flag);
    }

    /// Adds a verb with its effect.
    pub(super) fn does(&mut self, verb: &str, effect: Effect) {
        self.verb(verb);
        self.raise(effect);
    }

    /// Adds something that the statement changes.
    pub(super) fn changes(&mut self, kind: ResourceKind, name: String) {
        if !name.is_empty() {
            self.resources.touch(kind, name, true);
        }
    }

    /// Reads what ends in a table, and notes whether any of it came out of one.
    pub(super) fn stored<R>(&mut self, body: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.columns_seen;
        let result = body(self);
        self.stores |= self.columns_seen != before;
        result
    }

    fn opaque(&mut self, node: &NodeEnum) {
        self.raise(Effect::Unknown);
        self.flag(Flag::DynamicSql);
        self.lineage.flows("*");
        match node {
            NodeEnum::CallStmt(call) => {
                self.verb("call");
                if let Some(function) = &call.funccall {
                    self.flag(Flag::VolatileFunction);
                    self.changes(ResourceKind::Function, super::names::dotted(&function.funcname));
                    self.exprs(&function.args, super::expression::Use::Value);
                }
            }
            _ => self.verb("do"),
        }
    }
}
