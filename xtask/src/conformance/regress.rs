//! The suites of PostgreSQL itself, built from its source.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result};

use crate::{shell, stage};

use super::place::{Place, Via};
use super::suites::{Outcome, Suite, outcome};
use super::{dump, source};

/// What both the server and psql write, of whom neither may write the other's: an agent has no privileges,
/// not even root's.
const WRITTEN_BY_BOTH: [&str; 3] = ["copytest.csv", "psql-output1", "psql-output2"];

/// pg_regress or pg_isolation_regress.
pub(super) fn run(suite: Suite, place: &Place, via: Via) -> Result<Outcome> {
    let (part, program) = match suite {
        Suite::Isolation | Suite::Isolation18 => ("isolation", "pg_isolation_regress"),
        _ => ("regress", "pg_regress"),
    };
    let input = source::built(&place.major, &place.folder)?.join("src/test").join(part);
    let output = place.shared(&format!("{suite}-output"))?;
    let results = place.shared(&format!("{suite}-output/results"))?;
    for name in WRITTEN_BY_BOTH {
        let file = results.join(name);
        fs::write(&file, "")?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666))?;
    }
    // Some of their expected output names their database.
    let (schedule, database) = match part {
        "regress" => ("parallel_schedule", dump::SOURCE),
        _ => ("isolation_schedule", "isolation_regression"),
    };
    let words = [
        input.join(program).display().to_string(),
        format!("--inputdir={}", input.display()),
        format!("--outputdir={}", output.display()),
        // Which psql it runs.
        format!("--bindir={}", place.stage.programs()?.display()),
        format!("--dlpath={}", input.display()),
        format!("--schedule={}", input.join(schedule).display()),
        "--max-concurrent-tests=20".to_owned(),
        format!("--host={}", place.host(via)),
        "--port=5432".to_owned(),
        format!("--user={}", stage::SUPERUSER),
        format!("--dbname={database}"),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let said = place.capture(suite, via, &mut place.command(via, &words))?;
    Ok(outcome(said.lines().filter_map(line)))
}

/// libpq_pipeline, each of its tests on its own.
pub(super) fn pipeline(place: &Place, via: Via) -> Result<Outcome> {
    let source = source::built(&place.major, &place.folder)?;
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

/// `test name ... ok` of PostgreSQL up to 15, `ok 1 - name` later.
fn line(line: &str) -> Option<(String, bool)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_lines_are_read() {
        for (said, name, passed) in [
            ("test fast_default                 ... ok          274 ms", "fast_default", true),
            ("     copy                         ... FAILED      166 ms", "copy", false),
            ("ok 3         - test_setup                    331 ms", "test_setup", true),
            ("not ok 12    + numeric                       10 ms", "numeric", false),
        ] {
            assert_eq!(line(said), Some((name.to_owned(), passed)), "{said}");
        }
        for said in
            ["# parallel group (2 tests): a b", "1..3", "parallel group (2 tests):  a b", ""]
        {
            assert_eq!(line(said), None, "{said}");
        }
    }
}
