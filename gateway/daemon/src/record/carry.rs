//! The file that says up to which entry all is sealed, and what was open then.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use weir_ledger::Carry;

use super::error::{Doing as _, RecordError};

const NAME: &str = "carry.json";

/// Reads the carry; a record that was never sealed has an empty one.
pub(super) fn read(dir: &Path) -> Result<Carry, RecordError> {
    let path = dir.join(NAME);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| RecordError::Damaged { path, why: error.to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Carry::default()),
        Err(error) => Err(RecordError::io("reading", &path, error)),
    }
}

/// Replaces the carry; afterwards it is on the disk.
pub(super) fn write(dir: &Path, carry: &Carry) -> Result<(), RecordError> {
    let path = dir.join(NAME);
    let bytes = serde_json::to_vec(carry)
        .map_err(|error| RecordError::Damaged { path: path.clone(), why: error.to_string() })?;
    replace(&path, &bytes)
}

/// Puts a whole file in the place of another one, or none at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    let temporary = path.with_added_extension("tmp");
    let mut file = create(&temporary)?;
    file.write_all(bytes).doing("writing", &temporary)?;
    file.sync_all().doing("syncing", &temporary)?;
    rename(&temporary, path)
}

/// Creates or empties a file that only its owner reads.
pub(super) fn create(path: &Path) -> Result<File, RecordError> {
    File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .doing("creating", path)
}

/// Renames a file, and puts the new name on the disk.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), RecordError> {
    std::fs::rename(from, to).doing("renaming", from)?;
    to.parent().map_or(Ok(()), sync_dir)
}

/// Puts the names in a directory on the disk.
pub(super) fn sync_dir(dir: &Path) -> Result<(), RecordError> {
    File::open(dir).and_then(|file| file.sync_all()).doing("syncing", dir)
}

/// Makes a directory and its parents; those that are new are on the disk afterwards.
pub(super) fn create_dir(dir: &Path) -> Result<(), RecordError> {
    use std::os::unix::fs::DirBuilderExt as _;
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or(Ok(()), create_dir)?;
    match std::fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(RecordError::io("creating", dir, error))
        }
        _ => parent.map_or(Ok(()), sync_dir),
    }
}
