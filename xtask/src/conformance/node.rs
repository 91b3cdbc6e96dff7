//! The tests of node-postgres that talk to a server: of pg, pg-pool and pg-cursor.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::setup;
use crate::shell;

use super::place::{Place, Via};
use super::suites::{Outcome, Suite, outcome};
use super::{python, source};

/// What the source is a version of, as the package on npm is pinned.
const VERSION: &str = "8.16.3";

fn own() -> PathBuf {
    shell::root().join("tests/conformance/node")
}

/// Where the source lies: below what it depends on, as Node looks for that.
fn unpacked(place: &Place) -> Result<PathBuf> {
    let modules = place.folder.join("node");
    let archive = source::archive(&place.folder, "node-postgres", "sid", VERSION)?;
    source::unpacked(&modules, &archive)
}

pub(super) fn prepare(place: &Place) -> Result<()> {
    setup::modules(&own(), &place.folder.join("node"))?;
    unpacked(place).map(drop)
}

pub(super) fn run(suite: Suite, place: &Place, via: Via) -> Result<Outcome> {
    let database = suite.to_string();
    place.database(&database)?;
    let script = place.folder.join("node/run.js");
    fs::copy(own().join("run.js"), &script).context("copying what runs the tests")?;
    let words = ["node", &script.display().to_string(), &unpacked(place)?.display().to_string()];
    let mut command = place.command(via, &words);
    command.env("PGDATABASE", &database).env("PGTESTNOSSL", "1");
    let said = place.capture(suite, via, &mut command)?;
    Ok(outcome(said.lines().filter_map(python::line)))
}
