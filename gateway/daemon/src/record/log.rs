//! The active segment: one copy to its tail per append, and its rotation.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use weir_ledger::frame;
use weir_ledger::segment::{HEADER_BYTES, Header};
use weir_model::Entry;

use super::error::{Doing as _, RecordError};
use super::map::Map;
use super::spares::Spare;
use super::{Shared, lock, now_us};

const HEADER: u64 = HEADER_BYTES as u64;

/// What an entry needs when space runs out. Ordered: a batch needs the most of its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// It ends or refuses something, and is small: the reserve takes it.
    Close,
    /// It belongs to what was admitted: needs a segment, but no spare space.
    Continue,
    /// It admits something: not when space is low.
    Open,
}

impl Need {
    pub(super) fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Asked(asked) if !asked.request.forwarded => Self::Close,
            Entry::SessionClosed(_)
            | Entry::FlowClosed(_)
            | Entry::Answered(_)
            | Entry::HoldSettled(_)
            | Entry::Event(_)
            | Entry::Coverage(_) => Self::Close,
            Entry::AnswerPart(_) => Self::Continue,
            Entry::Asked(_)
            | Entry::SessionOpened(_)
            | Entry::FlowOpened(_)
            | Entry::HoldOpened(_) => Self::Open,
        }
    }
}

/// A segment that is written no more and waits to be sealed.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub(super) path: PathBuf,
    pub(super) first_index: u64,
    pub(super) last_index: u64,
    /// Where its last frame ends.
    pub(super) len: u64,
    /// Whether all of it was zero-filled before; false where that is not known.
    pub(super) written: bool,
}

/// What came of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// The frames are in the log; this is the last one's index.
    At(u64),
    /// They refer to a segment that is not the active one any more; nothing was written.
    Elsewhere,
}

/// The log's segments.
pub(super) struct Log {
    state: Mutex<State>,
    /// The first index of the active segment, for who looks without the lock.
    since: AtomicU64,
}

struct State {
    active: Active,
    next_index: u64,
    closed: VecDeque<Closed>,
}

struct Active {
    file: Arc<File>,
    map: Option<Map>,
    path: PathBuf,
    first_index: u64,
    /// Where the next frame goes.
    at: u64,
    capacity: u64,
    reserve: bool,
    written: bool,
}

impl Active {
    fn is_empty(&self) -> bool {
        self.at == HEADER
    }
}

/// Makes a spare the segment that begins with `first_index`.
pub(super) fn begin(wal: &Path, spare: &Spare, header: &Header) -> Result<PathBuf, RecordError> {
    // The header first: whatever is named a segment has one.
    spare.file.write_all_at(&header.encode(), 0).doing("writing", &spare.path)?;
    let path = path(wal, header.first_index);
    std::fs::rename(&spare.path, &path).doing("renaming", &spare.path)?;
    Ok(path)
}

/// The name of the segment that begins with `first_index`.
pub(super) fn path(wal: &Path, first_index: u64) -> PathBuf {
    wal.join(format!("{first_index:016}.wal"))
}

impl Log {
    pub(super) fn new(
        first: Spare,
        path: PathBuf,
        next_index: u64,
        closed: VecDeque<Closed>,
    ) -> Self {
        let active = Active::new(first, path, next_index);
        let since = AtomicU64::new(next_index);
        Self { state: Mutex::new(State { active, next_index, closed }), since }
    }

    /// The first index of the active segment.
    pub(super) fn since(&self) -> u64 {
        self.since.load(Ordering::Acquire)
    }

    /// Writes frames, made by `frame::encode`, at the tail. `refers` is the first index of the
    /// segment that they refer to, where they do.
    pub(super) fn append(
        &self,
        shared: &Shared,
        need: Need,
        refers: Option<u64>,
        frames: &mut [u8],
    ) -> Result<Appended, RecordError> {
        let state = &mut *lock(&self.state);
        shared.commit.check()?;
        if need == Need::Open && shared.space.is_low() {
            return Err(RecordError::NoSpace);
        }
        let len = frames.len() as u64;
        let leave_reserve = state.active.reserve && shared.spares.is_ready();
        if leave_reserve || state.active.at + len > state.active.capacity {
            state.make_room(shared, need, len)?;
            self.since.store(state.active.first_index, Ordering::Release);
        }
        if refers.is_some_and(|since| since != state.active.first_index) {
            return Ok(Appended::Elsewhere);
        }
        if state.active.reserve && need != Need::Close {
            return Err(RecordError::NoSpace);
        }
        let next = frame::stamp(frames, state.next_index);
        if let Err(error) = state.active.put(frames) {
            return Err(state.active.undo(shared, len, error));
        }
        state.active.at += len;
        state.next_index = next;
        Ok(Appended::At(next - 1))
    }

    /// Closes the active segment, where it holds anything and there is another one to go on with.
    pub(super) fn rotate(&self, shared: &Shared) -> Result<(), RecordError> {
        let state = &mut *lock(&self.state);
        if state.active.is_empty() {
            return Ok(());
        }
        state.rotate(shared, Need::Continue)?;
        self.since.store(state.active.first_index, Ordering::Release);
        Ok(())
    }

    /// The oldest segment that waits to be sealed.
    pub(super) fn oldest_closed(&self) -> Option<Closed> {
        lock(&self.state).closed.front().cloned()
    }

    /// Forgets the oldest segment, which is sealed.
    pub(super) fn drop_oldest_closed(&self) {
        lock(&self.state).closed.pop_front();
    }

    /// The next index, and how many bytes wait to be sealed.
    pub(super) fn extent(&self) -> (u64, u64) {
        let state = lock(&self.state);
        let closed: u64 = state.closed.iter().map(|closed| closed.len).sum();
        (state.next_index, closed + state.active.at - HEADER)
    }

    /// The active segment's file.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&lock(&self.state).active.file)
    }
}

impl State {
    /// Finds a place for `len` bytes.
    fn make_room(&mut self, shared: &Shared, need: Need, len: u64) -> Result<(), RecordError> {
        if !self.active.is_empty() {
            self.rotate(shared, need)?;
        }
        // An entry larger than a whole segment makes its segment grow.
        let beyond = (self.active.at + len).saturating_sub(self.active.capacity);
        if beyond > 0 && (self.active.reserve || !shared.space.has(beyond)) {
            return Err(RecordError::NoSpace);
        }
        Ok(())
    }

    fn rotate(&mut self, shared: &Shared, need: Need) -> Result<(), RecordError> {
        let spare = shared.spares.take(shared, need == Need::Close)?;
        let header = Header {
            first_index: self.next_index,
            boot: shared.boot,
            created_us: now_us(),
            host: shared.host.clone(),
        };
        let path = begin(&shared.spares.wal, &spare, &header)?;
        let next = Active::new(spare, path, self.next_index);
        let file = Arc::clone(&next.file);
        let old = std::mem::replace(&mut self.active, next);
        shared.commit.rotated(old.first_index, old.file, file);
        if old.at > HEADER {
            self.closed.push_back(Closed {
                path: old.path,
                first_index: old.first_index,
                last_index: self.next_index - 1,
                len: old.at,
                written: old.written,
            });
            shared.sealer.poke();
        }
        Ok(())
    }
}

impl Active {
    fn new(spare: Spare, path: PathBuf, first_index: u64) -> Self {
        Self {
            path,
            first_index,
            at: HEADER,
            capacity: spare.capacity,
            reserve: spare.reserve,
            written: spare.written,
            // Without a place on the disk a store may need one, and can't tell of an error.
            map: if spare.written { Map::of(&spare.file) } else { None },
            file: Arc::new(spare.file),
        }
    }

    /// Writes frames at the tail.
    fn put(&mut self, frames: &[u8]) -> io::Result<()> {
        let at = self.at;
        // An entry that makes its segment grow lies beyond what was mapped.
        if self.map.as_mut().is_some_and(|map| map.put(at, frames)) {
            return Ok(());
        }
        self.file.write_all_at(frames, at)
    }

    /// A failed write may have left whole frames behind the tail. They must not come to life when
    /// a shorter write follows, so that place is zeroed; where that fails too, the log stops.
    fn undo(&self, shared: &Shared, len: u64, error: io::Error) -> RecordError {
        let end = (self.at + len).min(self.capacity);
        let zeros = vec![0; usize::try_from(end.saturating_sub(self.at)).unwrap_or(0)];
        let full = error.kind() == io::ErrorKind::StorageFull;
        let undone =
            self.file.set_len(self.capacity).and_then(|()| self.file.write_all_at(&zeros, self.at));
        if full && undone.is_ok() {
            shared.space.set_low();
            return RecordError::NoSpace;
        }
        shared.commit.fail(format!("writing {}: {error}", self.path.display()));
        RecordError::io("writing", &self.path, error)
    }
}
