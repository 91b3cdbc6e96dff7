//! Listeners in network namespaces: opened for bindings, marked and published, given up.

use std::collections::BTreeSet;

use weir_model::limits;

use super::Interceptor;
use crate::intercept::listen::Found;
use crate::intercept::{Denial, InterceptError, Listeners, Served, cgroup, listen};

/// Namespaces that are looked at for the one that a process came from which is gone.
const LOOKED_AT: usize = 2 * limits::NAMESPACES_PER_BINDING;

impl Interceptor {
    /// Opens listeners in the network namespace of a process; `None` if it has some already.
    pub fn listen(
        &mut self,
        pid: u32,
        workers: usize,
    ) -> Result<Option<Listeners>, InterceptError> {
        match self.find(pid, workers, None)? {
            Found::New(listeners, _) => Ok(Some(listeners)),
            Found::Known(_) => Ok(None),
        }
    }

    /// The same for the sake of a binding; `leave` gives them up again. Namespaces that the binding
    /// has deserted make room for more.
    pub fn serve(
        &mut self,
        binding: u64,
        pid: u32,
        workers: usize,
    ) -> Result<Served, InterceptError> {
        self.serve_in(binding, pid, workers, None)
    }

    /// Opens listeners where a connect was denied because there were none, if processes of the binding
    /// are still there. The one that tried may be gone: what it belongs to will try again.
    pub fn learn(&mut self, denial: &Denial, workers: usize) -> Result<Served, InterceptError> {
        let (binding, expected) = (denial.binding, Some(denial.netns));
        let tried = self
            .check_inside(binding, denial.pid)
            .and_then(|()| self.serve_in(binding, denial.pid, workers, expected));
        let Err(error) = tried else { return tried };
        let bound = self.bindings.get(&binding).ok_or(InterceptError::Unknown(binding))?;
        if self.namespaces.is_full(binding) {
            return Err(error);
        }
        for (inode, pid) in cgroup::namespaces(&bound.path).into_iter().take(LOOKED_AT) {
            if self.namespaces.has_inode(inode) {
                continue;
            }
            if let Ok(served) = self.serve_in(binding, pid, workers, expected) {
                return Ok(served);
            }
        }
        Err(error)
    }

    fn check_inside(&self, binding: u64, pid: u32) -> Result<(), InterceptError> {
        let bound = self.bindings.get(&binding).ok_or(InterceptError::Unknown(binding))?;
        let found = cgroup::of(&pid.to_string())?;
        let below = found.strip_prefix(bound.cgroup.as_str());
        if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Ok(());
        }
        Err(InterceptError::NotInside { pid, found, wanted: bound.cgroup.clone() })
    }

    /// A binding needs no listeners any more: returns the namespaces whose listeners are to be
    /// closed.
    pub fn leave(&mut self, binding: u64) -> Vec<u64> {
        self.desert(binding, &BTreeSet::new())
    }

    /// Forgets the listeners of a network namespace, which the caller closes.
    pub fn forget(&mut self, netns: u64) {
        self.namespaces.remove(netns);
        let _ = self.maps.listen.remove(&netns);
    }

    fn serve_in(
        &mut self,
        binding: u64,
        pid: u32,
        workers: usize,
        expected: Option<u64>,
    ) -> Result<Served, InterceptError> {
        let mut closed = Vec::new();
        if self.namespaces.is_full(binding) {
            let path = self.bindings.get(&binding).map(|bound| bound.path.clone());
            let inhabited = cgroup::namespaces(&path.unwrap_or_default());
            closed = self.desert(binding, &inhabited.into_keys().collect());
            if self.namespaces.is_full(binding) {
                return Err(InterceptError::Namespaces(binding));
            }
        }
        let (netns, opened) = match self.find(pid, workers, expected)? {
            Found::New(listeners, _) => (listeners.netns, Some(listeners)),
            Found::Known(netns) => (netns, None),
        };
        self.namespaces.uses(netns, binding);
        Ok(Served { opened, closed })
    }

    fn desert(&mut self, binding: u64, inhabited: &BTreeSet<u64>) -> Vec<u64> {
        let gone = self.namespaces.leave(binding, inhabited);
        for netns in &gone {
            let _ = self.maps.listen.remove(netns);
        }
        gone
    }

    fn find(
        &mut self,
        pid: u32,
        workers: usize,
        expected: Option<u64>,
    ) -> Result<Found, InterceptError> {
        let known = &self.namespaces;
        let found = listen::open(pid, workers, expected, |netns| known.is_known(netns))?;
        let Found::New(listeners, inode) = &found else { return Ok(found) };
        self.mark(listeners)?;
        let ports = listeners
            .ports()
            .map_err(|source| InterceptError::Kernel { what: "asking for a port", source })?;
        self.maps
            .listen
            .insert(listeners.netns, ports, 0)
            .map_err(|error| InterceptError::ebpf("publishing the listeners", error))?;
        self.namespaces.add(listeners.netns, *inode);
        Ok(found)
    }

    /// Listeners are recognised by a mark on the socket: the port alone could be somebody else's.
    fn mark(&mut self, listeners: &Listeners) -> Result<(), InterceptError> {
        let ours = &mut self.maps.ours;
        let failed = |error| InterceptError::ebpf("marking a listener", error);
        for socket in listeners.tcp.iter().chain(&listeners.tcp6) {
            ours.insert(socket, 1, 0).map_err(failed)?;
        }
        for socket in listeners.dns.iter().chain(&listeners.dns6) {
            ours.insert(socket, 1, 0).map_err(failed)?;
        }
        Ok(())
    }
}
