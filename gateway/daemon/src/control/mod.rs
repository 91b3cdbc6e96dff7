//! The Unix socket that the `weir` commands speak: a line of JSON each way, authorised by the peer.
//!
//! Anyone may connect; what a request may do depends on the process at the other end, which is
//! pinned (`peer`) and looked at again for every request. Processes inside a bound cgroup, which are
//! agents, get the gateway's status and nothing else.

pub mod client;
mod frame;
pub mod handover;
pub mod message;
pub mod peer;
mod seats;
pub mod server;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::config::Config;

pub use client::{Client, ClientError, canary, seal, status};
pub use handover::{Channel, Order};
pub use message::{Claim, HoldView, Request, Response, Sealed, SessionView, StatusView};
pub use peer::{Peer, Pinned};
pub use server::{Handler, Passed, Server, bind, serve};

/// Where the control socket is, unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/weir/control.sock";

/// The control socket of the gateway that a command speaks to: the one named, else the
/// configuration's where that can be read (agents' users need not be able to), else the usual one.
pub fn socket_path(common: &crate::cli::Common) -> PathBuf {
    let configured = || Config::load_or_default(&common.config).ok();
    let named = common.socket.clone().or_else(|| Some(configured()?.gateway.control));
    named.unwrap_or_else(|| PathBuf::from(DEFAULT_SOCKET))
}
