//! Output columns: what they are called, and what is behind them.

use pg_query::NodeEnum;
use pg_query::protobuf::{SelectStmt, SetOperation};

use super::expression::Use;
use super::inference::{Frame, Inputs};
use super::label::{ANY, column_name};
use super::names::{each, inside, text};
use super::walk::Walk;

/// The output columns of a query.
#[derive(Default)]
pub(super) struct Outputs {
    columns: Vec<Output>,
    /// Whether the n-th of them is the query's n-th.
    placed: bool,
}

struct Output {
    name: String,
    /// The bare column behind it.
    column: Option<String>,
    /// What it is computed from, where there is no bare column.
    from: Inputs,
}

impl Output {
    fn behind(&self) -> impl Iterator<Item = &String> {
        self.column.iter().chain(self.from.iter())
    }
}

impl Walk {
    /// The columns of a VALUES list.
    pub(super) fn values(&mut self, lists: &[pg_query::Node]) -> Outputs {
        let ((), frame) = self.gathered(|w| w.exprs(lists, Use::Value));
        self.inference.read_around(&frame);
        let width = match each(lists).next() {
            Some(NodeEnum::List(row)) => row.items.len(),
            _ => 0,
        };
        let from = frame.inputs();
        let named = |place: usize| {
            let name = format!("column{place}");
            Output { name, column: None, from: from.clone() }
        };
        Outputs { columns: (1..=width).map(named).collect(), placed: true }
    }

    /// The columns are called as the first query calls them, and hold those of all.
    pub(super) fn set_operation(&mut self, s: &SelectStmt) -> Outputs {
        let (mut outputs, mut other) = (Outputs::default(), Outputs::default());
        let ((), frame) = self.gathered(|w| {
            other = s.rarg.as_ref().map(|side| w.select(side, true)).unwrap_or_default();
            outputs = s.larg.as_ref().map(|side| w.select(side, true)).unwrap_or_default();
        });
        self.inference.read_around(&frame);
        if !(s.op() == SetOperation::SetopUnion && s.all) {
            self.matched(&outputs, &other, &frame);
        }
        let from = frame.inputs();
        for output in &mut outputs.columns {
            output.column = None;
            output.from = from.clone();
        }
        outputs
    }

    /// UNION, INTERSECT and EXCEPT find rows that are the same.
    fn matched(&mut self, left: &Outputs, right: &Outputs, all: &Frame) {
        if left.placed && right.placed {
            for (one, other) in left.columns.iter().zip(&right.columns) {
                self.inference.same(one.behind().chain(other.behind()).cloned().collect());
            }
        } else {
            self.inference.same(all.names());
        }
    }

    /// DISTINCT finds rows that are the same.
    pub(super) fn told_apart(&mut self, outputs: &Outputs) {
        if !outputs.placed {
            self.inference.looked(ANY);
        }
        for output in &outputs.columns {
            match &output.column {
                Some(column) => self.inference.looked(column),
                None if output.from.len() > 1 => self.inference.same((*output.from).clone()),
                None => {}
            }
        }
    }

    /// A select or RETURNING list.
    pub(super) fn targets(&mut self, list: &[pg_query::Node], flows: bool) -> Outputs {
        let mut outputs = Outputs { columns: Vec::with_capacity(list.len()), placed: true };
        for node in each(list) {
            let NodeEnum::ResTarget(target) = node else {
                self.unplaced();
                continue;
            };
            let Some(value) = inside(&target.val) else {
                self.unplaced();
                continue;
            };
            let name = column_name(target, value).to_owned();
            let output = match value {
                NodeEnum::ColumnRef(column) => {
                    self.expr(value, if flows { Use::Value } else { Use::Listed });
                    match each(&column.fields).last() {
                        Some(NodeEnum::AStar(_)) => {
                            outputs.placed = false;
                            continue;
                        }
                        Some(NodeEnum::String(s)) => {
                            if !target.name.is_empty() {
                                self.lineage.renamed(&target.name, &s.sval);
                            }
                            Output { name, column: Some(s.sval.clone()), from: Inputs::default() }
                        }
                        _ => {
                            self.unplaced();
                            continue;
                        }
                    }
                }
                _ => {
                    // (x).* and (x).field: the parser cannot tell a row from a table's own.
                    if let NodeEnum::AIndirection(_) = value {
                        outputs.placed = false;
                    }
                    Output { name, column: None, from: self.computes(value) }
                }
            };
            outputs.columns.push(output);
        }
        outputs
    }

    /// A column has a new name, and it is not known which.
    pub(super) fn renamed_from_any(&mut self, alias: &str) {
        self.lineage.renamed(alias, ANY);
        self.inference.unplaced(alias);
    }

    /// A query's columns as the query around it knows them, under the aliases of `s(a, b)` and
    /// `WITH c(a, b)`.
    pub(super) fn rename(&mut self, aliases: &[pg_query::Node], outputs: &Outputs) {
        let mut aliases = each(aliases).filter_map(text);
        for output in &outputs.columns {
            let alias = if outputs.placed { aliases.next() } else { None };
            match (&output.column, alias) {
                (Some(column), Some(alias)) => self.lineage.renamed(alias, column),
                (Some(_), None) => {}
                (None, alias) => {
                    self.inference.computed(alias.unwrap_or(&output.name), &output.from);
                }
            }
        }
        if !outputs.placed {
            aliases.for_each(|alias| self.renamed_from_any(alias));
        }
    }
}
