//! Looks at a target's columns on a connection of its own that can only read.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, bail};
use weir_classify::Row;
use weir_mask::{Family, Sample, suggest};
use weir_wire::postgres::backend::{self, Backend};

use super::{Found, Proposed, Scan};
use crate::config::{Config, TargetConfig};
use crate::driver::postgres::catalogue::read::{self, ReadError};
use crate::driver::postgres::login::{self, LoginError, Upstream};
use crate::identity::{CredentialSource as _, Credentials};

/// Characters of a value that are looked at.
const VALUE: usize = 512;
/// A table with more rows than this is looked at in places, not from its beginning.
const LARGE: f64 = 100_000.0;

const SETTINGS: &str = "\
set default_transaction_read_only = on; set statement_timeout = '10s'; set lock_timeout = '1s';
set idle_in_transaction_session_timeout = '60s'; set client_encoding = 'UTF8'; set search_path = ''";

/// Tables, views and foreign tables with their columns. Partitions are as their parents are.
const COLUMNS: &str = "\
select n.nspname, c.relname, c.relkind, c.reltuples, a.attname,
 pg_catalog.format_type(a.atttypid, a.atttypmod),
 case t.typtype when 'd' then t.typbasetype when 'e' then 16 else t.oid end
 from pg_catalog.pg_class c
 join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 join pg_catalog.pg_attribute a on a.attrelid = c.oid
 join pg_catalog.pg_type t on t.oid = a.atttypid
 where c.relkind in ('r','p','v','m','f') and a.attnum > 0 and not a.attisdropped
 and not c.relispartition and n.nspname not in ('pg_catalog','information_schema')
 and n.nspname not like 'pg\\_toast%' and n.nspname not like 'pg\\_temp%'
 order by n.nspname, c.relname, a.attnum";

struct Column {
    name: String,
    kind: String,
    family: Family,
}

struct Table {
    schema: String,
    name: String,
    kind: String,
    rows: f64,
    columns: Vec<Column>,
}

/// Looks at all of a target's columns.
pub(super) async fn scan(
    config: &Config,
    target: &TargetConfig,
    scan: &Scan,
) -> anyhow::Result<Found> {
    let mut upstream = log_in(config, target, scan).await?;
    query(&mut upstream, SETTINGS).await.context("preparing to read only")?;
    let columns = query(&mut upstream, COLUMNS).await.context("reading the catalogue")?;
    let mut tables = tables(columns);
    if !scan.schemas.is_empty() {
        for wanted in &scan.schemas {
            let there = tables.iter().any(|table| table.schema == *wanted);
            anyhow::ensure!(there, "schema {wanted:?} has no table that this user can see");
        }
        tables.retain(|table| scan.schemas.contains(&table.schema));
    }
    let mut found = Found {
        target: target.name.clone(),
        columns: tables.iter().map(|table| table.columns.len()).sum(),
        proposed: Vec::new(),
        unread: BTreeMap::new(),
    };
    let count = tables.len();
    for (place, table) in tables.iter().enumerate() {
        let shown = format!("{}.{}", table.schema, table.name);
        eprintln!("weir: {} of {count}: {}", place + 1, shown.escape_debug());
        if table.schema.contains('.') {
            let why = "a schema with a dot in its name can't be written in a [[column]]";
            found.unread.insert(shown, why.to_owned());
            continue;
        }
        let samples = match sample(&mut upstream, table, scan.sample).await? {
            Ok(samples) => samples,
            Err(why) => {
                found.unread.insert(shown.clone(), why);
                BTreeMap::new()
            }
        };
        let known = |column: &str| {
            let mut rules = config.columns.iter().filter(|rule| rule.target == target.name);
            scan.only_new && rules.any(|rule| rule.covers(&table.schema, &table.name, column))
        };
        found.proposed.extend(propose(table, &samples).into_iter().filter(|p| !known(&p.column)));
    }
    Ok(found)
}

async fn log_in(config: &Config, target: &TargetConfig, scan: &Scan) -> anyhow::Result<Upstream> {
    let name = &target.name;
    let credentials = Credentials::new(config.credentials.clone(), &config.gateway.state_dir)?;
    let credential = target.credential.as_ref().map(|name| credentials.load(name)).transpose();
    let credential = credential.with_context(|| format!("logging in to {name}"))?;
    let credential = credential.with_context(|| {
        format!("target {name} has no credential to log in with: add credential = ... to it")
    })?;
    let user = credential.user.clone();
    let database = scan.database.as_ref().or(target.database.as_ref()).unwrap_or(&user);
    let parameters = [
        (b"user".to_vec(), user.as_bytes().to_vec()),
        (b"database".to_vec(), database.as_bytes().to_vec()),
        (b"application_name".to_vec(), b"weir mask scan".to_vec()),
    ];
    let at = address(target)?;
    match login::log_in(target, Some(&credential), at, 0, &parameters).await {
        Ok(upstream) => Ok(upstream),
        Err(LoginError::Target(message)) => {
            bail!("target {name} refuses {user}: {}", said(&message))
        }
        Err(error) => Err(error).with_context(|| format!("logging in to {name} at {at}")),
    }
}

/// Where an agent would connect to.
fn address(target: &TargetConfig) -> anyhow::Result<SocketAddr> {
    if let Some(address) = target.addresses.first() {
        return Ok(SocketAddr::new(*address, target.port));
    }
    let host = target.hosts.first().map_or("", String::as_str);
    let mut found = (host, target.port)
        .to_socket_addrs()
        .with_context(|| format!("resolving {host} of target {}", target.name))?;
    found.next().with_context(|| format!("{host} of target {} has no address", target.name))
}

fn said(message: &[u8]) -> String {
    match backend::parse(message) {
        Ok(Backend::Error(fields)) => {
            String::from_utf8_lossy(fields.get(b'M').unwrap_or_default()).into_owned()
        }
        _ => "in words that are not understood".to_owned(),
    }
}

/// Runs SQL; the rows of the first statement that has some.
async fn query(upstream: &mut Upstream, sql: &str) -> Result<Vec<Row>, ReadError> {
    let results = read::asked(upstream, sql).await?;
    Ok(results.into_iter().find(|rows| !rows.is_empty()).unwrap_or_default())
}

fn tables(rows: Vec<Row>) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for row in rows {
        let Ok([schema, name, kind, rows, column, of, oid]) = <[String; 7]>::try_from(row) else {
            continue;
        };
        if tables.last().is_none_or(|last| last.schema != schema || last.name != name) {
            let rows = rows.parse().unwrap_or(0.0);
            tables.push(Table { schema, name, kind, rows, columns: Vec::new() });
        }
        if let Some(table) = tables.last_mut() {
            let family = Family::of(oid.parse().unwrap_or(0));
            table.columns.push(Column { name: column, kind: of, family });
        }
    }
    tables
}

/// Looks at some rows of a table; why not, where the target does not let it.
async fn sample(
    upstream: &mut Upstream,
    table: &Table,
    rows: u32,
) -> anyhow::Result<Result<BTreeMap<String, Sample>, String>> {
    let columns: Vec<&Column> = table
        .columns
        .iter()
        .filter(|column| !matches!(column.family, Family::Time | Family::Flag | Family::Address))
        .collect();
    if rows == 0 || columns.is_empty() {
        return Ok(Ok(BTreeMap::new()));
    }
    // What a foreign table does when it is read is up to another server.
    if table.kind == "f" {
        return Ok(Err("a foreign table is not read".to_owned()));
    }
    query(upstream, "begin read only").await?;
    let read = query(upstream, &select(table, &columns, rows)).await;
    query(upstream, "rollback").await?;
    let read = match read {
        Ok(read) => read,
        // Its words may quote a value.
        Err(ReadError::Refused { code, .. }) => {
            return Ok(Err(format!("the target refuses to read it (SQLSTATE {code})")));
        }
        Err(error) => return Err(error.into()),
    };
    let mut samples: BTreeMap<String, Sample> = BTreeMap::new();
    for row in &read {
        for (column, value) in columns.iter().zip(row) {
            samples.entry(column.name.clone()).or_default().look(value);
        }
    }
    Ok(Ok(samples))
}

fn select(table: &Table, columns: &[&Column], rows: u32) -> String {
    let column = |column: &&Column| {
        format!("pg_catalog.left({}::pg_catalog.text, {VALUE})", identifier(&column.name))
    };
    let columns: Vec<String> = columns.iter().map(column).collect();
    // Twenty times what is needed, as pages are not full of rows alike.
    let share = f64::from(rows) * 20.0 * 100.0 / table.rows;
    let large = matches!(table.kind.as_str(), "r" | "m") && table.rows > LARGE && share < 100.0;
    let places = if large { format!(" tablesample system ({share:.6})") } else { String::new() };
    format!(
        "select {} from {}.{}{places} limit {rows}",
        columns.join(", "),
        identifier(&table.schema),
        identifier(&table.name)
    )
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn propose(table: &Table, samples: &BTreeMap<String, Sample>) -> Vec<Proposed> {
    let none = Sample::default();
    let propose = |column: &Column| {
        let sample = samples.get(&column.name).unwrap_or(&none);
        let suggestion = suggest(&column.name, column.family, sample)?;
        Some(Proposed {
            table: format!("{}.{}", table.schema, table.name),
            column: column.name.clone(),
            kind: column.kind.clone(),
            classes: suggestion.classes,
            reasons: suggestion.reasons,
            sampled: sample.values,
        })
    };
    let mut proposed: Vec<Proposed> = table.columns.iter().filter_map(propose).collect();
    proposed.sort_by(|a, b| a.classes.cmp(&b.classes));
    proposed
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn row(cells: [&str; 7]) -> Row {
        cells.map(str::to_owned).to_vec()
    }

    #[test]
    fn what_the_catalogue_says_becomes_bounded_queries() {
        let tables = tables(vec![
            row(["public", "a", "r", "-1", "e\"mail", "text", "25"]),
            row(["public", "a", "r", "-1", "seen", "date", "1082"]),
            row(["public", "b", "r", "1000000", "n", "bigint", "20"]),
            row(["public", "c", "v", "1000000", "n", "bigint", "20"]),
        ]);
        let select = |table: &Table, rows| {
            let columns: Vec<&Column> = table.columns.iter().collect();
            super::select(table, &columns[..1], rows)
        };
        assert_eq!(
            select(&tables[0], 200),
            "select pg_catalog.left(\"e\"\"mail\"::pg_catalog.text, 512) from \"public\".\"a\" limit 200"
        );
        assert!(select(&tables[1], 200).ends_with("\"b\" tablesample system (0.400000) limit 200"));
        assert!(
            select(&tables[1], 10_000)
                .ends_with("\"b\" tablesample system (20.000000) limit 10000")
        );
        assert!(select(&tables[2], 200).ends_with("\"c\" limit 200"));
        let proposed = propose(&tables[0], &BTreeMap::new());
        assert_eq!(proposed.len(), 1);
        assert_eq!((proposed[0].table.as_str(), proposed[0].sampled), ("public.a", 0));
    }
}
