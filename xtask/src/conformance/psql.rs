//! psql: what it prints of its own commands, for scripts and in a terminal with completion.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::shell;

use super::place::{self, Place, Server, Via};
use super::suites::{Outcome, Suite};
use super::{compare, python};

/// The database, whose name is in the cases.
const DATABASE: &str = "psql";

pub(super) fn run(suite: Suite, place: &Place, via: Via) -> Result<Outcome> {
    let cases = shell::root().join("tests/conformance/psql");
    let schema = cases.join("schema.sql");
    let schema =
        fs::read_to_string(&schema).with_context(|| format!("reading {}", schema.display()))?;
    place.database(DATABASE)?;
    place.stage.sql("postgres", "drop role if exists writer, reader")?;
    place.stage.sql(DATABASE, &schema)?;
    let folder = compare::folder(place, suite, via)?;
    let own = place.stage.programs()?.join("psql");
    let newest = place::programs(Server::Newest, &place.folder)?.join("psql");
    let words = [
        python::environment(&place.folder)?.join("bin/python").display().to_string(),
        cases.join("run.py").display().to_string(),
        folder.display().to_string(),
        cases.join("cases.sql").display().to_string(),
        format!("{}={}", place.major, own.display()),
        format!("{}={}", super::source::NEWEST, newest.display()),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = place.command(via, &words).output().context("running psql")?;
    let said = String::from_utf8_lossy(&output.stderr);
    fs::write(place.log(suite, via), said.as_bytes())?;
    ensure!(output.status.success(), "psql's cases did not run to their end: {said}");
    compare::outcome(place, suite, via)
}
