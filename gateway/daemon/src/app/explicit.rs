//! Explicit mode: one listener for each `[[gateway.explicit]]`, on hosts without eBPF.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use tokio::sync::watch;

use super::workers::Workers;
use crate::config::{Config, TargetConfig};
use crate::flow::accept::Facts;
use crate::intercept::Explicit;

/// Opens the configured listeners and hands them to the workers.
///
/// # Errors
/// A listener names no target, or can't be opened.
pub fn listeners(
    config: &Config,
    workers: &Workers,
    open: &watch::Receiver<()>,
) -> anyhow::Result<Vec<Arc<Mutex<Explicit>>>> {
    let wanted = &config.gateway.explicit;
    anyhow::ensure!(!wanted.is_empty(), "explicit mode needs at least one [[gateway.explicit]]");
    let mut all = Vec::new();
    for one in wanted {
        let target = config.targets.iter().find(|target| target.name == one.target);
        let target = target.with_context(|| format!("there is no [[target]] {}", one.target))?;
        let explicit = Explicit::start(one.listen, destination(target)?)?;
        let socket = explicit.listener().try_clone().context("sharing a listener")?;
        let explicit = Arc::new(Mutex::new(explicit));
        workers.listen(vec![socket], &Facts::Explicit(explicit.clone()), open);
        tracing::warn!(listen = %one.listen, target = one.target, "explicit listener, unenforced");
        all.push(explicit);
    }
    Ok(all)
}

/// The destination that stands for a target: its first address, else what its name resolves to.
fn destination(target: &TargetConfig) -> anyhow::Result<SocketAddr> {
    if let Some(address) = target.addresses.first() {
        return Ok(SocketAddr::new(*address, target.port));
    }
    let host = target.hosts.first().map_or("localhost", String::as_str);
    let resolved = (host, target.port).to_socket_addrs().ok().and_then(|mut found| found.next());
    let unspecified = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), target.port);
    match (resolved, &target.upstream) {
        (Some(found), _) => Ok(found),
        (None, Some(_)) => Ok(unspecified),
        (None, None) => anyhow::bail!("target {}: {host} does not resolve", target.name),
    }
}
