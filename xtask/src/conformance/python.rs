//! The tests of Python's drivers, run by pytest.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::{setup, shell, stage};

use super::place::{Place, Via};
use super::source;
use super::suites::{Outcome, Suite, outcome};

/// The environment of all of them.
pub(super) fn environment(folder: &Path) -> Result<PathBuf> {
    let venv = folder.join("venv");
    setup::environment(&shell::root().join("tests/conformance/requirements.txt"), &venv)?;
    Ok(venv)
}

/// A driver as PyPI names it, and the folder of its tests.
fn driver(suite: Suite) -> (&'static str, &'static str) {
    match suite {
        Suite::Psycopg3 => ("psycopg", "tests"),
        Suite::Psycopg2 => ("psycopg2", "tests"),
        Suite::Pg8000 => ("pg8000", "test"),
        _ => ("asyncpg", "tests"),
    }
}

/// The version that is installed; the binary packages are the same source, built.
fn version(package: &str) -> Result<String> {
    let listed = fs::read_to_string(shell::root().join("tests/conformance/requirements.txt"))?;
    let version = |line: &str| {
        let (name, version) = line.split_once("==")?;
        let name = name.trim_end_matches("-binary").trim_end_matches("[binary]");
        (name == package).then(|| version.to_owned())
    };
    listed.lines().find_map(version).with_context(|| format!("no version of {package} is listed"))
}

/// The folder in which a driver's tests are kept.
fn folder(suite: Suite, place: &Place) -> Result<PathBuf> {
    let package = driver(suite).0;
    Ok(place.folder.join(format!("{package}-{}", version(package)?)))
}

/// Fetches the tests of a driver.
pub(super) fn prepare(suite: Suite, place: &Place) -> Result<()> {
    let venv = environment(&place.folder)?;
    let (package, tests) = driver(suite);
    let folder = folder(suite, place)?;
    if folder.exists() {
        return Ok(());
    }
    let version = version(package)?;
    eprintln!("fetching the tests of {package} {version}");
    let (archive, parts) = if suite == Suite::Psycopg3 {
        // Its source distribution has none. One of its tests' tools is beside them.
        let archive = source::archive(&place.folder, "psycopg3", "trixie", &version)?;
        (archive, vec![format!("*/{tests}/*"), "*/tools/*".to_owned()])
    } else {
        (
            distribution(place, &venv, &format!("{package}=={version}"))?,
            vec![format!("*/{tests}/*")],
        )
    };
    let unpacked = place.empty("tests-unpacked")?;
    // Not the driver itself, which is not built there.
    let mut unpack = shell::words("tar", ["-x", "--strip-components=1", "--wildcards", "-C"]);
    shell::quietly(unpack.arg(&unpacked).arg("-f").arg(archive).args(parts))?;
    fs::rename(&unpacked, &folder).context("keeping the tests")
}

fn distribution(place: &Place, venv: &Path, package: &str) -> Result<PathBuf> {
    let archives = place.empty("sdist")?;
    let mut download = shell::program(venv.join("bin/pip"));
    let name = package.split("==").next().unwrap_or(package);
    download.args(["download", "--quiet", "--no-deps", "--no-binary", name, package]);
    shell::quietly(download.current_dir(&archives))?;
    Ok(fs::read_dir(&archives)?.flatten().next().context("nothing was fetched")?.path())
}

/// Runs them, in a database of their own.
pub(super) fn run(suite: Suite, place: &Place, via: Via) -> Result<Outcome> {
    let tests = driver(suite).1;
    let database = suite.to_string();
    place.database(&database)?;
    if suite == Suite::Pg8000 {
        // Its tests name no database: direct that is the superuser's, through Weir the target's.
        let extension = "set client_min_messages = error; create extension if not exists hstore";
        place.stage.sql("postgres", extension)?;
        place.stage.sql(&place.stage.database, extension)?;
    }
    let python = environment(&place.folder)?.join("bin/python").display().to_string();
    let words = [&python, "-m", "pytest", "-q", "-rA"];
    let own: &[&str] = if suite == Suite::Psycopg3 {
        // Some take minutes, some time themselves, some look at types and not at a server.
        &[
            "--cache-clear",
            "-m",
            "not slow and not timing and not flakey",
            "--ignore=tests/test_typing.py",
        ]
    } else {
        &["-p", "no:cacheprovider"]
    };
    let mut command = place.command(via, &[&words[..], own, &[tests]].concat());
    command.current_dir(folder(suite, place)?).env("PGDATABASE", &database);
    command.env("PSYCOPG2_TESTDB", &database).env("PSYCOPG2_TESTDB_USER", stage::SUPERUSER);
    command.env("PSYCOPG2_TESTDB_HOST", place.host(via));
    command.env("PSYCOPG2_TESTDB_PASSWORD", place.stage.login_password());
    command.env("PSYCOPG_TEST_DSN", format!("dbname={database}"));
    let said = place.capture(suite, via, &mut command)?;
    Ok(outcome(said.lines().filter_map(line)))
}

/// `PASSED file::name`, `FAILED file::name - why` of pytest's summary; what it skips is no test.
pub(super) fn line(line: &str) -> Option<(String, bool)> {
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
    fn the_summary_of_pytest_is_read() {
        let said = "FAILED tests/a.py::T::test[x y] - AssertionError: 1 - 2";
        assert_eq!(line(said), Some(("tests/a.py::T::test[x y]".to_owned(), false)));
        assert_eq!(line("SKIPPED [1] tests/a.py:3: no"), None);
    }
}
