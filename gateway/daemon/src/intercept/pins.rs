//! The pins of one instance, and the lock on them:
//! `<bpffs>/weir/<instance>/{lsm,v<version>-<layout>/{maps,slice,links/<binding>_<leaf>}}`.
//!
//! The version and the fingerprint of the maps' layout are in the name, so what another layout
//! left behind is never taken for our own; it is found as a `Life` and moved over or ended.

use std::fs::{File, TryLockError};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::{InterceptError, Options, bpffs, maps, syscall};

/// Says that the slice's programs stay when the gateway stops: somebody attached them for good.
const KEPT: &str = "kept";
/// Where the links of the LSM programs are.
const LSM: &str = "lsm";
/// Says how many links a complete binding has; bpffs has no files, so the name carries it.
const COMPLETE: &str = "all-";

/// The pins of one instance, locked while the gateway runs.
#[derive(Debug)]
pub(super) struct Pins {
    own: PathBuf,
    life: Life,
    lock: File,
}

/// What was pinned by one version with one layout.
#[derive(Clone, Debug)]
pub(super) struct Life {
    root: PathBuf,
}

/// The directory's name of this version and layout.
pub(super) fn layout() -> String {
    format!("v{}-{:016x}", weir_abi::VERSION, maps::FINGERPRINT)
}

impl Pins {
    /// Takes the lock; an error where another gateway has it.
    pub(super) fn open(options: &Options) -> Result<Self, InterceptError> {
        let own = directory(options)?;
        let lock = bpffs::open(&own)?;
        match lock.try_lock() {
            Ok(()) => Self::with(own, lock),
            Err(TryLockError::WouldBlock) => Err(InterceptError::Running(options.instance.clone())),
            Err(TryLockError::Error(error)) => Err(InterceptError::io("locking", &own, error)),
        }
    }

    /// Goes on with the lock of the gateway before: it is the same lock, so there is no moment
    /// without one.
    pub(super) fn inherit(options: &Options, lock: OwnedFd) -> Result<Self, InterceptError> {
        Self::with(directory(options)?, File::from(lock))
    }

    /// The pins of an instance whose gateway runs and has the lock.
    pub(super) fn beside(options: &Options) -> Result<Self, InterceptError> {
        let own = directory(options)?;
        let unlocked = bpffs::open(&own)?;
        Self::with(own, unlocked)
    }

    fn with(own: PathBuf, lock: File) -> Result<Self, InterceptError> {
        let life = Life { root: own.join(layout()) };
        for directory in [life.root.clone(), life.maps(), life.links(), life.slice()] {
            bpffs::make(&directory)?;
        }
        Ok(Self { own, life, lock })
    }

    /// The lock, to hand it on.
    pub(super) fn lock(&self) -> &File {
        &self.lock
    }

    /// The links of the LSM programs. Their maps are not pinned, so no layout has to match.
    pub(super) fn lsm(&self) -> PathBuf {
        self.own.join(LSM)
    }

    /// Our own pins.
    pub(super) fn life(&self) -> &Life {
        &self.life
    }

    /// What other versions or layouts left behind.
    pub(super) fn others(&self) -> Result<Vec<Life>, InterceptError> {
        let mut lives = lives(&self.own)?;
        lives.retain(|life| life.root != self.life.root);
        Ok(lives)
    }

    /// Keeps the slice's programs attached when the gateway stops.
    pub(super) fn keep(&self) -> Result<(), InterceptError> {
        bpffs::make(&self.own.join(KEPT))
    }

    /// Whether they are kept.
    pub(super) fn are_kept(&self) -> bool {
        are_kept(&self.own)
    }

    /// Removes everything. Maps and links that nobody holds open end with it.
    pub(super) fn remove(&self) -> Result<(), InterceptError> {
        bpffs::unpin(&self.own)
    }
}

impl Life {
    pub(super) fn maps(&self) -> PathBuf {
        self.root.join("maps")
    }

    pub(super) fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    /// The links of the slice's own programs.
    pub(super) fn slice(&self) -> PathBuf {
        self.root.join("slice")
    }

    /// The directory's name.
    pub(super) fn name(&self) -> String {
        self.root.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The links of a binding. bpffs has no files, so the name carries all there is to know.
    pub(super) fn binding(&self, id: u64, name: &str) -> PathBuf {
        self.links().join(format!("{id:016x}_{name}"))
    }

    /// The bindings that have a directory.
    pub(super) fn bindings(&self) -> Result<Vec<(u64, String)>, InterceptError> {
        match bpffs::names(&self.links()) {
            Ok(names) => Ok(names.iter().filter_map(|name| parse(name)).collect()),
            Err(_) if !self.links().is_dir() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn remove(&self) -> Result<(), InterceptError> {
        bpffs::unpin(&self.root)
    }
}

/// Whether the slice of an instance is attached for good.
pub(super) fn are_kept(own: &Path) -> bool {
    own.join(KEPT).is_dir()
}

/// The lives in an instance's directory.
pub(super) fn lives(own: &Path) -> Result<Vec<Life>, InterceptError> {
    let names = bpffs::names(own)?;
    let of_lives = names.into_iter().filter(|name| name.starts_with('v'));
    Ok(of_lives.map(|name| Life { root: own.join(name) }).collect())
}

/// Where an instance has its LSM programs' links, if it has some; nothing is made or mounted.
pub(super) fn lsm_of(options: &Options) -> Option<PathBuf> {
    let instance = super::checked(&options.instance).ok()?;
    let bpffs = bpffs::mounted(options.bpffs.as_deref()).ok()??;
    Some(bpffs.join("weir").join(instance).join(LSM)).filter(|lsm| lsm.is_dir())
}

/// The directory of an instance.
fn directory(options: &Options) -> Result<PathBuf, InterceptError> {
    let own = bpffs::shared(options.bpffs.as_deref())?.join(super::checked(&options.instance)?);
    bpffs::make(&own)?;
    Ok(own)
}

fn parse(name: &str) -> Option<(u64, String)> {
    let (id, name) = name.split_once('_')?;
    Some((u64::from_str_radix(id, 16).ok()?, name.to_owned()))
}

/// Says that all links of a binding are there. More may come with a newer version's programs.
pub(super) fn complete(binding: &Path, links: usize) -> Result<(), InterceptError> {
    let now = format!("{COMPLETE}{links}");
    bpffs::make(&binding.join(&now))?;
    for before in bpffs::names(binding)?.iter().filter(|name| name.starts_with(COMPLETE)) {
        if *before != now {
            bpffs::unpin(&binding.join(before))?;
        }
    }
    Ok(())
}

/// The links of a binding that lead to a cgroup; an error where one does not, or where some are
/// missing. Then what is in the cgroup may have got out, and must end.
pub(super) fn links(binding: &Path, cgroup: u64) -> Result<Vec<String>, InterceptError> {
    let mut links = bpffs::names(binding)?;
    let marks: Vec<String> = links.extract_if(.., |name| name.starts_with(COMPLETE)).collect();
    let promised =
        marks.iter().filter_map(|mark| mark.strip_prefix(COMPLETE)?.parse::<usize>().ok()).max();
    for name in &links {
        let pin = binding.join(name);
        let to = syscall::link_info(&pin)
            .map_err(|error| InterceptError::io("looking at the link", &pin, error))?;
        if to.cgroup != cgroup {
            return Err(InterceptError::Detached(pin));
        }
    }
    match promised {
        Some(promised) if promised <= links.len() && promised > 0 => Ok(links),
        _ => Err(InterceptError::Detached(binding.to_owned())),
    }
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

    #[test]
    fn the_layout_is_in_the_name() {
        let name = layout();
        assert!(name.starts_with("v2-") && name.len() == 19, "{name}");
    }
}
