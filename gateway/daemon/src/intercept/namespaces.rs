//! Which network namespaces have listeners, and for the sake of which bindings.
//!
//! A listener keeps its namespace alive, so those that nobody needs must be given up: an agent that
//! may make namespaces would otherwise fill the gateway with them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use weir_model::limits;

/// A network namespace with listeners.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Namespace {
    /// Its cookie.
    pub netns: u64,
    /// Its number in `/proc/PID/ns/net`.
    pub inode: u64,
    /// The bindings for whose sake they are open.
    pub users: BTreeSet<u64>,
}

/// The namespaces with listeners, by cookie.
pub(super) struct Namespaces {
    /// The gateway's own, which stays.
    own: u64,
    known: BTreeMap<u64, Namespace>,
}

impl Namespaces {
    pub(super) fn new(own: u64) -> Self {
        Self { own, known: BTreeMap::new() }
    }

    /// Goes on with what another gateway had.
    pub(super) fn inherit(&mut self, all: Vec<Namespace>) {
        self.known.extend(all.into_iter().map(|namespace| (namespace.netns, namespace)));
    }

    pub(super) fn all(&self) -> Vec<Namespace> {
        self.known.values().cloned().collect()
    }

    pub(super) fn is_known(&self, netns: u64) -> bool {
        self.known.contains_key(&netns)
    }

    /// The same by the number in `/proc/PID/ns/net`.
    pub(super) fn has_inode(&self, inode: u64) -> bool {
        self.known.values().any(|namespace| namespace.inode == inode)
    }

    pub(super) fn add(&mut self, netns: u64, inode: u64) {
        self.known.insert(netns, Namespace { netns, inode, users: BTreeSet::new() });
    }

    pub(super) fn remove(&mut self, netns: u64) {
        self.known.remove(&netns);
    }

    /// Writes down that a binding has processes in a namespace.
    pub(super) fn uses(&mut self, netns: u64, binding: u64) {
        if let Some(namespace) = self.known.get_mut(&netns) {
            namespace.users.insert(binding);
        }
    }

    /// Whether a binding has as many as it may.
    pub(super) fn is_full(&self, binding: u64) -> bool {
        let of = self.known.values().filter(|namespace| namespace.users.contains(&binding));
        of.count() >= limits::NAMESPACES_PER_BINDING
    }

    /// A binding is in none of these any more but those that `inhabited` names by their numbers;
    /// returns those that nobody is in now, which are forgotten.
    pub(super) fn leave(&mut self, binding: u64, inhabited: &BTreeSet<u64>) -> Vec<u64> {
        let mut gone = Vec::new();
        for (netns, namespace) in &mut self.known {
            if !inhabited.contains(&namespace.inode)
                && namespace.users.remove(&binding)
                && namespace.users.is_empty()
                && *netns != self.own
            {
                gone.push(*netns);
            }
        }
        gone.iter().for_each(|netns| self.remove(*netns));
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_needs_is_given_up_and_the_gateways_own_is_kept() {
        let mut all = Namespaces::new(1);
        for (netns, users) in [(1, &[7_u64][..]), (2, &[7]), (3, &[7, 8]), (4, &[7])] {
            all.add(netns, netns + 100);
            users.iter().for_each(|user| all.uses(netns, *user));
        }
        assert_eq!(all.leave(7, &BTreeSet::from([104])), [2]);
        assert_eq!(all.leave(7, &BTreeSet::new()), [4]);
        assert_eq!(all.leave(8, &BTreeSet::new()), [3]);
        assert!(all.is_known(1) && !all.is_known(2));
    }

    #[test]
    fn a_binding_may_have_so_many() {
        let mut all = Namespaces::new(1);
        for netns in 0..limits::NAMESPACES_PER_BINDING as u64 {
            assert!(!all.is_full(7));
            all.add(netns, netns);
            all.uses(netns, 7);
        }
        assert!(all.is_full(7) && !all.is_full(8));
    }
}
