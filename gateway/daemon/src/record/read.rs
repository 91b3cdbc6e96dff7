//! Reads a record without a lock, running or not: the sealed files and the log's unsealed tail.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::errors::ParquetError;
use weir_ledger::{Carry, JoinError, Joiner, Row, Rows, Table, Time};

use super::error::{Doing as _, RecordError};
use super::frames::Frames;
use super::{carry, recover};

/// Sealing may go on meanwhile; a reader begins again so many times.
const TRIES: usize = 20;
const BATCH_ROWS: usize = 1024;

/// A consistent view of a record.
pub struct Snapshot {
    files: Vec<SealedFile>,
    tail: Rows,
    since: Option<String>,
}

struct SealedFile {
    table: Table,
    date: String,
    path: PathBuf,
}

impl Snapshot {
    /// Opens the record in `dir`.
    pub fn open(dir: &Path) -> Result<Self, RecordError> {
        if !dir.join("v1").is_dir() {
            let why = "there is no record".to_owned();
            return Err(RecordError::Damaged { path: dir.to_owned(), why });
        }
        for _ in 0..TRIES {
            let carry = carry::read(dir)?;
            let last_index = carry.last_index;
            let tail = match tail(dir, carry.clone()) {
                Ok(tail) => tail,
                // The segment was sealed while it was being read.
                Err(RecordError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    continue;
                }
                Err(RecordError::Join(JoinError::Order { .. })) => continue,
                Err(error) => return Err(error),
            };
            let files = sealed_files(dir, &carry)?;
            if carry::read(dir)?.last_index == last_index {
                return Ok(Self { files, tail, since: None });
            }
        }
        let why = "it is sealed faster than it can be read".to_owned();
        Err(RecordError::Damaged { path: dir.to_owned(), why })
    }

    /// Leaves out files of days that ended before `time`.
    #[must_use]
    pub fn since(mut self, time: Time) -> Self {
        self.since = Some(time.date());
        self
    }

    /// Shows each row of a table, in no order across files.
    pub fn each<R: Row>(&self, mut see: impl FnMut(R)) -> Result<(), RecordError> {
        let since = self.since.as_deref().unwrap_or_default();
        for file in &self.files {
            if file.table == R::TABLE && file.date.as_str() >= since {
                file.each(&mut see)
                    .map_err(|source| RecordError::Parquet { path: file.path.clone(), source })?;
            }
        }
        let batch = self.tail.batch(R::TABLE).map_err(|error| RecordError::Parquet {
            path: PathBuf::from("the log's tail"),
            source: error.into(),
        })?;
        batch.iter().flat_map(R::rows).for_each(see);
        Ok(())
    }

    /// All rows of a table that `keep` wants.
    pub fn rows<R: Row>(&self, keep: impl Fn(&R) -> bool) -> Result<Vec<R>, RecordError> {
        let mut rows = Vec::new();
        self.each(|row| {
            if keep(&row) {
                rows.push(row);
            }
        })?;
        Ok(rows)
    }
}

impl SealedFile {
    fn each<R: Row>(&self, see: &mut impl FnMut(R)) -> Result<(), ParquetError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&self.path)?)?;
        for batch in builder.with_batch_size(BATCH_ROWS).build()? {
            R::rows(&batch?).into_iter().for_each(&mut *see);
        }
        Ok(())
    }
}

/// The rows that are not sealed yet, those of what is still open among them.
fn tail(dir: &Path, carry: Carry) -> Result<Rows, RecordError> {
    let wal = dir.join("wal");
    let mut joiner = Joiner::new(carry);
    // A copy of the sealed files alone has no log.
    for path in if wal.is_dir() { recover::segments(&wal)? } else { Vec::new() } {
        let Some((header, mut frames)) = Frames::open(&path).doing("reading", &path)? else {
            continue;
        };
        if header.first_index <= joiner.carry().last_index {
            continue;
        }
        joiner.segment(header.boot, &header.host);
        while let Some(frame) = frames.next().doing("reading", &path)? {
            joiner.feed(&frame)?;
        }
    }
    let mut rows = joiner.take();
    rows.append(joiner.open_rows());
    Ok(rows)
}

/// The files that were sealed up to `carry`; those of other hosts are all taken.
fn sealed_files(dir: &Path, carry: &Carry) -> Result<Vec<SealedFile>, RecordError> {
    let mut files = Vec::new();
    for table in Table::ALL {
        for (date, day) in subfolders(&dir.join("v1").join(table.name()), "date=")? {
            for (host, folder) in subfolders(&day, "host=")? {
                for entry in std::fs::read_dir(&folder).doing("listing", &folder)? {
                    let path = entry.doing("listing", &folder)?.path();
                    let later = last_index(&path).is_some_and(|last| last > carry.last_index);
                    let ours = carry.host.is_empty() || super::parquet::safe(&carry.host) == host;
                    if path.extension().is_some_and(|of| of == "parquet") && !(ours && later) {
                        files.push(SealedFile { table, date: date.clone(), path });
                    }
                }
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn last_index(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.split_once('-')?.1.parse().ok()
}

fn subfolders(dir: &Path, prefix: &str) -> Result<Vec<(String, PathBuf)>, RecordError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(RecordError::io("listing", dir, error)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.doing("listing", dir)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(value) = name.strip_prefix(prefix) {
            folders.push((value.to_owned(), path));
        }
    }
    Ok(folders)
}
