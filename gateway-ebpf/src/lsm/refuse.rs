//! Counts refusals and tells userspace about them, if there is room.

use core::arch::asm;

use aya_ebpf::btf_maps::{Array, RingBuf};
use aya_ebpf::helpers::generated::{
    bpf_get_current_pid_tgid, bpf_get_current_uid_gid, bpf_ktime_get_ns,
};
use aya_ebpf::macros::btf_map;
use weir_abi::lsm::{Hook, LsmRefusal, REFUSAL_BYTES};

use crate::scope::Bound;

/// By number of the hook; more than there are hooks.
#[btf_map]
pub static REFUSED: Array<u64, 32> = Array::new();

#[btf_map]
pub static REFUSALS: RingBuf<LsmRefusal, REFUSAL_BYTES> = RingBuf::new();

const EPERM: i32 = 1;

/// Refuses, and says so.
#[inline(always)]
pub fn refuse(bound: &Bound, hook: Hook, detail: u32) -> i32 {
    refuse_with(bound, hook, detail, EPERM)
}

/// Refuses with an error of its own.
#[inline(always)]
pub fn refuse_with(bound: &Bound, hook: Hook, detail: u32, errno: i32) -> i32 {
    count(hook);
    if let Some(mut entry) = REFUSALS.reserve(0) {
        // SAFETY: the helpers take no arguments.
        let (at_ns, pid, uid) = unsafe {
            (bpf_ktime_get_ns(), bpf_get_current_pid_tgid() >> 32, bpf_get_current_uid_gid())
        };
        entry.write(LsmRefusal {
            leaf: bound.leaf,
            at_ns,
            pid: pid as u32,
            uid: uid as u32,
            hook: hook as u32,
            detail,
        });
        entry.submit(0);
    }
    -errno
}

/// Refuses what was not asked for in so many words, so nobody is told.
#[inline(always)]
pub fn refuse_quietly(hook: Hook) -> i32 {
    count(hook);
    -EPERM
}

#[inline(always)]
fn count(hook: Hook) {
    if let Some(counter) = REFUSED.get_ptr_mut(hook as u32) {
        // SAFETY: the pointer is a live value of the map; several CPUs may count at once.
        unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) counter, in(reg) 1_u64) }
    }
}
