//! Items of a from list.

use std::collections::BTreeSet;

use pg_query::NodeEnum;
use pg_query::protobuf::{
    Alias, FuncCall, JoinExpr, JsonTable, RangeFunction, RangeSubselect, RangeTableFunc,
    RangeTableSample, RangeVar,
};
use weir_model::{Effect, ResourceKind};

use super::expression::Use;
use super::inference::Frame;
use super::label::ANY;
use super::names::{dotted, each, inside, parts, relation};
use super::scope::Source;
use super::walk::Walk;
use super::{filter, functions};

impl Walk {
    /// Reads a from list.
    pub(super) fn relations(&mut self, list: &[pg_query::Node]) {
        for node in each(list) {
            self.relation(node);
        }
    }

    /// Reads an item of a from list.
    pub(super) fn relation(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::RangeVar(var) => self.table(var),
            NodeEnum::JoinExpr(join) => self.join(join),
            NodeEnum::RangeSubselect(sub) => self.subselect(sub),
            NodeEnum::RangeFunction(function) => self.function_item(function),
            NodeEnum::RangeTableFunc(table) => self.xml_table(table),
            NodeEnum::JsonTable(table) => self.json_table(table),
            NodeEnum::RangeTableSample(sample) => self.sample(sample),
            _ => self.unplaced(),
        }
    }

    fn table(&mut self, var: &RangeVar) {
        let alias = var.alias.as_ref();
        let name = alias.map_or(var.relname.as_str(), |a| a.aliasname.as_str());
        let with = var.schemaname.is_empty() && self.scopes.is_with(&var.relname);
        let source = if with {
            Source::Derived
        } else {
            if system(var).is_some_and(|name| SERVERS_FILES.contains(&name)) {
                self.raise(Effect::Admin);
            }
            Source::Table(self.resources.touch(ResourceKind::Table, relation(var), false))
        };
        // t(a, b) renames the first columns, whatever they are.
        for column in alias.iter().flat_map(|a| parts(&a.colnames)) {
            self.renamed_from_any(column);
            if let Source::Table(at) = source {
                self.resources.column(at, "*");
            }
        }
        self.scopes.add(name, source);
    }

    fn join(&mut self, join: &JoinExpr) {
        for side in [&join.larg, &join.rarg] {
            match inside(side) {
                Some(node) => self.relation(node),
                None => self.unplaced(),
            }
        }
        if join.is_natural || !join.using_clause.is_empty() {
            self.names.operator("=");
        }
        // A merged column has an origin only where both sides have one type and no side is full.
        for column in parts(&join.using_clause) {
            self.lineage.flows(column);
            self.any_table(column);
            self.inference.same(BTreeSet::from([column.to_owned()]));
        }
        if join.is_natural {
            self.lineage.flows("*");
            self.any_table("*");
            self.inference.same(BTreeSet::from([ANY.to_owned()]));
        }
        self.condition(&join.quals);
        self.joined(join.alias.as_ref());
        if let Some(alias) = &join.join_using_alias {
            self.scopes.add(&alias.aliasname, Source::Join);
        }
    }

    /// An alias around a join.
    fn joined(&mut self, alias: Option<&Alias>) {
        let Some(alias) = alias else { return };
        for column in parts(&alias.colnames) {
            self.renamed_from_any(column);
            self.any_table("*");
        }
        self.scopes.add(&alias.aliasname, Source::Join);
    }

    fn subselect(&mut self, sub: &RangeSubselect) {
        let outputs = self.derived(&sub.subquery);
        if let Some(alias) = &sub.alias {
            self.rename(&alias.colnames, &outputs);
            self.scopes.add(&alias.aliasname, Source::Derived);
        }
    }

    fn function_item(&mut self, from: &RangeFunction) {
        let mut columns = Vec::new();
        let mut inputs = Frame::default();
        let mut rows = false;
        let mut default_name = None;
        for item in each(&from.functions) {
            let NodeEnum::List(list) = item else {
                self.unplaced();
                continue;
            };
            // Each item is the call and its column definitions, which may be absent.
            if let Some(call) = list.items.first().and_then(|n| n.node.as_ref()) {
                if let NodeEnum::FuncCall(call) = call {
                    let name = parts(&call.funcname).last().map_or("", |n| *n).to_owned();
                    rows |= name.contains("populate_record");
                    columns.push(name.clone());
                    default_name = Some(name);
                }
                let frame = self.gathered(|w| w.expr(call, Use::Value)).1;
                inputs.merge(frame.clone());
                let decides = match call {
                    NodeEnum::FuncCall(call) => has_own_length(call),
                    _ => true,
                };
                self.makes_rows(frame, decides);
            }
            for definitions in each(list.items.get(1..).unwrap_or_default()) {
                self.column_definitions(definitions, &mut columns);
            }
        }
        for definition in each(&from.coldeflist) {
            self.column_definitions(definition, &mut columns);
        }
        let mut name = default_name.unwrap_or_default();
        let named = from.alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty());
        if let Some(alias) = &from.alias {
            columns.push(alias.aliasname.clone());
            columns.extend(parts(&alias.colnames).into_iter().map(str::to_owned));
            name.clone_from(&alias.aliasname);
        }
        if !named {
            self.inference.computed(ANY, &inputs.inputs());
        }
        let inputs = inputs.inputs();
        columns.iter().for_each(|column| self.inference.computed(column, &inputs));
        let source = if rows { Source::Derived } else { Source::Function(columns) };
        self.scopes.add(&name, source);
    }

    fn column_definitions(&mut self, node: &NodeEnum, columns: &mut Vec<String>) {
        match node {
            NodeEnum::ColumnDef(def) => {
                self.a_type(def.type_name.as_ref());
                columns.push(def.colname.clone());
            }
            NodeEnum::List(list) => {
                for item in each(&list.items) {
                    self.column_definitions(item, columns);
                }
            }
            _ => self.unplaced(),
        }
    }

    fn xml_table(&mut self, table: &RangeTableFunc) {
        let inputs = self.gathered(|w| w.xml_inputs(table)).1;
        self.inference.decisive(&inputs);
        self.inference.computed(ANY, &inputs.inputs());
        if let Some(alias) = &table.alias {
            self.scopes.add(&alias.aliasname, Source::Derived);
        }
    }

    fn xml_inputs(&mut self, table: &RangeTableFunc) {
        self.maybe(&table.docexpr, Use::Value);
        self.maybe(&table.rowexpr, Use::Value);
        self.exprs(&table.namespaces, Use::Value);
        for node in each(&table.columns) {
            let NodeEnum::RangeTableFuncCol(column) = node else {
                self.unplaced();
                continue;
            };
            self.a_type(column.type_name.as_ref());
            self.maybe(&column.colexpr, Use::Value);
            self.maybe(&column.coldefexpr, Use::Value);
        }
    }

    fn json_table(&mut self, table: &JsonTable) {
        let inputs = self.gathered(|w| w.json_inputs(table)).1;
        self.inference.decisive(&inputs);
        self.inference.computed(ANY, &inputs.inputs());
        if let Some(alias) = &table.alias {
            self.scopes.add(&alias.aliasname, Source::Derived);
        }
    }

    fn json_inputs(&mut self, table: &JsonTable) {
        if let Some(item) = &table.context_item {
            self.json_value(item, Use::Value);
        }
        if let Some(path) = &table.pathspec {
            self.maybe(&path.string, Use::Value);
        }
        self.exprs(&table.passing, Use::Value);
        self.json_columns(&table.columns);
        self.json_behavior(&table.on_error, Use::Value);
    }

    fn json_columns(&mut self, list: &[pg_query::Node]) {
        for node in each(list) {
            let NodeEnum::JsonTableColumn(column) = node else {
                self.unplaced();
                continue;
            };
            self.a_type(column.type_name.as_ref());
            if let Some(path) = &column.pathspec {
                self.maybe(&path.string, Use::Value);
            }
            self.json_columns(&column.columns);
            self.json_behavior(&column.on_empty, Use::Value);
            self.json_behavior(&column.on_error, Use::Value);
        }
    }

    fn sample(&mut self, sample: &RangeTableSample) {
        match inside(&sample.relation) {
            Some(node) => self.relation(node),
            None => self.unplaced(),
        }
        let method = dotted(&sample.method);
        let name = method.strip_prefix("pg_catalog.").unwrap_or(&method);
        if !matches!(name, "bernoulli" | "system") {
            self.unplaced();
        }
        let frame = self.gathered(|w| {
            w.exprs(&sample.args, Use::Filter);
            w.maybe(&sample.repeatable, Use::Filter);
        });
        self.inference.decisive(&frame.1);
    }
}

/// Views that read the server's own files, as functions do that only administrators call.
const SERVERS_FILES: [&str; 3] =
    ["pg_file_settings", "pg_hba_file_rules", "pg_ident_file_mappings"];

/// The name of a relation that may be one of the system's own.
pub(super) fn system(var: &RangeVar) -> Option<&str> {
    let place = matches!(var.schemaname.as_str(), "" | "pg_catalog");
    (place && var.relname.starts_with("pg_")).then_some(var.relname.as_str())
}

/// Whether a function's arguments may decide how many rows it has, more than by the length of a value:
/// `unnest(tags)` and `json_each(document)` have the rows that the value has.
pub(super) fn has_own_length(call: &FuncCall) -> bool {
    let name = parts(&call.funcname).last().map_or("", |name| *name);
    let simple = |node| filter::is_plain(node) || functions::is_given(node);
    name == "generate_series" || !each(&call.args).all(simple)
}
