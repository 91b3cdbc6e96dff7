//! Unix sockets of others, through which a service would start or reach something for the agent that
//! is not bound: out of sight, whatever they belong to, unless they are asked for.
//!
//! `/run` is made anew without them, so that what appears there later is not seen either. Elsewhere
//! each is covered, and a folder that holds nothing else is replaced by an empty one.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use weir_model::{Relaxation, limits};

use super::mounts::{bind, memory};
use super::run_folder;
use crate::cli::run::plan::{Failure, Plan, Step as _};

/// Variables that name a socket, and what they belong to.
const VARIABLES: [(&str, Relaxation); 16] = [
    ("SSH_AUTH_SOCK", Relaxation::SshAgent),
    ("GPG_AGENT_INFO", Relaxation::GpgAgent),
    ("DBUS_SESSION_BUS_ADDRESS", Relaxation::Dbus),
    ("DBUS_SYSTEM_BUS_ADDRESS", Relaxation::Dbus),
    ("DBUS_STARTER_ADDRESS", Relaxation::Dbus),
    ("AT_SPI_BUS_ADDRESS", Relaxation::Dbus),
    ("DOCKER_HOST", Relaxation::Docker),
    ("CONTAINER_HOST", Relaxation::Podman),
    ("CONTAINERD_ADDRESS", Relaxation::Containerd),
    ("CONTAINER_RUNTIME_ENDPOINT", Relaxation::Containerd),
    ("IMAGE_SERVICE_ENDPOINT", Relaxation::Containerd),
    ("NOTIFY_SOCKET", Relaxation::Systemd),
    ("DISPLAY", Relaxation::Display),
    ("WAYLAND_DISPLAY", Relaxation::Display),
    ("SESSION_MANAGER", Relaxation::Display),
    ("TMUX", Relaxation::Sockets),
];

/// Folders for everybody's files, beside those that stand in the root.
const COMMON: [Option<&str>; 2] = [Some("/var/tmp"), Some("/dev/shm")];

/// The table of Unix sockets is shorter.
const TABLE_BYTES: u64 = 16 << 20;

/// Which sockets stay in sight.
pub(super) struct Open {
    relax: BTreeSet<Relaxation>,
    exact: BTreeSet<PathBuf>,
    hidden: BTreeSet<PathBuf>,
    dropped: BTreeSet<OsString>,
}

impl Open {
    /// As the plan and the environment say.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut open = Self {
            relax: plan.relax.clone(),
            exact: plan.control.iter().map(|path| resolved(path)).collect(),
            hidden: BTreeSet::new(),
            dropped: BTreeSet::new(),
        };
        for (name, value) in std::env::vars_os() {
            open.look(name, &value);
        }
        open
    }

    fn look(&mut self, name: OsString, value: &OsStr) {
        let paths = socket_paths(value);
        let known = VARIABLES.iter().find(|(known, _)| name == **known);
        if let Some((_, of)) = known.filter(|(_, of)| self.relax.contains(of)) {
            // A variable that names another service's socket does not open that one.
            let its_own = |path: &PathBuf| owner(path).is_none_or(|owner| owner == *of);
            self.exact.extend(paths.iter().filter(|path| its_own(path)).cloned());
        }
        if self.relax.contains(&Relaxation::Sockets) {
            return;
        }
        if !paths.is_empty() && paths.iter().all(|path| self.exact.contains(path)) {
            return;
        }
        // A host and a port are no socket of a path: Weir sees who connects to them.
        let local = value.as_bytes().starts_with(b":") || !value.as_bytes().contains(&b':');
        let display = (name == "DISPLAY" || name == "WAYLAND_DISPLAY")
            && !self.relax.contains(&Relaxation::Display);
        if !paths.is_empty() || (display && local) {
            self.dropped.insert(name);
        }
        self.hidden.extend(paths);
    }

    /// Variables that name a socket that is not in sight.
    pub(super) fn variables(&self) -> BTreeSet<OsString> {
        self.dropped.clone()
    }

    /// Whether a socket stays in sight.
    pub(super) fn keeps(&self, path: &Path) -> bool {
        self.relax.contains(&Relaxation::Sockets)
            || self.exact.contains(path)
            || owner(path).is_some_and(|owner| self.relax.contains(&owner))
    }
}

/// The sockets that a value names: `/a/socket`, `unix:path=/a/socket,guid=...`, `unix:///a/socket`,
/// `/a/socket,123,0`.
fn socket_paths(value: &OsStr) -> Vec<PathBuf> {
    let pieces = value.as_bytes().split(|byte| b",;=".contains(byte));
    let mut found = Vec::new();
    for piece in pieces {
        let piece = piece.strip_prefix(b"unix://").unwrap_or(piece);
        // `GPG_AGENT_INFO` and `SESSION_MANAGER` put more behind or before it.
        for part in piece.split(|byte| *byte == b':').filter(|part| part.starts_with(b"/")) {
            let path = PathBuf::from(OsStr::from_bytes(part));
            if is_socket(&path) {
                found.push(resolved(&path));
            }
        }
    }
    found
}

/// To what a well-known socket belongs.
fn owner(path: &Path) -> Option<Relaxation> {
    let name = path.file_name()?.to_string_lossy();
    let text = path.to_string_lossy();
    let below = |folder: &str| text.starts_with(folder);
    let users = below("/run/user/");
    if name == "docker.sock" || below("/run/docker/") {
        Some(Relaxation::Docker)
    } else if ["/run/containerd/", "/run/k3s/", "/run/crio/", "/run/cri-dockerd"]
        .into_iter()
        .any(below)
    {
        Some(Relaxation::Containerd)
    } else if below("/run/podman/") || (users && text.contains("/podman/")) {
        Some(Relaxation::Podman)
    } else if below("/run/systemd/") || (users && text.contains("/systemd/")) {
        Some(Relaxation::Systemd)
    } else if below("/run/dbus/") || (users && name == "bus") {
        Some(Relaxation::Dbus)
    } else if name.starts_with("S.gpg-agent") || name == "S.keyboxd" || name == "S.scdaemon" {
        Some(Relaxation::GpgAgent)
    } else if below("/tmp/ssh-") {
        Some(Relaxation::SshAgent)
    } else if below("/tmp/.X11-unix/") || below("/tmp/.ICE-unix/") || name.starts_with("wayland-") {
        Some(Relaxation::Display)
    } else {
        None
    }
}

pub(super) fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| facts.file_type().is_socket())
}

fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Takes out of sight what is not kept. Mounts must be the child's own by now.
pub(super) fn hide(open: &Open) -> Result<(), Failure> {
    run_folder::renew(open)?;
    let nothing = run_folder::own("nothing");
    fs::write(&nothing, "").step("hiding sockets")?;
    fs::set_permissions(&nothing, fs::Permissions::from_mode(0o000)).step("hiding sockets")?;
    let mut by_folder: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in others(open)? {
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        by_folder.entry(folder).or_default().push(path);
    }
    for (folder, paths) in by_folder {
        if holds_nothing_else(&folder, open) {
            empty(&folder)?;
            continue;
        }
        for path in paths {
            match bind(&nothing, &path) {
                // It is gone by now.
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(error) => {
                    return Err(Failure::new(format!("hiding {}", path.display()), error));
                }
            }
        }
    }
    Ok(())
}

/// The sockets that somebody listens at or that the environment names, and that are not kept.
fn others(open: &Open) -> Result<BTreeSet<PathBuf>, Failure> {
    let step = "looking for the sockets of others";
    let mut table = Vec::new();
    let file = fs::File::open("/proc/net/unix").step(step)?;
    file.take(TABLE_BYTES).read_to_end(&mut table).step(step)?;
    let mut found = open.hidden.clone();
    found.extend(listed(&table).into_iter().map(|path| resolved(&path)));
    found.retain(|path| is_socket(path) && !open.keeps(path));
    if found.len() > limits::HIDDEN_SOCKETS || table.len() as u64 == TABLE_BYTES {
        let error = format!("there are more than {}", limits::HIDDEN_SOCKETS);
        return Err(Failure::new(step, error));
    }
    Ok(found)
}

/// The paths in `/proc/net/unix`.
fn listed(table: &[u8]) -> Vec<PathBuf> {
    let path = |line: &[u8]| {
        // Seven fields, then the path, which may hold spaces.
        let mut rest = line;
        for _ in 0..7 {
            rest = rest.trim_ascii_start();
            rest = rest.get(rest.iter().position(|byte| *byte == b' ')?..)?;
        }
        let path = rest.strip_prefix(b" ").filter(|path| path.starts_with(b"/"))?;
        Some(PathBuf::from(OsString::from_vec(path.to_vec())))
    };
    table.split(|byte| *byte == b'\n').filter_map(path).collect()
}

fn holds_nothing_else(folder: &Path, open: &Open) -> bool {
    // Where everybody puts files, others may follow.
    let common = folder.parent() == Some(Path::new("/")) || COMMON.contains(&folder.to_str());
    if common {
        return false;
    }
    let Ok(mut entries) = fs::read_dir(folder) else { return false };
    entries.all(|entry| {
        entry.is_ok_and(|entry| {
            entry.file_type().is_ok_and(|kind| kind.is_socket()) && !open.keeps(&entry.path())
        })
    })
}

/// Puts an empty folder of the same owner in the place of one.
fn empty(folder: &Path) -> Result<(), Failure> {
    let step = format!("hiding {}", folder.display());
    let facts = fs::metadata(folder).step(&step)?;
    let options =
        format!("mode={:o},uid={},gid={},size=1m", facts.mode() & 0o7777, facts.uid(), facts.gid());
    memory(folder, &options).step(&step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_sockets_is_read() {
        let table = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 15632 /run/a b.sock\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 15633 @/tmp/abstract\n\
            0000000000000000: 00000003 00000000 00000000 0001 03     1\n\
            0000000000000000: 00000002 00000000 00010000 0005 01     7 /x\n";
        assert_eq!(listed(table), [PathBuf::from("/run/a b.sock"), PathBuf::from("/x")]);
    }

    #[test]
    fn well_known_sockets_belong_to_their_relaxation() {
        let check = |path: &str, expected| assert_eq!(owner(Path::new(path)), expected, "{path}");
        check("/run/docker.sock", Some(Relaxation::Docker));
        check("/run/user/1000/docker.sock", Some(Relaxation::Docker));
        check("/run/containerd/containerd.sock", Some(Relaxation::Containerd));
        check("/run/user/1000/podman/podman.sock", Some(Relaxation::Podman));
        check("/run/systemd/private", Some(Relaxation::Systemd));
        check("/run/user/1000/bus", Some(Relaxation::Dbus));
        check("/run/user/1000/gnupg/S.gpg-agent.ssh", Some(Relaxation::GpgAgent));
        check("/tmp/ssh-XXXX/agent.7", Some(Relaxation::SshAgent));
        check("/run/postgresql/.s.PGSQL.5432", None);
    }
}
