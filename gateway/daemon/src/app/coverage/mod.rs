//! The completeness ledger: every few seconds and at the end of a session, what the kernel counted is
//! compared with what was recorded, and what is attached is proven. The outcome is a signed row.

mod assess;
mod life;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use weir_ledger::coverage::VIOLATED;
use weir_model::entry::{Coverage, Event};
use weir_model::{Entry, SessionId};

use super::{App, note, sessions};
use crate::flow::services::{Session, now_us};
use crate::intercept::{Attachment, Counters, InterceptError, named};
use crate::record::Class;
use crate::record::signing::Signer;
pub use assess::Origin;
pub(super) use assess::Reading;
use life::Life;

/// How often a session is looked at.
const LOOK: Duration = Duration::from_secs(3);
/// How often a row is written for a session of which nothing is new.
const ROW_US: i64 = 60_000_000;
/// How long a gateway that is short of descriptors may go without a proof.
const UNPROVEN_US: i64 = 30_000_000;
/// How long what is on its way at the end of a session may take.
const SETTLE: Duration = Duration::from_secs(3);

/// The ledger of this life of the gateway.
pub struct Ledger {
    signer: Signer,
    state: RefCell<State>,
}

struct State {
    life: Life,
    watched: HashMap<u64, Watched>,
}

/// What is known of a session between two looks.
#[derive(Clone)]
struct Watched {
    baseline: Counters,
    earlier: Counters,
    origin: Origin,
    /// Up to when rows were written.
    since_us: i64,
    /// When its programs were proven last.
    proven_us: i64,
    /// The invariants of the last row.
    told: BTreeMap<String, String>,
}

/// What the kernel said of a binding.
pub struct Observed {
    /// Its counters.
    pub counters: anyhow::Result<Counters>,
    /// What is attached, or why that is not what should be.
    pub attachment: anyhow::Result<Attachment>,
}

impl Ledger {
    /// Begins a life.
    ///
    /// # Errors
    /// The host's key can't be read or made.
    pub fn open(state: &std::path::Path) -> anyhow::Result<Self> {
        let signer = Signer::open_or_create(state)?;
        let life = Life::begin(state, now_us());
        Ok(Self { signer, state: RefCell::new(State { life, watched: HashMap::new() }) })
    }

    /// Watches a session from now on.
    pub fn begin(&self, session: &Session, baseline: Counters, origin: Origin) {
        let now = now_us();
        let watched = Watched {
            baseline,
            earlier: baseline,
            origin,
            since_us: if origin == Origin::Ours { session.opened_us } else { now },
            proven_us: now,
            told: BTreeMap::new(),
        };
        self.state.borrow_mut().watched.insert(session.binding, watched);
    }

    fn watched(&self, binding: u64) -> Option<Watched> {
        self.state.borrow().watched.get(&binding).cloned()
    }

    /// Goes on where a hand-over failed: another gateway may have had a hand in all sessions.
    pub fn go_on(&self) {
        let mut state = self.state.borrow_mut();
        state.life.go_on();
        for watched in state.watched.values_mut() {
            watched.origin = Origin::Shared;
        }
    }

    /// Watches it no more.
    pub fn forget(&self, binding: u64) {
        self.state.borrow_mut().watched.remove(&binding);
    }
}

/// A row that has still to be numbered and signed.
pub(super) fn row(app: &App, kind: &str, since_us: i64) -> Coverage {
    Coverage {
        kind: kind.to_owned(),
        since_us,
        at_us: now_us(),
        tier: app.kernel.tier().to_owned(),
        not_enforced: app.kernel.not_enforced().into_iter().map(str::to_owned).collect(),
        ..Coverage::default()
    }
}

/// Numbers, signs and records a row.
pub async fn write(app: &App, mut coverage: Coverage) {
    {
        let ledger = &app.ledger;
        let mut state = ledger.state.borrow_mut();
        state.life.number(&mut coverage);
        let link = ledger.signer.sign(&mut coverage, &app.services.host);
        state.life.wrote(link, coverage.at_us);
    }
    let entry = Entry::Coverage(coverage);
    if let Err(error) = app.services.recorder.append(Class::Process, &[(&entry, &[])]).await {
        tracing::error!(%error, "recording coverage");
    }
}

/// Looks at all sessions for ever.
pub fn watch(app: &Rc<App>) {
    let app = app.clone();
    tokio::task::spawn_local(async move {
        let mut look = tokio::time::interval(LOOK);
        loop {
            look.tick().await;
            if !app.phase.borrow().is_in_charge() {
                continue;
            }
            for session in app.services.all_sessions() {
                if session.ended.borrow().is_none() {
                    look_at(&app, &session).await;
                }
            }
            if app.phase.borrow().is_in_charge() {
                app.ledger.state.borrow_mut().life.alive(now_us());
            }
        }
    });
}

async fn look_at(app: &Rc<App>, session: &Arc<Session>) {
    if !app.kernel.enforces() {
        return;
    }
    let figures = session.tally.figures();
    let observed = app.kernel.observe(session.binding).await;
    let ended = session.ended.borrow().is_some() || !app.phase.borrow().is_in_charge();
    let (Some(mut watched), false) = (app.ledger.watched(session.binding), ended) else { return };
    let attachment = match observed.attachment {
        Ok(attachment) => attachment,
        Err(error) => return unproven(app, session, &watched, &error).await,
    };
    watched.proven_us = now_us();
    let later = match observed.counters {
        Ok(counters) => counters,
        Err(error) => return unproven(app, session, &watched, &error).await,
    };
    let reading = Reading {
        baseline: &watched.baseline,
        earlier: &watched.earlier,
        later: &later,
        figures: &figures,
        origin: watched.origin,
        ended: false,
    };
    let invariants = reading.assess();
    let news = violations(&invariants) != violations(&watched.told);
    watched.earlier = later;
    if news || watched.told.is_empty() || now_us() - watched.since_us >= ROW_US {
        tell(app, session.id, &invariants, &watched.told).await;
        let mut coverage = row(app, "interval", watched.since_us);
        coverage.session = Some(session.id);
        coverage.kernel = named(&later);
        coverage.proxy = figures.named();
        coverage.invariants = invariants.clone();
        coverage.programs = shown(&attachment);
        watched.since_us = coverage.at_us;
        watched.told = invariants;
        write(app, coverage).await;
    }
    let mut state = app.ledger.state.borrow_mut();
    if let Some(place) = state.watched.get_mut(&session.binding) {
        *place = watched;
    }
}

fn violations(invariants: &BTreeMap<String, String>) -> Vec<&str> {
    let violated = invariants.iter().filter(|(_, state)| state.starts_with(VIOLATED));
    violated.map(|(name, _)| name.as_str()).collect()
}

fn shown(attachment: &Attachment) -> BTreeMap<String, String> {
    attachment.iter().map(|(name, attached)| (name.clone(), attached.to_string())).collect()
}

/// A violated invariant is critical, once.
async fn tell(
    app: &App,
    session: SessionId,
    invariants: &BTreeMap<String, String>,
    told: &BTreeMap<String, String>,
) {
    for (name, state) in invariants.iter().filter(|(_, state)| state.starts_with(VIOLATED)) {
        if told.get(name).is_some_and(|before| before.starts_with(VIOLATED)) {
            continue;
        }
        tracing::error!(%session, invariant = name, state, "the ledger does not add up");
        let text = format!("the ledger does not add up: {name} {state}");
        let event = Event::info(now_us(), "coverage.violated", text).critical();
        note(app, event.of_session(session).with("invariant", name)).await;
    }
}

/// A gateway that is short of descriptors asks again, but not for long; one that still replaces the
/// programs of the gateway before it asks until it is done.
async fn unproven(app: &Rc<App>, session: &Arc<Session>, watched: &Watched, error: &anyhow::Error) {
    let shortage = matches!(error.downcast_ref(), Some(InterceptError::Kernel { .. }));
    let patient = app.renewing.get() || now_us() - watched.proven_us < UNPROVEN_US;
    if shortage && patient {
        return tracing::warn!(session = %session.id, "{error:#}");
    }
    uncovered(app, session, watched, error).await;
}

/// What can't be proven is not covered: the session is closed, with all its processes.
async fn uncovered(
    app: &Rc<App>,
    session: &Arc<Session>,
    watched: &Watched,
    error: &anyhow::Error,
) {
    let text = format!("not covered: {error:#}");
    tracing::error!(session = %session.id, "{text}");
    let event = Event::info(now_us(), "coverage.gap", text.clone()).critical();
    note(app, event.of_session(session.id)).await;
    let mut coverage = row(app, "gap", watched.proven_us);
    coverage.session = Some(session.id);
    coverage.gap = Some(text);
    write(app, coverage).await;
    sessions::end(app, session, "its programs are not attached as they were", None).await;
}

/// The last word on a session: once its processes are `gone` and nothing is on its way, every
/// invariant has to hold.
pub async fn end(app: &App, session: &Session, gone: bool) {
    let Some(watched) = app.ledger.watched(session.binding) else { return };
    let deadline = tokio::time::Instant::now() + SETTLE;
    let mut ended = false;
    loop {
        let figures = session.tally.figures();
        let observed = app.kernel.observe(session.binding).await;
        let mut coverage = row(app, "end", watched.since_us);
        coverage.session = Some(session.id);
        coverage.proxy = figures.named();
        match observed.counters {
            Ok(later) => {
                let reading = Reading {
                    baseline: &watched.baseline,
                    earlier: &later,
                    later: &later,
                    figures: &figures,
                    origin: watched.origin,
                    ended,
                };
                if !ended && !reading.is_settled() && tokio::time::Instant::now() < deadline {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    continue;
                }
                if gone && !ended {
                    // Read once more: what is equal now must be so for good.
                    ended = true;
                    continue;
                }
                coverage.invariants = reading.assess();
                coverage.kernel = named(&later);
            }
            Err(error) => {
                let state = format!("unknown: the kernel's counters can't be read: {error:#}");
                coverage.invariants.insert("kernel".to_owned(), state);
            }
        }
        match observed.attachment {
            Ok(attachment) => coverage.programs = shown(&attachment),
            Err(error) => coverage.gap = Some(format!("not covered in the end: {error:#}")),
        }
        if !gone {
            coverage.gap = Some("its processes do not exit: the end was not checked".to_owned());
        }
        tell(app, session.id, &coverage.invariants, &watched.told).await;
        write(app, coverage).await;
        return app.ledger.forget(session.binding);
    }
}

/// The first row of a life says what is not known of the time before it.
pub async fn started(app: &App) {
    let now = now_us();
    let before = app.ledger.state.borrow().life.before();
    let mut coverage = row(app, "start", before.as_ref().map_or(now, |before| before.at_us));
    coverage.gap = before.filter(|before| !before.stopped).map(|_| {
        "the gateway before did not stop in order: what it had not written is not known".to_owned()
    });
    write(app, coverage).await;
}

/// A session that was taken up. After a gateway that is gone its cgroup was cut off, and nobody
/// looked; one that hands over leaves no such time.
pub async fn resumed(app: &App, session: &Session, baseline: &Counters, origin: Origin) {
    let before = app.ledger.state.borrow().life.before();
    let since_us = before.map_or(session.opened_us, |before| before.at_us);
    let gap = match origin {
        Origin::Ours | Origin::Shared => None,
        Origin::Ended => Some(
            "no gateway ran: its cgroup was cut off, and what was open ended with an unknown outcome",
        ),
    };
    let mut coverage = row(app, if gap.is_some() { "gap" } else { "start" }, since_us);
    coverage.session = Some(session.id);
    coverage.kernel = named(baseline);
    coverage.gap = gap.map(str::to_owned);
    write(app, coverage).await;
}

/// The last rows of a life that stops in order, or hands over.
pub async fn stopped(app: &App) {
    for session in app.services.all_sessions() {
        let (Some(watched), Ok(counters)) = (
            app.ledger.watched(session.binding),
            app.kernel.observe(session.binding).await.counters,
        ) else {
            continue;
        };
        let figures = session.tally.figures();
        let mut coverage = row(app, "stop", watched.since_us);
        coverage.session = Some(session.id);
        coverage.kernel = named(&counters);
        coverage.proxy = figures.named();
        let reading = Reading {
            baseline: &watched.baseline,
            earlier: &watched.earlier,
            later: &counters,
            figures: &figures,
            origin: watched.origin,
            ended: false,
        };
        coverage.invariants = reading.assess();
        tell(app, session.id, &coverage.invariants, &watched.told).await;
        write(app, coverage).await;
    }
    let coverage = row(app, "stop", now_us());
    write(app, coverage).await;
    app.ledger.state.borrow_mut().life.stop(now_us());
}
