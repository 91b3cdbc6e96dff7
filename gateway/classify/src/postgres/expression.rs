//! Expressions: columns, calls, operators, sublinks.

use pg_query::protobuf::{
    AIndirection, ColumnRef, FuncCall, SubLink, SubLinkType, TypeName, WindowDef,
};
use pg_query::{Node, NodeEnum};
use weir_model::{Effect, Flag, ResourceKind};

use super::functions::{self, Judgement};
use super::names::{each, inside, parts};
use super::scope::Source;
use super::walk::Walk;
use super::{operators, place, relation};

/// Where an expression's value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It decides which rows, in which order: nothing of it is in the answer.
    Filter,
    /// A bare column of a select list, which keeps its origin.
    Listed,
    /// It becomes a part of the answer, without an origin.
    Value,
}

impl Walk {
    /// Reads expressions.
    pub(super) fn exprs(&mut self, list: &[Node], to: Use) {
        for node in each(list) {
            self.expr(node, to);
        }
    }

    /// Reads an expression, where there is one.
    pub(super) fn maybe(&mut self, node: &Option<Box<Node>>, to: Use) {
        if let Some(node) = inside(node) {
            self.expr(node, to);
        }
    }

    /// Reads an expression.
    pub(super) fn expr(&mut self, node: &NodeEnum, to: Use) {
        use NodeEnum as N;
        if place::place(node) != place::Place::Expression {
            return self.unplaced();
        }
        match node {
            N::ColumnRef(column) => self.column(column, to),
            N::FuncCall(call) => self.call(call, to),
            N::AIndirection(field) => self.field(field, to),
            N::SubLink(link) => self.sublink(link, to),
            N::AExpr(e) => {
                self.operator(&e.name);
                self.implied_operators(e.kind());
                self.compared_integer(e);
                self.maybe(&e.lexpr, to);
                self.maybe(&e.rexpr, to);
            }
            N::SortBy(_) => {
                if let Some(key) = self.sort_key(node) {
                    self.expr(key, to);
                }
            }
            N::AConst(_) | N::ParamRef(_) | N::SqlvalueFunction(_) | N::SetToDefault(_) => {}
            N::MergeSupportFunc(_) | N::CurrentOfExpr(_) => {}
            N::Integer(_) | N::Float(_) | N::Boolean(_) | N::String(_) | N::BitString(_) => {}
            N::TypeCast(e) => self.typed(e.type_name.as_ref(), &e.arg, to),
            N::CollateClause(e) => self.maybe(&e.arg, to),
            N::ResTarget(e) => self.maybe(&e.val, to),
            N::MultiAssignRef(e) => self.maybe(&e.source, to),
            N::NullTest(e) => self.maybe(&e.arg, to),
            N::BooleanTest(e) => self.maybe(&e.arg, to),
            N::NamedArgExpr(e) => self.maybe(&e.arg, to),
            N::XmlSerialize(e) => self.typed(e.type_name.as_ref(), &e.expr, to),
            N::WindowDef(window) => self.window(window, to),
            N::AArrayExpr(e) => self.exprs(&e.elements, to),
            N::BoolExpr(e) => self.exprs(&e.args, to),
            N::CoalesceExpr(e) => self.exprs(&e.args, to),
            N::MinMaxExpr(e) => self.exprs(&e.args, to),
            N::RowExpr(e) => self.exprs(&e.args, to),
            N::GroupingFunc(e) => self.exprs(&e.args, Use::Filter),
            N::GroupingSet(e) => self.exprs(&e.content, to),
            N::List(e) => self.exprs(&e.items, to),
            N::AIndices(e) => {
                self.maybe(&e.lidx, to);
                self.maybe(&e.uidx, to);
            }
            N::CaseExpr(e) => {
                // CASE a WHEN b: a = b.
                if e.arg.is_some() {
                    self.names.operator("=");
                }
                self.maybe(&e.arg, to);
                self.exprs(&e.args, to);
                self.maybe(&e.defresult, to);
            }
            N::CaseWhen(e) => {
                self.maybe(&e.expr, to);
                self.maybe(&e.result, to);
            }
            N::XmlExpr(e) => {
                self.exprs(&e.named_args, to);
                self.exprs(&e.args, to);
            }
            _ => self.json(node, to),
        }
    }

    fn typed(&mut self, name: Option<&TypeName>, value: &Option<Box<Node>>, to: Use) {
        self.a_type(name);
        self.maybe(value, to);
    }

    fn column(&mut self, column: &ColumnRef, to: Use) {
        let fields: Vec<&NodeEnum> = each(&column.fields).collect();
        match fields.as_slice() {
            [NodeEnum::AStar(_)] => {
                self.columns_seen += 1;
                self.inference.column(None, "*");
                self.flow("*", to);
                for at in self.scopes.innermost_tables() {
                    self.resources.column(at, "*");
                }
            }
            [NodeEnum::String(name)] => self.unqualified(&name.sval, to),
            [schema @ .., NodeEnum::String(q), last] => {
                let name = match last {
                    NodeEnum::AStar(_) => "*",
                    NodeEnum::String(name) => &name.sval,
                    _ => return self.unplaced(),
                };
                // Two schemas may each have a relation of that name.
                if !schema.is_empty() {
                    self.columns_seen += 1;
                    self.any_table(name);
                }
                self.qualified(&q.sval, name, to);
            }
            _ => self.unplaced(),
        }
    }

    fn unqualified(&mut self, name: &str, to: Use) {
        self.columns_seen += 1;
        self.inference.column(self.scopes.only(), name);
        self.flow(name, to);
        self.any_table(name);
        // A relation's name is its whole row, where no column is called so.
        match self.scopes.find(name) {
            Some(Source::Table(at) | Source::Excluded(at)) => {
                self.resources.column(at, "*");
                self.whole_row(to);
            }
            Some(Source::Join) => {
                self.any_table("*");
                self.whole_row(to);
            }
            Some(Source::Derived) => self.whole_row(to),
            Some(Source::Function(_)) | None => {}
        }
    }

    fn qualified(&mut self, qualifier: &str, name: &str, to: Use) {
        self.inference.column(self.scopes.owner(qualifier), name);
        self.flow(name, to);
        let found = self.scopes.find(qualifier);
        // What an insert proposes comes from the client, not from a table.
        self.columns_seen += usize::from(!matches!(found, Some(Source::Excluded(_))));
        if name == "*" {
            return match found {
                Some(Source::Table(at) | Source::Excluded(at)) => self.resources.column(at, "*"),
                Some(Source::Derived | Source::Function(_)) => {}
                Some(Source::Join) | None => self.any_table(name),
            };
        }
        self.lineage.dotted(name);
        let row = functions::takes_row(name);
        match found {
            Some(Source::Table(at) | Source::Excluded(at)) => {
                self.resources.column(at, name);
                if row {
                    self.resources.column(at, "*");
                    self.whole_row(to);
                }
            }
            Some(Source::Join) => {
                self.any_table(name);
                if row {
                    self.any_table("*");
                    self.whole_row(to);
                }
            }
            Some(Source::Derived) if row => self.whole_row(to),
            Some(Source::Derived) => {}
            Some(Source::Function(columns)) => {
                if !columns.iter().any(|c| c == name) {
                    self.attribute(name, to);
                }
            }
            // An unnamed item of the from list may be a scalar under a name of the server's making.
            None => {
                self.any_table(name);
                self.attribute(name, to);
            }
        }
    }

    /// A column that may be any table's around.
    pub(super) fn any_table(&mut self, name: &str) {
        for at in self.scopes.tables() {
            self.resources.column(at, name);
        }
    }

    fn flow(&mut self, name: &str, to: Use) {
        if to == Use::Value {
            self.lineage.flows(name);
        }
    }

    fn whole_row(&mut self, to: Use) {
        self.inference.column(None, "*");
        if to != Use::Filter {
            self.lineage.flows("*");
        }
    }

    /// `(x).name`, where x is anything but a table's row: a field, or a call of `name` with x.
    fn attribute(&mut self, name: &str, to: Use) {
        if functions::is_field(name) {
            return;
        }
        self.judged(&[name]);
        self.stores |= functions::keeps(name);
        self.flow(name, to);
    }

    fn field(&mut self, field: &AIndirection, to: Use) {
        let to = if to == Use::Listed { Use::Value } else { to };
        let mut path = each(&field.indirection).peekable();
        match inside(&field.arg) {
            // (t).name is t.name.
            Some(NodeEnum::ColumnRef(c)) if self.names_relation(c) => {
                let relation = parts(&c.fields).join("");
                match path.peek() {
                    Some(NodeEnum::String(name)) => {
                        self.qualified(&relation, &name.sval, to);
                        path.next();
                    }
                    Some(NodeEnum::AStar(_)) => {
                        self.qualified(&relation, "*", to);
                        path.next();
                    }
                    _ => self.unqualified(&relation, to),
                }
            }
            Some(arg) => self.expr(arg, to),
            None => self.unplaced(),
        }
        for step in path {
            match step {
                NodeEnum::String(name) => {
                    self.lineage.dotted(&name.sval);
                    self.attribute(&name.sval, to);
                }
                NodeEnum::AStar(_) => {}
                NodeEnum::AIndices(_) => self.expr(step, to),
                _ => self.unplaced(),
            }
        }
    }

    fn names_relation(&mut self, column: &ColumnRef) -> bool {
        let names = parts(&column.fields);
        names.len() == 1 && column.fields.len() == 1 && self.scopes.find(names[0]).is_some()
    }

    /// The path behind a column that is assigned to: fields and subscripts, never a call.
    pub(super) fn subscripts(&mut self, path: &[Node]) {
        for step in each(path) {
            match step {
                NodeEnum::String(_) | NodeEnum::AStar(_) => {}
                _ => self.expr(step, Use::Filter),
            }
        }
    }

    pub(super) fn operator(&mut self, name: &[Node]) {
        let name = parts(name);
        if let [.., operator] = name.as_slice()
            && name.first() != Some(&"pg_catalog")
        {
            self.names.operator(operator);
        }
        if !operators::known(&name) {
            self.raise(Effect::Unknown);
            self.flag(Flag::VolatileFunction);
        }
    }

    fn call(&mut self, call: &FuncCall, to: Use) {
        let name = parts(&call.funcname);
        self.judged(&name);
        functions::check_arguments(self, &name, call);
        let counts = matches!(name.as_slice(), ["count"] | ["pg_catalog", "count"]);
        let around = if to == Use::Filter { to } else { Use::Value };
        let inner = if counts { Use::Filter } else { around };
        if counts {
            self.conditions(&call.args);
        } else {
            let frame = self.gathered(|w| w.exprs(&call.args, inner)).1;
            self.inference.read_around(&frame);
            // In a select list, too, it makes as many rows as it returns.
            if functions::returns_set(&name) {
                self.makes_rows(frame, relation::has_own_length(call));
            }
        }
        if call.agg_within_group {
            self.exprs(&call.agg_order, inner);
        } else {
            self.keys(&call.agg_order, inner);
        }
        self.condition(&call.agg_filter);
        if let Some(window) = &call.over {
            self.window(window, around);
        }
    }

    /// Takes in what calling a function of this name means.
    pub(super) fn judged(&mut self, name: &[&str]) {
        if let [function] = name {
            self.names.function(function);
        }
        match functions::judge(name) {
            Judgement::Safe => return,
            Judgement::Reads => {
                self.raise(Effect::Read);
                self.resources.touch(ResourceKind::Function, name.join("."), false);
                return;
            }
            Judgement::Does(effect, flags) => {
                self.raise(effect);
                flags.iter().for_each(|f| self.flag(*f));
            }
            Judgement::Unknown => {
                self.raise(Effect::Unknown);
                self.lineage.flows("*");
            }
        }
        self.flag(Flag::VolatileFunction);
        self.resources.touch(ResourceKind::Function, name.join("."), false);
    }

    pub(super) fn window(&mut self, window: &WindowDef, to: Use) {
        self.keys(&window.partition_clause, to);
        self.keys(&window.order_clause, to);
        self.maybe(&window.start_offset, to);
        self.maybe(&window.end_offset, to);
    }

    fn sublink(&mut self, link: &SubLink, to: Use) {
        self.columns_seen += 1;
        self.maybe(&link.testexpr, to);
        if !link.oper_name.is_empty() {
            self.operator(&link.oper_name);
        } else if link.testexpr.is_some() {
            // a IN (SELECT b): a = b.
            self.names.operator("=");
        }
        let exists = link.sub_link_type() == SubLinkType::ExistsSublink;
        match inside(&link.subselect) {
            // Whether there are rows: what they hold is in nobody's eyes.
            Some(query) if exists => self.aside(|w| {
                w.query(query, false);
            }),
            Some(query) => {
                self.query(query, to != Use::Filter);
            }
            None => self.unplaced(),
        }
    }
}
