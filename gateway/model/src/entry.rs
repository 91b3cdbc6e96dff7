//! A line of the record, as it stands in the write-ahead log.
//!
//! Times are microseconds since the Unix epoch, UTC. An entry may be followed by a body of raw
//! bytes (`AnswerPart`: the answer's messages as delivered, masked), which is kept beside it so that
//! the hot path never copies rows into a structure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::{
    Decision, ExchangeId, FlowId, HoldId, Identity, Operation, Process, SessionId, Target,
};

/// A line of the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// A binding began.
    SessionOpened(SessionOpened),
    /// A binding ended.
    SessionClosed(SessionClosed),
    /// A connection was accepted.
    FlowOpened(FlowOpened),
    /// A connection ended.
    FlowClosed(FlowClosed),
    /// A request, with its verdict, before anything of it was forwarded.
    Asked(Asked),
    /// A part of an answer, before it was delivered; its bytes are the entry's body.
    AnswerPart(AnswerPart),
    /// The end of an answer, before it was delivered.
    Answered(Answered),
    /// A hold began to wait.
    HoldOpened(HoldOpened),
    /// A hold was answered, withdrawn or ran out.
    HoldSettled(HoldSettled),
    /// Anything else worth knowing.
    Event(Event),
    /// What was covered, and what was not; signed.
    Coverage(Coverage),
}

/// A binding began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionOpened {
    /// The session.
    pub session: SessionId,
    /// When.
    pub at_us: i64,
    /// To whom the cgroup is bound.
    pub identity: Arc<Identity>,
    /// The host's name.
    pub host: String,
    /// The cgroup's path below the cgroup v2 mount.
    pub cgroup: String,
    /// The command line.
    pub command: Vec<String>,
    /// The Unix user it runs as.
    pub uid: u32,
    /// The layers of its jail, for instance `seccomp`, `landlock-7`.
    pub jail: Vec<String>,
    /// What was left open, by the names of relaxations.
    pub relaxed: Vec<String>,
}

/// A binding ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionClosed {
    /// The session.
    pub session: SessionId,
    /// When.
    pub at_us: i64,
    /// Why: `exit`, `expired`, `gateway stopped`, ...
    pub reason: String,
    /// The command's exit status, where it has one.
    pub status: Option<i32>,
    /// Connections that the kernel saw, redirected, refused; by counter name.
    pub counters: BTreeMap<String, u64>,
}

/// A connection was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowOpened {
    /// The flow.
    pub flow: FlowId,
    /// The session; `None` where it could not be attributed, in which case it was refused.
    pub session: Option<SessionId>,
    /// When.
    pub at_us: i64,
    /// The process that opened it.
    pub process: Arc<Process>,
    /// Where it was going.
    pub target: Arc<Target>,
    /// The server name of its TLS ClientHello, where it has one.
    pub server_name: Option<String>,
    /// Whether the client's side is encrypted.
    pub tls: bool,
    /// The database asked for, for a database protocol.
    pub database: Option<String>,
    /// The user that the client named.
    pub client_user: Option<String>,
    /// The user as whom Weir logged in to the target.
    pub upstream_user: Option<String>,
}

/// A connection ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowClosed {
    /// The flow.
    pub flow: FlowId,
    /// When.
    pub at_us: i64,
    /// Why: `client closed`, `target closed`, `refused: ...`, `expired`, ...
    pub reason: String,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
}

/// A request, with its verdict, before anything of it was forwarded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// What it has in common with other requests of the same statement.
    pub judged: Arc<Judged>,
    /// What is its own.
    pub request: Request,
}

/// A statement with its meaning and its verdict, which many requests may share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The statement's bytes, lossily as UTF-8.
    pub statement: Arc<str>,
    /// A hash of its normalised shape.
    pub fingerprint: Option<i64>,
    /// What it means.
    pub operation: Arc<Operation>,
    /// What policy said.
    pub decision: Arc<Decision>,
    /// Where the record has it already.
    #[serde(skip)]
    pub kept: Kept,
}

/// The index of the entry that holds something in full; a mark of the recorder's own, no part of
/// what it marks.
#[derive(Debug, Default)]
pub struct Kept(AtomicU64);

impl Kept {
    /// Where it is; 0 is nowhere.
    pub fn index(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Remembers where it is.
    pub fn at(&self, index: u64) {
        self.0.store(index, Ordering::Relaxed);
    }
}

impl Clone for Kept {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What is a request's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The exchange.
    pub exchange: ExchangeId,
    /// The flow.
    pub flow: FlowId,
    /// Its place in the flow, from 0.
    pub seq: u64,
    /// When it arrived.
    pub asked_us: i64,
    /// When it was decided (after a hold, when that was answered).
    pub decided_us: i64,
    /// It only prepares the statement.
    pub prepares: bool,
    /// Parameters, with findings masked; `None` is SQL NULL.
    pub parameters: Vec<Option<String>>,
    /// The hold it waited in.
    pub hold: Option<HoldId>,
    /// Who approved or denied it.
    pub approver: Option<String>,
    /// Whether it goes on to the target.
    pub forwarded: bool,
    /// Why not, or why so after a hold.
    pub reason: Option<String>,
}

/// What an answer part's body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartKind {
    /// PostgreSQL backend messages, whole: `T`, `D`, `d`, `E`, `N` and so on, as delivered.
    PostgresMessages,
    /// Bytes of a PostgreSQL message that is too large to be held whole.
    PostgresPiece,
    /// PostgreSQL `CopyData` payload that the client sent.
    CopyIn,
}

/// A part of an answer, before it was delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerPart {
    /// The exchange.
    pub exchange: ExchangeId,
    /// The flow.
    pub flow: FlowId,
    /// Its place in the answer, from 0.
    pub part: u32,
    /// When.
    pub at_us: i64,
    /// How to read the body.
    pub kind: PartKind,
    /// The result's format codes (0 text, 1 binary) where the body's rows follow no row
    /// description of their own; one for all, or one per column; empty is all text.
    pub formats: Arc<[i16]>,
}

/// The end of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The exchange.
    pub exchange: ExchangeId,
    /// The flow.
    pub flow: FlowId,
    /// When the request was forwarded; `None` where it was not.
    pub forwarded_us: Option<i64>,
    /// When the answer's first byte came.
    pub first_us: Option<i64>,
    /// When the answer ended.
    pub done_us: i64,
    /// `ok`, `error`, `refused`, or `aborted` where the connection ended first.
    pub status: Cow<'static, str>,
    /// SQLSTATE or the like.
    pub error_code: Option<String>,
    /// Rows delivered.
    pub rows: u64,
    /// Rows that the target says it changed.
    pub affected: Option<u64>,
    /// Cells masked, by detector or policy.
    pub masked: BTreeMap<String, u64>,
}

/// A hold began to wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldOpened {
    /// The hold.
    pub hold: HoldId,
    /// The exchange that waits.
    pub exchange: ExchangeId,
    /// The flow.
    pub flow: FlowId,
    /// The session.
    pub session: SessionId,
    /// When.
    pub at_us: i64,
    /// When it runs out.
    pub until_us: i64,
    /// The statement.
    pub statement: Arc<str>,
    /// What an approval is bound to: hex SHA-256 of bytes, parameters, session, target, policy.
    pub binding: String,
    /// Groups asked.
    pub approve_groups: Vec<String>,
    /// How many approvers are needed.
    pub quorum: u32,
    /// The determining policies.
    pub policies: Vec<String>,
}

/// A hold was answered, withdrawn or ran out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldSettled {
    /// The hold.
    pub hold: HoldId,
    /// When.
    pub at_us: i64,
    /// `approved`, `denied`, `expired`, `withdrawn`, `consumed`.
    pub outcome: String,
    /// Who.
    pub approver: Option<String>,
    /// Their words.
    pub comment: Option<String>,
}

/// Anything else worth knowing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at_us: i64,
    /// The session, where there is one.
    pub session: Option<SessionId>,
    /// The flow, where there is one.
    pub flow: Option<FlowId>,
    /// What: `gateway.started`, `login.refused`, `flow.unattributed`, `policy.loaded`, `dns.query`,
    /// `record.recovered`, ...
    pub kind: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// One sentence.
    pub message: String,
    /// Details.
    pub attributes: BTreeMap<String, String>,
}

/// What was covered, and what was not. `weir_ledger::coverage` says how it is signed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// The life of the gateway: when it began, microseconds since the Unix epoch.
    pub life: i64,
    /// Its place among the coverage entries of this life, from 1.
    pub seq: i64,
    /// Hex SHA-256 of what was signed before it in this life; empty at the first.
    pub previous: String,
    /// `start`, `interval`, `end`, `stop`, `gap` or `canary`.
    pub kind: String,
    /// The session, where it speaks of one.
    pub session: Option<SessionId>,
    /// The beginning of what it speaks of.
    pub since_us: i64,
    /// The end of that.
    pub at_us: i64,
    /// The tier of enforcement.
    pub tier: String,
    /// What is not enforced, one sentence each.
    pub not_enforced: Vec<String>,
    /// What the kernel counted.
    pub kernel: BTreeMap<String, u64>,
    /// What the gateway counted.
    pub proxy: BTreeMap<String, u64>,
    /// Each invariant: `holds`, `open: ...`, `violated: ...` or `unknown: ...`.
    pub invariants: BTreeMap<String, String>,
    /// What is attached, by program: link, program and tag.
    pub programs: BTreeMap<String, String>,
    /// What was not covered, or not known to be; `None` where nothing is missing.
    pub gap: Option<String>,
    /// The public key, hex.
    pub key: String,
    /// The Ed25519 signature.
    pub signature: Vec<u8>,
}

impl Event {
    /// An event without attributes, of severity `info`.
    pub fn info(at_us: i64, kind: &str, message: String) -> Self {
        Self {
            at_us,
            session: None,
            flow: None,
            kind: kind.to_owned(),
            severity: "info".to_owned(),
            message,
            attributes: BTreeMap::new(),
        }
    }

    /// The same event, as a warning.
    pub fn warning(mut self) -> Self {
        self.severity = "warning".to_owned();
        self
    }

    /// The same event, as one that somebody has to look at now.
    pub fn critical(mut self) -> Self {
        self.severity = "critical".to_owned();
        self
    }

    /// The same event with one more attribute.
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.attributes.insert(key.to_owned(), value.to_string());
        self
    }

    /// The same event, of a session.
    pub fn of_session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// The same event, of a flow.
    pub fn of_flow(mut self, flow: FlowId) -> Self {
        self.flow = Some(flow);
        self
    }
}
