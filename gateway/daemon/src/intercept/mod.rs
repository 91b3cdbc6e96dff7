//! Sends an agent's connections to the gateway and says who opened each of them.
//!
//! `Interceptor` does it with eBPF: programs on the bound cgroup rewrite every connect, and nothing
//! that leaves by another way leaves at all. `Explicit` is for hosts without eBPF: a listener that
//! clients must be pointed at, which enforces nothing.
//!
//! The order that keeps it closed: `bind` makes the leaf and attaches all programs, `listen` opens
//! the listeners in the caller's network namespace, `enter` moves the process in. Links are pinned,
//! so a gateway that dies leaves its bindings cut off, never open; the next one finds them in
//! `adopted`. Sockets that a process opened before `enter` stay outside for ever (a socket belongs
//! to the cgroup in which it was created), so they must be closed before.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
use weir_abi::count::{COUNTS, REASONS};

#[cfg(target_os = "linux")]
mod attachment;
#[cfg(target_os = "linux")]
mod bpffs;
#[cfg(target_os = "linux")]
pub mod canary;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod closes;
#[cfg(target_os = "linux")]
mod denials;
#[cfg(target_os = "linux")]
mod ebpf;
#[cfg(target_os = "linux")]
mod explicit;
#[cfg(target_os = "linux")]
mod facts;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod listen;
#[cfg(target_os = "linux")]
pub mod lsm;
#[cfg(target_os = "linux")]
mod maps;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod pins;
#[cfg(target_os = "linux")]
pub mod probe;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod ring;
#[cfg(target_os = "linux")]
mod slice;
#[cfg(target_os = "linux")]
mod standing;
#[cfg(target_os = "linux")]
mod syscall;

#[cfg(target_os = "linux")]
pub use attachment::{Attachment, Running};
#[cfg(target_os = "linux")]
pub use closes::Closes;
#[cfg(target_os = "linux")]
pub use denials::{Denial, Denials};
#[cfg(target_os = "linux")]
pub use ebpf::{Inherited, Interceptor};
#[cfg(target_os = "linux")]
pub use explicit::Explicit;
#[cfg(target_os = "linux")]
pub use facts::FactsReader;
#[cfg(target_os = "linux")]
pub use listen::Listeners;
#[cfg(target_os = "linux")]
pub use namespaces::Namespace;
#[cfg(target_os = "linux")]
pub use ring::{Ring, Waiting};
#[cfg(target_os = "linux")]
pub use standing::{Attached, Instance, Link, Pinned, attach, instances, retire};
#[cfg(target_os = "linux")]
pub use weir_abi::{Closed, Reason, balance, close, count::Counters};

/// Where and under which name to intercept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tells the gateways of one host apart.
    pub instance: String,
    /// A mounted bpffs; `None` finds or mounts one.
    pub bpffs: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { instance: "weir".to_owned(), bpffs: None }
    }
}

/// A bound cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The binding's id.
    pub id: u64,
    /// The leaf's name.
    pub name: String,
    /// The leaf's directory; empty for an explicit listener.
    pub path: PathBuf,
    /// The cgroup's path below the cgroup v2 mount, as in `/proc/PID/cgroup`.
    pub cgroup: String,
}

/// What came of asking for listeners.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub struct Served {
    /// Those that were opened, unless there were some already.
    pub opened: Option<Listeners>,
    /// Namespaces whose listeners are to be closed: nobody needs them any more.
    pub closed: Vec<u64>,
}

/// Who opened a flow, as the kernel saw it at connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowFacts {
    /// The binding.
    pub binding: u64,
    /// The client socket's cookie.
    pub cookie: u64,
    /// When it connected, in nanoseconds of the monotonic clock.
    pub at_ns: u64,
    /// Cookie of the client's network namespace.
    pub netns: u64,
    /// Process id in the initial namespace.
    pub pid: u32,
    /// User id.
    pub uid: u32,
    /// The thread's name: evidence only, the agent can choose it.
    pub comm: String,
    /// Where the client wanted to go.
    pub original: SocketAddr,
}

/// Who sent a DNS query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Its socket is open.
    There(FlowFacts),
    /// The socket that sent from there is closed. Most likely the query is its last one; it may be
    /// somebody else's who has the port now.
    Gone {
        /// Whose socket it was.
        binding: u64,
    },
}

/// Why intercepting failed.
#[derive(Debug, thiserror::Error)]
pub enum InterceptError {
    /// The host has no unified hierarchy.
    #[error("no cgroup v2 mount in /proc/self/mountinfo")]
    NoCgroup2,
    /// A file operation failed.
    #[error("{what} {}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A call to the kernel failed.
    #[error("{what}")]
    Kernel {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Loading, attaching or pinning a program failed.
    #[cfg(target_os = "linux")]
    #[error("{what}")]
    Ebpf {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A map that an earlier gateway pinned is not the one that this gateway needs.
    #[error(
        "reusing the pinned map {}: its type or size differs, so something else made it; \
         `weir bindings --retire` ends the instance and removes its pins", .0.display()
    )]
    MapShape(PathBuf),
    /// A directory of pins that somebody else made.
    #[error("{} belongs to user {uid}: nothing in it can be trusted, remove it", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// A pinned link that is attached to nothing, or to another cgroup.
    #[error("{} is not attached to its cgroup", .0.display())]
    Detached(PathBuf),
    /// An instance or leaf name with other characters.
    #[error("the name {0:?} is not made of 1 to 64 letters, digits, - and _")]
    Name(String),
    /// No Unix socket can have this name.
    #[error("{0:?} is not the name of a Unix socket")]
    Peer(String),
    /// Another gateway of the same name runs.
    #[error("another gateway of the instance {0:?} is running")]
    Running(String),
    /// The gateway itself sits in a bound cgroup.
    #[error("the gateway runs in the bound cgroup {0}")]
    Inside(String),
    /// The id or the leaf is in use.
    #[error("binding {id} as {name:?}: the id or the leaf is in use")]
    InUse {
        /// The binding's id.
        id: u64,
        /// The leaf's name.
        name: String,
    },
    /// No such binding.
    #[error("there is no binding {0}")]
    Unknown(u64),
    /// The process is not where it was put.
    #[error("process {pid} is in the cgroup {found:?}, not in {wanted:?}")]
    NotInside {
        /// The process.
        pid: u32,
        /// Where it is.
        found: String,
        /// Where it should be.
        wanted: String,
    },
    /// What the kernel runs for a binding is not what was attached.
    #[error("binding {id} is not covered: {what}")]
    Uncovered {
        /// The binding.
        id: u64,
        /// What differs.
        what: String,
    },
    /// A binding's processes are in more network namespaces than one may have.
    #[error("binding {0} has processes in too many network namespaces")]
    Namespaces(u64),
    /// Processes outlived `cgroup.kill`.
    #[error("ending binding {0}: its processes do not exit, it stays attached and revoked")]
    StillPopulated(u64),
    /// The owner of a connection cannot be told.
    #[error("finding the owner of the connection from {peer}: {why}")]
    Owner {
        /// The client's address.
        peer: SocketAddr,
        /// What is wrong.
        why: &'static str,
    },
}

impl InterceptError {
    fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    #[cfg(target_os = "linux")]
    fn ebpf(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Ebpf { what: what.into(), source: source.into() }
    }
}

/// An error with its causes, on one line.
#[cfg(target_os = "linux")]
fn chain(error: &InterceptError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Kills whatever is in a leaf and below, and waits until it is gone; false if it does not go.
///
/// # Errors
/// The kernel refuses.
#[cfg(target_os = "linux")]
pub fn kill_all(leaf: &Path) -> Result<bool, InterceptError> {
    cgroup::empty(leaf)
}

/// Nanoseconds of the clock by which connections are told apart.
#[cfg(target_os = "linux")]
pub fn monotonic_ns() -> u64 {
    kernel::monotonic_ns()
}

/// Counters by the names that the record has for them.
#[cfg(target_os = "linux")]
pub fn named(counters: &Counters) -> BTreeMap<String, u64> {
    let counts = COUNTS.iter().zip(counters.counts);
    let denied = REASONS.iter().zip(counters.denied);
    counts
        .map(|(count, value)| (count.name().to_owned(), value))
        .chain(denied.map(|(reason, value)| (format!("denied_{}", reason.name()), value)))
        .collect()
}

/// Names become directories and pins: no dot (bpffs refuses it), no slash.
fn checked(name: &str) -> Result<&str, InterceptError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(name);
    }
    Err(InterceptError::Name(name.to_owned()))
}
