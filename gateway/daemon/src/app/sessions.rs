//! Bindings and their lives: made, kept over a restart, cut when their token expires, ended.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{Semaphore, watch};
use weir_ledger::Time;
use weir_model::entry::{Event, SessionClosed, SessionOpened};
use weir_model::{Entry, Identity, Layer, Relaxation, SessionId, limits};

use super::coverage::Origin;
use super::kept::Kept;
use super::{App, canary, coverage, note, take};
use crate::control::{Order, SessionView};
use crate::flow::memory::Memory;
use crate::flow::services::{Session, now_ms, now_us, random};
use crate::flow::tally::Tally;
use crate::intercept::{Bound, Counters, monotonic_ns, named};
use crate::record::Class;

/// What a new session is made of.
pub struct NewSession {
    /// To whom it is bound.
    pub identity: Identity,
    /// The process that will lead it.
    pub leader: u32,
    /// The Unix user that it will run as.
    pub uid: u32,
    /// Its command line.
    pub command: Vec<String>,
    /// The layers of its jail.
    pub jail: Vec<Layer>,
    /// What is left open.
    pub relax: BTreeSet<Relaxation>,
}

/// Binds: leaf, programs, record, and only then the process.
///
/// # Errors
/// Anything that failed; nothing is left behind.
pub async fn begin(app: &Rc<App>, new: NewSession) -> anyhow::Result<Arc<Session>> {
    let id = SessionId::from_parts(now_ms(), random());
    let binding = (random() as u64) >> 1;
    let kept = Kept {
        session: id,
        binding,
        leaf: format!("sess-{}", id.to_string().to_lowercase()),
        identity: new.identity,
        uid: new.uid,
        leader: new.leader,
        command: new.command,
        opened_us: now_us(),
        jail: new.jail.iter().map(ToString::to_string).collect(),
        relaxed: new.relax.iter().map(ToString::to_string).collect(),
    };
    app.kernel.listen(binding, kept.leader)?;
    let bound = app.kernel.bind(binding, &kept.leaf)?;
    let session = session(&kept, &bound, Tally::new());
    if let Err(error) = settle_in(app, &session, &kept, &bound).await {
        if let Err(error) = app.kernel.end(binding).await {
            tracing::error!("taking down a binding that failed: {error:#}");
        }
        app.sessions.forget(binding);
        return Err(error);
    }
    Ok(session)
}

fn session(kept: &Kept, bound: &Bound, tally: Tally) -> Arc<Session> {
    Arc::new(Session {
        id: kept.session,
        binding: kept.binding,
        identity: Arc::new(kept.identity.clone()),
        uid: kept.uid,
        leader: kept.leader,
        command: kept.command.clone(),
        cgroup: bound.path.clone(),
        opened_us: kept.opened_us,
        ended: watch::channel(None).0,
        asked: AtomicU64::new(0),
        flows: AtomicU64::new(0),
        tally: Arc::new(tally),
        memory: Arc::new(Memory::of_session()),
        starting: Semaphore::new(limits::STARTING_PER_SESSION),
        written: Default::default(),
        given: Default::default(),
    })
}

async fn settle_in(
    app: &Rc<App>,
    session: &Arc<Session>,
    kept: &Kept,
    bound: &Bound,
) -> anyhow::Result<()> {
    record_opened(app, kept, bound).await?;
    app.sessions.keep(kept)?;
    insert(app, session.clone());
    app.ledger.begin(session, Counters::ZERO, Origin::Ours);
    app.kernel.enter(bound, session.leader)?;
    Ok(())
}

async fn record_opened(app: &App, kept: &Kept, bound: &Bound) -> anyhow::Result<()> {
    let entry = Entry::SessionOpened(SessionOpened {
        session: kept.session,
        at_us: kept.opened_us,
        identity: Arc::new(kept.identity.clone()),
        host: app.services.host.to_string(),
        cgroup: bound.cgroup.clone(),
        command: kept.command.clone(),
        uid: kept.uid,
        jail: kept.jail.clone(),
        relaxed: kept.relaxed.clone(),
    });
    let class = app.services.live().class;
    let recorded = app.services.recorder.append(class, &[(&entry, &[])]).await;
    recorded.map(drop).context("recording a session")
}

fn insert(app: &App, session: Arc<Session>) {
    let services = &app.services;
    let mut tallies = services.tallies.write().unwrap_or_else(PoisonError::into_inner);
    tallies.insert(session.binding, session.tally.clone());
    let mut sessions = services.sessions.write().unwrap_or_else(PoisonError::into_inner);
    sessions.insert(session.binding, session);
}

fn remove(app: &App, binding: u64) {
    let services = &app.services;
    services.tallies.write().unwrap_or_else(PoisonError::into_inner).remove(&binding);
    services.sessions.write().unwrap_or_else(PoisonError::into_inner).remove(&binding);
}

/// Ends a session: no new connections, open ones are cut, what still runs is killed.
pub async fn end(app: &Rc<App>, session: &Arc<Session>, reason: &str, status: Option<i32>) {
    let first = session.ended.send_if_modified(|ended| {
        let first = ended.is_none();
        if first {
            *ended = Some(reason.to_owned());
        }
        first
    });
    if !first {
        return;
    }
    app.ending.update(|ending| ending + 1);
    take::order(app, &Order::Cut { session: session.id, reason: reason.to_owned() });
    if let Err(error) = app.kernel.revoke(session.binding) {
        tracing::error!(session = %session.id, "{error:#}");
    }
    app.services.approvals.session_ended(session.id, now_us());
    app.services.names.forget(session.id);
    let killed = app.kernel.kill_all(session.binding).await;
    if let Err(error) = &killed {
        tracing::error!(session = %session.id, "{error:#}");
    }
    coverage::end(app, session, killed.is_ok()).await;
    let counters = match app.kernel.end(session.binding).await {
        Ok(counters) => counters.as_ref().map(named).unwrap_or_default(),
        Err(error) => {
            tracing::error!(session = %session.id, "{error:#}");
            Default::default()
        }
    };
    let closed = SessionClosed {
        session: session.id,
        at_us: now_us(),
        reason: reason.to_owned(),
        status,
        counters,
    };
    let entry = Entry::SessionClosed(closed);
    if let Err(error) = app.services.recorder.append(Class::Process, &[(&entry, &[])]).await {
        tracing::error!(session = %session.id, %error, "recording the end of a session");
    }
    app.sessions.forget(session.binding);
    remove(app, session.binding);
    app.ending.update(|ending| ending.saturating_sub(1));
}

/// Cuts the flows of a session that another gateway has ended.
pub fn cut(app: &App, id: SessionId, reason: &str) {
    for session in app.services.all_sessions().iter().filter(|session| session.id == id) {
        session.ended.send_replace(Some(reason.to_owned()));
    }
}

/// Cuts the flows of sessions whose token has expired; the sessions are another gateway's.
pub fn cut_expired(app: &App) {
    let now = now_us();
    for session in app.services.all_sessions() {
        if session.identity.expires_us <= now && session.ended.borrow().is_none() {
            session.ended.send_replace(Some("token expired".to_owned()));
        }
    }
}

/// How much each session has asked, for a successor to go on counting.
pub fn asked(app: &App) -> Vec<(SessionId, u64)> {
    let all = app.services.all_sessions().into_iter();
    all.map(|session| (session.id, session.asked.load(Ordering::Relaxed))).collect()
}

/// Goes on counting where the gateway before this one was.
pub fn count_on(app: &App, asked: &[(SessionId, u64)]) {
    for session in app.services.all_sessions() {
        let before = asked.iter().find(|(id, _)| *id == session.id).map_or(0, |(_, count)| *count);
        session.asked.fetch_add(before, Ordering::Relaxed);
    }
}

/// Cuts the flows of all sessions, for shutdown; the sessions themselves wait, cut off, for the next
/// gateway.
pub fn cut_all(app: &App, reason: &str) {
    for session in app.services.all_sessions() {
        session.ended.send_replace(Some(reason.to_owned()));
    }
}

/// A session as `weir sessions` shows it.
pub fn view(session: &Session) -> SessionView {
    SessionView {
        id: session.id,
        subject: session.identity.subject.clone(),
        agent: session.identity.agent.clone(),
        command: session.command.clone(),
        uid: session.uid,
        pid: session.leader,
        cgroup: session.cgroup.display().to_string(),
        opened: Time(session.opened_us).rfc3339(),
        expires: Time(session.identity.expires_us).rfc3339(),
        flows: session.flows.load(Ordering::Relaxed),
        exchanges: session.asked.load(Ordering::Relaxed),
    }
}

/// The processes of a cgroup and of those below it.
fn members(cgroup: &Path) -> Vec<u32> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let mut found: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(members(&entry.path()));
        }
    }
    found
}

fn is_deserted(cgroup: &Path) -> bool {
    let events = fs::read_to_string(cgroup.join("cgroup.events")).unwrap_or_default();
    events.lines().any(|line| line == "populated 0")
}

/// Takes up the sessions of the gateway before: of one that is gone, or still serves what it has.
pub async fn resume(app: &Rc<App>, origin: Origin) {
    let adopted = app.kernel.adopted();
    // What the kernel counts from here on is this gateway's to answer for; before it listens again,
    // nothing can be counted but refusals.
    let mut counted = Vec::with_capacity(adopted.len());
    for bound in adopted {
        let counters = app.kernel.observe(bound.id).await.counters;
        counted.push((bound, counters));
    }
    for (bound, counters) in counted {
        if bound.name.starts_with(canary::LEAF) {
            if let Err(error) = app.kernel.end(bound.id).await {
                tracing::error!("ending a canary that was left behind: {error:#}");
            }
            continue;
        }
        let resumed = match counters {
            Ok(counters) => take_up(app, &bound, counters, origin).await,
            Err(error) => Err(error),
        };
        let event = match &resumed {
            Ok(session) => {
                let text = "a session goes on after a restart of the gateway".to_owned();
                Event::info(now_us(), "session.resumed", text).of_session(*session)
            }
            Err(error) => {
                let text = format!("ended a binding that can't be taken up: {error:#}");
                Event::info(now_us(), "session.lost", text).warning()
            }
        };
        if resumed.is_err() {
            remove(app, bound.id);
            app.ledger.forget(bound.id);
            if let Err(error) = app.kernel.end(bound.id).await {
                tracing::error!("{error:#}");
            }
        }
        note(app, event).await;
    }
}

async fn take_up(
    app: &Rc<App>,
    bound: &Bound,
    counters: Counters,
    origin: Origin,
) -> anyhow::Result<SessionId> {
    let kept = app.sessions.read(bound.id).context("reading the session")?;
    anyhow::ensure!(kept.identity.expires_us > now_us(), "its token has expired");
    let member = members(&bound.path).first().copied().context("no process is left in it")?;
    let session = session(&kept, bound, Tally::since(monotonic_ns()));
    // A new life of the record has closed what was open: whose the rows to come are is said again.
    if origin == Origin::Ended {
        record_opened(app, &kept, bound).await?;
    }
    app.ledger.begin(&session, counters, origin);
    coverage::resumed(app, &session, &counters, origin).await;
    insert(app, session);
    app.kernel.listen(bound.id, member)?;
    Ok(kept.session)
}

/// Ends sessions whose token has expired, or whose processes are all gone.
pub fn watch(app: &Rc<App>) {
    let app = app.clone();
    tokio::task::spawn_local(async move {
        let mut look = tokio::time::interval(Duration::from_millis(500));
        loop {
            look.tick().await;
            if !app.phase.borrow().is_in_charge() {
                continue;
            }
            if let Err(error) = app.services.approvals.expire(now_us()) {
                tracing::error!(%error, "keeping pending holds");
            }
            for session in app.services.all_sessions() {
                if session.identity.expires_us <= now_us() {
                    end(&app, &session, "token expired", None).await;
                } else if is_deserted(&session.cgroup) {
                    end(&app, &session, "its processes ended", None).await;
                }
            }
        }
    });
}
