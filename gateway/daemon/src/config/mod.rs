//! The configuration: one TOML file. Unknown keys are refused, and all errors are reported at once.
//!
//! Each section's structure lives beside the module that it configures; this file only loads,
//! checks the references between sections and reports.

pub mod read;
pub mod target;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use weir_model::Relaxation;

pub use read::{ConfigError, Problem};
pub use target::{ClientAuth, ColumnRule, TargetConfig};

use crate::approval;
use crate::identity::{CredentialConfig, IssuerConfig};
use crate::record;

/// How agents' connections reach Weir.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// eBPF redirects them; nothing else gets out.
    #[default]
    Ebpf,
    /// Agents are told to connect to Weir's own addresses: nothing is enforced.
    Explicit,
}

/// `[gateway]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Names the slice, the pins and the lock; several gateways on one host need several.
    pub instance: String,
    /// Keys, sealed credentials, pending approvals.
    pub state_dir: PathBuf,
    /// The control socket.
    pub control: PathBuf,
    /// Worker threads; 0 is one per core.
    pub workers: usize,
    /// Interception.
    pub mode: Mode,
    /// `[[gateway.explicit]]`: listeners of the explicit mode.
    pub explicit: Vec<ExplicitListener>,
    /// This host's name in the record; empty asks the kernel.
    pub host: String,
    /// A bpffs mount of its own, for tests.
    pub bpffs: Option<PathBuf>,
    /// Unix sockets of others that agents may connect to in tier T3, as those have bound them.
    pub unix_sockets: Vec<String>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            instance: "weir".to_owned(),
            state_dir: PathBuf::from("/var/lib/weir"),
            control: PathBuf::from(crate::control::DEFAULT_SOCKET),
            workers: 0,
            mode: Mode::default(),
            explicit: Vec::new(),
            host: String::new(),
            bpffs: None,
            unix_sockets: Vec::new(),
        }
    }
}

/// One listener of the explicit mode.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplicitListener {
    /// The target that it stands for.
    pub target: String,
    /// A loopback address and port.
    pub listen: std::net::SocketAddr,
}

/// `[policy]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Cedar files; none means the shipped policy.
    pub files: Vec<PathBuf>,
}

/// `[run]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// What `weir run --relax` may leave open.
    pub allow_relax: BTreeSet<Relaxation>,
}

/// The whole configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The file, for messages and for relative paths.
    pub path: PathBuf,
    /// `[gateway]`.
    pub gateway: GatewayConfig,
    /// `[run]`.
    pub run: RunConfig,
    /// `[record]`.
    pub record: record::Config,
    /// `[[issuer]]`.
    pub issuers: Vec<IssuerConfig>,
    /// `[[target]]`.
    pub targets: Vec<TargetConfig>,
    /// `[[credential]]`.
    pub credentials: Vec<CredentialConfig>,
    /// `[[column]]`.
    pub columns: Vec<ColumnRule>,
    /// `[policy]`.
    pub policy: PolicyConfig,
    /// `[approval]`.
    pub approval: approval::Config,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Every problem of the file at once, each with its line.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config = read::parse(path, &text)?;
        let base = path.parent().unwrap_or(Path::new("."));
        for file in &mut config.policy.files {
            *file = base.join(&file);
        }
        Ok(config)
    }

    /// The configuration that a command should use: the file if it is there, else the defaults.
    ///
    /// # Errors
    /// As [`Config::load`]; a file that is named but missing is an error too.
    pub fn load_or_default(path: &Path) -> Result<Self, ConfigError> {
        if path == Path::new(crate::cli::DEFAULT_CONFIG) && !path.exists() {
            return Ok(Self::default());
        }
        Self::load(path)
    }
}

#[cfg(test)]
mod tests;
