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
    let mut tests = shell::cargo();
    tests.args([
        "test",
        "--quiet",
        "--locked",
        "--package",
        "weir-tests",
        "--test",
        "differential",
    ]);
    tests.args(["--", "--nocapture", "no_statement_that_writes_on"]);
    tests.env("WEIR_VENV", shell::venv()).env("WEIR_DIFFERENTIAL_REPORT", &report);
    tests.env("WEIR_DIFFERENTIAL_STATEMENTS", args.statements.to_string());
    if let Some(seed) = args.seed {
        tests.env("WEIR_DIFFERENTIAL_SEED", seed.to_string());
    }
    if !args.no_regress {
        setup::install(&[Part::Conformance])?;
        let source = source::fetched("15", &folder)?;
        tests.env("WEIR_DIFFERENTIAL_REGRESS", source.join("src/test/regress"));
        tests.args(["one_regression", "--include-ignored"]);
    }
    // Progress goes to the error stream, where cargo's own does.
    tests.stdout(std::io::stderr());
    let done = shell::run(&mut tests);
    println!("{}", figures(&report, args.json)?);
    done
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
