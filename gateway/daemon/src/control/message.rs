//! What is said on the control socket.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use weir_model::{HoldId, Layer, Relaxation, Secret, SessionId};

/// What a command asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Bind a waiting child to a new session. The session lives as long as this connection.
    Run {
        /// The bearer token.
        #[serde(with = "secret")]
        token: Secret,
        /// The agent's name, where the token does not say it.
        agent: Option<String>,
        /// The command line, cut.
        command: Vec<String>,
        /// The child that waits to be moved; a direct child of the peer.
        child: u32,
        /// The Unix user as whom the command will run.
        uid: u32,
        /// The layers of the jail that the child will enter, or else not become the command.
        #[serde(default)]
        jail: Vec<Layer>,
        /// What is to be left open.
        #[serde(default)]
        relax: BTreeSet<Relaxation>,
    },
    /// The command of a session of this connection ended.
    RunEnded {
        /// The session.
        session: SessionId,
        /// Its exit status, 128 + n for signal n.
        status: i32,
    },
    /// The live sessions.
    Sessions,
    /// What waits for a human.
    Holds {
        /// Settled ones too.
        all: bool,
    },
    /// One hold, whole.
    Hold {
        /// Which.
        id: HoldId,
    },
    /// Let a held statement run.
    Approve {
        /// Which.
        id: HoldId,
        /// The approver's words.
        comment: Option<String>,
    },
    /// Refuse a held statement.
    Deny {
        /// Which.
        id: HoldId,
        /// The approver's words.
        comment: Option<String>,
    },
    /// Try every known way around.
    Canary,
    /// Seal what was recorded so far.
    Seal,
    /// Read the configuration again.
    Reload,
    /// Start another program as the gateway's successor, which takes over from it.
    Upgrade {
        /// The program; where it is absent, what now stands where this gateway was started from.
        binary: Option<PathBuf>,
    },
    /// Take over from the gateway that is asked: this connection becomes the way to it.
    TakeOver(Claim),
    /// How the gateway is.
    Status,
}

/// What must be the same in a gateway and its successor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The form of the hand-over itself.
    pub form: u32,
    /// The instance.
    pub instance: String,
    /// The layout of the kernel's maps.
    pub layout: String,
    /// The record's directory.
    pub record: PathBuf,
    /// Where keys and sessions are kept.
    pub state: PathBuf,
}

impl Request {
    /// The name used in events.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Run { .. } => "run",
            Self::RunEnded { .. } => "run_ended",
            Self::Sessions => "sessions",
            Self::Holds { .. } => "holds",
            Self::Hold { .. } => "hold",
            Self::Approve { .. } => "approve",
            Self::Deny { .. } => "deny",
            Self::Canary => "run the canary",
            Self::Seal => "seal",
            Self::Reload => "reload",
            Self::Upgrade { .. } => "upgrade",
            Self::TakeOver(_) => "take_over",
            Self::Status => "status",
        }
    }

    /// Whether a process inside a bound cgroup may ask for it. Anything else would let an agent
    /// answer its own holds, read what others ask, or change the gateway.
    pub fn agents_may(&self) -> bool {
        match self {
            Self::Status => true,
            Self::Run { .. }
            | Self::RunEnded { .. }
            | Self::Sessions
            | Self::Holds { .. }
            | Self::Hold { .. }
            | Self::Approve { .. }
            | Self::Deny { .. }
            | Self::Canary
            | Self::Seal
            | Self::Reload
            | Self::Upgrade { .. }
            | Self::TakeOver(_) => false,
        }
    }
}

/// What the gateway answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "snake_case")]
pub enum Response {
    /// The child is in its cgroup, and may go on.
    Running {
        /// The session.
        session: SessionId,
        /// What the agent's environment gets, over its own.
        environment: BTreeMap<String, String>,
        /// The certificate of Weir's authority, as PEM.
        authority: String,
        /// Where cgroup v2 is mounted, as far as the gateway knows; the child looks for more.
        cgroup_mounts: Vec<PathBuf>,
        /// What the user should hear, one sentence each.
        notes: Vec<String>,
    },
    /// The session is closed.
    Ended,
    /// Live sessions.
    Sessions {
        /// Oldest first.
        sessions: Vec<SessionView>,
    },
    /// Holds.
    Holds {
        /// Oldest first, with long statements cut.
        holds: Vec<HoldView>,
    },
    /// One hold: asked for, approved or denied.
    Hold {
        /// As it stands now, whole.
        hold: Box<HoldView>,
    },
    /// What the canary found.
    Canary {
        /// The outcome of each attempt.
        outcomes: BTreeMap<String, String>,
    },
    /// The record is sealed.
    Sealed(Sealed),
    /// The successor gets what it needs on this connection.
    HandingOver,
    /// It is done.
    Done {
        /// One sentence.
        message: String,
    },
    /// How the gateway is.
    Status {
        /// How.
        status: Box<StatusView>,
    },
    /// It did not work: what was tried, why not, what to do.
    Error {
        /// The text.
        error: String,
    },
}

impl Response {
    /// An error.
    pub fn error(error: impl std::fmt::Display) -> Self {
        Self::Error { error: error.to_string() }
    }
}

/// What sealing made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The files written.
    pub files: Vec<PathBuf>,
    /// The rows in them.
    pub rows: u64,
}

/// A live session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// The session.
    pub id: SessionId,
    /// The human.
    pub subject: String,
    /// The agent.
    pub agent: String,
    /// The command line.
    pub command: Vec<String>,
    /// The Unix user.
    pub uid: u32,
    /// Its first process.
    pub pid: u32,
    /// Its cgroup below the cgroup v2 mount.
    pub cgroup: String,
    /// When it began, RFC 3339.
    pub opened: String,
    /// When its token expires, RFC 3339.
    pub expires: String,
    /// Connections open now.
    pub flows: u64,
    /// Statements asked so far.
    pub exchanges: u64,
}

/// A hold, as approvers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldView {
    /// The hold.
    pub id: HoldId,
    /// How it stands: `pending`, `approved`, `denied`, `expired`, `withdrawn`, `consumed`.
    pub state: String,
    /// The statement; in lists cut, see `statement_bytes`.
    pub statement: String,
    /// How long the statement is.
    pub statement_bytes: usize,
    /// Its parameters as the record shows them.
    pub parameters: Vec<Option<String>>,
    /// The human.
    pub subject: String,
    /// The agent.
    pub agent: String,
    /// Where it goes.
    pub target: String,
    /// The target's environment.
    pub environment: String,
    /// The strongest thing it does.
    pub effect: String,
    /// What it does.
    pub verbs: Vec<String>,
    /// Its properties.
    pub flags: Vec<String>,
    /// What it touches.
    pub tables: Vec<String>,
    /// The determining policies.
    pub policies: Vec<String>,
    /// Why it is held.
    pub message: String,
    /// Groups that may answer; empty is any approver.
    pub approve_groups: Vec<String>,
    /// How many approvers are needed.
    pub quorum: usize,
    /// Who has approved.
    pub approved_by: Vec<String>,
    /// Who has denied.
    pub denied_by: Vec<String>,
    /// What they said.
    pub comments: Vec<String>,
    /// When it was asked, RFC 3339.
    pub opened: String,
    /// Until when an answer is of use, RFC 3339.
    pub until: String,
    /// How long ago it was asked.
    pub waiting_seconds: u64,
    /// How long an answer will be of use.
    pub remaining_seconds: u64,
    /// Statements that wait in the wire right now; 0 where the client was told to come back.
    pub in_wire: usize,
    /// Whether the client has a transaction open, which holds locks.
    pub in_transaction: bool,
    /// The session.
    pub session: SessionId,
    /// The exchange, for `weir show`.
    pub exchange: String,
    /// What an approval is tied to, hex.
    pub binding: String,
}

/// How the gateway is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it started, RFC 3339.
    pub started: String,
    /// How connections are intercepted, for instance `ebpf`.
    pub intercept: String,
    /// Hex SHA-256 of the policy set.
    pub policy_hash: String,
    /// Live sessions.
    pub sessions: u64,
    /// Holds that wait.
    pub holds: u64,
    /// What is wrong, one sentence each; empty is healthy.
    pub findings: Vec<String>,
}

/// A secret on the wire, which only this module writes out.
mod secret {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use weir_model::Secret;

    pub(super) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}
