//! How soon a binding may ask again for what was not found.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Looking for network namespaces takes time that other bindings need.
const PAUSE: Duration = Duration::from_millis(250);

/// Bindings that asked in vain, and when.
#[derive(Default)]
pub struct Patience {
    failed: RefCell<HashMap<u64, Instant>>,
}

impl Patience {
    /// Runs it, unless the binding asked in vain just now.
    pub fn ask<E>(
        &self,
        binding: u64,
        now: Instant,
        look: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let waits = |last: &Instant| now.saturating_duration_since(*last) < PAUSE;
        if self.failed.borrow().get(&binding).is_some_and(waits) {
            return Ok(());
        }
        let found = look();
        let mut failed = self.failed.borrow_mut();
        failed.retain(|_, last| waits(last));
        match found {
            Ok(()) => drop(failed.remove(&binding)),
            Err(_) => drop(failed.insert(binding, now)),
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_in_vain_waits_and_nobody_else() {
        let patience = Patience::default();
        let begin = Instant::now();
        let asked = |binding, after: u64, found: Result<(), ()>| {
            let mut looked = false;
            let _ = patience.ask(binding, begin + Duration::from_millis(after), || {
                looked = true;
                found
            });
            looked
        };
        assert!(asked(1, 0, Err(())));
        assert!(!asked(1, 249, Ok(())));
        assert!(asked(2, 249, Err(())));
        assert!(asked(1, 250, Ok(())));
        assert!(asked(1, 251, Err(())), "what was found may be asked for again at once");
        assert!(!asked(1, 300, Ok(())));
    }
}
