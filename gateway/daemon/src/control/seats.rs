//! Connections at a time, so that no user can keep the others out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use weir_model::limits;

/// Who has how many connections open.
#[derive(Clone, Default)]
pub(super) struct Seats(Rc<RefCell<HashMap<u32, usize>>>);

/// A place, as long as it lives.
pub(super) struct Seat {
    seats: Seats,
    uid: u32,
}

impl Seats {
    /// A place for one more connection of a user.
    pub(super) fn take(&self, uid: u32) -> Option<Seat> {
        let mut taken = self.0.borrow_mut();
        let others: usize = taken.iter().filter(|(uid, _)| **uid != 0).map(|(_, n)| n).sum();
        let mine = taken.get(&uid).copied().unwrap_or(0);
        // Root has as many seats as all others together, so that an operator always finds one.
        let free = match uid {
            0 => mine < limits::CONTROL_CONNECTIONS / 2,
            _ => {
                mine < limits::CONTROL_CONNECTIONS_PER_USER
                    && others < limits::CONTROL_CONNECTIONS / 2
            }
        };
        if !free {
            return None;
        }
        taken.insert(uid, mine + 1);
        Some(Seat { seats: self.clone(), uid })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.borrow_mut();
        if let Some(count) = taken.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.uid);
            }
        }
    }
}
