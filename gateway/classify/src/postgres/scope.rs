//! Names in scope: relations of the query levels around, and common table expressions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use weir_model::{Resource, ResourceKind};

/// Everything that the message touches.
#[derive(Default)]
pub(super) struct Resources {
    index: BTreeMap<(ResourceKind, String), usize>,
    columns: Vec<BTreeSet<String>>,
    written: Vec<bool>,
}

impl Resources {
    /// Adds a resource, and says where it is kept.
    pub(super) fn touch(&mut self, kind: ResourceKind, name: String, written: bool) -> usize {
        let next = self.columns.len();
        let at = *self.index.entry((kind, name)).or_insert(next);
        if at == next {
            self.columns.push(BTreeSet::new());
            self.written.push(false);
        }
        if let Some(flag) = self.written.get_mut(at) {
            *flag |= written;
        }
        at
    }

    /// Adds a column to a resource.
    pub(super) fn column(&mut self, at: usize, name: &str) {
        if let Some(columns) = self.columns.get_mut(at)
            && !columns.contains(name)
        {
            columns.insert(name.to_owned());
        }
    }

    /// These are changed; all of them where nobody knows which.
    pub(super) fn write(&mut self, these: Option<&[usize]>) {
        for (at, flag) in self.written.iter_mut().enumerate() {
            *flag |= these.is_none_or(|these| these.contains(&at));
        }
    }

    /// The resources, sorted.
    pub(super) fn finish(mut self) -> Vec<Resource> {
        let index = std::mem::take(&mut self.index);
        index
            .into_iter()
            .map(|((kind, name), at)| Resource {
                kind,
                name,
                columns: self
                    .columns
                    .get_mut(at)
                    .map(|c| std::mem::take(c).into_iter().collect())
                    .unwrap_or_default(),
                written: self.written.get(at).copied().unwrap_or(true),
            })
            .collect()
    }
}

/// What a name in a from list stands for.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A table, kept at this place of the resources.
    Table(usize),
    /// What an insert proposes for its table (`ON CONFLICT`), which comes from the client.
    Excluded(usize),
    /// A subquery, a common table expression, a row-typed function.
    Derived,
    /// A join with an alias: its columns are those of any table around.
    Join,
    /// A function whose row may be a plain scalar; the names that its columns are known to have.
    Function(Vec<String>),
}

/// A relation in scope.
pub(super) struct Relation {
    pub(super) name: String,
    /// Its number in this text: a table may be there more than once.
    serial: usize,
    pub(super) source: Source,
}

impl Relation {
    fn table(&self) -> Option<usize> {
        matches!(self.source, Source::Table(_)).then_some(self.serial)
    }
}

/// The query levels around the place where the walk stands, innermost last.
#[derive(Default)]
pub(super) struct Scopes {
    levels: Vec<Vec<Relation>>,
    with: Vec<HashSet<String>>,
    serial: usize,
    work: usize,
}

/// Relations looked at for column names in one statement; past this the statement is unknown. A
/// flat text may name thousands of tables and thousands of columns, and every pair would count.
const WORK: usize = 1 << 20;

impl Scopes {
    /// Enters a query level.
    pub(super) fn enter(&mut self) {
        self.levels.push(Vec::new());
    }

    /// Leaves a query level.
    pub(super) fn leave(&mut self) {
        self.levels.pop();
    }

    /// Adds a relation to the innermost level.
    pub(super) fn add(&mut self, name: &str, source: Source) {
        self.serial += 1;
        if let Some(level) = self.levels.last_mut() {
            level.push(Relation { name: name.to_owned(), serial: self.serial, source });
        }
    }

    /// Whether more work was asked for than a statement is worth.
    pub(super) fn exhausted(&self) -> bool {
        self.work > WORK
    }

    /// The relation of that name, nearest first.
    pub(super) fn find(&mut self, name: &str) -> Option<Source> {
        self.found(name).map(|relation| relation.source.clone())
    }

    /// The table that a column of this qualifier is of: its number.
    pub(super) fn owner(&mut self, qualifier: &str) -> Option<usize> {
        self.found(qualifier).and_then(Relation::table)
    }

    /// The only relation around, if it is a table: its number.
    pub(super) fn only(&self) -> Option<usize> {
        let mut all = self.levels.iter().flatten();
        let first = all.next()?;
        if all.next().is_some() { None } else { first.table() }
    }

    fn found(&mut self, name: &str) -> Option<&Relation> {
        for level in self.levels.iter().rev() {
            self.work += level.len();
            if self.work > WORK {
                return None;
            }
            if let Some(found) = level.iter().find(|r| r.name == name) {
                return Some(found);
            }
        }
        None
    }

    /// Every table of every level: an unqualified name may belong to any of them.
    pub(super) fn tables(&mut self) -> Vec<usize> {
        self.tables_of(0)
    }

    /// The tables of the innermost level, which is what a bare star means.
    pub(super) fn innermost_tables(&mut self) -> Vec<usize> {
        self.tables_of(self.levels.len().saturating_sub(1))
    }

    /// The tables whose rows a locking clause of the innermost level locks: all, or those of one name. Nothing
    /// where there are others behind a name.
    pub(super) fn locks(&self, name: Option<&str>) -> Option<Vec<usize>> {
        let level = self.levels.last().map(Vec::as_slice).unwrap_or_default();
        let mut tables = Vec::new();
        for relation in level.iter().filter(|r| name.is_none_or(|name| r.name == name)) {
            match relation.source {
                Source::Table(at) | Source::Excluded(at) => tables.push(at),
                Source::Function(_) => {}
                Source::Derived | Source::Join => return None,
            }
        }
        Some(tables)
    }

    fn tables_of(&mut self, from: usize) -> Vec<usize> {
        let levels = self.levels.get(from..).unwrap_or_default();
        self.work += levels.iter().map(Vec::len).sum::<usize>();
        if self.work > WORK {
            return Vec::new();
        }
        let table = |r: &Relation| match r.source {
            Source::Table(at) | Source::Excluded(at) => Some(at),
            Source::Derived | Source::Join | Source::Function(_) => None,
        };
        levels.iter().flatten().filter_map(table).collect()
    }

    /// Enters a query's WITH.
    pub(super) fn enter_with(&mut self) {
        self.with.push(HashSet::new());
    }

    /// Leaves a query's WITH.
    pub(super) fn leave_with(&mut self) {
        self.with.pop();
    }

    /// A common table expression is visible from here on.
    pub(super) fn add_with(&mut self, name: &str) {
        if let Some(frame) = self.with.last_mut() {
            frame.insert(name.to_owned());
        }
    }

    /// Whether the name is a common table expression here.
    pub(super) fn is_with(&self, name: &str) -> bool {
        self.with.iter().any(|frame| frame.contains(name))
    }
}
