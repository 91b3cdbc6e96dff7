//! An issuer's keys, and their cache: bounded in age, in size and in how often it asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::token::Unverified;

/// Keys of one issuer that are looked at.
const KEYS: usize = 128;
/// Keys older than this are no longer believed.
const STALE_US: i64 = 24 * 3600 * 1_000_000;
/// The background refreshes keys older than this.
const DUE_US: i64 = 3600 * 1_000_000;
/// An issuer is asked at most once in this time.
const PAUSE_US: i64 = 30 * 1_000_000;

/// The usable keys of one document.
pub(super) struct KeySet {
    keys: Vec<Key>,
}

struct Key {
    kid: Option<String>,
    alg: Option<String>,
    shape: Shape,
    key: DecodingKey,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// How a token and a set of keys go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// One of them signed it.
    Signed,
    /// One of them should have, and didn't.
    Forged,
    /// None of them is the one that it names.
    NoKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// One key of a document, of any kind; private parts are not read.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a JWKS; keys that are not for verifying, or of a kind that Weir doesn't know, are left
    /// out.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let document: Document =
            serde_json::from_slice(bytes).map_err(|_| "the keys are not a JWKS".to_owned())?;
        if document.keys.len() > KEYS {
            return Err(format!("the JWKS holds more than {KEYS} keys"));
        }
        let keys: Vec<_> = document
            .keys
            .into_iter()
            .filter_map(|value| serde_json::from_value::<Jwk>(value).ok())
            .filter_map(Key::of)
            .collect();
        if keys.is_empty() {
            return Err("the JWKS holds no usable key".to_owned());
        }
        Ok(Self { keys })
    }

    /// Looks for the key that signed a token; without a `kid` only one may come into question.
    pub(super) fn fit(&self, token: &Unverified<'_>, algorithm: Algorithm) -> Fit {
        let kid = token.header.kid.as_deref();
        let name = token.header.alg.as_str();
        let mut candidates = self.keys.iter().filter(|key| {
            (kid.is_none() || key.kid.as_deref() == kid) && key.serves(name, algorithm)
        });
        let (Some(key), None) = (candidates.next(), candidates.next()) else { return Fit::NoKey };
        let message = token.message.as_bytes();
        match jsonwebtoken::crypto::verify(token.signature, message, &key.key, algorithm) {
            Ok(true) => Fit::Signed,
            Ok(false) | Err(_) => Fit::Forged,
        }
    }
}

impl Key {
    fn of(jwk: Jwk) -> Option<Self> {
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        if jwk.key_ops.is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return None;
        }
        let (shape, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => (Shape::Rsa, DecodingKey::from_rsa_components(&jwk.n?, &jwk.e?).ok()?),
            ("EC", Some("P-256")) => (Shape::P256, point(&jwk.x?, &jwk.y?, 32)?),
            ("EC", Some("P-384")) => (Shape::P384, point(&jwk.x?, &jwk.y?, 48)?),
            ("OKP", Some("Ed25519")) => {
                (Shape::Ed25519, DecodingKey::from_ed_components(&jwk.x?).ok()?)
            }
            _ => return None,
        };
        Some(Self { kid: jwk.kid, alg: jwk.alg, shape, key })
    }

    fn serves(&self, name: &str, algorithm: Algorithm) -> bool {
        let shape = match algorithm {
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 => Shape::Rsa,
            Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512 => Shape::Rsa,
            Algorithm::ES256 => Shape::P256,
            Algorithm::ES384 => Shape::P384,
            Algorithm::EdDSA => Shape::Ed25519,
            // MACs, and whatever a later version of the library knows.
            _ => return false,
        };
        self.shape == shape && self.alg.as_deref().is_none_or(|alg| alg == name)
    }
}

/// A point whose coordinates have their full length.
fn point(x: &str, y: &str, length: usize) -> Option<DecodingKey> {
    let characters = (length * 8).div_ceil(6);
    if x.len() != characters || y.len() != characters {
        return None;
    }
    DecodingKey::from_ec_components(x, y).ok()
}

/// What is known of an issuer's keys, and when it was learnt.
#[derive(Default)]
pub(super) struct KeyCache {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Option<(Arc<KeySet>, i64)>,
    asked_us: Option<i64>,
    /// Counts answers, so that a waiter sees whether another's question was its own.
    turn: u64,
    problem: Option<String>,
}

impl KeyCache {
    /// The keys, unless they are too old to be believed.
    pub(super) fn current(&self, now_us: i64) -> Option<Arc<KeySet>> {
        let state = self.lock();
        let (keys, learnt_us) = state.keys.as_ref()?;
        (apart(now_us, *learnt_us) <= STALE_US).then(|| Arc::clone(keys))
    }

    pub(super) fn is_due(&self, now_us: i64) -> bool {
        let state = self.lock();
        state.keys.as_ref().is_none_or(|(_, learnt_us)| apart(now_us, *learnt_us) >= DUE_US)
    }

    pub(super) fn turn(&self) -> u64 {
        self.lock().turn
    }

    /// What the last question's answer was, where it was no answer.
    pub(super) fn problem(&self) -> Option<String> {
        self.lock().problem.clone()
    }

    /// Notes a question, unless the last one was a moment ago.
    pub(super) fn ask(&self, now_us: i64) -> Result<(), String> {
        let mut state = self.lock();
        if let Some(asked_us) = state.asked_us {
            let since = apart(now_us, asked_us);
            if since < PAUSE_US {
                let wait = (PAUSE_US - since).div_euclid(1_000_000) + 1;
                let last = state.problem.as_deref().unwrap_or("its keys were fetched just now");
                return Err(format!("{last}; they can be fetched again in {wait} s"));
            }
        }
        state.asked_us = Some(now_us);
        Ok(())
    }

    pub(super) fn answered(&self, answer: Result<KeySet, String>, now_us: i64) {
        let mut state = self.lock();
        state.turn += 1;
        match answer {
            Ok(keys) => {
                state.keys = Some((Arc::new(keys), now_us));
                state.problem = None;
            }
            Err(problem) => state.problem = Some(problem),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time between two instants; a clock that was set back must not make keys live for ever.
fn apart(one_us: i64, other_us: i64) -> i64 {
    one_us.saturating_sub(other_us).saturating_abs()
}
