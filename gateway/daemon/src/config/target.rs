//! `[[target]]` and `[[column]]`: where agents may go, and which columns are sensitive.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;
use weir_model::{Class, Protocol};

use crate::record::Class as Durability;
use crate::tls::UpstreamTls;

/// One `[[target]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetConfig {
    /// Its name in policy and record.
    pub name: String,
    /// The protocol spoken.
    pub protocol: Protocol,
    /// Host names it answers for; Weir's resolver answers them from `addresses`, if there are any.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Addresses it answers for.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// The port it answers for.
    pub port: u16,
    /// Where Weir connects to, `host:port`; default: the original destination.
    pub upstream: Option<String>,
    /// TLS towards the target.
    #[serde(default)]
    pub tls: UpstreamTls,
    /// The `[[credential]]` to log in with.
    pub credential: Option<String>,
    /// What clients must prove.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// The `[[credential]]` whose password clients must know.
    pub client_credential: Option<String>,
    /// The environment, for policy.
    #[serde(default = "production")]
    pub environment: String,
    /// Durability of its record; default: that of `[record]`.
    pub record: Option<Durability>,
    /// The database of a client that names none of its own.
    pub database: Option<String>,
    /// Channels whose notifications hold nothing that has to be masked.
    #[serde(default)]
    pub clear_channels: Vec<String>,
}

/// What clients of a target must prove. Who they are is known without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum ClientAuth {
    /// Nothing.
    #[default]
    #[serde(rename = "none")]
    None,
    /// That they have a password: any, or that of `client_credential`.
    #[serde(rename = "password")]
    Password,
    /// That they know the password of `client_credential`.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
}

fn production() -> String {
    "prod".to_owned()
}

impl TargetConfig {
    /// What is wrong with what clients must prove.
    pub fn client_problem(&self) -> Option<&'static str> {
        match (self.client_auth, &self.client_credential) {
            (ClientAuth::ScramSha256, None) => Some("scram-sha-256 needs a client_credential"),
            (ClientAuth::None, Some(_)) => Some("client_credential without a client_auth"),
            // Agents never have the password that opens the target.
            (_, Some(name)) if self.credential.as_ref() == Some(name) => {
                Some("client_credential must be another than credential")
            }
            _ => None,
        }
    }

    /// Whether a connection to this address, whose name may be known, is for this target.
    ///
    /// A name alone is not enough where the target lists its addresses: the agent chooses which
    /// names it resolves, and could point one at another host.
    pub fn answers_for(&self, to: SocketAddr, host: Option<&str>) -> bool {
        if to.port() != self.port {
            return false;
        }
        if !self.addresses.is_empty() {
            return self.addresses.contains(&to.ip().to_canonical());
        }
        host.is_some_and(|name| self.hosts.iter().any(|h| h.eq_ignore_ascii_case(name)))
    }
}

/// One `[[column]]`: the classes of columns of a target.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnRule {
    /// The target's name.
    pub target: String,
    /// `schema.table`; `*` stands for any name in either part.
    pub table: String,
    /// Column names; `*` is all.
    pub columns: Vec<String>,
    /// Classes, for instance `pii`.
    pub classes: Vec<Class>,
}

impl ColumnRule {
    /// Whether the rule speaks of this column.
    pub fn covers(&self, schema: &str, table: &str, column: &str) -> bool {
        let Some((rule_schema, rule_table)) = self.table.split_once('.') else {
            return false;
        };
        let fits = |rule: &str, name: &str| rule == "*" || rule == name;
        fits(rule_schema, schema)
            && fits(rule_table, table)
            && self.columns.iter().any(|rule| fits(rule, column))
    }
}
