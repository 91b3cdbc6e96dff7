//! Opaque streams: peek at a TLS hello for its server name, then let the kernel move the bytes with
//! splice(2), counted.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::{OFlag, SpliceFFlags, splice};
use nix::unistd::pipe2;
use tokio::io::Interest;
use tokio::net::TcpStream;
use weir_model::entry::Answered;
use weir_model::{Entry, ExchangeId, limits};
use weir_wire::tls::{Hello, client_hello};

use crate::config::TargetConfig;
use crate::flow::services::now_us;
use crate::flow::{Closing, Flow, dial};

/// Bytes moved by one splice: the default capacity of a pipe.
const PIPE_BYTES: usize = 64 << 10;

/// The TLS hello that a client begins with, if it does, without taking its bytes.
pub async fn hello(client: &TcpStream) -> Option<Hello> {
    let mut head = vec![0u8; 16 << 10];
    let steps = limits::DETECT_MS / 5;
    for _ in 0..steps {
        let wait = Duration::from_millis(limits::DETECT_MS);
        let count = tokio::time::timeout(wait, client.peek(&mut head)).await.ok()?.ok()?;
        if count == 0 || head.first() != Some(&0x16) {
            return None;
        }
        match client_hello(head.get(..count)?) {
            Ok(Some(hello)) => return Some(hello),
            Ok(None) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(_) => return None,
        }
    }
    None
}

/// Makes closing a connection a reset, so that its client sees a refusal and not an empty answer.
pub fn reset(stream: &TcpStream) {
    if let Err(error) = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(%error, "setting SO_LINGER");
    }
}

/// Dials the target and relays both ways until both are done.
pub async fn relay(
    flow: &Flow,
    config: Option<&TargetConfig>,
    client: TcpStream,
    exchange: ExchangeId,
) -> Closing {
    let addresses = match config {
        Some(config) => dial::upstream(config, flow.original).await,
        None => Ok(vec![flow.original]),
    };
    let dialled = match addresses {
        Ok(addresses) => dial::dial(&addresses).await,
        Err(error) => Err(error),
    };
    let forwarded_us = now_us();
    let (closing, status) = match dialled {
        Err(error) => {
            reset(&client);
            (Closing::because(format!("dialling the target: {error}")), "error")
        }
        Ok(target) => {
            let (to_target, to_client) =
                tokio::join!(one_way(&client, &target), one_way(&target, &client));
            let failed = to_target.1.or(to_client.1);
            let reason = failed.map_or_else(|| "closed".to_owned(), |error| error.to_string());
            (Closing { reason, bytes_in: to_target.0, bytes_out: to_client.0 }, "ok")
        }
    };
    let answered = Answered {
        exchange,
        flow: flow.id,
        forwarded_us: Some(forwarded_us),
        first_us: None,
        done_us: now_us(),
        status: status.into(),
        error_code: None,
        rows: 0,
        affected: None,
        masked: Default::default(),
    };
    if let Err(error) = flow.gate.note(&Entry::Answered(answered)).await {
        tracing::error!(flow = %flow.id, %error, "recording the end of a relay");
    }
    closing
}

/// Moves bytes one way until the sender is done, then shuts the receiver's side. Returns how many,
/// and what went wrong.
async fn one_way(from: &TcpStream, to: &TcpStream) -> (u64, Option<io::Error>) {
    let mut moved = 0;
    let result = pump(from, to, &mut moved).await;
    let shut = socket2::SockRef::from(to).shutdown(std::net::Shutdown::Write);
    if let Err(error) = shut {
        tracing::trace!(%error, "shutting down a side that is gone already");
    }
    (moved, result.err())
}

async fn pump(from: &TcpStream, to: &TcpStream, moved: &mut u64) -> io::Result<()> {
    let (read, write): (OwnedFd, OwnedFd) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    loop {
        let mut left = shift(from, Interest::READABLE, &from, &write, PIPE_BYTES).await?;
        if left == 0 {
            return Ok(());
        }
        while left > 0 {
            let count = shift(to, Interest::WRITABLE, &read, &to, left).await?;
            left -= count.min(left);
            *moved += count as u64;
        }
    }
}

/// One splice, when `ready` is ready for it.
async fn shift(
    ready: &TcpStream,
    interest: Interest,
    from: &impl AsFd,
    to: &impl AsFd,
    count: usize,
) -> io::Result<usize> {
    let flags = SpliceFFlags::SPLICE_F_NONBLOCK | SpliceFFlags::SPLICE_F_MOVE;
    ready
        .async_io(interest, || {
            splice(from.as_fd(), None, to.as_fd(), None, count, flags).map_err(io::Error::from)
        })
        .await
}
