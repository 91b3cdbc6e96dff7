//! What the parent tells the waiting child, and what the child tells when it fails.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::io;
use std::path::PathBuf;

use nix::unistd::{User, getgrouplist};
use serde::{Deserialize, Serialize};
use weir_model::{Layer, Relaxation};

/// Plans and failures are shorter.
pub(super) const BYTES: u64 = 1 << 20;

/// What a command that can't be found ends with, as in shells.
pub(super) const NOT_FOUND: u8 = 127;
/// What a command that can't be run ends with, as in shells.
pub(super) const NOT_RUN: u8 = 126;
/// What it ends with where it was not even tried.
pub(super) const NOT_TRIED: u8 = 125;

/// What the child does once it is in its cgroup.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Set in the command's environment.
    pub(super) environment: BTreeMap<String, String>,
    /// Mounts of cgroup v2 to make read-only, beside those that the child finds.
    pub(super) cgroup_mounts: Vec<PathBuf>,
    /// The user to become.
    pub(super) account: Option<Account>,
    /// The layers that were told to the gateway.
    pub(super) layers: Vec<Layer>,
    /// What is left open.
    pub(super) relax: BTreeSet<Relaxation>,
    /// The gateway's own socket, which answers agents, and puts on record what they ask.
    pub(super) control: Option<PathBuf>,
    /// The certificate of Weir's authority, as PEM.
    pub(super) authority: String,
    /// Where certificates may be put where there are no mounts of its own.
    pub(super) trust: Option<PathBuf>,
    /// Which of standard input, output and error is the terminal of its own.
    pub(super) terminal: Option<i32>,
}

impl Plan {
    /// Whether something is left open.
    pub(super) fn relaxed(&self, relaxation: Relaxation) -> bool {
        self.relax.contains(&relaxation)
    }
}

/// A Unix user, looked up before the child is bound: looking up may need sockets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
    pub(super) home: PathBuf,
    pub(super) shell: PathBuf,
}

impl Account {
    pub(super) fn of(user: User) -> io::Result<Self> {
        let name = CString::new(user.name.as_str())?;
        let groups = getgrouplist(&name, user.gid)?;
        Ok(Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
            home: user.dir,
            shell: user.shell,
        })
    }
}

/// Why the command does not run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    /// What was being done.
    pub(super) step: String,
    /// What went wrong.
    pub(super) error: String,
    /// What to exit with.
    pub(super) status: u8,
}

impl Failure {
    pub(super) fn new(step: impl Into<String>, error: impl ToString) -> Self {
        Self { step: step.into(), error: error.to_string(), status: NOT_TRIED }
    }
}

/// Turns an error into a failure that names the step.
pub(super) trait Step<T> {
    fn step(self, step: &str) -> Result<T, Failure>;
}

impl<T, E: ToString> Step<T> for Result<T, E> {
    fn step(self, step: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(step, error))
    }
}
