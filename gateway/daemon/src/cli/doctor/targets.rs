//! Targets: whether each resolves, answers, and takes the log-in. It is done as the gateway does it.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use weir_model::Protocol;
use weir_wire::postgres::backend::{self, Backend};

use super::Patient;
use super::finding::Report;
use crate::config::TargetConfig;
use crate::driver::postgres::login::{self, LoginError};
use crate::flow::dial;
use crate::identity::{Credential, CredentialSource as _, Credentials};

const AREA: &str = "targets";
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn check(patient: &Patient<'_>, report: &mut Report) {
    let config = &patient.config;
    if config.targets.is_empty() {
        return report.warn(AREA, "none is configured", "add a [[target]] to the configuration");
    }
    let state = &config.gateway.state_dir;
    let credentials = match Credentials::new(config.credentials.clone(), state) {
        Ok(credentials) => credentials,
        Err(error) => return report.fail(AREA, error.to_string(), "weir gateway --check"),
    };
    for target in &config.targets {
        one(target, &credentials, report).await;
    }
}

async fn one(target: &TargetConfig, credentials: &Credentials, report: &mut Report) {
    let name = &target.name;
    let Some(original) = resolve(target, report) else { return };
    let addresses = match dial::upstream(target, original).await {
        Ok(addresses) => addresses,
        Err(error) => {
            let upstream = target.upstream.as_deref().unwrap_or_default();
            let text = format!("{name}: {upstream} does not resolve: {error}");
            return report.fail(AREA, text, &format!("getent hosts {upstream}"));
        }
    };
    if target.protocol != Protocol::Postgres {
        let dialled = tokio::time::timeout(PATIENCE, dial::dial(&addresses)).await;
        return match dialled
            .map_err(|_| "it is silent".to_owned())
            .and_then(|dialled| dialled.map_err(|error| error.to_string()))
        {
            Ok(_) => report.ok(AREA, format!("{name} answers at {}", shown(&addresses))),
            Err(why) => report.fail(
                AREA,
                format!("{name} at {}: {why}", shown(&addresses)),
                &format!("nc -vz {} {}", original.ip(), original.port()),
            ),
        };
    }
    let credential = match target.credential.as_ref().map(|name| credentials.load(name)).transpose()
    {
        Ok(credential) => credential,
        Err(error) => {
            let wanted = target.credential.as_deref().unwrap_or_default();
            return report.fail(
                AREA,
                format!("{name}: {error}"),
                &format!("weir credentials set {wanted} --user USER --password-stdin"),
            );
        }
    };
    log_in(target, original, credential, &addresses, report).await;
}

async fn log_in(
    target: &TargetConfig,
    original: SocketAddr,
    credential: Option<Credential>,
    addresses: &[SocketAddr],
    report: &mut Report,
) {
    let (name, shown) = (&target.name, shown(addresses));
    let user = credential.as_ref().map_or("weir-doctor", |credential| credential.user.as_str());
    let database = target.database.as_deref().unwrap_or(user);
    let parameters = [
        (b"user".to_vec(), user.as_bytes().to_vec()),
        (b"database".to_vec(), database.as_bytes().to_vec()),
    ];
    let attempt = login::log_in(target, credential.as_ref(), original, 0, &parameters);
    match tokio::time::timeout(PATIENCE, attempt).await.unwrap_or(Err(LoginError::Timeout)) {
        Ok(_) => {
            report.ok(AREA, format!("{name} at {shown}: logged in as {user}, TLS as configured"))
        }
        // Without a credential clients log in by nothing at all, so its refusal is its answer.
        Err(LoginError::Target(message)) if credential.is_none() => {
            report.warn(
                AREA,
                format!("{name} at {shown} answers, and has no credential: {}", said(&message)),
                "add credential = ... to the [[target]]",
            );
        }
        Err(LoginError::Target(message)) => {
            let wanted = target.credential.as_deref().unwrap_or_default();
            report.fail(
                AREA,
                format!("{name} at {shown} refuses {user}: {}", said(&message)),
                &format!("weir credentials set {wanted} --user {user} --password-stdin"),
            );
        }
        Err(error) => {
            report.fail(
                AREA,
                format!("{name} at {shown}: {error}"),
                &format!("psql -h {} -p {}", original.ip(), original.port()),
            );
        }
    }
}

/// The target's own words.
fn said(message: &[u8]) -> String {
    match backend::parse(message) {
        Ok(Backend::Error(fields)) => {
            let text = fields.get(b'M').unwrap_or_default();
            String::from_utf8_lossy(text).into_owned()
        }
        _ => "in words that are not understood".to_owned(),
    }
}

/// Where an agent would connect to.
fn resolve(target: &TargetConfig, report: &mut Report) -> Option<SocketAddr> {
    if let Some(address) = target.addresses.first() {
        return Some(SocketAddr::new(*address, target.port));
    }
    let Some(host) = target.hosts.first() else {
        report.fail(
            AREA,
            format!("{} has neither addresses nor hosts", target.name),
            "weir gateway --check",
        );
        return None;
    };
    match (host.as_str(), target.port).to_socket_addrs().map(|mut found| found.next()) {
        Ok(Some(found)) => Some(found),
        Ok(None) => {
            report.fail(
                AREA,
                format!("{}: {host} has no address", target.name),
                &format!("getent hosts {host}"),
            );
            None
        }
        Err(error) => {
            report.fail(
                AREA,
                format!("{}: {host} does not resolve: {error}", target.name),
                &format!("getent hosts {host}"),
            );
            None
        }
    }
}

fn shown(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
