//! Other processes: nobody looks into, traces or signals what is not of the own binding.

use weir_abi::lsm::Hook;

use crate::refuse::{refuse, refuse_quietly};
use crate::scope::{Bound, Kernel, bound, read};

/// `PTRACE_MODE_NOAUDIT`: asked on the way, as by `ps`, which then shows less.
const NO_AUDIT: u32 = 4;

/// ptrace(2), process_vm_writev(2), pidfd_getfd(2), /proc/PID/mem and all else that asks the same.
#[inline(always)]
pub fn trace(task: Kernel, mode: u32) -> i32 {
    let Some(bound) = bound() else { return 0 };
    if bound.owns_task(task) {
        return 0;
    }
    if mode & NO_AUDIT != 0 {
        return refuse_quietly(Hook::Ptrace);
    }
    refuse(&bound, Hook::Ptrace, process(&bound, task))
}

/// Where the fourth argument stands, the credentials.
const CREDENTIALS: u32 = 3 * 8;

/// `signal` zero only asks whether the process exists; with credentials the kernel signals for
/// somebody who may not be the caller.
///
/// Those are read as memory: newer verifiers hold that no pointer among the arguments is null, and
/// would drop all that follows a check for it.
#[inline(always)]
pub fn kill(task: Kernel, signal: i32, arguments: Kernel) -> i32 {
    if signal == 0 {
        return 0;
    }
    let Some(bound) = bound() else { return 0 };
    if bound.owns_task(task) || read::<u64>(arguments, CREDENTIALS).is_some_and(|it| it != 0) {
        return 0;
    }
    refuse(&bound, Hook::Kill, process(&bound, task))
}

#[inline(always)]
fn process(bound: &Bound, task: Kernel) -> u32 {
    read(task, bound.scope.offsets.task_tgid).unwrap_or(0)
}
