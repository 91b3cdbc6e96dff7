//! The suites, how each is prepared and run, and how its output is read.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use clap::ValueEnum;

use super::place::{Place, Server, Via};
use super::{dump, java, migrations, node, pgbench, psql, python, regress, rust, source, sqlsmith};

/// Whether each test passed, by name.
pub(super) type Outcome = BTreeMap<String, bool>;

/// A suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Suite {
    /// PostgreSQL's regression tests, as its superuser.
    Regress,
    /// PostgreSQL's isolation tests: several sessions that wait for each other.
    Isolation,
    /// PostgreSQL's tests of libpq's pipeline mode.
    LibpqPipeline,
    /// pg_dump and psql, with what the regression tests leave behind.
    PgDump,
    /// The tests of psycopg 2, from its source distribution.
    Psycopg2,
    /// The tests of psycopg 3, from Debian's source of it.
    Psycopg3,
    /// The tests of asyncpg, from its source distribution.
    Asyncpg,
    /// The tests of pg8000, likewise.
    Pg8000,
    /// The tests of node-postgres, from Debian's source of it.
    NodePostgres,
    /// The tests of tokio-postgres, from the crate.
    TokioPostgres,
    /// The tests of pgjdbc, from Debian's source of it.
    Pgjdbc,
    /// pgbench in all its modes.
    Pgbench,
    /// psql's own commands and completions.
    Psql,
    /// Migrations of SQLAlchemy, Django, drizzle and Prisma.
    Migrations,
    /// SQLsmith's statements, with the same rows and errors.
    Sqlsmith,
    /// PostgreSQL 18's regression tests, with a server of that version.
    Regress18,
    /// Its isolation tests.
    Isolation18,
    /// Its tests of libpq's pipeline mode.
    LibpqPipeline18,
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("?", |value| value.get_name()))
    }
}

/// Whose deviations nobody has gone through yet: they run by name only.
const BY_NAME: [Suite; 3] = [Suite::Psycopg3, Suite::Pgjdbc, Suite::Sqlsmith];

/// Those that were asked for, or all.
pub(super) fn all(only: &[Suite]) -> Vec<Suite> {
    let usual = |suite: &Suite| only.is_empty() && !BY_NAME.contains(suite);
    let wanted = |suite: &&Suite| usual(suite) || only.contains(suite);
    Suite::value_variants().iter().filter(wanted).copied().collect()
}

impl Suite {
    /// The server that it runs with.
    pub(super) fn server(self) -> Server {
        match self {
            Self::Regress18 | Self::Isolation18 | Self::LibpqPipeline18 => Server::Newest,
            _ => Server::Debian,
        }
    }

    /// Fetches and builds what it needs.
    pub(super) fn prepare(self, place: &Place) -> Result<()> {
        match self {
            Self::Regress
            | Self::Isolation
            | Self::LibpqPipeline
            | Self::Regress18
            | Self::Isolation18
            | Self::LibpqPipeline18 => source::built(&place.major, &place.folder).map(drop),
            Self::PgDump => dump::prepare(place),
            Self::Psycopg2 | Self::Psycopg3 | Self::Asyncpg | Self::Pg8000 => {
                python::prepare(self, place)
            }
            Self::NodePostgres => node::prepare(place),
            Self::TokioPostgres => rust::prepare(place),
            Self::Pgjdbc => java::prepare(place),
            Self::Migrations => migrations::prepare(place),
            Self::Sqlsmith => sqlsmith::prepare(place),
            Self::Pgbench | Self::Psql => Ok(()),
        }
    }

    /// Runs it one way.
    pub(super) fn run(self, place: &Place, via: Via) -> Result<Outcome> {
        match self {
            Self::Regress | Self::Isolation | Self::Regress18 | Self::Isolation18 => {
                regress::run(self, place, via)
            }
            Self::LibpqPipeline | Self::LibpqPipeline18 => regress::pipeline(place, via),
            Self::PgDump => dump::run(place, via),
            Self::Psycopg2 | Self::Psycopg3 | Self::Asyncpg | Self::Pg8000 => {
                python::run(self, place, via)
            }
            Self::NodePostgres => node::run(self, place, via),
            Self::TokioPostgres => rust::run(self, place, via),
            Self::Pgjdbc => java::run(self, place, via),
            Self::Migrations => migrations::run(self, place, via),
            Self::Sqlsmith => sqlsmith::run(self, place, via),
            Self::Pgbench => pgbench::run(self, place, via),
            Self::Psql => psql::run(self, place, via),
        }
    }
}

/// A test that is told of twice, as one that fails while it is taken down, passed only if it did twice.
pub(super) fn outcome(lines: impl Iterator<Item = (String, bool)>) -> Outcome {
    let mut all = Outcome::new();
    for (name, passed) in lines {
        *all.entry(name).or_insert(true) &= passed;
    }
    all
}
