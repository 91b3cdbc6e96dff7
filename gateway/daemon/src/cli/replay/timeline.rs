//! A session's rows in the order in which they happened.

use std::collections::HashSet;
use std::io::Write;

use serde_json::{Value, json};
use weir_ledger::{AnswerRow, EventRow, ExchangeRow, FlowRow, HoldRow, Row, SessionRow, Time};

use super::grid;
use crate::cli::sessions::filters::Filters;
use crate::cli::sessions::terminal;
use crate::record::read::Snapshot;

const INDENT: usize = 26;
const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;
const DIM: u8 = 2;

/// Something that happened.
pub(super) struct Moment {
    pub(super) at: Time,
    /// Orders what has the same time.
    order: (i64, u8),
    what: What,
}

enum What {
    Began(SessionRow),
    FlowBegan(FlowRow),
    Asked(ExchangeRow),
    HoldBegan(HoldRow),
    HoldEnded(HoldRow),
    Answer(AnswerRow),
    Done(ExchangeRow),
    FlowEnded(FlowRow),
    Event(EventRow),
    Ended(SessionRow),
}

/// All that happened in `session` and is wanted.
pub(super) fn of(
    snapshot: &Snapshot,
    session: &SessionRow,
    filters: &Filters,
) -> anyhow::Result<Vec<Moment>> {
    let id = Some(session.session.as_str());
    let mut moments = Vec::new();
    let mut add = |at: Time, order: (i64, u8), what| moments.push(Moment { at, order, what });
    let mut exchanges = HashSet::new();
    snapshot.each(|row: ExchangeRow| {
        if row.session.as_deref() == id && filters.exchange(&row) {
            exchanges.insert(row.exchange.clone());
            if let Some(done_at) = row.done_at {
                add(done_at, (row.entry_index, 4), What::Done(row.clone()));
            } else {
                add(row.decided_at, (row.entry_index, 4), What::Done(row.clone()));
            }
            add(row.asked_at, (row.entry_index, 1), What::Asked(row));
        }
    })?;
    snapshot.each(|row: AnswerRow| {
        if exchanges.contains(&*row.exchange) {
            add(row.at, (row.entry_index, 3), What::Answer(row));
        }
    })?;
    snapshot.each(|row: HoldRow| {
        if exchanges.contains(&*row.exchange)
            || (Some(row.session.as_str()) == id && !filters.needs_exchanges())
        {
            if row.outcome != "consumed" {
                add(row.opened_at, (row.entry_index, 1), What::HoldBegan(row.clone()));
            }
            if let Some(settled_at) = row.settled_at {
                add(settled_at, (row.entry_index, 2), What::HoldEnded(row));
            }
        }
    })?;
    if !filters.needs_exchanges() {
        add(session.started_at, (session.entry_index, 0), What::Began(session.clone()));
        if let Some(ended_at) = session.ended_at {
            add(ended_at, (i64::MAX, 9), What::Ended(session.clone()));
        }
        snapshot.each(|row: FlowRow| {
            if row.session.as_deref() == id && filters.time(row.opened_at, row.closed_at) {
                if let Some(closed_at) = row.closed_at {
                    add(closed_at, (i64::MAX, 5), What::FlowEnded(row.clone()));
                }
                add(row.opened_at, (row.entry_index, 0), What::FlowBegan(row));
            }
        })?;
        snapshot.each(|row: EventRow| {
            if row.session.as_deref() == id && filters.time(row.at, Some(row.at)) {
                add(row.at, (row.entry_index, 1), What::Event(row));
            }
        })?;
    }
    moments.sort_by_key(|moment| (moment.at, moment.order));
    Ok(moments)
}

impl Moment {
    /// The moment for `--json`.
    pub(super) fn json(&self) -> Value {
        let (kind, row) = match &self.what {
            What::Began(row) => ("session_began", row.json()),
            What::FlowBegan(row) => ("flow_began", row.json()),
            What::Asked(row) => ("asked", row.json()),
            What::HoldBegan(row) => ("hold_began", row.json()),
            What::HoldEnded(row) => ("hold_ended", row.json()),
            What::Answer(row) => ("answer", row.json()),
            What::Done(row) => ("done", row.json()),
            What::FlowEnded(row) => ("flow_ended", row.json()),
            What::Event(row) => ("event", row.json()),
            What::Ended(row) => ("session_ended", row.json()),
        };
        json!({"at": self.at.rfc3339(), "kind": kind, "row": row})
    }

    /// Writes the moment, in colour where that is used.
    pub(super) fn write(&self, screen: &mut dyn Write, colour: bool) -> anyhow::Result<()> {
        let (label, code, text) = match &self.what {
            What::Began(row) => ("session", DIM, began(row)),
            What::FlowBegan(row) => ("flow", DIM, flow_began(row)),
            What::Asked(row) => ("ask", 0, row.statement.to_string()),
            What::HoldBegan(row) => ("hold", YELLOW, hold_began(row)),
            What::HoldEnded(row) => ("hold", YELLOW, hold_ended(row)),
            What::Answer(row) => {
                return grid::write(screen, INDENT, row);
            }
            What::Done(row) => ("", done_colour(row), done(row)),
            What::FlowEnded(row) => ("flow", DIM, flow_ended(row)),
            What::Event(row) => ("event", DIM, format!("{}: {}", row.kind, row.message)),
            What::Ended(row) => {
                let reason = row.end_reason.as_deref().unwrap_or("unknown");
                ("session", DIM, format!("ended: {reason}"))
            }
        };
        let below = format!("\n{:INDENT$}", "");
        let text = terminal::plain(&text).replace('\n', &below);
        let clock = self.at.clock();
        Ok(writeln!(screen, "{clock}  {label:<9}{}", terminal::paint(colour, code, &text))?)
    }
}

fn began(row: &SessionRow) -> String {
    let who = row.email.as_deref().unwrap_or(&row.subject);
    let behalf = row.on_behalf_of.as_ref().map(|of| format!(" on behalf of {of}"));
    let behalf = behalf.unwrap_or_default();
    let command = row.command.join(" ");
    format!("{} on {}: {who} with {}{behalf}: {command}", row.session, row.host, row.agent)
}

fn flow_began(row: &FlowRow) -> String {
    let exe = if row.exe.is_empty() { row.comm.as_str() } else { row.exe.as_ref() };
    let user = row.upstream_user.as_ref().map(|user| format!(" as {user}")).unwrap_or_default();
    let target = format!("{} {}:{}", row.target, row.target_address, row.target_port);
    format!("{exe} ({}) to {target}, {}{user}", row.pid, row.protocol)
}

fn flow_ended(row: &FlowRow) -> String {
    let reason = row.close_reason.as_deref().unwrap_or("unknown");
    let (bytes_in, bytes_out) = (row.bytes_in.unwrap_or(0), row.bytes_out.unwrap_or(0));
    format!("{}: {reason}, {bytes_in} bytes in, {bytes_out} out", row.target)
}

fn hold_began(row: &HoldRow) -> String {
    let policies = row.policies.join(", ");
    format!(
        "{} waits for {} of [{}] ({policies})",
        row.hold,
        row.quorum,
        row.approve_groups.join(", ")
    )
}

fn hold_ended(row: &HoldRow) -> String {
    let by = row.approver.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let comment = row.comment.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
    format!("{} {}{by}{comment}", row.hold, row.outcome)
}

fn done(row: &ExchangeRow) -> String {
    let mut text = format!("{} [{}] {}", row.verdict, row.policies.join(", "), row.status);
    let mut add = |more: String| text.push_str(&more);
    if let Some(code) = &row.error_code {
        add(format!(" {code}"));
    }
    if let Some(rows) = row.rows.filter(|rows| *rows > 0) {
        add(format!(", {rows} rows"));
    }
    if let Some(affected) = row.affected {
        add(format!(", {affected} affected"));
    }
    if row.masked.as_ref() != "{}" {
        add(format!(", masked {}", row.masked));
    }
    if let Some(approver) = &row.approver {
        add(format!(", answered by {approver}"));
    }
    if let Some(reason) = &row.reason {
        add(format!(": {reason}"));
    }
    text
}

fn done_colour(row: &ExchangeRow) -> u8 {
    match (row.forwarded, row.status.as_ref()) {
        (false, _) | (_, "error") => RED,
        (true, "ok") => GREEN,
        (true, _) => YELLOW,
    }
}
