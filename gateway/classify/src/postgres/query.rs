//! Queries: select, insert, update, delete, merge, and their WITH.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CommonTableExpr, DeleteStmt, InsertStmt, MergeStmt, OnConflictClause, RangeVar,
    ReturningClause, SelectStmt, SetOperation, UpdateStmt, WithClause,
};
use weir_model::{Effect, Flag, ResourceKind};

use super::expression::Use;
use super::names::{each, inside, relation};
use super::output::Outputs;
use super::relation::system;
use super::scope::Source;
use super::walk::Walk;
use super::{condition, names};

impl Walk {
    /// Reads a query. `flows`: its columns end in an expression, a set operation or the like.
    pub(super) fn query(&mut self, node: &NodeEnum, flows: bool) -> Outputs {
        match node {
            NodeEnum::SelectStmt(s) => self.select(s, flows),
            NodeEnum::InsertStmt(s) => self.with(&s.with_clause, |w| w.insert(s, flows)),
            NodeEnum::UpdateStmt(s) => self.with(&s.with_clause, |w| w.update(s, flows)),
            NodeEnum::DeleteStmt(s) => self.with(&s.with_clause, |w| w.delete(s, flows)),
            NodeEnum::MergeStmt(s) => self.with(&s.with_clause, |w| w.merge(s, flows)),
            other => {
                self.statement(other);
                Outputs::default()
            }
        }
    }

    pub(super) fn select(&mut self, s: &SelectStmt, flows: bool) -> Outputs {
        self.with(&s.with_clause, |w| {
            w.does("select", Effect::Read);
            w.scopes.enter();
            let before = w.columns_seen;
            let outputs = w.select_body(s, flows);
            w.stores |= s.into_clause.is_some() && w.columns_seen != before;
            w.scopes.leave();
            outputs
        })
    }

    fn select_body(&mut self, s: &SelectStmt, flows: bool) -> Outputs {
        let outputs = if s.op() != SetOperation::SetopNone && s.op() != SetOperation::Undefined {
            self.set_operation(s)
        } else {
            self.relations(&s.from_clause);
            if s.values_lists.is_empty() {
                self.targets(&s.target_list, flows)
            } else {
                self.values(&s.values_lists)
            }
        };
        if let Some(into) = &s.into_clause {
            self.does("create", Effect::Schema);
            self.new_table(into);
        }
        self.condition(&s.where_clause);
        self.keys(&s.group_clause, Use::Value);
        self.condition(&s.having_clause);
        self.exprs(&s.window_clause, Use::Value);
        self.ordered(s);
        // DISTINCT without ON is a list of nothing.
        if !s.distinct_clause.is_empty() && each(&s.distinct_clause).next().is_none() {
            self.told_apart(&outputs);
        }
        self.limit(&s.limit_offset);
        self.limit(&s.limit_count);
        self.row_locks(&s.locking_clause);
        outputs
    }

    /// FOR UPDATE and the like. A row lock is written into the row and holds others up: the server wants the
    /// right to write for it, and a transaction that may write.
    fn row_locks(&mut self, clauses: &[pg_query::Node]) {
        for node in each(clauses) {
            let NodeEnum::LockingClause(clause) = node else {
                self.unplaced();
                continue;
            };
            self.raise(Effect::Write);
            // A table behind a name that stands for something else is locked through it.
            let named = each(&clause.locked_rels).map(|n| match n {
                NodeEnum::RangeVar(var) => self.scopes.locks(Some(&var.relname)),
                _ => None,
            });
            let tables: Option<Vec<usize>> = if clause.locked_rels.is_empty() {
                self.scopes.locks(None)
            } else {
                named.collect::<Option<Vec<_>>>().map(|lists| lists.concat())
            };
            self.resources.write(tables.as_deref());
        }
    }

    /// Reads the WITH of a query, then the query with its names in scope.
    fn with<R>(&mut self, clause: &Option<WithClause>, body: impl FnOnce(&mut Self) -> R) -> R {
        let Some(clause) = clause else {
            return body(self);
        };
        self.scopes.enter_with();
        let tables = each(&clause.ctes).filter_map(|n| match n {
            NodeEnum::CommonTableExpr(cte) => Some(cte),
            _ => None,
        });
        if clause.recursive {
            tables.clone().for_each(|cte| self.scopes.add_with(&cte.ctename));
        }
        for cte in tables {
            self.common_table(cte);
            self.scopes.add_with(&cte.ctename);
        }
        let result = body(self);
        self.scopes.leave_with();
        result
    }

    /// Reads a query that others read from.
    pub(super) fn derived(&mut self, node: &Option<Box<pg_query::Node>>) -> Outputs {
        match inside(node) {
            Some(query) => self.aside(|w| w.query(query, false)),
            None => {
                self.unplaced();
                Outputs::default()
            }
        }
    }

    fn common_table(&mut self, cte: &CommonTableExpr) {
        let outputs = self.derived(&cte.ctequery);
        self.rename(&cte.aliascolnames, &outputs);
        if let Some(search) = &cte.search_clause {
            self.keys(&search.search_col_list, Use::Value);
            names::parts(&search.search_col_list).iter().for_each(|c| self.lineage.flows(c));
        }
        if let Some(cycle) = &cte.cycle_clause {
            names::parts(&cycle.cycle_col_list).iter().for_each(|c| self.lineage.flows(c));
            self.maybe(&cycle.cycle_mark_value, Use::Value);
            self.maybe(&cycle.cycle_mark_default, Use::Value);
        }
    }

    fn insert(&mut self, s: &InsertStmt, flows: bool) -> Outputs {
        self.does("insert", Effect::Write);
        self.scopes.enter();
        let at = self.target(&s.relation);
        for node in each(&s.cols) {
            self.assigned(node, at);
        }
        if s.cols.is_empty() {
            self.resources.column(at, "*");
        }
        self.stored(|w| match inside(&s.select_stmt) {
            Some(NodeEnum::SelectStmt(values)) if !values.values_lists.is_empty() => {
                w.with(&values.with_clause, |w| w.select_body(values, false));
            }
            Some(query) => {
                w.query(query, false);
            }
            None => {}
        });
        if let Some(clause) = &s.on_conflict_clause {
            self.on_conflict(clause, at);
        }
        let outputs = self.returning(&s.returning_clause, at, flows);
        self.scopes.leave();
        outputs
    }

    fn on_conflict(&mut self, clause: &OnConflictClause, at: usize) {
        if let Some(infer) = &clause.infer {
            self.index_elements(&infer.index_elems);
            self.condition(&infer.where_clause);
        }
        if !clause.target_list.is_empty() {
            self.verb("update");
            self.scopes.add("excluded", Source::Excluded(at));
        }
        for node in each(&clause.target_list) {
            self.assigned(node, at);
        }
        self.condition(&clause.where_clause);
    }

    fn update(&mut self, s: &UpdateStmt, flows: bool) -> Outputs {
        self.does("update", Effect::Write);
        self.scopes.enter();
        let at = self.target(&s.relation);
        self.relations(&s.from_clause);
        for node in each(&s.target_list) {
            self.assigned(node, at);
        }
        self.limited(&s.relation, &s.where_clause);
        let outputs = self.returning(&s.returning_clause, at, flows);
        self.scopes.leave();
        outputs
    }

    fn delete(&mut self, s: &DeleteStmt, flows: bool) -> Outputs {
        self.does("delete", Effect::Write);
        self.scopes.enter();
        let at = self.target(&s.relation);
        self.relations(&s.using_clause);
        self.limited(&s.relation, &s.where_clause);
        let outputs = self.returning(&s.returning_clause, at, flows);
        self.scopes.leave();
        outputs
    }

    fn merge(&mut self, s: &MergeStmt, flows: bool) -> Outputs {
        self.does("merge", Effect::Write);
        self.scopes.enter();
        let at = self.target(&s.relation);
        match inside(&s.source_relation) {
            Some(source) => self.relation(source),
            None => self.unplaced(),
        }
        self.condition(&s.join_condition);
        for node in each(&s.merge_when_clauses) {
            let NodeEnum::MergeWhenClause(when) = node else {
                self.unplaced();
                continue;
            };
            self.condition(&when.condition);
            for node in each(&when.target_list) {
                self.assigned(node, at);
            }
            self.stored(|w| w.exprs(&when.values, Use::Filter));
        }
        let outputs = self.returning(&s.returning_clause, at, flows);
        self.scopes.leave();
        outputs
    }

    /// The relation that a query changes: always a table, whatever WITH calls itself.
    fn target(&mut self, var: &Option<RangeVar>) -> usize {
        let Some(var) = var else {
            self.unplaced();
            return self.resources.touch(ResourceKind::Table, String::new(), true);
        };
        self.writes_system(var);
        let at = self.resources.touch(ResourceKind::Table, relation(var), true);
        let alias = var.alias.as_ref().map_or(var.relname.as_str(), |a| a.aliasname.as_str());
        self.scopes.add(alias, Source::Table(at));
        at
    }

    /// A superuser may write the catalogue itself: roles, privileges, functions. And to update `pg_settings`
    /// is to call `set_config`, with whatever the rows hold.
    pub(super) fn writes_system(&mut self, var: &RangeVar) {
        match system(var) {
            None => {}
            Some("pg_settings") => {
                self.raise(Effect::Unknown);
                self.changes_session = true;
            }
            Some(_) => {
                self.raise(Effect::Admin);
                self.flag(Flag::Privilege);
            }
        }
    }

    /// A column that is assigned to, with its value.
    fn assigned(&mut self, node: &NodeEnum, at: usize) {
        let NodeEnum::ResTarget(target) = node else {
            return self.unplaced();
        };
        self.resources.column(at, &target.name);
        self.subscripts(&target.indirection);
        self.stored(|w| w.maybe(&target.val, Use::Filter));
    }

    fn limited(&mut self, var: &Option<RangeVar>, clause: &Option<Box<pg_query::Node>>) {
        let target = var
            .as_ref()
            .map_or("", |v| v.alias.as_ref().map_or(v.relname.as_str(), |a| a.aliasname.as_str()));
        if inside(clause).is_none_or(|expr| condition::unlimited(expr, target)) {
            self.flag(Flag::NoWhere);
        }
        self.condition(clause);
    }

    fn returning(&mut self, clause: &Option<ReturningClause>, at: usize, flows: bool) -> Outputs {
        let Some(clause) = clause else {
            return Outputs::default();
        };
        ["old", "new"].iter().for_each(|row| self.scopes.add(row, Source::Table(at)));
        for option in each(&clause.options) {
            match option {
                NodeEnum::ReturningOption(o) => self.scopes.add(&o.value, Source::Table(at)),
                _ => self.unplaced(),
            }
        }
        self.targets(&clause.exprs, flows)
    }
}

/// Whether a statement changes rows and returns none.
pub(super) fn is_silent(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::InsertStmt(s) => s.returning_clause.is_none(),
        NodeEnum::UpdateStmt(s) => s.returning_clause.is_none(),
        NodeEnum::DeleteStmt(s) => s.returning_clause.is_none(),
        NodeEnum::MergeStmt(s) => s.returning_clause.is_none(),
        _ => false,
    }
}
