//! The issuer's signing key: ECDSA P-256, made on first use, readable by its owner only.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::KeyPair;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::DevError;
use crate::tls::keyfile;

const KEY_FILE: &str = "issuer.key";
const KEY_BYTES: usize = 4096;

/// A key that signs tokens.
pub struct SigningKey {
    kid: String,
    x: String,
    y: String,
    key: EncodingKey,
}

impl SigningKey {
    /// The key in `dir`, made where there is none.
    pub fn open_or_create(dir: &Path) -> Result<Self, DevError> {
        if let Some(key) = Self::open(dir)? {
            return Ok(key);
        }
        let made = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(wrong)?;
        let pem = Zeroizing::new(made.serialize_pem());
        keyfile::create(&dir.join(KEY_FILE), pem.as_bytes())?;
        Self::open(dir)?.ok_or_else(|| DevError::Key("it came and went".to_owned()))
    }

    /// The key in `dir`.
    pub fn open(dir: &Path) -> Result<Option<Self>, DevError> {
        let Some(pem) = keyfile::read(&dir.join(KEY_FILE), KEY_BYTES)? else { return Ok(None) };
        Self::from_pem(&pem).map(Some)
    }

    /// A key from its PEM text (PKCS #8).
    pub fn from_pem(pem: &[u8]) -> Result<Self, DevError> {
        let text = std::str::from_utf8(pem).map_err(wrong)?;
        let pair = KeyPair::from_pem(text).map_err(wrong)?;
        let point = pair.public_key_raw();
        if point.len() != 65 || point[0] != 4 {
            return Err(DevError::Key("it is not a P-256 key".to_owned()));
        }
        let (x, y) = point[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let key = EncodingKey::from_ec_pem(pem).map_err(wrong)?;
        Ok(Self { kid: thumbprint(&x, &y), x, y, key })
    }

    /// The document at `/jwks`.
    pub fn jwks(&self) -> Value {
        json!({"keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
            "kid": self.kid, "x": self.x, "y": self.y,
        }]})
    }

    /// Signs claims; `typ` is `JWT` or `at+jwt`.
    pub fn sign(&self, typ: &str, claims: &Value) -> Result<String, DevError> {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.clone());
        header.typ = Some(typ.to_owned());
        jsonwebtoken::encode(&header, claims, &self.key)
            .map_err(|error| DevError::Sign(error.to_string()))
    }

    /// The claims of a token that this key signed; `None` where it didn't, or the token is not an
    /// access token of `issuer` that is still valid.
    pub fn own_claims(&self, token: &str, issuer: &str, now: i64) -> Option<Value> {
        let key = jsonwebtoken::DecodingKey::from_ec_components(&self.x, &self.y).ok()?;
        let (message, signature) = token.rsplit_once('.')?;
        if !jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, Algorithm::ES256)
            .ok()?
        {
            return None;
        }
        let (_, payload) = message.split_once('.')?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let valid = claims["iss"] == issuer && claims["exp"].as_i64()? > now;
        valid.then_some(claims)
    }
}

/// RFC 7638: the same key has the same name everywhere.
fn thumbprint(x: &str, y: &str) -> String {
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

fn wrong(error: impl std::fmt::Display) -> DevError {
    DevError::Key(error.to_string())
}
