//! What the LSM programs and the daemon agree on: who is bound, where the kernel keeps what, refusals.
//!
//! A process is bound if its cgroup lies below the slice; the cgroup directly below the slice is its
//! leaf, and two processes belong together if they have the same leaf.

/// What the programs know of the world. There is one of it; a slice of zero binds nobody.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The slice's cgroup id.
    pub slice: u64,
    /// The slice's depth in the hierarchy; a leaf's is one more.
    pub level: u32,
    /// The gateway's process, which may prove that the programs run.
    pub gateway: u32,
    /// The gateway's mount namespace: its mounts are not the bound processes' to change.
    pub mounts: u32,
    /// Where the running kernel keeps what the programs read.
    pub offsets: Offsets,
}

/// Bytes from the start of a kernel structure to one of its fields.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// `cgroup.ancestors`, pointers to the cgroups from the root to this one.
    pub cgroup_ancestors: u32,
    /// `cgroup.level`.
    pub cgroup_level: u32,
    /// `cgroup.kn`.
    pub cgroup_node: u32,
    /// `kernfs_node.id`.
    pub node_id: u32,
    /// `kernfs_node.parent`.
    pub node_parent: u32,
    /// `task_struct.cgroups`.
    pub task_cgroups: u32,
    /// `css_set.dfl_cgrp`.
    pub set_cgroup: u32,
    /// `task_struct.tgid`.
    pub task_tgid: u32,
    /// `task_struct.nsproxy`.
    pub task_namespaces: u32,
    /// `nsproxy.mnt_ns`.
    pub namespaces_mounts: u32,
    /// `mnt_namespace.ns.inum`.
    pub mounts_number: u32,
    /// `socket.sk`.
    pub socket_sock: u32,
    /// `sock.sk_cgrp_data.cgroup`.
    pub sock_cgroup: u32,
    /// `unix_sock.addr`.
    pub unix_address: u32,
    /// `unix_address.len`.
    pub address_length: u32,
    /// `unix_address.name`.
    pub address_name: u32,
    /// `inode.i_sb`.
    pub inode_super: u32,
    /// `inode.i_private`.
    pub inode_private: u32,
    /// `super_block.s_magic`.
    pub super_magic: u32,
}

/// A program and the hook that it is attached to.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Writing to cgroups that are not one's own, and to pinned programs and maps.
    InodePermission = 0,
    /// bpf(2).
    Bpf,
    /// Looking into processes that are not of the binding, and tracing them.
    Ptrace,
    /// Signals to processes that are not of the binding.
    Kill,
    /// Connecting to Unix sockets of others.
    UnixConnect,
    /// Sending datagrams to Unix sockets of others.
    UnixSend,
    /// Being handed sockets of others.
    FileReceive,
    /// Making sockets of other families.
    SocketCreate,
    /// Loading modules and kernels from memory.
    LoadData,
    /// Loading modules and kernels from files.
    ReadFile,
    /// perf_event_open(2).
    PerfEvent,
    /// mount(2) in the gateway's mount namespace.
    Mount,
    /// move_mount(2) there.
    MoveMount,
    /// umount(2) there.
    Unmount,
}

/// All hooks, in order of their numbers.
pub const HOOKS: [Hook; 14] = [
    Hook::InodePermission,
    Hook::Bpf,
    Hook::Ptrace,
    Hook::Kill,
    Hook::UnixConnect,
    Hook::UnixSend,
    Hook::FileReceive,
    Hook::SocketCreate,
    Hook::LoadData,
    Hook::ReadFile,
    Hook::PerfEvent,
    Hook::Mount,
    Hook::MoveMount,
    Hook::Unmount,
];

impl Hook {
    /// The hook with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        HOOKS.get(number as usize).copied()
    }

    /// The kernel's name of the hook; the program is called `weir_` and this.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InodePermission => "inode_permission",
            Self::Bpf => "bpf",
            Self::Ptrace => "ptrace_access_check",
            Self::Kill => "task_kill",
            Self::UnixConnect => "unix_stream_connect",
            Self::UnixSend => "unix_may_send",
            Self::FileReceive => "file_receive",
            Self::SocketCreate => "socket_create",
            Self::LoadData => "kernel_load_data",
            Self::ReadFile => "kernel_read_file",
            Self::PerfEvent => "perf_event_open",
            Self::Mount => "sb_mount",
            Self::MoveMount => "move_mount",
            Self::Unmount => "sb_umount",
        }
    }
}

/// A call that a program refused.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LsmRefusal {
    /// The leaf's cgroup id; zero in the slice itself.
    pub leaf: u64,
    /// When, in nanoseconds of the monotonic clock.
    pub at_ns: u64,
    /// Process id in the initial namespace.
    pub pid: u32,
    /// User id.
    pub uid: u32,
    /// A [`Hook`].
    pub hook: u32,
    /// The other process, the command of bpf(2), the family of the socket; else zero.
    pub detail: u32,
}

/// Bytes of the ring of refusals.
pub const REFUSAL_BYTES: usize = 64 << 10;
/// Unix sockets of others that may be connected to.
pub const PEERS: usize = 256;
/// The longest name of a Unix socket.
pub const PEER_NAME: usize = 108;
/// A cgroup is looked for so many directories above a file.
pub const DEPTH: usize = 32;

/// A Unix socket's name as its owner bound it, filled up with zeroes; abstract names begin with one.
pub type PeerName = [u8; PEER_NAME];

/// The answer to a probe: no caller of bpf(2) is told this by the kernel.
pub const PROBED: i32 = 130; // EOWNERDEAD

/// The command of bpf(2) to which the program of this scope answers the gateway.
#[must_use]
pub const fn probe(slice: u64) -> u32 {
    0x4000_0000 | (slice as u32 & 0x3fff_ffff)
}

const UNIX: i32 = 1;
const INET: i32 = 2;
const INET6: i32 = 10;
const NETLINK: i32 = 16;
const NETLINK_ROUTE: i32 = 0;
const EAFNOSUPPORT: i32 = 97;
const EPROTONOSUPPORT: i32 = 93;

/// Whether a bound process may make a socket; else the error, which clients take for "not in this
/// kernel" and go on without.
#[inline(always)]
pub const fn may_create(family: i32, protocol: i32) -> Result<(), i32> {
    match family {
        UNIX | INET | INET6 => Ok(()),
        NETLINK if protocol == NETLINK_ROUTE => Ok(()),
        NETLINK => Err(EPROTONOSUPPORT),
        _ => Err(EAFNOSUPPORT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_four_families_are_made() {
        for (family, protocol, expected) in [
            (UNIX, 0, Ok(())),
            (INET, 6, Ok(())),
            (INET6, 17, Ok(())),
            (NETLINK, 0, Ok(())),
            (NETLINK, 4, Err(EPROTONOSUPPORT)),  // sock_diag
            (NETLINK, 12, Err(EPROTONOSUPPORT)), // netfilter
            (17, 0x300, Err(EAFNOSUPPORT)),      // packet
            (40, 0, Err(EAFNOSUPPORT)),          // vsock
            (38, 0, Err(EAFNOSUPPORT)),          // crypto
            (21, 0, Err(EAFNOSUPPORT)),          // RDS
            (43, 0, Err(EAFNOSUPPORT)),          // SMC
            (-1, 0, Err(EAFNOSUPPORT)),
        ] {
            assert_eq!(may_create(family, protocol), expected, "{family} {protocol}");
        }
    }

    #[test]
    fn hooks_have_their_own_numbers() {
        for (number, hook) in HOOKS.into_iter().enumerate() {
            assert_eq!(hook as usize, number);
            assert_eq!(Hook::from_number(number as u32), Some(hook));
        }
        assert_eq!(Hook::from_number(HOOKS.len() as u32), None);
    }

    #[test]
    fn a_probe_is_no_command_of_the_kernel_s() {
        assert!(probe(0) > 1_000 && probe(u64::MAX) <= i32::MAX as u32);
        assert_ne!(probe(1), probe(2));
    }
}
