//! What the tokens stand for that a session was given: the way back, since a token can't be inverted.
//!
//! Bounded, the oldest forgotten first; values are wiped when they are forgotten.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use weir_model::limits;
use zeroize::Zeroizing;

use crate::detector::card::luhn;

/// Where a token is good: it means nothing anywhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// One after the other: a large answer makes and forgets millions of these.
    token_and_value: Zeroizing<Box<[u8]>>,
    token_len: usize,
}

impl Known {
    fn new(token: &[u8], value: &[u8]) -> Self {
        let token_and_value = Zeroizing::new([token, value].concat().into_boxed_slice());
        Self { token_and_value, token_len: token.len() }
    }

    /// The token.
    pub fn token(&self) -> &[u8] {
        self.token_and_value.split_at(self.token_len).0
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        self.token_and_value.split_at(self.token_len).1
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known(hidden)")
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.token() == other.token() && self.value() == other.value()
    }
}

/// A hash without a key: what is kept was made with one that nobody knows, so that to find many that collide
/// takes far more values than a session's memory has.
fn hash(realm: usize, token: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (eights, rest) = token.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let mix = |hash: u64, eight: &[u8; 8]| {
        let mixed = (hash ^ u64::from_le_bytes(*eight)).wrapping_mul(ODD);
        mixed ^ (mixed >> 32)
    };
    eights.iter().chain([&last]).fold(realm as u64, mix)
}

/// A realm, and how many tokens of it are kept.
struct Kept {
    realm: Arc<Realm>,
    tokens: usize,
}

/// A token in the order in which it was given out.
struct Slot {
    realm: usize,
    hash: u64,
    known: Known,
}

/// The tokens that one session was given.
#[derive(Default)]
pub struct Memory {
    /// There are as few as there are databases and sets of classes; the place of one that keeps nothing
    /// is another's.
    realms: Vec<Kept>,
    /// Oldest first.
    order: VecDeque<Slot>,
    /// The number of the oldest.
    first: u64,
    /// The numbers of those that are the last of their token.
    latest: HashTable<u64>,
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
        let place = self.place(realm).unwrap_or_else(|| self.enter(realm));
        let hash = hash(place, token);
        let number = self.first + self.order.len() as u64;
        let (order, first) = (&self.order, self.first);
        let is_it =
            |number: &u64| of(order, first, *number).is_some_and(|slot| slot.is(place, token));
        let rehash = |number: &u64| of(order, first, *number).map_or(0, |slot| slot.hash);
        match self.latest.entry(hash, is_it, rehash) {
            Entry::Occupied(mut known) => {
                if of(order, first, *known.get()).is_some_and(|slot| slot.known.value() == value) {
                    return;
                }
                *known.get_mut() = number;
            }
            Entry::Vacant(free) => drop(free.insert(number)),
        }
        let known = Known::new(token, value);
        self.bytes += size(&known);
        self.realms[place].tokens += 1;
        self.order.push_back(Slot { realm: place, hash, known });
        while self.order.len() > limits::REMEMBERED || self.bytes > limits::REMEMBERED_BYTES {
            self.forget_oldest();
        }
    }

    fn place(&self, realm: &Realm) -> Option<usize> {
        // Mostly it is the very same one.
        let same =
            |of: &Kept| of.tokens > 0 && (std::ptr::eq(&*of.realm, realm) || *of.realm == *realm);
        self.realms.iter().position(same)
    }

    fn enter(&mut self, realm: &Arc<Realm>) -> usize {
        let kept = Kept { realm: realm.clone(), tokens: 0 };
        match self.realms.iter().position(|of| of.tokens == 0) {
            Some(place) => {
                self.realms[place] = kept;
                place
            }
            None => {
                self.realms.push(kept);
                self.realms.len() - 1
            }
        }
    }

    /// What a token stands for.
    pub fn recall(&self, realm: &Realm, token: &[u8]) -> Option<Known> {
        let slot = self.find(self.place(realm)?, token)?;
        Some(Known::new(slot.known.token(), slot.known.value()))
    }

    /// Whether it is a token that was given out, wherever it is good.
    pub fn knows(&self, token: &[u8]) -> bool {
        (0..self.realms.len()).any(|place| self.find(place, token).is_some())
    }

    fn find(&self, place: usize, token: &[u8]) -> Option<&Slot> {
        let slot = |number: &u64| of(&self.order, self.first, *number);
        let is_it = |number: &u64| slot(number).is_some_and(|slot| slot.is(place, token));
        self.latest.find(hash(place, token), is_it).and_then(slot)
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.order.pop_front() else { return };
        if let Ok(latest) = self.latest.find_entry(oldest.hash, |number| *number == self.first) {
            latest.remove();
        }
        self.first += 1;
        self.bytes -= size(&oldest.known);
        self.realms[oldest.realm].tokens -= 1;
    }
}

impl Slot {
    fn is(&self, realm: usize, token: &[u8]) -> bool {
        self.realm == realm && self.known.token() == token
    }
}

fn of(order: &VecDeque<Slot>, first: u64, number: u64) -> Option<&Slot> {
    order.get(usize::try_from(number.checked_sub(first)?).ok()?)
}

/// What it takes, its part of the maps included.
fn size(known: &Known) -> usize {
    known.token_and_value.len() + 128
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
            assert_eq!(known.value(), value.as_bytes());
            assert!(
                memory.recall(&hr, token.as_bytes()).is_none() && memory.knows(token.as_bytes())
            );
            assert!(!format!("{known:?} {memory:?}").contains(value));
        }
        memory.learn(&pii, b"tok_a", b"one");
        memory.learn(&pii, b"tok_a", b"two");
        assert_eq!(memory.recall(&pii, b"tok_a").expect("a token").value(), b"two");
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
        assert!(memory.bytes == 0 && memory.latest.is_empty());
        assert!(memory.realms.iter().all(|kept| kept.tokens == 0));
    }
}
