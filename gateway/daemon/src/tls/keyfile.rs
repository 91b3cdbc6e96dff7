//! Files that hold keys: read only if nobody else can, written so that nobody else ever could.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a key file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The system refused.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Someone else may read it, so it may be known.
    #[error("{path} has mode {mode:o}: others may read or change it, so it is not used")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Someone else owns it.
    #[error("{path} belongs to user {owner}, so it is not used")]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// It is not what it should be.
    #[error("{path} {problem}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
}

/// Makes `path` a directory that only its owner changes, or checks that it is one.
pub fn private_dir(path: &Path) -> Result<(), KeyFileError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| io_error("making the directory", path, source))?;
    let facts = fs::metadata(path).map_err(|source| io_error("reading", path, source))?;
    if !facts.is_dir() {
        return Err(shape(path, "is not a directory"));
    }
    check_owner_and_mode(path, &facts, 0o022)
}

/// Reads a key file of at most `most` bytes; `None` where there is none.
///
/// The checks are made on the open file, not on the path, so that it can't be exchanged in between.
pub fn read(path: &Path, most: usize) -> Result<Option<Zeroizing<Vec<u8>>>, KeyFileError> {
    let open = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path);
    let file = match open {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error("opening", path, source)),
    };
    let facts = file.metadata().map_err(|source| io_error("reading", path, source))?;
    if !facts.is_file() {
        return Err(shape(path, "is not a regular file"));
    }
    check_owner_and_mode(path, &facts, 0o077)?;
    // Room for all of it at once: a growing buffer would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most.min(facts.len() as usize) + 1));
    file.take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| io_error("reading", path, source))?;
    if bytes.len() > most {
        return Err(shape(path, "is too large to be what it should be"));
    }
    Ok(Some(bytes))
}

/// Writes a key file that must not exist yet; `false` where another was faster.
pub fn create(path: &Path, bytes: &[u8]) -> Result<bool, KeyFileError> {
    let draft = write_draft(path, bytes, 0o600)?;
    let linked = fs::hard_link(&draft, path);
    let _ = fs::remove_file(&draft);
    match linked {
        Ok(()) => sync_dir(path).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(io_error("writing", path, source)),
    }
}

/// Writes a key file, in place of an older one where there is one.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    replace_with_mode(path, bytes, 0o600)
}

/// Writes a file that everyone may read, for instance a public key's, in one step.
pub fn publish(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    replace_with_mode(path, bytes, 0o644)
}

fn replace_with_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyFileError> {
    let draft = write_draft(path, bytes, mode)?;
    if let Err(source) = fs::rename(&draft, path) {
        let _ = fs::remove_file(&draft);
        return Err(io_error("writing", path, source));
    }
    sync_dir(path)
}

fn write_draft(path: &Path, bytes: &[u8], mode: u32) -> Result<PathBuf, KeyFileError> {
    let mut random = [0u8; 8];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| shape(path, "got no randomness"))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.new", u64::from_ne_bytes(random)));
    let draft = path.with_file_name(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&draft)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    match written {
        Ok(()) => Ok(draft),
        Err(source) => {
            let _ = fs::remove_file(&draft);
            Err(io_error("writing", &draft, source))
        }
    }
}

fn sync_dir(path: &Path) -> Result<(), KeyFileError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| io_error("syncing", parent, source))
}

fn check_owner_and_mode(
    path: &Path,
    facts: &fs::Metadata,
    forbidden: u32,
) -> Result<(), KeyFileError> {
    let me = nix::unistd::geteuid().as_raw();
    if facts.uid() != me && facts.uid() != 0 {
        return Err(KeyFileError::Owner { path: path.to_owned(), owner: facts.uid() });
    }
    let mode = facts.mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(KeyFileError::Mode { path: path.to_owned(), mode });
    }
    Ok(())
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> KeyFileError {
    KeyFileError::Io { doing, path: path.to_owned(), source }
}

fn shape(path: &Path, problem: &'static str) -> KeyFileError {
    KeyFileError::Shape { path: path.to_owned(), problem }
}
