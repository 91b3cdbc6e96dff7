//! One line of the table of trusted issuers, and what may stand in it.

use std::net::IpAddr;
use std::path::PathBuf;

use hyper::Uri;
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};

/// Clocks of issuer and host may differ by this at most, seconds.
const MOST_LEEWAY: u64 = 60;
/// A token that lives longer than this is a password, seconds.
const MOST_LIFETIME: u64 = 7 * 24 * 3600;

/// An issuer whose tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The `iss` claim, compared byte by byte.
    pub issuer: String,
    /// A token must name one of these in `aud`, byte by byte.
    pub audience: Vec<String>,
    /// Signature algorithms that are accepted; asymmetric ones only.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<String>,
    /// Where the keys are; found by discovery where neither this nor `jwks_file` is given.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// A file with the keys, for issuers that can't be reached.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// Authorities to trust beside the public ones when fetching keys, as PEM.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The longest time between `iat` and `exp`, seconds.
    #[serde(default = "default_max_lifetime")]
    pub max_lifetime: u64,
    /// How far the issuer's clock may be ahead of this host's, seconds.
    #[serde(default = "default_leeway")]
    pub leeway: u64,
    /// The claim that names the subject. A claim that starts with `/` is a JSON pointer.
    #[serde(default = "default_subject_claim")]
    pub subject_claim: String,
    /// The claim that lists the groups.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: String,
    /// The claim that holds the mail address.
    #[serde(default = "default_email_claim")]
    pub email_claim: String,
    /// The claim that names the agent, for issuers that don't write `act`.
    #[serde(default)]
    pub agent_claim: Option<String>,
}

impl IssuerConfig {
    /// An issuer with everything else by default.
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: vec![audience.to_owned()],
            algorithms: default_algorithms(),
            jwks_uri: None,
            jwks_file: None,
            ca_file: None,
            max_lifetime: default_max_lifetime(),
            leeway: default_leeway(),
            subject_claim: default_subject_claim(),
            groups_claim: default_groups_claim(),
            email_claim: default_email_claim(),
            agent_claim: None,
        }
    }

    /// What is wrong with it, one sentence each; empty where nothing is.
    pub fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut say = |problem: String| problems.push(format!("{:?} {problem}", self.issuer));
        if self.issuer.is_empty() {
            say("has no name".to_owned());
        }
        if self.audience.is_empty() || self.audience.iter().any(String::is_empty) {
            say("needs an audience, none of them empty".to_owned());
        }
        if self.algorithms.is_empty() {
            say("allows no algorithm".to_owned());
        }
        for name in self.algorithms.iter().filter(|name| asymmetric(name).is_none()) {
            say(format!("allows {name:?}, which is not an asymmetric signature algorithm"));
        }
        match (&self.jwks_uri, &self.jwks_file) {
            (Some(_), Some(_)) => say("has both jwks_uri and jwks_file".to_owned()),
            (None, Some(_)) => {}
            (Some(uri), None) => {
                check_url(uri).unwrap_or_else(|why| say(format!("jwks_uri {why}")))
            }
            (None, None) => check_url(&self.issuer).unwrap_or_else(&mut say),
        }
        if self.leeway > MOST_LEEWAY {
            say(format!("has a leeway above {MOST_LEEWAY} s"));
        }
        if self.max_lifetime == 0 || self.max_lifetime > MOST_LIFETIME {
            say(format!("needs a max_lifetime between 1 and {MOST_LIFETIME} s"));
        }
        let claims = [&self.subject_claim, &self.groups_claim, &self.email_claim];
        if claims.into_iter().chain(&self.agent_claim).any(String::is_empty) {
            say("maps an empty claim name".to_owned());
        }
        problems
    }

    /// The algorithm of a token's header, if it is allowed.
    pub(super) fn algorithm(&self, name: &str) -> Option<Algorithm> {
        self.algorithms.iter().find(|allowed| *allowed == name).and_then(|name| asymmetric(name))
    }
}

/// A URL that keys may be fetched from: https, or http on this host itself.
pub(super) fn check_url(url: &str) -> Result<(), String> {
    if url.contains(['?', '#', '@']) || url.chars().any(|c| c.is_control() || c == ' ') {
        return Err("is not a plain URL".to_owned());
    }
    let uri: Uri = url.parse().map_err(|_| "is not a URL".to_owned())?;
    match uri.scheme_str() {
        Some("https") if uri.host().is_some_and(|host| !host.is_empty()) => Ok(()),
        Some("http") if is_loopback(&uri) => Ok(()),
        Some("http") => Err("is fetched in the clear from another host".to_owned()),
        _ => Err("is not an https URL".to_owned()),
    }
}

/// Whether a URL points at this host and is in the clear.
pub(super) fn is_plain(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http"))
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The algorithms that exist for Weir: no MAC, for a verifier's key must not be a signer's.
fn asymmetric(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" => Algorithm::EdDSA,
        _ => return None,
    })
}

fn default_algorithms() -> Vec<String> {
    ["RS256", "ES256", "PS256", "EdDSA"].map(str::to_owned).to_vec()
}

fn default_max_lifetime() -> u64 {
    12 * 3600
}

fn default_leeway() -> u64 {
    30
}

fn default_subject_claim() -> String {
    "sub".to_owned()
}

fn default_groups_claim() -> String {
    "groups".to_owned()
}

fn default_email_claim() -> String {
    "email".to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::IssuerConfig;
    use crate::identity::{IdentityError, Verifier};

    #[test]
    fn a_table_with_a_hole_in_it_is_refused() {
        let good = IssuerConfig::new("https://idp.example.com", "weir");
        assert_eq!(good.check(), Vec::<String>::new());
        let change = |change: fn(&mut IssuerConfig)| {
            let mut config = good.clone();
            change(&mut config);
            config
        };
        let bad = [
            change(|c| c.audience.clear()),
            change(|c| c.audience.push(String::new())),
            change(|c| c.algorithms = vec!["none".to_owned()]),
            change(|c| c.algorithms = vec!["HS256".to_owned()]),
            change(|c| c.algorithms.clear()),
            change(|c| c.leeway = 61),
            change(|c| c.max_lifetime = 0),
            change(|c| c.issuer = "http://idp.example.com".to_owned()),
            change(|c| c.issuer = "http://127.0.0.1.example.com".to_owned()),
            change(|c| c.issuer = "http://localhost@example.com".to_owned()),
            change(|c| c.issuer = "https://idp.example.com?x".to_owned()),
            change(|c| c.jwks_uri = Some("http://10.0.0.1/jwks".to_owned())),
            change(|c| c.jwks_uri = Some("file:///etc/passwd".to_owned())),
            change(|c| c.groups_claim.clear()),
        ];
        for config in bad {
            assert!(!config.check().is_empty(), "{config:?}");
            assert!(matches!(Verifier::new(vec![config]), Err(IdentityError::Config(_))));
        }
        for fine in ["http://127.0.0.1:1/", "http://[::1]:1", "http://localhost:9"] {
            assert_eq!(IssuerConfig::new(fine, "weir").check(), Vec::<String>::new());
        }
        assert!(Verifier::new(vec![good.clone(), good]).is_err());
        let unknown = "issuer = 'https://a'\naudience = ['weir']\nverify = false";
        assert!(toml::from_str::<IssuerConfig>(unknown).is_err());
    }
}
