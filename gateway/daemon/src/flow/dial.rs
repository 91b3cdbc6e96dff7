//! The upstream connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use weir_model::limits;

use crate::config::TargetConfig;

/// Where Weir connects to for a target: its upstream, else the original destination.
///
/// # Errors
/// The upstream's name does not resolve.
pub async fn upstream(config: &TargetConfig, original: SocketAddr) -> io::Result<Vec<SocketAddr>> {
    match &config.upstream {
        Some(name) => Ok(lookup_host(name).await?.collect()),
        None => Ok(vec![original]),
    }
}

/// Connects to the first of some addresses that answers, within `limits::DIAL_MS` altogether.
///
/// # Errors
/// None answered; the error is that of the last one.
pub async fn dial(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let limit = Duration::from_millis(limits::DIAL_MS);
    let attempt = async {
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the target has no address");
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    };
    tokio::time::timeout(limit, attempt)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the target is silent")))
}
