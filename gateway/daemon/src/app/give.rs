//! The old gateway's side: it gives everything away, or takes everything back, and then serves what
//! it has until that ends.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use weir_model::entry::Event;
use weir_model::{SessionId, limits};

use super::handover::{Given, Go, Phase, Ready, Rest};
use super::{App, coverage, note, sessions};
use crate::control::{Channel, Order, Passed, Peer};
use crate::flow::services::{Services, now_us};
use crate::intercept::{Inherited, Listeners};
use crate::record::Released;

const LOOK: Duration = Duration::from_millis(50);
/// Holds end by themselves in this time.
const HOLDS: Duration = Duration::from_millis(limits::HOLD_MS + 10_000);
/// A successor that failed ends in this time.
const END: Duration = Duration::from_secs(5);

/// Hands over to whoever is at the other end, and drains; or goes on as if nothing had been.
pub async fn give(app: Rc<App>, to: UnixStream, peer: Peer) {
    let begun = std::time::Instant::now();
    match try_give(&app, to, &peer).await {
        Ok(way) => {
            tracing::info!(pid = peer.pid, took = ?begun.elapsed(), "handed over, draining");
            app.phase.send_replace(Phase::Draining);
            let why = drain(&app, way).await;
            tracing::info!(why, "drained");
            app.phase.send_replace(Phase::Drained);
        }
        Err(error) => {
            let text = format!("a successor did not take over: {error:#}");
            tracing::error!("{text}");
            app.phase.send_replace(Phase::Serving);
            let event = Event::info(now_us(), "gateway.upgrade_failed", text).warning();
            note(&app, event.with("pid", peer.pid)).await;
        }
    }
}

async fn try_give(app: &Rc<App>, to: UnixStream, peer: &Peer) -> anyhow::Result<UnixStream> {
    let way = tokio::task::spawn_blocking(move || -> std::io::Result<Channel> {
        let way = Channel::new(to)?;
        way.receive::<Go>().map(|_| way)
    });
    let way = way.await?.context("waiting for the successor")?;
    settle(app).await?;
    // One that is under way takes its cgroup down itself; another begins only if this fails.
    let _canary = tokio::time::timeout(super::CANARY, app.canary.lock()).await;
    app.phase.send_replace(Phase::Giving);
    let given = change_hands(app, way, peer).await;
    if given.is_err() {
        app.ledger.go_on();
        app.services.approvals.reclaim();
        app.services.accepting.send_replace(true);
        app.kernel.accept_again().context("accepting again")?;
    }
    given
}

/// Waits until no statement waits for a human, with the record sealed, so that little of it has to
/// be read again.
async fn settle(app: &App) -> anyhow::Result<()> {
    let approvals = &app.services.approvals;
    let deadline = tokio::time::Instant::now() + HOLDS;
    loop {
        let waiting = approvals.list(false).iter().map(|ticket| ticket.waiting).sum::<usize>();
        if waiting == 0 {
            app.services.recorder.seal().await.context("sealing the record")?;
            if approvals.release().context("keeping holds")? == 0 {
                return Ok(());
            }
        }
        if tokio::time::Instant::now() >= deadline {
            bail!("{waiting} statement(s) are held all the time: answer them, then try again");
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn change_hands(app: &Rc<App>, way: Channel, peer: &Peer) -> anyhow::Result<UnixStream> {
    let Some(passed) = app.control.leave().await else {
        app.control.come_back(app.control.left())?;
        bail!("sessions begin or end all the time: try again");
    };
    while app.ending.get() > 0 {
        tokio::time::sleep(LOOK).await;
    }
    let (control, listeners, inherited) = match part_with(app).await {
        Ok(parts) => parts,
        Err(error) => {
            app.control.come_back(passed)?;
            return Err(error);
        }
    };
    let goods = Goods { control, passed, listeners, inherited, asked: sessions::asked(app) };
    let (services, peer) = (app.services.clone(), peer.clone());
    let given = tokio::task::spawn_blocking(move || hand(&services, way, goods, &peer));
    match given.await.context("handing over")? {
        Ok(way) => Ok(way),
        Err((error, passed)) => {
            app.control.come_back(passed)?;
            Err(error)
        }
    }
}

/// Stops accepting, has the ledger say its last word, and shares what others go on with.
async fn part_with(app: &Rc<App>) -> anyhow::Result<(OwnedFd, Vec<Listeners>, Inherited)> {
    app.services.accepting.send_replace(false);
    // What was accepted before they ended belongs into the last row.
    let ended = async {
        while app.services.accepting.receiver_count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(END, ended).await.context("waiting for the last accept")?;
    coverage::stopped(app).await;
    Ok((app.control.listener()?, app.kernel.listening()?, app.kernel.bequeath()?))
}

/// What is given away beside the record.
struct Goods {
    control: OwnedFd,
    passed: Vec<Passed>,
    listeners: Vec<Listeners>,
    inherited: Inherited,
    asked: Vec<(SessionId, u64)>,
}

/// On a thread of its own: whoever records waits for it.
fn hand(
    services: &Services,
    way: Channel,
    goods: Goods,
    peer: &Peer,
) -> Result<UnixStream, (anyhow::Error, Vec<Passed>)> {
    let begun = std::time::Instant::now();
    let released = match services.recorder.release().context("releasing the record") {
        Ok(released) => released,
        Err(error) => return Err((error, goods.passed)),
    };
    match offer(services, &released, &way, &goods) {
        Ok(ours) => match released.entrust(ours) {
            Ok(()) => {
                tracing::info!(paused = ?begun.elapsed(), "the record changed hands");
                Ok(way.into_stream())
            }
            // The other one serves already: what is open here can't be recorded, so it ends.
            Err(error) => {
                tracing::error!(%error, "recording through the successor");
                Ok(way.into_stream())
            }
        },
        Err(error) => {
            if let Err(error) = peer.kill() {
                tracing::debug!(%error, "ending the successor");
            }
            if !way.is_closed(END) {
                let error = error.context("the successor does not end, so nothing is recorded");
                return Err((error, goods.passed));
            }
            let error = match released.take_back().context("taking the record back") {
                Ok(()) => error,
                Err(worse) => worse.context(format!("{error:#}")),
            };
            Err((error, goods.passed))
        }
    }
}

/// Sends all, and waits until the successor serves; then our end of the way to the record is back.
fn offer(
    services: &Services,
    released: &Released<'_>,
    way: &Channel,
    goods: &Goods,
) -> anyhow::Result<UnixStream> {
    for passed in &goods.passed {
        let given = Given::Connection { sessions: passed.sessions.clone() };
        way.send(&given, &[passed.stream.as_fd()])?;
    }
    for listeners in &goods.listeners {
        let (tcp, tcp6) = (listeners.tcp.len(), listeners.tcp6.len());
        let (netns, dns) = (listeners.netns, listeners.dns.len());
        way.send(&Given::Listeners { netns, tcp, tcp6, dns }, &files(listeners))?;
    }
    let handed = released.handed()?;
    let (ours, theirs) = UnixStream::pair().context("making the way to the record")?;
    let rest = Rest {
        accepting: goods.inherited.accepting.clone(),
        namespaces: goods.inherited.namespaces.clone(),
        life: handed.life,
        flows: services.open_flows(),
        asked: goods.asked.clone(),
        names: services.names.all(),
    };
    let files =
        [goods.control.as_fd(), goods.inherited.lock.as_fd(), handed.lock.as_fd(), theirs.as_fd()];
    way.send(&Given::Rest(Box::new(rest)), &files)?;
    way.receive::<Ready>().context("waiting for the successor to serve")?;
    Ok(ours)
}

fn files(listeners: &Listeners) -> Vec<BorrowedFd<'_>> {
    let tcp = listeners.tcp.iter().chain(&listeners.tcp6).map(|socket| socket.as_fd());
    let dns = listeners.dns.iter().chain(&listeners.dns6).map(|socket| socket.as_fd());
    tcp.chain(dns).collect()
}

/// Serves what is open until it ends, its time is up, or the successor says so or is gone.
async fn drain(app: &Rc<App>, way: UnixStream) -> String {
    let way = way.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(way));
    let Ok(way) = way else { return "the successor can't be heard".to_owned() };
    let mut orders = BufReader::new(way).lines();
    let deadline = tokio::time::Instant::now() + Duration::from_millis(limits::DRAIN_LONG_MS);
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            line = orders.next_line() => {
                let Ok(Some(line)) = line else { return "the successor ended".to_owned() };
                if let Some(reason) = follow(app, &line).await {
                    return cut_all(app, &reason).await;
                }
            }
            _ = look.tick() => {
                if app.services.is_quiet() {
                    return "all that was open has ended".to_owned();
                }
                sessions::cut_expired(app);
            }
            () = tokio::time::sleep_until(deadline) => {
                return cut_all(app, "the gateway was replaced").await;
            }
        }
    }
}

/// Does what the successor says; the reason where that is to end.
async fn follow(app: &Rc<App>, line: &str) -> Option<String> {
    match serde_json::from_str(line) {
        Ok(Order::Cut { session, reason }) => {
            sessions::cut(app, session, &reason);
            None
        }
        Ok(Order::Cancel { session, pid, key }) => {
            let cancels = app.services.cancels.clone();
            tokio::task::spawn_local(async move { cancels.cancel(session, pid, &key).await });
            None
        }
        Ok(Order::Reload) => match app.reload().await {
            Ok(_) => None,
            Err(error) => {
                tracing::error!("not reloaded, so everything is cut: {error:#}");
                Some("the policy has changed and the old gateway can't read it".to_owned())
            }
        },
        Ok(Order::Stop { reason }) => Some(reason),
        Err(error) => {
            tracing::error!(%error, "an order of the successor");
            Some("the successor is not understood".to_owned())
        }
    }
}

/// Cuts all that is open, and waits a while until it has ended.
pub async fn cut_all(app: &App, reason: &str) -> String {
    sessions::cut_all(app, reason);
    let quiet = async {
        while !app.services.is_quiet() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_millis(limits::DRAIN_MS), quiet).await;
    if ended.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    reason.to_owned()
}
