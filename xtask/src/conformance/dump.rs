//! pg_dump and psql: what PostgreSQL's regression tests leave behind is dumped, restored from the dump
//! and dumped again, and each dump must be the same to the byte both ways.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::place::{Place, Via};
use super::suites::{Outcome, Suite};

/// The database that the regression tests make.
pub(super) const SOURCE: &str = "regression";

/// Has the regression tests run if nobody did.
pub(super) fn prepare(place: &Place) -> Result<()> {
    let there = format!("select count(*) from pg_database where datname = '{SOURCE}'");
    if place.stage.sql("postgres", &there)?.trim() == "0" {
        Suite::Regress.prepare(place)?;
        Suite::Regress.run(place, Via::Direct)?;
    }
    Ok(())
}

pub(super) fn run(place: &Place, via: Via) -> Result<Outcome> {
    let (first, second) = (file(place, via, "first"), file(place, via, "second"));
    let restored = "restored";
    let mut outcome = Outcome::new();
    let dumped = dump(place, via, SOURCE, &first)? && same(place, via, "first")?;
    outcome.insert("dump".to_owned(), dumped);
    place.stage.sql("postgres", &format!("drop database if exists {restored}"))?;
    place.stage.sql("postgres", &format!("create database {restored} template template0"))?;
    let script = first.display().to_string();
    let mut psql = place.command(via, &["psql", "-X", "-q", "-d", restored, "-f", &script]);
    let said = psql.output().context("running psql")?;
    fs::write(place.log(Suite::PgDump, via), [said.stdout, said.stderr].concat())?;
    // Dumped past Weir: it is the restore that is looked at.
    let again = dump(place, Via::Direct, restored, &second)? && same(place, via, "second")?;
    outcome.insert("restore".to_owned(), said.status.success() && again);
    Ok(outcome)
}

fn file(place: &Place, via: Via, name: &str) -> PathBuf {
    let way = if via == Via::Direct { "direct" } else { "weir" };
    place.folder.join(format!("{name}-{way}.sql"))
}

fn dump(place: &Place, via: Via, database: &str, into: &Path) -> Result<bool> {
    let program = place.stage.programs()?.join("pg_dump").display().to_string();
    let file = format!("--file={}", into.display());
    // Otherwise each dump has a key of its own.
    let words = [&program, "--restrict-key=conformance", "-d", database, &file];
    let output = place.command(via, &words).output().context("running pg_dump")?;
    Ok(output.status.success())
}

/// Whether the file is what it was direct, and not empty.
fn same(place: &Place, via: Via, name: &str) -> Result<bool> {
    let read = |via| {
        let path = file(place, via, name);
        fs::read(&path).with_context(|| format!("reading {}", path.display()))
    };
    let direct = read(Via::Direct)?;
    Ok(!direct.is_empty() && direct == read(via)?)
}
