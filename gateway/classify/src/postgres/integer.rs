//! Integers whose value means nothing here: they are compared with a column, in a query that reads.
//!
//! Not so in what writes: whether `a = 1 OR a <> 2` limits anything depends on them (`condition.rs`).

use pg_query::NodeEnum;
use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::{AConst, AExpr, AExprKind};

use super::names::{each, inside, parts};
use super::walk::Walk;

impl Walk {
    /// Notes the integers of `column = 1`, `1 < column` and `column IN (1, 2)`.
    pub(super) fn compared_integer(&mut self, e: &AExpr) {
        let (Some(left), Some(right)) = (inside(&e.lexpr), inside(&e.rexpr)) else { return };
        let operator = parts(&e.name);
        match (e.kind(), operator.as_slice(), left, right) {
            (AExprKind::AexprOp, ["=" | "<>" | "<" | ">" | "<=" | ">="], column, constant)
            | (AExprKind::AexprOp, ["=" | "<>" | "<" | ">" | "<=" | ">="], constant, column)
                if is_column(column) && is_integer(constant) =>
            {
                self.note(constant);
            }
            (AExprKind::AexprIn, _, column, NodeEnum::List(list)) if is_column(column) => {
                each(&list.items).for_each(|item| self.note(item));
            }
            _ => {}
        }
    }

    fn note(&mut self, node: &NodeEnum) {
        if let NodeEnum::AConst(constant) = node
            && is_integer(node)
        {
            self.free.extend(usize::try_from(constant.location));
        }
    }
}

fn is_column(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::ColumnRef(column) => {
            each(&column.fields).all(|field| matches!(field, NodeEnum::String(_)))
        }
        _ => false,
    }
}

/// An integer; one that does not fit into 32 bits is a float to the scanner.
fn is_integer(node: &NodeEnum) -> bool {
    matches!(node, NodeEnum::AConst(AConst { val: Some(Val::Ival(_) | Val::Fval(_)), .. }))
}
