//! The eBPF interceptor: bindings, their cgroups, programs and maps.

mod adopt;
mod serve;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use aya::programs::links::FdLink;
use weir_abi::count::Counters;
use weir_abi::{ACTIVE, REVOKED};

use super::attachment::{Attachment, Witnessed};
use super::cgroup::{self, Hierarchy};
use super::lsm::{self, Lsm, LsmStatus};
use super::maps::{self, Facts, Maps};
use super::namespaces::{Namespace, Namespaces};
use super::pins::{self, Pins};
use super::slice::Slice;
use super::{Bound, Closes, Denials, FactsReader, InterceptError, Options};
use super::{bpffs, listen, named, programs};

/// Intercepts the connections of bound cgroups. Dropping it leaves the bindings attached and
/// refused; `end` ends one, `retire` removes all traces.
pub struct Interceptor {
    pins: Pins,
    slice: Slice,
    /// The cgroups whose sockets accept: its own, and those of the gateways before it whose
    /// listeners it goes on with.
    accepting: Vec<PathBuf>,
    maps: Maps,
    facts: FactsReader,
    denials: Option<Denials>,
    closes: Option<Closes>,
    bindings: BTreeMap<u64, Bound>,
    adopted: Vec<Bound>,
    /// What the kernel ran for each binding when it was bound or adopted.
    witnessed: Witnessed,
    namespaces: Namespaces,
    lsm: Lsm,
    _accept: Vec<FdLink>,
}

impl std::fmt::Debug for Interceptor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = formatter.debug_struct("Interceptor");
        debug.field("slice", &self.slice).field("bindings", &self.bindings).finish_non_exhaustive()
    }
}

/// What a running gateway hands to the one that replaces it.
#[derive(Debug)]
pub struct Inherited {
    /// The lock on the pins, which never opens in between.
    pub lock: OwnedFd,
    /// The cgroups to which the listeners belong.
    pub accepting: Vec<PathBuf>,
    /// The network namespaces that have listeners.
    pub namespaces: Vec<Namespace>,
}

impl Interceptor {
    /// Opens or creates the instance and adopts what an earlier gateway left behind.
    pub fn start(options: &Options) -> Result<Self, InterceptError> {
        let mut interceptor = Self::begin(options, Pins::open(options)?, Vec::new(), false)?;
        interceptor.adopt()?;
        let adopted: Vec<u64> = interceptor.bindings.keys().copied().collect();
        adopted.into_iter().try_for_each(|id| interceptor.renew(id))?;
        interceptor.adopt_others()?;
        interceptor.clear()?;
        Ok(interceptor)
    }

    /// Goes on with what a gateway that still runs has. Its programs stay until `renew`.
    pub fn inherit(options: &Options, inherited: Inherited) -> Result<Self, InterceptError> {
        let pins = Pins::inherit(options, inherited.lock)?;
        let mut interceptor = Self::begin(options, pins, inherited.accepting, true)?;
        interceptor.namespaces.inherit(inherited.namespaces);
        interceptor.adopt()?;
        Ok(interceptor)
    }

    fn begin(
        options: &Options,
        pins: Pins,
        mut accepting: Vec<PathBuf>,
        live: bool,
    ) -> Result<Self, InterceptError> {
        let maps_dir = pins.life().maps();
        maps::check(&maps_dir)?;
        let hierarchy = Hierarchy::find()?;
        let slice = Slice::ensure(&hierarchy, &options.instance)?;
        let own = slice.settle(&hierarchy)?;
        if !accepting.contains(&own) {
            accepting.push(own);
        }
        accepting.retain(|cgroup| cgroup.is_dir());

        let mut ebpf = programs::load(0, &maps_dir)?;
        let mut accept = Vec::new();
        for cgroup in &accepting {
            accept.push(programs::attach_accept(&mut ebpf, &bpffs::open(cgroup)?)?);
        }
        let mut maps = Maps::take(&mut ebpf)?;
        if !live {
            maps.forget_listeners()?;
        }
        let facts = FactsReader::new(Facts::take(&mut ebpf)?);
        let denials = Some(Denials::new(maps::denials(&mut ebpf)?));
        let closes = Some(Closes::new(maps::closes(&mut ebpf)?));
        programs::attach_guard(&slice.path, slice.id, pins.life())?;
        let mut lsm = Lsm::start(pins.lsm(), slice.id, cgroup::depth(&slice.name));
        if !live {
            lsm.settle()?;
        }
        Ok(Self {
            pins,
            slice,
            accepting,
            maps,
            facts,
            denials,
            closes,
            bindings: BTreeMap::new(),
            adopted: Vec::new(),
            witnessed: Witnessed::default(),
            namespaces: Namespaces::new(listen::own()?),
            lsm,
            _accept: accept,
        })
    }

    /// What a gateway that replaces this one needs, beside the listeners.
    pub fn bequeath(&self) -> Result<Inherited, InterceptError> {
        let lock = self.pins.lock().try_clone();
        let lock =
            lock.map_err(|source| InterceptError::Kernel { what: "sharing a lock", source })?;
        Ok(Inherited {
            lock: lock.into(),
            accepting: self.accepting.clone(),
            namespaces: self.namespaces.all(),
        })
    }

    /// Asks the kernel what it can do, which takes a while and needs no lock.
    pub fn warm_up() {
        aya::features();
    }

    /// Names the layout of the maps: gateways of the same layout can replace one another.
    pub fn layout() -> String {
        pins::layout()
    }

    /// Puts this version's programs in the place of those that a binding has, one by one. Every
    /// call and packet meets the old one or the new one.
    pub fn renew(&mut self, id: u64) -> Result<(), InterceptError> {
        let bound = self.bindings.get(&id).ok_or(InterceptError::Unknown(id))?.clone();
        let attached = self.attach(&bound);
        if attached.is_err() {
            // Some are old and some new, and these run until somebody tries again.
            let pins = self.pins.life().binding(id, &bound.name);
            self.witnessed.see(id, &bound.path, &pins)?;
        }
        attached
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
        if let Err(error) = self.attach_new(&bound) {
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
    pub fn counters(&self, id: u64) -> Result<Counters, InterceptError> {
        self.maps.counters(id)
    }

    /// The same by name.
    pub fn named_counters(&self, id: u64) -> Result<BTreeMap<String, u64>, InterceptError> {
        self.counters(id).map(|counters| named(&counters))
    }

    /// Ends a binding: revokes it, kills what is left in the leaf, detaches and removes it.
    pub fn end(&mut self, id: u64) -> Result<Counters, InterceptError> {
        self.revoke(id)?;
        let bound = self.bindings.get(&id).ok_or(InterceptError::Unknown(id))?.clone();
        if bound.path.is_dir() {
            if !cgroup::empty(&bound.path)? {
                return Err(InterceptError::StillPopulated(id));
            }
            cgroup::remove(&bound.path)?;
        }
        let counters = self.counters(id)?;
        bpffs::unpin(&self.pins.life().binding(id, &bound.name))?;
        self.maps.forget(id);
        self.bindings.remove(&id);
        self.witnessed.forget(id);
        self.adopted.retain(|adopted| adopted.id != id);
        Ok(counters)
    }

    /// A handle with which workers ask who opened a flow.
    pub fn facts(&self) -> FactsReader {
        self.facts.clone()
    }

    /// Asks the kernel whether it still runs for a binding what was attached.
    ///
    /// # Errors
    /// It does not, or can't be asked, which is the same.
    pub fn prove(&self, id: u64) -> Result<Attachment, InterceptError> {
        let bound = self.bindings.get(&id).ok_or(InterceptError::Unknown(id))?;
        self.witnessed.prove(id, &bound.path, &self.pins.life().binding(id, &bound.name))
    }

    /// The directory of a binding's leaf.
    pub fn leaf(&self, id: u64) -> Option<PathBuf> {
        self.bindings.get(&id).map(|bound| bound.path.clone())
    }

    /// The stream of refusals; only the first call has it.
    pub fn denials(&mut self) -> Option<Denials> {
        self.denials.take()
    }

    /// The stream of closes; only the first call has it.
    pub fn closes(&mut self) -> Option<Closes> {
        self.closes.take()
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

    /// Puts the LSM programs in the place of those of the gateway before, once it has handed over.
    pub fn settle_lsm(&mut self) -> Result<(), InterceptError> {
        self.lsm.settle()
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
        self.slice.holds(cgroup)
    }

    /// Whether there is no binding.
    pub fn is_idle(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Ends all bindings and removes pins and slice; where the slice was attached for good, it and
    /// its programs stay.
    pub fn retire(&mut self) -> Result<(), InterceptError> {
        let ids: Vec<u64> = self.bindings.keys().copied().collect();
        for id in ids {
            self.end(id)?;
        }
        if self.pins.are_kept() {
            return Ok(());
        }
        self.lsm.retire()?;
        self.slice.remove()?;
        self.pins.remove()
    }

    fn bound(&self, id: u64, name: &str) -> Bound {
        Bound {
            id,
            name: name.to_owned(),
            path: self.slice.path.join(name),
            cgroup: format!("{}/{name}", self.slice.name),
        }
    }

    /// Attaches what is not attached, replaces what is. The leaf opens last.
    fn attach(&mut self, bound: &Bound) -> Result<(), InterceptError> {
        let pins = self.pins.life().binding(bound.id, &bound.name);
        bpffs::make(&pins)?;
        let leaf = bpffs::open(&bound.path)?;
        let mut ebpf = programs::load(bound.id, &self.pins.life().maps())?;
        programs::attach_binding(&mut ebpf, &leaf, &pins)?;
        self.witnessed.see(bound.id, &bound.path, &pins)?;
        self.maps.open_leaf(cgroup::id(&bound.path)?, bound.id)
    }

    /// The same for a binding that is new to the maps.
    fn attach_new(&mut self, bound: &Bound) -> Result<(), InterceptError> {
        self.maps.reset(bound.id)?;
        self.maps.set_state(bound.id, ACTIVE)?;
        self.attach(bound)
    }

    /// Undoes half a binding. Nothing is in the leaf, so the order does not matter.
    fn discard(&mut self, bound: &Bound) {
        let _ = bpffs::unpin(&self.pins.life().binding(bound.id, &bound.name));
        let _ = cgroup::remove(&bound.path);
        self.maps.forget(bound.id);
    }
}
