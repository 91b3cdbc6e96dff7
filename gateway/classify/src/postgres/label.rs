//! The names of output columns.

use pg_query::NodeEnum;
use pg_query::protobuf::{AExprKind, MinMaxOp, ResTarget, SubLink, SubLinkType};

use super::names::{each, inside, parts};

/// Any name, for a column whose own is not worked out.
pub(super) const ANY: &str = "*";

/// The name of an output column, as a query further out knows it.
pub(super) fn column_name<'n>(target: &'n ResTarget, value: &'n NodeEnum) -> &'n str {
    if target.name.is_empty() {
        label(value).unwrap_or(("?column?", false)).0
    } else {
        &target.name
    }
}

/// The name that the server gives a column without one, and whether it outdoes the name of a type
/// around it (`FigureColnameInternal` in `parse_target.c`).
fn label(node: &NodeEnum) -> Option<(&str, bool)> {
    use NodeEnum as N;
    let strong = |name| Some((name, true));
    match node {
        N::ColumnRef(c) => parts(&c.fields).last().map(|name| (*name, true)),
        N::FuncCall(c) => parts(&c.funcname).last().map(|name| (*name, true)),
        N::AIndirection(field) => match parts(&field.indirection).last() {
            Some(name) => strong(*name),
            None => inside(&field.arg).and_then(label),
        },
        N::TypeCast(cast) => match inside(&cast.arg).and_then(label) {
            Some((name, true)) => strong(name),
            _ => parts(&cast.type_name.as_ref()?.names).last().map(|name| (*name, false)),
        },
        N::CaseExpr(e) => match inside(&e.defresult).and_then(label) {
            Some((name, true)) => strong(name),
            _ => Some(("case", false)),
        },
        N::CollateClause(e) => inside(&e.arg).and_then(label),
        N::AExpr(e) => (e.kind() == AExprKind::AexprNullif).then_some(("nullif", true)),
        N::AArrayExpr(_) => strong("array"),
        N::RowExpr(_) => strong("row"),
        N::CoalesceExpr(_) => strong("coalesce"),
        N::GroupingFunc(_) => strong("grouping"),
        N::MinMaxExpr(e) if e.op() == MinMaxOp::IsLeast => strong("least"),
        N::MinMaxExpr(_) => strong("greatest"),
        N::SubLink(link) => sublink(link),
        N::AConst(_) | N::ParamRef(_) | N::BoolExpr(_) | N::NullTest(_) | N::BooleanTest(_) => None,
        // XML, JSON and what is written without brackets: a name for each form.
        _ => strong(ANY),
    }
}

fn sublink(link: &SubLink) -> Option<(&str, bool)> {
    match link.sub_link_type() {
        SubLinkType::ExistsSublink => Some(("exists", true)),
        SubLinkType::ArraySublink => Some(("array", true)),
        SubLinkType::ExprSublink => {
            let NodeEnum::SelectStmt(select) = inside(&link.subselect)? else {
                return Some((ANY, true));
            };
            match each(&select.target_list).next() {
                Some(NodeEnum::ResTarget(target)) if target.name.is_empty() => {
                    inside(&target.val).and_then(label)
                }
                Some(NodeEnum::ResTarget(target)) => Some((&target.name, true)),
                // VALUES and set operations name their columns otherwise.
                _ => Some((ANY, true)),
            }
        }
        _ => None,
    }
}
