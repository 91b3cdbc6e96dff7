//! Interception as the app uses it: bindings, and listeners whose connections go to the workers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use tokio::sync::watch;

use super::coverage::Observed;
use super::workers::{Workers, until_closed};
use super::{explicit, lsm, tiers};
use crate::config::{Config, Mode};
use crate::flow::accept::Facts;
use crate::flow::dns;
use crate::flow::services::Services;
use crate::intercept::lsm::Refusals;
use crate::intercept::{
    Bound, Closes, Counters, Denial, Denials, Explicit, FactsReader, Inherited, InterceptError,
    Interceptor, Listeners, Options, Served, kill_all,
};

/// How agents' connections come in.
enum Way {
    /// eBPF redirects them, and nothing else gets out.
    Kernel { interceptor: Arc<Mutex<Interceptor>>, facts: FactsReader },
    /// Clients are pointed at listeners; nothing is enforced.
    Explicit(Vec<Arc<Mutex<Explicit>>>),
}

/// The listeners of a network namespace.
struct Open {
    /// Those who accept end when it is dropped.
    _keep: watch::Sender<()>,
    /// The sockets once more, for a successor.
    listeners: Listeners,
}

/// Interception and the workers that it feeds.
pub struct Kernel {
    way: Way,
    workers: Workers,
    services: Arc<Services>,
    /// Listeners that are open, by network namespace.
    open: Mutex<HashMap<u64, Open>>,
    /// What keeps explicit listeners open.
    _explicit: watch::Sender<()>,
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
        inherited: Option<Inherited>,
    ) -> anyhow::Result<Self> {
        let (_explicit, open) = watch::channel(());
        let way = match config.gateway.mode {
            Mode::Ebpf => {
                let options = Options {
                    instance: config.gateway.instance.clone(),
                    bpffs: config.gateway.bpffs.clone(),
                };
                let mut interceptor = match inherited {
                    Some(inherited) => Interceptor::inherit(&options, inherited)?,
                    None => Interceptor::start(&options)?,
                };
                lsm::prepare(&mut interceptor, &config.gateway)?;
                let facts = interceptor.facts();
                Way::Kernel { interceptor: Arc::new(Mutex::new(interceptor)), facts }
            }
            Mode::Explicit => {
                tracing::warn!("EXPLICIT MODE: agents can go around Weir; nothing is enforced");
                Way::Explicit(explicit::listeners(config, &workers, &open)?)
            }
        };
        Ok(Self { way, workers, services: services.clone(), open: Mutex::default(), _explicit })
    }

    /// What is enforced.
    pub fn tier(&self) -> &'static str {
        match &self.way {
            Way::Kernel { interceptor, .. } => lock(interceptor).tier(),
            Way::Explicit(_) => "explicit: not enforced",
        }
    }

    /// What this tier does not enforce, one sentence each.
    pub fn not_enforced(&self) -> Vec<&'static str> {
        match &self.way {
            Way::Kernel { interceptor, .. } if lock(interceptor).lsm().available => {
                tiers::NOT_IN_T3.to_vec()
            }
            Way::Kernel { .. } => tiers::NOT_IN_T1.to_vec(),
            Way::Explicit(_) => tiers::NOT_IN_EXPLICIT.to_vec(),
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
        self.close(&served.closed);
        let Some(listeners) = served.opened else { return Ok(()) };
        let netns = listeners.netns;
        self.accept(listeners).inspect_err(|_| self.forget(netns))
    }

    /// Takes connections of listeners that are open.
    ///
    /// # Errors
    /// They can't be used.
    pub fn accept(&self, listeners: Listeners) -> anyhow::Result<()> {
        let Way::Kernel { facts, .. } = &self.way else { return Ok(()) };
        let shared = listeners.share().context("sharing listeners")?;
        let Listeners { netns, tcp, tcp6, dns, dns6 } = listeners;
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
        lock(&self.open).insert(netns, Open { _keep: keep, listeners: shared });
        Ok(())
    }

    /// Takes connections again, where a successor did not.
    ///
    /// # Errors
    /// The listeners can't be used.
    pub fn accept_again(&self) -> anyhow::Result<()> {
        let open = std::mem::take(&mut *lock(&self.open));
        open.into_values().try_for_each(|open| self.accept(open.listeners))
    }

    /// The listeners, for a successor.
    ///
    /// # Errors
    /// There are too many descriptors.
    pub fn listening(&self) -> anyhow::Result<Vec<Listeners>> {
        let shared: std::io::Result<_> =
            lock(&self.open).values().map(|open| open.listeners.share()).collect();
        shared.context("sharing listeners")
    }

    /// What a successor's interceptor needs.
    ///
    /// # Errors
    /// Nothing is intercepted, or there are too many descriptors.
    pub fn bequeath(&self) -> anyhow::Result<Inherited> {
        match &self.way {
            Way::Kernel { interceptor, .. } => Ok(lock(interceptor).bequeath()?),
            Way::Explicit(_) => anyhow::bail!("in explicit mode nothing is handed over"),
        }
    }

    /// Puts this version's programs in the place of another one's, binding by binding, off the main
    /// thread. Until then those do the same, with the same maps.
    pub async fn renew(&self) -> anyhow::Result<usize> {
        let Way::Kernel { interceptor, .. } = &self.way else { return Ok(0) };
        lock(interceptor).settle_lsm()?;
        let adopted = self.adopted();
        let count = adopted.len();
        for bound in adopted {
            let interceptor = interceptor.clone();
            let renewed = tokio::task::spawn_blocking(move || lock(&interceptor).renew(bound.id));
            match renewed.await.context("replacing programs")? {
                // Its session ended meanwhile.
                Ok(()) | Err(InterceptError::Unknown(_)) => {}
                Err(error) => return Err(error).context("replacing programs"),
            }
        }
        Ok(count)
    }

    /// What nobody accepts from is refused in the kernel.
    fn forget(&self, netns: u64) {
        if let Way::Kernel { interceptor, .. } = &self.way {
            lock(interceptor).forget(netns);
        }
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

    /// What the kernel says of a binding. Off the main thread, because these are many calls.
    pub async fn observe(&self, id: u64) -> Observed {
        let unknown = |why: &str| Observed {
            counters: Err(anyhow::anyhow!("{why}")),
            attachment: Err(anyhow::anyhow!("{why}")),
        };
        let Way::Kernel { interceptor, .. } = &self.way else {
            return unknown("explicit mode has no programs");
        };
        let interceptor = interceptor.clone();
        let observed = tokio::task::spawn_blocking(move || {
            let interceptor = lock(&interceptor);
            // The counters last: what was read before may not be more than they are.
            let attachment = interceptor.prove(id).map_err(anyhow::Error::from);
            let counters = interceptor.counters(id).map_err(anyhow::Error::from);
            Observed { counters, attachment }
        });
        observed.await.unwrap_or_else(|_| unknown("asking the kernel failed"))
    }

    /// Kills what runs in a binding, and waits for it.
    ///
    /// # Errors
    /// The kernel refuses, or processes do not go.
    pub async fn kill_all(&self, id: u64) -> anyhow::Result<()> {
        let Way::Kernel { interceptor, .. } = &self.way else { return Ok(()) };
        let Some(leaf) = lock(interceptor).leaf(id) else { return Ok(()) };
        let killed = tokio::task::spawn_blocking(move || match leaf.is_dir() {
            true => kill_all(&leaf),
            false => Ok(true),
        });
        let gone = killed.await.context("waiting for processes")?.context("killing processes")?;
        anyhow::ensure!(gone, "processes do not exit");
        Ok(())
    }

    /// Ends a binding; `None` where the kernel counts nothing. Off the main thread, because it waits
    /// for what still runs.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn end(&self, id: u64) -> anyhow::Result<Option<Counters>> {
        let Way::Kernel { interceptor, .. } = &self.way else { return Ok(None) };
        self.leave(id);
        let interceptor = interceptor.clone();
        let ended = tokio::task::spawn_blocking(move || lock(&interceptor).end(id));
        let counters = ended.await.context("waiting for a binding to end")?;
        counters.context("ending a binding").map(Some)
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

    /// The stream of closes; only the first call has it.
    pub fn closes(&self) -> Option<Closes> {
        match &self.way {
            Way::Kernel { interceptor, .. } => lock(interceptor).closes(),
            Way::Explicit(_) => None,
        }
    }

    /// The stream of refusals; only the first call has it.
    pub fn denials(&self) -> Option<Denials> {
        match &self.way {
            Way::Kernel { interceptor, .. } => lock(interceptor).denials(),
            Way::Explicit(_) => None,
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
