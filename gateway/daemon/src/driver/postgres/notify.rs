//! Notifications on targets with masked columns: a payload has no origin, and a trigger may have made it of
//! anything. So it is hidden, unless the session wrote it itself, or the channel is configured as clear.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::PoisonError;

use weir_classify::Said;
use weir_model::limits;
use weir_wire::postgres::lists::Cells;

use super::judged::Judged;
use super::lane::Lane;
use super::shape;

/// What stands in the place of a payload.
pub const HIDDEN: &[u8] = b"[hidden by weir]";

/// Notifications that a session wrote itself, the latest; as keyed digests.
#[derive(Debug, Default)]
pub struct Written {
    digests: VecDeque<u64>,
    key: RandomState,
}

impl Written {
    fn note(&mut self, channel: &[u8], payload: &[u8]) {
        let digest = self.key.hash_one((channel, payload));
        self.digests.retain(|known| *known != digest);
        if self.digests.len() >= limits::NOTIFIED {
            self.digests.pop_front();
        }
        self.digests.push_back(digest);
    }

    fn has(&self, channel: &[u8], payload: &[u8]) -> bool {
        self.digests.contains(&self.key.hash_one((channel, payload)))
    }
}

impl Lane {
    /// Notes the notifications that a statement writes, before it goes to the target.
    pub fn note_notifications(&self, judged: &Judged, parameters: Cells<'_>) {
        for (channel, payload) in &judged.facts.notifies {
            if let (Some(channel), Some(payload)) =
                (text(channel, parameters), text(payload, parameters))
            {
                let mut written =
                    self.session.written.lock().unwrap_or_else(PoisonError::into_inner);
                written.note(channel, payload);
            }
        }
    }

    /// Whether a notification's payload may hold what is masked.
    pub fn hides_notification(&self, channel: &[u8], payload: &[u8]) -> bool {
        let clear = self.config.clear_channels.iter().any(|clear| clear.as_bytes() == channel);
        if payload.is_empty() || clear || !self.masks_anything() {
            return false;
        }
        let written = self.session.written.lock().unwrap_or_else(PoisonError::into_inner);
        !written.has(channel, payload)
    }

    /// Whether any column of the database is masked from the caller; so where that is not known.
    fn masks_anything(&self) -> bool {
        let (known, live) = (self.catalogue.borrow().clone(), self.live());
        let mut sensitive = known.classified().peekable();
        if sensitive.peek().is_none() {
            return known.classifies();
        }
        sensitive.any(|(column, classes)| shape::is_hidden(self, &live, column, classes))
    }
}

fn text<'a>(said: &'a Said, parameters: Cells<'a>) -> Option<&'a [u8]> {
    match said {
        Said::Text(text) => Some(text.as_bytes()),
        Said::Parameter(place) => parameters.get(*place).flatten(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_are_known_each_on_its_own_channel() {
        let mut written = Written::default();
        written.note(b"jobs", b"first");
        assert!(written.has(b"jobs", b"first") && !written.has(b"job", b"sfirst"));
        for number in 0..limits::NOTIFIED {
            written.note(b"jobs", number.to_string().as_bytes());
        }
        assert!(!written.has(b"jobs", b"first") && written.has(b"jobs", b"0"));
    }
}
