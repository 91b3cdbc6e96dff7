//! The group commit: one fdatasync for all who wait, and no second try when it fails.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use tokio::sync::oneshot;

use super::error::RecordError;
use super::{Shared, lock};

/// How a file gets to the disk; tests put a failing one in its place.
pub(super) type Sync = fn(&File) -> io::Result<()>;

pub(super) fn fdatasync(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Who waits for the disk.
pub(super) struct Commit {
    state: Mutex<State>,
    wake: Condvar,
    /// Whether `State::failure` says something; looked at without the lock.
    failed: AtomicBool,
    sync: Sync,
    wal: PathBuf,
}

struct State {
    waiting: Vec<Waiter>,
    /// The active segment's file.
    active: Arc<File>,
    /// Segments that were rotated away since the last commit, and are not sealed: their first index.
    rotated: Vec<(u64, Arc<File>)>,
    /// Whether the active segment's name may not be on the disk.
    renamed: bool,
    /// Why nothing can be recorded any more.
    failure: Option<String>,
    stop: bool,
}

enum Waiter {
    Task(oneshot::Sender<()>),
    Thread(std::sync::mpsc::SyncSender<()>),
}

/// A place in a commit.
pub(super) enum Wait {
    Task(oneshot::Receiver<()>),
    Thread(std::sync::mpsc::Receiver<()>),
}

impl Commit {
    pub(super) fn new(wal: &Path, active: Arc<File>, sync: Sync) -> Self {
        let state = State {
            waiting: Vec::new(),
            active,
            rotated: Vec::new(),
            renamed: false,
            failure: None,
            stop: false,
        };
        Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
            failed: AtomicBool::new(false),
            sync,
            wal: wal.to_owned(),
        }
    }

    /// Waits until all that was written before `enqueue` is on the disk.
    pub(super) async fn wait(&self, wait: Wait) -> Result<(), RecordError> {
        match wait {
            Wait::Task(receiver) => receiver.await.map_err(|_| self.refusal()),
            Wait::Thread(receiver) => receiver.recv().map_err(|_| self.refusal()),
        }
    }

    /// The same, blocking the thread.
    pub(super) fn wait_blocking(&self, wait: Wait) -> Result<(), RecordError> {
        match wait {
            Wait::Task(receiver) => receiver.blocking_recv().map_err(|_| self.refusal()),
            Wait::Thread(receiver) => receiver.recv().map_err(|_| self.refusal()),
        }
    }

    /// Takes a place in the next commit.
    pub(super) fn enqueue(&self, blocking: bool) -> Result<Wait, RecordError> {
        let (waiter, wait) = if blocking {
            let (sender, receiver) = std::sync::mpsc::sync_channel(1);
            (Waiter::Thread(sender), Wait::Thread(receiver))
        } else {
            let (sender, receiver) = oneshot::channel();
            (Waiter::Task(sender), Wait::Task(receiver))
        };
        let mut state = lock(&self.state);
        if let Some(failure) = &state.failure {
            return Err(RecordError::Failed(failure.clone()));
        }
        if state.stop {
            return Err(RecordError::Closed);
        }
        state.waiting.push(waiter);
        drop(state);
        self.wake.notify_one();
        Ok(wait)
    }

    fn refusal(&self) -> RecordError {
        self.failure().map_or(RecordError::Closed, RecordError::Failed)
    }

    /// Tells that the segment that begins with `first_index` was rotated away for `active`.
    pub(super) fn rotated(&self, first_index: u64, old: Arc<File>, active: Arc<File>) {
        let mut state = lock(&self.state);
        state.rotated.push((first_index, old));
        state.renamed = true;
        state.active = active;
    }

    /// Tells that a segment's entries are on the disk as Parquet. Where nobody waits for the disk, its
    /// file would stay open for good, and keep its space.
    pub(super) fn sealed(&self, first_index: u64) {
        lock(&self.state).rotated.retain(|(first, _)| *first != first_index);
    }

    /// Stops the record for good.
    pub(super) fn fail(&self, why: String) {
        tracing::error!(why, "the record failed, nothing is admitted any more");
        let mut state = lock(&self.state);
        state.failure.get_or_insert(why);
        self.failed.store(true, Ordering::Release);
        state.waiting.clear();
    }

    /// Fails where the record has failed.
    pub(super) fn check(&self) -> Result<(), RecordError> {
        if self.failed.load(Ordering::Acquire) { Err(self.refusal()) } else { Ok(()) }
    }

    pub(super) fn failure(&self) -> Option<String> {
        lock(&self.state).failure.clone()
    }

    pub(super) fn stop(&self) {
        lock(&self.state).stop = true;
        self.wake.notify_one();
    }

    /// Puts files on the disk, and the directory where names in it changed.
    fn sync(&self, rotated: &[(u64, Arc<File>)], active: &File, renamed: bool) -> io::Result<()> {
        for (_, file) in rotated {
            (self.sync)(file)?;
        }
        if renamed {
            File::open(&self.wal)?.sync_all()?;
        }
        (self.sync)(active)
    }
}

/// The thread: commits as long as someone waits, and once more at the end.
pub(super) fn run(shared: &Shared) {
    let commit = &shared.commit;
    loop {
        let mut state = lock(&commit.state);
        while state.waiting.is_empty() && !state.stop {
            state = commit.wake.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        let waiting = std::mem::take(&mut state.waiting);
        let rotated = std::mem::take(&mut state.rotated);
        let renamed = std::mem::take(&mut state.renamed);
        let active = Arc::clone(&state.active);
        let (stop, failed) = (state.stop, state.failure.is_some());
        drop(state);
        if failed {
            return;
        }
        match commit.sync(&rotated, &active, renamed) {
            Ok(()) => waiting.into_iter().for_each(Waiter::wake),
            // The waiters go with the failure told: dropping them wakes them.
            Err(error) => {
                commit.fail(format!("syncing the log: {error}"));
                return;
            }
        }
        if stop {
            return;
        }
    }
}

impl Waiter {
    fn wake(self) {
        // Who went away meanwhile does not mind.
        match self {
            Self::Task(sender) => drop(sender.send(())),
            Self::Thread(sender) => drop(sender.send(())),
        }
    }
}
