//! Fetching an issuer's keys: from a file, a URL, or by discovery.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, StatusCode, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use weir_model::limits;

use super::issuer::{self, IssuerConfig};
use super::jwks::KeySet;
use crate::tls::{self, TlsError, upstream};

const TIMEOUT: Duration = Duration::from_millis(limits::JWKS_MS);

/// Fetches the keys of one issuer.
pub(super) struct Fetcher {
    http: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Fetcher {
    pub(super) fn new(config: &IssuerConfig) -> Result<Self, TlsError> {
        let tls = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(upstream::roots(config.ca_file.as_deref())?)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http() // `issuer::check_url` says when http is allowed
            .enable_http1()
            .build();
        // No pool: a connection kept by one runtime must not be used from another.
        let http = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { http })
    }

    pub(super) async fn keys(&self, config: &IssuerConfig) -> Result<KeySet, String> {
        let bytes = tokio::time::timeout(TIMEOUT, self.document(config))
            .await
            .map_err(|_| format!("no answer within {} s", TIMEOUT.as_secs()))??;
        KeySet::parse(&bytes)
    }

    async fn document(&self, config: &IssuerConfig) -> Result<Bytes, String> {
        if let Some(path) = &config.jwks_file {
            return read(path).await;
        }
        if let Some(url) = &config.jwks_uri {
            return self.get(url).await;
        }
        let base = config.issuer.strip_suffix('/').unwrap_or(&config.issuer);
        let found = self.get(&format!("{base}/.well-known/openid-configuration")).await?;
        let found: Discovery = serde_json::from_slice(&found)
            .map_err(|_| "the discovery document is not one".to_owned())?;
        if found.issuer != config.issuer {
            return Err("the discovery document is another issuer's".to_owned());
        }
        issuer::check_url(&found.jwks_uri).map_err(|why| format!("its jwks_uri {why}"))?;
        // Else a remote issuer could make Weir ask services of this host.
        if issuer::is_plain(&found.jwks_uri) && !issuer::is_plain(&config.issuer) {
            return Err("its jwks_uri points at this host".to_owned());
        }
        self.get(&found.jwks_uri).await
    }

    /// Gets a document of at most `limits::JWKS_BYTES`; redirects are not followed.
    async fn get(&self, url: &str) -> Result<Bytes, String> {
        let request = Request::get(url)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "weir")
            .body(Empty::new())
            .map_err(|_| format!("{url} is not a URL"))?;
        let answer = self
            .http
            .request(request)
            .await
            .map_err(|error| format!("{url} does not answer: {}", innermost(&error)))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("{url} answers {}", answer.status()));
        }
        Limited::new(answer.into_body(), limits::JWKS_BYTES)
            .collect()
            .await
            .map(|body| body.to_bytes())
            .map_err(|error| format!("reading {url}: {error}"))
    }
}

async fn read(path: &Path) -> Result<Bytes, String> {
    let mut bytes = Vec::new();
    let read = async {
        let file = tokio::fs::File::open(path).await?;
        file.take(limits::JWKS_BYTES as u64 + 1).read_to_end(&mut bytes).await
    };
    read.await.map_err(|error| format!("reading {}: {error}", path.display()))?;
    if bytes.len() > limits::JWKS_BYTES {
        return Err(format!("{} is too large", path.display()));
    }
    Ok(bytes.into())
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
