//! A bearer token as it is read before anything of it is believed, and the identity that its claims
//! make once they are.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use weir_model::{Identity, limits};

use super::{IdentityError, IssuerConfig};

/// A name in a token: longer ones are no names.
const NAME_BYTES: usize = 512;
/// Groups of one token.
const GROUPS: usize = 2048;
/// The last second of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// A token in its parts; nothing of it is verified.
pub(super) struct Unverified<'a> {
    pub(super) header: Header,
    pub(super) claims: Value,
    /// What is signed.
    pub(super) message: &'a str,
    /// The signature, still in base64.
    pub(super) signature: &'a str,
    whole: &'a str,
}

/// The header's parts that matter. Embedded keys and links to keys (`jwk`, `jku`, `x5c`, `x5u`) are
/// not even read.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    #[serde(default, deserialize_with = "present")]
    b64: bool,
    #[serde(default, deserialize_with = "present")]
    zip: bool,
}

impl<'a> Unverified<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, IdentityError> {
        let malformed = IdentityError::Malformed;
        if token.len() > limits::TOKEN_BYTES {
            return Err(malformed("it is too long"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("it is not a signed JWT of three parts"));
        };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header = decode(header).ok_or(malformed("its header is not base64url"))?;
        let header: Header = serde_json::from_slice(&header)
            .map_err(|_| malformed("its header is not a JOSE header"))?;
        let payload = decode(payload).ok_or(malformed("its payload is not base64url"))?;
        let claims: Map<String, Value> = serde_json::from_slice(&payload)
            .map_err(|_| malformed("its payload is not a JSON object"))?;
        header.check()?;
        Ok(Self {
            header,
            claims: Value::Object(claims),
            message: &token[..token.len() - signature.len() - 1],
            signature,
            whole: token,
        })
    }

    pub(super) fn issuer(&self) -> Result<&str, IdentityError> {
        self.claims["iss"].as_str().ok_or(IdentityError::Malformed("it names no issuer"))
    }
}

/// Whether a member stands there, whatever it holds: `null` is no absence.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(from).map(|_| true)
}

impl Header {
    fn check(&self) -> Result<(), IdentityError> {
        if self.crit || self.b64 || self.zip {
            return Err(IdentityError::Malformed("its header asks for an extension"));
        }
        let typ = self.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        match typ.strip_prefix("application/").unwrap_or(&typ) {
            "jwt" | "at+jwt" => Ok(()),
            _ => Err(IdentityError::Malformed("its type is neither JWT nor at+jwt")),
        }
    }
}

impl IssuerConfig {
    /// Checks what a token says of itself; its times are compared with `now_us`.
    pub(super) fn check_claims(&self, claims: &Value, now_us: i64) -> Result<(), String> {
        self.check_audience(&claims["aud"])?;
        let now = now_us.div_euclid(1_000_000);
        let leeway = self.leeway as i64;
        let expires = seconds(claims, "exp")?.ok_or("it has no expiry (exp)")?;
        let issued = seconds(claims, "iat")?.ok_or("it has no time of issue (iat)")?;
        // No leeway here: what has expired has expired.
        if now >= expires {
            return Err(format!("it expired {} s ago", now - expires));
        }
        if issued > now + leeway {
            return Err(format!("it was issued {} s in the future", issued - now));
        }
        if let Some(begins) = seconds(claims, "nbf")?
            && begins > now + leeway
        {
            return Err(format!("it is not valid for another {} s", begins - now));
        }
        let lifetime = expires - issued;
        if lifetime > self.max_lifetime as i64 {
            return Err(format!("it lives {lifetime} s; at most {} s", self.max_lifetime));
        }
        if !claims["cnf"].is_null() {
            return Err("it is bound to a key (cnf), so it is no bearer token".to_owned());
        }
        if !claims["events"].is_null() {
            return Err("it is a security event, not a login".to_owned());
        }
        Ok(())
    }

    fn check_audience(&self, claim: &Value) -> Result<(), String> {
        let wanted = |value: &Value| {
            value.as_str().is_some_and(|value| self.audience.iter().any(|wanted| wanted == value))
        };
        let met = match claim {
            Value::Array(values) => values.iter().any(wanted),
            value => wanted(value),
        };
        if met {
            Ok(())
        } else {
            Err(format!("its audience is not {}", self.audience.join(" or ")))
        }
    }

    /// The identity of verified claims.
    pub(super) fn identity(
        &self,
        token: &Unverified<'_>,
        agent_hint: &str,
    ) -> Result<Identity, String> {
        let claims = &token.claims;
        let subject = name(claim(claims, &self.subject_claim), &self.subject_claim)?
            .ok_or_else(|| format!("it has no {} claim", self.subject_claim))?;
        let actor = match &claims["act"] {
            Value::Null => None,
            // Actors further inside are history, which only the issuer can judge.
            act => Some(name(&act["sub"], "act.sub")?.ok_or("its actor has no sub")?),
        };
        let on_behalf_of = actor.as_ref().map(|_| subject.clone());
        let named = match (&actor, &self.agent_claim) {
            (None, Some(path)) => name(claim(claims, path), path)?,
            _ => None,
        };
        let agent = match actor.or(named) {
            Some(agent) => agent,
            None => clean(agent_hint, "the agent's name")?,
        };
        let expires = seconds(claims, "exp")?.ok_or("it has no expiry (exp)")?;
        Ok(Identity {
            issuer: self.issuer.clone(),
            subject,
            email: self.email(claims)?,
            groups: self.groups(claims)?,
            agent,
            on_behalf_of,
            token_id_hash: id_hash(token),
            expires_us: expires.saturating_mul(1_000_000),
        })
    }

    /// The mail address, unless the issuer says that it didn't verify it.
    fn email(&self, claims: &Value) -> Result<Option<String>, String> {
        let verified = match &claims["email_verified"] {
            Value::Null | Value::Bool(true) => true,
            Value::String(text) => text == "true",
            _ => false,
        };
        let email = name(claim(claims, &self.email_claim), &self.email_claim)?;
        Ok(email.filter(|_| verified))
    }

    fn groups(&self, claims: &Value) -> Result<Vec<String>, String> {
        let path = &self.groups_claim;
        let mut groups = match claim(claims, path) {
            Value::Null if claims["_claim_names"].get(path).is_some() => {
                return Err("its groups are not in it but elsewhere (too many groups)".to_owned());
            }
            Value::Null => Vec::new(),
            Value::Array(values) if values.len() > GROUPS => {
                return Err("it has too many groups".to_owned());
            }
            Value::Array(values) => values
                .iter()
                .map(|value| name(value, path)?.ok_or(format!("its {path} claim holds a null")))
                .collect::<Result<_, String>>()?,
            value => name(value, path)?.into_iter().collect(),
        };
        groups.sort();
        groups.dedup();
        Ok(groups)
    }
}

/// A claim by its name, or by a JSON pointer.
fn claim<'a>(claims: &'a Value, path: &str) -> &'a Value {
    let found = if path.starts_with('/') { claims.pointer(path) } else { claims.get(path) };
    found.unwrap_or(&Value::Null)
}

fn name(value: &Value, what: &str) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => clean(text, what).map(Some),
        _ => Err(format!("its {what} claim is not text")),
    }
}

/// Names reach logs and terminals, so they hold no control characters.
fn clean(text: &str, what: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > NAME_BYTES {
        return Err(format!("{what} is empty or too long"));
    }
    if text.chars().any(unseen) {
        return Err(format!("{what} holds a control character"));
    }
    Ok(text.to_owned())
}

/// Control characters, and those that reorder or hide what stands beside them.
fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || c == '\u{feff}'
}

/// A NumericDate, which may have a fraction.
fn seconds(claims: &Value, which: &str) -> Result<Option<i64>, String> {
    let value = match &claims[which] {
        Value::Null => return Ok(None),
        value => value,
    };
    let whole = value.as_i64().or_else(|| {
        value.as_f64().filter(|s| (0.0..=LAST_SECOND as f64).contains(s)).map(|s| s as i64)
    });
    match whole {
        Some(seconds) if (0..=LAST_SECOND).contains(&seconds) => Ok(Some(seconds)),
        _ => Err(format!("its {which} is not a time")),
    }
}

fn id_hash(token: &Unverified<'_>) -> String {
    let of = token.claims["jti"].as_str().filter(|id| !id.is_empty()).unwrap_or(token.whole);
    digest(&SHA256, of.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
