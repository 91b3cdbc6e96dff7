//! Tier T3: BPF LSM programs, where the kernel has them. They close what cgroup programs don't see:
//! moving out of the cgroup, bpf(2), other processes, Unix sockets and descriptors of others.
//!
//! One set per gateway. It knows bound processes by where the slice is, so there is nothing to fill in
//! per binding, and it stays when the gateway dies. Without it the gateway goes on, and says so.

mod btf;
mod kernel;
mod programs;
mod refusals;
mod status;

use std::collections::BTreeMap;
use std::path::PathBuf;

use aya::programs::links::FdLink;
use weir_abi::lsm::{HOOKS, Hook, PEER_NAME, PeerName, Scope};

use super::{InterceptError, bpffs};
use programs::Maps;

pub use refusals::{Refusal, Refusals};
pub use status::{LsmProgram, LsmStatus, status};

/// The programs of a running gateway.
pub(super) struct Lsm {
    pins: PathBuf,
    status: LsmStatus,
    maps: Option<Maps>,
    /// Attached, and not yet in the place of an earlier gateway's.
    links: Vec<(Hook, FdLink)>,
}

impl Lsm {
    /// Attaches the programs, or finds out why not. They last as long as this until they are settled.
    /// `slice` is the slice's id, `level` its depth.
    pub(super) fn start(pins: PathBuf, slice: u64, level: u32) -> Self {
        let mut status = LsmStatus::without("");
        let mut links = Vec::new();
        let maps = attach(slice, level, &mut status, &mut links)
            .map_err(|reason| status.reason = reason)
            .ok();
        status.available = maps.is_some() && status.reason.is_empty();
        status.possible = status.available;
        Self { pins, status, maps, links }
    }

    /// Puts the programs in the place of an earlier gateway's, hook by hook: whatever is bound meets
    /// one set or both.
    pub(super) fn settle(&mut self) -> Result<(), InterceptError> {
        if self.links.is_empty() {
            return Ok(());
        }
        bpffs::make(&self.pins)?;
        std::mem::take(&mut self.links)
            .into_iter()
            .try_for_each(|(hook, link)| programs::place(hook, link, &self.pins))
    }

    pub(super) fn status(&self) -> &LsmStatus {
        &self.status
    }

    /// Lets bound processes connect to Unix sockets of others, by name; `@` begins abstract ones.
    pub(super) fn allow(&mut self, names: &[String]) -> Result<(), InterceptError> {
        let key = |name: &String| peer_name(name).ok_or_else(|| InterceptError::Peer(name.clone()));
        let keys = names.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        let Some(maps) = &mut self.maps else { return Ok(()) };
        for key in keys {
            let failed = |error| InterceptError::ebpf("allowing a Unix socket", error);
            maps.allowed.insert(key, 1, 0).map_err(failed)?;
        }
        Ok(())
    }

    pub(super) fn refusals(&mut self) -> Option<Refusals> {
        self.maps.as_mut()?.refusals.take().map(Refusals::new)
    }

    /// How often each hook has refused something.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let Some(maps) = &self.maps else { return BTreeMap::new() };
        let count = |number| maps.refused.get(&number, 0).unwrap_or(0);
        HOOKS.into_iter().map(|hook| (hook.name(), count(hook as u32))).collect()
    }

    /// Takes the programs off. Nothing may be bound any more.
    pub(super) fn retire(&mut self) -> Result<(), InterceptError> {
        self.maps = None;
        self.links.clear();
        if !self.pins.is_dir() {
            return Ok(());
        }
        bpffs::unpin(&self.pins)
    }
}

fn attach(
    slice: u64,
    level: u32,
    status: &mut LsmStatus,
    links: &mut Vec<(Hook, FdLink)>,
) -> Result<Maps, String> {
    if let Some(obstacle) = kernel::obstacle() {
        return Err(obstacle);
    }
    let scope = Scope {
        slice,
        level,
        gateway: std::process::id(),
        mounts: kernel::mounts().map_err(|error| format!("asking for the mounts: {error}"))?,
        offsets: kernel::offsets()?,
    };
    let (mut ebpf, maps) = programs::load(&scope)?;
    for (hook, attached) in programs::attach(&mut ebpf) {
        status.set(hook, attached.is_ok());
        match attached {
            Ok(link) => links.push((hook, link)),
            Err(why) => status.reason = format!("{}: {why}", hook.name()),
        }
    }
    if kernel::answers(slice) {
        return Ok(maps);
    }
    // What does nothing takes nobody's place; where some were refused, programs of an earlier
    // gateway may still be in theirs.
    links.clear();
    let refused = std::mem::take(&mut status.reason);
    *status = LsmStatus::without("");
    if !refused.is_empty() {
        return Err(refused);
    }
    Err("the programs are attached and never called: add bpf to lsm= on the command line"
        .to_owned())
}

fn peer_name(name: &str) -> Option<PeerName> {
    let mut key = [0; PEER_NAME];
    let (at, bytes) = match name.strip_prefix('@') {
        Some(rest) => (1, rest.as_bytes()),
        None => (0, name.as_bytes()),
    };
    // A path's zero at the end must fit in.
    let most = if at == 0 { PEER_NAME - 1 } else { PEER_NAME };
    if bytes.is_empty() || bytes.contains(&0) {
        return None;
    }
    key.get_mut(at..most)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_are_as_the_kernel_keeps_them() {
        assert_eq!(peer_name("/run/a").unwrap()[..7], *b"/run/a\0");
        assert_eq!(peer_name("@bus").unwrap()[..5], *b"\0bus\0");
        assert!(peer_name("").is_none() && peer_name("@").is_none());
        assert!(peer_name(&"x".repeat(107)).is_some() && peer_name(&"x".repeat(108)).is_none());
        assert!(peer_name(&format!("@{}", "x".repeat(107))).is_some());
        assert!(peer_name(&format!("@{}", "x".repeat(108))).is_none());
    }
}
