//! TLS: the host's own authority and its leaves towards agents, verified sessions towards targets.
//!
//! Every configuration names the aws-lc-rs provider itself: no process-wide default decides.

pub mod ca;
pub mod keyfile;
pub mod leaf;
pub mod upstream;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;

pub use ca::Authority;
pub use keyfile::KeyFileError;
pub use leaf::{Alpn, Leaf, POSTGRESQL};
pub use upstream::{ClientCertificate, UpstreamTls};

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file with a key could not be read or written.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// A file with certificates could not be read.
    #[error("reading certificates from {path}: {problem}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The authority's files do not make an authority.
    #[error("opening the authority in {path}: {problem}")]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no authority yet.
    #[error("there is no authority in {0}; `weir ca init` makes one")]
    NoAuthority(PathBuf),
    /// A name that no certificate can be made for.
    #[error("{0:?} is neither a host name nor an address")]
    Name(String),
    /// A certificate could not be made.
    #[error("making a certificate: {0}")]
    Mint(#[from] rcgen::Error),
    /// rustls refused the configuration.
    #[error("setting up tls: {0}")]
    Rustls(#[from] rustls::Error),
    /// A client certificate that is not one.
    #[error("the client certificate {0}")]
    ClientCertificate(&'static str),
}

/// The one cryptographic provider of the gateway.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}
