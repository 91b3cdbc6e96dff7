//! `weir show`: a session, flow, exchange or hold, by its id or the beginning of it.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};
use weir_ledger::{AnswerRow, ExchangeRow, FlowRow, HoldRow, Row, SessionRow, Table};

use super::audit::place::Place;
use super::replay::grid;
use super::sessions::terminal;
use crate::record::read::Snapshot;

/// So many candidates are named when an id is not unique.
const NAMED: usize = 8;

/// Arguments of `weir show`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// The id, or enough of its beginning.
    id: String,
}

/// Runs the command.
pub fn run(args: Args, common: &super::Common) -> anyhow::Result<ExitCode> {
    let snapshot = Snapshot::open(&args.place.dir(common)?)?;
    let (table, id) = find(&snapshot, &args.id)?;
    let rows = match table {
        Table::Sessions => all(snapshot.rows(|row: &SessionRow| row.session == id)?),
        Table::Flows => all(snapshot.rows(|row: &FlowRow| *row.flow == *id)?),
        Table::Exchanges => all(snapshot.rows(|row: &ExchangeRow| *row.exchange == *id)?),
        Table::Holds => all(snapshot.rows(|row: &HoldRow| row.hold == id)?),
        Table::Answers | Table::Events | Table::Coverage => Vec::new(),
    };
    let mut answers = match table {
        Table::Exchanges => snapshot.rows(|row: &AnswerRow| *row.exchange == *id)?,
        _ => Vec::new(),
    };
    answers.sort_by_key(|answer| (answer.part, answer.result));
    terminal::print(|screen| {
        if common.json {
            let object = json!({"table": table.name(), "rows": rows, "answers": all(answers)});
            return Ok(writeln!(screen, "{object}")?);
        }
        for row in &rows {
            fields(screen, row)?;
        }
        answers.iter().try_for_each(|answer| grid::write(screen, 0, answer))
    })
}

fn all<R: Row>(rows: Vec<R>) -> Vec<Value> {
    rows.iter().map(Row::json).collect()
}

/// Finds the one thing whose id begins with `wanted`.
fn find(snapshot: &Snapshot, wanted: &str) -> anyhow::Result<(Table, String)> {
    let wanted = wanted.to_uppercase();
    let mut found = BTreeSet::new();
    let mut see = |table: Table, id: String| {
        if id.starts_with(&wanted) {
            found.insert((table, id));
        }
    };
    snapshot.each(|row: SessionRow| see(Table::Sessions, row.session))?;
    snapshot.each(|row: FlowRow| see(Table::Flows, row.flow.to_string()))?;
    snapshot.each(|row: ExchangeRow| see(Table::Exchanges, row.exchange.to_string()))?;
    snapshot.each(|row: HoldRow| see(Table::Holds, row.hold))?;
    if let Some(exact) = found.iter().find(|(_, id)| *id == wanted) {
        return Ok(exact.clone());
    }
    let wanted = terminal::cell(&wanted);
    match found.len() {
        1 => found.pop_first().ok_or_else(|| anyhow::anyhow!("looking for {wanted}")),
        0 => anyhow::bail!("looking for {wanted}: nothing recorded has such an id"),
        count => {
            let some: Vec<_> = found.iter().take(NAMED).map(|(_, id)| id.as_str()).collect();
            anyhow::bail!("looking for {wanted}: {count} ids begin so: {}", some.join(", "))
        }
    }
}

/// Writes a row as a name and a value per line, without what is empty.
fn fields(screen: &mut dyn Write, row: &Value) -> anyhow::Result<()> {
    let Value::Object(fields) = row else { return Ok(()) };
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in fields {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => terminal::plain(text),
            Value::Array(items) => {
                let texts = items.iter().map(|item| item.as_str().unwrap_or("NULL"));
                terminal::plain(&texts.collect::<Vec<_>>().join(", "))
            }
            other => other.to_string(),
        };
        if !text.is_empty() && text != "{}" && text != "[]" {
            let below = format!("\n{:width$}  ", "");
            writeln!(screen, "{name:width$}  {}", text.replace('\n', &below))?;
        }
    }
    Ok(writeln!(screen)?)
}
