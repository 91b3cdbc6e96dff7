//! seccomp: which system calls the agent has.
//!
//! Three filters, of which the kernel takes the strictest word. Each kills what speaks another ABI
//! than the machine's own (ia32, in 64-bit programs too), so that nobody gets around the others by
//! other numbers. What is newer than this list does not exist, nor do the numbers of x32.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use libc::{
    AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET,
    CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS, EAFNOSUPPORT, ENOSYS, EPERM,
    NETLINK_ROUTE,
};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};
use weir_model::Relaxation;

use crate::cli::run::plan::{Failure, Step as _};

/// The numbers in use when this was written, up to those of Linux 6.18.
#[cfg(target_arch = "x86_64")]
const KNOWN: [RangeInclusive<i64>; 2] = [0..=336, 424..=469];
#[cfg(not(target_arch = "x86_64"))]
const KNOWN: [RangeInclusive<i64>; 2] = [0..=294, 424..=469];
/// The same number everywhere; not every version of libc knows it.
const OPEN_TREE_ATTR: i64 = 467;

/// Refused always.
const REFUSED: [i64; 18] = [
    libc::SYS_bpf,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_open_by_handle_at,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
];
#[cfg(target_arch = "x86_64")]
const PORTS: [i64; 2] = [libc::SYS_ioperm, libc::SYS_iopl];
#[cfg(not(target_arch = "x86_64"))]
const PORTS: [i64; 0] = [];

/// Refused unless they are asked for.
const REFUSED_UNLESS: [(Relaxation, &[i64]); 7] = [
    (
        Relaxation::Ptrace,
        &[
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_pidfd_getfd,
            libc::SYS_kcmp,
        ],
    ),
    (
        Relaxation::IoUring,
        &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register],
    ),
    (Relaxation::Userns, &[libc::SYS_setns]),
    (
        Relaxation::Mount,
        &[
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_pivot_root,
            libc::SYS_fsopen,
            libc::SYS_fsconfig,
            libc::SYS_fsmount,
            libc::SYS_fspick,
            libc::SYS_move_mount,
            libc::SYS_open_tree,
            libc::SYS_mount_setattr,
            OPEN_TREE_ATTR,
        ],
    ),
    (Relaxation::Perf, &[libc::SYS_perf_event_open]),
    (Relaxation::Userfaultfd, &[libc::SYS_userfaultfd]),
    (Relaxation::Keyring, &[libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl]),
];

/// `clone` knows no namespace of clocks: its bit is the signal's there.
const NAMESPACES: [i32; 7] = [
    CLONE_NEWUSER,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWCGROUP,
    CLONE_NEWUTS,
    CLONE_NEWIPC,
];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Installs the filters; `confined` says that the kernel itself keeps debugging inside.
pub(super) fn enter(relax: &BTreeSet<Relaxation>, confined: bool) -> Result<(), Failure> {
    let step = "filtering system calls";
    for program in programs(relax, confined).step(step)? {
        seccompiler::apply_filter(&program).step(step)?;
    }
    Ok(())
}

fn programs(relax: &BTreeSet<Relaxation>, confined: bool) -> Result<Vec<BpfProgram>, BackendError> {
    let refused = refused(relax, confined)?;
    let mut known: Rules = KNOWN.into_iter().flatten().map(|call| (call, Vec::new())).collect();
    if !relax.contains(&Relaxation::Userns) {
        // Its flags lie in memory, where no filter sees them. C libraries go on with `clone`.
        known.remove(&libc::SYS_clone3);
    }
    let arch = std::env::consts::ARCH.try_into()?;
    let errno = |number: i32| SeccompAction::Errno(number.cast_unsigned());
    // Between equal words the kernel takes that of the newest filter.
    let filters = [
        SeccompFilter::new(known, errno(ENOSYS), SeccompAction::Allow, arch)?,
        SeccompFilter::new(refused, SeccompAction::Allow, errno(EPERM), arch)?,
        SeccompFilter::new(families(relax)?, SeccompAction::Allow, errno(EAFNOSUPPORT), arch)?,
    ];
    filters.into_iter().map(BpfProgram::try_from).collect()
}

fn refused(relax: &BTreeSet<Relaxation>, confined: bool) -> Result<Rules, BackendError> {
    let mut rules: Rules =
        REFUSED.into_iter().chain(PORTS).map(|call| (call, Vec::new())).collect();
    for (relaxation, calls) in REFUSED_UNLESS {
        let harmless = relaxation == Relaxation::Ptrace && confined;
        if !harmless && !relax.contains(&relaxation) {
            rules.extend(calls.iter().map(|call| (*call, Vec::new())));
        }
    }
    if !relax.contains(&Relaxation::Userns) {
        let clone =
            NAMESPACES.map(|flag| has(0, flag)).into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut unshare = clone.clone();
        unshare.push(has(0, libc::CLONE_NEWTIME)?);
        rules.insert(libc::SYS_clone, clone);
        rules.insert(libc::SYS_unshare, unshare);
    }
    // What was typed into a terminal counts as its user's own.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX].map(u64::from);
    let typing = typing.map(|request| SeccompRule::new(vec![is(1, SeccompCmpOp::Eq, request)?]));
    rules.insert(libc::SYS_ioctl, typing.into_iter().collect::<Result<_, _>>()?);
    Ok(rules)
}

/// Families of sockets that no cgroup hook sees do not exist.
fn families(relax: &BTreeSet<Relaxation>) -> Result<Rules, BackendError> {
    let mut allowed = vec![AF_UNIX, AF_INET, AF_INET6, AF_NETLINK];
    if relax.contains(&Relaxation::Vsock) {
        allowed.push(libc::AF_VSOCK);
    }
    let number = |value: i32| u64::from(value.cast_unsigned());
    let others = allowed.iter().map(|family| is(0, SeccompCmpOp::Ne, number(*family)));
    let mut rules = vec![SeccompRule::new(others.collect::<Result<_, _>>()?)?];
    if !relax.contains(&Relaxation::Netlink) {
        rules.push(SeccompRule::new(vec![
            is(0, SeccompCmpOp::Eq, number(AF_NETLINK))?,
            is(2, SeccompCmpOp::Ne, number(NETLINK_ROUTE))?,
        ])?);
    }
    Ok([(libc::SYS_socket, rules.clone()), (libc::SYS_socketpair, rules)].into())
}

fn has(argument: u8, flag: i32) -> Result<SeccompRule, BackendError> {
    let flag = u64::from(flag.cast_unsigned());
    SeccompRule::new(vec![is(argument, SeccompCmpOp::MaskedEq(flag), flag)?])
}

/// The kernel looks at the lower half of these arguments only, and so does the filter.
fn is(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn filters_fit_into_the_kernel_however_they_are_relaxed() {
        for relax in [BTreeSet::new(), Relaxation::ALL.into()] {
            for confined in [true, false] {
                let programs = programs(&relax, confined).unwrap();
                let most = programs.iter().map(Vec::len).max().unwrap();
                assert!(programs.len() == 3 && most <= 4096, "{most}");
            }
        }
    }

    #[test]
    fn each_relaxation_takes_away_its_own_calls_only() {
        let strict = refused(&BTreeSet::new(), false).unwrap();
        for (relaxation, calls) in REFUSED_UNLESS {
            let relaxed = refused(&[relaxation].into(), false).unwrap();
            for call in strict.keys() {
                let own = calls.contains(call);
                let namespaces = [libc::SYS_clone, libc::SYS_unshare].contains(call)
                    && relaxation == Relaxation::Userns;
                assert_eq!(relaxed.contains_key(call), !own && !namespaces, "{relaxation} {call}");
            }
        }
    }
}
