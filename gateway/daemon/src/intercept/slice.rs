//! The slice above all leaves of an instance, and the gateway's own cgroup beside it.

use std::fs;
use std::path::{Path, PathBuf};

use super::InterceptError;
use super::cgroup::{self, Hierarchy};

/// The slice of an instance.
#[derive(Debug)]
pub(super) struct Slice {
    /// Its directory.
    pub(super) path: PathBuf,
    /// Its name in `/proc/PID/cgroup`.
    pub(super) name: String,
    /// Its id in the kernel.
    pub(super) id: u64,
    /// The name of the cgroup that a gateway makes for itself where it began in the root.
    own: String,
}

impl Slice {
    /// Finds the slice, or makes it.
    pub(super) fn ensure(hierarchy: &Hierarchy, instance: &str) -> Result<Self, InterceptError> {
        let name = hierarchy.name(&leaf(instance));
        let path = hierarchy.directory(&name).ok_or(InterceptError::NoCgroup2)?;
        cgroup::ensure(&path)?;
        let id = cgroup::id(&path)?;
        Ok(Self { path, name, id, own: format!("weir-{instance}-gateway") })
    }

    /// Whether a path as in `/proc/PID/cgroup` lies in it.
    pub(super) fn holds(&self, cgroup: &str) -> bool {
        let below = cgroup.strip_prefix(self.name.as_str());
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The gateway's own cgroup. The accepting program must not run for the whole host, so a
    /// gateway in the root moves into a cgroup of its own.
    pub(super) fn settle(&self, hierarchy: &Hierarchy) -> Result<PathBuf, InterceptError> {
        let mut own = cgroup::of("self")?;
        if hierarchy.is_root(&own) {
            own = hierarchy.name(&self.own);
            let directory = hierarchy.directory(&own).ok_or(InterceptError::NoCgroup2)?;
            cgroup::ensure(&directory)?;
            cgroup::enter(&directory, std::process::id())?;
        }
        if self.holds(&own) {
            return Err(InterceptError::Inside(own));
        }
        hierarchy.directory(&own).ok_or(InterceptError::NoCgroup2)
    }

    /// Removes it, and the gateway's own cgroup.
    pub(super) fn remove(&self) -> Result<(), InterceptError> {
        if let Some(root) = self.path.parent() {
            leave_own(root, &self.own);
        }
        cgroup::remove(&self.path)
    }

    /// Removes the cgroup of a gateway that is gone; others may be in it.
    pub(super) fn remove_own(&self) {
        if let Some(root) = self.path.parent() {
            let _ = cgroup::remove(&root.join(&self.own));
        }
    }
}

/// The slice's directory below the mount.
pub(super) fn leaf(instance: &str) -> String {
    match instance {
        "weir" => "weir.slice".to_owned(),
        other => format!("weir-{other}.slice"),
    }
}

/// Goes back to the root, if it came from there, and takes its own cgroup away. Others of its
/// processes may still be in there, so this is a courtesy.
fn leave_own(root: &Path, name: &str) {
    let own = root.join(name);
    let inside = cgroup::of("self").is_ok_and(|path| path.ends_with(&format!("/{name}")));
    if inside && cgroup::enter(root, std::process::id()).is_ok() {
        let _ = cgroup::remove(&own);
    }
}

/// Kills what is in a leaf, and removes it.
pub(super) fn end_leaf(leaf: &Path, id: u64) -> Result<(), InterceptError> {
    if !fs::exists(leaf).map_err(|error| InterceptError::io("looking at", leaf, error))? {
        return Ok(());
    }
    if !cgroup::empty(leaf)? {
        return Err(InterceptError::StillPopulated(id));
    }
    cgroup::remove(leaf)
}
