//! Which columns of a target's database are sensitive, by the numbers that a RowDescription gives.
//!
//! Read on a connection of Weir's own, kept per target and database, read again when a statement
//! changed the schema, when a relation turns up that was not known, and every minute.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use weir_model::{Class, ColumnRef, Effect, Operation, Resource, ResourceKind};
use weir_wire::postgres::backend::{self, Backend};
use weir_wire::postgres::{Side, build, frame};

use super::lane::Lane;
use super::login::{self, Upstream};
use crate::flow::services::Live;

/// How long what was read is believed: others may change the schema past Weir.
pub const FRESH: Duration = Duration::from_secs(60);

/// Relations and their columns; then what views and rules depend on; then inheritance.
const QUERY: &str = "\
set statement_timeout = '10s';
select c.oid, n.nspname, c.relname, a.attnum, a.attname from pg_catalog.pg_class c
 join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 join pg_catalog.pg_attribute a on a.attrelid = c.oid
 where c.relkind in ('r','p','v','m','f') and a.attnum > 0 and not a.attisdropped
 and n.nspname not in ('pg_catalog','information_schema') and n.nspname not like 'pg\\_toast%';
select distinct r.ev_class, d.refobjid, d.refobjsubid from pg_catalog.pg_rewrite r
 join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
 and d.objid = r.oid where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
 and d.refobjid <> r.ev_class;
select inhrelid, inhparent, 0 from pg_catalog.pg_inherits";

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
    columns: HashMap<(u32, i16), (ColumnRef, Vec<Class>)>,
    /// The sensitive ones, by name.
    by_name: HashMap<String, Vec<(u32, i16)>>,
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
    let read = Arc::new(read(lane, live).await?);
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

async fn read(lane: &Lane, live: &Live) -> Result<Catalogue, String> {
    let config = &lane.config;
    let failed = |error: &dyn std::fmt::Display| format!("reading the catalogue: {error}");
    let credential = config.credential.as_ref().map(|name| live.credentials.load(name));
    let credential = credential.transpose().map_err(|error| failed(&error))?;
    let user = credential.as_ref().map_or("", |credential| credential.user.as_str());
    let parameters = [
        (b"user".to_vec(), user.as_bytes().to_vec()),
        (b"database".to_vec(), lane.database.as_bytes().to_vec()),
        (b"application_name".to_vec(), b"weir catalogue".to_vec()),
    ];
    let mut upstream = login::log_in(config, credential.as_ref(), lane.original, 0, &parameters)
        .await
        .map_err(|error| failed(&error))?;
    let mut message = Vec::new();
    build::query(QUERY.as_bytes(), &mut message).map_err(|error| failed(&error))?;
    upstream.stream.write(&message).await.map_err(|error| failed(&error))?;
    let results = results(&mut upstream).await.map_err(|error| failed(&error))?;
    let rules: Vec<_> = live.columns.iter().filter(|rule| rule.target == config.name).collect();
    Ok(assemble(&results, |schema, table, column| {
        let mut classes: Vec<Class> = rules
            .iter()
            .filter(|rule| rule.covers(schema, table, column))
            .flat_map(|rule| rule.classes.iter().cloned())
            .collect();
        classes.sort();
        classes.dedup();
        classes
    }))
}

type Row = Vec<String>;

/// Reads the results of a simple query, each as its rows of texts.
async fn results(upstream: &mut Upstream) -> Result<Vec<Vec<Row>>, String> {
    let mut results = vec![Vec::new()];
    loop {
        let found = frame::peek(upstream.buffer.unread(), Side::Target).map_err(text)?;
        let have = upstream.buffer.unread().len();
        let Some(message) = found.and_then(|f| upstream.buffer.unread().get(..f.len)) else {
            let wanted = found.map_or(1, |frame| frame.len.saturating_sub(have));
            if wanted > weir_model::limits::READ_BYTES * 16 {
                return Err("a catalogue row is too long".to_owned());
            }
            if upstream.stream.read(&mut upstream.buffer, wanted).await.map_err(text)? == 0 {
                return Err("the target hung up".to_owned());
            }
            continue;
        };
        let length = message.len();
        match backend::parse(message).map_err(text)? {
            Backend::DataRow(row) => {
                let cell = |cell: Option<&[u8]>| {
                    String::from_utf8_lossy(cell.unwrap_or_default()).into_owned()
                };
                let row = row.iter().map(cell).collect();
                if let Some(last) = results.last_mut() {
                    last.push(row);
                }
            }
            Backend::CommandComplete(_) => results.push(Vec::new()),
            Backend::Error(fields) => {
                let message = fields.get(b'M').unwrap_or_default();
                return Err(String::from_utf8_lossy(message).into_owned());
            }
            Backend::ReadyForQuery(_) => return Ok(results),
            _ => {}
        }
        upstream.buffer.consume(length);
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Puts the three results together: `SET`, columns, dependencies, inheritance.
fn assemble(results: &[Vec<Row>], classes: impl Fn(&str, &str, &str) -> Vec<Class>) -> Catalogue {
    let result = |place: usize| results.get(place).map(Vec::as_slice).unwrap_or_default();
    let mut catalogue = Catalogue::default();
    for row in result(1) {
        let [oid, schema, table, number, column] = row.as_slice() else { continue };
        let (Ok(oid), Ok(number)) = (oid.parse(), number.parse()) else { continue };
        catalogue.relations.insert(oid);
        let origin = ColumnRef { table: format!("{schema}.{table}"), column: column.clone() };
        catalogue.columns.insert((oid, number), (origin, classes(schema, table, column)));
    }
    let numbers = |row: &Row| -> Option<(u32, u32, i16)> {
        let [one, other, column] = row.as_slice() else { return None };
        Some((one.parse().ok()?, other.parse().ok()?, column.parse().ok()?))
    };
    let views: Vec<_> = result(2).iter().filter_map(numbers).collect();
    let children: Vec<_> = result(3).iter().filter_map(numbers).collect();
    while catalogue.spread(&views, &children) {}
    for (key, (column, _)) in catalogue.columns.iter().filter(|(_, (_, c))| !c.is_empty()) {
        catalogue.by_name.entry(column.column.clone()).or_default().push(*key);
    }
    catalogue
}

impl Catalogue {
    /// Carries classes one step further: from columns to all columns of the views that use them,
    /// and between parents and children of the same column name. Whether anything changed.
    fn spread(&mut self, views: &[(u32, u32, i16)], children: &[(u32, u32, i16)]) -> bool {
        let mut found: Vec<((u32, i16), Vec<Class>)> = Vec::new();
        for &(view, table, column) in views {
            let used: Vec<&Vec<Class>> = self
                .columns
                .iter()
                .filter(|((oid, number), _)| *oid == table && (column == 0 || *number == column))
                .map(|(_, (_, classes))| classes)
                .filter(|classes| !classes.is_empty())
                .collect();
            for classes in used {
                let of_view = self.columns.keys().filter(|(oid, _)| *oid == view);
                found.extend(of_view.map(|key| (*key, classes.clone())));
            }
        }
        for &(child, parent, _) in children {
            for (from, to) in [(parent, child), (child, parent)] {
                let named = self.columns.iter().filter(|((oid, _), _)| *oid == from);
                for (_, (column, classes)) in named.filter(|(_, (_, c))| !c.is_empty()) {
                    let same = self.columns.iter().filter(|((oid, _), (other, _))| {
                        *oid == to && other.column == column.column
                    });
                    found.extend(same.map(|(key, _)| (*key, classes.clone())));
                }
            }
        }
        let mut changed = false;
        for (key, classes) in found {
            if let Some((_, own)) = self.columns.get_mut(&key) {
                for class in classes {
                    if !own.contains(&class) {
                        own.push(class);
                        changed = true;
                    }
                }
            }
        }
        changed
    }
}
