//! Who is bound, and to which leaf a process, a socket or a file belongs.

use aya_ebpf::btf_maps::Array;
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::helpers::generated::bpf_get_current_ancestor_cgroup_id;
use aya_ebpf::macros::btf_map;
use weir_abi::lsm::Scope;

#[btf_map]
pub static SCOPE: Array<Scope, 1> = Array::new();

/// A pointer to something of the kernel's. It is only ever read by a helper that fails where there is
/// nothing, so it may be anything.
pub type Kernel = *const u8;

/// The caller, if it is bound.
pub struct Bound {
    pub scope: &'static Scope,
    /// The id of its leaf; zero for what was put into the slice itself, which belongs to nobody.
    pub leaf: u64,
}

/// The caller's binding. All that an unbound caller pays: an array's element and its own ancestor.
#[inline(always)]
pub fn bound() -> Option<Bound> {
    let scope = SCOPE.get(0)?;
    let slice = scope.slice;
    if slice == 0 || ancestor(scope.level) != slice {
        return None;
    }
    Some(Bound { scope, leaf: ancestor(scope.level + 1) })
}

#[inline(always)]
fn ancestor(level: u32) -> u64 {
    // SAFETY: the helper takes a number and returns zero where there is no such ancestor.
    unsafe { bpf_get_current_ancestor_cgroup_id(level as i32) }
}

impl Bound {
    /// Whether a cgroup lies in the caller's leaf. What can't be read does not.
    #[inline(always)]
    pub fn owns_cgroup(&self, cgroup: Kernel) -> bool {
        let offsets = &self.scope.offsets;
        let level = self.scope.level + 1;
        let Some(depth) = read::<u32>(cgroup, offsets.cgroup_level) else {
            return false;
        };
        if self.leaf == 0 || depth < level {
            return false;
        }
        let at = offsets.cgroup_ancestors + level * size_of::<Kernel>() as u32;
        let leaf = follow(cgroup, at).and_then(|leaf| follow(leaf, offsets.cgroup_node));
        leaf.and_then(|node| read(node, offsets.node_id)) == Some(self.leaf)
    }

    /// Whether a process is in the caller's leaf.
    #[inline(always)]
    pub fn owns_task(&self, task: Kernel) -> bool {
        let offsets = &self.scope.offsets;
        let set = follow(task, offsets.task_cgroups);
        let cgroup = set.and_then(|set| follow(set, offsets.set_cgroup));
        cgroup.is_some_and(|cgroup| self.owns_cgroup(cgroup))
    }

    /// Whether a socket (`struct sock`) was made in the caller's leaf.
    #[inline(always)]
    pub fn owns_sock(&self, sock: Kernel) -> bool {
        let cgroup = follow(sock, self.scope.offsets.sock_cgroup);
        cgroup.is_some_and(|cgroup| self.owns_cgroup(cgroup))
    }
}

/// Reads a field of a kernel structure.
#[inline(always)]
pub fn read<T>(base: Kernel, offset: u32) -> Option<T> {
    let field = base.wrapping_add(offset as usize).cast::<T>();
    // SAFETY: the helper checks the address; `T` is a number or a pointer, which any bytes are.
    unsafe { bpf_probe_read_kernel(field) }.ok()
}

/// Reads a pointer that leads somewhere.
#[inline(always)]
pub fn follow(base: Kernel, offset: u32) -> Option<Kernel> {
    let to = read::<Kernel>(base, offset)?;
    if to.is_null() { None } else { Some(to) }
}
