//! Files: the cgroup tree and pinned programs, and sockets that are handed over.

use aya_ebpf::bindings::file;
use aya_ebpf::helpers::generated::bpf_sock_from_file;
use weir_abi::lsm::{DEPTH, Hook};

use crate::refuse::refuse;
use crate::scope::{Bound, Kernel, bound, follow, read};

const MAY_WRITE: i32 = 2;
const CGROUP2: u64 = 0x6367_7270;
const BPFFS: u64 = 0xcafe_4a11;

/// Writing in the cgroup tree outside of the own leaf, and anywhere in a bpffs.
///
/// The kernel asks this of whoever moves a process, for the cgroup that it goes to and for the one
/// above both; so neither a file that somebody else opened nor clone3 into a cgroup gets around it.
#[inline(always)]
pub fn permission(inode: Kernel, mask: i32) -> i32 {
    if mask & MAY_WRITE == 0 {
        return 0;
    }
    let Some(bound) = bound() else { return 0 };
    let offsets = &bound.scope.offsets;
    let magic = follow(inode, offsets.inode_super)
        .and_then(|super_block| read::<u64>(super_block, offsets.super_magic));
    match magic {
        Some(CGROUP2) if owns_file(&bound, inode) => 0,
        Some(magic @ (CGROUP2 | BPFFS)) => refuse(&bound, Hook::InodePermission, magic as u32),
        Some(_) => 0,
        None => refuse(&bound, Hook::InodePermission, 0),
    }
}

/// Whether a file of the cgroup tree lies in the caller's leaf.
#[inline(always)]
fn owns_file(bound: &Bound, inode: Kernel) -> bool {
    let offsets = &bound.scope.offsets;
    let Some(mut node) = follow(inode, offsets.inode_private) else {
        return false;
    };
    if bound.leaf == 0 {
        return false;
    }
    for _ in 0..DEPTH {
        if read(node, offsets.node_id) == Some(bound.leaf) {
            return true;
        }
        let Some(parent) = follow(node, offsets.node_parent) else {
            return false;
        };
        node = parent;
    }
    false
}

/// A descriptor that comes from another process. A socket belongs to the cgroup in which it was made,
/// so one from elsewhere would be a way out.
#[inline(always)]
pub fn receive(received: *mut file) -> i32 {
    let Some(bound) = bound() else { return 0 };
    // SAFETY: the kernel passes a valid file, which the verifier knows.
    let socket = unsafe { bpf_sock_from_file(received) };
    if socket.is_null() {
        return 0;
    }
    let sock = follow(socket.cast_const().cast(), bound.scope.offsets.socket_sock);
    if sock.is_some_and(|sock| bound.owns_sock(sock)) {
        return 0;
    }
    refuse(&bound, Hook::FileReceive, 0)
}
