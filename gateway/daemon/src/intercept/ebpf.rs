//! The eBPF interceptor: bindings, their cgroups, programs and maps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use aya::programs::links::FdLink;
use weir_abi::{ACTIVE, REVOKED};

use super::bpffs::Pins;
use super::cgroup::{self, Hierarchy};
use super::lsm::{self, Lsm, LsmStatus};
use super::maps::{self, Facts, Maps};
use super::{Bound, Denials, FactsReader, InterceptError, Listeners, Options};
use super::{bpffs, kernel, listen, programs};

/// Intercepts the connections of bound cgroups. Dropping it leaves the bindings attached and
/// refused; `end` ends one, `retire` removes all traces.
pub struct Interceptor {
    pins: Pins,
    slice: PathBuf,
    /// The slice's name in `/proc/PID/cgroup`.
    slice_name: String,
    /// The name of the cgroup that it makes for itself where it began in the root.
    own_name: String,
    maps: Maps,
    facts: FactsReader,
    denials: Option<Denials>,
    bindings: BTreeMap<u64, Bound>,
    adopted: Vec<Bound>,
    namespaces: BTreeSet<u64>,
    lsm: Lsm,
    _accept: FdLink,
}

impl std::fmt::Debug for Interceptor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = formatter.debug_struct("Interceptor");
        debug.field("slice", &self.slice).field("bindings", &self.bindings).finish_non_exhaustive()
    }
}

impl Interceptor {
    /// Opens or creates the instance and adopts what an earlier gateway left behind.
    pub fn start(options: &Options) -> Result<Self, InterceptError> {
        let hierarchy = Hierarchy::find()?;
        let pins = Pins::open(options)?;
        maps::check(&pins.maps())?;

        let leaf = slice_leaf(&options.instance);
        let slice_name = hierarchy.name(&leaf);
        let slice = hierarchy.directory(&slice_name).ok_or(InterceptError::NoCgroup2)?;
        let own_name = own_leaf(&options.instance);
        let own = settle(&hierarchy, &options.instance, &slice_name)?;

        let mut ebpf = programs::load(0, &pins.maps())?;
        let accept = programs::attach_accept(&mut ebpf, &own)?;
        let mut maps = Maps::take(&mut ebpf)?;
        maps.forget_listeners()?;
        let facts = FactsReader::new(Facts::take(&mut ebpf)?);
        let denials = Some(Denials::new(maps::denials(&mut ebpf)?));

        cgroup::ensure(&slice)?;
        let lsm = Lsm::start(pins.lsm(), &slice, cgroup::depth(&slice_name));
        let mut interceptor = Self {
            pins,
            slice,
            slice_name,
            own_name,
            maps,
            facts,
            denials,
            bindings: BTreeMap::new(),
            adopted: Vec::new(),
            namespaces: BTreeSet::new(),
            lsm,
            _accept: accept,
        };
        interceptor.adopt()?;
        Ok(interceptor)
    }

    /// The bindings that an earlier gateway left attached. They are refused everything until
    /// `listen` has opened listeners for them.
    pub fn adopted(&self) -> Vec<Bound> {
        self.adopted.clone()
    }

    /// Makes a leaf and attaches everything to it. Nothing is in it yet.
    pub fn bind(&mut self, id: u64, name: &str) -> Result<Bound, InterceptError> {
        super::checked(name)?;
        let taken = || InterceptError::InUse { id, name: name.to_owned() };
        let in_use = self.bindings.values().any(|bound| bound.id == id || bound.name == name);
        if id == 0 || in_use {
            return Err(taken());
        }
        let bound = self.bound(id, name);
        if fs::create_dir(&bound.path).is_err() {
            // A leaf of an earlier gateway, if it is empty.
            cgroup::remove(&bound.path).map_err(|_| taken())?;
            cgroup::ensure(&bound.path)?;
        }
        if let Err(error) = self.attach(&bound) {
            self.discard(&bound);
            return Err(error);
        }
        self.bindings.insert(id, bound.clone());
        Ok(bound)
    }

    /// Moves a process into a leaf and makes sure that it is there. Its open sockets stay outside.
    pub fn enter(&self, bound: &Bound, pid: u32) -> Result<(), InterceptError> {
        let known = self.bindings.get(&bound.id).ok_or(InterceptError::Unknown(bound.id))?;
        cgroup::enter(&known.path, pid)?;
        let found = cgroup::of(&pid.to_string())?;
        if found == known.cgroup {
            return Ok(());
        }
        Err(InterceptError::NotInside { pid, found, wanted: known.cgroup.clone() })
    }

    /// Refuses all new connections of a binding. Open ones are the proxy's to cut.
    pub fn revoke(&mut self, id: u64) -> Result<(), InterceptError> {
        if !self.bindings.contains_key(&id) {
            return Err(InterceptError::Unknown(id));
        }
        self.maps.set_state(id, REVOKED)
    }

    /// What the kernel counted for a binding.
    pub fn counters(&self, id: u64) -> Result<BTreeMap<String, u64>, InterceptError> {
        self.maps.counters(id)
    }

    /// Ends a binding: revokes it, kills what is left in the leaf, detaches and removes it.
    pub fn end(&mut self, id: u64) -> Result<BTreeMap<String, u64>, InterceptError> {
        self.revoke(id)?;
        let bound = self.bindings.get(&id).ok_or(InterceptError::Unknown(id))?.clone();
        if bound.path.is_dir() {
            if !cgroup::empty(&bound.path)? {
                return Err(InterceptError::StillPopulated(id));
            }
            cgroup::remove(&bound.path)?;
        }
        let counters = self.counters(id)?;
        bpffs::unpin(&self.pins.binding(id, &bound.name))?;
        self.maps.forget(id);
        self.bindings.remove(&id);
        self.adopted.retain(|adopted| adopted.id != id);
        Ok(counters)
    }

    /// Opens listeners in the network namespace of a process; `None` if it has some already.
    pub fn listen(
        &mut self,
        pid: u32,
        workers: usize,
    ) -> Result<Option<Listeners>, InterceptError> {
        let known = &self.namespaces;
        let Some(listeners) = listen::open(pid, workers, |netns| known.contains(&netns))? else {
            return Ok(None);
        };
        self.mark(&listeners)?;
        let ports = listeners
            .ports()
            .map_err(|source| InterceptError::Kernel { what: "asking for a port", source })?;
        self.maps
            .listen
            .insert(listeners.netns, ports, 0)
            .map_err(|error| InterceptError::ebpf("publishing the listeners", error))?;
        self.namespaces.insert(listeners.netns);
        Ok(Some(listeners))
    }

    /// Forgets the listeners of a network namespace, which the caller closes.
    pub fn forget(&mut self, netns: u64) {
        self.namespaces.remove(&netns);
        let _ = self.maps.listen.remove(&netns);
    }

    /// A handle with which workers ask who opened a flow.
    pub fn facts(&self) -> FactsReader {
        self.facts.clone()
    }

    /// The stream of refusals; only the first call has it.
    pub fn denials(&mut self) -> Option<Denials> {
        self.denials.take()
    }

    /// How much is enforced: cgroup programs, and LSM programs where the kernel has them.
    pub fn tier(&self) -> &'static str {
        if self.lsm.status().available { "T3" } else { "T1" }
    }

    /// What there is of the LSM programs, and why not more.
    pub fn lsm(&self) -> &LsmStatus {
        self.lsm.status()
    }

    /// Lets bound processes connect to Unix sockets of others, by the names that those have bound;
    /// `@` begins abstract ones.
    pub fn allow_unix(&mut self, names: &[String]) -> Result<(), InterceptError> {
        self.lsm.allow(names)
    }

    /// The stream of what LSM programs refused; only the first call has it.
    pub fn refusals(&mut self) -> Option<lsm::Refusals> {
        self.lsm.refusals()
    }

    /// How often each LSM program has refused something.
    pub fn refused(&self) -> BTreeMap<&'static str, u64> {
        self.lsm.counts()
    }

    /// The bindings by the cgroup ids of their leaves.
    pub fn leaves(&self) -> BTreeMap<u64, u64> {
        let leaf = |bound: &Bound| Some((cgroup::id(&bound.path).ok()?, bound.id));
        self.bindings.values().filter_map(leaf).collect()
    }

    /// Whether a path as in `/proc/PID/cgroup` lies in the slice, bound or not.
    pub fn is_below_slice(&self, cgroup: &str) -> bool {
        let below = cgroup.strip_prefix(self.slice_name.as_str());
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether there is no binding.
    pub fn is_idle(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Ends all bindings and removes pins and slice.
    pub fn retire(&mut self) -> Result<(), InterceptError> {
        let ids: Vec<u64> = self.bindings.keys().copied().collect();
        for id in ids {
            self.end(id)?;
        }
        if let Some(root) = self.slice.parent() {
            leave_own(root, &self.own_name);
        }
        self.lsm.retire()?;
        cgroup::remove(&self.slice)?;
        self.pins.remove()
    }

    fn bound(&self, id: u64, name: &str) -> Bound {
        Bound {
            id,
            name: name.to_owned(),
            path: self.slice.join(name),
            cgroup: format!("{}/{name}", self.slice_name),
        }
    }

    fn attach(&mut self, bound: &Bound) -> Result<(), InterceptError> {
        self.maps.reset(bound.id)?;
        self.maps.set_state(bound.id, ACTIVE)?;
        let pins = self.pins.binding(bound.id, &bound.name);
        bpffs::make(&pins)?;
        let leaf = open(&bound.path)?;
        let mut ebpf = programs::load(bound.id, &self.pins.maps())?;
        programs::attach_binding(&mut ebpf, &leaf, &pins)
    }

    /// Undoes half a binding. Nothing is in the leaf, so the order does not matter.
    fn discard(&mut self, bound: &Bound) {
        let _ = bpffs::unpin(&self.pins.binding(bound.id, &bound.name));
        let _ = cgroup::remove(&bound.path);
        self.maps.forget(bound.id);
    }

    /// Listeners are recognised by a mark on the socket: the port alone could be somebody else's.
    fn mark(&mut self, listeners: &Listeners) -> Result<(), InterceptError> {
        let ours = &mut self.maps.ours;
        let failed = |error| InterceptError::ebpf("marking a listener", error);
        for socket in listeners.tcp.iter().chain(&listeners.tcp6) {
            ours.insert(socket, 1, 0).map_err(failed)?;
        }
        for socket in std::iter::once(&listeners.dns_udp).chain(&listeners.dns_udp6) {
            ours.insert(socket, 1, 0).map_err(failed)?;
        }
        Ok(())
    }

    /// Takes over complete bindings of an earlier gateway. What is incomplete is ended: a leaf
    /// without all its programs must have nobody in it.
    fn adopt(&mut self) -> Result<(), InterceptError> {
        for (id, name) in self.pins.bindings()? {
            let bound = self.bound(id, &name);
            if is_attached(&bound.path, &self.pins.binding(id, &name)) {
                self.bindings.insert(id, bound.clone());
                self.adopted.push(bound);
                continue;
            }
            end_leaf(&bound.path, id)?;
            bpffs::unpin(&self.pins.binding(id, &name))?;
            self.maps.forget(id);
        }
        for leaf in cgroup::children(&self.slice)? {
            if !self.bindings.values().any(|bound| bound.path == leaf) {
                end_leaf(&leaf, 0)?;
            }
        }
        Ok(())
    }
}

/// The slice's directory below the mount.
fn slice_leaf(instance: &str) -> String {
    match instance {
        "weir" => "weir.slice".to_owned(),
        other => format!("weir-{other}.slice"),
    }
}

/// The gateway's own cgroup. The accepting program must not run for the whole host, so a gateway in
/// the root moves into a cgroup of its own.
fn settle(hierarchy: &Hierarchy, instance: &str, slice: &str) -> Result<File, InterceptError> {
    let mut own = cgroup::of("self")?;
    if hierarchy.is_root(&own) {
        own = hierarchy.name(&own_leaf(instance));
        let directory = hierarchy.directory(&own).ok_or(InterceptError::NoCgroup2)?;
        cgroup::ensure(&directory)?;
        cgroup::enter(&directory, std::process::id())?;
    }
    if own == slice || own.starts_with(&format!("{slice}/")) {
        return Err(InterceptError::Inside(own));
    }
    open(&hierarchy.directory(&own).ok_or(InterceptError::NoCgroup2)?)
}

fn own_leaf(instance: &str) -> String {
    format!("weir-{instance}-gateway")
}

/// Goes back to the root, if it came from there, and takes its own cgroup away. Others of its
/// processes may still be in there, so this is a courtesy.
fn leave_own(root: &Path, name: &str) {
    let own = root.join(name);
    let inside = cgroup::of("self").is_ok_and(|path| path.ends_with(&format!("/{name}")));
    if inside && cgroup::enter(root, std::process::id()).is_ok() {
        let _ = cgroup::remove(&own);
    }
}

fn open(directory: &Path) -> Result<File, InterceptError> {
    File::open(directory).map_err(|error| InterceptError::io("opening", directory, error))
}

fn is_attached(leaf: &Path, pins: &Path) -> bool {
    let Ok(id) = cgroup::id(leaf) else {
        return false;
    };
    let attached = |name: &&str| kernel::link_cgroup(&pins.join(name)).is_ok_and(|to| to == id);
    programs::BINDING.iter().all(attached)
}

fn end_leaf(leaf: &Path, id: u64) -> Result<(), InterceptError> {
    if !leaf.is_dir() {
        return Ok(());
    }
    if !cgroup::empty(leaf)? {
        return Err(InterceptError::StillPopulated(id));
    }
    cgroup::remove(leaf)
}
