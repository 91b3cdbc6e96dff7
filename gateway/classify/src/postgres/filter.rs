//! Expressions that decide which rows there are, in which order and how many: conditions, keys, limits.

use pg_query::protobuf::{AExpr, AExprKind, ResTarget, SelectStmt, SetOperation};
use pg_query::{Node, NodeEnum};

use super::expression::Use;
use super::inference::{Frame, Inputs};
use super::label::column_name;
use super::names::{each, inside, literal, parts};
use super::walk::Walk;

impl Walk {
    /// Reads a condition. What AND, OR and NOT connect is compared on its own.
    pub(super) fn condition(&mut self, node: &Option<Box<Node>>) {
        if let Some(node) = inside(node) {
            self.predicate(node);
        }
    }

    /// Reads conditions.
    pub(super) fn conditions(&mut self, list: &[Node]) {
        each(list).for_each(|node| self.predicate(node));
    }

    fn predicate(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::BoolExpr(e) => self.conditions(&e.args),
            NodeEnum::AExpr(e) => match inside(&e.lexpr) {
                Some(NodeEnum::RowExpr(row)) => self.row(e, &row.args),
                _ => self.compare(node),
            },
            _ => self.compare(node),
        }
    }

    fn compare(&mut self, node: &NodeEnum) {
        let frame = self.gathered(|w| w.expr(node, Use::Filter)).1;
        self.inference.compared(frame);
    }

    /// `(a, b) > (1, 2)`: each column meets what stands in its place.
    fn row(&mut self, e: &AExpr, left: &[Node]) {
        self.operator(&e.name);
        let one = |w: &mut Self, node: &NodeEnum| w.gathered(|w| w.expr(node, Use::Filter)).1;
        let mut frames: Vec<Frame> = each(left).map(|node| one(self, node)).collect();
        match inside(&e.rexpr) {
            Some(NodeEnum::RowExpr(right)) if right.args.len() == frames.len() => {
                for (frame, node) in frames.iter_mut().zip(each(&right.args)) {
                    frame.merge(one(self, node));
                }
            }
            Some(right) => {
                let right = one(self, right);
                if !right.is_empty() {
                    let whole = frames.drain(..).fold(right, |mut whole, frame| {
                        whole.merge(frame);
                        whole
                    });
                    frames.push(whole);
                }
            }
            None => {}
        }
        let each_alone =
            matches!(e.kind(), AExprKind::AexprOp | AExprKind::AexprIn | AExprKind::AexprOpAny);
        if each_alone {
            frames.into_iter().for_each(|frame| self.inference.compared(frame));
        } else {
            let mut whole = Frame::default();
            frames.into_iter().for_each(|frame| whole.merge(frame));
            self.inference.compared(whole);
        }
    }

    /// What is read, with the columns that it looks at.
    pub(super) fn gathered<R>(&mut self, body: impl FnOnce(&mut Self) -> R) -> (R, Frame) {
        self.inference.open();
        let result = body(self);
        (result, self.inference.close())
    }

    /// What is read here is compared with nothing around.
    pub(super) fn aside<R>(&mut self, body: impl FnOnce(&mut Self) -> R) -> R {
        self.gathered(body).0
    }

    /// A function has as many rows as what it is given says, or has.
    pub(super) fn makes_rows(&mut self, given: Frame, has_own_length: bool) {
        if has_own_length {
            self.inference.decisive(&given);
        } else {
            self.inference.compared(given);
        }
    }

    /// Reads how many rows there may be.
    pub(super) fn limit(&mut self, node: &Option<Box<Node>>) {
        let frame = self.gathered(|w| w.maybe(node, Use::Filter)).1;
        self.inference.decisive(&frame);
    }

    /// Reads what the rows of a query are ordered by, or told apart by.
    pub(super) fn ordered(&mut self, s: &SelectStmt) {
        for node in each(&s.sort_clause).chain(each(&s.distinct_clause)) {
            let Some(key) = self.sort_key(node) else { continue };
            match output(s, key) {
                Output::Itself(key) => self.order(key),
                Output::Any => computed(s).for_each(|key| self.order(key)),
            }
        }
    }

    fn order(&mut self, key: &NodeEnum) {
        let plain = is_plain(key);
        let frame = self.gathered(|w| w.expr(key, Use::Filter)).1;
        if plain {
            self.inference.sorted(frame);
        } else {
            self.inference.decisive(&frame);
        }
    }

    /// Reads what values are grouped, partitioned or ordered by on their way into another: anything but
    /// a column in its own order goes into it, too.
    pub(super) fn keys(&mut self, list: &[Node], to: Use) {
        for node in each(list) {
            match node {
                NodeEnum::GroupingSet(set) => self.keys(&set.content, to),
                _ => {
                    let Some(key) = self.sort_key(node) else { continue };
                    let plain = is_plain(key);
                    let frame =
                        self.gathered(|w| w.expr(key, if plain { Use::Filter } else { to })).1;
                    if !plain {
                        self.inference.read_around(&frame);
                    }
                    self.inference.compared(frame);
                }
            }
        }
    }

    /// What a key is sorted by; any other node is itself.
    pub(super) fn sort_key<'n>(&mut self, node: &'n NodeEnum) -> Option<&'n NodeEnum> {
        let NodeEnum::SortBy(sort) = node else {
            return Some(node);
        };
        if !sort.use_op.is_empty() {
            self.operator(&sort.use_op);
        }
        let key = inside(&sort.node);
        if key.is_none() {
            self.unplaced();
        }
        key
    }

    /// Reads a computed output column, and notes what it is computed from.
    pub(super) fn computes(&mut self, value: &NodeEnum) -> Inputs {
        let frame = self.gathered(|w| w.expr(value, Use::Value)).1;
        self.inference.read_around(&frame);
        frame.inputs()
    }
}

/// A column, or one in its own order with case or collation aside.
pub(super) fn is_plain(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::ColumnRef(_) => true,
        NodeEnum::CollateClause(e) => inside(&e.arg).is_some_and(is_plain),
        NodeEnum::TypeCast(e) => inside(&e.arg).is_some_and(is_plain),
        NodeEnum::FuncCall(call) => {
            let name = parts(&call.funcname);
            let folds =
                matches!(name.as_slice(), ["lower" | "upper"] | ["pg_catalog", "lower" | "upper"]);
            folds && call.args.len() == 1 && each(&call.args).all(is_plain)
        }
        _ => false,
    }
}

/// What a key stands for.
enum Output<'s> {
    /// This expression, its own or that of the output column which it names or counts.
    Itself(&'s NodeEnum),
    /// Any output column: a star before it hides how many there are.
    Any,
}

fn output<'s>(s: &'s SelectStmt, key: &'s NodeEnum) -> Output<'s> {
    // A set operation's columns have no origin, whatever they are ordered by.
    if s.op() != SetOperation::SetopNone && s.op() != SetOperation::Undefined {
        return Output::Itself(key);
    }
    let found = match key {
        NodeEnum::AConst(_) => {
            let place = literal(key).and_then(|place| place.parse::<usize>().ok());
            let Some(place) = place.and_then(|place| place.checked_sub(1)) else {
                return Output::Any;
            };
            if targets(s).take(place + 1).any(|(_, value)| is_star(value)) {
                return Output::Any;
            }
            targets(s).nth(place)
        }
        NodeEnum::ColumnRef(column) => match parts(&column.fields).as_slice() {
            [name] if column.fields.len() == 1 => {
                targets(s).find(|(target, value)| column_name(target, value) == *name)
            }
            _ => None,
        },
        _ => None,
    };
    Output::Itself(found.map_or(key, |(_, value)| value))
}

fn targets(s: &SelectStmt) -> impl Iterator<Item = (&ResTarget, &NodeEnum)> {
    each(&s.target_list).filter_map(|node| match node {
        NodeEnum::ResTarget(target) => Some((&**target, inside(&target.val)?)),
        _ => None,
    })
}

/// The output columns that are no bare columns.
fn computed(s: &SelectStmt) -> impl Iterator<Item = &NodeEnum> {
    targets(s).map(|(_, value)| value).filter(|value| !matches!(value, NodeEnum::ColumnRef(_)))
}

/// Whether it may be any number of columns.
fn is_star(value: &NodeEnum) -> bool {
    let path = match value {
        NodeEnum::ColumnRef(column) => &column.fields,
        NodeEnum::AIndirection(field) => &field.indirection,
        _ => return false,
    };
    each(path).any(|step| matches!(step, NodeEnum::AStar(_)))
}
