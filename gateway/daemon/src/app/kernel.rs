//! Interception as the app uses it: listeners go to the workers, denials to the record.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use weir_model::entry::Event;

use super::workers::Workers;
use super::{App, explicit, lsm, note};
use crate::config::{Config, Mode};
use crate::flow::accept::Facts;
use crate::flow::dns;
use crate::flow::services::{Services, now_us};
use crate::intercept::lsm::Refusals;
use crate::intercept::{
    Bound, Denials, Explicit, FactsReader, Interceptor, Listeners, Options, Reason,
};

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
}

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
        let way = match config.gateway.mode {
            Mode::Ebpf => {
                let mut interceptor = Interceptor::start(&Options {
                    instance: config.gateway.instance.clone(),
                    bpffs: config.gateway.bpffs.clone(),
                })?;
                lsm::prepare(&mut interceptor, &config.gateway)?;
                let facts = interceptor.facts();
                Way::Kernel { interceptor: Arc::new(Mutex::new(interceptor)), facts }
            }
            Mode::Explicit => {
                tracing::warn!("EXPLICIT MODE: agents can go around Weir; nothing is enforced");
                Way::Explicit(explicit::listeners(config, &workers)?)
            }
        };
        Ok(Self { way, workers, services: services.clone() })
    }

    /// What is enforced.
    pub fn tier(&self) -> &'static str {
        match &self.way {
            Way::Kernel { interceptor, .. } => lock(interceptor).tier(),
            Way::Explicit(_) => "explicit: not enforced",
        }
    }

    /// What the LSM programs do or why there are none.
    pub fn lsm(&self) -> String {
        match &self.way {
            Way::Kernel { interceptor, .. } => lock(interceptor).lsm().to_string(),
            Way::Explicit(_) => "explicit mode".to_owned(),
        }
    }

    /// What the LSM programs have refused, once, and the bindings by their leaves, each time.
    pub fn refusals(&self) -> Option<(Refusals, impl Fn() -> BTreeMap<u64, u64> + use<>)> {
        let Way::Kernel { interceptor, .. } = &self.way else { return None };
        let refusals = lock(interceptor).refusals()?;
        let interceptor = interceptor.clone();
        Some((refusals, move || lock(&interceptor).leaves()))
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
        bound.context("binding a cgroup")
    }

    /// Makes sure that a process's network namespace has listeners.
    ///
    /// # Errors
    /// It can't be entered, or nothing can be bound there.
    pub fn listen(&self, pid: u32) -> anyhow::Result<()> {
        let Way::Kernel { interceptor, facts } = &self.way else { return Ok(()) };
        let listeners = lock(interceptor).listen(pid, self.workers.count());
        let Some(listeners) = listeners.context("listening for a process")? else {
            return Ok(());
        };
        let Listeners { netns, tcp, tcp6, dns_udp, dns_udp6 } = listeners;
        self.workers.listen(tcp, &Facts::Kernel(facts.clone()));
        self.workers.listen(tcp6, &Facts::Kernel(facts.clone()));
        for socket in [Some(dns_udp), dns_udp6].into_iter().flatten() {
            socket.set_nonblocking(true).context("listening for DNS")?;
            let socket = tokio::net::UdpSocket::from_std(socket).context("listening for DNS")?;
            let served = dns::serve_udp(socket, netns, facts.clone(), self.services.clone());
            tokio::task::spawn_local(served);
        }
        Ok(())
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
        let interceptor = interceptor.clone();
        let ended = tokio::task::spawn_blocking(move || lock(&interceptor).end(id));
        ended.await.context("waiting for a binding to end")?.context("ending a binding")
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
    let Some(mut denials) = app.kernel.denials() else { return };
    let app = app.clone();
    tokio::task::spawn_local(async move {
        let mut look = tokio::time::interval(std::time::Duration::from_millis(200));
        loop {
            look.tick().await;
            while let Some(denial) = denials.next() {
                let session = app.services.session(denial.binding);
                let reason = denial.reason.name();
                let text = format!("the kernel refused {}: {reason}", denial.destination);
                let mut event = Event::info(now_us(), "perimeter.denied", text)
                    .warning()
                    .with("reason", reason)
                    .with("protocol", denial.protocol)
                    .with("pid", denial.pid)
                    .with("destination", denial.destination);
                if let Some(session) = session {
                    event = event.of_session(session.id);
                }
                note(&app, event).await;
                // An agent made itself a network namespace: once it has listeners, trying again works.
                if denial.reason == Reason::UnknownNetns
                    && let Err(error) = app.kernel.listen(denial.pid)
                {
                    tracing::warn!("{error:#}");
                }
            }
        }
    });
}
