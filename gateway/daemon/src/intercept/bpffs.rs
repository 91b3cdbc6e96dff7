//! The pin directory: `<bpffs>/weir/<instance>/v<abi>/{maps,links}`, and the lock on it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::{InterceptError, Options};

const USUAL: &str = "/sys/fs/bpf";
const OURS: &str = "/run/weir/bpf";
const LSM: &str = "lsm";

/// The pins of one instance, locked while the gateway runs.
#[derive(Debug)]
pub(super) struct Pins {
    root: PathBuf,
    _lock: Flock<File>,
}

impl Pins {
    pub(super) fn open(options: &Options) -> Result<Self, InterceptError> {
        let instance = super::checked(&options.instance)?;
        let bpffs = match &options.bpffs {
            Some(path) => {
                ensure_mounted(path)?;
                path.clone()
            }
            None => find()?,
        };
        let shared = bpffs.join("weir");
        make(&shared)?;
        let own = shared.join(instance);
        make(&own)?;
        let lock = lock(&own, instance)?;
        let root = own.join(format!("v{}", weir_abi::VERSION));
        let pins = Self { root, _lock: lock };
        make(&pins.root)?;
        make(&pins.maps())?;
        make(&pins.links())?;
        Ok(pins)
    }

    pub(super) fn maps(&self) -> PathBuf {
        self.root.join("maps")
    }

    pub(super) fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    /// The links of the LSM programs.
    pub(super) fn lsm(&self) -> PathBuf {
        self.root.join(LSM)
    }

    /// The links of a binding. bpffs has no files, so the name carries all there is to know.
    pub(super) fn binding(&self, id: u64, name: &str) -> PathBuf {
        self.links().join(format!("{id:016x}_{name}"))
    }

    /// The bindings that have a directory.
    pub(super) fn bindings(&self) -> Result<Vec<(u64, String)>, InterceptError> {
        let names = names(&self.links())?;
        Ok(names.iter().filter_map(|name| parse(name)).collect())
    }

    /// Removes everything. Maps and links that nobody holds open end with it.
    pub(super) fn remove(&self) -> Result<(), InterceptError> {
        clear(&self.maps())?;
        for directory in [self.maps(), self.links(), self.root.clone()] {
            remove(&directory)?;
        }
        match self.root.parent() {
            Some(own) => remove(own),
            None => Ok(()),
        }
    }
}

/// Where an instance has its LSM programs' links, if it has some; nothing is made or mounted.
pub(super) fn lsm_of(options: &Options) -> Option<PathBuf> {
    let instance = super::checked(&options.instance).ok()?;
    let own = options.bpffs.clone();
    let places = own.map_or_else(|| vec![USUAL.into(), OURS.into()], |own| vec![own]);
    let below = format!("weir/{instance}/v{}/{LSM}", weir_abi::VERSION);
    places.into_iter().map(|place: PathBuf| place.join(&below)).find(|lsm| lsm.is_dir())
}

fn parse(name: &str) -> Option<(u64, String)> {
    let (id, name) = name.split_once('_')?;
    Some((u64::from_str_radix(id, 16).ok()?, name.to_owned()))
}

/// Creates a directory for root alone, which may already exist.
pub(super) fn make(path: &Path) -> Result<(), InterceptError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(InterceptError::io("creating", path, error))
        }
        _ => Ok(()),
    }
}

/// Removes a directory of pins; the links in it are detached unless somebody holds them.
pub(super) fn unpin(path: &Path) -> Result<(), InterceptError> {
    clear(path)?;
    remove(path)
}

fn clear(path: &Path) -> Result<(), InterceptError> {
    for name in names(path)? {
        let pin = path.join(name);
        fs::remove_file(&pin).map_err(|error| InterceptError::io("unpinning", &pin, error))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), InterceptError> {
    fs::remove_dir(path).map_err(|error| InterceptError::io("removing", path, error))
}

fn names(path: &Path) -> Result<Vec<String>, InterceptError> {
    let failed = |error| InterceptError::io("listing", path, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

fn lock(directory: &Path, instance: &str) -> Result<Flock<File>, InterceptError> {
    let file = open(directory)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| InterceptError::Running(instance.to_owned()))
}

fn open(directory: &Path) -> Result<File, InterceptError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_directory_names_its_binding() {
        assert_eq!(parse("00000000000000ff_a_b-c"), Some((255, "a_b-c".to_owned())));
        assert_eq!(parse("a_b"), Some((10, "b".to_owned())));
        assert_eq!(parse("xyz_b"), None);
        assert_eq!(parse("12"), None);
    }
}
