//! `weir sessions`: list recorded sessions.

pub(super) mod filters;
pub(super) mod terminal;

use std::collections::HashSet;
use std::process::ExitCode;

use weir_ledger::{ExchangeRow, Row as _, SessionRow};

use super::audit::place::Place;
use crate::record::read::Snapshot;
use filters::Filters;

/// Arguments of `weir sessions`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filters: Filters,
    /// Show so many of the newest.
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: usize,
}

/// Runs the command.
pub fn run(args: Args, common: &super::Common) -> anyhow::Result<ExitCode> {
    let snapshot = Snapshot::open(&args.place.dir(common)?)?;
    let snapshot = match args.filters.since {
        Some(since) => snapshot.since(since),
        None => snapshot,
    };
    let mut rows = wanted(&snapshot, &args.filters)?;
    rows.sort_by_key(|row| std::cmp::Reverse(row.started_at));
    rows.truncate(args.limit);
    terminal::print(|screen| {
        if common.json {
            let rows: Vec<_> = rows.iter().map(SessionRow::json).collect();
            return Ok(writeln!(screen, "{}", serde_json::to_string(&rows)?)?);
        }
        let cells: Vec<_> = rows.iter().map(line).collect();
        Ok(terminal::table(screen, 0, &HEADS, &cells)?)
    })
}

fn wanted(snapshot: &Snapshot, filters: &Filters) -> anyhow::Result<Vec<SessionRow>> {
    let mut having = HashSet::new();
    if filters.needs_exchanges() {
        snapshot.each(|row: ExchangeRow| {
            if filters.exchange(&row) {
                having.extend(row.session);
            }
        })?;
    }
    let keep = |row: &SessionRow| {
        filters.actor(&row.subject, row.email.as_deref(), &row.agent)
            && filters.time(row.started_at, row.ended_at)
            && (!filters.needs_exchanges() || having.contains(row.session.as_str()))
    };
    Ok(snapshot.rows(keep)?)
}

const HEADS: [&str; 11] = [
    "SESSION", "STARTED", "ENDED", "WHO", "AGENT", "HOST", "DONE", "DENIED", "HELD", "MASKED",
    "COMMAND",
];

fn line(row: &SessionRow) -> Vec<String> {
    let seconds = |text: String| text.chars().take(19).collect::<String>().replace('T', " ");
    let ended = match (&row.ended_at, &row.end_reason) {
        (Some(ended), _) => seconds(ended.rfc3339()),
        (None, Some(reason)) => terminal::cell(reason),
        (None, None) => "running".to_owned(),
    };
    vec![
        row.session.clone(),
        seconds(row.started_at.rfc3339()),
        ended,
        terminal::cell(row.email.as_deref().unwrap_or(&row.subject)),
        terminal::cell(&row.agent),
        terminal::cell(&row.host),
        row.exchanges.to_string(),
        row.denied.to_string(),
        row.held.to_string(),
        row.masked.to_string(),
        terminal::cell(&row.command.join(" ")),
    ]
}
