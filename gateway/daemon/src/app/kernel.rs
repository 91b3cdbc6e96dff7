//! Interception as the app uses it: listeners go to the workers, denials to the record.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use weir_model::entry::Event;

use super::workers::{Workers, until_closed};
use super::{App, explicit, note};
use crate::config::{Config, Mode};
use crate::flow::accept::Facts;
use crate::flow::dns;
use crate::flow::services::{Services, now_us};
use crate::intercept::{
    Bound, Denial, Denials, Explicit, FactsReader, Interceptor, Listeners, Options, Reason, Served,
};

/// How long at most until the kernel's refusals are looked at, whatever it tells.
const LOOK: Duration = Duration::from_secs(1);

/// How agents' connections come in.
enum Way {
    /// eBPF redirects them, and nothing else gets out.
    Kernel { interceptor: Arc<Mutex<Interceptor>>, facts: FactsReader },
    /// Clients are pointed at listeners; nothing is enforced.
    Explicit(Vec<Arc<Mutex<Explicit>>>),
}

/// Interception and the workers that it feeds.
pub struct Kernel {
    way: Way,
    workers: Workers,
    services: Arc<Services>,
    /// What keeps listeners open, by network namespace.
    open: Mutex<HashMap<u64, watch::Sender<()>>>,
}

/// Where explicit listeners are kept: there is one namespace only.
const EXPLICIT: u64 = 0;

impl Kernel {
    /// Loads and pins the programs; in explicit mode opens the listeners, and says loudly that
    /// nothing is enforced.
    ///
    /// # Errors
    /// The kernel or the permissions don't allow it.
    pub fn start(
        config: &Config,
        services: &Arc<Services>,
        workers: Workers,
    ) -> anyhow::Result<Self> {
        let (keep, open) = watch::channel(());
        let way = match config.gateway.mode {
            Mode::Ebpf => {
                let interceptor = Interceptor::start(&Options {
                    instance: config.gateway.instance.clone(),
                    bpffs: config.gateway.bpffs.clone(),
                })?;
                let facts = interceptor.facts();
                Way::Kernel { interceptor: Arc::new(Mutex::new(interceptor)), facts }
            }
            Mode::Explicit => {
                tracing::warn!("EXPLICIT MODE: agents can go around Weir; nothing is enforced");
                Way::Explicit(explicit::listeners(config, &workers, &open)?)
            }
        };
        let open = Mutex::new(HashMap::from([(EXPLICIT, keep)]));
        Ok(Self { way, workers, services: services.clone(), open })
    }

    /// What is enforced.
    pub fn tier(&self) -> &'static str {
        match &self.way {
            Way::Kernel { interceptor, .. } => lock(interceptor).tier(),
            Way::Explicit(_) => "explicit: not enforced",
        }
    }

    /// Whether agents can't get around Weir.
    pub fn enforces(&self) -> bool {
        matches!(self.way, Way::Kernel { .. })
    }

    /// Whether a process is an agent's, by its cgroup or, in explicit mode, by its parents.
    pub fn is_agent(&self, cgroup: &str, pid: u32) -> bool {
        match &self.way {
            Way::Kernel { interceptor, .. } => lock(interceptor).is_below_slice(cgroup),
            Way::Explicit(all) => all.iter().any(|one| lock(one).binding(pid).is_some()),
        }
    }

    /// Leaves that an earlier run of the gateway left behind.
    pub fn adopted(&self) -> Vec<Bound> {
        match &self.way {
            Way::Kernel { interceptor, .. } => lock(interceptor).adopted(),
            Way::Explicit(_) => Vec::new(),
        }
    }

    /// Makes and attaches a leaf.
    ///
    /// # Errors
    /// The kernel refuses; nothing is left behind.
    pub fn bind(&self, id: u64, name: &str) -> anyhow::Result<Bound> {
        let bound = match &self.way {
            Way::Kernel { interceptor, .. } => lock(interceptor).bind(id, name),
            Way::Explicit(_) => Explicit::bound(id, name),
        };
        if bound.is_err() {
            self.leave(id);
        }
        bound.context("binding a cgroup")
    }

    /// Makes sure that the network namespace of a binding's process has listeners.
    ///
    /// # Errors
    /// It can't be entered, or nothing can be bound there.
    pub fn listen(&self, id: u64, pid: u32) -> anyhow::Result<()> {
        let Way::Kernel { interceptor, .. } = &self.way else { return Ok(()) };
        let served = lock(interceptor).serve(id, pid, self.workers.count());
        self.take_up(served.context("listening for a process")?)
    }

    /// Opens listeners where an agent has made itself a network namespace: trying again works.
    ///
    /// # Errors
    /// As `listen`, or it is no process of that binding.
    pub fn learn(&self, denial: &Denial) -> anyhow::Result<()> {
        let Way::Kernel { interceptor, .. } = &self.way else { return Ok(()) };
        let served = lock(interceptor).learn(denial, self.workers.count());
        self.take_up(served.context("listening in a new network namespace")?)
    }

    fn take_up(&self, served: Served) -> anyhow::Result<()> {
        let Way::Kernel { facts, .. } = &self.way else { return Ok(()) };
        self.close(&served.closed);
        let Some(Listeners { netns, tcp, tcp6, dns, dns6 }) = served.opened else {
            return Ok(());
        };
        let (keep, open) = watch::channel(());
        self.workers.listen(tcp, &Facts::Kernel(facts.clone()), &open);
        self.workers.listen(tcp6, &Facts::Kernel(facts.clone()), &open);
        for sockets in [dns, dns6] {
            for (slot, socket) in (0..).zip(sockets) {
                let socket =
                    tokio::net::UdpSocket::from_std(socket).context("listening for DNS")?;
                let at = dns::Inlet { netns, slot, facts: facts.clone() };
                let served = dns::serve_udp(socket, at, self.services.clone());
                tokio::task::spawn_local(until_closed(open.clone(), served));
            }
        }
        lock(&self.open).insert(netns, keep);
        Ok(())
    }

    /// Closes the listeners of network namespaces.
    fn close(&self, namespaces: &[u64]) {
        let mut open = lock(&self.open);
        namespaces.iter().for_each(|netns| drop(open.remove(netns)));
    }

    /// Moves a process into a leaf.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn enter(&self, bound: &Bound, pid: u32) -> anyhow::Result<()> {
        match &self.way {
            Way::Kernel { interceptor, .. } => lock(interceptor).enter(bound, pid),
            Way::Explicit(all) => {
                all.iter().for_each(|one| lock(one).enter(bound, pid));
                Ok(())
            }
        }
        .context("moving the process into its cgroup")
    }

    /// Refuses new connections of a binding.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn revoke(&self, id: u64) -> anyhow::Result<()> {
        match &self.way {
            Way::Kernel { interceptor, .. } => lock(interceptor).revoke(id),
            Way::Explicit(all) => {
                all.iter().for_each(|one| lock(one).end(id));
                Ok(())
            }
        }
        .context("revoking a binding")
    }

    /// Ends a binding: what still runs in it is killed. Off the main thread, because that waits.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn end(&self, id: u64) -> anyhow::Result<BTreeMap<String, u64>> {
        let Way::Kernel { interceptor, .. } = &self.way else { return Ok(BTreeMap::new()) };
        self.leave(id);
        let interceptor = interceptor.clone();
        let ended = tokio::task::spawn_blocking(move || lock(&interceptor).end(id));
        ended.await.context("waiting for a binding to end")?.context("ending a binding")
    }

    /// Closes the listeners that were open for a binding's sake alone.
    fn leave(&self, id: u64) {
        let Way::Kernel { interceptor, .. } = &self.way else { return };
        let gone = lock(interceptor).leave(id);
        self.close(&gone);
    }

    /// Takes down the slice and the pins where no binding is left. Where some are, everything
    /// stays: a gateway that is gone leaves bound cgroups cut off.
    pub fn stop(&self) {
        let Way::Kernel { interceptor, .. } = &self.way else { return };
        let mut interceptor = lock(interceptor);
        if !interceptor.is_idle() {
            tracing::info!("bound cgroups stay cut off until the gateway is back");
            return;
        }
        if let Err(error) = interceptor.retire() {
            tracing::warn!(%error, "taking the slice down");
        }
    }

    fn denials(&self) -> Option<Denials> {
        match &self.way {
            Way::Kernel { interceptor, .. } => lock(interceptor).denials(),
            Way::Explicit(_) => None,
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts what the kernel refused on record.
pub fn watch_denials(app: &Rc<App>) {
    let Some(denials) = app.kernel.denials() else { return };
    let app = app.clone();
    tokio::task::spawn_local(async move {
        let mut denials = match denials.watched() {
            Ok(denials) => denials,
            Err(error) => return tracing::error!(%error, "waiting for the kernel's refusals"),
        };
        loop {
            match tokio::time::timeout(LOOK, denials.readable_mut()).await {
                Ok(Ok(mut ready)) => ready.clear_ready(),
                Ok(Err(error)) => {
                    return tracing::error!(%error, "waiting for the kernel's refusals");
                }
                Err(_) => {}
            }
            while let Some(denial) = denials.get_mut().next() {
                if denial.reason == Reason::UnknownNetns
                    && let Err(error) = app.kernel.learn(&denial)
                {
                    tracing::warn!("{error:#}");
                }
                note(&app, refused(&app, &denial)).await;
            }
        }
    });
}

fn refused(app: &App, denial: &Denial) -> Event {
    let reason = denial.reason.name();
    let text = format!("the kernel refused {}: {reason}", denial.destination);
    let event = Event::info(now_us(), "perimeter.denied", text)
        .warning()
        .with("reason", reason)
        .with("protocol", denial.protocol)
        .with("pid", denial.pid)
        .with("destination", denial.destination);
    match app.services.session(denial.binding) {
        Some(session) => event.of_session(session.id),
        None => event,
    }
}
