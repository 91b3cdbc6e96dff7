//! Where a statement says the value of a column: `email = 'x'`, `email IN ($1, $2)`, `SET email = $1`.
//!
//! Finds few places surely rather than many: what is no plain comparison or assignment of a column whose
//! table can be told is left out, and so is the whole statement where a name may mean something else
//! (`WITH`, several statements, anything but SELECT, INSERT, UPDATE and DELETE).

use std::collections::BTreeMap;

use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::{
    AConst, AExpr, AExprKind, ColumnRef, InsertStmt, RangeVar, SelectStmt, SetOperation, SubLink,
    SubLinkType, TypeCast, UpdateStmt,
};
use pg_query::{Node, NodeEnum};

use super::names::{each, inside, parts, relation};

/// Something that a client gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A plain literal: where it stands, with its quotes, and what it says.
    Literal {
        /// Its first byte.
        start: usize,
        /// One past its last byte.
        end: usize,
        /// What it says.
        text: String,
    },
    /// A parameter, from 1 on.
    Parameter(usize),
}

/// A place where a statement says the value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What stands there.
    pub given: Given,
    /// The column's name.
    pub column: String,
    /// The relations that the column may be of, as written; it is surely of one of them.
    pub relations: Vec<String>,
    /// Whether it is stored there, rather than compared.
    pub written: bool,
}

/// The places of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// All that were found.
    pub places: Vec<Place>,
    /// How often the text has each parameter, comments and literals included.
    pub uses: BTreeMap<usize, usize>,
}

impl Places {
    /// Whether every use of a parameter is one of these places.
    pub fn are_all(&self, parameter: usize, places: usize) -> bool {
        self.uses.get(&parameter) == Some(&places)
    }
}

/// Finds the places of a text that is one statement.
pub(crate) fn places(text: &str) -> Places {
    let Ok(tree) = weir_pgtree::parse(text) else { return Places::default() };
    let [statement] = tree.statements.as_slice() else { return Places::default() };
    let mut finder = Finder { text, levels: Vec::new(), places: Vec::new() };
    match inside(&statement.stmt) {
        Some(NodeEnum::SelectStmt(s)) => finder.select(s),
        Some(NodeEnum::InsertStmt(s)) => finder.insert(s),
        Some(NodeEnum::UpdateStmt(s)) => finder.update(s),
        Some(NodeEnum::DeleteStmt(s)) if s.with_clause.is_none() => {
            let mut level = Level::of(s.relation.as_ref());
            level.from(&s.using_clause);
            finder.inside(level, |f| {
                f.from(&s.using_clause);
                f.condition(&s.where_clause);
            });
        }
        _ => {}
    }
    Places { places: finder.places, uses: uses(text) }
}

/// How often `$n` stands in a text, wherever.
fn uses(text: &str) -> BTreeMap<usize, usize> {
    let mut uses = BTreeMap::new();
    for after in text.split('$').skip(1) {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if let Ok(number) = after[..digits].parse() {
            *uses.entry(number).or_insert(0) += 1;
        }
    }
    uses
}

/// The relations of one query level.
#[derive(Default)]
struct Level {
    /// By the name that columns are qualified with: the relation, or `None` where it is no plain one.
    names: Vec<(String, Option<String>)>,
    /// Something whose columns are not known is among them.
    blurred: bool,
}

impl Level {
    fn of(table: Option<&RangeVar>) -> Self {
        let mut level = Self::default();
        match table {
            Some(table) => level.table(table),
            None => level.blurred = true,
        }
        level
    }

    fn table(&mut self, table: &RangeVar) {
        // Aliases of columns may give a column's name to another.
        let renamed = table.alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty());
        let name = table.alias.as_ref().map_or(&table.relname, |alias| &alias.aliasname);
        let plain = !renamed && table.catalogname.is_empty();
        self.blurred |= !plain;
        self.names.push((name.clone(), plain.then(|| relation(table))));
    }

    fn from(&mut self, from: &[Node]) {
        each(from).for_each(|node| self.item(node));
    }

    fn item(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::RangeVar(table) => self.table(table),
            NodeEnum::JoinExpr(join) if join.alias.is_none() && join.join_using_alias.is_none() => {
                [&join.larg, &join.rarg].into_iter().filter_map(inside).for_each(|n| self.item(n));
            }
            NodeEnum::RangeSubselect(s) => {
                self.blurred = true;
                if let Some(alias) = &s.alias {
                    self.names.push((alias.aliasname.clone(), None));
                }
            }
            // Its names are not known: none of this level's and of those around can be told.
            _ => {
                self.blurred = true;
                self.names.clear();
                self.names.push((ANY.to_owned(), None));
            }
        }
    }
}

/// Stands for every name in a level.
const ANY: &str = "*";

struct Finder<'a> {
    text: &'a str,
    /// Innermost last.
    levels: Vec<Level>,
    places: Vec<Place>,
}

impl Finder<'_> {
    fn inside(&mut self, level: Level, body: impl FnOnce(&mut Self)) {
        self.levels.push(level);
        body(self);
        self.levels.pop();
    }

    fn select(&mut self, s: &SelectStmt) {
        if s.with_clause.is_some() || s.into_clause.is_some() {
            return;
        }
        if s.op() != SetOperation::SetopNone {
            [&s.larg, &s.rarg].into_iter().flatten().for_each(|side| self.select(side));
            return;
        }
        let mut level = Level::default();
        level.from(&s.from_clause);
        self.inside(level, |f| {
            f.from(&s.from_clause);
            f.condition(&s.where_clause);
        });
    }

    /// Conditions of joins, and queries in a from list.
    fn from(&mut self, from: &[Node]) {
        each(from).for_each(|node| self.source(node));
    }

    fn source(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::JoinExpr(join) => {
                [&join.larg, &join.rarg]
                    .into_iter()
                    .filter_map(inside)
                    .for_each(|n| self.source(n));
                self.condition(&join.quals);
            }
            NodeEnum::RangeSubselect(s) if !s.lateral => {
                if let Some(NodeEnum::SelectStmt(query)) = inside(&s.subquery) {
                    // It does not see its neighbours.
                    let own = self.levels.pop();
                    self.select(query);
                    self.levels.extend(own);
                }
            }
            _ => {}
        }
    }

    fn condition(&mut self, node: &Option<Box<Node>>) {
        if let Some(node) = inside(node) {
            self.predicate(node);
        }
    }

    fn predicate(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::BoolExpr(e) => each(&e.args).for_each(|node| self.predicate(node)),
            NodeEnum::AExpr(e) => self.compare(e),
            NodeEnum::SubLink(link) => self.sublink(link),
            _ => {}
        }
    }

    fn sublink(&mut self, link: &SubLink) {
        let known =
            matches!(link.sub_link_type(), SubLinkType::ExistsSublink | SubLinkType::AnySublink);
        if let (true, Some(NodeEnum::SelectStmt(query))) = (known, inside(&link.subselect)) {
            self.select(query);
        }
    }

    fn compare(&mut self, e: &AExpr) {
        let (Some(left), Some(right)) = (inside(&e.lexpr), inside(&e.rexpr)) else { return };
        let operator = parts(&e.name);
        match (e.kind(), operator.as_slice()) {
            (AExprKind::AexprOp, ["=" | "<>"]) => match (left, right) {
                (NodeEnum::ColumnRef(column), given) | (given, NodeEnum::ColumnRef(column)) => {
                    self.compared(column, std::iter::once(given));
                }
                _ => {}
            },
            (AExprKind::AexprIn, ["=" | "<>"])
            | (AExprKind::AexprOpAny, ["="])
            | (AExprKind::AexprOpAll, ["<>"]) => match (left, right) {
                (NodeEnum::ColumnRef(column), NodeEnum::List(list)) => {
                    self.compared(column, each(&list.items));
                }
                (NodeEnum::ColumnRef(column), NodeEnum::AArrayExpr(array)) => {
                    self.compared(column, each(&array.elements));
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn compared<'n>(&mut self, column: &ColumnRef, given: impl Iterator<Item = &'n NodeEnum>) {
        let Some((column, relations)) = self.column(column) else { return };
        for node in given {
            self.place(node, &column, &relations, false);
        }
    }

    fn insert(&mut self, s: &InsertStmt) {
        let (Some(table), Some(NodeEnum::SelectStmt(rows))) =
            (s.relation.as_ref(), inside(&s.select_stmt))
        else {
            return;
        };
        let plain = s.with_clause.is_none()
            && s.on_conflict_clause.is_none()
            && rows.with_clause.is_none()
            && table.catalogname.is_empty();
        if !plain {
            return;
        }
        let relations = [relation(table)];
        for row in each(&rows.values_lists) {
            let NodeEnum::List(row) = row else { continue };
            for (target, node) in each(&s.cols).zip(each(&row.items)) {
                self.assigned(target, node, &relations);
            }
        }
    }

    fn update(&mut self, s: &UpdateStmt) {
        let Some(table) = s.relation.as_ref().filter(|_| s.with_clause.is_none()) else { return };
        if table.catalogname.is_empty() {
            for target in each(&s.target_list) {
                if let NodeEnum::ResTarget(t) = target
                    && let Some(node) = inside(&t.val)
                {
                    self.assigned(target, node, &[relation(table)]);
                }
            }
        }
        let mut level = Level::of(Some(table));
        level.from(&s.from_clause);
        self.inside(level, |f| {
            f.from(&s.from_clause);
            f.condition(&s.where_clause);
        });
    }

    fn assigned(&mut self, target: &NodeEnum, node: &NodeEnum, relations: &[String]) {
        if let NodeEnum::ResTarget(target) = target
            && target.indirection.is_empty()
        {
            self.place(node, &target.name, relations, true);
        }
    }

    fn place(&mut self, node: &NodeEnum, column: &str, relations: &[String], written: bool) {
        if let Some(given) = self.given(node) {
            let (column, relations) = (column.to_owned(), relations.to_vec());
            self.places.push(Place { given, column, relations, written });
        }
    }

    /// A column's name, and the relations that it may be of.
    fn column(&self, column: &ColumnRef) -> Option<(String, Vec<String>)> {
        let names = parts(&column.fields);
        if names.len() != column.fields.len() {
            return None;
        }
        match names.as_slice() {
            [name] => {
                let level = self.levels.last().filter(|level| !level.blurred)?;
                let relations = level.names.iter().filter_map(|(_, relation)| relation.clone());
                Some(((*name).to_owned(), relations.collect()))
            }
            [qualifier, name] => {
                let found = self.levels.iter().rev().flat_map(|level| &level.names);
                let mut found = found.filter(|(own, _)| own == qualifier || own == ANY);
                let relation = found.next()?.1.clone()?;
                Some(((*name).to_owned(), vec![relation]))
            }
            _ => None,
        }
    }

    fn given(&self, node: &NodeEnum) -> Option<Given> {
        match node {
            NodeEnum::AConst(literal) => self.literal(literal),
            NodeEnum::ParamRef(parameter) => {
                usize::try_from(parameter.number).ok().filter(|n| *n > 0).map(Given::Parameter)
            }
            NodeEnum::TypeCast(cast) if keeps_texts(cast) => inside(&cast.arg)
                .filter(|arg| !matches!(arg, NodeEnum::TypeCast(_)))
                .and_then(|arg| self.given(arg)),
            _ => None,
        }
    }

    /// A literal between plain quotes; any other way to write one is left out.
    fn literal(&self, literal: &AConst) -> Option<Given> {
        let Some(Val::Sval(said)) = literal.val.as_ref().filter(|_| !literal.isnull) else {
            return None;
        };
        let start = usize::try_from(literal.location).ok()?;
        let mut said_there = String::new();
        let mut rest = self.text.get(start..)?.strip_prefix('\'')?;
        loop {
            let (piece, after) = rest.split_once('\'')?;
            said_there.push_str(piece);
            match after.strip_prefix('\'') {
                Some(after) => {
                    said_there.push('\'');
                    rest = after;
                }
                None => {
                    rest = after;
                    break;
                }
            }
        }
        let end = self.text.len() - rest.len();
        (said_there == said.sval).then_some(Given::Literal { start, end, text: said_there })
    }
}

/// Whether a cast takes any text as it is. Others cut: `::varchar(1)`, `::name`, `::"char"`.
fn keeps_texts(cast: &TypeCast) -> bool {
    cast.type_name.as_ref().is_some_and(|name| {
        let plain = name.typmods.is_empty() && name.array_bounds.is_empty() && !name.setof;
        let names = parts(&name.names);
        plain
            && matches!(
                names.as_slice(),
                ["text"] | ["pg_catalog", "text"] | ["pg_catalog", "varchar"] | ["varchar"]
            )
    })
}

#[cfg(test)]
mod tests;
