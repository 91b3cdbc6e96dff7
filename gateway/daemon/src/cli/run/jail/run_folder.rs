//! `/run` made anew: all that stands in it, without sockets and pipes. What has none in it is bound
//! whole; a folder that has some becomes a new one with the rest in it.
//!
//! File systems of another kind that are mounted below it (the roots of containers, users' portals)
//! are left out, for they can't be looked through.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use weir_model::limits;

use super::mounts::{bind, memory};
use super::sockets::Open;
use crate::cli::run::plan::{Failure, Step as _};

const RUN: &str = "/run";
/// The folder of the jail's own files.
const OWN: &str = "/run/weir-jail";
const OPTIONS: &str = "mode=755,size=64m,nr_inodes=64k";
/// Where small files of a service are kept that nobody else may read.
const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

/// A place for a file of the jail's own.
pub(in crate::cli::run) fn own(name: &str) -> PathBuf {
    Path::new(OWN).join(name)
}

/// Makes it anew.
pub(super) fn renew(open: &Open) -> Result<(), Failure> {
    let step = "making /run anew";
    let old = File::open(RUN).step(step)?;
    memory(Path::new(RUN), OPTIONS).step(step)?;
    let mut walk = Walk { open, left: limits::RUN_ENTRIES };
    let from = PathBuf::from(format!("/proc/self/fd/{}", old.as_raw_fd()));
    walk.copy(&from, Path::new(RUN), 0)?;
    fs::create_dir(OWN).step(step)
}

struct Walk<'a> {
    open: &'a Open,
    left: usize,
}

/// What a folder is, from what is in it.
enum Folder {
    /// There is nothing in it that must not be seen.
    Clean,
    /// There is.
    Mixed,
    /// That can't be told.
    Closed,
}

impl Walk<'_> {
    fn copy(&mut self, from: &Path, to: &Path, depth: usize) -> Result<(), Failure> {
        let step = format!("making {} anew", to.display());
        let entries = match fs::read_dir(from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.step(&step)?,
        };
        for entry in entries {
            let entry = entry.step(&step)?;
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            let Ok(facts) = fs::symlink_metadata(&from) else { continue };
            let kind = facts.file_type();
            if kind.is_dir() {
                self.copy_folder(&from, &to, &facts, depth)?;
            } else if kind.is_symlink() {
                let target = fs::read_link(&from).step(&step)?;
                symlink(target, &to).step(&step)?;
            } else if self.shows(kind, &to) {
                File::create_new(&to).step(&step)?;
                if !bind_if_there(&from, &to)? {
                    fs::remove_file(&to).step(&step)?;
                }
            }
        }
        Ok(())
    }

    fn copy_folder(
        &mut self,
        from: &Path,
        to: &Path,
        facts: &fs::Metadata,
        depth: usize,
    ) -> Result<(), Failure> {
        let step = format!("making {} anew", to.display());
        let folder = self.look(from, to, depth);
        if matches!(folder, Folder::Closed) {
            return Ok(());
        }
        fs::create_dir(to).step(&step)?;
        if matches!(folder, Folder::Clean) {
            if !bind_if_there(from, to)? {
                fs::remove_dir(to).step(&step)?;
            }
            return Ok(());
        }
        chown(to, Some(facts.uid()), Some(facts.gid())).step(&step)?;
        let mode = fs::Permissions::from_mode(facts.mode() & 0o7777);
        fs::set_permissions(to, mode).step(&step)?;
        self.copy(from, to, depth + 1)
    }

    fn shows(&self, kind: fs::FileType, path: &Path) -> bool {
        kind.is_file() || kind.is_symlink() || (kind.is_socket() && self.open.keeps(path))
    }

    fn look(&mut self, from: &Path, shown: &Path, depth: usize) -> Folder {
        let in_memory = |kind: FsType| kind == TMPFS_MAGIC || kind == RAMFS_MAGIC;
        let known = statfs(from).is_ok_and(|facts| in_memory(facts.filesystem_type()));
        let on_disk = same_file_system(from, Path::new(RUN).parent().unwrap_or(from));
        if depth >= limits::RUN_DEPTH || !(known || on_disk) {
            return Folder::Closed;
        }
        let Ok(entries) = fs::read_dir(from) else { return Folder::Closed };
        let mut folder = Folder::Clean;
        for entry in entries {
            self.left = self.left.saturating_sub(1);
            let Some(entry) = entry.ok().filter(|_| self.left > 0) else { return Folder::Closed };
            let Ok(kind) = entry.file_type() else { return Folder::Closed };
            let shown = shown.join(entry.file_name());
            if kind.is_dir() {
                match self.look(&entry.path(), &shown, depth + 1) {
                    Folder::Clean => {}
                    Folder::Mixed | Folder::Closed => folder = Folder::Mixed,
                }
            } else if !self.shows(kind, &shown) {
                folder = Folder::Mixed;
            }
        }
        folder
    }
}

/// Services make and remove files there all the time.
fn bind_if_there(from: &Path, to: &Path) -> Result<bool, Failure> {
    match bind(from, to) {
        Ok(()) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        Err(error) => Err(Failure::new(format!("making {} anew", to.display()), error)),
    }
}

/// Whether `/run` is a folder of the root file system, as in many containers.
fn same_file_system(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|facts| facts.dev()).ok();
    device(one).is_some() && device(one) == device(other)
}
