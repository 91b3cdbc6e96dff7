//! What `weir run` puts around an agent, and what it was told to leave open.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A layer of the jail that is in force before the command begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// No privilege is left, and none comes back.
    NoPrivileges,
    /// System calls are filtered.
    Seccomp,
    /// The kernel keeps its signals, its debugging and its abstract sockets inside.
    Landlock {
        /// The ABI of Landlock whose means are used.
        abi: u8,
    },
    /// Mounts of its own, in which cgroups are read-only and the sockets of others are not there.
    Mounts,
    /// A terminal of its own.
    Terminal,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrivileges => f.write_str("no-privileges"),
            Self::Seccomp => f.write_str("seccomp"),
            Self::Landlock { abi } => write!(f, "landlock-{abi}"),
            Self::Mounts => f.write_str("mounts"),
            Self::Terminal => f.write_str("terminal"),
        }
    }
}

/// A hole that the user asks for and the administrator allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relaxation {
    /// Debugging where the kernel has no Landlock that keeps it inside.
    Ptrace,
    /// `io_uring_*`.
    IoUring,
    /// Namespaces: `unshare`, `setns`, and `clone` with their flags.
    Userns,
    /// `mount` and its family.
    Mount,
    /// `perf_event_open`.
    Perf,
    /// `userfaultfd`.
    Userfaultfd,
    /// `add_key`, `request_key`, `keyctl`.
    Keyring,
    /// Netlink of all protocols.
    Netlink,
    /// Sockets of the family vsock, which lead to the hypervisor past Weir.
    Vsock,
    /// Abstract Unix sockets of others.
    AbstractSockets,
    /// The sockets of Docker.
    Docker,
    /// The sockets of containerd and what speaks its interface.
    Containerd,
    /// The sockets of Podman.
    Podman,
    /// The sockets of systemd.
    Systemd,
    /// The message buses.
    Dbus,
    /// The agent that holds SSH keys.
    SshAgent,
    /// The agent that holds OpenPGP keys.
    GpgAgent,
    /// The displays of X and Wayland.
    Display,
    /// All Unix sockets that have a path.
    Sockets,
    /// A network socket as standard input, output or error.
    SocketStdio,
    /// The user's own terminal instead of one between.
    Terminal,
}

impl Relaxation {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Ptrace,
        Self::IoUring,
        Self::Userns,
        Self::Mount,
        Self::Perf,
        Self::Userfaultfd,
        Self::Keyring,
        Self::Netlink,
        Self::Vsock,
        Self::AbstractSockets,
        Self::Docker,
        Self::Containerd,
        Self::Podman,
        Self::Systemd,
        Self::Dbus,
        Self::SshAgent,
        Self::GpgAgent,
        Self::Display,
        Self::Sockets,
        Self::SocketStdio,
        Self::Terminal,
    ];

    /// The name used on the command line, in configuration and record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ptrace => "ptrace",
            Self::IoUring => "io-uring",
            Self::Userns => "userns",
            Self::Mount => "mount",
            Self::Perf => "perf",
            Self::Userfaultfd => "userfaultfd",
            Self::Keyring => "keyring",
            Self::Netlink => "netlink",
            Self::Vsock => "vsock",
            Self::AbstractSockets => "abstract-sockets",
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::Podman => "podman",
            Self::Systemd => "systemd",
            Self::Dbus => "dbus",
            Self::SshAgent => "ssh-agent",
            Self::GpgAgent => "gpg-agent",
            Self::Display => "display",
            Self::Sockets => "sockets",
            Self::SocketStdio => "socket-stdio",
            Self::Terminal => "terminal",
        }
    }
}

impl fmt::Display for Relaxation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no relaxation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRelaxation(String);

impl fmt::Display for UnknownRelaxation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Relaxation::ALL.map(Relaxation::name).join(", ");
        write!(f, "there is no relaxation {:?}; there are {known}", self.0)
    }
}

impl std::error::Error for UnknownRelaxation {}

impl FromStr for Relaxation {
    type Err = UnknownRelaxation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|relaxation| relaxation.name() == name);
        found.ok_or_else(|| UnknownRelaxation(name.to_owned()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_everywhere() {
        for relaxation in Relaxation::ALL {
            assert_eq!(relaxation.name().parse::<Relaxation>(), Ok(relaxation));
            let text = serde_json::to_string(&relaxation).unwrap();
            assert_eq!(text, format!("\"{relaxation}\""));
        }
        let error = "everything".parse::<Relaxation>().unwrap_err().to_string();
        assert!(error.contains("ptrace, io-uring"), "{error}");
    }
}
