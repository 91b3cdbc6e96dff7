//! The gateway's own mounts: whoever unmounts its bpffs detaches everything.

use aya_ebpf::helpers::generated::bpf_get_current_task;
use weir_abi::lsm::Hook;

use crate::refuse::refuse;
use crate::scope::{Bound, Kernel, bound, follow, read};

/// A change of mounts by a bound process: none in the namespace that the gateway lives in.
#[inline(always)]
pub fn change(hook: Hook) -> i32 {
    let Some(bound) = bound() else { return 0 };
    let own = namespace(&bound);
    if own.is_some_and(|own| own != bound.scope.mounts) {
        return 0;
    }
    refuse(&bound, hook, own.unwrap_or(0))
}

#[inline(always)]
fn namespace(bound: &Bound) -> Option<u32> {
    let offsets = &bound.scope.offsets;
    // SAFETY: the helper takes no argument.
    let task = unsafe { bpf_get_current_task() } as Kernel;
    let namespaces = follow(task, offsets.task_namespaces)?;
    read(follow(namespaces, offsets.namespaces_mounts)?, offsets.mounts_number)
}
