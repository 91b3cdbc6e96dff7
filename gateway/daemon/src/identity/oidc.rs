//! Verifies bearer tokens against the table of trusted issuers.
//!
//! The issuer is chosen from the table by the token's `iss`, byte by byte; keys come from that
//! issuer's own document and from nowhere else.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use jsonwebtoken::Algorithm;
use tokio::sync::Mutex;
use weir_model::Identity;

use super::fetch::Fetcher;
use super::jwks::{Fit, KeyCache};
use super::token::Unverified;
use super::{IdentityError, IdentitySource, IssuerConfig};

/// The table of trusted issuers, with their keys.
pub struct Verifier {
    issuers: HashMap<String, Arc<Issuer>>,
}

struct Issuer {
    config: IssuerConfig,
    fetcher: Fetcher,
    cache: KeyCache,
    /// Held while the issuer is asked, so that it is asked once.
    asking: Mutex<()>,
}

impl Verifier {
    /// A verifier for a table; nothing is fetched yet.
    pub fn new(issuers: Vec<IssuerConfig>) -> Result<Self, IdentityError> {
        let mut problems: Vec<_> = issuers.iter().flat_map(IssuerConfig::check).collect();
        let mut table = HashMap::new();
        for config in issuers {
            let name = config.issuer.clone();
            match Fetcher::new(&config) {
                Err(error) => problems.push(format!("{name:?}: {error}")),
                Ok(fetcher) => {
                    let issuer = Issuer {
                        config,
                        fetcher,
                        cache: KeyCache::default(),
                        asking: Mutex::new(()),
                    };
                    if table.insert(name.clone(), Arc::new(issuer)).is_some() {
                        problems.push(format!("{name:?} stands there twice"));
                    }
                }
            }
        }
        if problems.is_empty() {
            Ok(Self { issuers: table })
        } else {
            Err(IdentityError::Config(problems))
        }
    }

    /// Says for whom a token speaks. `agent_hint` names the agent where the token doesn't.
    pub async fn verify(
        &self,
        token: &str,
        agent_hint: &str,
        now_us: i64,
    ) -> Result<Identity, IdentityError> {
        let token = Unverified::parse(token)?;
        let claimed = token.issuer()?;
        let Some(issuer) = self.issuers.get(claimed) else {
            return Err(IdentityError::UnknownIssuer(claimed.chars().take(200).collect()));
        };
        let config = &issuer.config;
        let refused = |problem| IdentityError::Claims { issuer: config.issuer.clone(), problem };
        let algorithm =
            config.algorithm(&token.header.alg).ok_or_else(|| IdentityError::Algorithm {
                issuer: config.issuer.clone(),
                algorithm: token.header.alg.chars().take(32).collect(),
            })?;
        // Before the signature, so that a token that is of no use anyway never makes Weir ask.
        config.check_claims(&token.claims, now_us).map_err(refused)?;
        issuer.check_signature(&token, algorithm, now_us).await?;
        config.identity(&token, agent_hint).map_err(refused)
    }

    /// Fetches keys that are missing or older than an hour: call it at the start, then every few
    /// minutes.
    pub async fn refresh_due(&self, now_us: i64) {
        for issuer in self.issuers.values().filter(|issuer| issuer.cache.is_due(now_us)) {
            let seen = issuer.cache.turn();
            // A refusal to ask so soon is no news; a failure was logged where it happened.
            let _ = issuer.refreshed(seen, now_us).await;
        }
    }
}

impl Verifier {
    /// Asks each issuer for its keys, by discovery where nothing else is configured; what went wrong.
    pub async fn ask_all(&self, now_us: i64) -> Vec<(String, Result<(), String>)> {
        let mut found = Vec::with_capacity(self.issuers.len());
        for (name, issuer) in &self.issuers {
            let seen = issuer.cache.turn();
            found.push((name.clone(), issuer.refreshed(seen, now_us).await));
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    }
}

impl IdentitySource for Verifier {
    async fn identify(
        &self,
        token: &str,
        agent_hint: &str,
        now_us: i64,
    ) -> Result<Identity, IdentityError> {
        self.verify(token, agent_hint, now_us).await
    }
}

impl Issuer {
    async fn check_signature(
        self: &Arc<Self>,
        token: &Unverified<'_>,
        algorithm: Algorithm,
        now_us: i64,
    ) -> Result<(), IdentityError> {
        let fit = || self.cache.current(now_us).map(|keys| keys.fit(token, algorithm));
        let issuer = self.config.issuer.clone();
        let seen = self.cache.turn();
        match fit() {
            Some(Fit::Signed) => return Ok(()),
            Some(Fit::Forged) if token.header.kid.is_some() => {
                return Err(IdentityError::Signature(issuer));
            }
            // Without a kid, a new key looks like a forgery.
            Some(Fit::Forged | Fit::NoKey) | None => {}
        }
        let problem = self.refreshed(seen, now_us).await.err();
        match fit() {
            Some(Fit::Signed) => Ok(()),
            Some(Fit::Forged) => Err(IdentityError::Signature(issuer)),
            Some(Fit::NoKey) => Err(IdentityError::UnknownKey { issuer, problem }),
            None => Err(IdentityError::NoKeys { issuer, problem }),
        }
    }

    /// Asks the issuer for its keys, unless another did so since `seen`.
    ///
    /// It is a task of its own: a caller that hangs up must not cut short what others wait for.
    async fn refreshed(self: &Arc<Self>, seen: u64, now_us: i64) -> Result<(), String> {
        let me = Arc::clone(self);
        let task = tokio::spawn(async move { me.refresh(seen, now_us).await });
        task.await.unwrap_or_else(|_| Err("fetching its keys was broken off".to_owned()))
    }

    async fn refresh(&self, seen: u64, now_us: i64) -> Result<(), String> {
        let _asking = self.asking.lock().await;
        if self.cache.turn() == seen {
            self.cache.ask(now_us)?;
            let answer = self.fetcher.keys(&self.config).await;
            if let Err(problem) = &answer {
                tracing::warn!(issuer = self.config.issuer, problem, "fetching keys failed");
            }
            self.cache.answered(answer, now_us);
        }
        self.cache.problem().map_or(Ok(()), Err)
    }
}
