//! `weir audit report coverage`: what was covered, what was not, and whether the rows that say so are
//! all there and signed.

mod chain;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use weir_ledger::{CoverageRow, SessionRow, Time};

use super::place::Place;
use crate::cli::Common;
use crate::cli::sessions::filters::moment;
use crate::cli::sessions::terminal;
use crate::config::Config;
use crate::record::read::Snapshot;
use crate::record::signing::PUBLIC_FILE;
use chain::Chains;

/// The exit status where something is violated, missing or not signed as it should be.
const NOT_WELL: u8 = 2;

/// Arguments of `weir audit report coverage`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// From when: 2026-11-22, 2026-11-22T12:00:00Z, or 30m, 2h, 7d ago.
    #[arg(long, value_parser = moment)]
    since: Option<Time>,
    /// The public key to trust, hex (default: this host's).
    #[arg(long)]
    key: Option<String>,
}

/// All there is to say.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Whether nothing is violated, missing, or not signed as it should be.
    well: bool,
    /// Rows read.
    rows: u64,
    /// Rows whose signature is not that of the key in them.
    forged: u64,
    /// Rows that are signed by a key that is not trusted.
    untrusted: u64,
    /// The keys, and whether each is trusted; `None` where nothing says which is to be.
    keys: BTreeMap<String, Option<bool>>,
    /// Rows that are missing, one sentence each.
    missing: Vec<String>,
    /// Tiers in which the gateway ran.
    tiers: BTreeSet<String>,
    /// What those tiers do not enforce.
    not_enforced: BTreeSet<String>,
    /// The newest outcome of the canary, by attempt.
    canary: BTreeMap<String, String>,
    /// When that was.
    canary_at: Option<String>,
    sessions: Vec<Session>,
    gaps: Vec<Gap>,
    /// Invariants that are violated, in all sessions.
    violated: u64,
    /// Refusals that were counted and could not be told one by one.
    refusals_not_told: u64,
    /// Connections whose two ends could not be compared.
    closes_not_compared: u64,
}

/// One session.
#[derive(Clone, Debug, Default, Serialize)]
struct Session {
    session: String,
    who: String,
    agent: String,
    since: String,
    until: String,
    /// `covered`, `open`, `unknown` or `violated`.
    state: String,
    /// The invariants that were ever violated or are not known.
    findings: BTreeMap<String, String>,
    kernel: BTreeMap<String, u64>,
    gateway: BTreeMap<String, u64>,
    #[serde(skip)]
    ended: bool,
    #[serde(skip)]
    order: (i64, i64),
}

/// A time that was not covered.
#[derive(Debug, Serialize)]
struct Gap {
    session: Option<String>,
    from: String,
    to: String,
    what: String,
}

/// Runs the command.
pub(super) fn run(args: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let dir = args.place.dir(common)?;
    let trusted = match &args.key {
        Some(key) => Some(key.trim().to_owned()),
        None => host_key(&common.config),
    };
    let report = report(&dir, args.since, trusted.as_deref())?;
    let printed = terminal::print(|screen| {
        if common.json {
            return Ok(writeln!(screen, "{}", serde_json::to_string(&report)?)?);
        }
        text::print(screen, &dir, &report)
    })?;
    Ok(if report.well { printed } else { ExitCode::from(NOT_WELL) })
}

fn host_key(config: &Path) -> Option<String> {
    let state = Config::load_or_default(config).ok()?.gateway.state_dir;
    Some(std::fs::read_to_string(state.join(PUBLIC_FILE)).ok()?.trim().to_owned())
}

fn report(dir: &Path, since: Option<Time>, trusted: Option<&str>) -> anyhow::Result<Report> {
    let snapshot = Snapshot::open(dir)?;
    let snapshot = match since {
        Some(since) => snapshot.since(since),
        None => snapshot,
    };
    let wanted = |at: Time| since.is_none_or(|since| at >= since);
    let mut report = Report::default();
    let mut chains = Chains::new(since.is_none());
    let mut sessions: BTreeMap<String, Session> = BTreeMap::new();
    let mut canary = (0, 0);
    snapshot.each(|row: CoverageRow| {
        // The chain needs rows that are older than what is asked for.
        let signed = chains.add(&row);
        if !wanted(row.at) {
            return;
        }
        report.see(&row, signed, trusted);
        if row.kind == "canary" && (row.life, row.seq) > canary {
            canary = (row.life, row.seq);
            report.canary = map(&row.invariants);
            report.canary_at = Some(row.at.rfc3339());
        }
        if let Some(id) = &row.session {
            sessions.entry(id.clone()).or_default().see(&row);
        }
    })?;
    snapshot.each(|row: SessionRow| {
        if !wanted(row.ended_at.unwrap_or(row.started_at)) {
            return;
        }
        let session = sessions.entry(row.session.clone()).or_default();
        session.session.clone_from(&row.session);
        session.who = row.email.unwrap_or(row.subject).to_string();
        session.agent = row.agent.to_string();
        session.since = row.started_at.rfc3339();
        session.ended |= row.end_reason.is_some();
    })?;
    report.missing = chains.missing();
    report.close(sessions);
    Ok(report)
}

impl Report {
    fn see(&mut self, row: &CoverageRow, signed: bool, trusted: Option<&str>) {
        self.rows += 1;
        self.forged += u64::from(!signed);
        let known = trusted.map(|trusted| trusted == row.key);
        self.untrusted += u64::from(known == Some(false));
        self.keys.insert(row.key.clone(), known);
        self.tiers.insert(row.tier.clone());
        self.not_enforced.extend(row.not_enforced.iter().cloned());
        if row.kind == "canary" {
            self.violated += u64::try_from(row.violated).unwrap_or(0);
        }
        if let Some(what) = &row.gap {
            self.gaps.push(Gap {
                session: row.session.clone(),
                from: row.since.rfc3339(),
                to: row.at.rfc3339(),
                what: what.clone(),
            });
        }
    }

    fn close(&mut self, sessions: BTreeMap<String, Session>) {
        for (_, mut session) in sessions {
            session.judge();
            let count = |map: &BTreeMap<String, u64>, name| map.get(name).copied().unwrap_or(0);
            self.refusals_not_told += count(&session.kernel, "events_lost");
            self.closes_not_compared += count(&session.kernel, "closes_lost");
            self.closes_not_compared += count(&session.gateway, "closes_skipped");
            let violated = session.findings.values().filter(|state| is_violated(state));
            self.violated += violated.count() as u64;
            self.sessions.push(session);
        }
        self.sessions.sort_by(|one, other| one.since.cmp(&other.since));
        self.gaps.sort_by(|one, other| one.from.cmp(&other.from));
        self.well = self.violated == 0
            && self.forged == 0
            && self.untrusted == 0
            && self.missing.is_empty();
    }
}

impl Session {
    fn see(&mut self, row: &CoverageRow) {
        self.session = row.session.clone().unwrap_or_default();
        for (name, state) in map::<String>(&row.invariants) {
            let before = self.findings.get(&name).map(String::as_str).unwrap_or_default();
            // What was violated once stays so; what was on its way may arrive.
            if is_violated(&state) || (state.starts_with("unknown") && !is_violated(before)) {
                self.findings.insert(name, state);
            }
        }
        self.ended |= row.kind == "end";
        if (row.life, row.seq) < self.order {
            return;
        }
        self.order = (row.life, row.seq);
        self.until = row.at.rfc3339();
        self.state = if row.kind == "end" { "covered" } else { "open" }.to_owned();
        self.kernel = map(&row.kernel);
        if row.kind != "gap" {
            self.gateway = map(&row.proxy);
        }
    }

    fn judge(&mut self) {
        if self.state.is_empty() {
            self.findings.insert("coverage".to_owned(), "unknown: no row speaks of it".to_owned());
        } else if self.ended && self.state == "open" {
            let text = "unknown: the gateway ended before the session was checked to its end";
            self.findings.insert("coverage".to_owned(), text.to_owned());
        }
        if self.findings.values().any(|state| is_violated(state)) {
            self.state = "violated".to_owned();
        } else if !self.findings.is_empty() {
            self.state = "unknown".to_owned();
        }
    }
}

fn is_violated(state: &str) -> bool {
    state.starts_with(weir_ledger::coverage::VIOLATED)
}

fn map<T: serde::de::DeserializeOwned>(text: &str) -> BTreeMap<String, T> {
    serde_json::from_str(text).unwrap_or_default()
}
