//! The script that is a machine's first process: mounts, runs the suites, says how they ended.

use std::fmt::Write as _;

use super::suites::{self, Suite};

/// Begins the lines that are for the caller, not for the reader.
pub(super) const MARK: &str = "@vm ";

const MOUNTS: &str = r"#!/bin/sh
# The first process of a test machine; written by `cargo xtask vm`.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t devtmpfs dev /dev
exec </dev/null >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 raw -echo
mkdir -p /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
for one in 0:stdin 1:stdout 2:stderr; do ln -s /proc/self/fd/${one%:*} /dev/${one#*:}; done
mount -t devpts devpts /dev/pts
for folder in /dev/shm /tmp /run; do mount -t tmpfs memory $folder; done
chmod 1777 /dev/shm /tmp
mount -t sysfs sys /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t securityfs securityfs /sys/kernel/security
mount -t tracefs tracefs /sys/kernel/tracing
mkdir -p /lib/modules/$(uname -r)
hostname weir-vm
ip link set lo up
";

/// A device with a route to everywhere that swallows what it is sent: what gets out there got out.
const UPLINK: &str = "modprobe dummy && ip link add eth0 type dummy && ip link set eth0 up
ip addr add 198.51.100.2/24 dev eth0 && ip route add default via 198.51.100.1
ip -6 addr add 2001:db8:ffff::2/64 dev eth0 nodad && ip -6 route add default dev eth0";

/// How a suite is run.
pub(super) struct Order {
    pub(super) suite: Suite,
    /// Filters and options for the test program.
    pub(super) arguments: Vec<String>,
}

/// The script.
pub(super) fn script(modules: &std::path::Path, orders: &[Order], seconds: u64) -> String {
    let mut text = MOUNTS.to_owned();
    let mut line = |args: std::fmt::Arguments<'_>| {
        let _ = text.write_fmt(args);
        text.push('\n');
    };
    line(format_args!("mount --bind {} /lib/modules/$(uname -r)", quoted(modules)));
    line(format_args!("{UPLINK}"));
    line(format_args!("export WEIR_BIN={}", quoted(suites::weir())));
    line(format_args!("export WEIR_VM=1 RUST_BACKTRACE=0 TERM=dumb"));
    line(format_args!("cd {}", quoted(suites::folder())));
    line(format_args!("echo '{MARK}up' $(uname -r) lsm=$(cat /sys/kernel/security/lsm)"));
    for Order { suite, arguments } in orders {
        let words: Vec<String> = arguments.iter().map(quoted).collect();
        let program = quoted(&suite.program);
        line(format_args!("echo '{MARK}begin' {}", suite.name));
        line(format_args!("timeout -k 5 {seconds} {program} {}", words.join(" ")));
        line(format_args!("echo '{MARK}end' {} $?", suite.name));
    }
    line(format_args!("echo '{MARK}done'"));
    line(format_args!("sleep 0.2; echo o >/proc/sysrq-trigger; sleep 60"));
    text
}

/// A word of the shell's.
fn quoted(word: impl AsRef<std::ffi::OsStr>) -> String {
    format!("'{}'", word.as_ref().to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
