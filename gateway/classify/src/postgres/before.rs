//! What a statement is about to change, as a query that reads it: the before-image that undo keeps.

use pg_query::protobuf::{
    self as pg, DeleteStmt, InsertStmt, MergeMatchKind, MergeStmt, RangeVar, SelectStmt,
    SubLinkType, TruncateStmt, UpdateStmt, WithClause,
};
use pg_query::{Node, NodeEnum};
use serde_json::Value;

use weir_model::{Effect, Flag, Operation};
use weir_pgtree::Tree;

use super::names::{each, inside, relation};

/// Safe functions (`names/safe.txt`) that `pg_proc` calls volatile.
const VOLATILE: &str = include_str!("names/volatile.txt");

/// What a statement changes of rows that are there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BeforeImage {
    /// None of them: it reads, or only adds rows.
    Nothing,
    /// The rows of a table that these queries give, run in the same snapshot before the statement.
    /// Parameters mean what they mean in the statement.
    Rows(Vec<Before>),
    /// No query tells it.
    Unknown,
}

/// Rows of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// The table, as the statement names it.
    pub table: String,
    /// The query: every column of each row that the statement would change or delete, once.
    pub query: String,
}

/// What a text changes whose operation is known.
pub(crate) fn before_image(text: &str, operation: &Operation) -> BeforeImage {
    if operation.effect <= Effect::Read {
        return BeforeImage::Nothing;
    }
    let Ok(Tree { statements, .. }) = weir_pgtree::parse(text) else {
        return BeforeImage::Unknown;
    };
    match statements.as_slice() {
        [one] => inside(&one.stmt).map_or(BeforeImage::Unknown, before),
        _ => BeforeImage::Unknown,
    }
}

fn before(statement: &NodeEnum) -> BeforeImage {
    let found = match statement {
        NodeEnum::InsertStmt(s) if only_adds(s) => return BeforeImage::Nothing,
        NodeEnum::DeleteStmt(s) => delete(s).map(|one| vec![one]),
        NodeEnum::UpdateStmt(s) => update(s).map(|one| vec![one]),
        NodeEnum::MergeStmt(s) => merge(s).map(|one| vec![one]),
        NodeEnum::TruncateStmt(s) => truncate(s),
        _ => None,
    };
    found.map_or(BeforeImage::Unknown, BeforeImage::Rows)
}

/// Whether an insert leaves alone what is there.
fn only_adds(s: &InsertStmt) -> bool {
    let adds = s
        .on_conflict_clause
        .as_ref()
        .is_none_or(|conflict| conflict.action == pg::OnConflictAction::OnconflictNothing as i32);
    adds && only_reads(&s.with_clause)
}

/// Whether common table expressions change nothing themselves; nested ones are read elsewhere, as
/// PostgreSQL lets them change something at the top alone.
fn only_reads(with: &Option<WithClause>) -> bool {
    let mut expressions = with.iter().flat_map(|with| each(&with.ctes));
    expressions.all(|node| match node {
        NodeEnum::CommonTableExpr(cte) => {
            matches!(inside(&cte.ctequery), Some(NodeEnum::SelectStmt(_)))
        }
        _ => false,
    })
}

fn delete(s: &DeleteStmt) -> Option<Before> {
    rows(s.relation.as_ref()?, &s.with_clause, &s.using_clause, s.where_clause.as_deref())
}

fn update(s: &UpdateStmt) -> Option<Before> {
    rows(s.relation.as_ref()?, &s.with_clause, &s.from_clause, s.where_clause.as_deref())
}

/// The rows that a merge's source matches; or all, where it changes those that it does not match too.
fn merge(s: &MergeStmt) -> Option<Before> {
    let table = s.relation.as_ref()?;
    let unmatched = each(&s.merge_when_clauses).any(|node| match node {
        NodeEnum::MergeWhenClause(when) => {
            when.match_kind == MergeMatchKind::MergeWhenNotMatchedBySource as i32
        }
        _ => true,
    });
    if unmatched {
        return rows(table, &s.with_clause, &[], None);
    }
    let source = Node::clone(s.source_relation.as_deref()?);
    rows(table, &s.with_clause, &[source], s.join_condition.as_deref())
}

fn truncate(s: &TruncateStmt) -> Option<Vec<Before>> {
    if s.behavior == pg::DropBehavior::DropCascade as i32 {
        return None;
    }
    let table = |node: &NodeEnum| match node {
        NodeEnum::RangeVar(var) => rows(var, &None, &[], None),
        _ => None,
    };
    each(&s.relations).map(table).collect()
}

/// `SELECT t.* FROM t WHERE condition`; and where other relations take part, those under EXISTS, so
/// that a row which several of theirs match comes once.
fn rows(
    table: &RangeVar,
    with: &Option<WithClause>,
    others: &[Node],
    condition: Option<&Node>,
) -> Option<Before> {
    let cursor = condition.and_then(|node| node.node.as_ref());
    if matches!(cursor, Some(NodeEnum::CurrentOfExpr(_))) || !only_reads(with) {
        return None;
    }
    let name = table.alias.as_ref().map_or(&table.relname, |alias| &alias.aliasname);
    let every = column(vec![
        NodeEnum::String(pg::String { sval: name.clone() }),
        NodeEnum::AStar(pg::AStar {}),
    ]);
    let condition = condition.cloned().map(Box::new);
    let condition = if others.is_empty() {
        condition
    } else {
        let inner =
            SelectStmt { from_clause: others.to_vec(), where_clause: condition, ..select() };
        Some(Box::new(exists(inner)))
    };
    let query = SelectStmt {
        target_list: vec![every],
        from_clause: vec![wrapped(NodeEnum::RangeVar(table.clone()))],
        where_clause: condition,
        with_clause: with.clone(),
        ..select()
    };
    let statement = pg::RawStmt {
        stmt: Some(Box::new(wrapped(NodeEnum::SelectStmt(Box::new(query))))),
        ..pg::RawStmt::default()
    };
    let tree = pg::ParseResult { version: 0, stmts: vec![statement] };
    let query = pg_query::deparse(&tree, Default::default()).ok()?;
    is_repeatable(&tree, &query).then(|| Before { table: relation(table), query })
}

/// Whether a query gives the same rows each time in one snapshot, and changes none.
fn is_repeatable(tree: &pg::ParseResult, query: &str) -> bool {
    let operation = super::classify(query).operation;
    let reads = operation.effect <= Effect::Read;
    let known = reads && !operation.flags.contains(&Flag::VolatileFunction);
    known && serde_json::to_value(tree).is_ok_and(|tree| is_stable(&tree))
}

/// Whether nothing in a tree chooses rows by chance: no volatile function, sample, limit or lock.
fn is_stable(tree: &Value) -> bool {
    match tree {
        Value::Object(fields) => fields.iter().all(|(name, value)| match name.as_str() {
            "RangeTableSample" => false,
            "limit_count" | "limit_offset" => value.is_null(),
            "locking_clause" => value.as_array().is_some_and(Vec::is_empty),
            "funcname" => !is_volatile(value),
            _ => is_stable(value),
        }),
        Value::Array(items) => items.iter().all(is_stable),
        _ => true,
    }
}

/// Whether the last part of a function's name is one of `names/volatile.txt`.
fn is_volatile(name: &Value) -> bool {
    let last = name.as_array().and_then(|parts| parts.last());
    let text = last.and_then(|part| part.pointer("/node/String/sval")?.as_str());
    text.is_none_or(|name| VOLATILE.split_whitespace().any(|volatile| volatile == name))
}

/// A plain query of nothing.
fn select() -> SelectStmt {
    SelectStmt {
        limit_option: pg::LimitOption::Default as i32,
        op: pg::SetOperation::SetopNone as i32,
        ..SelectStmt::default()
    }
}

fn exists(query: SelectStmt) -> Node {
    wrapped(NodeEnum::SubLink(Box::new(pg::SubLink {
        sub_link_type: SubLinkType::ExistsSublink as i32,
        subselect: Some(Box::new(wrapped(NodeEnum::SelectStmt(Box::new(query))))),
        ..pg::SubLink::default()
    })))
}

fn column(fields: Vec<NodeEnum>) -> Node {
    let fields = fields.into_iter().map(wrapped).collect();
    let column = wrapped(NodeEnum::ColumnRef(pg::ColumnRef { fields, location: 0 }));
    let target = pg::ResTarget { val: Some(Box::new(column)), ..pg::ResTarget::default() };
    wrapped(NodeEnum::ResTarget(Box::new(target)))
}

fn wrapped(node: NodeEnum) -> Node {
    Node { node: Some(node) }
}
