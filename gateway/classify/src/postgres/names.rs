//! Reading names and small values out of nodes.

use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::{RangeVar, TypeName};
use pg_query::{Node, NodeEnum};

/// The node inside an optional box.
pub(super) fn inside(node: &Option<Box<Node>>) -> Option<&NodeEnum> {
    node.as_ref().and_then(|n| n.node.as_ref())
}

/// The nodes of a list; an empty slot is skipped, as the grammar makes it only for "nothing here".
pub(super) fn each(nodes: &[Node]) -> impl Iterator<Item = &NodeEnum> + Clone {
    nodes.iter().filter_map(|n| n.node.as_ref())
}

/// The identifiers of a list, where it holds nothing else.
pub(super) fn parts(nodes: &[Node]) -> Vec<&str> {
    each(nodes).filter_map(text).collect()
}

/// An identifier.
pub(super) fn text(node: &NodeEnum) -> Option<&str> {
    match node {
        NodeEnum::String(s) => Some(&s.sval),
        _ => None,
    }
}

/// A qualified name as one string.
pub(super) fn dotted(nodes: &[Node]) -> String {
    parts(nodes).join(".")
}

/// A relation's name as written, without the database, which can only be the current one.
pub(super) fn relation(var: &RangeVar) -> String {
    let mut name = String::with_capacity(var.schemaname.len() + var.relname.len() + 1);
    if !var.schemaname.is_empty() {
        name.push_str(&var.schemaname);
        name.push('.');
    }
    name.push_str(&var.relname);
    name
}

/// The parts of a relation's name as one string, without the database.
pub(super) fn in_database(names: &[&str]) -> String {
    match names {
        [_, schema, name] => format!("{schema}.{name}"),
        _ => names.join("."),
    }
}

/// A type's name as written.
pub(super) fn type_name(name: &TypeName) -> String {
    dotted(&name.names)
}

/// The name of an object of any kind.
pub(super) fn object(node: &NodeEnum) -> String {
    match node {
        NodeEnum::String(s) => s.sval.clone(),
        NodeEnum::List(list) => dotted(&list.items),
        NodeEnum::ObjectWithArgs(o) => dotted(&o.objname),
        NodeEnum::TypeName(t) => type_name(t),
        NodeEnum::RangeVar(v) => relation(v),
        NodeEnum::RoleSpec(r) => r.rolename.clone(),
        _ => String::new(),
    }
}

/// A literal as text, seen through a cast.
pub(super) fn literal(node: &NodeEnum) -> Option<String> {
    match node {
        NodeEnum::AConst(c) => match &c.val {
            Some(Val::Sval(s)) => Some(s.sval.clone()),
            Some(Val::Ival(i)) => Some(i.ival.to_string()),
            Some(Val::Fval(f)) => Some(f.fval.clone()),
            Some(Val::Boolval(b)) => Some(b.boolval.to_string()),
            Some(Val::Bsval(b)) => Some(b.bsval.clone()),
            None => None,
        },
        NodeEnum::TypeCast(c) => inside(&c.arg).and_then(literal),
        NodeEnum::String(s) => Some(s.sval.clone()),
        NodeEnum::Integer(i) => Some(i.ival.to_string()),
        NodeEnum::Boolean(b) => Some(b.boolval.to_string()),
        _ => None,
    }
}
