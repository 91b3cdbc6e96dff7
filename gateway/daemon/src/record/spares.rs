//! Segments kept ready: preallocated and zero-filled, so that fdatasync has no metadata to write.
//!
//! `spare.<n>` and `reserve` hold zeros only; `dirty.<n>` is being made and goes at the next start.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::error::{Doing as _, RecordError};
use super::log::Closed;
use super::{Shared, lock};

/// So many are kept: one to rotate to while another one is being sealed.
const KEPT: usize = 2;
/// What takes refusals when there is no space for anything else.
pub(super) const RESERVE_BYTES: u64 = 1 << 20;
const CHUNK: usize = 1 << 20;
const LOOK: Duration = Duration::from_secs(1);

/// A segment of zeros.
pub(super) struct Spare {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) capacity: u64,
    pub(super) reserve: bool,
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
    stop: bool,
}

impl Spares {
    /// Takes over what an earlier life left in `wal`.
    pub(super) fn open(wal: &Path, segment_bytes: u64) -> Result<Self, RecordError> {
        let mut state = State { ready: Vec::new(), reserve: None, number: 0, stop: false };
        for entry in std::fs::read_dir(wal).doing("listing", wal)? {
            let path = entry.doing("listing", wal)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (capacity, reserve) = match name.split_once('.') {
                Some(("spare", _)) => (segment_bytes, false),
                None if name == "reserve" => (RESERVE_BYTES, true),
                Some(("dirty", _)) => (0, false),
                _ => continue,
            };
            match reuse(&path, capacity).doing("opening", &path)? {
                Some(file) if reserve => {
                    state.reserve = Some(Spare { file, path, capacity, reserve });
                }
                Some(file) if state.ready.len() < KEPT => {
                    let number = name.rsplit('.').next().and_then(|text| text.parse().ok());
                    state.number = state.number.max(number.unwrap_or(0) + 1);
                    state.ready.push(Spare { file, path, capacity, reserve });
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
            return Ok(spare);
        }
        if shared.space.has(self.segment_bytes) {
            match self.make(false) {
                Err(RecordError::Io { source, .. })
                    if source.kind() == io::ErrorKind::StorageFull => {}
                made => return made,
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

    /// The first segment of this life, and the reserve, made where they are missing.
    pub(super) fn first(&self) -> Result<Spare, RecordError> {
        let missing = lock(&self.state).reserve.is_none();
        if missing {
            let reserve = self.make(true)?;
            lock(&self.state).reserve = Some(reserve);
        }
        self.ready().map_or_else(|| self.make(false), Ok)
    }

    /// Gives a sealed segment back: its bytes are zeroed, and it is a spare again.
    pub(super) fn recycle(&self, shared: &Shared, closed: &Closed) -> Result<(), RecordError> {
        let path = &closed.path;
        let len = std::fs::metadata(path).doing("looking at", path)?.len();
        let state = lock(&self.state);
        let wanted = if len == RESERVE_BYTES && state.reserve.is_none() {
            Some(true)
        } else if len == self.segment_bytes && state.ready.len() < KEPT {
            Some(false)
        } else {
            None
        };
        let ready = state.ready.len();
        drop(state);
        let Some(reserve) =
            wanted.filter(|reserve| *reserve || ready == 0 || !shared.space.is_low())
        else {
            return std::fs::remove_file(path).doing("removing", path);
        };
        let dirty = self.name("dirty");
        std::fs::rename(path, &dirty).doing("renaming", path)?;
        let file = open(&dirty).doing("opening", &dirty)?;
        zero(&file, closed.len).doing("zeroing", &dirty)?;
        self.keep(dirty, file, reserve).map(|spare| self.put(spare))
    }

    fn make(&self, reserve: bool) -> Result<Spare, RecordError> {
        let path = self.name("dirty");
        let capacity = if reserve { RESERVE_BYTES } else { self.segment_bytes };
        let file = open(&path).doing("creating", &path)?;
        if let Err(error) = zero(&file, capacity) {
            std::fs::remove_file(&path).doing("removing", &path)?;
            return Err(RecordError::io("zeroing", &path, error));
        }
        self.keep(path, file, reserve)
    }

    /// Names a file of zeros for what it is.
    fn keep(&self, from: PathBuf, file: File, reserve: bool) -> Result<Spare, RecordError> {
        let path = if reserve { self.wal.join("reserve") } else { self.name("spare") };
        file.sync_all().doing("syncing", &from)?;
        std::fs::rename(&from, &path).doing("renaming", &from)?;
        let capacity = if reserve { RESERVE_BYTES } else { self.segment_bytes };
        Ok(Spare { file, path, capacity, reserve })
    }

    fn put(&self, spare: Spare) {
        let mut state = lock(&self.state);
        if spare.reserve {
            state.reserve = Some(spare);
        } else {
            state.ready.push(spare);
        }
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
            self.make(false).map(|spare| self.put(spare))?;
        }
        if !reserve && shared.space.has(RESERVE_BYTES) {
            self.make(true).map(|spare| self.put(spare))?;
        }
        Ok(())
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

/// Opens what should be zeros, where it has the size; a header means that it was being taken.
fn reuse(path: &Path, capacity: u64) -> io::Result<Option<File>> {
    let file = open(path)?;
    let mut head = [0; 4096];
    if capacity == 0 || file.metadata()?.len() != capacity || file.read_at(&mut head, 0)? == 0 {
        return Ok(None);
    }
    Ok((head == [0; 4096]).then_some(file))
}

/// Writes zeros, syncing as it goes so that a log beside it does not wait for all of them at once.
fn zero(file: &File, len: u64) -> io::Result<()> {
    let zeros = vec![0; CHUNK];
    let mut at = 0;
    while at < len {
        let count = (len - at).min(CHUNK as u64);
        file.write_all_at(&zeros[..count as usize], at)?;
        file.sync_data()?;
        at += count;
    }
    Ok(())
}
