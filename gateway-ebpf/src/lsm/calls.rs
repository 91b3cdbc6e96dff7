//! Calls that give power over the kernel or open roads that no other hook sees.

use aya_ebpf::helpers::generated::bpf_get_current_pid_tgid;
use weir_abi::lsm::{self, Hook, PROBED};

use crate::refuse::{refuse, refuse_with};
use crate::scope::{SCOPE, bound};

/// What the kernel loads for drivers: `LOADING_FIRMWARE`. All else is code.
const FIRMWARE: i32 = 1;

/// bpf(2). The gateway asks with a command that does not exist whether this program runs at all: a
/// kernel that was not told to use BPF as a security module attaches it and never calls it.
#[inline(always)]
pub fn bpf(command: i32) -> i32 {
    if let Some(bound) = bound() {
        return refuse(&bound, Hook::Bpf, command as u32);
    }
    let Some(scope) = SCOPE.get(0) else { return 0 };
    // SAFETY: the helper takes no argument.
    let caller = (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32;
    if command as u32 == lsm::probe(scope.slice) && caller == scope.gateway {
        return -PROBED;
    }
    0
}

/// Sockets that the kernel makes for itself are not the caller's.
#[inline(always)]
pub fn socket_create(family: i32, protocol: i32, by_kernel: i32) -> i32 {
    if by_kernel != 0 {
        return 0;
    }
    let Some(bound) = bound() else { return 0 };
    match lsm::may_create(family, protocol) {
        Ok(()) => 0,
        Err(errno) => refuse_with(&bound, Hook::SocketCreate, family as u32, errno),
    }
}

/// Modules, kernels, policies.
#[inline(always)]
pub fn load(hook: Hook, kind: i32) -> i32 {
    if kind == FIRMWARE {
        return 0;
    }
    match bound() {
        Some(bound) => refuse(&bound, hook, kind as u32),
        None => 0,
    }
}

#[inline(always)]
pub fn perf_event() -> i32 {
    match bound() {
        Some(bound) => refuse(&bound, Hook::PerfEvent, 0),
        None => 0,
    }
}
