//! Turns entries into frames and puts them at the log's tail, what repeats only once per segment.

use std::cell::RefCell;
use std::sync::atomic::Ordering;

use weir_ledger::frame;
use weir_model::Entry;

use super::error::RecordError;
use super::log::{Appended, Need};
use super::{Class, Shared, now_us};

/// An encode buffer that grew beyond this is given back.
const BUFFER_KEPT: usize = 1 << 20;

impl Shared {
    /// Writes entries; answers with the last one's index.
    pub(super) fn write(
        &self,
        class: Class,
        items: &[(&Entry, &[u8])],
    ) -> Result<u64, RecordError> {
        thread_local! {
            static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let need = items.iter().map(|(entry, _)| Need::of(entry)).max().unwrap_or(Need::Close);
        let ts_us = now_us();
        BUFFER.with_borrow_mut(|buffer| {
            let mut attempt = |since| -> Result<Appended, RecordError> {
                buffer.clear();
                for (entry, body) in items {
                    frame::encode(buffer, class, ts_us, since, entry, body)?;
                }
                let repeats = items.iter().any(|(entry, _)| frame::repeats(entry, since));
                let appended = self.log.append(self, need, repeats.then_some(since), buffer)?;
                if let Appended::At(last) = appended {
                    remember(items, since, last);
                }
                Ok(appended)
            };
            let written = match attempt(self.log.since()) {
                // The segment that has what would be repeated was left meanwhile.
                Ok(Appended::Elsewhere) => attempt(u64::MAX),
                written => written,
            };
            if buffer.capacity() > BUFFER_KEPT {
                *buffer = Vec::new();
            }
            match written? {
                Appended::At(last) => Ok(last),
                Appended::Elsewhere => Err(RecordError::Closed),
            }
        })
    }

    /// Writes frames that are encoded and whole; answers with the last one's index.
    pub(super) fn write_frames(&self, need: Need, frames: &mut [u8]) -> Result<u64, RecordError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(RecordError::Closed);
        }
        match self.log.append(self, need, None, frames)? {
            Appended::At(last) => Ok(last),
            Appended::Elsewhere => Err(RecordError::Closed),
        }
    }
}

/// Notes where judgements that were written in full are, so that later requests refer to them.
fn remember(items: &[(&Entry, &[u8])], since: u64, last: u64) {
    for (index, (entry, _)) in (0..=last).rev().zip(items.iter().rev()) {
        if let Entry::Asked(asked) = entry
            && !frame::repeats(entry, since)
        {
            asked.judged.kept.at(index);
        }
    }
}
