//! Statements that carry another: EXPLAIN, DECLARE, PREPARE, EXECUTE, COPY, CREATE ... AS, rules.

use std::sync::Arc;

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CopyStmt, DefElem, ExplainStmt, IntoClause, PrepareStmt, RuleStmt, ViewStmt,
};
use weir_model::{Effect, Flag, Operation, ResourceKind};

use super::expression::Use;
use super::names::{each, inside, literal, parts, relation};
use super::scope::Source;
use super::walk::Walk;

impl Walk {
    /// Reads a statement that carries another.
    pub(super) fn carrier(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::ExplainStmt(s) => self.explain(s),
            NodeEnum::DeclareCursorStmt(s) => {
                self.does("declare", Effect::Session);
                self.defines = true;
                self.carried(&s.query);
            }
            NodeEnum::PrepareStmt(s) => self.prepare(s),
            NodeEnum::ExecuteStmt(s) => {
                self.does("execute", Effect::Session);
                self.deferred = true;
                self.executes.push(s.name.clone());
                self.exprs(&s.params, Use::Value);
            }
            NodeEnum::CopyStmt(s) => self.copy(s),
            NodeEnum::CreateTableAsStmt(s) => {
                self.does("create", Effect::Schema);
                match &s.into {
                    Some(into) => self.new_table(into),
                    None => self.unplaced(),
                }
                self.stored(|w| w.carried(&s.query));
            }
            NodeEnum::ViewStmt(s) => self.view(s),
            NodeEnum::RuleStmt(s) => self.rule(s),
            NodeEnum::RawStmt(s) => self.carried(&s.stmt),
            _ => self.unplaced(),
        }
    }

    fn carried(&mut self, node: &Option<Box<pg_query::Node>>) {
        match inside(node) {
            Some(node) => self.statement(node),
            None => self.unplaced(),
        }
    }

    /// The new table of CREATE TABLE AS, SELECT INTO and CREATE MATERIALIZED VIEW.
    pub(super) fn new_table(&mut self, into: &IntoClause) {
        match &into.rel {
            Some(var) => self.changes(ResourceKind::Table, relation(var)),
            None => self.unplaced(),
        }
    }

    /// Without ANALYZE the statement is planned, not run: what it would change, it does not.
    fn explain(&mut self, s: &ExplainStmt) {
        self.does("explain", Effect::Read);
        let analyze = each(&s.options).any(|o| match o {
            NodeEnum::DefElem(o) => o.defname == "analyze" && !is_off(o),
            _ => true,
        });
        if analyze {
            return self.carried(&s.query);
        }
        let (effect, verbs) = (self.effect, self.verbs.clone());
        self.effect = Effect::Session;
        self.carried(&s.query);
        let planned = match self.effect {
            Effect::Session | Effect::Read | Effect::Write | Effect::Schema => Effect::Read,
            Effect::Admin | Effect::Unknown => self.effect,
        };
        self.effect = effect.max(planned);
        self.verbs = verbs;
    }

    /// Preparing runs nothing, but counts as what it prepares, so that policy sees the text of
    /// what EXECUTE will only name.
    fn prepare(&mut self, s: &PrepareStmt) {
        let mut inner = Walk {
            lineage: std::mem::take(&mut self.lineage),
            inference: std::mem::take(&mut self.inference),
            names: std::mem::take(&mut self.names),
            ..Walk::default()
        };
        inner.carried(&s.query);
        if inner.scopes.exhausted() {
            inner.unplaced();
        }
        (self.lineage, self.inference) = (inner.lineage, inner.inference);
        self.names = inner.names;
        self.plants |= inner.plants;
        self.types(&s.argtypes);
        let operation = Operation {
            effect: inner.effect,
            verbs: inner.verbs,
            resources: inner.resources.finish(),
            flags: inner.flags,
        };
        self.does("prepare", operation.effect);
        operation.verbs.iter().for_each(|v| self.verb(v));
        self.flags.extend(&operation.flags);
        for resource in &operation.resources {
            let at = self.resources.touch(resource.kind, resource.name.clone(), resource.written);
            resource.columns.iter().for_each(|c| self.resources.column(at, c));
        }
        self.changes_session |= inner.changes_session;
        self.leaves_utf8 |= inner.leaves_utf8;
        self.stores |= inner.stores;
        self.defines = true;
        self.prepares.push((s.name.clone(), Arc::new(operation)));
    }

    fn copy(&mut self, s: &CopyStmt) {
        self.does("copy", if s.is_from { Effect::Write } else { Effect::Read });
        if s.is_program || !s.filename.is_empty() {
            self.raise(Effect::Admin);
            self.flag(Flag::ToProgram);
            self.resources.touch(ResourceKind::File, s.filename.clone(), !s.is_from);
        } else if !s.is_from {
            self.flag(Flag::CopyOut);
        }
        self.scopes.enter();
        if let Some(var) = &s.relation {
            if s.is_from {
                self.writes_system(var);
            }
            let at = self.resources.touch(ResourceKind::Table, relation(var), s.is_from);
            self.scopes.add(&var.relname, Source::Table(at));
            let columns = parts(&s.attlist);
            if columns.is_empty() {
                self.resources.column(at, "*");
            }
            columns.iter().for_each(|c| self.resources.column(at, c));
        }
        if let Some(query) = inside(&s.query) {
            self.statement(query);
        }
        self.condition(&s.where_clause);
        self.scopes.leave();
        for option in each(&s.options) {
            match option {
                // Rows in another encoding would be read by Weir as something else.
                NodeEnum::DefElem(o) if o.defname == "encoding" => {
                    let name = inside(&o.arg).and_then(literal).unwrap_or_default();
                    if !matches!(name.to_ascii_lowercase().as_str(), "utf8" | "utf-8") {
                        self.raise(Effect::Unknown);
                    }
                }
                NodeEnum::DefElem(_) => {}
                _ => self.unplaced(),
            }
        }
    }

    fn view(&mut self, s: &ViewStmt) {
        self.does("create", Effect::Schema);
        match &s.view {
            Some(var) => self.changes(ResourceKind::Table, relation(var)),
            None => self.unplaced(),
        }
        self.carried(&s.query);
    }

    /// A rule plants statements behind everybody's queries.
    fn rule(&mut self, s: &RuleStmt) {
        self.does("create", Effect::Schema);
        self.scopes.enter();
        if let Some(var) = &s.relation {
            let at = self.resources.touch(ResourceKind::Table, relation(var), true);
            self.scopes.add("old", Source::Table(at));
            self.scopes.add("new", Source::Table(at));
        }
        self.condition(&s.where_clause);
        for action in each(&s.actions) {
            self.statement(action);
        }
        self.scopes.leave();
    }
}

fn is_off(option: &DefElem) -> bool {
    let value = inside(&option.arg).and_then(literal);
    matches!(value.as_deref().map(str::to_ascii_lowercase).as_deref(), Some("false" | "off" | "0"))
}
