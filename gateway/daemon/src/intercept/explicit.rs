//! A listener for hosts without eBPF: clients must be pointed at it, and nothing is enforced.
//!
//! The caller is found by the owner of the client's socket in `/proc`, which is slow and refuses
//! whatever is ambiguous; the destination comes from the configuration.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use super::{Bound, FlowFacts, InterceptError};

/// Parents that are looked at on the way from a process to a binding's leader.
const DEPTH: usize = 64;

/// A listener on loopback for one target.
#[derive(Debug)]
pub struct Explicit {
    listener: TcpListener,
    target: SocketAddr,
    /// Leaders of the bindings: they and their descendants are inside.
    leaders: BTreeMap<u32, u64>,
}

impl Explicit {
    /// Listens on a loopback address on behalf of a target.
    pub fn start(address: SocketAddr, target: SocketAddr) -> Result<Self, InterceptError> {
        let failed = |source| InterceptError::Kernel { what: "listening on loopback", source };
        if !address.ip().is_loopback() {
            return Err(failed(std::io::ErrorKind::AddrNotAvailable.into()));
        }
        let listener = TcpListener::bind(address).map_err(failed)?;
        Ok(Self { listener, target, leaders: BTreeMap::new() })
    }

    /// The listener, to accept from.
    pub fn listener(&self) -> &TcpListener {
        &self.listener
    }

    /// A binding without a cgroup.
    pub fn bound(id: u64, name: &str) -> Result<Bound, InterceptError> {
        let name = super::checked(name)?.to_owned();
        Ok(Bound { id, name, path: PathBuf::new(), cgroup: String::new() })
    }

    /// Makes a process the leader of a binding.
    pub fn enter(&mut self, bound: &Bound, pid: u32) {
        self.leaders.insert(pid, bound.id);
    }

    /// Ends a binding: its processes are unknown from now on.
    pub fn end(&mut self, id: u64) {
        self.leaders.retain(|_, binding| *binding != id);
    }

    /// Who opened an accepted connection; `None` if its owner is in no binding.
    pub fn flow(&self, accepted: &TcpStream) -> Result<Option<FlowFacts>, InterceptError> {
        let kernel = |source| InterceptError::Kernel { what: "asking for the peer", source };
        let peer = accepted.peer_addr().map_err(kernel)?;
        let server = accepted.local_addr().map_err(kernel)?;
        let (inode, uid) = socket_of(peer, server)?;
        let pid = owner(inode).map_err(|why| InterceptError::Owner { peer, why })?;
        let Some(binding) = self.binding(pid) else {
            return Ok(None);
        };
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Ok(Some(FlowFacts {
            binding,
            cookie: inode,
            at_ns: 0,
            netns: 0,
            pid,
            uid,
            comm: comm.trim_end().to_owned(),
            original: self.target,
        }))
    }

    /// What is enforced.
    pub fn tier(&self) -> &'static str {
        "explicit: not enforced"
    }

    /// The binding that a process is in, by its parents.
    pub fn binding(&self, mut pid: u32) -> Option<u64> {
        for _ in 0..DEPTH {
            if let Some(binding) = self.leaders.get(&pid) {
                return Some(*binding);
            }
            pid = parent(pid)?;
        }
        None
    }
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so start after the last one.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Inode and user of the client's socket.
fn socket_of(peer: SocketAddr, server: SocketAddr) -> Result<(u64, u32), InterceptError> {
    let path = if peer.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    let table = fs::read_to_string(path)
        .map_err(|error| InterceptError::io("reading", Path::new(path), error))?;
    let mut found = matching(&table, peer, server);
    if found.is_empty() && peer.is_ipv4() {
        // A client may use an IPv6 socket for an IPv4 address.
        let table = fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
        found = matching(&table, peer, server);
    }
    match found.as_slice() {
        [(inode, uid)] if *inode != 0 => Ok((*inode, *uid)),
        [] | [_] => Err(InterceptError::Owner { peer, why: "its socket is gone" }),
        _ => Err(InterceptError::Owner { peer, why: "several sockets match" }),
    }
}

fn matching(table: &str, local: SocketAddr, remote: SocketAddr) -> Vec<(u64, u32)> {
    let rows = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let same = endpoint(fields.get(1)?)? == local && endpoint(fields.get(2)?)? == remote;
        same.then_some((fields.get(9)?.parse().ok()?, fields.get(7)?.parse().ok()?))
    });
    rows.collect()
}

/// `0100007F:1F90`: words in host byte order, the port as a number.
fn endpoint(field: &str) -> Option<SocketAddr> {
    let (address, port) = field.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut octets = Vec::with_capacity(16);
    if !address.len().is_multiple_of(8) || address.len() > 32 {
        return None;
    }
    for word in address.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        octets.extend(word.to_ne_bytes());
    }
    let ip = match octets.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The only process that has the socket open.
fn owner(inode: u64) -> Result<u32, &'static str> {
    let wanted = PathBuf::from(format!("socket:[{inode}]"));
    let mut owner = None;
    let processes = fs::read_dir("/proc").map_err(|_| "/proc cannot be read")?;
    for process in processes.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if !holds(&process.path().join("fd"), &wanted) {
            continue;
        }
        if owner.replace(pid).is_some() {
            return Err("several processes share the socket");
        }
    }
    owner.ok_or("no process has the socket open")
}

fn holds(descriptors: &Path, wanted: &Path) -> bool {
    let Ok(entries) = fs::read_dir(descriptors) else {
        return false;
    };
    entries.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|link| link == wanted))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn explicit() -> Explicit {
        let target = "192.0.2.7:5432".parse().unwrap();
        Explicit::start("127.0.0.1:0".parse().unwrap(), target).unwrap()
    }

    #[test]
    fn the_owner_of_a_connection_is_found() {
        let mut explicit = explicit();
        let bound = Explicit::bound(7, "a").unwrap();
        explicit.enter(&bound, std::process::id());
        let client = TcpStream::connect(explicit.listener().local_addr().unwrap()).unwrap();
        let (accepted, _) = explicit.listener().accept().unwrap();
        let facts = explicit.flow(&accepted).unwrap().expect("attributed");
        assert_eq!((facts.binding, facts.pid), (7, std::process::id()));
        assert_eq!(facts.original, "192.0.2.7:5432".parse().unwrap());
        explicit.end(7);
        assert_eq!(explicit.flow(&accepted).unwrap(), None);
        drop(client);
    }

    #[test]
    fn only_loopback_is_listened_on() {
        let target = "192.0.2.7:5432".parse().unwrap();
        assert!(Explicit::start("0.0.0.0:0".parse().unwrap(), target).is_err());
    }

    #[test]
    fn endpoints_are_read_in_both_families() {
        assert_eq!(endpoint("0100007F:1F90"), "127.0.0.1:8080".parse().ok());
        let mapped = "0000000000000000FFFF00000100007F:0035";
        assert_eq!(endpoint(mapped), "127.0.0.1:53".parse().ok());
        assert_eq!(endpoint("7F:0035"), None);
        assert_eq!(endpoint("garbage"), None);
    }
}
