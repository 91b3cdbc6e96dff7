//! The maps that all bindings of an instance share, opened or created, checked, typed.

use std::path::Path;
use std::sync::Mutex;

use aya::Ebpf;
use aya::maps::{
    HashMap, Map, MapData, MapError, MapInfo, PerCpuHashMap, PerCpuValues, RingBuf, SkStorage,
};
use aya::util::nr_cpus;
use weir_abi::count::Counters;
use weir_abi::{AskerKey, Closed, Denial, FlowKey, FlowMeta, Listener, Owner, Resolvers, layout};

use super::InterceptError;

/// Name, type, key size, value size and entries of each shared map.
const SHAPES: [(&str, u32, usize, usize, usize); 14] = [
    ("BIND", 1, 8, 4, weir_abi::BINDINGS),
    ("LEAVES", 1, 8, 8, weir_abi::BINDINGS),
    ("COUNTERS", 5, 8, size_of::<Counters>(), weir_abi::BINDINGS),
    ("LISTEN", 1, 8, size_of::<Listener>(), weir_abi::NAMESPACES),
    ("FLOWS", 1, size_of::<FlowKey>(), size_of::<FlowMeta>(), weir_abi::FLOWS),
    ("DNSQ", 9, size_of::<AskerKey>(), size_of::<FlowMeta>(), weir_abi::ASKERS),
    ("ASKED", 9, size_of::<AskerKey>(), 8, weir_abi::ASKERS),
    ("ANSWERED", 9, size_of::<AskerKey>(), 8, weir_abi::ASKERS),
    ("DENIALS", 27, 0, 0, weir_abi::DENIAL_BYTES),
    ("CLOSES", 27, 0, 0, weir_abi::CLOSE_BYTES),
    ("META", 24, 4, size_of::<FlowMeta>(), 0),
    ("OURS", 24, 4, 8, 0),
    ("OWNER", 24, 4, size_of::<Owner>(), 0),
    ("SLOTS", 24, 4, size_of::<Resolvers>(), 0),
];

const _: () = assert!(size_of::<Denial>() == super::denials::BYTES);
const _: () = assert!(size_of::<Closed>() == super::closes::BYTES);

/// Tells layouts apart: the shapes of the maps and what lies in their keys and values.
pub(super) const FINGERPRINT: u64 = fingerprint();

const fn fingerprint() -> u64 {
    let mut hash = layout::LAYOUT;
    let mut at = 0;
    while at < SHAPES.len() {
        let (name, kind, key, value, entries) = SHAPES[at];
        hash = layout::text(hash, name);
        hash = layout::number(hash, kind as usize);
        hash = layout::number(hash, key);
        hash = layout::number(hash, value);
        hash = layout::number(hash, entries);
        at += 1;
    }
    hash
}

/// The names of the shared maps.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SHAPES.into_iter().map(|(name, ..)| name)
}

/// Pinned maps are reused by the loader without a look at them; this looks.
pub(super) fn check(directory: &Path) -> Result<(), InterceptError> {
    for (name, kind, key, value, entries) in SHAPES {
        let path = directory.join(name);
        if !path.exists() {
            continue;
        }
        let info = MapInfo::from_pin(&path)
            .map_err(|error| InterceptError::ebpf(format!("opening the map {name}"), error))?;
        let same = info.map_type().is_ok_and(|found| found as u32 == kind)
            && info.key_size() as usize == key
            && info.value_size() as usize == value
            && info.max_entries() as usize == entries;
        if !same {
            return Err(InterceptError::MapShape(path));
        }
    }
    Ok(())
}

/// The maps that the daemon itself reads and writes.
pub(super) struct Maps {
    pub(super) bind: HashMap<MapData, u64, u32>,
    pub(super) leaves: HashMap<MapData, u64, u64>,
    pub(super) counters: PerCpuHashMap<MapData, u64, Counters>,
    pub(super) listen: HashMap<MapData, u64, Listener>,
    pub(super) ours: SkStorage<MapData, u64>,
}

/// The maps that workers use.
pub(super) struct Facts {
    pub(super) meta: SkStorage<MapData, FlowMeta>,
    pub(super) askers: HashMap<MapData, AskerKey, FlowMeta>,
    pub(super) answered: Mutex<HashMap<MapData, AskerKey, u64>>,
}

impl Maps {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, InterceptError> {
        Ok(Self {
            bind: take(ebpf, "BIND")?,
            leaves: take(ebpf, "LEAVES")?,
            counters: take(ebpf, "COUNTERS")?,
            listen: take(ebpf, "LISTEN")?,
            ours: take(ebpf, "OURS")?,
        })
    }

    /// Ports of an earlier gateway mean nothing any more; without listeners all is refused.
    pub(super) fn forget_listeners(&mut self) -> Result<(), InterceptError> {
        let known: Vec<u64> = self.listen.keys().flatten().collect();
        for netns in known {
            self.listen
                .remove(&netns)
                .map_err(|error| InterceptError::ebpf("clearing the listeners", error))?;
        }
        Ok(())
    }

    pub(super) fn set_state(&mut self, id: u64, state: u32) -> Result<(), InterceptError> {
        self.bind
            .insert(id, state, 0)
            .map_err(|error| InterceptError::ebpf("setting a binding's state", error))
    }

    /// Lets a cgroup below the slice make sockets: all of its own programs are attached.
    pub(super) fn open_leaf(&mut self, cgroup: u64, id: u64) -> Result<(), InterceptError> {
        self.leaves
            .insert(cgroup, id, 0)
            .map_err(|error| InterceptError::ebpf("opening a leaf", error))
    }

    /// Closes all cgroups below the slice but those that `keep` knows.
    pub(super) fn close_leaves(&mut self, keep: impl Fn(u64) -> bool) {
        let gone: Vec<u64> = self
            .leaves
            .iter()
            .flatten()
            .filter(|(_, id)| !keep(*id))
            .map(|(leaf, _)| leaf)
            .collect();
        for leaf in gone {
            let _ = self.leaves.remove(&leaf);
        }
    }

    /// Starts a binding's counters at zero.
    pub(super) fn reset(&mut self, id: u64) -> Result<(), InterceptError> {
        let failed = |error| InterceptError::ebpf("counting the CPUs", error);
        let cpus = nr_cpus().map_err(|(_, error)| failed(error))?;
        let zero = PerCpuValues::try_from(vec![Counters::ZERO; cpus]).map_err(failed)?;
        self.counters
            .insert(id, zero, 0)
            .map_err(|error| InterceptError::ebpf("creating a binding's counters", error))
    }

    /// Removes a binding; absent entries are no error.
    pub(super) fn forget(&mut self, id: u64) {
        self.close_leaves(|other| other != id);
        let _ = self.bind.remove(&id);
        let _ = self.counters.remove(&id);
    }

    /// A binding's counters, of all CPUs.
    pub(super) fn counters(&self, id: u64) -> Result<Counters, InterceptError> {
        let counters = match self.counters.get(&id, 0) {
            Ok(counters) => counters,
            Err(MapError::KeyNotFound) => return Err(InterceptError::Unknown(id)),
            Err(error) => return Err(InterceptError::ebpf("reading counters", error)),
        };
        let mut sum = Counters::ZERO;
        counters.iter().for_each(|of_a_cpu| sum.add(of_a_cpu));
        Ok(sum)
    }
}

impl Facts {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, InterceptError> {
        let (meta, askers) = (take(ebpf, "META")?, take(ebpf, "DNSQ")?);
        Ok(Self { meta, askers, answered: Mutex::new(take(ebpf, "ANSWERED")?) })
    }
}

/// The ring of denials.
pub(super) fn denials(ebpf: &mut Ebpf) -> Result<RingBuf<MapData>, InterceptError> {
    take(ebpf, "DENIALS")
}

/// The ring of closes.
pub(super) fn closes(ebpf: &mut Ebpf) -> Result<RingBuf<MapData>, InterceptError> {
    take(ebpf, "CLOSES")
}

fn take<T: TryFrom<Map, Error = MapError>>(
    ebpf: &mut Ebpf,
    name: &str,
) -> Result<T, InterceptError> {
    let failed = |error| InterceptError::ebpf(format!("opening the map {name}"), error);
    let map = ebpf
        .take_map(name)
        .ok_or_else(|| failed(MapError::InvalidName { name: name.to_owned() }))?;
    T::try_from(map).map_err(failed)
}
