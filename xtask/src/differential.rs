//! The classifier against real servers, for longer than a test run has time: the test target
//! `differential` of `weir-tests`, with more statements, and with PostgreSQL's regression tests.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::conformance::source;
use crate::setup::{self, Part};
use crate::shell;

/// Arguments of `differential`.
#[derive(clap::Args)]
pub struct Args {
    /// How many statements for each server.
    #[arg(long, default_value_t = 100_000)]
    statements: u64,
    /// The seed of the first one; each that follows has the next number.
    #[arg(long)]
    seed: Option<u64>,
    /// Leave out PostgreSQL's regression tests.
    #[arg(long)]
    no_regress: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the task.
pub fn run(args: &Args) -> Result<()> {
    setup::install(&[Part::Build, Part::Postgres, Part::Python])?;
    let folder = shell::build_dir().join("differential");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let report = folder.join("report");
    fs::write(&report, "").context("emptying the report")?;
    let mut done = run_tests(args, &report, "no_statement_that_writes_on", None);
    // Not beside the others, whose server it sets up in its own way.
    if !args.no_regress && done.is_ok() {
        setup::install(&[Part::Conformance])?;
        let suite = source::fetched("15", &folder)?.join("src/test/regress");
        done = run_tests(args, &report, "one_regression", Some(&suite));
    }
    println!("{}", figures(&report, args.json)?);
    done
}

fn run_tests(args: &Args, report: &Path, name: &str, suite: Option<&Path>) -> Result<()> {
    let mut tests = shell::cargo();
    tests.args(["test", "--quiet", "--locked", "--package", "weir-tests"]);
    tests.args(["--test", "differential", "--", "--nocapture", "--include-ignored", name]);
    tests.env("WEIR_VENV", shell::venv()).env("WEIR_DIFFERENTIAL_REPORT", report);
    tests.env("WEIR_DIFFERENTIAL_STATEMENTS", args.statements.to_string());
    if let Some(seed) = args.seed {
        tests.env("WEIR_DIFFERENTIAL_SEED", seed.to_string());
    }
    if let Some(suite) = suite {
        tests.env("WEIR_DIFFERENTIAL_REGRESS", suite);
    }
    // Progress goes to the error stream, where cargo's own does.
    tests.stdout(std::io::stderr());
    shell::run(&mut tests)
}

/// What each test wrote: an object a line.
fn figures(report: &Path, json: bool) -> Result<String> {
    let text = fs::read_to_string(report).context("reading the report")?;
    let rows =
        text.lines().map(serde_json::from_str).collect::<Result<Vec<serde_json::Value>, _>>()?;
    if json {
        return Ok(serde_json::to_string_pretty(&rows)?);
    }
    let line = |row: &serde_json::Value| {
        let fields = row.as_object().into_iter().flatten();
        fields.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    };
    Ok(rows.iter().map(line).collect::<Vec<_>>().join("\n"))
}
