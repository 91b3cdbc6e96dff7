//! Where a flow was going.

use serde::{Deserialize, Serialize};

/// The protocols that Weir knows; `Tcp` is any stream that it only counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// PostgreSQL 3.x.
    Postgres,
    /// TLS, recorded with its server name and relayed unopened.
    Tls,
    /// DNS over UDP or TCP.
    Dns,
    /// Opaque bytes.
    Tcp,
}

impl Protocol {
    /// The name used in configuration, policy and record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Tls => "tls",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
        }
    }
}

/// A target as policy and record see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The configured name, or `address:port` where the target is not configured.
    pub name: String,
    /// The protocol spoken.
    pub protocol: Protocol,
    /// Host name if known (configured, or learnt from DNS), else the address.
    pub host: String,
    /// Original destination address.
    pub address: String,
    /// Original destination port.
    pub port: u16,
    /// The environment, for instance `prod`; empty where the target is not configured.
    pub environment: String,
    /// Whether the target stands in the configuration.
    pub known: bool,
}

/// A class that an administrator gives to a column, for instance `pii` or `secret`.
pub type Class = String;

/// A column of a table as the catalogue knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ColumnRef {
    /// Schema-qualified table name, `schema.table`, unquoted.
    pub table: String,
    /// Column name, unquoted.
    pub column: String,
}
