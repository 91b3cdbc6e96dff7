//! The lives of the gateway: what numbers rows, links each to the one before, and lets the next life
//! say when the last one was last alive.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weir_model::entry::Coverage;

/// What the next life is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Before {
    /// When it was last alive.
    pub(super) at_us: i64,
    /// Whether it stopped in order.
    pub(super) stopped: bool,
}

/// One life.
pub(super) struct Life {
    path: PathBuf,
    began_us: i64,
    seq: i64,
    previous: String,
    before: Option<Before>,
    stopped: bool,
}

impl Life {
    /// Begins one, and finds what the last one left.
    pub(super) fn begin(state: &Path, now_us: i64) -> Self {
        let path = state.join("life.json");
        let before = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { path, began_us: now_us, seq: 0, previous: String::new(), before, stopped: false }
    }

    /// The life before.
    pub(super) fn before(&self) -> Option<Before> {
        self.before
    }

    /// Gives a row its place.
    pub(super) fn number(&mut self, coverage: &mut Coverage) {
        self.seq += 1;
        coverage.life = self.began_us;
        coverage.seq = self.seq;
        coverage.previous.clone_from(&self.previous);
    }

    /// Remembers what was signed last.
    pub(super) fn wrote(&mut self, link: String, at_us: i64) {
        self.previous = link;
        self.alive(at_us);
    }

    /// Says that it is alive; what it has said at its end stands.
    pub(super) fn alive(&self, at_us: i64) {
        if !self.stopped {
            self.keep(Before { at_us, stopped: false });
        }
    }

    /// Says that it ends in order.
    pub(super) fn stop(&mut self, at_us: i64) {
        self.stopped = true;
        self.keep(Before { at_us, stopped: true });
    }

    /// It does not end after all.
    pub(super) fn go_on(&mut self) {
        self.stopped = false;
    }

    fn keep(&self, before: Before) {
        let temporary = self.path.with_extension("json.new");
        let kept = serde_json::to_vec(&before)
            .map_err(std::io::Error::other)
            .and_then(|text| fs::write(&temporary, text))
            .and_then(|()| fs::rename(&temporary, &self.path));
        if let Err(error) = kept {
            tracing::error!(%error, "keeping the time of this life");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_next_life_knows_how_the_last_one_ended() {
        let state = tempfile::tempdir().unwrap();
        let mut first = Life::begin(state.path(), 1);
        assert_eq!(first.before(), None);
        first.wrote("x".to_owned(), 5);
        let mut second = Life::begin(state.path(), 9);
        assert_eq!(second.before(), Some(Before { at_us: 5, stopped: false }));
        second.stop(11);
        second.alive(12);
        let third = Life::begin(state.path(), 12);
        assert_eq!(third.before(), Some(Before { at_us: 11, stopped: true }));
        second.go_on();
        second.alive(13);
        let fourth = Life::begin(state.path(), 14);
        assert_eq!(fourth.before(), Some(Before { at_us: 13, stopped: false }));
    }

    #[test]
    fn rows_are_numbered_and_linked() {
        let state = tempfile::tempdir().unwrap();
        let mut life = Life::begin(state.path(), 1);
        let mut coverage = Coverage::default();
        life.number(&mut coverage);
        assert_eq!((coverage.life, coverage.seq, coverage.previous.as_str()), (1, 1, ""));
        life.wrote("abc".to_owned(), 2);
        life.number(&mut coverage);
        assert_eq!((coverage.seq, coverage.previous.as_str()), (2, "abc"));
    }
}
