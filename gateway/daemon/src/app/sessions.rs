//! Bindings and their lives: made, kept over a restart, cut when their token expires, ended.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use weir_model::entry::{Event, SessionClosed, SessionOpened};
use weir_model::{Entry, Identity, SessionId};

use super::{App, note, take};
use crate::control::Order;
use crate::flow::services::{Session, now_ms, now_us, random};
use crate::intercept::Bound;
use crate::record::Class;

/// What survives the gateway's own end, one file per session.
#[derive(Serialize, Deserialize)]
struct Kept {
    session: SessionId,
    binding: u64,
    leaf: String,
    identity: Identity,
    uid: u32,
    leader: u32,
    command: Vec<String>,
    opened_us: i64,
}

/// Where sessions are kept.
pub struct Sessions {
    dir: PathBuf,
}

impl Sessions {
    /// Keeps sessions in a directory.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn file(&self, binding: u64) -> PathBuf {
        self.dir.join(format!("{binding}.json"))
    }

    fn keep(&self, kept: &Kept) -> anyhow::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let temporary = self.dir.join(format!(".{}.new", kept.binding));
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(kept)?)?;
        file.sync_all()?;
        fs::rename(&temporary, self.file(kept.binding))?;
        Ok(())
    }

    fn read(&self, binding: u64) -> anyhow::Result<Kept> {
        Ok(serde_json::from_slice(&fs::read(self.file(binding))?)?)
    }

    fn forget(&self, binding: u64) {
        if let Err(error) = fs::remove_file(self.file(binding)) {
            tracing::debug!(%error, "forgetting a session");
        }
    }
}

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
}

/// Binds: leaf, programs, record, and only then the process.
///
/// # Errors
/// Anything that failed; nothing is left behind.
pub async fn begin(app: &Rc<App>, new: NewSession) -> anyhow::Result<Arc<Session>> {
    let id = SessionId::from_parts(now_ms(), random());
    let binding = (random() as u64) >> 1;
    let leaf = format!("sess-{}", id.to_string().to_lowercase());
    app.kernel.listen(new.leader)?;
    let bound = app.kernel.bind(binding, &leaf)?;
    let session = Arc::new(Session {
        id,
        binding,
        identity: Arc::new(new.identity),
        uid: new.uid,
        leader: new.leader,
        command: new.command,
        cgroup: bound.path.clone(),
        opened_us: now_us(),
        ended: watch::channel(None).0,
        asked: AtomicU64::new(0),
        flows: AtomicU64::new(0),
    });
    if let Err(error) = settle_in(app, &session, &bound, &leaf).await {
        if let Err(error) = app.kernel.end(binding).await {
            tracing::error!("taking down a binding that failed: {error:#}");
        }
        app.sessions.forget(binding);
        return Err(error);
    }
    Ok(session)
}

async fn settle_in(
    app: &Rc<App>,
    session: &Arc<Session>,
    bound: &Bound,
    leaf: &str,
) -> anyhow::Result<()> {
    record_opened(app, session, bound).await?;
    app.sessions.keep(&Kept {
        session: session.id,
        binding: session.binding,
        leaf: leaf.to_owned(),
        identity: (*session.identity).clone(),
        uid: session.uid,
        leader: session.leader,
        command: session.command.clone(),
        opened_us: session.opened_us,
    })?;
    insert(app, session.clone());
    app.kernel.enter(bound, session.leader)?;
    Ok(())
}

async fn record_opened(app: &App, session: &Session, bound: &Bound) -> anyhow::Result<()> {
    let entry = Entry::SessionOpened(SessionOpened {
        session: session.id,
        at_us: session.opened_us,
        identity: session.identity.clone(),
        host: app.services.host.to_string(),
        cgroup: bound.cgroup.clone(),
        command: session.command.clone(),
        uid: session.uid,
    });
    let class = app.services.live().class;
    let recorded = app.services.recorder.append(class, &[(&entry, &[])]).await;
    recorded.map(drop).context("recording a session")
}

fn insert(app: &App, session: Arc<Session>) {
    let mut sessions = app.services.sessions.write().unwrap_or_else(PoisonError::into_inner);
    sessions.insert(session.binding, session);
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
    let counters = app.kernel.end(session.binding).await.unwrap_or_else(|error| {
        tracing::error!(session = %session.id, "{error:#}");
        Default::default()
    });
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
    let mut sessions = app.services.sessions.write().unwrap_or_else(PoisonError::into_inner);
    sessions.remove(&session.binding);
    drop(sessions);
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

/// Takes up the sessions of a gateway that was killed, whose processes still run, cut off; or of one
/// that hands over, in the same life of the record.
pub async fn resume(app: &Rc<App>, same_life: bool) {
    for bound in app.kernel.adopted() {
        let resumed = take_up(app, &bound, same_life).await;
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
        if resumed.is_err()
            && let Err(error) = app.kernel.end(bound.id).await
        {
            tracing::error!("{error:#}");
        }
        note(app, event).await;
    }
}

async fn take_up(app: &Rc<App>, bound: &Bound, same_life: bool) -> anyhow::Result<SessionId> {
    let kept = app.sessions.read(bound.id).context("reading the session")?;
    anyhow::ensure!(kept.identity.expires_us > now_us(), "its token has expired");
    let member = members(&bound.path).first().copied().context("no process is left in it")?;
    app.kernel.listen(member)?;
    let session = Arc::new(Session {
        id: kept.session,
        binding: kept.binding,
        identity: Arc::new(kept.identity),
        uid: kept.uid,
        leader: kept.leader,
        command: kept.command,
        cgroup: bound.path.clone(),
        opened_us: kept.opened_us,
        ended: watch::channel(None).0,
        asked: AtomicU64::new(0),
        flows: AtomicU64::new(0),
    });
    // With its life the record has closed what was open; who is behind later rows is said again.
    if !same_life {
        record_opened(app, &session, bound).await?;
    }
    insert(app, session);
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
