//! Every bound in one place (invariant 9). Sizes in bytes, times in milliseconds.

/// A message that is held in memory whole: a request, an error, a row description.
pub const MESSAGE_BYTES: usize = 64 << 20;
/// A PostgreSQL start-up packet (`MAX_STARTUP_PACKET_LENGTH` in pqcomm.h).
pub const STARTUP_BYTES: usize = 10_000;
/// A SQL text that is parsed; a longer one is `unknown`.
pub const SQL_BYTES: usize = 256 << 10;
/// Brackets that a SQL text may nest; a deeper one is `unknown`.
pub const SQL_DEPTH: usize = 512;
/// Nodes that a SQL text's tree may nest; a deeper one is `unknown`.
pub const SQL_TREE_DEPTH: usize = 120;
/// What large messages that are not whole yet may take beyond their flows' buffers, in all sessions.
pub const LARGE_BYTES: usize = 1 << 30;
/// The same of one session.
pub const LARGE_BYTES_PER_SESSION: usize = 256 << 20;
/// A flow's read buffer, per direction.
pub const READ_BYTES: usize = 64 << 10;
/// One part of an answer in the record.
pub const ANSWER_PART_BYTES: usize = 64 << 10;
/// Requests of one connection that wait for their answers.
pub const PIPELINE: usize = 16_384;
/// Prepared statements or portals that one connection may name.
pub const PREPARED: usize = 16_384;
/// Classified statements remembered per worker.
pub const CLASSIFIED: usize = 4_096;
/// Statement texts longer than this are not cached.
pub const CLASSIFIED_TEXT_BYTES: usize = 16 << 10;
/// Arguments of a process that are recorded.
pub const ARGV_BYTES: usize = 4_096;
/// Parents of a process that are recorded.
pub const PARENTS: usize = 16;
/// Tokens in the place of masked values that a session can have turned back.
pub const REMEMBERED: usize = 16_384;
/// What those take, with their values.
pub const REMEMBERED_BYTES: usize = 4 << 20;
/// A value that a token leads back to.
pub const REMEMBERED_VALUE_BYTES: usize = 1 << 10;
/// Values put into a connection's latest statements, which its errors and notices must not quote.
pub const REVEALED: usize = 256;
/// A bearer token.
pub const TOKEN_BYTES: usize = 16 << 10;
/// A JWKS document.
pub const JWKS_BYTES: usize = 256 << 10;
/// A request on the control socket.
pub const CONTROL_BYTES: usize = 1 << 20;
/// Control connections at a time.
pub const CONTROL_CONNECTIONS: usize = 256;
/// Control connections at a time of one user other than root.
pub const CONTROL_CONNECTIONS_PER_USER: usize = 64;
/// An answer on the control socket.
pub const CONTROL_ANSWER_BYTES: usize = 64 << 20;
/// Sending or receiving one request on the control socket.
pub const CONTROL_MS: u64 = 10_000;
/// Waiting for the gateway's answer to a request.
pub const CONTROL_ANSWER_MS: u64 = 120_000;
/// Network namespaces whose listeners a worker has not taken up yet.
pub const LISTENERS: usize = 1_024;
/// Connections of a session of which one end is closed and the other is not yet.
pub const UNMATCHED_CLOSES: usize = 65_536;
/// A DNS query.
pub const DNS_QUERY_BYTES: usize = 4 << 10;
/// What a DNS socket may hold that nobody has read, as the kernel counts it.
pub const DNS_BACKLOG_BYTES: usize = 1 << 20;
/// DNS queries that are being answered at a time.
pub const DNS_QUERIES: usize = 1_024;
/// The same of one session.
pub const DNS_QUERIES_PER_SESSION: usize = 128;
/// Waiting for a resolver.
pub const DNS_MS: u64 = 5_000;
/// Waiting for a client's next DNS query over TCP.
pub const DNS_IDLE_MS: u64 = 10_000;
/// Network namespaces that one binding's processes may have listeners in at a time.
pub const NAMESPACES_PER_BINDING: usize = 32;
/// Cancel requests that wait to be passed on to the gateway before; what is more is dropped.
pub const STRAY_CANCELS: usize = 64;
/// Names that DNS taught us, per gateway.
pub const NAMES: usize = 65_536;
/// Holds that wait at a time, per session.
pub const HOLDS_PER_SESSION: usize = 64;
/// Holds and tickets that are open at a time, in all sessions.
pub const HOLDS: usize = 4_096;
/// Statements and parameters of all open holds and tickets.
pub const HOLDS_BYTES: usize = 64 << 20;
/// Settled holds that stay listed.
pub const HOLDS_SETTLED: usize = 256;
/// What an approver may say.
pub const COMMENT_BYTES: usize = 4 << 10;
/// How long a statement waits in the wire for a human.
pub const HOLD_MS: u64 = 100_000;
/// The same inside an open transaction, which holds locks.
pub const HOLD_IN_TRANSACTION_MS: u64 = 5_000;
/// How often a waiting client is told so.
pub const HOLD_NOTICE_MS: u64 = 10_000;
/// Layers of a jail that a session tells.
pub const JAIL_LAYERS: usize = 16;
/// Unix sockets of others that are taken out of an agent's sight.
pub const HIDDEN_SOCKETS: usize = 4_096;
/// Entries below `/run` that are looked at for them.
pub const RUN_ENTRIES: usize = 65_536;
/// How deep they nest.
pub const RUN_DEPTH: usize = 16;
/// A file with certificates, or Java's trust store.
pub const TRUST_BYTES: usize = 8 << 20;
/// Bytes that are typed ahead of the command.
pub const TYPED_BYTES: usize = 4 << 10;
/// Dialling a target.
pub const DIAL_MS: u64 = 10_000;
/// Dialling a target for its catalogue, for which statements wait.
pub const CATALOGUE_DIAL_MS: u64 = 3_000;
/// A cancel request on its way to a target, until that has acted.
pub const CANCEL_MS: u64 = 10_000;
/// A client's first bytes, where the target's protocol is not configured.
pub const DETECT_MS: u64 = 300;
/// A client's start-up, TLS included.
pub const STARTUP_MS: u64 = 60_000;
/// Connections of a session that have not begun yet: start-up, TLS, and what clients must prove.
pub const STARTING_PER_SESSION: usize = 512;
/// What a target says before a session at it begins.
pub const LOGIN_BYTES: usize = 1 << 20;
/// Columns of a result (`MaxTupleAttributeNumber` in `htup_details.h`).
pub const COLUMNS: usize = 1_664;
/// What the results of one query for a target's catalogue may take on the wire.
pub const CATALOGUE_BYTES: usize = 256 << 20;
/// What all of them may: most of it, texts of views and functions, is read and let go.
pub const WHOLE_CATALOGUE_BYTES: usize = 2 << 30;
/// Reading a target's catalogue, log-in aside.
pub const CATALOGUE_MS: u64 = 20_000;
/// How often who waits for a target looks whether its client is still there.
pub const LOOK_MS: u64 = 500;
/// Last words to a peer that may not be reading.
pub const PARTING_MS: u64 = 5_000;
/// Notifications that a session wrote itself, which it may read again.
pub const NOTIFIED: usize = 1_024;
/// Fetching an issuer's keys.
pub const JWKS_MS: u64 = 5_000;
/// What a gateway that was replaced appends at once, and what it hands over in one message.
pub const HANDED_BYTES: usize = 2 * MESSAGE_BYTES;
/// Descriptors in one message of a hand-over (`SCM_MAX_FD` is 253).
pub const HANDED_FILES: usize = 250;
/// A gateway that is being replaced waits so long for the next one to be ready.
pub const HANDOVER_MS: u64 = 30_000;
/// Flows that it serves may go on for so long.
pub const DRAIN_LONG_MS: u64 = 3_600_000;
/// Waiting for flows to end at shutdown.
pub const DRAIN_MS: u64 = 5_000;
