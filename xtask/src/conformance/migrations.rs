//! Migrations of SQLAlchemy (Alembic), Django, drizzle and Prisma: a small project of each migrates, asks
//! as an application does and reads the schema back. What it prints, and the schema that it leaves as
//! pg_dump sees it, are to be the same both ways.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{setup, shell};

use super::place::{Place, Via};
use super::suites::{Outcome, Suite};
use super::{compare, python};

/// The projects, each with the program that runs it.
const PROJECTS: [(&str, &str); 4] =
    [("alembic", "run.py"), ("django", "run.py"), ("drizzle", "run.js"), ("prisma", "run.js")];

fn source(project: &str) -> PathBuf {
    shell::root().join("tests/conformance/migrations").join(project)
}

/// A copy of each project, since what it needs and what it writes lies beside it.
fn folder(place: &Place, project: &str) -> PathBuf {
    place.folder.join("migrations").join(project)
}

pub(super) fn prepare(place: &Place) -> Result<()> {
    python::environment(&place.folder)?;
    for (project, _) in PROJECTS {
        let (from, into) = (source(project), folder(place, project));
        fs::create_dir_all(&into)?;
        shell::quietly(shell::words("cp", ["-rT"]).arg(&from).arg(&into))?;
        setup::modules(&from, &into)?;
    }
    Ok(())
}

pub(super) fn run(suite: Suite, place: &Place, via: Via) -> Result<Outcome> {
    let said = compare::folder(place, suite, via)?;
    let python = python::environment(&place.folder)?.join("bin/python").display().to_string();
    let mut log = Vec::new();
    for (project, script) in PROJECTS {
        // Of one name both ways, since some print it.
        let database = format!("migrated_{project}");
        place.database(&database)?;
        let program = if script.ends_with(".py") { &python } else { "node" };
        let mut command = place.command(via, &[program, script]);
        command.current_dir(folder(place, project)).env("PGDATABASE", &database);
        // Neither asks for news nor tells how it is used.
        command.env("CHECKPOINT_DISABLE", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        let output = command.output().with_context(|| format!("running {project}"))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let text = format!("{}{}\n", place.nameless(&printed), output.status);
        fs::write(said.join(project), text)?;
        log.extend([output.stdout, output.stderr].concat());
        let program = place.stage.programs()?.join("pg_dump").display().to_string();
        let words = [&program, "--schema-only", "--restrict-key=conformance", "-d", &database];
        let dump = shell::capture(&mut place.command(Via::Direct, &words))?;
        fs::write(said.join(format!("{project}-schema")), dump)?;
    }
    fs::write(place.log(suite, via), &log)?;
    let mut outcome = compare::outcome(place, suite, via)?;
    // One that breaks off shows nothing, even if it does so both ways.
    for (project, _) in PROJECTS {
        let text = fs::read_to_string(said.join(project))?;
        if !text.ends_with("exit status: 0\n") {
            outcome.insert(project.to_owned(), false);
        }
    }
    Ok(outcome)
}
