//! Who stands behind a session: tokens become identities, and credentials for targets are kept.

pub mod credential;
pub mod dev;
mod fetch;
pub mod issuer;
mod jwks;
pub mod oidc;
pub mod sealed;
mod token;

use weir_model::Identity;

pub use credential::{
    Credential, CredentialConfig, CredentialError, CredentialSource, Credentials, Proof,
};
pub use issuer::IssuerConfig;
pub use oidc::Verifier;

/// Evidence that becomes an identity.
pub trait IdentitySource: Send + Sync {
    /// Says for whom a token speaks. `agent_hint` names the agent where the token doesn't.
    fn identify(
        &self,
        token: &str,
        agent_hint: &str,
        now_us: i64,
    ) -> impl Future<Output = Result<Identity, IdentityError>> + Send;
}

/// Why a token is no identity. No text holds the token or a part of its signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The configuration of the trusted issuers is wrong.
    #[error("the trusted issuers are not usable: {}", .0.join("; "))]
    Config(Vec<String>),
    /// It is not a token that could be read.
    #[error("the token can't be read: {0}")]
    Malformed(&'static str),
    /// Its issuer is not trusted.
    #[error("the token's issuer {0:?} is not one of the trusted issuers")]
    UnknownIssuer(String),
    /// It is signed in a way that is not allowed for its issuer.
    #[error("the token of {issuer} is signed with {algorithm:?}, which is not allowed for it")]
    Algorithm {
        /// The issuer.
        issuer: String,
        /// What the token says.
        algorithm: String,
    },
    /// No key of its issuer fits it.
    #[error("no key of {issuer} fits the token{}", because(.problem.as_deref()))]
    UnknownKey {
        /// The issuer.
        issuer: String,
        /// Why the keys could not be fetched again.
        problem: Option<String>,
    },
    /// Its issuer's keys are not known.
    #[error("the keys of {issuer} are not known{}", because(.problem.as_deref()))]
    NoKeys {
        /// The issuer.
        issuer: String,
        /// Why they could not be fetched.
        problem: Option<String>,
    },
    /// Its signature is wrong.
    #[error("the token was not signed by {0}")]
    Signature(String),
    /// What it says is not acceptable.
    #[error("the token of {issuer} is refused: {problem}")]
    Claims {
        /// The issuer.
        issuer: String,
        /// What is wrong.
        problem: String,
    },
}

fn because(problem: Option<&str>) -> String {
    problem.map(|problem| format!(": {problem}")).unwrap_or_default()
}
