//! Opaque streams: peek at a TLS hello for its server name, then let the kernel move the bytes with
//! splice(2), counted.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, SpliceFFlags, splice};
use nix::sys::socket::{MsgFlags, recv};
use nix::unistd::pipe2;
use tokio::io::Interest;
use tokio::net::TcpStream;
use weir_model::entry::Answered;
use weir_model::{Entry, ExchangeId, limits};
use weir_wire::tls::{Hello, client_hello};

use crate::config::TargetConfig;
use crate::flow::metered::Metered;
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
    client: Metered,
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
            reset(client.tcp());
            (Closing::because(format!("dialling the target: {error}")), "error")
        }
        Ok(target) => {
            let target = Metered::from(target);
            let (to_target, to_client) =
                tokio::join!(one_way(&client, &target), one_way(&target, &client));
            let failed = to_target.or(to_client);
            let reason = failed.map_or_else(|| "closed".to_owned(), |error| error.to_string());
            (Closing::because(reason), "ok")
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

/// Moves bytes one way until the sender is done, then shuts the receiver's side. Returns what went
/// wrong.
async fn one_way(from: &Metered, to: &Metered) -> Option<io::Error> {
    let result = pump(from, to).await;
    let shut = socket2::SockRef::from(to.tcp()).shutdown(std::net::Shutdown::Write);
    if let Err(error) = shut {
        tracing::trace!(%error, "shutting down a side that is gone already");
    }
    result.err()
}

async fn pump(from: &Metered, to: &Metered) -> io::Result<()> {
    let (read, write): (OwnedFd, OwnedFd) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    loop {
        let mut left = fill(from, &write).await?;
        from.meter().count_read(left);
        if left == 0 {
            return Ok(());
        }
        while left > 0 {
            let count = drain(&read, to, left).await?;
            left -= count.min(left);
            to.meter().count_written(count);
        }
    }
}

/// Moves what has come into the pipe; 0 is the end of the stream.
async fn fill(from: &Metered, pipe: &OwnedFd) -> io::Result<usize> {
    let tcp = from.tcp();
    tcp.async_io(Interest::READABLE, || match splice_once(tcp, pipe, PIPE_BYTES) {
        Ok(count @ 1..) => Ok(count),
        // At an urgent byte splice(2) stops as if nothing had come; a plain read takes it.
        Ok(0) | Err(Errno::EAGAIN) => {
            let mut byte = [0u8; 1];
            let count = recv(tcp.as_raw_fd(), &mut byte, MsgFlags::MSG_DONTWAIT)?;
            if count > 0 {
                nix::unistd::write(pipe, &byte)?;
            }
            Ok(count)
        }
        Err(error) => Err(error.into()),
    })
    .await
}

/// Moves what is in the pipe on, when the receiver is ready for it.
async fn drain(pipe: &OwnedFd, to: &Metered, count: usize) -> io::Result<usize> {
    let tcp = to.tcp();
    tcp.async_io(Interest::WRITABLE, || splice_once(pipe, tcp, count).map_err(io::Error::from))
        .await
}

fn splice_once(from: &impl AsFd, to: &impl AsFd, count: usize) -> nix::Result<usize> {
    let flags = SpliceFFlags::SPLICE_F_NONBLOCK | SpliceFFlags::SPLICE_F_MOVE;
    splice(from.as_fd(), None, to.as_fd(), None, count, flags)
}
