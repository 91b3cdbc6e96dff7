//! Puts the log in order before anything is written to it.
//!
//! Each segment is read up to its last whole frame. What follows is cut off and kept in `torn/`,
//! and an event tells so. The indices go on behind the last entry.

use std::collections::VecDeque;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use weir_ledger::Carry;
use weir_ledger::segment::{HEADER_BYTES, Header};
use weir_model::Entry;
use weir_model::entry::Event;

use super::commit::{Commit, Sync};
use super::error::{Doing as _, RecordError};
use super::frames::Frames;
use super::log::{self, Closed, Log};
use super::seal::Sealer;
use super::space::Space;
use super::spares::{RESERVE_BYTES, Spares};
use super::{Config, Shared, carry, now_us, parquet};

/// What was found when the record was opened.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// Segments that wait to be sealed.
    pub segments: usize,
    /// Entries in them.
    pub entries: u64,
    /// Bytes of torn tails, which were never acknowledged.
    pub dropped_bytes: u64,
    /// Indices that are missing between two segments, which only loss of power leaves.
    pub missing: u64,
    /// The index of the next entry.
    pub next_index: u64,
}

impl Recovery {
    /// What the record says of it; `None` where there is nothing to say.
    pub(super) fn event(&self) -> Option<Entry> {
        if self.dropped_bytes == 0 && self.missing == 0 {
            return None;
        }
        let message = "the log had a torn tail, which was cut".to_owned();
        let event = Event::info(now_us(), "record.recovered", message)
            .warning()
            .with("dropped_bytes", self.dropped_bytes)
            .with("missing_entries", self.missing)
            .with("next_index", self.next_index);
        Some(Entry::Event(event))
    }
}

/// A life of the record that another process began: its lock and its number. What it left open
/// stays open.
pub(super) struct Life {
    pub(super) lock: File,
    pub(super) boot: u64,
}

/// Opens the record of `config`, and begins a segment, of a new life where none is given.
pub(super) fn open(
    config: &Config,
    host: &str,
    sync: Sync,
    life: Option<Life>,
) -> Result<(Shared, Recovery), RecordError> {
    if config.segment_bytes < RESERVE_BYTES || config.seal_seconds == 0 {
        let why = format!("segment_bytes is at least {RESERVE_BYTES}, seal_seconds at least 1");
        return Err(RecordError::Config(why));
    }
    let dir = std::path::absolute(&config.dir).doing("finding", &config.dir)?;
    let config = Config { dir: dir.clone(), ..config.clone() };
    let wal = dir.join("wal");
    carry::create_dir(&wal)?;
    let (lock, boot) = match life {
        Some(life) => (life.lock, Some(life.boot)),
        None => (lock(&dir)?, None),
    };
    let carry = carry::read(&dir)?;
    let spares = Spares::open(&wal, config.segment_bytes)?;
    let space = Space::new(dir.clone(), config.min_free_bytes);
    let mut found = Found::new(&carry);
    for path in segments(&wal)? {
        found.segment(&dir, &path, &carry)?;
    }
    let boot = found.boot(boot, &dir)?;
    let next_index = found.recovery.next_index;
    let spare = spares.first()?;
    let header =
        Header { first_index: next_index, boot, created_us: now_us(), host: host.to_owned() };
    let path = log::begin(&wal, &spare, &header)?;
    carry::sync_dir(&wal)?;
    parquet::ensure_tables(&dir, host)?;
    let log = Log::new(spare, path, next_index, found.closed);
    let commit = Commit::new(&wal, log.file(), sync);
    let sealer = Sealer::new(carry);
    let host = host.to_owned();
    let closed = AtomicBool::new(false);
    let shared = Shared { config, host, boot, log, commit, spares, space, sealer, closed, lock };
    Ok((shared, found.recovery))
}

/// Takes the record's lock; fails where another process has it. It is the file's, so a process that
/// is handed the file has it too, and it ends with the last of them.
fn lock(dir: &Path) -> Result<File, RecordError> {
    let path = dir.join("lock");
    let file = carry::create(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RecordError::Locked(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(RecordError::io("locking", &path, error)),
    }
}

/// The segments in `wal`, oldest first.
pub(super) fn segments(wal: &Path) -> Result<Vec<PathBuf>, RecordError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(wal).doing("listing", wal)? {
        let path = entry.doing("listing", wal)?.path();
        if path.extension().is_some_and(|extension| extension == "wal") {
            paths.push(path);
        }
    }
    // Sixteen digits each, so that names sort as numbers.
    paths.sort();
    Ok(paths)
}

struct Found {
    closed: VecDeque<Closed>,
    boot: u64,
    recovery: Recovery,
}

impl Found {
    fn new(carry: &Carry) -> Self {
        let recovery = Recovery { next_index: carry.last_index + 1, ..Recovery::default() };
        Self { closed: VecDeque::new(), boot: carry.boot, recovery }
    }

    /// The number of the life that begins, or goes on.
    fn boot(&self, given: Option<u64>, dir: &Path) -> Result<u64, RecordError> {
        match given {
            None => Ok(u64::try_from(now_us()).unwrap_or(0).max(self.boot + 1)),
            Some(boot) if boot >= self.boot => Ok(boot),
            Some(_) => {
                let why = "a later life than the one that is handed over has written it".to_owned();
                Err(RecordError::Damaged { path: dir.to_owned(), why })
            }
        }
    }

    fn segment(&mut self, dir: &Path, path: &Path, carry: &Carry) -> Result<(), RecordError> {
        let Some((header, mut frames)) = Frames::open(path).doing("reading", path)? else {
            // Loss of power between the name and the header; nothing in it was acknowledged.
            let len = std::fs::metadata(path).doing("looking at", path)?.len();
            self.recovery.dropped_bytes += len;
            return keep_torn(dir, path, 0, None);
        };
        self.boot = self.boot.max(header.boot);
        while frames.next().doing("reading", path)?.is_some() {}
        let (len, next_index) = (frames.offset(), frames.next_index());
        let tail = frames.tail().doing("reading", path)?;
        if !tail.is_empty() {
            self.recovery.dropped_bytes += tail.len() as u64;
            keep_torn(dir, path, len, Some(&tail))?;
        }
        if len == HEADER_BYTES as u64 || next_index <= carry.last_index + 1 {
            return std::fs::remove_file(path).doing("removing", path);
        }
        let expected = self.recovery.next_index;
        self.recovery.missing += header.first_index.saturating_sub(expected);
        if header.first_index < expected {
            let why = format!("it begins with entry {}, which exists", header.first_index);
            return Err(RecordError::Damaged { path: path.to_owned(), why });
        }
        self.recovery.segments += 1;
        self.recovery.entries += next_index - header.first_index;
        self.recovery.next_index = next_index;
        let (first_index, last_index) = (header.first_index, next_index - 1);
        let (path, written) = (path.to_owned(), false);
        self.closed.push_back(Closed { path, first_index, last_index, len, written });
        Ok(())
    }
}

/// Cuts a segment at `at`, but not before what is cut off is on the disk elsewhere: were it not a
/// torn tail but a failing disk, someone will want to look at it.
fn keep_torn(dir: &Path, path: &Path, at: u64, tail: Option<&[u8]>) -> Result<(), RecordError> {
    let torn = dir.join("torn");
    carry::create_dir(&torn)?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let kept = torn.join(format!("{stem}-{at}-{}.bin", now_us()));
    let Some(tail) = tail else {
        return carry::rename(path, &kept);
    };
    carry::replace(&kept, tail)?;
    let file = File::options().write(true).open(path).doing("opening", path)?;
    file.set_len(at).and_then(|()| file.sync_all()).doing("cutting", path)
}
