//! The nouns of Weir, shared by every crate: no behaviour beyond constructors and display.
//!
//! **Binding** a cgroup bound to an identity · **Session** the life of one binding · **Flow** one
//! accepted connection · **Caller** who is behind a flow · **Target** where it was going ·
//! **Statement** what was said, protocol-shaped · **Operation** what it means, protocol-neutral ·
//! **Verdict** allow, deny or hold · **Hold** an operation that waits for a human · **Entry** a line
//! of the record · **Answer** what the target sent back · **Finding** a span to hide ·
//! **Exchange** one operation with its verdict and answer.

pub mod caller;
pub mod entry;
pub mod id;
pub mod jail;
pub mod limits;
pub mod operation;
pub mod secret;
pub mod statement;
pub mod target;
pub mod verdict;

pub use caller::{Caller, Identity, Process, ProcessLink};
pub use entry::Entry;
pub use id::{ExchangeId, FlowId, HoldId, SessionId};
pub use jail::{Layer, Relaxation};
pub use operation::{Effect, Flag, Operation, Resource, ResourceKind};
pub use secret::Secret;
pub use statement::{Dialect, Statement};
pub use target::{Class, ColumnRef, Protocol, Target};
pub use verdict::{Decision, HoldTerms, Refusal, Transform, Verdict};
