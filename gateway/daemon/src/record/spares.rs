//! Segments kept ready: preallocated and zero-filled, so that fdatasync has no metadata to write.
//!
//! Writing zeros takes as long as writing the log does. Where segments fill faster than they can be made
//! so, one has its blocks allocated and nothing else: it reads as zeros, and is zero-filled when it is
//! quiet.
//!
//! `spare.<n>` and `reserve` are zero-filled, `blank.<n>` is allocated; `dirty.<n>`, which is being made,
//! goes at the next start.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, retry_on_intr};
use weir_ledger::segment::{HEADER_BYTES, Header};

use super::error::{Doing as _, RecordError};
use super::log::{self, Closed};
use super::map::writes_in_place;
use super::{Shared, lock};

/// So many are kept: one to rotate to while another one is being sealed.
const KEPT: usize = 2;
/// What takes refusals when there is no space for anything else.
pub(super) const RESERVE_BYTES: u64 = 1 << 20;
const CHUNK: usize = 1 << 20;
const LOOK: Duration = Duration::from_secs(1);

/// A segment that reads as zeros.
pub(super) struct Spare {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) capacity: u64,
    pub(super) reserve: bool,
    /// Whether its zeros were written.
    pub(super) written: bool,
}

/// How a segment is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Make {
    /// Zero-filled, for when there is no space.
    Reserve,
    /// Zero-filled.
    Written,
    /// At once, where the file system can.
    Blank,
}

/// The segments kept ready.
pub(super) struct Spares {
    pub(super) wal: PathBuf,
    segment_bytes: u64,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    ready: Vec<Spare>,
    reserve: Option<Spare>,
    number: u64,
    /// When segments were last taken, the latest last.
    taken: [Option<Instant>; 2],
    stop: bool,
}

impl State {
    /// Whether segments are taken one upon the other, so that writing zeros is in the way.
    fn is_busy(&self) -> bool {
        let [Some(before), Some(last)] = self.taken else { return false };
        last.duration_since(before) < LOOK && last.elapsed() < LOOK
    }
}

impl Spares {
    /// Takes over what an earlier life left in `wal`.
    pub(super) fn open(wal: &Path, segment_bytes: u64) -> Result<Self, RecordError> {
        let mut state =
            State { ready: Vec::new(), reserve: None, number: 0, taken: [None; 2], stop: false };
        for entry in std::fs::read_dir(wal).doing("listing", wal)? {
            let path = entry.doing("listing", wal)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (capacity, reserve, written) = match name.split_once('.') {
                Some(("spare", _)) => (segment_bytes, false, true),
                Some(("blank", _)) => (segment_bytes, false, false),
                None if name == "reserve" => (RESERVE_BYTES, true, true),
                Some(("dirty", _)) => (0, false, false),
                _ => continue,
            };
            match reuse(wal, &path, capacity).doing("opening", &path)? {
                Reuse::Segment => {}
                Reuse::Zeros(file) if reserve => {
                    state.reserve = Some(Spare { file, path, capacity, reserve, written });
                }
                Reuse::Zeros(file) if state.ready.len() < KEPT => {
                    let number = name.rsplit('.').next().and_then(|text| text.parse().ok());
                    state.number = state.number.max(number.unwrap_or(0) + 1);
                    // The last one is taken first.
                    let place = if written { state.ready.len() } else { 0 };
                    state.ready.insert(place, Spare { file, path, capacity, reserve, written });
                }
                _ => std::fs::remove_file(&path).doing("removing", &path)?,
            }
        }
        let wal = wal.to_owned();
        Ok(Self { wal, segment_bytes, state: Mutex::new(state), wake: Condvar::new() })
    }

    /// Whether a rotation would find a segment at once.
    pub(super) fn is_ready(&self) -> bool {
        !lock(&self.state).ready.is_empty()
    }

    /// A spare; made here and now where none is ready, or the reserve where there is no space.
    pub(super) fn take(&self, shared: &Shared, or_reserve: bool) -> Result<Spare, RecordError> {
        if let Some(spare) = self.ready() {
            self.note_taken();
            return Ok(spare);
        }
        if shared.space.has(self.segment_bytes) {
            match self.make(Make::Blank) {
                Err(RecordError::Io { source, .. })
                    if source.kind() == io::ErrorKind::StorageFull => {}
                made => {
                    self.note_taken();
                    return made;
                }
            }
        }
        let reserve = if or_reserve { lock(&self.state).reserve.take() } else { None };
        reserve.ok_or(RecordError::NoSpace)
    }

    fn ready(&self) -> Option<Spare> {
        let spare = lock(&self.state).ready.pop();
        self.wake.notify_one();
        spare
    }

    fn note_taken(&self) {
        let mut state = lock(&self.state);
        state.taken = [state.taken[1], Some(Instant::now())];
    }

    /// The first segment of this life, and the reserve, made where they are missing.
    pub(super) fn first(&self) -> Result<Spare, RecordError> {
        let missing = lock(&self.state).reserve.is_none();
        if missing {
            let reserve = self.make(Make::Reserve)?;
            lock(&self.state).reserve = Some(reserve);
        }
        self.ready().map_or_else(|| self.make(Make::Written), Ok)
    }

    /// Gives a sealed segment back: its bytes are zeroed, and it is a spare again, unless that would be in
    /// the way.
    pub(super) fn recycle(&self, shared: &Shared, closed: &Closed) -> Result<(), RecordError> {
        let path = &closed.path;
        let len = std::fs::metadata(path).doing("looking at", path)?.len();
        let state = lock(&self.state);
        let wanted = if len == RESERVE_BYTES && state.reserve.is_none() {
            Some(Make::Reserve)
        } else if len == self.segment_bytes && state.ready.len() < KEPT {
            // What it had no entries for is as blank as before.
            Some(if closed.written { Make::Written } else { Make::Blank })
        } else {
            None
        };
        // Where space is low, what is removed is not to be had again.
        let keeps = match (shared.space.is_low(), state.ready.is_empty()) {
            (true, last) => last,
            (false, _) => !state.is_busy(),
        };
        drop(state);
        let Some(how) = wanted.filter(|how| *how == Make::Reserve || keeps) else {
            return std::fs::remove_file(path).doing("removing", path);
        };
        let dirty = self.name("dirty");
        std::fs::rename(path, &dirty).doing("renaming", path)?;
        let file = open(&dirty).doing("opening", &dirty)?;
        let count = if how == Make::Reserve { len } else { closed.len };
        or_removed(&dirty, zero(&file, count))?;
        self.keep(dirty, file, how).map(|spare| self.put(spare))
    }

    fn make(&self, how: Make) -> Result<Spare, RecordError> {
        let path = self.name("dirty");
        let capacity = self.capacity(how);
        let file = open(&path).doing("creating", &path)?;
        let made = match how {
            Make::Blank => allocate(&file, capacity),
            Make::Reserve | Make::Written => zero(&file, capacity).map(|()| how),
        };
        let how = or_removed(&path, made)?;
        self.keep(path, file, how)
    }

    fn capacity(&self, how: Make) -> u64 {
        if how == Make::Reserve { RESERVE_BYTES } else { self.segment_bytes }
    }

    /// Names a file that reads as zeros for what it is.
    fn keep(&self, from: PathBuf, file: File, how: Make) -> Result<Spare, RecordError> {
        let path = match how {
            Make::Reserve => self.wal.join("reserve"),
            Make::Written => self.name("spare"),
            Make::Blank => self.name("blank"),
        };
        // One that is blank is what it is with the first commit of what is written to it.
        let synced = if how == Make::Blank { Ok(()) } else { file.sync_all() };
        or_removed(&from, synced.and_then(|()| std::fs::rename(&from, &path)))?;
        let (reserve, written) = (how == Make::Reserve, how != Make::Blank);
        Ok(Spare { file, path, capacity: self.capacity(how), reserve, written })
    }

    fn put(&self, spare: Spare) {
        let mut state = lock(&self.state);
        match (spare.reserve, spare.written) {
            (true, _) => state.reserve = Some(spare),
            (false, true) => state.ready.push(spare),
            (false, false) => state.ready.insert(0, spare),
        }
    }

    /// Takes a segment out whose zeros are to be written now.
    fn blank(&self) -> Option<Spare> {
        let mut state = lock(&self.state);
        // Where nothing is overwritten in place, written zeros are of no use.
        let may = |spare: &Spare| !spare.written && writes_in_place(&spare.file);
        let place = state.ready.iter().position(may);
        place.filter(|_| !state.is_busy()).map(|place| state.ready.remove(place))
    }

    fn name(&self, kind: &str) -> PathBuf {
        let mut state = lock(&self.state);
        state.number += 1;
        self.wal.join(format!("{kind}.{}", state.number))
    }

    pub(super) fn stop(&self) {
        lock(&self.state).stop = true;
        self.wake.notify_one();
    }

    fn replenish(&self, shared: &Shared) -> Result<(), RecordError> {
        let (ready, reserve) = {
            let state = lock(&self.state);
            (state.ready.len(), state.reserve.is_some())
        };
        if ready == 0 && shared.space.has(self.segment_bytes) {
            self.make(Make::Blank).map(|spare| self.put(spare))?;
        }
        if !reserve && shared.space.has(RESERVE_BYTES) {
            self.make(Make::Reserve).map(|spare| self.put(spare))?;
        }
        if let Some(spare) = self.blank() {
            self.fill(spare)?;
        }
        Ok(())
    }

    /// Writes a blank one's zeros; it is blank still where this is to stop.
    fn fill(&self, spare: Spare) -> Result<(), RecordError> {
        for at in (0..spare.capacity).step_by(CHUNK) {
            if lock(&self.state).stop {
                self.put(spare);
                return Ok(());
            }
            let count = (spare.capacity - at).min(CHUNK as u64);
            or_removed(&spare.path, zero_at(&spare.file, at, count))?;
        }
        self.keep(spare.path, spare.file, Make::Written).map(|spare| self.put(spare))
    }
}

/// The thread: keeps a spare and the reserve ready, and looks at the space.
pub(super) fn run(shared: &Shared) {
    let spares = &shared.spares;
    loop {
        shared.space.look();
        if let Err(error) = spares.replenish(shared) {
            tracing::warn!(%error, "making a spare segment");
        }
        let state = lock(&spares.state);
        if state.stop {
            return;
        }
        drop(spares.wake.wait_timeout(state, LOOK));
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// What a file that should be zeros is.
enum Reuse {
    /// That, of the right size.
    Zeros(File),
    /// A segment whose name was lost with power; it has its name again.
    Segment,
    Nothing,
}

/// Opens what should be zeros. A header means that it was being taken, or is in use.
fn reuse(wal: &Path, path: &Path, capacity: u64) -> io::Result<Reuse> {
    let file = open(path)?;
    let mut head = [0; HEADER_BYTES];
    if capacity == 0 || file.metadata()?.len() < capacity || file.read_at(&mut head, 0)? == 0 {
        return Ok(Reuse::Nothing);
    }
    if let Some(header) = Header::decode(&head) {
        let name = log::path(wal, header.first_index);
        // Of two the one with the name was written to.
        return match name.try_exists()? {
            true => Ok(Reuse::Nothing),
            false => std::fs::rename(path, name).map(|()| Reuse::Segment),
        };
    }
    let zeros = head == [0; HEADER_BYTES] && file.metadata()?.len() == capacity;
    Ok(if zeros { Reuse::Zeros(file) } else { Reuse::Nothing })
}

/// Keeps no file that could not be made.
fn or_removed<T>(path: &Path, made: io::Result<T>) -> Result<T, RecordError> {
    made.or_else(|error| {
        std::fs::remove_file(path).doing("removing", path)?;
        Err(RecordError::io("zeroing", path, error))
    })
}

/// Gives a file its blocks, which read as zeros; writes these where the file system can't.
fn allocate(file: &File, len: u64) -> io::Result<Make> {
    match retry_on_intr(|| fallocate(file, FallocateFlags::empty(), 0, len)) {
        Ok(()) => Ok(Make::Blank),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => zero(file, len).map(|()| Make::Written),
        Err(error) => Err(error.into()),
    }
}

/// Writes zeros, syncing as it goes so that a log beside it does not wait for all of them at once.
fn zero(file: &File, len: u64) -> io::Result<()> {
    for at in (0..len).step_by(CHUNK) {
        zero_at(file, at, (len - at).min(CHUNK as u64))?;
    }
    Ok(())
}

/// Writes at most `CHUNK` zeros.
fn zero_at(file: &File, at: u64, count: u64) -> io::Result<()> {
    static ZEROS: [u8; CHUNK] = [0; CHUNK];
    file.write_all_at(&ZEROS[..count as usize], at)?;
    file.sync_data()
}
