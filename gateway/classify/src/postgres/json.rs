//! SQL/JSON: constructors, aggregates, queries.

use pg_query::NodeEnum;
use pg_query::protobuf::{JsonAggConstructor, JsonBehavior, JsonValueExpr};

use super::expression::Use;
use super::names::inside;
use super::walk::Walk;

impl Walk {
    /// Reads an expression of SQL/JSON.
    pub(super) fn json(&mut self, node: &NodeEnum, to: Use) {
        use NodeEnum as N;
        match node {
            N::JsonValueExpr(e) => self.json_value(e, to),
            N::JsonIsPredicate(e) => self.maybe(&e.expr, to),
            N::JsonScalarExpr(e) => {
                self.json_output(e.output.as_ref());
                self.maybe(&e.expr, to);
            }
            N::JsonParseExpr(e) => {
                self.json_output(e.output.as_ref());
                e.expr.iter().for_each(|v| self.json_value(v, to));
            }
            N::JsonSerializeExpr(e) => {
                self.json_output(e.output.as_ref());
                e.expr.iter().for_each(|v| self.json_value(v, to));
            }
            N::JsonArgument(e) => e.val.iter().for_each(|v| self.json_value(v, to)),
            N::JsonKeyValue(e) => {
                self.maybe(&e.key, to);
                e.value.iter().for_each(|v| self.json_value(v, to));
            }
            N::JsonObjectConstructor(e) => {
                self.json_output(e.output.as_ref());
                self.exprs(&e.exprs, to);
            }
            N::JsonArrayConstructor(e) => {
                self.json_output(e.output.as_ref());
                self.exprs(&e.exprs, to);
            }
            N::JsonArrayQueryConstructor(e) => {
                self.json_output(e.output.as_ref());
                match inside(&e.query) {
                    Some(query) => {
                        self.query(query, to != Use::Filter);
                    }
                    None => self.unplaced(),
                }
            }
            N::JsonObjectAgg(e) => {
                if let Some(pair) = &e.arg {
                    self.maybe(&pair.key, to);
                    pair.value.iter().for_each(|v| self.json_value(v, to));
                }
                e.constructor.iter().for_each(|c| self.json_aggregate(c, to));
            }
            N::JsonArrayAgg(e) => {
                e.arg.iter().for_each(|v| self.json_value(v, to));
                e.constructor.iter().for_each(|c| self.json_aggregate(c, to));
            }
            N::JsonBehavior(e) => self.maybe(&e.expr, to),
            N::JsonTablePathSpec(e) => self.maybe(&e.string, to),
            N::JsonFuncExpr(e) => {
                self.json_output(e.output.as_ref());
                e.context_item.iter().for_each(|v| self.json_value(v, to));
                self.maybe(&e.pathspec, to);
                self.exprs(&e.passing, to);
                self.json_behavior(&e.on_empty, to);
                self.json_behavior(&e.on_error, to);
            }
            _ => self.unplaced(),
        }
    }

    fn json_aggregate(&mut self, aggregate: &JsonAggConstructor, to: Use) {
        self.json_output(aggregate.output.as_ref());
        self.condition(&aggregate.agg_filter);
        self.keys(&aggregate.agg_order, to);
        if let Some(window) = &aggregate.over {
            self.window(window, to);
        }
    }

    pub(super) fn json_value(&mut self, value: &JsonValueExpr, to: Use) {
        self.maybe(&value.raw_expr, to);
        self.maybe(&value.formatted_expr, to);
    }

    pub(super) fn json_behavior(&mut self, behavior: &Option<Box<JsonBehavior>>, to: Use) {
        if let Some(behavior) = behavior {
            self.maybe(&behavior.expr, to);
        }
    }
}
