//! The maps that all bindings of an instance share, opened or created, checked, typed.

use std::collections::BTreeMap;
use std::path::Path;

use aya::Ebpf;
use aya::maps::{HashMap, Map, MapData, MapError, MapInfo, RingBuf, SkStorage};
use weir_abi::count::{COUNTS, Counters, REASONS};
use weir_abi::{AskerKey, Denial, FlowKey, FlowMeta, Listener, Owner, Resolvers};

use super::InterceptError;

/// Name, type, key size, value size and entries of each shared map.
const SHAPES: [(&str, u32, usize, usize, usize); 10] = [
    ("BIND", 1, 8, 4, weir_abi::BINDINGS),
    ("COUNTERS", 1, 8, size_of::<Counters>(), weir_abi::BINDINGS),
    ("LISTEN", 1, 8, size_of::<Listener>(), weir_abi::NAMESPACES),
    ("FLOWS", 1, size_of::<FlowKey>(), size_of::<FlowMeta>(), weir_abi::FLOWS),
    ("DNSQ", 9, size_of::<AskerKey>(), size_of::<FlowMeta>(), weir_abi::ASKERS),
    ("DENIALS", 27, 0, 0, weir_abi::DENIAL_BYTES),
    ("META", 24, 4, size_of::<FlowMeta>(), 0),
    ("OURS", 24, 4, 8, 0),
    ("OWNER", 24, 4, size_of::<Owner>(), 0),
    ("SLOTS", 24, 4, size_of::<Resolvers>(), 0),
];

const _: () = assert!(size_of::<Denial>() == super::denials::BYTES);

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
            return Err(InterceptError::MapShape(name.to_owned()));
        }
    }
    Ok(())
}

/// The maps that the daemon itself reads and writes.
pub(super) struct Maps {
    pub(super) bind: HashMap<MapData, u64, u32>,
    pub(super) counters: HashMap<MapData, u64, Counters>,
    pub(super) listen: HashMap<MapData, u64, Listener>,
    pub(super) ours: SkStorage<MapData, u64>,
}

/// The maps that workers read.
pub(super) struct Facts {
    pub(super) meta: SkStorage<MapData, FlowMeta>,
    pub(super) askers: HashMap<MapData, AskerKey, FlowMeta>,
}

impl Maps {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, InterceptError> {
        Ok(Self {
            bind: take(ebpf, "BIND")?,
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

    /// Starts a binding's counters at zero.
    pub(super) fn reset(&mut self, id: u64) -> Result<(), InterceptError> {
        self.counters
            .insert(id, Counters::ZERO, 0)
            .map_err(|error| InterceptError::ebpf("creating a binding's counters", error))
    }

    /// Removes a binding; absent entries are no error.
    pub(super) fn forget(&mut self, id: u64) {
        let _ = self.bind.remove(&id);
        let _ = self.counters.remove(&id);
    }

    /// A binding's counters by name.
    pub(super) fn counters(&self, id: u64) -> Result<BTreeMap<String, u64>, InterceptError> {
        let counters = match self.counters.get(&id, 0) {
            Ok(counters) => counters,
            Err(MapError::KeyNotFound) => return Err(InterceptError::Unknown(id)),
            Err(error) => return Err(InterceptError::ebpf("reading counters", error)),
        };
        let counts = COUNTS.iter().zip(counters.counts);
        let denied = REASONS.iter().zip(counters.denied);
        Ok(counts
            .map(|(count, value)| (count.name().to_owned(), value))
            .chain(denied.map(|(reason, value)| (format!("denied_{}", reason.name()), value)))
            .collect())
    }
}

impl Facts {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, InterceptError> {
        Ok(Self { meta: take(ebpf, "META")?, askers: take(ebpf, "DNSQ")? })
    }
}

/// The ring of denials.
pub(super) fn denials(ebpf: &mut Ebpf) -> Result<RingBuf<MapData>, InterceptError> {
    take(ebpf, "DENIALS")
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
