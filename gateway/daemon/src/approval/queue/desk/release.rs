//! Leaving all tickets to another gateway, and taking them back.

use super::super::QueueError;
use super::{Desk, StoreError};

impl Desk {
    /// Leaves all tickets to another gateway, where nobody waits in the wire; else so many do.
    pub(in super::super) fn release(&mut self) -> Result<usize, StoreError> {
        let waiting = self.open.values().map(|slot| slot.waiters.len()).sum();
        if waiting == 0 {
            self.save()?;
            self.released = true;
        }
        Ok(waiting)
    }

    /// Takes the tickets back: those of the file are the same.
    pub(in super::super) fn reclaim(&mut self) {
        self.released = false;
        self.dirty = true;
    }

    /// Fails where another gateway keeps the tickets.
    pub(super) fn check(&self) -> Result<(), QueueError> {
        if self.released { Err(QueueError::Released) } else { Ok(()) }
    }
}
