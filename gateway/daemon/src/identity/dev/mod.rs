//! An OpenID Connect issuer for development: real tokens and real flows, but no passwords, so it
//! listens on loopback only and says everywhere what it is.
//!
//! Anyone who reaches it can log in as anyone. It takes the place of an identity provider on a
//! developer's host and in tests, never in production.

pub mod device;
pub mod grant;
pub mod http;
pub mod key;
mod page;
pub mod people;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::tls::{KeyFileError, keyfile};

pub use http::serve;
pub use people::People;

use device::Devices;
use key::SigningKey;

/// What every document and start-up line says.
pub const NOTICE: &str = "for development only: this issuer asks for no password";
/// Where the issuer's URL is remembered, for `weir dev token`.
const URL_FILE: &str = "issuer.url";
/// Its public keys, for a gateway that reads them from a file.
const JWKS_FILE: &str = "jwks.json";

/// Why the issuer can't run.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// Its address can be reached from elsewhere.
    #[error("{0} is not a loopback address; the development issuer listens nowhere else")]
    NotLoopback(std::net::SocketAddr),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// Its key is not one.
    #[error("the issuer's key is not usable: {0}")]
    Key(String),
    /// Its users are not readable.
    #[error("reading {path}: {problem}")]
    People {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It has not run yet.
    #[error("{0} holds no issuer; start `weir dev issuer` once, or give its URL")]
    NoIssuer(PathBuf),
    /// A token could not be made.
    #[error("signing a token: {0}")]
    Sign(String),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random,
    /// Accepting connections failed.
    #[error("listening: {0}")]
    Listen(#[from] std::io::Error),
}

/// An issuer for development.
pub struct DevIssuer {
    url: String,
    key: SigningKey,
    people: People,
    devices: Mutex<Devices>,
}

impl DevIssuer {
    /// The issuer whose key is kept in `state_dir`, reachable at `url`. Makes a key where there is
    /// none, and writes down the URL and the public key beside it.
    pub fn open(state_dir: &Path, url: &str, people: People) -> Result<Self, DevError> {
        keyfile::private_dir(state_dir)?;
        let key = SigningKey::open_or_create(state_dir)?;
        keyfile::publish(&state_dir.join(URL_FILE), url.as_bytes())?;
        keyfile::publish(&state_dir.join(JWKS_FILE), key.jwks().to_string().as_bytes())?;
        Ok(Self { url: url.to_owned(), key, people, devices: Mutex::new(Devices::default()) })
    }

    /// The issuer that ran in `state_dir` before, for minting tokens without it.
    pub fn reopen(state_dir: &Path, people: People) -> Result<Self, DevError> {
        let path = state_dir.join(URL_FILE);
        let none = |_| DevError::NoIssuer(state_dir.to_owned());
        let url = std::fs::read_to_string(path).map_err(none)?;
        let key =
            SigningKey::open(state_dir)?.ok_or_else(|| DevError::NoIssuer(state_dir.to_owned()))?;
        let devices = Mutex::new(Devices::default());
        Ok(Self { url: url.trim().to_owned(), key, people, devices })
    }

    /// Its URL, which is the `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its users and clients.
    pub fn people(&self) -> &People {
        &self.people
    }

    fn devices(&self) -> MutexGuard<'_, Devices> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since the Unix epoch.
fn now_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// Random bytes as base64url.
fn random_text<const N: usize>() -> Result<String, DevError> {
    use base64::Engine as _;
    let mut bytes = [0u8; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| DevError::Random)?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}
