//! The record: an entry is in the log before what it speaks of happens.
//!
//! `Recorder::append` writes frames to the active segment (`log`), and for the class `disk` waits
//! for the group commit (`commit`). `spares` keeps zero-filled segments ready, `space` watches the
//! disk, `seal` turns full segments into Parquet, `recover` puts the log in order at the start, and
//! `read` is for whoever looks at a record, running or not.

mod carry;
mod commit;
mod error;
mod frames;
mod log;
mod parquet;
pub mod read;
mod recover;
mod seal;
pub mod signing;
mod space;
mod spares;
pub mod views;

use std::cell::RefCell;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::Flock;
use serde::Deserialize;
use weir_ledger::frame;
use weir_model::Entry;

pub use error::RecordError;
pub use recover::Recovery;
pub use seal::Sealed;
pub use weir_ledger::Class;

use commit::Commit;
use log::{Log, Need};
use seal::Sealer;
use space::Space;
use spares::Spares;

/// An encode buffer that grew beyond this is given back.
const BUFFER_KEPT: usize = 1 << 20;

/// `[record]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the record is kept.
    pub dir: PathBuf,
    /// What must have happened to an entry before what it speaks of goes on.
    pub class: Class,
    /// The size of a segment of the log.
    pub segment_bytes: u64,
    /// Below this much free space nothing new is admitted.
    pub min_free_bytes: u64,
    /// How often what was recorded is sealed into Parquet.
    pub seal_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("/var/lib/weir/record"),
            class: Class::Disk,
            segment_bytes: 64 << 20,
            min_free_bytes: 256 << 20,
            seal_seconds: 60,
        }
    }
}

/// The proof that something is recorded; only a `Recorder` makes one.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Receipt {
    index: u64,
    class: Class,
}

impl Receipt {
    /// The index of the last entry that it stands for.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// What has happened to it.
    pub fn class(&self) -> Class {
        self.class
    }
}

/// How the record is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Health {
    /// Why nothing can be recorded any more, where that is so.
    pub failed: Option<String>,
    /// Whether space is so low that nothing new is admitted.
    pub low_space: bool,
    /// Free bytes when last looked.
    pub free_bytes: u64,
    /// The index of the next entry.
    pub next_index: u64,
    /// Bytes in the log that are not sealed.
    pub unsealed_bytes: u64,
    /// When sealing last succeeded, microseconds since the Unix epoch.
    pub sealed_us: Option<i64>,
    /// Why sealing last failed, until it succeeds again.
    pub seal_error: Option<String>,
}

/// Writes the record. Clones share one log.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
    _threads: Arc<Threads>,
}

/// What the recorder and its threads share.
struct Shared {
    config: Config,
    host: String,
    boot: u64,
    log: Log,
    commit: Commit,
    spares: Spares,
    space: Space,
    sealer: Sealer,
    closed: AtomicBool,
    _flock: Flock<File>,
}

/// The recorder's threads, which end with its last clone.
struct Threads {
    shared: Arc<Shared>,
    handles: std::sync::Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl Recorder {
    /// Opens the record for writing; a torn tail is cut and an event tells so.
    pub fn open(config: &Config, host: &str) -> Result<(Self, Recovery), RecordError> {
        let (shared, recovery) = recover::open(config, host, commit::fdatasync)?;
        Self::start(shared, recovery)
    }

    fn start(shared: Shared, recovery: Recovery) -> Result<(Self, Recovery), RecordError> {
        let shared = Arc::new(shared);
        let threads =
            Arc::new(Threads { shared: Arc::clone(&shared), handles: Default::default() });
        threads.spawn("weir-commit", commit::run)?;
        threads.spawn("weir-spares", spares::run)?;
        threads.spawn("weir-seal", seal::run)?;
        let recorder = Self { shared, _threads: threads };
        if let Some(event) = recovery.event() {
            let _receipt = recorder.append_blocking(Class::Disk, &[(&event, &[])])?;
        }
        Ok((recorder, recovery))
    }

    /// Records `items` in one write, all or none.
    ///
    /// With `Class::Process` this returns without yielding.
    pub async fn append(
        &self,
        class: Class,
        items: &[(&Entry, &[u8])],
    ) -> Result<Receipt, RecordError> {
        let index = self.shared.write(class, items)?;
        match class {
            Class::Process => {}
            Class::Disk => self.shared.commit.wait().await?,
        }
        Ok(Receipt { index, class })
    }

    /// The same for where nothing can be awaited, for instance a `drop`.
    pub fn append_blocking(
        &self,
        class: Class,
        items: &[(&Entry, &[u8])],
    ) -> Result<Receipt, RecordError> {
        let index = self.shared.write(class, items)?;
        match class {
            Class::Process => {}
            Class::Disk => self.shared.commit.wait_blocking()?,
        }
        Ok(Receipt { index, class })
    }

    /// Seals all that is recorded so far into Parquet.
    pub async fn seal(&self) -> Result<Sealed, RecordError> {
        self.shared.sealer.request().await
    }

    /// The same, blocking the thread.
    pub fn seal_blocking(&self) -> Result<Sealed, RecordError> {
        self.shared.sealer.request_blocking()
    }

    /// How the record is.
    pub fn health(&self) -> Health {
        let (next_index, unsealed_bytes) = self.shared.log.extent();
        let (sealed_us, seal_error) = self.shared.sealer.last();
        Health {
            failed: self.shared.commit.failure(),
            low_space: self.shared.space.is_low(),
            free_bytes: self.shared.space.free(),
            next_index,
            unsealed_bytes,
            sealed_us,
            seal_error,
        }
    }

    /// Puts everything on the disk and ends the threads; later appends fail.
    pub fn close(self) {
        self._threads.end();
    }
}

impl Shared {
    fn write(&self, class: Class, items: &[(&Entry, &[u8])]) -> Result<u64, RecordError> {
        thread_local! {
            static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(RecordError::Closed);
        }
        let need = items.iter().map(|(entry, _)| Need::of(entry)).max().unwrap_or(Need::Close);
        let ts_us = now_us();
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            for (entry, body) in items {
                frame::encode(buffer, class, ts_us, entry, body)?;
            }
            let written = self.log.append(self, need, buffer);
            if buffer.capacity() > BUFFER_KEPT {
                *buffer = Vec::new();
            }
            written
        })
    }
}

impl Threads {
    fn spawn(&self, name: &str, run: fn(&Shared)) -> Result<(), RecordError> {
        let shared = Arc::clone(&self.shared);
        let handle =
            std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&shared)).map_err(
                |source| RecordError::io("starting a thread", &self.shared.config.dir, source),
            )?;
        lock(&self.handles).push(handle);
        Ok(())
    }

    fn end(&self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.sealer.stop();
        self.shared.spares.stop();
        self.shared.commit.stop();
        for handle in std::mem::take(&mut *lock(&self.handles)) {
            if handle.join().is_err() {
                tracing::error!("a thread of the record panicked");
            }
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.end();
    }
}

/// A lock whose holder panicked is still a lock: what it guards is checked by `Log` itself.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
