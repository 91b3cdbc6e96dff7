//! How many queries are being answered: bounded in all and for each session, so that one agent can't
//! take the others' share.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use weir_model::{SessionId, limits};

/// The queries that are being answered.
#[derive(Default)]
pub struct Load(Mutex<HashMap<SessionId, usize>>);

/// One of them, until it is dropped.
pub struct Asking<'a> {
    load: &'a Load,
    session: SessionId,
}

impl Load {
    /// One more of a session's, if there is room.
    pub fn begin(&self, session: SessionId) -> Option<Asking<'_>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.values().sum::<usize>() >= limits::DNS_QUERIES {
            return None;
        }
        let own = all.entry(session).or_default();
        if *own >= limits::DNS_QUERIES_PER_SESSION {
            return None;
        }
        *own += 1;
        Some(Asking { load: self, session })
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut all = self.load.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&self.session) {
            *own -= 1;
            if *own == 0 {
                all.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_asks_too_much_leaves_room_for_others() {
        let load = Load::default();
        let [greedy, modest] = [1, 2].map(|n| SessionId::from_parts(n, 1));
        let many: Vec<_> =
            (0..limits::DNS_QUERIES_PER_SESSION).filter_map(|_| load.begin(greedy)).collect();
        assert_eq!(many.len(), limits::DNS_QUERIES_PER_SESSION);
        assert!(load.begin(greedy).is_none());
        assert!(load.begin(modest).is_some());
        drop(many);
        assert!(load.begin(greedy).is_some());
    }
}
