//! Whether a WHERE limits anything. Modest: what is said here to limit nothing, does not.

use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::{AExpr, AExprKind, BoolExprType, BoolTestType, NullTestType};
use pg_query::{Node, NodeEnum};

use super::names::{each, inside, literal, parts};

/// Whether the condition cannot tell one row of the target from another, or holds for all of them.
pub(super) fn unlimited(expr: &NodeEnum, target: &str) -> bool {
    !depends(expr, target) || always(expr, true)
}

/// Whether the condition looks at the target's rows at all. A sublink counts where it may be
/// correlated by an unqualified name.
fn depends(node: &NodeEnum, target: &str) -> bool {
    use NodeEnum as N;
    let one = |n: &Option<Box<Node>>| inside(n).is_some_and(|n| depends(n, target));
    let any = |list: &[Node]| each(list).any(|n| depends(n, target));
    match node {
        N::ColumnRef(c) => {
            let names = parts(&c.fields);
            match names.as_slice() {
                [.., qualifier, _] => *qualifier == target,
                _ => true,
            }
        }
        N::AConst(_) | N::ParamRef(_) | N::SqlvalueFunction(_) => false,
        N::AExpr(e) => one(&e.lexpr) || one(&e.rexpr),
        N::BoolExpr(e) => any(&e.args),
        N::TypeCast(e) => one(&e.arg),
        N::CollateClause(e) => one(&e.arg),
        N::FuncCall(e) => any(&e.args),
        N::CoalesceExpr(e) => any(&e.args),
        N::NullTest(e) => one(&e.arg),
        N::BooleanTest(e) => one(&e.arg),
        N::CaseExpr(e) => one(&e.arg) || any(&e.args) || one(&e.defresult),
        N::CaseWhen(e) => one(&e.expr) || one(&e.result),
        N::List(e) => any(&e.items),
        N::AArrayExpr(e) => any(&e.elements),
        N::RowExpr(e) => any(&e.args),
        N::SubLink(e) => match inside(&e.subselect) {
            // EXISTS (SELECT 1) and the like: no relation to be correlated with.
            Some(N::SelectStmt(s)) if s.from_clause.is_empty() && s.larg.is_none() => {
                one(&e.testexpr) || any(&s.target_list) || one(&s.where_clause)
            }
            _ => true,
        },
        N::ResTarget(e) => one(&e.val),
        _ => true,
    }
}

/// Whether the condition always has this truth value (nulls aside).
fn always(node: &NodeEnum, value: bool) -> bool {
    use NodeEnum as N;
    match node {
        N::AConst(_) => truth(node) == Some(value),
        N::TypeCast(e) => inside(&e.arg)
            .is_some_and(|n| matches!(n, N::AConst(_) | N::TypeCast(_)) && truth(n) == Some(value)),
        N::BoolExpr(e) => {
            let args: Vec<&NodeEnum> = each(&e.args).collect();
            match (e.boolop(), value) {
                (BoolExprType::NotExpr, _) => args.iter().all(|a| always(a, !value)),
                (BoolExprType::AndExpr, true) | (BoolExprType::OrExpr, false) => {
                    args.iter().all(|a| always(a, value))
                }
                (BoolExprType::AndExpr, false) => args.iter().any(|a| always(a, false)),
                (BoolExprType::OrExpr, true) => {
                    args.iter().any(|a| always(a, true)) || covers(&args)
                }
                (BoolExprType::Undefined, _) => false,
            }
        }
        N::BooleanTest(e) => inside(&e.arg).is_some_and(|a| match e.booltesttype() {
            BoolTestType::IsTrue | BoolTestType::IsNotFalse => always(a, value),
            BoolTestType::IsFalse | BoolTestType::IsNotTrue => always(a, !value),
            _ => false,
        }),
        N::AExpr(e) => compares(e, value),
        _ => false,
    }
}

fn truth(node: &NodeEnum) -> Option<bool> {
    match literal(node)?.to_ascii_lowercase().trim() {
        "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// `x = x`, `1 < 2`, `x LIKE '%'`, `x IN (x, ...)`, `x BETWEEN x AND x`.
fn compares(e: &AExpr, value: bool) -> bool {
    let (Some(left), Some(right)) = (inside(&e.lexpr), inside(&e.rexpr)) else {
        return false;
    };
    let name = parts(&e.name).last().copied().unwrap_or_default();
    match e.kind() {
        AExprKind::AexprOp | AExprKind::AexprNotDistinct | AExprKind::AexprDistinct => {
            let name = match e.kind() {
                AExprKind::AexprDistinct => "<>",
                AExprKind::AexprNotDistinct => "=",
                _ => name,
            };
            if same(left, right) {
                return matches!(
                    (name, value),
                    ("=" | "<=" | ">=", true) | ("<>" | "<" | ">", false)
                );
            }
            match (integer(left), integer(right)) {
                (Some(l), Some(r)) => holds(name, l, r) == Some(value),
                _ => false,
            }
        }
        AExprKind::AexprLike | AExprKind::AexprIlike => {
            let all = literal(right).is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b == b'%'));
            all && value == name.starts_with('~')
        }
        AExprKind::AexprIn => match right {
            NodeEnum::List(list) => {
                each(&list.items).any(|item| same(left, item)) && value == (name == "=")
            }
            _ => false,
        },
        AExprKind::AexprBetween => match right {
            NodeEnum::List(list) => value && each(&list.items).all(|item| same(left, item)),
            _ => false,
        },
        _ => false,
    }
}

fn integer(node: &NodeEnum) -> Option<i64> {
    match node {
        NodeEnum::AConst(c) => match &c.val {
            Some(Val::Ival(i)) => Some(i64::from(i.ival)),
            // Zero is the default value, which the encoding leaves out.
            None if !c.isnull => Some(0),
            _ => None,
        },
        _ => None,
    }
}

fn holds(operator: &str, left: i64, right: i64) -> Option<bool> {
    match operator {
        "=" => Some(left == right),
        "<>" | "!=" => Some(left != right),
        "<" => Some(left < right),
        "<=" => Some(left <= right),
        ">" => Some(left > right),
        ">=" => Some(left >= right),
        _ => None,
    }
}

/// Two branches of an OR that leave no row out: `x IS NULL OR x IS NOT NULL`, `x < 1 OR x >= 1`,
/// `p OR NOT p`.
fn covers(branches: &[&NodeEnum]) -> bool {
    // A long OR is compared only in part: this is a courtesy, not a guard.
    let few = branches.get(..branches.len().min(16)).unwrap_or_default();
    few.iter().any(|one| few.iter().any(|two| opposite(one, two)))
}

fn opposite(one: &NodeEnum, two: &NodeEnum) -> bool {
    use NodeEnum as N;
    match (one, two) {
        (N::NullTest(a), N::NullTest(b)) => {
            a.nulltesttype() == NullTestType::IsNull
                && b.nulltesttype() == NullTestType::IsNotNull
                && both(&a.arg, &b.arg)
        }
        (N::BoolExpr(a), other) if a.boolop() == BoolExprType::NotExpr => {
            each(&a.args).all(|inner| same(inner, other))
        }
        (N::AExpr(a), N::AExpr(b)) => {
            let names = (parts(&a.name), parts(&b.name));
            let pair = (names.0.last().copied(), names.1.last().copied());
            let opposed = matches!(
                pair,
                (Some("="), Some("<>")) | (Some("<"), Some(">=")) | (Some(">"), Some("<="))
            );
            opposed && both(&a.lexpr, &b.lexpr) && both(&a.rexpr, &b.rexpr)
        }
        _ => false,
    }
}

fn both(one: &Option<Box<Node>>, two: &Option<Box<Node>>) -> bool {
    matches!((inside(one), inside(two)), (Some(a), Some(b)) if same(a, b))
}

/// Whether two expressions are the same, wherever they stand in the text.
fn same(one: &NodeEnum, two: &NodeEnum) -> bool {
    use NodeEnum as N;
    let lists = |a: &[Node], b: &[Node]| {
        a.len() == b.len() && each(a).zip(each(b)).all(|(a, b)| same(a, b))
    };
    match (one, two) {
        (N::ColumnRef(a), N::ColumnRef(b)) => {
            parts(&a.fields).last() == parts(&b.fields).last()
                && (a.fields.len() != b.fields.len() || parts(&a.fields) == parts(&b.fields))
        }
        (N::AConst(a), N::AConst(b)) => a.isnull == b.isnull && a.val == b.val && !a.isnull,
        (N::ParamRef(a), N::ParamRef(b)) => a.number == b.number,
        (N::TypeCast(a), N::TypeCast(b)) => both(&a.arg, &b.arg),
        (N::FuncCall(a), N::FuncCall(b)) => {
            parts(&a.funcname) == parts(&b.funcname) && lists(&a.args, &b.args)
        }
        (N::CoalesceExpr(a), N::CoalesceExpr(b)) => lists(&a.args, &b.args),
        (N::AExpr(a), N::AExpr(b)) => {
            a.kind == b.kind
                && parts(&a.name) == parts(&b.name)
                && both(&a.lexpr, &b.lexpr)
                && both(&a.rexpr, &b.rexpr)
        }
        _ => false,
    }
}
