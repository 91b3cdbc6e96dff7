//! Tells systemd how the gateway is (sd_notify(3)), where systemd started it.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// This process is the service's main one, and ready.
pub fn ready() {
    let state = format!("READY=1\nMAINPID={}\n", std::process::id());
    if let Err(error) = send(&state) {
        tracing::warn!(%error, "telling systemd");
    }
}

fn send(state: &str) -> io::Result<()> {
    let Ok(path) = std::env::var("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&path)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}
