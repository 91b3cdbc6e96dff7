//! The columns of each table.

use super::row_with_actor;
use crate::time::Time;
use crate::value::{Text, Texts};

row_with_actor! {
    /// A binding's life.
    SessionRow in Sessions {
        /// Place of its first entry in the host's log.
        1 entry_index: i64,
        /// The session.
        2 session: String,
        /// The gateway's host.
        3 host: Text,
        /// When it began.
        4 started_at: Time,
        /// When it ended; NULL where it ended with the gateway.
        5 ended_at: Option<Time>,
        /// Why it ended; `unknown` where the gateway died first.
        6 end_reason: Option<String>,
        /// The command's exit status.
        7 exit_status: Option<i64>,
        /// The cgroup's path below the cgroup v2 mount.
        8 cgroup: String,
        /// The command line.
        9 command: Vec<String>,
        /// The Unix user.
        10 uid: i64,
        /// Hex SHA-256 of the token's id.
        11 token_id_hash: String,
        /// When the token expires.
        12 expires_at: Time,
        /// The kernel's counters, a JSON map.
        13 counters: String,
        /// Connections recorded.
        14 flows: i64,
        /// Operations recorded.
        15 exchanges: i64,
        /// Operations that policy denied.
        16 denied: i64,
        /// Operations that policy held.
        17 held: i64,
        /// Cells masked.
        18 masked: i64,
        /// The layers of the jail that the command began in.
        19 jail: Vec<String>,
        /// What of the jail was left open, by name.
        20 relaxed: Vec<String>,
    }
}

row_with_actor! {
    /// A connection.
    FlowRow in Flows {
        /// Place of its first entry in the host's log.
        1 entry_index: i64,
        /// The flow.
        2 flow: Text,
        /// The session; NULL where it could not be attributed.
        3 session: Option<Text>,
        /// The gateway's host.
        4 host: Text,
        /// When it was accepted.
        5 opened_at: Time,
        /// When it ended; NULL where the gateway died first.
        6 closed_at: Option<Time>,
        /// Why it ended; `unknown` where the gateway died first.
        7 close_reason: Option<String>,
        /// Process id of who opened it.
        8 pid: i64,
        /// Its executable.
        9 exe: Text,
        /// Its arguments.
        10 argv: Vec<String>,
        /// Its Unix user.
        11 uid: i64,
        /// Its command name, which it chooses itself.
        12 comm: String,
        /// Its parents, nearest first, JSON.
        13 parents: String,
        /// The target's name.
        14 target: Text,
        /// The target's environment.
        15 environment: Text,
        /// The protocol.
        16 protocol: Text,
        /// The target's host name.
        17 target_host: String,
        /// Original destination address.
        18 target_address: String,
        /// Original destination port.
        19 target_port: i64,
        /// Whether the target is configured.
        20 target_known: bool,
        /// The server name of the TLS ClientHello.
        21 server_name: Option<String>,
        /// Whether the client's side is encrypted.
        22 tls: bool,
        /// The database asked for.
        23 database: Option<Text>,
        /// The user that the client named.
        24 client_user: Option<String>,
        /// The user as whom the gateway logged in.
        25 upstream_user: Option<Text>,
        /// Bytes from the client; NULL where the gateway died first.
        26 bytes_in: Option<i64>,
        /// Bytes to the client; NULL where the gateway died first.
        27 bytes_out: Option<i64>,
    }
}

row_with_actor! {
    /// An operation with its verdict and answer.
    ExchangeRow in Exchanges {
        /// Place of the request in the host's log.
        1 entry_index: i64,
        /// The exchange.
        2 exchange: Text,
        /// The session.
        3 session: Option<Text>,
        /// The flow.
        4 flow: Text,
        /// Its place in the flow, from 0.
        5 seq: i64,
        /// When it arrived.
        6 asked_at: Time,
        /// When it was decided.
        7 decided_at: Time,
        /// How long it was held, microseconds; NULL where it was not.
        8 held_us: Option<i64>,
        /// When it was forwarded.
        9 forwarded_at: Option<Time>,
        /// When the first byte of the answer came.
        10 first_answer_at: Option<Time>,
        /// When the answer ended.
        11 done_at: Option<Time>,
        /// The gateway's host.
        12 host: Text,
        /// The target's name.
        13 target: Text,
        /// The target's environment.
        14 environment: Text,
        /// The protocol.
        15 protocol: Text,
        /// The database.
        16 database: Option<Text>,
        /// The user as whom the gateway logged in.
        17 upstream_user: Option<Text>,
        /// The statement.
        18 statement: Text,
        /// A hash of its normalised shape.
        19 fingerprint: Option<i64>,
        /// Parameters, findings masked.
        20 parameters: Vec<Option<String>>,
        /// What it does.
        21 verbs: Texts,
        /// The tables it touches.
        22 tables: Texts,
        /// All it touches, JSON.
        23 resources: Text,
        /// The strongest thing it does.
        24 effect: Text,
        /// Its properties.
        25 flags: Texts,
        /// `allow`, `deny` or `hold`.
        26 verdict: Text,
        /// The policies that determined it.
        27 policies: Texts,
        /// Shadow policies that would have changed it.
        28 shadow: Texts,
        /// Hex SHA-256 of the policy set.
        29 policy_hash: Text,
        /// The hold it waited in.
        30 hold: Option<String>,
        /// Who approved or denied it.
        31 approver: Option<String>,
        /// Why not, or why so after a hold.
        32 reason: Option<Text>,
        /// Whether it went on to the target; with status `unknown` it may not have arrived.
        33 forwarded: bool,
        /// Rows delivered.
        34 rows: Option<i64>,
        /// Rows changed, as the target says.
        35 affected: Option<i64>,
        /// `ok`, `error`, `refused`, `aborted`, or `unknown` where the gateway died first.
        36 status: Text,
        /// SQLSTATE or the like.
        37 error_code: Option<String>,
        /// Cells masked by detector or policy, a JSON map.
        38 masked: Text,
        /// Hex SHA-256 of the request's entry as logged.
        39 entry_hash: String,
        /// Process id of who asked.
        40 pid: i64,
        /// Its executable.
        41 exe: Text,
    }
}

row_with_actor! {
    /// A part of an answer, as delivered.
    AnswerRow in Answers {
        /// Place of the part in the host's log.
        1 entry_index: i64,
        /// The exchange.
        2 exchange: Text,
        /// The session.
        3 session: Option<Text>,
        /// The flow.
        4 flow: Text,
        /// The part's place in the answer, from 0.
        5 part: i64,
        /// The result set's place in the answer, from 0.
        6 result: i64,
        /// When.
        7 at: Time,
        /// The gateway's host.
        8 host: Text,
        /// `result`, `copy_out`, `copy_in` or `piece`.
        9 kind: Text,
        /// Names of the columns; empty where the answer did not describe them.
        10 columns: Texts,
        /// Rows of cells as text; binary that has no text stands as `\x` and hex.
        11 rows: Vec<Vec<Option<String>>>,
        /// What is not rows.
        12 bytes: Option<Vec<u8>>,
        /// Errors, notices and notifications, one per line.
        13 message: Option<String>,
        /// The target's own word on what was done, for instance `UPDATE 5`.
        14 tag: Option<String>,
    }
}

row_with_actor! {
    /// A hold's life; a hold that was approved and later used has a row for each.
    HoldRow in Holds {
        /// Place of its first entry in the host's log.
        1 entry_index: i64,
        /// The hold.
        2 hold: String,
        /// The exchange that waited.
        3 exchange: String,
        /// The flow.
        4 flow: String,
        /// The session.
        5 session: String,
        /// The gateway's host.
        6 host: Text,
        /// When it began.
        7 opened_at: Time,
        /// When it runs out.
        8 until: Time,
        /// When it was answered; NULL where the gateway died first.
        9 settled_at: Option<Time>,
        /// `approved`, `denied`, `expired`, `withdrawn`, `consumed` or `unknown`.
        10 outcome: String,
        /// Who answered.
        11 approver: Option<String>,
        /// Their words.
        12 comment: Option<String>,
        /// The statement.
        13 statement: String,
        /// What the approval is bound to.
        14 binding: String,
        /// Groups asked.
        15 approve_groups: Vec<String>,
        /// How many approvers are needed.
        16 quorum: i64,
        /// The determining policies.
        17 policies: Vec<String>,
        /// The target's name.
        18 target: Text,
        /// The target's environment.
        19 environment: Text,
    }
}

row_with_actor! {
    /// Anything else worth knowing.
    EventRow in Events {
        /// Place of the entry in the host's log.
        1 entry_index: i64,
        /// When.
        2 at: Time,
        /// The gateway's host.
        3 host: Text,
        /// The session.
        4 session: Option<String>,
        /// The flow.
        5 flow: Option<String>,
        /// What.
        6 kind: String,
        /// `info`, `warning` or `critical`.
        7 severity: String,
        /// One sentence.
        8 message: String,
        /// Details, a JSON map.
        9 attributes: String,
    }
}

row_with_actor! {
    /// What was covered, and what was not. Columns 2 to 17 are signed: `crate::coverage`.
    CoverageRow in Coverage {
        /// Place of the entry in the host's log.
        1 entry_index: i64,
        /// The gateway's host.
        2 host: Text,
        /// When this life of the gateway began, microseconds since the Unix epoch.
        3 life: i64,
        /// Its place among the coverage rows of this life, from 1.
        4 seq: i64,
        /// Hex SHA-256 of the signed bytes of the row before; empty at the first.
        5 previous: String,
        /// `start`, `interval`, `end`, `stop`, `gap` or `canary`.
        6 kind: String,
        /// The session, where it speaks of one.
        7 session: Option<String>,
        /// The beginning of what it speaks of.
        8 since: Time,
        /// The end of that.
        9 at: Time,
        /// The tier of enforcement.
        10 tier: String,
        /// What is not enforced, one sentence each.
        11 not_enforced: Vec<String>,
        /// What the kernel counted, a JSON map.
        12 kernel: String,
        /// What the gateway counted, a JSON map.
        13 proxy: String,
        /// Each invariant, a JSON map: `holds`, `open: ...`, `violated: ...` or `unknown: ...`.
        14 invariants: String,
        /// How many invariants are violated.
        15 violated: i64,
        /// What is attached: link, program and tag, a JSON map.
        16 programs: String,
        /// What was not covered, or not known to be.
        17 gap: Option<String>,
        /// The public key, hex.
        18 key: String,
        /// The Ed25519 signature.
        19 signature: Vec<u8>,
    }
}
