//! bpffs: where it is mounted, and directories on it that root alone can use.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use nix::unistd::geteuid;

use super::InterceptError;

const USUAL: &str = "/sys/fs/bpf";
const OURS: &str = "/run/weir/bpf";
const PRIVATE: u32 = 0o700;

/// The directory of all instances, on the bpffs that is named, else on one that is mounted.
pub(super) fn shared(bpffs: Option<&Path>) -> Result<PathBuf, InterceptError> {
    let bpffs = match bpffs {
        Some(path) => {
            ensure_mounted(path)?;
            path.to_owned()
        }
        None => find()?,
    };
    let shared = bpffs.join("weir");
    make(&shared)?;
    Ok(shared)
}

/// Creates a directory for root alone, which may already exist. One that somebody else made is
/// refused: anyone may write to a bpffs that is mounted with the kernel's own mode.
pub(super) fn make(path: &Path) -> Result<(), InterceptError> {
    match DirBuilder::new().mode(PRIVATE).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(InterceptError::io("creating", path, error));
        }
        _ => {}
    }
    let failed = |error| InterceptError::io("looking at", path, error);
    let found = fs::symlink_metadata(path).map_err(failed)?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() {
        return Err(InterceptError::Foreign { path: path.to_owned(), uid: found.uid() });
    }
    if found.mode() & 0o777 != PRIVATE {
        fs::set_permissions(path, Permissions::from_mode(PRIVATE)).map_err(failed)?;
    }
    Ok(())
}

/// Removes a directory of pins with what is in it; what nobody holds open ends with its pin.
pub(super) fn unpin(path: &Path) -> Result<(), InterceptError> {
    for name in names(path)? {
        let pin = path.join(name);
        let kind = fs::symlink_metadata(&pin)
            .map_err(|error| InterceptError::io("looking at", &pin, error))?;
        if kind.is_dir() {
            unpin(&pin)?;
        } else {
            fs::remove_file(&pin).map_err(|error| InterceptError::io("unpinning", &pin, error))?;
        }
    }
    fs::remove_dir(path).map_err(|error| InterceptError::io("removing", path, error))
}

/// What is in a directory.
pub(super) fn names(path: &Path) -> Result<Vec<String>, InterceptError> {
    let failed = |error| InterceptError::io("listing", path, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Opens a directory.
pub(super) fn open(directory: &Path) -> Result<File, InterceptError> {
    File::open(directory).map_err(|error| InterceptError::io("opening", directory, error))
}

/// A mounted bpffs: the usual one, else one that is mounted now.
fn find() -> Result<PathBuf, InterceptError> {
    let usual = Path::new(USUAL);
    if usual.is_dir() && ensure_mounted(usual).is_ok() {
        return Ok(usual.to_owned());
    }
    let ours = Path::new(OURS);
    fs::create_dir_all(ours).map_err(|error| InterceptError::io("creating", ours, error))?;
    ensure_mounted(ours)?;
    Ok(ours.to_owned())
}

/// The bpffs that a gateway would use, if one is mounted already.
pub(super) fn mounted(wanted: Option<&Path>) -> Result<Option<PathBuf>, InterceptError> {
    let places = match wanted {
        Some(path) => vec![path],
        None => vec![Path::new(USUAL), Path::new(OURS)],
    };
    for place in places {
        if place.is_dir() && is_bpffs(place)? {
            return Ok(Some(place.to_owned()));
        }
    }
    Ok(None)
}

/// Two gateways that start together must not mount over each other: the second would hide the
/// first one's pins. Both lock the directory below the mount.
fn ensure_mounted(path: &Path) -> Result<(), InterceptError> {
    if is_bpffs(path)? {
        return Ok(());
    }
    let below = open(path)?;
    let _lock = Flock::lock(below, FlockArg::LockExclusive)
        .map_err(|(_, errno)| InterceptError::io("locking", path, errno.into()))?;
    if is_bpffs(path)? {
        return Ok(());
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("bpf"), path, Some("bpf"), flags, Some("mode=0700"))
        .map_err(|errno| InterceptError::io("mounting bpffs on", path, errno.into()))
}

fn is_bpffs(path: &Path) -> Result<bool, InterceptError> {
    let found =
        statfs(path).map_err(|errno| InterceptError::io("looking at", path, errno.into()))?;
    Ok(found.filesystem_type() == BPF_FS_MAGIC)
}
