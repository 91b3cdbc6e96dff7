//! The kernel: its version, what it has, and whether it takes the programs.

use std::fs;
use std::path::Path;

use super::finding::Report;
use crate::intercept::probe;

const AREA: &str = "kernel";
const AS_ROOT: &str = "sudo weir doctor";
/// The oldest kernel that the programs are made for.
const OLDEST: (u32, u32) = (5, 15);

pub(super) fn check(report: &mut Report) {
    version(report);
    match probe::cgroup_mount() {
        Ok(mount) => report.ok(AREA, format!("cgroup v2 is mounted on {}", mount.display())),
        Err(error) => report.fail(AREA, error.to_string(), "mount -t cgroup2 none /sys/fs/cgroup"),
    }
    match Path::new("/sys/kernel/btf/vmlinux").exists() {
        true => report.ok(AREA, "the kernel has BTF"),
        false => report.warn(
            AREA,
            "the kernel has no BTF; BPF LSM programs would need it",
            "boot a kernel with CONFIG_DEBUG_INFO_BTF=y",
        ),
    }
    programs(report);
    lockdown(report);
    jail(report);
}

fn version(report: &mut Report) {
    let Ok(text) = fs::read_to_string("/proc/sys/kernel/osrelease") else {
        return report.unknown(AREA, "the kernel's version can't be read", "uname -r");
    };
    let text = text.trim();
    let mut numbers = text.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => {
            report.ok(AREA, format!("Linux {text}"));
        }
        (Some(_), Some(_)) => {
            let (major, minor) = OLDEST;
            let text = format!("Linux {text} is older than {major}.{minor}");
            report.warn(AREA, text, "boot a newer kernel");
        }
        _ => report.unknown(
            AREA,
            format!("Linux {text}, a version that is not understood"),
            "uname -r",
        ),
    }
}

/// The verifier's own verdict, on this kernel, on the programs in this binary.
fn programs(report: &mut Report) {
    if !has_bpf() {
        let text = "whether this kernel takes the programs was not tried: it needs CAP_BPF and CAP_NET_ADMIN";
        return report.unknown(AREA, text, AS_ROOT);
    }
    match probe::verify_programs() {
        Err(error) => report.fail(AREA, format!("{error}: {}", source(&error)), "dmesg | tail"),
        Ok(found) => {
            let refused: Vec<_> =
                found.iter().filter_map(|(name, why)| Some((name, why.as_ref()?))).collect();
            if refused.is_empty() {
                report.ok(AREA, format!("the verifier takes all {} programs", found.len()));
            }
            for (name, why) in refused {
                report.fail(
                    AREA,
                    format!("the verifier refuses {name}: {why}"),
                    "boot a newer kernel",
                );
            }
        }
    }
}

fn source(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

fn lockdown(report: &mut Report) {
    match fs::read_to_string("/sys/kernel/security/lockdown") {
        Ok(text) => {
            let mode = text.split(['[', ']']).nth(1).unwrap_or("unknown").to_owned();
            report.ok(AREA, format!("lockdown is {mode}"));
        }
        Err(error) => report.unknown(
            AREA,
            format!("lockdown can't be read: {error}"),
            "mount -t securityfs none /sys/kernel/security",
        ),
    }
}

/// What the tiers above cgroup programs would need.
fn jail(report: &mut Report) {
    match probe::landlock_abi() {
        Ok(abi) => report.ok(AREA, format!("Landlock is there, ABI {abi}")),
        Err(error) => report.warn(
            AREA,
            format!("Landlock is not there: {error}"),
            "boot with lsm=landlock,... and CONFIG_SECURITY_LANDLOCK=y",
        ),
    }
    match fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail") {
        Ok(actions) if actions.contains("errno") => report.ok(AREA, "seccomp filters are there"),
        Ok(_) | Err(_) => report.warn(
            AREA,
            "seccomp filters are not there",
            "boot a kernel with CONFIG_SECCOMP_FILTER=y",
        ),
    }
    let listed = fs::read_to_string("/sys/kernel/security/lsm");
    match listed {
        Ok(list) if !list.split(',').any(|name| name.trim() == "bpf") => {
            let text = format!("BPF LSM is not active (LSMs: {})", list.trim());
            report.warn(AREA, text, "boot with lsm=...,bpf for tier T3");
        }
        Ok(_) if !has_bpf() => report.unknown(
            AREA,
            "BPF LSM is listed; whether it takes programs was not tried",
            AS_ROOT,
        ),
        Ok(_) => report.ok(AREA, "BPF LSM is listed"),
        Err(error) => report.unknown(
            AREA,
            format!("the list of LSMs can't be read: {error}"),
            "mount -t securityfs none /sys/kernel/security",
        ),
    }
}

/// Whether this process may load programs: root of a container often may not.
pub(super) fn has_bpf() -> bool {
    const NET_ADMIN: u32 = 12;
    const SYS_ADMIN: u32 = 21;
    const BPF: u32 = 39;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let sets = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()).unwrap_or(0);
    let has = |bit: u32| sets & (1 << bit) != 0;
    is_initial_user_namespace() && (has(SYS_ADMIN) || (has(BPF) && has(NET_ADMIN)))
}

/// Capabilities of another user namespace mean nothing to bpf(2).
pub(super) fn is_initial_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}
