//! Who opened a flow: read from the accepted socket itself, or for DNS from the query's source.

use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, PoisonError};

use aya::maps::MapError;
use weir_abi::{ASKER_NS, Address, AskerKey, CLOSED, FlowMeta, TCP, UDP, address};

use super::maps::Facts;
use super::{Asker, FlowFacts, InterceptError, kernel};

/// A handle for workers; clones share the maps.
#[derive(Clone)]
pub struct FactsReader(Arc<Facts>);

impl std::fmt::Debug for FactsReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FactsReader").finish_non_exhaustive()
    }
}

impl FactsReader {
    pub(super) fn new(facts: Facts) -> Self {
        Self(Arc::new(facts))
    }

    /// Who opened an accepted connection. `None` means that no binding did: refuse it.
    pub fn flow(&self, accepted: BorrowedFd<'_>) -> Result<Option<FlowFacts>, InterceptError> {
        match self.0.meta.get(&accepted, 0) {
            Ok(meta) if meta.protocol == TCP => Ok(Some(facts(&meta))),
            Ok(_) | Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(InterceptError::ebpf("reading a connection's origin", error)),
        }
    }

    /// Who sent a datagram that a DNS socket of a network namespace received from `source`, and to
    /// which resolver. `None` means that no binding did, or too long ago. Only who is there is answered.
    ///
    /// The whole source is needed: two agents may use one port on different loopback addresses.
    pub fn dns(
        &self,
        netns: u64,
        slot: u32,
        source: SocketAddr,
    ) -> Result<Option<Asker>, InterceptError> {
        let key = asker(netns, slot, source);
        let meta = match self.0.askers.get(&key, 0) {
            Ok(meta) => meta,
            Err(MapError::KeyNotFound) => return Ok(None),
            Err(error) => return Err(InterceptError::ebpf("reading a query's origin", error)),
        };
        let age = kernel::monotonic_ns().saturating_sub(meta.at_ns);
        if meta.protocol != UDP || age > ASKER_NS {
            self.answered(netns, slot, source);
            return Ok(None);
        }
        if meta.sent == CLOSED {
            return Ok(Some(Asker::Gone { binding: meta.binding }));
        }
        Ok(Some(Asker::There(facts(&meta))))
    }

    /// Counts a query that [`Self::dns`] named the asker of as done with: nothing of it is said any more.
    /// Where all that was asked from there is, and the socket is closed, its port may be another binding's
    /// at once. One task at a time counts for a DNS socket; what somebody outside sends from a port that an
    /// agent asked from counts too, since nobody can tell.
    pub fn answered(&self, netns: u64, slot: u32, source: SocketAddr) {
        let key = asker(netns, slot, source);
        let mut answered = self.0.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let count = answered.get(&key, 0).unwrap_or(0).wrapping_add(1);
        if let Err(error) = answered.insert(key, count, 0) {
            tracing::debug!(%error, "counting an answered DNS query");
        }
    }
}

fn asker(netns: u64, slot: u32, source: SocketAddr) -> AskerKey {
    AskerKey { netns, address: words(source), port: u32::from(source.port()), slot }
}

fn facts(meta: &FlowMeta) -> FlowFacts {
    let length = meta.comm.iter().position(|byte| *byte == 0).unwrap_or(meta.comm.len());
    FlowFacts {
        binding: meta.binding,
        cookie: meta.cookie,
        at_ns: meta.at_ns,
        netns: meta.netns,
        pid: meta.pid,
        uid: meta.uid,
        comm: String::from_utf8_lossy(&meta.comm[..length]).into_owned(),
        original: socket_address(&meta.address, meta.port),
    }
}

/// The address in its own family: a mapped IPv4 address becomes IPv4.
pub(super) fn socket_address(words: &Address, port: u16) -> SocketAddr {
    let mut octets = [0; 16];
    for (to, word) in octets.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&word.to_ne_bytes());
    }
    SocketAddr::new(Ipv6Addr::from(octets).to_canonical(), port)
}

fn words(source: SocketAddr) -> Address {
    match source {
        SocketAddr::V4(v4) => address::v4(u32::from_ne_bytes(v4.ip().octets())),
        SocketAddr::V6(v6) => {
            let octets = v6.ip().octets();
            let mut words = [0; 4];
            for (to, from) in words.iter_mut().zip(octets.chunks_exact(4)) {
                *to = u32::from_ne_bytes([from[0], from[1], from[2], from[3]]);
            }
            words
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn addresses_survive_the_way_through_the_kernel() {
        for text in ["10.1.2.3:5432", "[2001:db8::7]:443", "127.0.0.1:53", "[::1]:1"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(socket_address(&words(address), address.port()), address);
        }
    }
}
