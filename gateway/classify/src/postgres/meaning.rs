//! Names whose meaning the target's catalogue decides: a function, an operator or a type of a user's own
//! may stand behind the name of a built-in one, chosen by types that no text shows.

use std::collections::BTreeSet;

use pg_query::protobuf::{AExprKind, JsonOutput, TypeName};
use pg_query::{Node, NodeEnum};

use super::names::{each, parts};
use super::place::{Place, place};
use super::walk::Walk;

/// What a text calls, without schemas; names that say `pg_catalog` are not among functions and operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Functions that it calls, or may call: `t.name` is in [`crate::Facts::dotted`].
    pub functions: BTreeSet<String>,
    /// Operators, those too that the grammar only implies.
    pub operators: BTreeSet<String>,
    /// Types, in casts and definitions of columns and parameters.
    pub types: BTreeSet<String>,
}

fn add(set: &mut BTreeSet<String>, name: &str) {
    if !set.contains(name) {
        set.insert(name.to_owned());
    }
}

impl Names {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.operators.is_empty() && self.types.is_empty()
    }

    pub(super) fn function(&mut self, name: &str) {
        add(&mut self.functions, name);
    }

    pub(super) fn operator(&mut self, name: &str) {
        add(&mut self.operators, name);
    }

    pub(super) fn a_type(&mut self, name: &str) {
        add(&mut self.types, name);
    }
}

/// Whether a statement may change what names mean or what runs behind them. Dropping and moving between
/// schemas do not: what is left was there before, and names are judged whatever their schema.
pub(super) fn plants(node: &NodeEnum) -> bool {
    use NodeEnum as N;
    match place(node) {
        Place::Schema => !matches!(
            node,
            N::CreateStmt(_)
                | N::AlterTableStmt(_)
                | N::IndexStmt(_)
                | N::CreateSeqStmt(_)
                | N::AlterSeqStmt(_)
                | N::CreateEnumStmt(_)
                | N::AlterEnumStmt(_)
                | N::CreateSchemaStmt(_)
                | N::AlterObjectSchemaStmt(_)
                | N::AlterObjectDependsStmt(_)
                | N::CreateStatsStmt(_)
                | N::AlterStatsStmt(_)
                | N::CommentStmt(_)
                | N::DropStmt(_)
                | N::ReindexStmt(_)
                | N::TruncateStmt(_)
        ),
        Place::Admin => !matches!(
            node,
            N::GrantStmt(_)
                | N::GrantRoleStmt(_)
                | N::AlterDefaultPrivilegesStmt(_)
                | N::CreateRoleStmt(_)
                | N::AlterRoleStmt(_)
                | N::CheckPointStmt(_)
        ),
        Place::Opaque => true,
        _ => matches!(node, N::ViewStmt(_) | N::RuleStmt(_)),
    }
}

impl Walk {
    /// Notes a type, where there is one.
    pub(super) fn a_type(&mut self, name: Option<&TypeName>) {
        if let Some(name) = name.and_then(|name| parts(&name.names).last().copied()) {
            self.names.a_type(name);
        }
    }

    /// Notes types of a list.
    pub(super) fn types(&mut self, list: &[Node]) {
        for node in each(list) {
            match node {
                NodeEnum::TypeName(name) => self.a_type(Some(name)),
                _ => self.unplaced(),
            }
        }
    }

    /// Notes the type that a value of SQL/JSON is returned as.
    pub(super) fn json_output(&mut self, output: Option<&JsonOutput>) {
        self.a_type(output.and_then(|output| output.type_name.as_ref()));
    }

    /// Notes what `BETWEEN` compares with (`transformAExprBetween` in parse_expr.c).
    pub(super) fn implied_operators(&mut self, kind: AExprKind) {
        let operators: &[&str] = match kind {
            AExprKind::AexprBetween | AExprKind::AexprBetweenSym => &[">=", "<="],
            AExprKind::AexprNotBetween | AExprKind::AexprNotBetweenSym => &["<", ">"],
            _ => &[],
        };
        operators.iter().for_each(|operator| self.names.operator(operator));
    }
}
