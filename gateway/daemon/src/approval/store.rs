//! Open tickets in a file, so that they outlive the gateway: written aside, synced, renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::libc::O_NOFOLLOW;
use serde::{Deserialize, Serialize};
use weir_model::limits;

use super::Ticket;

const VERSION: u32 = 1;

/// JSON may write one byte as six (`\u0000`); the rest of a ticket is small.
const FILE_BYTES: u64 = (limits::HOLDS_BYTES as u64) * 8;

/// What went wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be read.
    #[error("reading holds from {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// It is not what this program wrote.
    #[error(
        "reading holds from {path}: {reason}; move the file away to go on without the approvals in it"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It could not be written.
    #[error("writing holds to {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

#[derive(Deserialize)]
struct Contents {
    version: u32,
    tickets: Vec<Ticket>,
}

#[derive(Serialize)]
struct ContentsRef<'a> {
    version: u32,
    tickets: Vec<&'a Ticket>,
}

/// The file.
pub(super) struct Store {
    path: PathBuf,
}

impl Store {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Tickets of the last run; none where there is no file.
    pub(super) fn load(&self) -> Result<Vec<Ticket>, StoreError> {
        let format = |reason: String| StoreError::Format { path: self.path.clone(), reason };
        let bytes = match read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::Read { path: self.path.clone(), source }),
        };
        let contents: Contents =
            serde_json::from_slice(&bytes).map_err(|error| format(error.to_string()))?;
        if contents.version != VERSION {
            return Err(format(format!("version {} is not {VERSION}", contents.version)));
        }
        if contents.tickets.len() > limits::HOLDS {
            return Err(format(format!("more than {} holds", limits::HOLDS)));
        }
        Ok(contents.tickets)
    }

    /// Replaces the file's contents; on an error the old ones stand.
    pub(super) fn save<'a>(
        &self,
        tickets: impl Iterator<Item = &'a Ticket>,
    ) -> Result<(), StoreError> {
        let contents = ContentsRef { version: VERSION, tickets: tickets.collect() };
        serde_json::to_vec(&contents)
            .map_err(io::Error::from)
            .and_then(|bytes| replace(&self.path, &bytes))
            .map_err(|source| StoreError::Write { path: self.path.clone(), source })
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(io::Error::other(format!("it is larger than {FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(O_NOFOLLOW)
        .open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
