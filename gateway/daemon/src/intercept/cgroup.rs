//! The unified cgroup hierarchy: where it is mounted, where the gateway sits, leaves and their end.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::InterceptError;

/// How long killed processes may take to disappear.
const EMPTY: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(2);

/// The mounted hierarchy.
#[derive(Clone, Debug)]
pub(super) struct Hierarchy {
    mount: PathBuf,
    /// The directory of the hierarchy that is mounted; `/` but in containers.
    root: String,
}

impl Hierarchy {
    pub(super) fn find() -> Result<Self, InterceptError> {
        let path = Path::new("/proc/self/mountinfo");
        let text =
            fs::read_to_string(path).map_err(|error| InterceptError::io("reading", path, error))?;
        parse(&text).ok_or(InterceptError::NoCgroup2)
    }

    /// The directory of a cgroup that `/proc/PID/cgroup` names.
    pub(super) fn directory(&self, cgroup: &str) -> Option<PathBuf> {
        let below = cgroup.strip_prefix(self.root.trim_end_matches('/'))?;
        let below = below.trim_start_matches('/');
        if below.split('/').any(|part| part == "..") {
            return None;
        }
        Some(self.mount.join(below))
    }

    /// The name that `/proc/PID/cgroup` gives to a cgroup directly below the mount.
    pub(super) fn name(&self, below: &str) -> String {
        format!("{}/{below}", self.root.trim_end_matches('/'))
    }

    /// Whether a cgroup is the mounted root.
    pub(super) fn is_root(&self, cgroup: &str) -> bool {
        cgroup.trim_end_matches('/') == self.root.trim_end_matches('/')
    }
}

/// How deep a cgroup lies in the hierarchy, which has its root at zero.
pub(super) fn depth(cgroup: &str) -> u32 {
    let parts = cgroup.split('/').filter(|part| !part.is_empty());
    parts.fold(0, |depth, _| depth + 1)
}

fn parse(mountinfo: &str) -> Option<Hierarchy> {
    let mut mounts = mountinfo.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        if right.split(' ').next()? != "cgroup2" {
            return None;
        }
        let mut fields = left.split(' ').skip(3);
        let root = unescape(fields.next()?);
        Some(Hierarchy { root, mount: PathBuf::from(unescape(fields.next()?)) })
    });
    let first = mounts.next()?;
    if first.root == "/" {
        return Some(first);
    }
    Some(mounts.find(|mount| mount.root == "/").unwrap_or(first))
}

/// mountinfo writes blanks and backslashes as octal numbers.
fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

/// The unified cgroup of a process: `self` or a number.
pub(super) fn of(process: &str) -> Result<String, InterceptError> {
    let path = PathBuf::from(format!("/proc/{process}/cgroup"));
    let text =
        fs::read_to_string(&path).map_err(|error| InterceptError::io("reading", &path, error))?;
    let line = text.lines().find_map(|line| line.strip_prefix("0::"));
    line.map(str::to_owned).ok_or(InterceptError::NoCgroup2)
}

/// Creates a cgroup that may already exist.
pub(super) fn ensure(directory: &Path) -> Result<(), InterceptError> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(InterceptError::io("creating the cgroup", directory, error))
        }
        _ => Ok(()),
    }
}

/// Moves a process with all its threads.
pub(super) fn enter(directory: &Path, pid: u32) -> Result<(), InterceptError> {
    let path = directory.join("cgroup.procs");
    fs::write(&path, pid.to_string())
        .map_err(|error| InterceptError::io("moving a process into", directory, error))
}

/// The cgroup's id in the kernel.
pub(super) fn id(directory: &Path) -> Result<u64, InterceptError> {
    let metadata = fs::metadata(directory);
    Ok(metadata.map_err(|error| InterceptError::io("looking at", directory, error))?.ino())
}

/// Kills whatever is below a cgroup and waits until it is gone; false if it does not go.
pub(super) fn empty(directory: &Path) -> Result<bool, InterceptError> {
    let kill = directory.join("cgroup.kill");
    fs::write(&kill, "1").map_err(|error| InterceptError::io("writing", &kill, error))?;
    let deadline = Instant::now() + EMPTY;
    loop {
        if !is_populated(directory)? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        std::thread::sleep(POLL);
    }
}

fn is_populated(directory: &Path) -> Result<bool, InterceptError> {
    let path = directory.join("cgroup.events");
    let text =
        fs::read_to_string(&path).map_err(|error| InterceptError::io("reading", &path, error))?;
    Ok(!text.lines().any(|line| line == "populated 0"))
}

/// How many processes are in a cgroup and below it.
pub(super) fn processes(directory: &Path) -> usize {
    let here = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let below = children(directory).unwrap_or_default();
    here.lines().count() + below.iter().map(|child| processes(child)).sum::<usize>()
}

/// Removes an empty cgroup and those below it.
pub(super) fn remove(directory: &Path) -> Result<(), InterceptError> {
    for child in children(directory)? {
        remove(&child)?;
    }
    fs::remove_dir(directory).map_err(|error| InterceptError::io("removing", directory, error))
}

/// The cgroups directly below one.
pub(super) fn children(directory: &Path) -> Result<Vec<PathBuf>, InterceptError> {
    let failed = |error| InterceptError::io("listing", directory, error);
    let mut children = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            children.push(entry.path());
        }
    }
    Ok(children)
}

/// The network namespaces that processes of a cgroup and of those below it are in, by their numbers
/// in `/proc/PID/ns/net`, each with one of those processes.
pub(super) fn namespaces(directory: &Path) -> BTreeMap<u64, u32> {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let namespace = |pid: u32| Some((fs::metadata(format!("/proc/{pid}/ns/net")).ok()?.ino(), pid));
    let pids = text.lines().filter_map(|line| line.parse().ok());
    let mut found: BTreeMap<u64, u32> = pids.filter_map(namespace).collect();
    for child in children(directory).unwrap_or_default() {
        found.extend(namespaces(&child));
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_unified_hierarchy_is_found_beside_the_others() {
        let text = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                    36 31 0:33 / /sys/fs/cgroup/devices rw shared:3 - cgroup cgroup rw,devices\n\
                    41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw\n";
        let found = parse(text).unwrap();
        assert_eq!(found.mount, Path::new("/sys/fs/cgroup/uni fied"));
        assert!(found.is_root("/"));
        let leaf = found.directory("/weir.slice/a").unwrap();
        assert_eq!(leaf, Path::new("/sys/fs/cgroup/uni fied/weir.slice/a"));
        assert_eq!(found.name("weir.slice/a"), "/weir.slice/a");
    }

    #[test]
    fn a_whole_mount_is_preferred_to_a_part() {
        let text = "1 1 0:1 /part /a rw - cgroup2 c rw\n1 1 0:1 / /b rw - cgroup2 c rw\n";
        assert_eq!(parse(text).unwrap().mount, Path::new("/b"));
        let part = parse("1 1 0:1 /part /a rw - cgroup2 c rw\n").unwrap();
        assert_eq!(part.directory("/part/x").unwrap(), Path::new("/a/x"));
        assert_eq!(part.directory("/other/x"), None);
        assert!(part.is_root("/part"));
    }

    #[test]
    fn a_cgroup_above_the_mount_has_no_directory() {
        let whole = parse("1 1 0:1 / /b rw - cgroup2 c rw\n").unwrap();
        assert_eq!(whole.directory("/../x"), None);
    }
}
