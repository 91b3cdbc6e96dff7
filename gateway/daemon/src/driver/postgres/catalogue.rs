//! Which columns of a target's database are sensitive, by the numbers that a RowDescription gives.
//!
//! Read on a connection of Weir's own, kept per target and database, read again when a statement
//! changed the schema, when a relation turns up that was not known, and every minute.

mod assemble;
pub mod read;
mod reader;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use weir_classify::Behind;
use weir_model::{Class, ColumnRef, Effect, Operation, Resource, ResourceKind};

use super::lane::Lane;
use crate::flow::services::Live;
use reader::Reader;

/// How long what was read is believed: others may change the schema past Weir.
pub const FRESH: Duration = Duration::from_secs(60);
/// How long it is not asked again after it could not be read: at least, and, where it took long to fail
/// time and again, at most.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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
    /// What may do more than read behind names.
    pub behind: Behind,
    unreadable: bool,
}

/// Numbers below this belong to the system (`FirstNormalObjectId` in `access/transam.h`).
pub const FIRST_NORMAL: u32 = 16_384;

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

/// What was read last, and why it could not be read since.
#[derive(Default)]
struct Kept {
    known: Seen,
    failure: Option<Failure>,
    reader: Option<Reader>,
    /// Whether somebody ends the reader when nobody uses it.
    watched: bool,
}

struct Failure {
    error: String,
    at: Instant,
    pause: Duration,
}

impl Kept {
    /// The last failure, as long as it stands, whatever changes meanwhile: what is in the way may be
    /// a lock that goes with a transaction which waits for this.
    fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref().filter(|failure| failure.at.elapsed() < failure.pause)
    }

    /// Notes a failure that took some time. What waited for a lock leaves a connection waiting at the
    /// target, so the next attempt is made later each time.
    fn failed(&mut self, error: &str, took: Duration) {
        let before = self.failure.as_ref().map_or(Duration::ZERO, |failure| failure.pause);
        let longer = (before * 2).max(took / 2).clamp(PAUSE, LONGEST_PAUSE);
        let pause = if took < PAUSE { PAUSE } else { longer };
        self.failure = Some(Failure { error: error.to_owned(), at: Instant::now(), pause });
    }
}

/// One reads, all others wait for it.
type Slot = Arc<tokio::sync::Mutex<Kept>>;

/// Catalogues by target and database.
#[derive(Default)]
pub struct Catalogues {
    kept: Mutex<HashMap<(String, String), Slot>>,
    versions: Mutex<HashMap<String, Arc<Versions>>>,
}

/// How often a target's schema was changed through Weir.
#[derive(Default)]
pub struct Versions {
    schema: AtomicU64,
    names: AtomicU64,
}

/// The same at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// By any statement that changes it.
    pub schema: u64,
    /// By one that may change what runs behind names.
    pub names: u64,
}

impl Versions {
    /// As it is now.
    pub fn now(&self) -> Version {
        let of = |version: &AtomicU64| version.load(Ordering::Acquire);
        Version { schema: of(&self.schema), names: of(&self.names) }
    }

    /// A statement changes the schema, and perhaps what runs behind names.
    pub fn change(&self, plants: bool) {
        self.schema.fetch_add(1, Ordering::AcqRel);
        if plants {
            self.names.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Catalogues {
    /// Of a target.
    pub fn versions(&self, target: &str) -> Arc<Versions> {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.entry(target.to_owned()).or_default().clone()
    }

    fn slot(&self, lane: &Lane) -> Slot {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry((lane.config.name.clone(), lane.database.clone())).or_default().clone()
    }
}

/// The catalogue as it was last seen, by one connection or by any.
#[derive(Default)]
pub struct Seen(Option<Known>);

/// What was read, as of which version, and when.
type Known = (Version, Instant, Arc<Catalogue>);

impl Seen {
    /// It, where it is not too old.
    fn fresh(&self, version: Version) -> Option<&Known> {
        let known = self.0.as_ref()?;
        let (of, read, _) = known;
        (of.schema == version.schema && read.elapsed() < FRESH).then_some(known)
    }

    /// It, where what runs behind names is not too old. Other changes of the schema make no difference:
    /// a new table has no name that runs anything, unless a column has a type that does.
    fn fresh_names(&self, version: Version) -> Option<&Known> {
        let known = self.0.as_ref()?;
        let (of, read, catalogue) = known;
        let same = of.names == version.names
            && (of.schema == version.schema || !catalogue.behind.has_types());
        (same && read.elapsed() < FRESH).then_some(known)
    }

    /// It, as it was seen last.
    pub fn latest(&self) -> Option<&Catalogue> {
        self.0.as_ref().map(|(_, _, catalogue)| catalogue.as_ref())
    }
}

fn classifies(lane: &Lane, live: &Live) -> bool {
    live.columns.iter().any(|rule| rule.target == lane.config.name)
}

/// The catalogue for a result that comes from some tables, as far as columns are classified.
///
/// # Errors
/// It can't be read.
pub async fn of(
    lane: &Lane,
    live: &Live,
    tables: impl Iterator<Item = u32> + Clone,
) -> Result<Arc<Catalogue>, String> {
    if !classifies(lane, live) {
        return Ok(Arc::new(Catalogue::default()));
    }
    let (_, _, catalogue) = whole(lane, tables, Seen::fresh).await?;
    Ok(catalogue)
}

/// Makes sure that the lane has seen the catalogue as it is.
///
/// # Errors
/// It can't be read.
pub async fn see(lane: &Lane) -> Result<(), String> {
    let version = lane.version();
    if lane.seen.borrow().fresh_names(version).is_none() {
        let known = whole(lane, std::iter::empty(), Seen::fresh_names).await?;
        *lane.seen.borrow_mut() = Seen(Some(known));
    }
    Ok(())
}

async fn whole(
    lane: &Lane,
    tables: impl Iterator<Item = u32> + Clone,
    fresh: impl Fn(&Seen, Version) -> Option<&Known>,
) -> Result<Known, String> {
    let slot = lane.services.catalogues.slot(lane);
    let mut kept = slot.lock().await;
    // In this order: rules that are newer than the version are only read once more.
    let (version, generation) = (lane.version(), lane.services.generation());
    let live = &lane.live();
    if let Some(known) = fresh(&kept.known, version)
        && tables.clone().all(|table| known.2.knows(table))
    {
        return Ok(known.clone());
    }
    if let Some(failure) = kept.failure() {
        return Err(failure.error.clone());
    }
    let begin = Instant::now();
    // Seldom, so its room is not one that each connection keeps.
    match Box::pin(reader::catalogue(kept.reader.take(), lane, (generation, live))).await {
        Ok((catalogue, reader)) => {
            let known = (version, begin, catalogue);
            kept.known = Seen(Some(known.clone()));
            kept.failure = None;
            reader::keep(&slot, &mut kept, reader);
            Ok(known)
        }
        Err(error) => {
            let error = format!("reading the catalogue: {error}");
            let (target, database) = (&lane.config.name, &lane.database);
            tracing::warn!(%target, %database, %error, "statements with names are unknown until then");
            // What was known is still so for those who need no more of it.
            kept.failed(&error, begin.elapsed());
            Err(error)
        }
    }
}

/// Makes sure that the lane's own view of the catalogue is fresh, for texts that may quote values.
/// One that can't be read counts as naming everything.
pub async fn refresh(lane: &Lane) {
    let live = lane.services.live();
    let known = of(lane, &live, std::iter::empty()).await;
    if let Err(error) = &known {
        tracing::debug!(flow = %lane.flow, %error, "refreshing the catalogue");
    }
    *lane.catalogue.borrow_mut() = known.unwrap_or_else(|_| Arc::new(Catalogue::unreadable()));
}
