//! The new gateway's side: asks the one that runs, and gets what it needs to serve in its place.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::sync::mpsc;
use weir_model::{SessionId, limits};

use super::App;
use super::handover::{self, Given, Go, Ready};
use crate::config::Config;
use crate::control::{Channel, Client, Order, Passed, Request, Response};
use crate::driver::postgres::cancel::Stray;
use crate::intercept::{Inherited, Interceptor, Listeners};
use crate::record::Handed;

/// How long the old gateway may wait for statements that are held.
const HOLDS: Duration = Duration::from_millis(limits::HOLD_MS + limits::HANDOVER_MS);

/// Between two cancel requests that are passed on.
const CANCELS: Duration = Duration::from_millis(20);

/// What the old gateway gave.
pub struct Taken {
    /// The way to it, which still waits to hear that this one serves.
    pub way: Channel,
    /// The control socket.
    pub control: UnixListener,
    /// Open control connections.
    pub passed: Vec<Passed>,
    /// Listeners, which hold connections that nobody has accepted yet.
    pub listeners: Vec<Listeners>,
    /// What the interceptor needs; taken once.
    pub inherited: Option<Inherited>,
    /// What the recorder needs; taken once.
    pub record: Option<Handed>,
    /// Over which the old gateway appends to the record.
    pub guest: UnixStream,
    /// Its connections.
    pub flows: std::collections::BTreeSet<weir_model::FlowId>,
    /// Statements that sessions have asked.
    pub asked: Vec<(SessionId, u64)>,
    /// Names that DNS taught.
    pub names: Vec<(SessionId, std::net::IpAddr, String, i64)>,
}

/// Takes over from the gateway that runs with this configuration.
///
/// # Errors
/// There is none, it refuses, or it died half-way; nothing has changed for it where it lives.
pub fn take(config: &Config) -> anyhow::Result<Taken> {
    Interceptor::warm_up();
    let mut client = Client::connect_to(config.gateway.control.clone())?;
    let Response::HandingOver = client.ask(&Request::TakeOver(handover::claim(config)?))? else {
        bail!("the running gateway's answer does not fit: is it a much older version?");
    };
    let way = Channel::new(client.into_stream()).context("speaking to the running gateway")?;
    way.send(&Go, &[]).context("speaking to the running gateway")?;
    way.wait(HOLDS)?;
    let taken = receive(way).context("taking over from the running gateway")?;
    Ok(taken)
}

fn receive(way: Channel) -> anyhow::Result<Taken> {
    let mut passed = Vec::new();
    let mut listeners = Vec::new();
    loop {
        let (given, files) = way.receive::<Given>()?;
        match given {
            Given::Connection { sessions } => {
                let [stream] = exactly(files)?;
                passed.push(Passed { stream: stream.into(), sessions });
            }
            Given::Listeners { netns, tcp, tcp6, dns } => {
                listeners.push(sockets(netns, [tcp, tcp6, dns], files)?);
            }
            Given::Rest(rest) => {
                let [control, pins, record, guest] = exactly(files)?;
                let inherited = Inherited {
                    lock: pins,
                    accepting: rest.accepting,
                    namespaces: rest.namespaces,
                };
                way.wait(Duration::from_millis(limits::HANDOVER_MS))?;
                return Ok(Taken {
                    way,
                    control: control.into(),
                    passed,
                    listeners,
                    inherited: Some(inherited),
                    record: Some(Handed { lock: record, life: rest.life }),
                    guest: guest.into(),
                    flows: rest.flows,
                    asked: rest.asked,
                    names: rest.names,
                });
            }
        }
    }
}

fn exactly<const N: usize>(files: Vec<OwnedFd>) -> anyhow::Result<[OwnedFd; N]> {
    let count = files.len();
    files.try_into().map_err(|_| anyhow::anyhow!("{count} descriptors came, not {N}"))
}

fn sockets(netns: u64, counts: [usize; 3], files: Vec<OwnedFd>) -> anyhow::Result<Listeners> {
    let [tcp, tcp6, dns] = counts;
    let all = counts.into_iter().try_fold(0_usize, usize::checked_add);
    anyhow::ensure!(dns > 0 && all.is_some_and(|all| all <= files.len()), "listeners are missing");
    let mut files = files.into_iter();
    let mut streams = |count: usize| -> Vec<TcpListener> {
        files.by_ref().take(count).map(TcpListener::from).collect()
    };
    let (tcp, tcp6) = (streams(tcp), streams(tcp6));
    let dns = files.by_ref().take(dns).map(UdpSocket::from).collect();
    Ok(Listeners { netns, tcp, tcp6, dns, dns6: files.map(UdpSocket::from).collect() })
}

/// Tells the old gateway that this one serves, and listens for its end. One that has died meanwhile
/// does not matter any more.
///
/// # Errors
/// The way can't be used.
pub fn ready(app: &Rc<App>, way: Channel) -> anyhow::Result<()> {
    if let Err(error) = way.send(&Ready, &[]) {
        tracing::warn!(%error, "the gateway before this one is gone");
        return Ok(());
    }
    let way = way.into_stream();
    way.set_nonblocking(true)?;
    let heard = tokio::net::UnixStream::from_std(way.try_clone()?)?;
    app.before.replace(Some(way));
    pass_cancels_on(app);
    let app = app.clone();
    tokio::task::spawn_local(async move {
        // It says nothing: whatever comes is its end.
        if let Err(error) = heard.readable().await {
            tracing::debug!(%error, "listening to the gateway before this one");
        }
        app.before.replace(None);
        app.services.cancels.pass_on(None);
        tracing::info!("the gateway before this one has ended");
    });
    Ok(())
}

/// Whoever cancels a statement on a connection that the old gateway serves arrives here. So slowly that
/// nobody makes the old one's way run full.
fn pass_cancels_on(app: &Rc<App>) {
    let (sender, mut strays) = mpsc::channel(limits::STRAY_CANCELS);
    app.services.cancels.pass_on(Some(sender));
    let app = app.clone();
    tokio::task::spawn_local(async move {
        while let Some(Stray { session, pid, key }) = strays.recv().await {
            order(&app, &Order::Cancel { session, pid, key });
            tokio::time::sleep(CANCELS).await;
        }
    });
}

/// Tells the old gateway something. One that does not take it is cut off, which ends it.
pub fn order(app: &App, order: &Order) {
    let before = app.before.borrow();
    let Some(way) = before.as_ref() else { return };
    let Ok(mut line) = serde_json::to_vec(order) else { return };
    line.push(b'\n');
    let mut to: &UnixStream = way;
    let sent = std::io::Write::write(&mut to, &line);
    if !sent.is_ok_and(|count| count == line.len()) {
        tracing::error!("the gateway before this one does not listen, so it is cut off");
        drop(way.shutdown(std::net::Shutdown::Both));
    }
}
