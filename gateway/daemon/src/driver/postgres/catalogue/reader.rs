//! The connection of Weir's own on which a database's catalogue is read. It is kept for a moment, so that where
//! one change follows another only what changed is read again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_classify::{BEHIND_QUERY, Behind, Row, Sources};
use weir_model::{Class, limits};
use weir_wire::postgres::build;

use super::assemble::assemble;
use super::read::{self, Allowance, COLUMNS, ReadError};
use super::{Catalogue, FRESH, Kept, Slot};
use crate::driver::postgres::lane::Lane;
use crate::driver::postgres::login::{self, LoginError, Upstream};
use crate::flow::services::Live;

/// How long it is kept. Who drops or renames the database waits for connections to it, five seconds in all
/// (`CountOtherDBBackends` in `storage/ipc/procarray.c`).
const KEPT: Duration = Duration::from_secs(2);

/// How long a kept connection may take to say whether anything changed, before another one is tried.
const PROBE: Duration = Duration::from_secs(1);

/// Which server process answers, where, and what it sees: where no transaction has ended since, nothing has
/// changed. A standby's snapshot does not show all that ends.
const SEES: &str = "select pg_catalog.concat_ws(' ', pg_catalog.current_database(), (select a.backend_start \
    from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a), pg_catalog.pg_backend_pid()), \
    case when not pg_catalog.pg_is_in_recovery() then pg_catalog.pg_current_snapshot() end";

/// All is read as of one moment. No query may hold the target up, nor wait long for a lock, which a transaction
/// may have that itself waits for the catalogue. None is worth a compiler, which takes over a second where
/// estimates are far too high, as those of what texts hold are. The role may have a search path that agents chose,
/// with operators of their own. Behind a pooler the connection is others' as well, so no setting outlives the
/// transaction.
const BEGIN: &str = "begin transaction isolation level repeatable read read only; \
    select pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), \
    pg_catalog.set_config('statement_timeout', '10s', true), \
    pg_catalog.set_config('lock_timeout', '1s', true), pg_catalog.set_config('jit', 'off', true), \
    pg_catalog.set_config('idle_in_transaction_session_timeout', '30s', true)";

/// How many results these begin with.
const BEGUN: usize = 2;

/// Such a connection, and what was read on it.
pub(super) struct Reader {
    upstream: Upstream,
    /// Of policy and targets: another one may have another credential, or other rules.
    generation: u64,
    /// What it said of itself and of what it sees.
    sees: Row,
    sources: Sources,
    latest: Option<Arc<Catalogue>>,
    begun: Instant,
    used: Instant,
}

impl Reader {
    /// Logs in.
    ///
    /// # Errors
    /// That can't be done.
    async fn new(lane: &Lane, live: &Live, generation: u64) -> Result<Self, ReadError> {
        let config = &lane.config;
        let credential = config.credential.as_ref().map(|name| live.credentials.load(name));
        let credential = credential.transpose().map_err(read::broken)?;
        let user = credential.as_ref().map_or("", |credential| credential.user.as_str());
        let parameters = [
            (b"user".to_vec(), user.as_bytes().to_vec()),
            (b"database".to_vec(), lane.database.as_bytes().to_vec()),
            (b"application_name".to_vec(), b"weir catalogue".to_vec()),
            // As names are written in the configuration and in what is classified.
            (b"client_encoding".to_vec(), b"UTF8".to_vec()),
            (b"standard_conforming_strings".to_vec(), b"on".to_vec()),
        ];
        let log_in = login::log_in(config, credential.as_ref(), lane.original, 0, &parameters);
        // Beginning a session reads the target's catalogue too, where no setting limits the wait yet.
        let limit = Duration::from_millis(limits::CATALOGUE_DIAL_MS);
        let logged_in = tokio::time::timeout(limit, log_in).await;
        let upstream = logged_in.unwrap_or(Err(LoginError::Timeout)).map_err(read::broken)?;
        let (sees, sources, now) = (Row::new(), Sources::default(), Instant::now());
        Ok(Self { upstream, generation, sees, sources, latest: None, begun: now, used: now })
    }

    /// What was read last, where it is still all there is to read.
    ///
    /// # Errors
    /// The connection is of no use any more.
    async fn unchanged(&mut self) -> Result<Option<Arc<Catalogue>>, ReadError> {
        let Some(latest) = self.latest.clone() else { return Ok(None) };
        let results = read::asked(&mut self.upstream, SEES).await?;
        let sees = results.first().and_then(|rows| rows.first());
        let all = sees.is_some_and(|row| row.iter().all(|cell| !cell.is_empty()));
        Ok((all && sees == Some(&self.sees)).then_some(latest))
    }

    /// Reads what changed.
    async fn read(&mut self, lane: &Lane, live: &Live) -> Result<Arc<Catalogue>, ReadError> {
        self.latest = None;
        let columns = if super::classifies(lane, live) { COLUMNS } else { "" };
        let query = format!("{BEGIN};\n{SEES};\n{BEHIND_QUERY};\n{columns}");
        let mut allowance = Allowance::default();
        let mut results = allowance.asked(&mut self.upstream, &query).await?;
        results.drain(..BEGUN.min(results.len()));
        let few = || read::broken("the target does not answer all of it");
        let sees = results.first().and_then(|rows| rows.first()).cloned().ok_or_else(few)?;
        // A pooler may have another of the target's processes answer, or another target.
        if sees.first() != self.sees.first() {
            self.sources = Sources::default();
        }
        self.sees = sees;
        let columns = results.split_off(results.len().min(1 + BEHIND_QUERY.split(";\n").count()));
        results.drain(..1);
        let behind = self.behind(results, &mut allowance).await?.ok_or_else(few)?;
        // What has a name that can't be read has one that no rule says.
        if columns.iter().flatten().flatten().any(|cell| cell.contains(char::REPLACEMENT_CHARACTER))
        {
            return Err(read::broken("names in it are no UTF-8"));
        }
        let rules: Vec<_> =
            live.columns.iter().filter(|rule| rule.target == lane.config.name).collect();
        let catalogue = assemble(&columns, |schema, table, column| {
            let mut classes: Vec<Class> = rules
                .iter()
                .filter(|rule| rule.covers(schema, table, column))
                .flat_map(|rule| rule.classes.iter().cloned())
                .collect();
            classes.sort();
            classes.dedup();
            classes
        });
        let catalogue = Arc::new(Catalogue { behind, ..catalogue });
        self.latest = Some(catalogue.clone());
        Ok(catalogue)
    }

    /// What may do more than read, as of these results; ends the transaction.
    async fn behind(
        &mut self,
        results: Vec<Vec<Row>>,
        allowance: &mut Allowance,
    ) -> Result<Option<Behind>, ReadError> {
        let mut sources = std::mem::take(&mut self.sources);
        let results = Arc::new(results);
        while let Some(query) = sources.wanted(&results) {
            let (known, given) =
                (results.clone(), allowance.asked(&mut self.upstream, &query).await?);
            let learnt = tokio::task::spawn_blocking(move || {
                let more = sources.learn(&known, &given);
                (sources, more)
            });
            let more;
            (sources, more) = learnt.await.map_err(read::broken)?;
            if !more {
                return Ok(None);
            }
        }
        let found = tokio::task::spawn_blocking(move || {
            let behind = sources.behind(&results);
            (sources, behind)
        });
        allowance.asked(&mut self.upstream, "commit").await?;
        let (sources, behind) = found.await.map_err(read::broken)?;
        self.sources = sources;
        Ok(behind)
    }
}

/// Reads the catalogue as of a generation of policy and targets that is no newer than `live`, on the connection
/// that is there where it is of any use, and gives back the one to keep.
///
/// # Errors
/// It can't be read.
pub(super) async fn catalogue(
    kept: Option<Reader>,
    lane: &Lane,
    (generation, live): (u64, &Live),
) -> Result<(Arc<Catalogue>, Reader), ReadError> {
    let limit = Duration::from_millis(limits::CATALOGUE_MS);
    let slow = |_| read::broken("the target takes too long");
    let read = async |mut reader: Reader| {
        let read = tokio::time::timeout(limit, reader.read(lane, live)).await;
        Ok((read.map_err(slow)??, reader))
    };
    let good = |reader: &Reader| reader.generation == generation && reader.begun.elapsed() < FRESH;
    if let Some(mut reader) = kept.filter(good) {
        match tokio::time::timeout(PROBE, reader.unchanged()).await.map_err(slow) {
            Ok(Ok(Some(catalogue))) => return Ok((catalogue, reader)),
            Ok(Ok(None)) => return read(reader).await,
            // It was ended meanwhile, or waits for a lock, as the next one may.
            Ok(Err(error)) | Err(error) => {
                tracing::debug!(flow = %lane.flow, %error, "a kept connection");
            }
        }
    }
    read(Reader::new(lane, live, generation).await?).await
}

/// Keeps a connection until nobody has used it for a moment.
pub(super) fn keep(slot: &Slot, kept: &mut Kept, mut reader: Reader) {
    reader.used = Instant::now();
    kept.reader = Some(reader);
    if !std::mem::replace(&mut kept.watched, true) {
        tokio::spawn(end_unused(slot.clone()));
    }
}

async fn end_unused(slot: Slot) {
    let mut until = Instant::now() + KEPT;
    let unused = loop {
        tokio::time::sleep_until(until.into()).await;
        let mut kept = slot.lock().await;
        until = kept.reader.as_ref().map_or(until, |reader| reader.used + KEPT);
        if until <= Instant::now() {
            kept.watched = false;
            break kept.reader.take();
        }
    };
    if let Some(mut reader) = unused {
        let mut message = Vec::new();
        build::terminate(&mut message);
        // Nothing is lost where the target does not hear it.
        tokio::time::timeout(KEPT, reader.upstream.stream.write(&message)).await.ok();
    }
}
