//! What the tokens stand for that a session was given: the way back, since a token can't be inverted.
//!
//! Bounded, the oldest forgotten first; values are wiped when they are forgotten.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use weir_model::limits;
use zeroize::Zeroizing;

use crate::detector::card::luhn;

/// Where a token is good: it means nothing anywhere else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Realm {
    /// The target.
    pub target: String,
    /// The database.
    pub database: String,
    /// The classes of the column that it was delivered from, sorted.
    pub classes: Vec<String>,
}

/// A token that was given out, and what it stands for. `Debug` shows neither.
pub struct Known {
    /// The token.
    pub token: Box<[u8]>,
    /// The value.
    pub value: Zeroizing<Box<[u8]>>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known(hidden)")
    }
}

/// The tokens of one realm.
type Tokens = HashMap<Box<[u8]>, Arc<Known>>;

/// The tokens that one session was given.
#[derive(Default)]
pub struct Memory {
    realms: HashMap<Arc<Realm>, Tokens>,
    /// Oldest first.
    order: VecDeque<(Arc<Realm>, Arc<Known>)>,
    bytes: usize,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} tokens)", self.order.len())
    }
}

impl Memory {
    /// Whether nothing was given out yet.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Remembers what a token stands for. What else had the same token is forgotten: equal values of
    /// another spelling have it too, and the one seen last counts.
    pub fn learn(&mut self, realm: &Arc<Realm>, token: &[u8], value: &[u8]) {
        if !is_unmistakable(token) || token == value || value.len() > limits::REMEMBERED_VALUE_BYTES
        {
            return;
        }
        if self.recall(realm, token).is_some_and(|known| **known.value == *value) {
            return;
        }
        let known = Known { token: token.into(), value: Zeroizing::new(value.into()) };
        let known = Arc::new(known);
        self.bytes += size(&known);
        self.order.push_back((realm.clone(), known.clone()));
        self.realms.entry(realm.clone()).or_default().insert(token.into(), known);
        while self.order.len() > limits::REMEMBERED || self.bytes > limits::REMEMBERED_BYTES {
            self.forget_oldest();
        }
    }

    /// What a token stands for.
    pub fn recall(&self, realm: &Realm, token: &[u8]) -> Option<&Arc<Known>> {
        self.realms.get(realm)?.get(token)
    }

    /// Whether it is a token that was given out, wherever it is good.
    pub fn knows(&self, token: &[u8]) -> bool {
        self.realms.values().any(|of| of.contains_key(token))
    }

    fn forget_oldest(&mut self) {
        let Some((realm, oldest)) = self.order.pop_front() else { return };
        self.bytes -= size(&oldest);
        let Some(of) = self.realms.get_mut(&realm) else { return };
        if of.get(&oldest.token).is_some_and(|known| Arc::ptr_eq(known, &oldest)) {
            of.remove(&oldest.token);
        }
        if of.is_empty() {
            self.realms.remove(&realm);
        }
    }
}

/// What it takes, the map's own part included.
fn size(known: &Known) -> usize {
    2 * known.token.len() + known.value.len() + 128
}

/// Whether a token can't be somebody's value: a pseudonym of mere digits can.
fn is_unmistakable(token: &[u8]) -> bool {
    let digits = token.iter().all(u8::is_ascii_digit);
    !digits || (token.starts_with(b"9999") && luhn(token))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::samples::masker;

    fn realm(class: &str) -> Arc<Realm> {
        let (target, database) = ("shop".to_owned(), "orders".to_owned());
        Arc::new(Realm { target, database, classes: vec![class.to_owned()] })
    }

    #[test]
    fn a_token_leads_back_in_its_realm_alone() {
        let (pii, hr) = (realm("pii"), realm("hr"));
        let mut memory = Memory::default();
        for value in ["alice@example.com", "some words", "4111111111111111", "+14155552671"] {
            let token = masker().token("any", value.as_bytes());
            memory.learn(&pii, token.as_bytes(), value.as_bytes());
            let known = memory.recall(&pii, token.as_bytes()).expect("a token");
            assert_eq!(**known.value, *value.as_bytes());
            assert!(
                memory.recall(&hr, token.as_bytes()).is_none() && memory.knows(token.as_bytes())
            );
            assert!(!format!("{known:?} {memory:?}").contains(value));
        }
        memory.learn(&pii, b"tok_a", b"one");
        memory.learn(&pii, b"tok_a", b"two");
        assert_eq!(**memory.recall(&pii, b"tok_a").expect("a token").value, *b"two");
    }

    #[test]
    fn what_may_be_a_value_is_not_remembered() {
        let mut memory = Memory::default();
        memory.learn(&realm("pii"), b"908172", b"123456");
        memory.learn(&realm("pii"), b"tok_a", b"tok_a");
        memory.learn(&realm("pii"), b"tok_b", &[b'x'; limits::REMEMBERED_VALUE_BYTES + 1]);
        assert!(memory.is_empty());
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let pii = realm("pii");
        let mut memory = Memory::default();
        let token = |n: usize| format!("tok_{n}").into_bytes();
        for n in 0..=limits::REMEMBERED {
            memory.learn(&pii, &token(n), b"value");
        }
        assert!(!memory.knows(&token(0)) && memory.knows(&token(1)));
        for n in 0..=limits::REMEMBERED_BYTES / limits::REMEMBERED_VALUE_BYTES {
            memory.learn(&pii, &token(n), &[b'x'; limits::REMEMBERED_VALUE_BYTES]);
        }
        assert!(memory.bytes <= limits::REMEMBERED_BYTES && !memory.knows(&token(0)));
        while !memory.is_empty() {
            memory.forget_oldest();
        }
        assert!(memory.bytes == 0 && memory.realms.is_empty());
    }
}
