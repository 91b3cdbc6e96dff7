//! What the running kernel has: its security modules, its layout, and whether our programs are called.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use weir_abi::lsm::{Offsets, PROBED, probe};

use super::btf::Btf;
use crate::intercept::syscall;

const LIST: &str = "/sys/kernel/security/lsm";
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
const TYPES: &str = "/sys/kernel/btf/vmlinux";
/// Inodes of the first namespaces, fixed by the kernel.
const FIRST_CGROUP: u64 = 0xefff_fffb;
const FIRST_PROCESSES: u64 = 0xefff_fffc;

/// Why the programs can't run here, as far as can be told without loading one.
pub(super) fn obstacle() -> Option<String> {
    let list = fs::read_to_string(LIST).ok();
    if let Some(list) = list.as_deref().map(str::trim)
        && !list.split(',').any(|name| name == "bpf")
    {
        return Some(format!(
            "bpf is not among the kernel's security modules ({list}): add it to lsm= on its command line"
        ));
    }
    if fs::read_to_string(LOCKDOWN).is_ok_and(|text| text.contains("[confidentiality]")) {
        return Some("the kernel is locked down for confidentiality".to_owned());
    }
    if !Path::new(TYPES).exists() {
        return Some(format!("the kernel does not describe its types: no {TYPES}"));
    }
    for (namespace, first) in [("cgroup", FIRST_CGROUP), ("pid", FIRST_PROCESSES)] {
        let path = format!("/proc/self/ns/{namespace}");
        if fs::metadata(&path).is_ok_and(|found| found.ino() != first) {
            return Some(format!("the gateway runs in a {namespace} namespace of its own"));
        }
    }
    None
}

/// Where the kernel keeps what the programs read.
pub(super) fn offsets() -> Result<Offsets, String> {
    let bytes = fs::read(TYPES).map_err(|error| format!("reading {TYPES}: {error}"))?;
    let btf = Btf::parse(&bytes).ok_or_else(|| format!("{TYPES} is not understood"))?;
    let at = |structure: &str, field: &str| {
        let missing = || format!("this kernel's {structure} has no {field}");
        btf.offset(structure, field).ok_or_else(missing)
    };
    Ok(Offsets {
        cgroup_ancestors: at("cgroup", "ancestors")?,
        cgroup_level: at("cgroup", "level")?,
        cgroup_node: at("cgroup", "kn")?,
        node_id: at("kernfs_node", "id")?,
        // Renamed in 6.15.
        node_parent: at("kernfs_node", "parent").or_else(|_| at("kernfs_node", "__parent"))?,
        task_cgroups: at("task_struct", "cgroups")?,
        set_cgroup: at("css_set", "dfl_cgrp")?,
        task_tgid: at("task_struct", "tgid")?,
        task_namespaces: at("task_struct", "nsproxy")?,
        namespaces_mounts: at("nsproxy", "mnt_ns")?,
        mounts_number: at("mnt_namespace", "ns")? + at("ns_common", "inum")?,
        socket_sock: at("socket", "sk")?,
        sock_cgroup: at("sock", "sk_cgrp_data")? + at("sock_cgroup_data", "cgroup")?,
        unix_address: at("unix_sock", "addr")?,
        address_length: at("unix_address", "len")?,
        address_name: at("unix_address", "name")?,
        inode_super: at("inode", "i_sb")?,
        inode_private: at("inode", "i_private")?,
        super_magic: at("super_block", "s_magic")?,
    })
}

/// The number of this process's mount namespace.
pub(super) fn mounts() -> io::Result<u32> {
    let number = fs::metadata("/proc/self/ns/mnt")?.ino();
    u32::try_from(number).map_err(io::Error::other)
}

/// Whether the kernel calls the programs of a scope: one of them answers a command that nobody knows.
pub(super) fn answers(slice: u64) -> bool {
    syscall::unknown_command(probe(slice)).raw_os_error() == Some(PROBED)
}
