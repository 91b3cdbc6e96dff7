//! Conformance: the suites of PostgreSQL itself and of its drivers run twice, direct and through
//! Weir with a policy that permits everything. What passes only one way is a deviation, and each that
//! is accepted stands with its reason in `tests/conformance/deviations.toml`.

mod compare;
mod dump;
mod java;
mod migrations;
mod node;
mod pgbench;
mod place;
mod psql;
mod python;
mod regress;
mod report;
mod rust;
pub(crate) mod source;
mod sqlsmith;
mod suites;

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::setup::{self, Part};
use crate::shell;

use place::{Place, Server, Via};
use report::{Deviations, Row, Timed};
use sqlsmith::Effort;
use suites::Suite;

/// Arguments of `conformance`.
#[derive(clap::Args)]
pub struct Args {
    /// Only these suites (default: all).
    #[arg(long, value_delimiter = ',')]
    only: Vec<Suite>,
    /// What SQLsmith's statements grow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long SQLsmith's statements are asked direct; all of that suite takes three to ten times as long.
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// With an optimised build of Weir, which has no checks for overflow.
    #[arg(long)]
    release: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the task.
pub fn run(args: &Args) -> Result<()> {
    setup::install(&[Part::Build, Part::Postgres, Part::Conformance])?;
    let profile: &[&str] = if args.release { &["--release"] } else { &[] };
    shell::run(shell::cargo().args(["build", "--locked", "--package", "weir"]).args(profile))?;
    let weir = if args.release { "release/weir" } else { "debug/weir" };
    let weir = shell::build_dir().join(weir);
    let accepted = Deviations::read()?;
    let effort = Effort { seed: args.seed, minutes: args.minutes };
    let (mut rows, mut missing) = (Vec::new(), Vec::new());
    let mut stands: Option<(Server, Place)> = None;
    for suite in suites::all(&args.only) {
        if stands.as_ref().is_none_or(|(server, _)| *server != suite.server()) {
            // The one has to be gone when the next takes its name.
            drop(stands.take());
        }
        let (_, place) = match &mut stands {
            Some(stands) => stands,
            none => none.insert((suite.server(), Place::new(suite.server(), effort, &weir)?)),
        };
        // One that can't be had says nothing about the others, nor do they about it.
        match both_ways(place, suite, &accepted) {
            Ok(row) => rows.push(row),
            Err(error) => {
                eprintln!("{suite} did not run: {error:#}");
                missing.push(suite.to_string());
            }
        }
    }
    println!("{}", if args.json { report::json(&rows)? } else { report::text(&rows) });
    let open: usize = rows.iter().map(Row::open).sum();
    let logs = place::folder();
    ensure!(open == 0, "{open} deviations are not accepted; logs are in {}", logs.display());
    ensure!(missing.is_empty(), "did not run: {}", missing.join(", "));
    Ok(())
}

fn both_ways(place: &Place, suite: Suite, accepted: &Deviations) -> Result<Row> {
    suite.prepare(place)?;
    let direct = run_one(place, suite, Via::Direct)?;
    let weir = run_one(place, suite, Via::Weir)?;
    Ok(Row::new(suite, &direct, &weir, accepted))
}

fn run_one(place: &Place, suite: Suite, via: Via) -> Result<Timed> {
    let begin = Instant::now();
    eprint!("{suite} {via} ... ");
    let outcome = suite.run(place, via)?;
    let passed = outcome.values().filter(|passed| **passed).count();
    let seconds = begin.elapsed().as_secs();
    eprintln!("{passed} of {} in {seconds} s", outcome.len());
    ensure!(!outcome.is_empty(), "no test ran: see {}", place.log(suite, via).display());
    Ok(Timed { outcome, seconds })
}
