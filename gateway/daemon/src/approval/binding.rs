//! What an approval is good for: exactly these bytes, in this session, at this target, under this policy.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use weir_model::{SessionId, Target};

/// Keeps these hashes apart from any other use of SHA-256.
const DOMAIN: &[u8] = b"weir approval binding v1";

/// The hash that ties an approval to one statement; hex in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Binding(pub [u8; 32]);

/// A parameter as it stood on the wire.
#[derive(Clone, Copy)]
pub struct Parameter<'a> {
    /// Its declared type (an OID in PostgreSQL), 0 where it has none.
    pub kind: u32,
    /// Its format: 0 text, 1 binary.
    pub format: u16,
    /// Its bytes; `None` is SQL NULL.
    pub value: Option<&'a [u8]>,
}

/// All that an approval is tied to.
#[derive(Clone, Copy)]
pub struct Bound<'a> {
    /// The statement's exact bytes; for a message of several statements, all of them.
    pub statement: &'a [u8],
    /// Its parameters.
    pub parameters: &'a [Parameter<'a>],
    /// The session in which it was asked.
    pub session: SessionId,
    /// Where it goes.
    pub target: &'a Target,
    /// The database, empty where there is none.
    pub database: &'a str,
    /// As whom it would run there.
    pub user: &'a str,
    /// Hex SHA-256 of the policy set that held it.
    pub policy_hash: &'a str,
}

/// Hashes what an approval is tied to. Each part goes in with its length, so that no two different
/// requests give the same bytes to hash.
pub fn binding(bound: &Bound<'_>) -> Binding {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(DOMAIN);
    part(bound.statement);
    part(&(bound.parameters.len() as u64).to_be_bytes());
    for parameter in bound.parameters {
        part(&parameter.kind.to_be_bytes());
        part(&parameter.format.to_be_bytes());
        part(&[u8::from(parameter.value.is_some())]);
        part(parameter.value.unwrap_or_default());
    }
    part(&bound.session.0.to_bytes());
    part(bound.target.name.as_bytes());
    part(bound.target.protocol.name().as_bytes());
    part(bound.target.host.as_bytes());
    part(&bound.target.port.to_be_bytes());
    part(bound.database.as_bytes());
    part(bound.user.as_bytes());
    part(bound.policy_hash.as_bytes());
    Binding(hash.finalize().into())
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Binding({self})")
    }
}

impl Serialize for Binding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Binding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        from_hex(&text).ok_or_else(|| de::Error::custom("a binding is 64 hexadecimal digits"))
    }
}

fn from_hex(text: &str) -> Option<Binding> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0u8; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(Binding(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::approval::queue::tests::target;

    fn text(value: Option<&[u8]>) -> Parameter<'_> {
        Parameter { kind: 25, format: 0, value }
    }

    fn hash(statement: &str, parameters: &[Parameter<'_>], user: &str) -> Binding {
        binding(&Bound {
            statement: statement.as_bytes(),
            parameters,
            session: SessionId::from_parts(1, 2),
            target: &target(),
            database: "shop",
            user,
            policy_hash: "00",
        })
    }

    #[test]
    fn each_part_changes_the_binding() {
        let base = hash("select $1", &[text(Some(b"a"))], "app");
        assert_eq!(base, hash("select $1", &[text(Some(b"a"))], "app"));
        let others = [
            hash("select  $1", &[text(Some(b"a"))], "app"),
            hash("select $1", &[text(Some(b"b"))], "app"),
            hash("select $1", &[text(Some(b"a")), text(None)], "app"),
            hash("select $1", &[text(None)], "app"),
            hash("select $1", &[text(Some(b""))], "app"),
            hash("select $1", &[Parameter { format: 1, ..text(Some(b"a")) }], "app"),
            hash("select $1", &[Parameter { kind: 23, ..text(Some(b"a")) }], "app"),
            hash("select $1", &[text(Some(b"a"))], "root"),
        ];
        for (place, other) in others.iter().enumerate() {
            assert_ne!(base, *other, "variant {place}");
            assert!(!others[..place].contains(other), "variant {place} is not unique");
        }
    }

    #[test]
    fn a_binding_is_hex_in_text() {
        let base = hash("select 1", &[], "app");
        let json = serde_json::to_string(&base).unwrap();
        assert_eq!(json, format!("\"{base}\""));
        assert_eq!(serde_json::from_str::<Binding>(&json).unwrap(), base);
        assert!(serde_json::from_str::<Binding>("\"zz\"").is_err());
    }
}
