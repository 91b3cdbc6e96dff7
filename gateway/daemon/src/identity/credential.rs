//! Credentials with which Weir logs in to targets: loaded when they are used, wiped afterwards, and
//! never shown.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weir_model::Secret;
use zeroize::Zeroizing;

use super::sealed::SealedStore;
use crate::tls::{ClientCertificate, KeyFileError, TlsError, keyfile};

/// A password or a PEM file; longer ones are neither.
pub const SECRET_BYTES: usize = 256 << 10;

/// Where credentials for targets come from.
pub trait CredentialSource: Send + Sync {
    /// Loads the credential of this name.
    fn load(&self, name: &str) -> Result<Credential, CredentialError>;
}

/// With what Weir logs in to a target.
#[derive(Debug)]
pub struct Credential {
    /// The user.
    pub user: String,
    /// The proof of being that user.
    pub proof: Proof,
}

/// The proof of being a user.
pub enum Proof {
    /// A password.
    Password(Secret),
    /// A certificate and its key.
    Certificate {
        /// The certificate, then its intermediates, as PEM.
        chain_pem: String,
        /// The private key, as PEM.
        key_pem: Secret,
    },
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}(hidden)", self.kind().name())
    }
}

/// What kind of proof a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A password.
    Password,
    /// A certificate and its key.
    Certificate,
}

impl Kind {
    /// The name used in configuration and listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Certificate => "certificate",
        }
    }
}

/// Where a credential's secret is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// In the gateway's own sealed store: `weir credentials set`.
    #[default]
    Sealed,
    /// In an environment variable of the gateway.
    Env(String),
    /// In a credential that systemd hands over (`LoadCredential=`).
    Systemd(String),
}

/// One `[[credential]]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialConfig {
    /// The name that targets refer to.
    pub name: String,
    /// The user; a sealed credential has one already, with which this must agree.
    #[serde(default)]
    pub user: Option<String>,
    /// A password, or a PEM text with a certificate and its key.
    #[serde(default = "default_kind")]
    pub kind: Kind,
    /// Where it is kept.
    #[serde(default)]
    pub source: Source,
}

impl CredentialConfig {
    /// What is wrong with it, one sentence each; empty where nothing is.
    pub fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !is_name(&self.name) {
            problems.push(format!("credential {:?} has an unusable name", self.name));
        }
        match &self.source {
            Source::Sealed => {}
            Source::Env(_) | Source::Systemd(_) if self.user.is_none() => {
                problems.push(format!("credential {:?} needs a user", self.name));
            }
            Source::Systemd(name) if !is_name(name) => {
                problems.push(format!("credential {:?} has an unusable source", self.name));
            }
            Source::Env(_) | Source::Systemd(_) => {}
        }
        problems
    }
}

/// Why a credential could not be loaded. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// There is none of this name.
    #[error("there is no credential {0:?}")]
    Unknown(String),
    /// Its name could be a path.
    #[error("{0:?} is no name for a credential: use letters, digits, `-`, `_` and `.`")]
    Name(String),
    /// It could not be read.
    #[error("reading credential {name:?}: {problem}")]
    Unreadable {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// Its certificate is not one.
    #[error("reading credential {name:?}: {source}")]
    Certificate {
        /// Its name.
        name: String,
        /// What is wrong.
        source: TlsError,
    },
}

/// The credentials of a configuration.
#[derive(Debug)]
pub struct Credentials {
    configured: HashMap<String, CredentialConfig>,
    sealed: SealedStore,
    systemd: Option<PathBuf>,
}

impl Credentials {
    /// The configured credentials, with the sealed store in `state_dir`.
    pub fn new(
        configured: Vec<CredentialConfig>,
        state_dir: &Path,
    ) -> Result<Self, CredentialError> {
        let configured = configured.into_iter().map(|one| (one.name.clone(), one)).collect();
        Ok(Self {
            configured,
            sealed: SealedStore::new(state_dir),
            systemd: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
        })
    }

    fn systemd_secret(&self, name: &str, of: &str) -> Result<Wiped, CredentialError> {
        let Some(dir) = &self.systemd else {
            return Err(unreadable(of, "systemd handed over no credentials"));
        };
        let bytes = keyfile::read(&dir.join(name), SECRET_BYTES)?;
        bytes.ok_or_else(|| unreadable(of, "systemd did not hand it over"))
    }
}

/// A secret's bytes, wiped when dropped.
type Wiped = Zeroizing<Vec<u8>>;

impl CredentialSource for Credentials {
    fn load(&self, name: &str) -> Result<Credential, CredentialError> {
        let config =
            self.configured.get(name).ok_or_else(|| CredentialError::Unknown(name.to_owned()))?;
        let bytes = match &config.source {
            Source::Sealed => {
                let found = self.sealed.load(name)?;
                return agree(config, found);
            }
            Source::Env(variable) => std::env::var(variable)
                .map(|text| Zeroizing::new(text.into_bytes()))
                .map_err(|_| unreadable(name, &format!("{variable} is not set")))?,
            Source::Systemd(file) => self.systemd_secret(file, name)?,
        };
        let user = config.user.clone().ok_or_else(|| unreadable(name, "it names no user"))?;
        let proof = proof(name, config.kind, bytes)?;
        Ok(Credential { user, proof })
    }
}

fn agree(config: &CredentialConfig, found: Credential) -> Result<Credential, CredentialError> {
    if found.proof.kind() != config.kind {
        return Err(unreadable(&config.name, "it was sealed as another kind"));
    }
    if config.user.as_ref().is_some_and(|user| *user != found.user) {
        return Err(unreadable(&config.name, "it was sealed for another user"));
    }
    Ok(found)
}

impl Proof {
    /// What kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Password(_) => Kind::Password,
            Self::Certificate { .. } => Kind::Certificate,
        }
    }
}

/// Reads a secret: a password with at most one line end after it, or a PEM text.
pub fn proof(name: &str, kind: Kind, bytes: Zeroizing<Vec<u8>>) -> Result<Proof, CredentialError> {
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable(name, "it is not text"))?;
    match kind {
        Kind::Password => {
            let text = text.strip_suffix('\n').unwrap_or(text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            if text.is_empty() || text.contains('\0') {
                return Err(unreadable(name, "it is empty or holds a zero byte"));
            }
            Ok(Proof::Password(Secret::new(text.to_owned())))
        }
        Kind::Certificate => {
            let (chain, key) = split_pem(text);
            let both = ClientCertificate { chain_pem: &chain, key_pem: key.expose() };
            both.parse()
                .map_err(|source| CredentialError::Certificate { name: name.to_owned(), source })?;
            Ok(Proof::Certificate { chain_pem: chain, key_pem: key })
        }
    }
}

/// Takes the private key out of a PEM text.
fn split_pem(text: &str) -> (String, Secret) {
    let (mut chain, mut key) = (String::new(), Zeroizing::new(String::with_capacity(text.len())));
    let mut in_key = false;
    for line in text.lines() {
        if line.starts_with("-----BEGIN ") {
            in_key = line.contains("PRIVATE KEY");
        }
        let part = if in_key { &mut *key } else { &mut chain };
        part.push_str(line);
        part.push('\n');
    }
    (chain, Secret::new(std::mem::take(&mut *key)))
}

pub(super) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with('.')
}

pub(super) fn unreadable(name: &str, problem: &str) -> CredentialError {
    CredentialError::Unreadable { name: name.to_owned(), problem: problem.to_owned() }
}

fn default_kind() -> Kind {
    Kind::Password
}
