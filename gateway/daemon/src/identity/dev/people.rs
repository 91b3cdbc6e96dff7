//! The issuer's users and clients, from a TOML file or built in.

use std::path::Path;

use serde::Deserialize;
use weir_model::Secret;

use super::{DevError, random_text};
use crate::tls::keyfile;

/// The secret of the built-in confidential client: its own per state directory, for anyone could
/// use one that stands in the source.
const SECRET_FILE: &str = "agent.secret";

/// Who can log in, and through what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    /// The `aud` of access tokens.
    #[serde(default = "default_audience")]
    pub audience: String,
    /// How long access tokens live, seconds.
    #[serde(default = "default_lifetime")]
    pub lifetime: i64,
    /// How long a client must wait between two polls, seconds.
    #[serde(default = "default_interval")]
    pub interval: i64,
    /// Users.
    #[serde(default, rename = "user")]
    pub users: Vec<User>,
    /// Clients.
    #[serde(default, rename = "client")]
    pub clients: Vec<Client>,
}

/// A user.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The `sub` of its tokens.
    pub name: String,
    /// Its mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Its groups.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// A client.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its `client_id`.
    pub id: String,
    /// Its secret; a client without one may only start the device flow.
    #[serde(default, deserialize_with = "secret")]
    pub secret: Option<Secret>,
    /// Its groups, for tokens in its own name.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The user for whom it acts: tokens in its own name then carry `sub` and `act`.
    #[serde(default)]
    pub acts_for: Option<String>,
}

impl People {
    /// Reads them from a file.
    pub fn read(path: &Path) -> Result<Self, DevError> {
        let wrong = |problem: String| DevError::People { path: path.to_owned(), problem };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let people: Self = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        for client in &people.clients {
            if let Some(name) = &client.acts_for
                && people.user(name).is_none()
            {
                return Err(wrong(format!("client {:?} acts for nobody known", client.id)));
            }
        }
        Ok(people)
    }

    /// Alice and Bob, with the secret of client `agent` in `state_dir`.
    pub fn built_in(state_dir: &Path) -> Result<Self, DevError> {
        let user = |name: &str, groups: &[&str]| User {
            name: name.to_owned(),
            email: Some(format!("{name}@example.com")),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        };
        Ok(Self {
            audience: default_audience(),
            lifetime: default_lifetime(),
            interval: default_interval(),
            users: vec![
                user("alice", &["eng", "agents"]),
                user("bob", &["eng", "data-owners", "dba"]),
            ],
            clients: vec![
                Client {
                    id: "weir-cli".to_owned(),
                    secret: None,
                    groups: Vec::new(),
                    acts_for: None,
                },
                Client {
                    id: "agent".to_owned(),
                    secret: Some(secret_of(state_dir)?),
                    groups: vec!["agents".to_owned()],
                    acts_for: None,
                },
            ],
        })
    }

    /// A user by name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// A client by id.
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id == id)
    }
}

fn secret_of(state_dir: &Path) -> Result<Secret, DevError> {
    keyfile::private_dir(state_dir)?;
    let path = state_dir.join(SECRET_FILE);
    if keyfile::read(&path, 256)?.is_none() {
        keyfile::create(&path, random_text::<24>()?.as_bytes())?;
    }
    let bytes = keyfile::read(&path, 256)?.unwrap_or_default();
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok(text) if !text.is_empty() => Ok(Secret::new(text.to_owned())),
        _ => Err(DevError::People { path, problem: "it holds no secret".to_owned() }),
    }
}

fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    match text {
        Some(text) if text.is_empty() => Err(serde::de::Error::custom("a secret is empty")),
        text => Ok(text.map(Secret::new)),
    }
}

fn default_audience() -> String {
    "weir".to_owned()
}

fn default_lifetime() -> i64 {
    3600
}

fn default_interval() -> i64 {
    5
}
