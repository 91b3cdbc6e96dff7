//! Turns full segments of the log into Parquet, in a thread of its own.
//!
//! One segment at a time: its rows to files, then the carry, then the segment is a spare again. A
//! crash between two of these steps only means that the segment is sealed again, to the same files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use weir_ledger::{Carry, Joiner, Time};

use super::error::{Doing as _, RecordError};
use super::frames::Frames;
use super::log::Closed;
use super::parquet::Files;
use super::{Shared, carry, lock, now_us};

/// Rows are written out when the entries that they come from take this much.
const BATCH_BYTES: usize = 2 << 20;
/// A segment has rows of one day, two at midnight; more only where the clock jumps about, and then
/// the last of these takes the rest.
const DAYS: usize = 8;

type Answer = oneshot::Sender<Result<Sealed, RecordError>>;

/// What was sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sealed {
    /// The first entry, 0 where there was nothing to seal.
    pub first_index: u64,
    /// The last entry, 0 where there was nothing to seal.
    pub last_index: u64,
    /// Rows by table.
    pub rows: BTreeMap<String, i64>,
    /// The files.
    pub files: Vec<PathBuf>,
}

/// What the sealing thread is told, and tells.
pub(super) struct Sealer {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    asked: Vec<Answer>,
    /// A segment is full.
    full: bool,
    stop: bool,
    carry: Carry,
    sealed_us: Option<i64>,
    error: Option<String>,
}

impl Sealer {
    pub(super) fn new(carry: Carry) -> Self {
        let state = State { carry, full: true, ..State::default() };
        Self { state: Mutex::new(state), wake: Condvar::new() }
    }

    /// Asks for all that is recorded so far to be sealed.
    pub(super) async fn request(&self) -> Result<Sealed, RecordError> {
        self.ask()?.await.unwrap_or(Err(RecordError::Closed))
    }

    /// The same, blocking a thread that runs no tasks.
    pub(super) fn request_blocking(&self) -> Result<Sealed, RecordError> {
        self.ask()?.blocking_recv().unwrap_or(Err(RecordError::Closed))
    }

    fn ask(&self) -> Result<oneshot::Receiver<Result<Sealed, RecordError>>, RecordError> {
        let (sender, receiver) = oneshot::channel();
        let mut state = lock(&self.state);
        if state.stop {
            return Err(RecordError::Closed);
        }
        state.asked.push(sender);
        drop(state);
        self.wake.notify_one();
        Ok(receiver)
    }

    /// Tells that a segment is full.
    pub(super) fn poke(&self) {
        lock(&self.state).full = true;
        self.wake.notify_one();
    }

    pub(super) fn stop(&self) {
        lock(&self.state).stop = true;
        self.wake.notify_one();
    }

    /// When sealing last succeeded, and why it last failed.
    pub(super) fn last(&self) -> (Option<i64>, Option<String>) {
        let state = lock(&self.state);
        (state.sealed_us, state.error.clone())
    }

    fn stopping(&self) -> bool {
        lock(&self.state).stop
    }
}

/// The thread: seals when asked, when a segment is full, and every so often.
pub(super) fn run(shared: &Shared) {
    // Sealing is work for idle time: the flows' threads go first (on Linux this is per thread).
    if let Err(error) = rustix::process::nice(19) {
        tracing::debug!(%error, "lowering the sealer's priority");
    }
    let sealer = &shared.sealer;
    let period = Duration::from_secs(shared.config.seal_seconds);
    let mut due = Instant::now() + period;
    loop {
        let mut state = lock(&sealer.state);
        while state.asked.is_empty() && !state.full && !state.stop && Instant::now() < due {
            let left = due.saturating_duration_since(Instant::now());
            let woken = sealer.wake.wait_timeout(state, left);
            state = woken.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        if state.stop {
            state.asked.clear();
            return;
        }
        let asked = std::mem::take(&mut state.asked);
        state.full = false;
        drop(state);
        let rotate = !asked.is_empty() || Instant::now() >= due;
        let result = seal(shared, rotate);
        due = if rotate { Instant::now() + period } else { due };
        report(sealer, &result);
        for answer in asked {
            let copy = match &result {
                Ok(sealed) => Ok(sealed.clone()),
                Err(error) => Err(RecordError::Seal(error.to_string())),
            };
            // Who asked may have gone away.
            drop(answer.send(copy));
        }
    }
}

fn report(sealer: &Sealer, result: &Result<Sealed, RecordError>) {
    let mut state = lock(&sealer.state);
    match result {
        Ok(_) => {
            state.sealed_us = Some(now_us());
            state.error = None;
        }
        Err(error) => {
            tracing::error!(%error, "sealing the record");
            state.error = Some(error.to_string());
        }
    }
}

fn seal(shared: &Shared, rotate: bool) -> Result<Sealed, RecordError> {
    // Without space to rotate to, the full segments can still be sealed, which makes space.
    let rotated = if rotate { shared.log.rotate(shared) } else { Ok(()) };
    let mut sealed = Sealed::default();
    while let Some(closed) = shared.log.oldest_closed() {
        if shared.sealer.stopping() {
            break;
        }
        let carry = lock(&shared.sealer.state).carry.clone();
        let carry = segment(shared, &closed, carry, &mut sealed)?;
        carry::write(&shared.config.dir, &carry)?;
        lock(&shared.sealer.state).carry = carry;
        shared.log.drop_oldest_closed();
        shared.commit.sealed(closed.first_index);
        // It is sealed whatever becomes of its file, which the next start removes.
        if let Err(error) = shared.spares.recycle(shared, &closed) {
            tracing::warn!(%error, "using a sealed segment again");
        }
    }
    rotated.map(|()| sealed)
}

/// Seals one segment; answers with what is open at its end.
fn segment(
    shared: &Shared,
    closed: &Closed,
    carry: Carry,
    sealed: &mut Sealed,
) -> Result<Carry, RecordError> {
    let path = &closed.path;
    let damaged = |why: &str| RecordError::Damaged { path: path.clone(), why: why.to_owned() };
    let opened = Frames::open(path).doing("reading", path)?;
    let (header, mut frames) = opened.ok_or_else(|| damaged("it has no header"))?;
    let range = (closed.first_index, closed.last_index);
    let mut files = Files::new(&shared.config.dir, &header.host, range);
    let mut joiner = Joiner::new(carry);
    joiner.segment(header.boot, &header.host);
    let mut dates = vec![Time(header.created_us).date()];
    let mut date = dates[0].clone();
    while let Some(frame) = frames.next().doing("reading", path)? {
        let today = Time(frame.ts_us).date();
        if joiner.weight() > BATCH_BYTES || today != date {
            files.write(&date, &joiner.take())?;
        }
        if today != date && (dates.contains(&today) || dates.len() < DAYS) {
            date.clone_from(&today);
            dates.push(today);
        }
        joiner.feed(&frame)?;
    }
    files.write(&date, &joiner.take())?;
    if frames.next_index() != closed.last_index + 1 {
        return Err(damaged("an entry that was there is not readable any more"));
    }
    for (table, file, rows) in files.finish()? {
        *sealed.rows.entry(table.name().to_owned()).or_default() += rows;
        sealed.files.push(file);
    }
    if sealed.first_index == 0 {
        sealed.first_index = closed.first_index;
    }
    sealed.last_index = closed.last_index;
    Ok(joiner.carry().clone())
}
