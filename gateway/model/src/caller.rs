//! Who is behind a flow: a verified identity and the process that opened the socket.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::SessionId;

/// A verified principal: a human subject and the agent that acts for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The token's issuer, exactly as configured.
    pub issuer: String,
    /// The `sub` claim.
    pub subject: String,
    /// The `email` claim, where the token carries one.
    pub email: Option<String>,
    /// Groups after claim mapping, sorted and without duplicates.
    pub groups: Vec<String>,
    /// The agent's name: the outermost `act.sub`, else what `weir run --agent` said, else the
    /// command's file name.
    pub agent: String,
    /// On whose behalf the subject acts, where the token carries an actor.
    pub on_behalf_of: Option<String>,
    /// Hex SHA-256 of the token's `jti`, or of the token itself where it has none.
    pub token_id_hash: String,
    /// When the token expires, microseconds since the Unix epoch.
    pub expires_us: i64,
}

/// One process of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessLink {
    /// Process id in the initial namespace.
    pub pid: u32,
    /// The executable's path, empty where it could not be read.
    pub exe: String,
    /// The arguments, cut at `limits::ARGV_BYTES`.
    pub argv: Vec<String>,
}

/// The process that called `connect`, and its parents up to the session's leader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The process itself.
    pub me: ProcessLink,
    /// User id of the caller at `connect`.
    pub uid: u32,
    /// The command name at `connect`: evidence only, the agent can choose it.
    pub comm: String,
    /// Parents, nearest first, at most `limits::PARENTS`.
    pub parents: Vec<ProcessLink>,
}

/// Who is behind a flow.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The session, which is the life of the binding.
    pub session: SessionId,
    /// The identity to which the cgroup is bound.
    pub identity: Arc<Identity>,
    /// The process that opened the flow.
    pub process: Arc<Process>,
}
