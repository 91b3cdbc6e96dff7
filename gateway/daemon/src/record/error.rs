//! What can go wrong with the record.

use std::io;
use std::path::{Path, PathBuf};

use weir_ledger::{FrameError, JoinError};

/// Why something is not recorded, or not sealed.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Another process writes this record.
    #[error("locking {0}: another gateway writes this record")]
    Locked(PathBuf),
    /// There is not enough space to admit anything new.
    #[error("recording: the disk is nearly full, so nothing new is admitted")]
    NoSpace,
    /// The disk failed; nothing is recorded until the gateway is started again.
    #[error("recording: an earlier write failed and is not retried: {0}")]
    Failed(String),
    /// The recorder is closed.
    #[error("recording: the record is closed")]
    Closed,
    /// The entry can't be written.
    #[error(transparent)]
    Entry(#[from] FrameError),
    /// The configuration can't work.
    #[error("opening the record: {0}")]
    Config(String),
    /// A file operation failed.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A file is not what it must be.
    #[error("reading {}: {why}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An entry could not be made into rows.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// A Parquet file could not be written or read.
    #[error("sealing {}: {source}", path.display())]
    Parquet {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: ::parquet::errors::ParquetError,
    },
    /// Sealing failed in its own thread.
    #[error("{0}")]
    Seal(String),
}

impl RecordError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }
}

/// Says what was being done to which file.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, RecordError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, RecordError> {
        self.map_err(|source| RecordError::io(doing, path, source))
    }
}
