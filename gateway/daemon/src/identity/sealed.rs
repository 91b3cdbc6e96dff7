//! The sealed store: one age file per credential, opened with a key that only the gateway's user
//! reads.
//!
//! It keeps secrets out of backups and of configuration; whoever is root on this host has the key.

use std::fs;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use age::x25519;
use serde::{Deserialize, Serialize};
use weir_model::Secret;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::credential::{
    Credential, CredentialError, Kind, Proof, SECRET_BYTES, is_name, unreadable,
};
use crate::tls::{KeyFileError, keyfile};

/// The age identity, in the form that the `age` command reads too.
const KEY_FILE: &str = "credentials.key";
const DIR: &str = "credentials";
const KEY_BYTES: usize = 4096;
/// JSON may need six characters for one.
const SEALED_BYTES: usize = SECRET_BYTES * 6 + 4096;

/// Credentials sealed with age below a state directory.
#[derive(Clone, Debug)]
pub struct SealedStore {
    state_dir: PathBuf,
}

/// A sealed credential without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The user.
    pub user: String,
    /// What it is.
    pub kind: Kind,
}

/// What is sealed. The secret is wiped when this is dropped.
#[derive(Serialize, Deserialize, ZeroizeOnDrop)]
struct Content {
    name: String,
    user: String,
    #[zeroize(skip)]
    kind: Kind,
    #[serde(default)]
    chain: String,
    secret: String,
}

impl SealedStore {
    /// The store below `state_dir`; nothing is read or made yet.
    pub fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned() }
    }

    /// Seals a credential, in place of an older one of that name.
    pub fn set(&self, name: &str, credential: &Credential) -> Result<(), CredentialError> {
        let path = self.path(name)?;
        let (chain, secret) = match &credential.proof {
            Proof::Password(secret) => (String::new(), secret),
            Proof::Certificate { chain_pem, key_pem } => (chain_pem.clone(), key_pem),
        };
        let content = Content {
            name: name.to_owned(),
            user: credential.user.clone(),
            kind: credential.proof.kind(),
            chain,
            secret: secret.expose().to_owned(),
        };
        let recipient = self.key_or_new()?.to_public();
        // Room at once: a growing buffer would leave copies behind.
        let room = content.chain.len() + content.secret.len();
        let mut plain = Zeroizing::new(Vec::with_capacity(room * 6 + 1024));
        serde_json::to_writer(&mut *plain, &content)
            .map_err(|_| unreadable(name, "it could not be written as JSON"))?;
        let sealed = age::encrypt(&recipient, &plain)
            .map_err(|error| unreadable(name, &error.to_string()))?;
        keyfile::private_dir(&self.dir())?;
        Ok(keyfile::replace(&path, &sealed)?)
    }

    /// Opens a credential.
    pub fn load(&self, name: &str) -> Result<Credential, CredentialError> {
        let path = self.path(name)?;
        let unknown = || CredentialError::Unknown(name.to_owned());
        let sealed = keyfile::read(&path, SEALED_BYTES)?.ok_or_else(unknown)?;
        let key = self.key()?.ok_or_else(|| unreadable(name, "the key to it is gone"))?;
        let plain = age::decrypt(&key, &sealed)
            .map(Zeroizing::new)
            .map_err(|error| unreadable(name, &error.to_string()))?;
        let mut content: Content = serde_json::from_slice(&plain)
            .map_err(|_| unreadable(name, "its content is not a credential"))?;
        if content.name != name {
            return Err(unreadable(name, "it was sealed under another name"));
        }
        let secret = Secret::new(std::mem::take(&mut content.secret));
        let proof = match content.kind {
            Kind::Password => Proof::Password(secret),
            Kind::Certificate => Proof::Certificate {
                chain_pem: std::mem::take(&mut content.chain),
                key_pem: secret,
            },
        };
        Ok(Credential { user: std::mem::take(&mut content.user), proof })
    }

    /// What is sealed, by name.
    pub fn list(&self) -> Result<Vec<Listed>, CredentialError> {
        let dir = self.dir();
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                return Err(KeyFileError::Io { doing: "listing", path: dir, source }.into());
            }
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|file| file.strip_suffix(".age").map(str::to_owned))
            .filter(|name| is_name(name))
            .collect();
        names.sort();
        names
            .into_iter()
            .map(|name| {
                let Credential { user, proof } = self.load(&name)?;
                Ok(Listed { name, user, kind: proof.kind() })
            })
            .collect()
    }

    /// Forgets a credential.
    pub fn remove(&self, name: &str) -> Result<(), CredentialError> {
        let path = self.path(name)?;
        fs::remove_file(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => CredentialError::Unknown(name.to_owned()),
            _ => KeyFileError::Io { doing: "removing", path, source }.into(),
        })
    }

    fn dir(&self) -> PathBuf {
        self.state_dir.join(DIR)
    }

    fn path(&self, name: &str) -> Result<PathBuf, CredentialError> {
        if !is_name(name) {
            return Err(CredentialError::Name(name.to_owned()));
        }
        Ok(self.dir().join(format!("{name}.age")))
    }

    fn key(&self) -> Result<Option<x25519::Identity>, CredentialError> {
        let path = self.state_dir.join(KEY_FILE);
        let Some(bytes) = keyfile::read(&path, KEY_BYTES)? else { return Ok(None) };
        let wrong = || KeyFileError::Shape { path: path.clone(), problem: "holds no age key" };
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong())?;
        let line = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-"));
        let key = line.and_then(|line| line.trim().parse().ok()).ok_or_else(wrong)?;
        Ok(Some(key))
    }

    fn key_or_new(&self) -> Result<x25519::Identity, CredentialError> {
        if let Some(key) = self.key()? {
            return Ok(key);
        }
        keyfile::private_dir(&self.state_dir)?;
        let made = x25519::Identity::generate();
        let text = Zeroizing::new(format!(
            "# public key: {}\n{}\n",
            made.to_public(),
            made.to_string().expose_secret()
        ));
        let path = self.state_dir.join(KEY_FILE);
        if keyfile::create(&path, text.as_bytes())? {
            return Ok(made);
        }
        let wrong = KeyFileError::Shape { path, problem: "came and went" };
        Ok(self.key()?.ok_or(wrong)?)
    }
}
