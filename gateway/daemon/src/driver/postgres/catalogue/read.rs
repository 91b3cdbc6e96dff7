//! Asks a target's catalogue.

use weir_classify::Row;
use weir_model::limits;
use weir_wire::postgres::backend::{self, Backend};
use weir_wire::postgres::{Side, build, frame};

use crate::driver::postgres::login::Upstream;

/// Relations and their columns; then what views depend on; then inheritance; then generated columns.
///
/// A whole row in a view (`to_jsonb(t)`) leaves no dependency on columns, and a dependency on a column
/// drops that on the table; only the query itself tells (`varattno 0`). What a function of a user's
/// reads is not known, so a view that calls one depends on everything: number 0.
pub(super) const COLUMNS: &str = "\
select c.oid, n.nspname, c.relname, a.attnum, a.attname, a.atttypid, c.relkind from pg_catalog.pg_class c
 join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 join pg_catalog.pg_attribute a on a.attrelid = c.oid
 where c.relkind in ('r','p','v','m','f') and a.attnum > 0 and not a.attisdropped
 and n.nspname not in ('pg_catalog','information_schema') and n.nspname not like 'pg\\_toast%';
with v as materialized (select r.oid, r.ev_class, r.ev_action::pg_catalog.text
 operator(pg_catalog.~~) '%:varattno 0 %' as whole from pg_catalog.pg_rewrite r where r.ev_type = '1')
 select distinct v.ev_class, d.refobjid, case when v.whole then 0 else d.refobjsubid end from v
 join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
 and d.objid = v.oid where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
 and d.refobjid <> v.ev_class
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

pub(super) fn broken(error: impl std::fmt::Display) -> ReadError {
    ReadError::Broken(error.to_string())
}

/// Asks a simple query: its results, each as its rows of texts.
///
/// # Errors
/// The target refuses it, says too much, or hangs up.
pub async fn asked(upstream: &mut Upstream, query: &str) -> Result<Vec<Vec<Row>>, ReadError> {
    Allowance::default().asked(upstream, query).await
}

/// What a target may say to several queries.
pub(super) struct Allowance(usize);

impl Default for Allowance {
    fn default() -> Self {
        Self(limits::WHOLE_CATALOGUE_BYTES)
    }
}

impl Allowance {
    /// As [`asked`].
    pub(super) async fn asked(
        &mut self,
        upstream: &mut Upstream,
        query: &str,
    ) -> Result<Vec<Vec<Row>>, ReadError> {
        let mut message = Vec::new();
        build::query(query.as_bytes(), &mut message).map_err(broken)?;
        upstream.stream.write(&message).await.map_err(broken)?;
        let (results, bytes) = results(upstream, self.0.min(limits::CATALOGUE_BYTES)).await?;
        self.0 -= bytes.min(self.0);
        Ok(results)
    }
}

/// Reads the results of a simple query that may take some bytes, and how many they are.
async fn results(
    upstream: &mut Upstream,
    most: usize,
) -> Result<(Vec<Vec<Row>>, usize), ReadError> {
    let mut results = vec![Vec::new()];
    let mut refused = None;
    let mut sum = 0;
    loop {
        let found = frame::peek(upstream.buffer.unread(), Side::Target).map_err(broken)?;
        let have = upstream.buffer.unread().len();
        let Some(message) = found.and_then(|f| upstream.buffer.unread().get(..f.len)) else {
            let wanted = found.map_or(1, |frame| frame.len.saturating_sub(have));
            if wanted > most.saturating_sub(sum + have) {
                return Err(broken("the target says too much"));
            }
            if upstream.stream.read(&mut upstream.buffer, wanted).await.map_err(broken)? == 0 {
                return Err(refused.unwrap_or_else(|| broken("the target hung up")));
            }
            continue;
        };
        let length = message.len();
        sum += length;
        if sum > most {
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
                return refused.map_or(Ok((results, sum)), Err);
            }
            _ => {}
        }
        upstream.buffer.consume(length);
    }
}
