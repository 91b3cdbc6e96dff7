//! The gateway, put together: load, open the record, attach, listen, serve until told to stop.

pub mod control;
pub mod explicit;
pub mod kernel;
pub mod keys;
pub mod lsm;
pub mod sessions;
pub mod workers;

use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use weir_model::Entry;
use weir_model::entry::Event;
use weir_policy::{PolicySet, Source};

use crate::approval::{self, Queue};
use crate::config::{Config, Mode};
use crate::flow::services::{Live, Services, now_us};
use crate::identity::{Credentials, Verifier};
use crate::record::{Class, Recorder};
use crate::tls::Authority;
use kernel::Kernel;
use sessions::Sessions;
use workers::Workers;

/// How often the record says that the gateway is alive.
const HEARTBEAT: Duration = Duration::from_secs(60);
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
}

/// Runs the gateway until a signal ends it.
///
/// # Errors
/// What kept it from starting.
pub fn run(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    std::fs::create_dir_all(&config.gateway.state_dir)
        .with_context(|| format!("making {}", config.gateway.state_dir.display()))?;
    let host = host_name(&config)?;
    let live = load(&config)?;
    let policy_hash = live.policy.hash().clone();
    let (recorder, recovery) =
        Recorder::open(&config.record, &host).context("opening the record")?;
    let recorder = Arc::new(recorder);
    let state = &config.gateway.state_dir;
    let queue = Queue::open_file(state.join("holds.json"), vec![Box::new(approval::Cli)], now_us())
        .context("reading pending holds")?;
    let services = Arc::new(Services::new(
        live,
        recorder.clone(),
        queue,
        weir_mask::Masker::new(keys::mask_key(state)?),
        Arc::new(Authority::open_or_create(state).context("opening the CA")?),
        host.into(),
    ));
    let verifier = Verifier::new(config.issuers.clone()).context("reading issuers")?;
    let verifier = RwLock::new(Arc::new(verifier));
    let workers = Workers::start(config.gateway.workers, &services).context("starting workers")?;
    let kernel = Kernel::start(&config, &services, workers).context("attaching to the kernel")?;
    let sessions = Sessions::new(state.join("sessions"));
    let app = Rc::new(App { config, services, verifier, sessions, kernel });
    note(&app, started(&app, &policy_hash, &format!("{recovery:?}"))).await;
    sessions::resume(&app).await;
    control::listen(&app).context("opening the control socket")?;
    kernel::watch_denials(&app);
    lsm::watch(&app);
    sessions::watch(&app);
    tokio::task::spawn_local(heartbeat(app.clone()));
    tokio::task::spawn_local(refresh_keys(app.clone()));
    tracing::info!(
        tier = app.kernel.tier(),
        control = %app.config.gateway.control.display(),
        record = %app.config.record.dir.display(),
        "ready"
    );
    until_stopped(&app).await;
    stop(app).await;
    Ok(())
}

fn started(app: &App, policy_hash: &str, recovery: &str) -> Event {
    let text = "the gateway started".to_owned();
    let event = Event::info(now_us(), "gateway.started", text)
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

/// Puts an event on record; one that can't be is logged.
pub async fn note(app: &App, event: Event) {
    let entry = Entry::Event(event);
    if let Err(error) = app.services.recorder.append(Class::Process, &[(&entry, &[])]).await {
        tracing::error!(%error, "recording an event");
    }
}

async fn heartbeat(app: Rc<App>) {
    let mut beat = tokio::time::interval(HEARTBEAT);
    loop {
        beat.tick().await;
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
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = hangup.recv() => match app.reload().await {
                Ok(hash) => tracing::info!(policy = hash, "reloaded"),
                Err(error) => tracing::error!("not reloaded: {error:#}"),
            },
        }
    }
}

/// Ends in order: no more commands, sessions end, their flows end with them, the record is sealed.
async fn stop(app: Rc<App>) {
    tracing::info!("stopping");
    sessions::cut_all(&app, "gateway stopped");
    tokio::time::sleep(Duration::from_millis(200)).await;
    note(&app, Event::info(now_us(), "gateway.stopped", "the gateway stopped".to_owned())).await;
    if let Err(error) = app.services.recorder.seal().await {
        tracing::error!(%error, "sealing the record");
    }
    app.kernel.stop();
    if let Err(error) = std::fs::remove_file(&app.config.gateway.control) {
        tracing::debug!(%error, "removing the control socket");
    }
}
