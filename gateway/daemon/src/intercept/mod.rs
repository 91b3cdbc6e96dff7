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

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
mod bpffs;
#[cfg(target_os = "linux")]
mod cgroup;
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
mod programs;

#[cfg(target_os = "linux")]
pub use denials::{Denial, Denials};
#[cfg(target_os = "linux")]
pub use ebpf::Interceptor;
#[cfg(target_os = "linux")]
pub use explicit::Explicit;
#[cfg(target_os = "linux")]
pub use facts::FactsReader;
#[cfg(target_os = "linux")]
pub use listen::Listeners;
#[cfg(target_os = "linux")]
pub use weir_abi::Reason;

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

/// Who opened a flow, as the kernel saw it at connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowFacts {
    /// The binding.
    pub binding: u64,
    /// The client socket's cookie.
    pub cookie: u64,
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
    #[error("reusing the pinned map {0}: its type or size differs")]
    MapShape(String),
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

/// Names become directories and pins: no dot (bpffs refuses it), no slash.
fn checked(name: &str) -> Result<&str, InterceptError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(name);
    }
    Err(InterceptError::Name(name.to_owned()))
}
