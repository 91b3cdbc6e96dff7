//! Runs the canary in a bound cgroup of its own, and puts the outcome on record.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use weir_ledger::coverage::VIOLATED;
use weir_model::entry::Event;

use super::{App, coverage, note};
use crate::flow::services::{now_us, random};
use crate::flow::tally::Tally;
use crate::intercept::canary::{Canary, HOLDS};
use crate::intercept::{Counters, named};

/// Where the binary of this very process is, even if its file was replaced.
const PROGRAM: &str = "/proc/self/exe";
/// How the names of its leaves begin; one that an earlier gateway left behind is nobody's session.
pub const LEAF: &str = "canary-";
/// How long its last packets may take.
const SETTLE: Duration = Duration::from_secs(1);
/// The count itself is an outcome too.
const LEDGER: &str = "what was counted agrees";

/// Runs it once the gateway serves, and says loudly what it finds.
pub fn at_start(app: &Rc<App>) {
    if !app.kernel.enforces() {
        return;
    }
    let app = app.clone();
    tokio::task::spawn_local(async move {
        if let Err(error) = run(&app).await {
            tracing::error!("the canary did not run: {error:#}");
            let text = format!("the canary did not run, so no way around was tried: {error:#}");
            note(&app, Event::info(now_us(), "canary.failed", text).warning()).await;
        }
    });
}

/// Tries every known way around; the outcome of each attempt by its name.
///
/// # Errors
/// The canary could not be run to its end.
pub async fn run(app: &Rc<App>) -> anyhow::Result<BTreeMap<String, String>> {
    let _one = app.canary.lock().await;
    anyhow::ensure!(app.kernel.enforces(), "explicit mode has nothing that could be tried");
    let since_us = now_us();
    let binding = (random() as u64) >> 1;
    let tally = Arc::new(Tally::of_canary());
    tallies(app, |all| drop(all.insert(binding, tally.clone())));
    let tried = attempt(app, binding, &tally).await;
    if let Err(error) = app.kernel.end(binding).await {
        tracing::debug!("{error:#}");
    }
    tallies(app, |all| drop(all.remove(&binding)));
    let (outcomes, counters) = tried?;
    let mut row = coverage::row(app, "canary", since_us);
    row.kernel = named(&counters);
    row.proxy = tally.figures().named();
    row.invariants.clone_from(&outcomes);
    coverage::write(app, row).await;
    tell(app, &outcomes).await;
    Ok(outcomes)
}

fn tallies(app: &App, change: impl FnOnce(&mut std::collections::HashMap<u64, Arc<Tally>>)) {
    change(&mut app.services.tallies.write().unwrap_or_else(PoisonError::into_inner));
}

async fn attempt(
    app: &Rc<App>,
    binding: u64,
    tally: &Tally,
) -> anyhow::Result<(BTreeMap<String, String>, Counters)> {
    let canary = Canary::start(Path::new(PROGRAM)).context("starting the canary")?;
    let bound = app.kernel.bind(binding, &format!("{LEAF}{binding:016x}"))?;
    app.kernel.listen(binding, canary.pid())?;
    app.kernel.enter(&bound, canary.pid())?;
    let leaf = bound.path.clone();
    let ran = tokio::task::spawn_blocking(move || canary.run(&leaf));
    let mut outcomes =
        ran.await.context("waiting for the canary")?.context("running the canary")?;
    app.kernel.kill_all(binding).await?;
    let deadline = tokio::time::Instant::now() + SETTLE;
    let mut ended = false;
    loop {
        let figures = tally.figures();
        let counters = app.kernel.observe(binding).await.counters?;
        let reading = coverage::Reading {
            baseline: &Counters::ZERO,
            earlier: &counters,
            later: &counters,
            figures: &figures,
            origin: coverage::Origin::Ours,
            ended,
        };
        if !ended {
            ended = reading.is_settled() || tokio::time::Instant::now() >= deadline;
            tokio::time::sleep(Duration::from_millis(3)).await;
            continue;
        }
        let states = reading.assess();
        let wrong = states.iter().find(|(_, state)| state.starts_with(VIOLATED));
        let state = wrong.map_or(HOLDS.to_owned(), |(name, state)| format!("{state} ({name})"));
        outcomes.insert(LEDGER.to_owned(), state);
        return Ok((outcomes, counters));
    }
}

async fn tell(app: &App, outcomes: &BTreeMap<String, String>) {
    let closed = outcomes.values().filter(|outcome| *outcome == HOLDS).count();
    let text = format!("{closed} of {} ways around were tried and are closed", outcomes.len());
    tracing::info!("{text}");
    let mut event = Event::info(now_us(), "canary.ran", text);
    for (name, outcome) in outcomes.iter().filter(|(_, outcome)| *outcome != HOLDS) {
        event = event.with(name, outcome);
    }
    note(app, event).await;
    for (name, outcome) in outcomes.iter().filter(|(_, outcome)| outcome.starts_with(VIOLATED)) {
        tracing::error!("A WAY AROUND WEIR IS OPEN: {name}: {outcome}");
        let text = format!("a way around is open: {name}: {outcome}");
        note(app, Event::info(now_us(), "canary.bypass", text).critical()).await;
    }
}
