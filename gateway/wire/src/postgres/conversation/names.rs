//! Prepared statements or portals by name, as the target will see them.
//!
//! A client may use a name before the target has confirmed it (pipelining). Proposals stand above
//! what is confirmed, and fall away when the target reports an error, because it then discards
//! everything up to the next Sync.

use std::collections::HashMap;
use std::rc::Rc;

use weir_model::limits;

pub(super) struct Names<T> {
    confirmed: HashMap<Vec<u8>, Rc<T>>,
    proposed: HashMap<Vec<u8>, (u64, Option<Rc<T>>)>,
    next: u64,
    /// Proposals up to this one confirm nothing any more: SQL may have touched their names since.
    barrier: u64,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { confirmed: HashMap::new(), proposed: HashMap::new(), next: 0, barrier: 0 }
    }
}

impl<T> Names<T> {
    pub(super) fn get(&self, name: &[u8]) -> Option<Rc<T>> {
        match self.proposed.get(name) {
            Some((_, proposal)) => proposal.clone(),
            None => self.confirmed.get(name).cloned(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.confirmed.len() + self.proposed.len() >= limits::PREPARED
    }

    /// Notes what a name will mean (`None`: it is closed) once the target confirms it.
    pub(super) fn propose(&mut self, name: &[u8], value: Option<Rc<T>>) -> u64 {
        self.next += 1;
        self.proposed.insert(name.to_vec(), (self.next, value));
        self.next
    }

    /// The target confirmed a proposal.
    pub(super) fn confirm(&mut self, name: &[u8], proposal: u64, value: Option<Rc<T>>) {
        if self.proposed.get(name).is_some_and(|(latest, _)| *latest == proposal) {
            self.proposed.remove(name);
        }
        match value {
            Some(value) if proposal > self.barrier => {
                self.confirmed.insert(name.to_vec(), value);
            }
            Some(_) | None => {
                self.confirmed.remove(name);
            }
        }
    }

    /// SQL touched a name (`None`: any): what the target has under it is not known any more, not
    /// even where a confirmation of something older is still on its way.
    pub(super) fn undefine(&mut self, name: Option<&[u8]>) {
        self.barrier = self.next;
        match name {
            Some(name) => {
                self.proposed.remove(name);
                self.confirmed.remove(name);
            }
            None => {
                self.proposed.clear();
                self.confirmed.clear();
            }
        }
    }

    pub(super) fn roll_back(&mut self) {
        self.proposed.clear();
    }

    /// Forgets everything that is confirmed.
    pub(super) fn forget(&mut self) {
        self.confirmed.clear();
    }
}
