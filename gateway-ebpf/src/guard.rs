//! The slice's own programs: they run for every cgroup below it, after the leaf's.
//!
//! What is in no bound leaf makes no socket and sends nothing. So whatever is put below the slice
//! before the gateway is up, or beside its leaves, is cut off. What a bound leaf may do is for the
//! leaf's programs to say.

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::{
    bpf_get_current_ancestor_cgroup_id, bpf_skb_ancestor_cgroup_id,
};

use crate::maps::{LEAVES, slice};

/// How deep below the root of all cgroups the slice may lie.
const DEPTH: i32 = 16;

/// A socket belongs to the cgroup of the process that makes it.
#[inline(always)]
pub fn create() -> i32 {
    // SAFETY: the helper takes a number; beyond the cgroup's own level it answers 0.
    bound(|level| unsafe { bpf_get_current_ancestor_cgroup_id(level) })
}

/// A packet belongs to the cgroup of its socket, whoever sends it.
#[inline(always)]
pub fn egress(context: *mut __sk_buff) -> i32 {
    // SAFETY: as above; the context is the hook's own.
    bound(|level| unsafe { bpf_skb_ancestor_cgroup_id(context, level) })
}

#[inline(always)]
fn bound(ancestor: impl Fn(i32) -> u64) -> i32 {
    let slice = slice();
    if slice == 0 {
        return 0;
    }
    let mut level = 1;
    while level < DEPTH {
        if ancestor(level) == slice {
            let leaf = ancestor(level + 1);
            return i32::from(leaf != 0 && LEAVES.get_ptr(leaf).is_some());
        }
        level += 1;
    }
    0
}
