//! What the tokens stand for that a session was given: the way back, since a token can't be inverted.
//!
//! Bounded, the oldest forgotten first; values are wiped when they are forgotten.

use std::borrow::Borrow;
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

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

/// One that is found by its token.
struct ByToken(Arc<Known>);

impl Borrow<[u8]> for ByToken {
    fn borrow(&self) -> &[u8] {
        self.0.token()
    }
}

impl Hash for ByToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.token().hash(state);
    }
}

impl PartialEq for ByToken {
    fn eq(&self, other: &Self) -> bool {
        self.0.token() == other.0.token()
    }
}

impl Eq for ByToken {}

/// A hash without a key: what is kept was made with one that nobody knows, so that to find many that collide
/// takes far more values than a session's memory has.
#[derive(Default)]
struct Plain(u64);

impl Hasher for Plain {
    fn write(&mut self, bytes: &[u8]) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let (eights, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        for eight in eights.iter().chain([&last]) {
            let mixed = (self.0 ^ u64::from_le_bytes(*eight)).wrapping_mul(ODD);
            self.0 = mixed ^ (mixed >> 32);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The tokens of one realm.
struct Tokens {
    realm: Arc<Realm>,
    tokens: HashSet<ByToken, BuildHasherDefault<Plain>>,
}

/// The tokens that one session was given.
#[derive(Default)]
pub struct Memory {
    /// There are as few as there are databases and sets of classes.
    realms: Vec<Tokens>,
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
        let place = self.place(realm).unwrap_or_else(|| {
            self.realms.push(Tokens { realm: realm.clone(), tokens: HashSet::default() });
            self.realms.len() - 1
        });
        let of = &mut self.realms[place];
        if of.tokens.get(token).is_some_and(|known| known.0.value() == value) {
            return;
        }
        let known = Arc::new(Known::new(token, value));
        self.bytes += size(&known);
        of.tokens.replace(ByToken(known.clone()));
        self.order.push_back((of.realm.clone(), known));
        while self.order.len() > limits::REMEMBERED || self.bytes > limits::REMEMBERED_BYTES {
            self.forget_oldest();
        }
    }

    fn place(&self, realm: &Realm) -> Option<usize> {
        // Mostly it is the very same one.
        let same = |of: &Tokens| std::ptr::eq(&*of.realm, realm) || *of.realm == *realm;
        self.realms.iter().position(same)
    }

    /// What a token stands for.
    pub fn recall(&self, realm: &Realm, token: &[u8]) -> Option<&Arc<Known>> {
        let of = self.realms.get(self.place(realm)?)?;
        of.tokens.get(token).map(|known| &known.0)
    }

    /// Whether it is a token that was given out, wherever it is good.
    pub fn knows(&self, token: &[u8]) -> bool {
        self.realms.iter().any(|of| of.tokens.contains(token))
    }

    fn forget_oldest(&mut self) {
        let Some((realm, oldest)) = self.order.pop_front() else { return };
        self.bytes -= size(&oldest);
        let Some(place) = self.place(&realm) else { return };
        let tokens = &mut self.realms[place].tokens;
        if tokens.get(oldest.token()).is_some_and(|known| Arc::ptr_eq(&known.0, &oldest)) {
            tokens.remove(oldest.token());
        }
        if tokens.is_empty() {
            self.realms.swap_remove(place);
        }
    }
}

/// What it takes, the map's own part included.
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
        assert!(memory.bytes == 0 && memory.realms.is_empty());
    }
}
