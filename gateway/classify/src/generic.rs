//! Any other SQL, read by sqlparser, where servers cannot disagree on how it lexes.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FromTable, ObjectName, ObjectNamePart, Query, SetExpr, Statement, TableFactor, Visit,
    Visitor,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use weir_model::{Effect, Flag, Operation, Resource, ResourceKind};

use crate::Facts;

/// Functions that every server knows, and none gives a side effect.
const SAFE: &[&str] = &[
    "count",
    "sum",
    "min",
    "max",
    "avg",
    "lower",
    "upper",
    "length",
    "abs",
    "round",
    "floor",
    "ceil",
    "coalesce",
    "nullif",
    "concat",
    "replace",
    "trim",
    "ltrim",
    "rtrim",
    "now",
    "row_number",
    "rank",
    "dense_rank",
];

/// What a text does; unknown wherever in doubt. Names of common table expressions count as tables:
/// rather one too many than one too few.
pub(crate) fn classify(text: &str) -> Facts {
    if ambiguous(text) {
        return Facts::unknown("sql");
    }
    let Ok(statements) = Parser::parse_sql(&GenericDialect {}, text) else {
        return Facts::unknown("sql");
    };
    let mut walk = Walk { sure: true, ..Walk::default() };
    let mut effect = Effect::Session;
    let mut verbs: Vec<String> = Vec::new();
    for statement in &statements {
        let (verb, does) = walk.statement(statement);
        effect = effect.max(does);
        if !verbs.iter().any(|v| v == verb) {
            verbs.push(verb.to_owned());
        }
    }
    if !walk.sure {
        effect = Effect::Unknown;
    }
    if statements.len() > 1 {
        walk.flags.insert(Flag::Multi);
    }
    let mut facts =
        if effect == Effect::Unknown { Facts::unknown("sql") } else { Facts::unknown_columns() };
    let resources = walk
        .tables
        .iter()
        .map(|name| Resource {
            kind: ResourceKind::Table,
            name: name.clone(),
            columns: vec!["*".to_owned()],
            written: effect >= Effect::Write,
        })
        .collect();
    facts.statements = u32::try_from(statements.len()).unwrap_or(u32::MAX);
    facts.changes_schema = effect >= Effect::Schema;
    facts.changes_session = matches!(effect, Effect::Session | Effect::Unknown);
    facts.rest = effect;
    facts.operation = Operation { effect, verbs, resources, flags: walk.flags }.into();
    facts
}

/// Bytes that servers read differently: escapes, identifier quotes, comments (`/*!*/` runs in
/// MySQL, `#` starts a comment there, and `--` only before a space).
fn ambiguous(text: &str) -> bool {
    text.bytes().any(|b| matches!(b, b'\\' | b'"' | b'#' | b'$' | b'@'))
        || ["--", "/*", "*/"].iter().any(|mark| text.contains(mark))
}

#[derive(Default)]
struct Walk {
    sure: bool,
    tables: BTreeSet<String>,
    flags: BTreeSet<Flag>,
}

impl Walk {
    fn statement(&mut self, statement: &Statement) -> (&'static str, Effect) {
        let _ = statement.visit(self);
        match statement {
            Statement::Query(_) => ("select", Effect::Read),
            Statement::Insert(_) => ("insert", Effect::Write),
            Statement::Update(update) => {
                if update.selection.is_none() {
                    self.flags.insert(Flag::NoWhere);
                }
                ("update", Effect::Write)
            }
            Statement::Delete(delete) => {
                if delete.selection.is_none() {
                    self.flags.insert(Flag::NoWhere);
                }
                if let FromTable::WithoutKeyword(_) = delete.from {
                    self.sure = false;
                }
                ("delete", Effect::Write)
            }
            Statement::Truncate(_) => ("truncate", Effect::Schema),
            Statement::CreateTable(_) => ("create", Effect::Schema),
            Statement::CreateView(_) => ("create", Effect::Schema),
            Statement::CreateIndex(_) => ("create", Effect::Schema),
            Statement::AlterTable(_) => ("alter", Effect::Schema),
            Statement::Drop { .. } => ("drop", Effect::Schema),
            Statement::Grant(_) => self.privilege("grant"),
            Statement::Revoke(_) => self.privilege("revoke"),
            Statement::StartTransaction { .. } => ("begin", Effect::Session),
            Statement::Commit { .. } => ("commit", Effect::Session),
            Statement::Rollback { .. } => ("rollback", Effect::Session),
            Statement::Savepoint { .. } => ("savepoint", Effect::Session),
            _ => ("sql", Effect::Unknown),
        }
    }

    fn privilege(&mut self, verb: &'static str) -> (&'static str, Effect) {
        self.flags.insert(Flag::Privilege);
        (verb, Effect::Admin)
    }

    fn body(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => self.sure &= select.into.is_none(),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left);
                self.body(right);
            }
            SetExpr::Query(_) | SetExpr::Values(_) => {}
            _ => self.sure = false,
        }
    }
}

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.body(&query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        self.tables.insert(name.to_string());
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { args: None, .. }
            | TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. } => {}
            _ => self.sure = false,
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr {
            let safe = match function.name.0.as_slice() {
                [ObjectNamePart::Identifier(name)] => {
                    name.quote_style.is_none()
                        && SAFE.contains(&name.value.to_ascii_lowercase().as_str())
                }
                _ => false,
            };
            if !safe {
                self.sure = false;
                self.flags.insert(Flag::VolatileFunction);
            }
        }
        ControlFlow::Continue(())
    }
}
