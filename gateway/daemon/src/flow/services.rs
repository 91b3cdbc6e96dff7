//! What flows share: policy and targets, the record, the holds, names, keys.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{Semaphore, watch};
use weir_mask::Masker;
use weir_model::{
    Effect, FlowId, Identity, Operation, Relaxation, Resource, ResourceKind, SessionId, Target,
};
use weir_policy::PolicySet;

use super::dns::Load;
use super::memory::Memory;
use super::names::LearntNames;
use super::tally::Tally;
use crate::approval::Queue;
use crate::config::{ColumnRule, TargetConfig};
use crate::driver::postgres::cancel::CancelKeys;
use crate::driver::postgres::catalogue::Catalogues;
use crate::driver::postgres::notify::Written;
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
    /// What `weir run --relax` may leave open.
    pub allow_relax: BTreeSet<Relaxation>,
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
    /// What was accepted, read and written for it.
    pub tally: Arc<Tally>,
    /// What its large messages may take.
    pub memory: Arc<Memory>,
    /// Room for connections that have not begun yet.
    pub starting: Semaphore,
    /// Notifications that it wrote.
    pub written: Mutex<Written>,
    /// What the tokens stand for that it was given.
    pub given: Mutex<weir_mask::Memory>,
}

/// Everything that flows share.
pub struct Services {
    live: RwLock<Arc<Live>>,
    /// Counts replacements, for those who keep a copy.
    generation: AtomicU64,
    /// The record.
    pub recorder: Arc<Recorder>,
    /// Operations that wait for a human.
    pub approvals: Queue,
    /// Sessions by binding.
    pub sessions: RwLock<HashMap<u64, Arc<Session>>>,
    /// What is counted, by binding, beyond the life of its session.
    pub tallies: RwLock<HashMap<u64, Arc<Tally>>>,
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
    /// Whether new connections are taken; they are another gateway's once it has the listeners.
    pub accepting: watch::Sender<bool>,
    /// What all large messages may take.
    pub memory: Arc<Memory>,
    /// Connections that are open, by their identifiers.
    flows: Mutex<HashSet<FlowId>>,
    /// Held by whatever is still being served.
    served: Arc<()>,
}

/// Something that is being served, as long as it lives.
pub struct Served(#[allow(dead_code)] Arc<()>); // counted, not read

/// An open connection, as long as it lives.
pub struct OpenFlow<'a> {
    services: &'a Services,
    id: FlowId,
}

impl Drop for OpenFlow<'_> {
    fn drop(&mut self) {
        self.services.flows.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
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
            generation: AtomicU64::new(1),
            recorder,
            approvals,
            sessions: RwLock::default(),
            tallies: RwLock::default(),
            names: LearntNames::default(),
            dns: Load::default(),
            masker,
            authority,
            cancels: CancelKeys::default(),
            catalogues: Catalogues::default(),
            host,
            accepting: watch::Sender::new(true),
            memory: Arc::new(Memory::of_all()),
            flows: Mutex::default(),
            served: Arc::default(),
        }
    }

    /// To be held while something is served that must be finished before the gateway may end.
    pub fn serving(&self) -> Served {
        Served(self.served.clone())
    }

    /// Whether nothing is served.
    pub fn is_quiet(&self) -> bool {
        Arc::strong_count(&self.served) == 1
    }

    /// Enters a connection, from before its first entry of the record until right before its last.
    pub fn enter(&self, id: FlowId) -> OpenFlow<'_> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        OpenFlow { services: self, id }
    }

    /// The connections that are open.
    pub fn open_flows(&self) -> BTreeSet<FlowId> {
        let flows = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        flows.iter().copied().collect()
    }

    /// Policy and targets as they are now.
    pub fn live(&self) -> Arc<Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often policy and targets were replaced: a copy of an earlier generation is stale.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Replaces policy and targets; flows that are open keep asking the newest policy.
    pub fn replace(&self, live: Live) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The live session of a binding.
    pub fn session(&self, binding: u64) -> Option<Arc<Session>> {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&binding).filter(|session| session.ended.borrow().is_none()).cloned()
    }

    /// What is counted for a binding.
    pub fn tally(&self, binding: u64) -> Option<Arc<Tally>> {
        let tallies = self.tallies.read().unwrap_or_else(PoisonError::into_inner);
        tallies.get(&binding).cloned()
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
