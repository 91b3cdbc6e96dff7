//! A second opinion: what sqlparser takes for a write must be no read here.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, SetExpr, Statement, UtilityOption, Value, Visit, Visitor};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// Whether sqlparser says that a text writes; nothing where it can't read it.
pub fn writes(text: &str) -> Option<bool> {
    // Deeply nested texts are its weakness, not the subject.
    let parsed = Parser::new(&PostgreSqlDialect {}).with_recursion_limit(200).try_with_sql(text);
    let statements = parsed.ok()?.parse_statements().ok()?;
    Some(statements.iter().any(statement))
}

fn statement(statement: &Statement) -> bool {
    match statement {
        Statement::Explain { analyze, statement: inner, options, .. } => {
            (*analyze || options.iter().flatten().any(analyses)) && self::statement(inner)
        }
        Statement::Query(_) | Statement::Prepare { .. } | Statement::Declare { .. } => {
            changes(statement)
        }
        Statement::Copy { to, .. } => !to || changes(statement),
        Statement::Insert(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Merge(_)
        | Statement::Truncate(_)
        | Statement::CreateTable(_)
        | Statement::CreateView(_)
        | Statement::CreateIndex(_)
        | Statement::CreateSchema { .. }
        | Statement::CreateFunction(_)
        | Statement::CreateTrigger(_)
        | Statement::CreateSequence { .. }
        | Statement::CreateRole(_)
        | Statement::AlterTable(_)
        | Statement::AlterView { .. }
        | Statement::AlterIndex { .. }
        | Statement::AlterRole { .. }
        | Statement::Drop { .. }
        | Statement::Grant(_)
        | Statement::Revoke(_)
        | Statement::Comment { .. }
        | Statement::Call(_)
        | Statement::NOTIFY { .. }
        | Statement::Vacuum(_) => true,
        _ => false,
    }
}

fn analyses(option: &UtilityOption) -> bool {
    let off = match &option.arg {
        Some(Expr::Value(value)) => match &value.value {
            Value::Boolean(on) => !on,
            Value::Number(number, _) => number.parse() == Ok(0),
            Value::SingleQuotedString(text) => off(text),
            _ => false,
        },
        Some(Expr::Identifier(name)) => off(&name.value),
        _ => false,
    };
    option.name.value.eq_ignore_ascii_case("analyze") && !off
}

fn off(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "off" | "false" | "0")
}

fn changes(statement: &Statement) -> bool {
    let mut walk = Changes(false);
    let _ = statement.visit(&mut walk);
    walk.0
}

struct Changes(bool);

impl Changes {
    fn body(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                self.0 = true
            }
            SetExpr::Select(select) => self.0 |= select.into.is_some(),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left);
                self.body(right);
            }
            SetExpr::Query(_) | SetExpr::Values(_) | SetExpr::Table(_) => {}
        }
    }
}

impl Visitor for Changes {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.body(&query.body);
        self.0 |= !query.locks.is_empty();
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        self.0 |= matches!(
            statement,
            Statement::Insert(_)
                | Statement::Update(_)
                | Statement::Delete(_)
                | Statement::Merge(_)
        );
        ControlFlow::Continue(())
    }
}
