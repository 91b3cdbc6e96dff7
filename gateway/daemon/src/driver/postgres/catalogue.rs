//! Which columns of a target's database are sensitive, by the numbers that a RowDescription gives.
//!
//! Read on a connection of Weir's own, kept per target and database, read again when a statement
//! changed the schema, when a relation turns up that was not known, and every minute.

mod assemble;
pub mod read;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use weir_model::{Class, ColumnRef, Effect, Operation, Resource, ResourceKind};

use super::lane::Lane;
use crate::flow::services::Live;

/// How long what was read is believed: others may change the schema past Weir.
pub const FRESH: Duration = Duration::from_secs(60);

/// Where a result's column comes from.
pub enum Origin<'a> {
    /// An expression, or a whole row.
    Computed,
    /// A column, with its classes.
    Column(&'a ColumnRef, &'a [Class]),
    /// A column of the system's own tables.
    System,
    /// A relation that only its own session can see: made and not committed yet, or temporary. It
    /// may hold anything that the session could read.
    Stranger,
}

/// What is known of one database.
#[derive(Default)]
pub struct Catalogue {
    relations: HashSet<u32>,
    views: HashSet<u32>,
    columns: HashMap<(u32, i16), (ColumnRef, Vec<Class>)>,
    /// The sensitive ones, by name.
    by_name: HashMap<String, Vec<(u32, i16)>>,
    /// Texts of ordinary tables that the configuration itself classifies, not by way of others.
    plain: HashSet<(u32, i16)>,
    unreadable: bool,
}

/// Numbers below this belong to the system (`FirstNormalObjectId` in `access/transam.h`).
const FIRST_NORMAL: u32 = 16_384;

impl Catalogue {
    /// Where a column comes from.
    pub fn origin(&self, table: u32, column: i16) -> Origin<'_> {
        if table == 0 || column == 0 {
            return Origin::Computed;
        }
        match self.columns.get(&(table, column)) {
            Some((column, classes)) => Origin::Column(column, classes),
            None if table < FIRST_NORMAL => Origin::System,
            None => Origin::Stranger,
        }
    }

    /// Whether a relation is a view, which another statement can make another one.
    pub fn is_view(&self, relation: u32) -> bool {
        self.views.contains(&relation)
    }

    /// Whether an operation touches a relation with sensitive columns, a view over one included.
    /// Judged by name alone, whatever the schema; what was not understood touches everything.
    pub fn touches(&self, operation: &Operation) -> bool {
        if self.unreadable {
            return true;
        }
        let mut sensitive = self.classified().peekable();
        if sensitive.peek().is_none() {
            return false;
        }
        if operation.effect == Effect::Unknown {
            return true;
        }
        let named: HashSet<&str> = sensitive.map(|(column, _)| bare(&column.table)).collect();
        tables(operation).any(|table| named.contains(bare(&table.name)))
    }

    /// All sensitive columns.
    pub fn classified(&self) -> impl Iterator<Item = (&ColumnRef, &[Class])> + Clone {
        let with_classes = self.columns.values().filter(|(_, classes)| !classes.is_empty());
        with_classes.map(|(column, classes)| (column, classes.as_slice()))
    }

    /// The sensitive columns of a name that an operation's tables have.
    pub fn classified_as<'a>(
        &'a self,
        name: &str,
        operation: &'a Operation,
    ) -> impl Iterator<Item = (&'a ColumnRef, &'a [Class])> {
        let keys = self.by_name.get(name).into_iter().flatten();
        keys.filter_map(|key| self.columns.get(key))
            .map(|(column, classes)| (column, classes.as_slice()))
            .filter(|(column, _)| is_of(column, operation))
    }

    /// The sensitive columns that an operation's tables have.
    pub fn classified_of<'a>(
        &'a self,
        operation: &'a Operation,
    ) -> impl Iterator<Item = (&'a ColumnRef, &'a [Class])> {
        self.classified().filter(|(column, _)| is_of(column, operation))
    }

    /// Whether an operation reads or names a sensitive column, as far as its text says: the columns
    /// of its tables that are written in it, all of them where it says `*`.
    pub fn names_classified(&self, operation: &Operation) -> bool {
        if operation.effect == Effect::Unknown {
            return self.classified().next().is_some();
        }
        tables(operation).any(|table| {
            let name = bare(&table.name);
            self.classified().any(|(column, _)| {
                let named = |written: &String| written == "*" || *written == column.column;
                bare(&column.table) == name
                    && (table.columns.is_empty() || table.columns.iter().any(named))
            })
        })
    }

    /// The columns of a name that relations of a name have, in whatever schema: with their classes,
    /// and whether they are plain texts that the configuration itself classifies.
    pub fn named<'a>(
        &'a self,
        relation: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = (&'a ColumnRef, &'a [Class], bool)> {
        let of = move |column: &ColumnRef| {
            column.column == name && bare(&column.table) == bare(relation)
        };
        let found = self.columns.iter().filter(move |(_, (column, _))| of(column));
        found.map(|(key, (column, classes))| (column, classes.as_slice(), self.plain.contains(key)))
    }

    /// Whether a relation of this name has sensitive columns, in whatever schema.
    pub fn has_classified(&self, table: &str) -> bool {
        self.unreadable || self.classified().any(|(column, _)| bare(&column.table) == table)
    }

    /// Whether anything is sensitive at all.
    pub fn classifies(&self) -> bool {
        self.unreadable || self.classified().next().is_some()
    }

    /// A catalogue that could not be read: every operation counts as touching it.
    fn unreadable() -> Self {
        Self { unreadable: true, ..Self::default() }
    }

    /// Whether some relation has a column of this name.
    pub fn has_column(&self, name: &str) -> bool {
        self.columns.values().any(|(column, _)| column.column == name)
    }

    fn knows(&self, table: u32) -> bool {
        table < FIRST_NORMAL || self.relations.contains(&table)
    }
}

/// A relation's name without its schema: which one it is depends on the search path.
fn bare(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

fn tables(operation: &Operation) -> impl Iterator<Item = &Resource> {
    operation.resources.iter().filter(|resource| resource.kind == ResourceKind::Table)
}

fn is_of(column: &ColumnRef, operation: &Operation) -> bool {
    tables(operation).any(|table| bare(&table.name) == bare(&column.table))
}

struct Kept {
    catalogue: Arc<Catalogue>,
    version: u64,
    read: Instant,
}

/// Catalogues by target and database.
#[derive(Default)]
pub struct Catalogues {
    kept: Mutex<HashMap<(String, String), Kept>>,
    versions: Mutex<HashMap<String, u64>>,
}

impl Catalogues {
    /// Changes whenever a statement through Weir changed a target's schema.
    pub fn version(&self, target: &str) -> u64 {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.get(target).copied().unwrap_or_default()
    }

    /// A statement changes a target's schema.
    pub fn invalidate(&self, target: &str) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        *versions.entry(target.to_owned()).or_default() += 1;
    }

    fn get(&self, key: &(String, String), version: u64) -> Option<Arc<Catalogue>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |kept: &&Kept| kept.version == version && kept.read.elapsed() < FRESH;
        kept.get(key).filter(fresh).map(|kept| kept.catalogue.clone())
    }

    fn keep(&self, key: (String, String), version: u64, catalogue: Arc<Catalogue>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(key, Kept { catalogue, version, read: Instant::now() });
    }
}

/// The catalogue for a result that comes from some tables.
///
/// # Errors
/// It can't be read.
pub async fn of(
    lane: &Lane,
    live: &Live,
    tables: impl Iterator<Item = u32> + Clone,
) -> Result<Arc<Catalogue>, String> {
    if !live.columns.iter().any(|rule| rule.target == lane.config.name) {
        return Ok(Arc::new(Catalogue::default()));
    }
    let key = (lane.config.name.clone(), lane.database.clone());
    let version = lane.services.catalogues.version(&lane.config.name);
    if let Some(found) = lane.services.catalogues.get(&key, version)
        && tables.clone().all(|table| found.knows(table))
    {
        return Ok(found);
    }
    let read = Arc::new(read::catalogue(lane, live).await?);
    lane.services.catalogues.keep(key, version, read.clone());
    Ok(read)
}

/// Makes sure that the lane's own view of the catalogue is fresh, for texts that may quote values.
/// One that can't be read counts as naming everything.
pub async fn refresh(lane: &Lane) {
    let live = lane.services.live();
    let known = of(lane, &live, std::iter::empty()).await;
    if let Err(error) = &known {
        tracing::warn!(flow = %lane.flow, %error, "refreshing the catalogue");
    }
    *lane.catalogue.borrow_mut() = known.unwrap_or_else(|_| Arc::new(Catalogue::unreadable()));
}
