//! Memory for large messages: counted per session and in all, so that half-sent ones don't add up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_model::limits;

/// Bytes of which no more may be taken than there are.
#[derive(Debug)]
pub struct Memory {
    left: AtomicUsize,
}

impl Memory {
    /// What all sessions may take together.
    pub fn of_all() -> Self {
        Self { left: AtomicUsize::new(limits::LARGE_BYTES) }
    }

    /// What one session may take.
    pub fn of_session() -> Self {
        Self { left: AtomicUsize::new(limits::LARGE_BYTES_PER_SESSION) }
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = |left: usize| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    fn give(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What one buffer holds of both; dropping it gives it back.
#[derive(Debug)]
pub struct Share {
    session: Arc<Memory>,
    all: Arc<Memory>,
    held: usize,
}

impl Share {
    /// Nothing yet.
    pub fn new(session: &Arc<Memory>, all: &Arc<Memory>) -> Self {
        Self { session: session.clone(), all: all.clone(), held: 0 }
    }

    /// Holds `bytes` from now on, more or less than before; false where there are not so many.
    pub fn hold(&mut self, bytes: usize) -> bool {
        if let Some(more) = bytes.checked_sub(self.held) {
            if !self.session.take(more) {
                return false;
            }
            if !self.all.take(more) {
                self.session.give(more);
                return false;
            }
        } else {
            self.session.give(self.held - bytes);
            self.all.give(self.held - bytes);
        }
        self.held = bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.hold(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back() {
        let all = Arc::new(Memory::of_all());
        let session = Arc::new(Memory::of_session());
        let (mut one, mut two) = (Share::new(&session, &all), Share::new(&session, &all));
        assert!(one.hold(limits::LARGE_BYTES_PER_SESSION - 10));
        assert!(two.hold(10) && !two.hold(11));
        assert!(one.hold(0) && two.hold(11));
        drop((one, two));
        assert_eq!(session.left.load(Ordering::Relaxed), limits::LARGE_BYTES_PER_SESSION);
        assert_eq!(all.left.load(Ordering::Relaxed), limits::LARGE_BYTES);
    }

    #[test]
    fn no_session_takes_what_others_have() {
        let all = Arc::new(Memory::of_all());
        let mut shares = Vec::new();
        for _ in 0..=limits::LARGE_BYTES / limits::LARGE_BYTES_PER_SESSION {
            shares.push(Share::new(&Arc::new(Memory::of_session()), &all));
        }
        let held = shares
            .iter_mut()
            .filter_map(|share| share.hold(limits::LARGE_BYTES_PER_SESSION).then_some(()));
        assert_eq!(held.count(), limits::LARGE_BYTES / limits::LARGE_BYTES_PER_SESSION);
    }
}
