//! Conformance: the suites of PostgreSQL itself and of its drivers run twice, direct and through
//! Weir with a policy that permits everything. What passes only one way is a deviation, and each that
//! is accepted stands with its reason in `tests/conformance/deviations.toml`.

mod dump;
mod place;
mod report;
pub(crate) mod source;
mod suites;

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::setup::{self, Part};
use crate::shell;

use place::{Place, Via};
use report::{Deviations, Row};
use suites::{Outcome, Suite};

/// Arguments of `conformance`.
#[derive(clap::Args)]
pub struct Args {
    /// Only these suites (default: all).
    #[arg(long, value_delimiter = ',')]
    only: Vec<Suite>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the task.
pub fn run(args: &Args) -> Result<()> {
    setup::install(&[Part::Build, Part::Postgres, Part::Conformance])?;
    shell::run(shell::cargo().args(["build", "--locked", "--package", "weir"]))?;
    let accepted = Deviations::read()?;
    let place = Place::new()?;
    let mut rows = Vec::new();
    for suite in suites::all(&args.only) {
        suite.prepare(&place)?;
        let direct = run_one(&place, suite, Via::Direct)?;
        let weir = run_one(&place, suite, Via::Weir)?;
        rows.push(Row::new(suite, &direct, &weir, &accepted));
    }
    println!("{}", if args.json { report::json(&rows)? } else { report::text(&rows) });
    let open: usize = rows.iter().map(Row::open).sum();
    ensure!(
        open == 0,
        "{open} deviations are not accepted; logs are in {}",
        place.logs().display()
    );
    Ok(())
}

fn run_one(place: &Place, suite: Suite, via: Via) -> Result<Outcome> {
    let begin = Instant::now();
    eprint!("{suite} {via} ... ");
    let outcome = suite.run(place, via)?;
    let passed = outcome.values().filter(|passed| **passed).count();
    eprintln!("{passed} of {} in {} s", outcome.len(), begin.elapsed().as_secs());
    ensure!(!outcome.is_empty(), "no test ran: see {}", place.log(suite, via).display());
    Ok(outcome)
}
