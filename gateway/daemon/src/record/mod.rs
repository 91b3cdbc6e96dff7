//! The record: an entry is in the log before what it speaks of happens.
//!
//! `Recorder::append` writes frames to the active segment (`log`), and for the class `disk` waits
//! for the group commit (`commit`). `spares` keeps zero-filled segments ready, `space` watches the
//! disk, `seal` turns full segments into Parquet, `recover` puts the log in order at the start, and
//! `read` is for whoever looks at a record, running or not.
//!
//! A record has one writer. When another process becomes it (`handover`), what is appended here goes
//! there (`remote`), and is answered by it (`guest`).

mod carry;
mod commit;
mod error;
mod frames;
mod guest;
mod handover;
mod log;
mod map;
mod parquet;
pub mod read;
mod recover;
mod remote;
mod seal;
pub mod signing;
mod space;
mod spares;
pub mod views;
mod write;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use weir_model::Entry;

pub use error::RecordError;
pub use handover::{Handed, Released};
pub use recover::Recovery;
pub use seal::Sealed;
pub use weir_ledger::Class;

use commit::Commit;
use log::Log;
use remote::Remote;
use seal::Sealer;
use space::Space;
use spares::Spares;

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
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
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
    place: Arc<RwLock<Place>>,
}

/// Where the log is written.
enum Place {
    /// Here.
    Here(Here),
    /// By another process, which took over.
    There(Arc<Remote>),
    /// Nowhere any more.
    Nowhere,
}

struct Here {
    shared: Arc<Shared>,
    _threads: Threads,
}

/// An append that may have to be waited for.
enum Pending {
    Done(Receipt),
    Commit(Receipt, Arc<Shared>, commit::Wait),
    Remote(Class, Arc<Remote>, remote::Wait),
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
    lock: File,
}

/// The recorder's threads, which end with its last clone.
struct Threads {
    shared: Arc<Shared>,
    handles: std::sync::Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl Recorder {
    /// Opens the record for writing; a torn tail is cut and an event tells so.
    pub fn open(config: &Config, host: &str) -> Result<(Self, Recovery), RecordError> {
        let (shared, recovery) = recover::open(config, host, commit::fdatasync, None)?;
        Self::start(shared, recovery)
    }

    fn start(shared: Shared, recovery: Recovery) -> Result<(Self, Recovery), RecordError> {
        let here = Here::start(shared)?;
        let recorder = Self { place: Arc::new(RwLock::new(Place::Here(here))) };
        if let Some(event) = recovery.event() {
            let _receipt = recorder.append_blocking(Class::Disk, &[(&event, &[])])?;
        }
        Ok((recorder, recovery))
    }

    /// Records `items` in one write, all or none.
    ///
    /// With `Class::Process` this returns without yielding, unless another process took over.
    pub async fn append(
        &self,
        class: Class,
        items: &[(&Entry, &[u8])],
    ) -> Result<Receipt, RecordError> {
        match self.begin(class, items, false)? {
            Pending::Done(receipt) => Ok(receipt),
            Pending::Commit(receipt, shared, wait) => {
                shared.commit.wait(wait).await.map(|()| receipt)
            }
            Pending::Remote(class, remote, wait) => {
                remote.wait(wait).await.map(|index| Receipt { index, class })
            }
        }
    }

    /// The same for where nothing can be awaited, for instance a `drop`.
    pub fn append_blocking(
        &self,
        class: Class,
        items: &[(&Entry, &[u8])],
    ) -> Result<Receipt, RecordError> {
        match self.begin(class, items, true)? {
            Pending::Done(receipt) => Ok(receipt),
            Pending::Commit(receipt, shared, wait) => {
                shared.commit.wait_blocking(wait).map(|()| receipt)
            }
            Pending::Remote(class, remote, wait) => {
                remote.wait_blocking(wait).map(|index| Receipt { index, class })
            }
        }
    }

    /// Writes, and takes a place among those who wait. Both happen before the log can change hands:
    /// what is written is committed by who wrote it, once.
    fn begin(
        &self,
        class: Class,
        items: &[(&Entry, &[u8])],
        blocking: bool,
    ) -> Result<Pending, RecordError> {
        match &*self.read() {
            Place::Here(here) => {
                let index = here.shared.write(class, items)?;
                let receipt = Receipt { index, class };
                match class {
                    Class::Process => Ok(Pending::Done(receipt)),
                    Class::Disk => {
                        let wait = here.shared.commit.enqueue(blocking)?;
                        Ok(Pending::Commit(receipt, here.shared.clone(), wait))
                    }
                }
            }
            Place::There(remote) => {
                let wait = remote.send(class, items, blocking)?;
                Ok(Pending::Remote(class, remote.clone(), wait))
            }
            Place::Nowhere => Err(RecordError::Closed),
        }
    }

    /// Writes frames of another process's. The log can't change hands meanwhile.
    fn append_frames(&self, need: log::Need, frames: &mut [u8]) -> Result<u64, RecordError> {
        match &*self.read() {
            Place::Here(here) => here.shared.write_frames(need, frames),
            Place::There(_) | Place::Nowhere => Err(RecordError::Closed),
        }
    }

    /// Seals all that is recorded so far into Parquet.
    pub async fn seal(&self) -> Result<Sealed, RecordError> {
        self.here()?.sealer.request().await
    }

    /// The same, blocking the thread.
    pub fn seal_blocking(&self) -> Result<Sealed, RecordError> {
        self.here()?.sealer.request_blocking()
    }

    /// How the record is.
    pub fn health(&self) -> Health {
        let shared = match &*self.read() {
            Place::Here(here) => here.shared.clone(),
            // How it is there, each append is told.
            Place::There(remote) => {
                return Health { failed: remote.failure(), ..Health::default() };
            }
            Place::Nowhere => {
                let failed = Some(RecordError::Closed.to_string());
                return Health { failed, ..Health::default() };
            }
        };
        let (next_index, unsealed_bytes) = shared.log.extent();
        let (sealed_us, seal_error) = shared.sealer.last();
        Health {
            failed: shared.commit.failure(),
            low_space: shared.space.is_low(),
            free_bytes: shared.space.free(),
            next_index,
            unsealed_bytes,
            sealed_us,
            seal_error,
        }
    }

    /// Why nothing new would be admitted now, if that is so; quick to ask.
    pub fn refusal(&self) -> Option<RecordError> {
        match &*self.read() {
            Place::Here(Here { shared, .. }) => shared.commit.check().err().or_else(|| {
                let low = shared.space.is_low();
                low.then_some(RecordError::NoSpace)
            }),
            // How it is there, each append is told.
            Place::There(remote) => remote.failure().map(RecordError::Failed),
            Place::Nowhere => Some(RecordError::Closed),
        }
    }

    /// Puts everything on the disk and ends the threads; later appends fail.
    pub fn close(self) {
        *self.write() = Place::Nowhere;
    }

    fn here(&self) -> Result<Arc<Shared>, RecordError> {
        match &*self.read() {
            Place::Here(here) => Ok(here.shared.clone()),
            Place::There(_) | Place::Nowhere => Err(RecordError::Closed),
        }
    }

    // Nothing panics between two whole states of the place.
    fn read(&self) -> RwLockReadGuard<'_, Place> {
        self.place.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Place> {
        self.place.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Here {
    fn start(shared: Shared) -> Result<Self, RecordError> {
        let shared = Arc::new(shared);
        let threads = Threads { shared: Arc::clone(&shared), handles: Default::default() };
        threads.spawn("weir-commit", commit::run)?;
        threads.spawn("weir-spares", spares::run)?;
        threads.spawn("weir-seal", seal::run)?;
        Ok(Self { shared, _threads: threads })
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
