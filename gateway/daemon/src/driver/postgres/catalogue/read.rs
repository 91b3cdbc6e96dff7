//! Reads the catalogue on a connection of Weir's own.

use std::time::Duration;

use weir_classify::{BEHIND_QUERY, Behind, Row};
use weir_model::{Class, limits};
use weir_wire::postgres::backend::{self, Backend};
use weir_wire::postgres::{Side, build, frame};

use super::Catalogue;
use super::assemble::assemble;
use crate::driver::postgres::lane::Lane;
use crate::driver::postgres::login::{self, LoginError, Upstream};
use crate::flow::services::Live;

/// Relations and their columns; then what views depend on; then inheritance; then generated columns.
///
/// A whole row in a view (`to_jsonb(t)`) leaves no dependency on columns, and a dependency on a column
/// drops that on the table; only the query itself tells (`varattno 0`). What a function of a user's
/// reads is not known, so a view that calls one depends on everything: number 0.
const QUERY: &str = "\
select c.oid, n.nspname, c.relname, a.attnum, a.attname, a.atttypid, c.relkind from pg_catalog.pg_class c
 join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 join pg_catalog.pg_attribute a on a.attrelid = c.oid
 where c.relkind in ('r','p','v','m','f') and a.attnum > 0 and not a.attisdropped
 and n.nspname not in ('pg_catalog','information_schema') and n.nspname not like 'pg\\_toast%';
select distinct r.ev_class, d.refobjid, case when r.ev_action::pg_catalog.text
 operator(pg_catalog.~~) '%:varattno 0 %' then 0 else d.refobjsubid end from pg_catalog.pg_rewrite r
 join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
 and d.objid = r.oid where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
 and d.refobjid <> r.ev_class and r.ev_type = '1'
 union select r.ev_class, 0, 0 from pg_catalog.pg_rewrite r
 join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
 and d.objid = r.oid and d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
 join pg_catalog.pg_proc p on p.oid = d.refobjid and p.oid >= 16384
 join pg_catalog.pg_language l on l.oid = p.prolang and l.lanname not in ('internal','c')
 where r.ev_type = '1';
select inhrelid, inhparent, 0 from pg_catalog.pg_inherits;
select d.refobjid, a.attnum, d.refobjsubid from pg_catalog.pg_attribute a
 join pg_catalog.pg_attrdef e on e.adrelid = a.attrelid and e.adnum = a.attnum
 join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
 and d.refobjid = a.attrelid and d.refobjsubid > 0 and d.refobjsubid <> a.attnum
 and (d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = e.oid
 or d.classid = d.refclassid and d.objid = a.attrelid and d.objsubid = a.attnum)
 where a.attgenerated <> ''";

/// No query may hold the target up, nor wait long for a lock, which a transaction may have that itself
/// waits for the catalogue. None is worth a compiler, which takes over a second where estimates are far too
/// high, as those of what texts hold are. What it returns is the first result.
const LIMIT: &str = "select pg_catalog.set_config('statement_timeout', '10s', false), \
    pg_catalog.set_config('lock_timeout', '1s', false), pg_catalog.set_config('jit', 'off', false); ";

/// Reads a target's catalogue.
///
/// Its columns are only read where some are `classified`.
///
/// # Errors
/// It can't be read.
pub async fn catalogue(lane: &Lane, live: &Live, classified: bool) -> Result<Catalogue, String> {
    let config = &lane.config;
    let failed = |error: &dyn std::fmt::Display| format!("reading the catalogue: {error}");
    let credential = config.credential.as_ref().map(|name| live.credentials.load(name));
    let credential = credential.transpose().map_err(|error| failed(&error))?;
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
    let mut upstream = tokio::time::timeout(limit, log_in)
        .await
        .unwrap_or(Err(LoginError::Timeout))
        .map_err(|error| failed(&error))?;
    let behind = asked(&mut upstream, LIMIT, BEHIND_QUERY).await.map_err(|error| failed(&error))?;
    // The limit's own result is the first, and behind the last one begins none.
    let behind = tokio::task::spawn_blocking(move || match behind.as_slice() {
        [_, results @ .., _] => Behind::new(results),
        _ => None,
    });
    let columns = match classified {
        true => asked(&mut upstream, LIMIT, QUERY).await.map_err(|error| failed(&error))?,
        false => Vec::new(),
    };
    // What has a name that can't be read has one that no rule says.
    if columns.iter().flatten().flatten().any(|cell| cell.contains(char::REPLACEMENT_CHARACTER)) {
        return Err(failed(&"names in it are no UTF-8"));
    }
    let behind = behind.await.map_err(|error| failed(&error))?;
    let behind = behind.ok_or_else(|| failed(&"the target does not answer all of it"))?;
    let rules: Vec<_> = live.columns.iter().filter(|rule| rule.target == config.name).collect();
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
    Ok(Catalogue { behind, ..catalogue })
}

async fn asked(
    upstream: &mut Upstream,
    limit: &str,
    query: &str,
) -> Result<Vec<Vec<Row>>, ReadError> {
    let mut message = Vec::new();
    build::query(format!("{limit}{query}").as_bytes(), &mut message).map_err(broken)?;
    upstream.stream.write(&message).await.map_err(broken)?;
    let limit = Duration::from_millis(limits::CATALOGUE_MS);
    let read = tokio::time::timeout(limit, results(upstream)).await;
    read.unwrap_or_else(|_| Err(broken("the target takes too long")))
}

/// Why a query has no results.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The target refuses it. Its words may quote values.
    #[error("{message}")]
    Refused {
        /// The SQLSTATE.
        code: String,
        /// Its words.
        message: String,
    },
    /// It speaks something else, or no more.
    #[error("{0}")]
    Broken(String),
}

fn broken(error: impl std::fmt::Display) -> ReadError {
    ReadError::Broken(error.to_string())
}

/// Reads the results of a simple query, each as its rows of texts.
///
/// # Errors
/// The target refuses it, or hangs up.
pub async fn results(upstream: &mut Upstream) -> Result<Vec<Vec<Row>>, ReadError> {
    let mut results = vec![Vec::new()];
    let mut refused = None;
    let mut sum = 0;
    loop {
        let found = frame::peek(upstream.buffer.unread(), Side::Target).map_err(broken)?;
        let have = upstream.buffer.unread().len();
        let Some(message) = found.and_then(|f| upstream.buffer.unread().get(..f.len)) else {
            let wanted = found.map_or(1, |frame| frame.len.saturating_sub(have));
            if wanted > limits::READ_BYTES * 16 {
                return Err(broken("a row is too long"));
            }
            if upstream.stream.read(&mut upstream.buffer, wanted).await.map_err(broken)? == 0 {
                return Err(refused.unwrap_or_else(|| broken("the target hung up")));
            }
            continue;
        };
        let length = message.len();
        sum += length;
        if sum > limits::CATALOGUE_BYTES {
            return Err(broken("the target says too much"));
        }
        match backend::parse(message).map_err(broken)? {
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
                let said = |field| {
                    String::from_utf8_lossy(fields.get(field).unwrap_or_default()).into_owned()
                };
                refused = Some(ReadError::Refused { code: said(b'C'), message: said(b'M') });
            }
            Backend::ReadyForQuery(_) => {
                upstream.buffer.consume(length);
                return refused.map_or(Ok(results), Err);
            }
            _ => {}
        }
        upstream.buffer.consume(length);
    }
}
