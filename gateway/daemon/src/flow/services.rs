//! What flows share: policy and targets, the record, the holds, names, keys.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use weir_mask::Masker;
use weir_model::{Effect, Identity, Operation, Resource, ResourceKind, SessionId, Target};
use weir_policy::PolicySet;

use super::dns::Load;
use super::names::LearntNames;
use crate::approval::Queue;
use crate::config::{ColumnRule, TargetConfig};
use crate::driver::postgres::cancel::CancelKeys;
use crate::driver::postgres::catalogue::Catalogues;
use crate::identity::CredentialSource;
use crate::record::{Class, Recorder};
use crate::tls::Authority;

/// What a reload replaces.
pub struct Live {
    /// The policy.
    pub policy: PolicySet,
    /// The targets.
    pub targets: Vec<Arc<TargetConfig>>,
    /// Classes of columns.
    pub columns: Vec<ColumnRule>,
    /// Credentials by name.
    pub credentials: Arc<dyn CredentialSource>,
    /// Durability where a target says nothing.
    pub class: Class,
}

/// The life of one binding.
pub struct Session {
    /// Its identifier.
    pub id: SessionId,
    /// The binding's number in the kernel's maps.
    pub binding: u64,
    /// To whom it is bound.
    pub identity: Arc<Identity>,
    /// The Unix user that the agent runs as.
    pub uid: u32,
    /// The process that leads it.
    pub leader: u32,
    /// Its command line.
    pub command: Vec<String>,
    /// Its cgroup's directory.
    pub cgroup: std::path::PathBuf,
    /// When it began, microseconds since the Unix epoch.
    pub opened_us: i64,
    /// Why it ended, once it has.
    pub ended: watch::Sender<Option<String>>,
    /// Statements asked about.
    pub asked: AtomicU64,
    /// Connections open now.
    pub flows: AtomicU64,
}

/// Everything that flows share.
pub struct Services {
    live: RwLock<Arc<Live>>,
    /// The record.
    pub recorder: Arc<Recorder>,
    /// Operations that wait for a human.
    pub approvals: Queue,
    /// Sessions by binding.
    pub sessions: RwLock<HashMap<u64, Arc<Session>>>,
    /// Names that DNS taught.
    pub names: LearntNames,
    /// DNS queries that are being answered.
    pub dns: Load,
    /// Hides values.
    pub masker: Masker,
    /// Signs certificates towards clients.
    pub authority: Arc<Authority>,
    /// Whom a cancel request means.
    pub cancels: CancelKeys,
    /// Which columns are sensitive, by target and database.
    pub catalogues: Catalogues,
    /// This host's name.
    pub host: Arc<str>,
}

impl Services {
    /// Gathers the shared parts.
    #[allow(clippy::too_many_arguments)] // one call, in `app`
    pub fn new(
        live: Live,
        recorder: Arc<Recorder>,
        approvals: Queue,
        masker: Masker,
        authority: Arc<Authority>,
        host: Arc<str>,
    ) -> Self {
        Self {
            live: RwLock::new(Arc::new(live)),
            recorder,
            approvals,
            sessions: RwLock::default(),
            names: LearntNames::default(),
            dns: Load::default(),
            masker,
            authority,
            cancels: CancelKeys::default(),
            catalogues: Catalogues::default(),
            host,
        }
    }

    /// Policy and targets as they are now.
    pub fn live(&self) -> Arc<Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces policy and targets; flows that are open keep asking the newest policy.
    pub fn replace(&self, live: Live) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
    }

    /// The live session of a binding.
    pub fn session(&self, binding: u64) -> Option<Arc<Session>> {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&binding).filter(|session| session.ended.borrow().is_none()).cloned()
    }

    /// All sessions, oldest first.
    pub fn all_sessions(&self) -> Vec<Arc<Session>> {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = sessions.values().cloned().collect();
        all.sort_by_key(|session| session.opened_us);
        all
    }
}

/// Microseconds since the Unix epoch.
pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    u64::try_from(now_us() / 1000).unwrap_or_default()
}

/// 128 random bits from the operating system, drawn in blocks.
#[allow(clippy::disallowed_methods)] // no caller could go on without randomness, or should
pub fn random() -> u128 {
    static POOL: Mutex<Vec<u128>> = Mutex::new(Vec::new());
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if pool.is_empty() {
        let mut block = [0u8; 16 * 64];
        if aws_lc_rs::rand::fill(&mut block).is_err() {
            // Without the operating system's randomness no key or identifier is safe.
            std::process::abort();
        }
        let (chunks, _) = block.as_chunks::<16>();
        pool.extend(chunks.iter().map(|chunk| u128::from_ne_bytes(*chunk)));
    }
    pool.pop().unwrap_or_default()
}

/// The operation of connecting to a target.
pub fn connect_operation(target: &Target) -> Operation {
    Operation {
        effect: Effect::Session,
        verbs: vec!["connect".to_owned()],
        resources: vec![Resource {
            kind: ResourceKind::Host,
            name: format!("{}:{}", target.host, target.port),
            columns: Vec::new(),
            written: false,
        }],
        flags: BTreeSet::new(),
    }
}

/// Counts one more statement of a session.
pub fn count_asked(session: &Session) {
    session.asked.fetch_add(1, Ordering::Relaxed);
}
