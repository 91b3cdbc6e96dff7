//! Identifiers: ULIDs made from a time and randomness that the caller supplies.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(#[serde(with = "form")] pub Ulid);

        impl $name {
            /// Makes an identifier from milliseconds since the Unix epoch and 80 random bits.
            pub fn from_parts(unix_ms: u64, random: u128) -> Self {
                Self(Ulid::from_parts(unix_ms, random))
            }

            /// Its 26 letters.
            pub fn text(self) -> Arc<str> {
                Arc::from(&*self.0.array_to_str(&mut [0; ulid::ULID_LEN]))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ulid::DecodeError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ulid::from_string(text).map(Self)
            }
        }
    };
}

/// Letters where people read, sixteen bytes (big endian, as in the ULID specification) elsewhere.
mod form {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use ulid::Ulid;

    pub(super) fn serialize<S: Serializer>(id: &Ulid, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { id.serialize(to) } else { id.to_bytes().serialize(to) }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Ulid, D::Error> {
        if from.is_human_readable() {
            Ulid::deserialize(from)
        } else {
            <[u8; 16]>::deserialize(from).map(Ulid::from_bytes)
        }
    }
}

ulid_id!(
    /// The life of one binding.
    SessionId
);
ulid_id!(
    /// One accepted connection.
    FlowId
);
ulid_id!(
    /// One operation with its verdict and answer.
    ExchangeId
);

/// A held operation, short enough to be typed by a person: `H-` and eight base-32 letters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HoldId(pub String);

impl HoldId {
    /// Makes an identifier from 40 random bits, in Crockford's base 32 (no I, L, O, U).
    pub fn from_random(random: u64) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut text = String::from("H-");
        for place in 0..8 {
            let digit = (random >> (5 * place)) & 31;
            text.push(char::from(ALPHABET[digit as usize]));
        }
        Self(text)
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
