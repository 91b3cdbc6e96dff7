//! The suites, how each is prepared and run, and how its output is read.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::{setup, shell, stage};

use super::place::{Place, Via};
use super::{dump, source};

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
    /// The tests of asyncpg, likewise.
    Asyncpg,
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("?", |value| value.get_name()))
    }
}

/// Those that were asked for, or all.
pub(super) fn all(only: &[Suite]) -> Vec<Suite> {
    let wanted = |suite: &&Suite| only.is_empty() || only.contains(suite);
    Suite::value_variants().iter().filter(wanted).copied().collect()
}

impl Suite {
    /// Fetches and builds what it needs.
    pub(super) fn prepare(self, place: &Place) -> Result<()> {
        match self {
            Self::Regress | Self::Isolation | Self::LibpqPipeline => {
                source::built(&Place::major()?, &place.folder).map(drop)
            }
            Self::PgDump => dump::prepare(place),
            Self::Psycopg2 | Self::Asyncpg => self.prepare_python(place),
        }
    }

    /// Runs it one way.
    pub(super) fn run(self, place: &Place, via: Via) -> Result<Outcome> {
        match self {
            Self::Regress => self.regress(place, via, "regress", "pg_regress"),
            Self::Isolation => self.regress(place, via, "isolation", "pg_isolation_regress"),
            Self::LibpqPipeline => self.pipeline(place, via),
            Self::PgDump => dump::run(place, via),
            Self::Psycopg2 | Self::Asyncpg => self.pytest(place, via),
        }
    }

    fn regress(self, place: &Place, via: Via, part: &str, program: &str) -> Result<Outcome> {
        let input = source::built(&Place::major()?, &place.folder)?.join("src/test").join(part);
        let output = place.shared(&format!("{self}-output"))?;
        place.shared(&format!("{self}-output/results"))?;
        // Some of their expected output names their database.
        let (schedule, database) = match self {
            Self::Regress => ("parallel_schedule", dump::SOURCE),
            _ => ("isolation_schedule", "isolation_regression"),
        };
        let words = [
            input.join(program).display().to_string(),
            format!("--inputdir={}", input.display()),
            format!("--outputdir={}", output.display()),
            format!("--bindir={}", stage::programs()?.display()),
            format!("--dlpath={}", input.display()),
            format!("--schedule={}", input.join(schedule).display()),
            "--max-concurrent-tests=20".to_owned(),
            format!("--host={}", place.host(via)),
            "--port=5432".to_owned(),
            format!("--user={}", stage::SUPERUSER),
            format!("--dbname={database}"),
        ];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = place.capture(self, via, &mut place.command(via, &words))?;
        Ok(outcome(said.lines().filter_map(regress_line)))
    }

    fn pipeline(self, place: &Place, via: Via) -> Result<Outcome> {
        let source = source::built(&Place::major()?, &place.folder)?;
        let library = source.join("src/interfaces/libpq");
        let program = source.join("src/test/modules/libpq_pipeline/libpq_pipeline");
        let program = program.display().to_string();
        let mut list = shell::program(&program);
        let names = shell::capture(list.arg("tests").env("LD_LIBRARY_PATH", &library))?;
        let mut outcome = Outcome::new();
        for name in names.lines().map(str::trim).filter(|name| !name.is_empty()) {
            // libpq takes the rest from its variables.
            let mut command = place.command(via, &[&program, name, "dbname=postgres"]);
            command.env("LD_LIBRARY_PATH", &library);
            let output = command.output().with_context(|| format!("running {name}"))?;
            outcome.insert(name.to_owned(), output.status.success());
        }
        Ok(outcome)
    }

    fn environment(place: &Place) -> PathBuf {
        place.folder.join("venv")
    }

    fn prepare_python(self, place: &Place) -> Result<()> {
        let wanted = shell::root().join("tests/conformance/requirements.txt");
        setup::environment(&wanted, &Self::environment(place))?;
        let listed = fs::read_to_string(&wanted)?;
        // psycopg2-binary is the same source, built.
        let version = |line: &str| {
            let (name, version) = line.split_once("==")?;
            let own = name.trim_end_matches("-binary") == self.to_string();
            own.then(|| format!("{self}=={version}"))
        };
        let package = listed.lines().find_map(version).context("no version of this driver")?;
        let folder = place.folder.join(package.replace("==", "-"));
        if folder.exists() {
            return Ok(());
        }
        eprintln!("fetching the tests of {package}");
        let archives = place.empty("sdist")?;
        let mut download = shell::program(Self::environment(place).join("bin/pip"));
        download.args(["download", "--quiet", "--no-deps", "--no-binary", ":all:", &package]);
        shell::quietly(download.current_dir(&archives))?;
        let archive = fs::read_dir(&archives)?.flatten().next().context("nothing was fetched")?;
        let tests = place.empty("tests-unpacked")?;
        // Not the driver itself, which is not built there.
        let mut unpack = shell::words("tar", ["-x", "--strip-components=1", "--wildcards", "-C"]);
        shell::quietly(unpack.arg(&tests).arg("-f").arg(archive.path()).arg("*/tests/*"))?;
        fs::rename(&tests, &folder).context("keeping the tests")
    }

    fn pytest(self, place: &Place, via: Via) -> Result<Outcome> {
        let prefix = format!("{self}-");
        let is_own = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.is_dir() && name.starts_with(&prefix) && path.join("tests").is_dir()
        };
        let mut entries = fs::read_dir(&place.folder)?.flatten().map(|entry| entry.path());
        let folder = entries.find(is_own).context("its tests are gone")?;
        let database = self.to_string();
        place.stage.sql("postgres", &format!("drop database if exists {database} with (force)"))?;
        place.stage.sql("postgres", &format!("create database {database}"))?;
        let python = Self::environment(place).join("bin/python").display().to_string();
        let words = [&python, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "tests"];
        let mut command = place.command(via, &words);
        command.current_dir(folder).env("PGDATABASE", &database);
        command.env("PSYCOPG2_TESTDB", &database).env("PSYCOPG2_TESTDB_USER", stage::SUPERUSER);
        command.env("PSYCOPG2_TESTDB_HOST", place.host(via));
        command.env("PSYCOPG2_TESTDB_PASSWORD", place.stage.login_password());
        let said = place.capture(self, via, &mut command)?;
        Ok(outcome(said.lines().filter_map(pytest_line)))
    }
}

/// A test that is told of twice, as one that fails while it is taken down, passed only if it did twice.
fn outcome(lines: impl Iterator<Item = (String, bool)>) -> Outcome {
    let mut all = Outcome::new();
    for (name, passed) in lines {
        *all.entry(name).or_insert(true) &= passed;
    }
    all
}

/// `test name ... ok` of PostgreSQL up to 15, `ok 1 - name` later.
fn regress_line(line: &str) -> Option<(String, bool)> {
    if let Some((head, verdict)) = line.split_once(" ... ") {
        let name = head.trim().trim_start_matches("test ").trim();
        let passed = verdict.trim_start().starts_with("ok");
        let is_test = !name.is_empty() && !name.contains(' ');
        return is_test.then(|| (name.to_owned(), passed));
    }
    let passed = line.starts_with("ok ");
    let rest = line.strip_prefix("not ok ").or_else(|| line.strip_prefix("ok "))?;
    let mut words = rest.split_whitespace();
    words.next()?.parse::<u32>().ok()?;
    let name = words.find(|word| !matches!(*word, "-" | "+"))?;
    Some((name.to_owned(), passed))
}

/// `PASSED file::name`, `FAILED file::name - why` of pytest's summary; what it skips is no test.
fn pytest_line(line: &str) -> Option<(String, bool)> {
    let (verdict, rest) = line.split_once(' ')?;
    let passed = match verdict {
        "PASSED" => true,
        "FAILED" | "ERROR" => false,
        _ => return None,
    };
    let name = rest.split(" - ").next().unwrap_or(rest);
    name.contains("::").then(|| (name.to_owned(), passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_lines_are_read() {
        for (line, name, passed) in [
            ("test fast_default                 ... ok          274 ms", "fast_default", true),
            ("     copy                         ... FAILED      166 ms", "copy", false),
            ("ok 3         - test_setup                    331 ms", "test_setup", true),
            ("not ok 12    + numeric                       10 ms", "numeric", false),
        ] {
            assert_eq!(regress_line(line), Some((name.to_owned(), passed)), "{line}");
        }
        for line in
            ["# parallel group (2 tests): a b", "1..3", "parallel group (2 tests):  a b", ""]
        {
            assert_eq!(regress_line(line), None, "{line}");
        }
        let line = "FAILED tests/a.py::T::test[x y] - AssertionError: 1 - 2";
        assert_eq!(pytest_line(line), Some(("tests/a.py::T::test[x y]".to_owned(), false)));
        assert_eq!(pytest_line("SKIPPED [1] tests/a.py:3: no"), None);
    }
}
