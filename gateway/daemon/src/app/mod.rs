//! The gateway, put together: load, open the record, attach, listen, serve until told to stop.

pub mod canary;
pub mod control;
pub mod coverage;
pub mod explicit;
pub mod give;
pub mod handover;
pub mod kept;
pub mod kernel;
pub mod keys;
pub mod lsm;
pub mod notify;
pub mod patience;
pub mod reports;
pub mod sessions;
pub mod socket;
pub mod take;
pub mod tiers;
pub mod upgrade;
pub mod workers;

use std::cell::{Cell, RefCell};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use weir_model::Entry;
use weir_model::entry::Event;
use weir_policy::{PolicySet, Source};

use crate::approval::{self, Queue};
use crate::config::{Config, Mode};
use crate::control::Order;
use crate::flow::services::{Live, Services, now_us};
use crate::identity::{Credentials, Verifier};
use crate::record::{Class, Recorder};
use crate::tls::Authority;
use coverage::{Ledger, Origin};
use handover::Phase;
use kept::Sessions;
use kernel::Kernel;
use patience::Patience;
use workers::Workers;

/// How often the record says that the gateway is alive.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// How long a canary that is under way is waited for at the end.
const CANARY: Duration = Duration::from_secs(3);
/// How often it looks whether issuers' keys are due.
const KEYS: Duration = Duration::from_secs(300);

/// The running gateway's own parts, on its main thread.
pub struct App {
    /// The configuration that it started with; `reload` replaces what can change.
    pub config: Config,
    /// What flows share.
    pub services: Arc<Services>,
    verifier: RwLock<Arc<Verifier>>,
    /// Bindings and their lives.
    pub sessions: Sessions,
    /// Interception.
    pub kernel: Kernel,
    /// The control socket.
    pub control: socket::Control,
    /// How it stands to a successor.
    pub phase: watch::Sender<Phase>,
    /// Sessions that are being ended.
    pub ending: Cell<usize>,
    /// The way to the gateway before this one, as long as that serves connections.
    pub before: RefCell<Option<UnixStream>>,
    /// The program that this one was started from, whatever stands there now.
    pub binary: PathBuf,
    /// The completeness ledger.
    pub ledger: Ledger,
    /// Whether programs of the gateway before are still being replaced.
    pub renewing: Cell<bool>,
    /// Bindings with a network namespace that was not found.
    pub unlearnt: Patience,
    /// One canary at a time.
    pub canary: tokio::sync::Mutex<()>,
}

/// Runs the gateway until a signal ends it; where `upgrade`, in the place of the one that runs.
///
/// # Errors
/// What kept it from starting.
pub fn run(config: Config, upgrade: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, serve(config, upgrade))
}

async fn serve(config: Config, upgrade: bool) -> anyhow::Result<()> {
    let binary = std::env::current_exe().context("finding this program")?;
    std::fs::create_dir_all(&config.gateway.state_dir)
        .with_context(|| format!("making {}", config.gateway.state_dir.display()))?;
    let host = host_name(&config)?;
    let live = load(&config)?;
    let policy_hash = live.policy.hash().clone();
    let verifier = Verifier::new(config.issuers.clone()).context("reading issuers")?;
    let state = &config.gateway.state_dir;
    let masker = weir_mask::Masker::new(keys::mask_key(state)?);
    let authority = Arc::new(Authority::open_or_create(state).context("opening the CA")?);
    // What can fail without the old gateway has not failed.
    let mut taken = if upgrade { Some(take::take(&config)?) } else { None };
    let (recorder, recovery) = match taken.as_mut().and_then(|taken| taken.record.take()) {
        Some(handed) => Recorder::inherit(&config.record, &host, handed),
        None => Recorder::open(&config.record, &host),
    }
    .context("opening the record")?;
    let queue = Queue::open_file(state.join("holds.json"), vec![Box::new(approval::Cli)], now_us())
        .context("reading pending holds")?;
    let services = Services::new(live, Arc::new(recorder), queue, masker, authority, host.into());
    let services = Arc::new(services);
    let workers = Workers::start(config.gateway.workers, &services).context("starting workers")?;
    let inherited = taken.as_mut().and_then(|taken| taken.inherited.take());
    let kernel = Kernel::start(&config, &services, workers, inherited);
    let app = Rc::new(App {
        verifier: RwLock::new(Arc::new(verifier)),
        sessions: Sessions::new(state.join("sessions")),
        kernel: kernel.context("attaching to the kernel")?,
        control: socket::Control::default(),
        phase: watch::Sender::new(Phase::Serving),
        ending: Cell::new(0),
        before: RefCell::default(),
        binary,
        ledger: Ledger::open(state).context("opening the ledger")?,
        canary: Default::default(),
        unlearnt: Patience::default(),
        renewing: Cell::new(upgrade),
        config,
        services,
    });
    note(&app, started(&app, &policy_hash, &format!("{recovery:?}"), upgrade)).await;
    coverage::started(&app).await;
    sessions::resume(&app, if upgrade { Origin::Shared } else { Origin::Ended }).await;
    match taken {
        Some(taken) => succeed(&app, taken)?,
        None => app.control.serve(&app, None, Vec::new()).context("opening the control socket")?,
    }
    reports::watch_denials(&app);
    reports::watch_closes(&app);
    lsm::watch(&app);
    coverage::watch(&app);
    canary::at_start(&app);
    sessions::watch(&app);
    tokio::task::spawn_local(heartbeat(app.clone()));
    tokio::task::spawn_local(refresh_keys(app.clone()));
    notify::ready();
    tracing::info!(
        tier = app.kernel.tier(),
        control = %app.config.gateway.control.display(),
        record = %app.config.record.dir.display(),
        "ready"
    );
    until_stopped(&app).await;
    if app.phase.borrow().is_in_charge() {
        stop(app).await;
    }
    Ok(())
}

/// Serves in the place of the gateway that gave `taken`, and tells it so.
fn succeed(app: &Rc<App>, taken: take::Taken) -> anyhow::Result<()> {
    let now = now_us();
    for (session, address, name, until) in &taken.names {
        app.services.names.learn(*session, *address, name, now, *until);
    }
    sessions::count_on(app, &taken.asked);
    app.services.recorder.admit(taken.guest, taken.flows).context("recording for another")?;
    for listeners in taken.listeners {
        app.kernel.accept(listeners)?;
    }
    app.control
        .serve(app, Some(taken.control), taken.passed)
        .context("serving the control socket")?;
    take::ready(app, taken.way)?;
    let app = app.clone();
    tokio::task::spawn_local(async move {
        let event = match app.kernel.renew().await {
            Ok(count) => Event::info(now_us(), "gateway.renewed", "programs were replaced".into())
                .with("bindings", count),
            Err(error) => {
                let text = format!("the programs of the gateway before stay: {error:#}");
                Event::info(now_us(), "gateway.renewed", text).warning()
            }
        };
        app.renewing.set(false);
        note(&app, event).await;
    });
    Ok(())
}

fn started(app: &App, policy_hash: &str, recovery: &str, upgrade: bool) -> Event {
    let text = if upgrade { "the gateway took over from another" } else { "the gateway started" };
    let event = Event::info(now_us(), "gateway.started", text.to_owned())
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("tier", app.kernel.tier())
        .with("lsm", app.kernel.lsm())
        .with("policy", policy_hash)
        .with("recovery", recovery);
    if app.config.gateway.mode == Mode::Explicit { event.warning() } else { event }
}

fn host_name(config: &Config) -> anyhow::Result<String> {
    if !config.gateway.host.is_empty() {
        return Ok(config.gateway.host.clone());
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").context("asking for a name")?;
    Ok(name.trim().to_owned())
}

/// What a reload replaces, read and checked.
///
/// # Errors
/// Every problem of the policy at once.
pub fn load(config: &Config) -> anyhow::Result<Live> {
    let mut sources = Vec::new();
    for file in &config.policy.files {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("reading the policy {}", file.display()))?;
        sources.push(Source { name: file.display().to_string(), text });
    }
    let policy = if sources.is_empty() { PolicySet::shipped() } else { PolicySet::load(&sources) };
    let policy = policy.map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
        anyhow::anyhow!("the policy has {} problem(s):{}", problems.len(), lines.concat())
    })?;
    let state = &config.gateway.state_dir;
    Ok(Live {
        policy,
        targets: config.targets.iter().cloned().map(Arc::new).collect(),
        columns: config.columns.clone(),
        credentials: Arc::new(Credentials::new(config.credentials.clone(), state)?),
        class: config.record.class,
        allow_relax: config.run.allow_relax.clone(),
    })
}

impl App {
    /// Who verifies tokens now.
    pub fn verifier(&self) -> Arc<Verifier> {
        self.verifier.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the configuration and the policy again; a broken one leaves the running one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn reload(&self) -> anyhow::Result<String> {
        let loaded = Config::load(&self.config.path)
            .map_err(anyhow::Error::from)
            .and_then(|config| Ok((load(&config)?, Verifier::new(config.issuers)?)));
        match loaded {
            Ok((live, verifier)) => {
                let hash = live.policy.hash().to_string();
                take::order(self, &Order::Reload);
                *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(verifier);
                self.services.replace(live);
                let text = "policy and targets were read again".to_owned();
                note(self, Event::info(now_us(), "policy.loaded", text).with("policy", &hash))
                    .await;
                Ok(hash)
            }
            Err(error) => {
                let text = format!("kept the old configuration: {error:#}");
                note(self, Event::info(now_us(), "policy.rejected", text).warning()).await;
                Err(error)
            }
        }
    }
}

/// Puts an event on record, and says whether it is there; one that can't be is logged.
pub async fn note(app: &App, event: Event) -> bool {
    let entry = Entry::Event(event);
    let noted = app.services.recorder.append(Class::Process, &[(&entry, &[])]).await;
    noted.inspect_err(|error| tracing::error!(%error, "recording an event")).is_ok()
}

async fn heartbeat(app: Rc<App>) {
    let mut beat = tokio::time::interval(HEARTBEAT);
    loop {
        beat.tick().await;
        if !app.phase.borrow().is_in_charge() {
            continue;
        }
        let health = app.services.recorder.health();
        let event = Event::info(now_us(), "gateway.heartbeat", "the gateway is alive".to_owned())
            .with("sessions", app.services.all_sessions().len())
            .with("entries", health.next_index)
            .with("free_bytes", health.free_bytes);
        note(&app, event).await;
    }
}

async fn refresh_keys(app: Rc<App>) {
    let mut look = tokio::time::interval(KEYS);
    loop {
        look.tick().await;
        app.verifier().refresh_due(now_us()).await;
    }
}

async fn until_stopped(app: &App) {
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    );
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
        tracing::error!("signals can't be waited for");
        return;
    };
    let mut phase = app.phase.subscribe();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = phase.wait_for(|phase| *phase == Phase::Drained) => return,
            _ = hangup.recv() => match app.reload().await {
                Ok(hash) => tracing::info!(policy = hash, "reloaded"),
                Err(error) => tracing::error!("not reloaded: {error:#}"),
            },
        }
    }
    // In the middle of a hand-over there is no telling whose everything is.
    let _settled = phase.wait_for(|phase| *phase != Phase::Giving).await;
    if *app.phase.borrow() == Phase::Draining {
        give::cut_all(app, "gateway stopped").await;
    }
}

/// Ends in order: no more commands, sessions end, their flows end with them, the record is sealed.
async fn stop(app: Rc<App>) {
    tracing::info!("stopping");
    take::order(&app, &Order::Stop { reason: "gateway stopped".to_owned() });
    // A canary that is under way takes its cgroup down itself; it never takes long.
    let _canary = tokio::time::timeout(CANARY, app.canary.lock()).await;
    sessions::cut_all(&app, "gateway stopped");
    tokio::time::sleep(Duration::from_millis(200)).await;
    coverage::stopped(&app).await;
    note(&app, Event::info(now_us(), "gateway.stopped", "the gateway stopped".to_owned())).await;
    if let Err(error) = app.services.recorder.seal().await {
        tracing::error!(%error, "sealing the record");
    }
    app.kernel.stop();
    if let Err(error) = std::fs::remove_file(&app.config.gateway.control) {
        tracing::debug!(%error, "removing the control socket");
    }
}
