//! Unix sockets: only those of the own binding, and those that the configuration names.

use aya_ebpf::btf_maps::HashMap;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use aya_ebpf::macros::btf_map;
use weir_abi::lsm::{Hook, PEER_NAME, PEERS, PeerName};

use crate::refuse::refuse;
use crate::scope::{Bound, Kernel, bound, follow, read};

/// The names that others may listen on for bound processes.
#[btf_map]
pub static ALLOWED: HashMap<PeerName, u32, PEERS> = HashMap::new();

/// `sun_family`, which comes before the name.
const FAMILY: u32 = 2;

/// `other` is the socket that listens.
#[inline(always)]
pub fn connect(other: Kernel) -> i32 {
    let Some(bound) = bound() else { return 0 };
    reach(&bound, other, Hook::UnixConnect)
}

/// `other` is the socket, as `struct socket`, that would get the datagram.
#[inline(always)]
pub fn send(other: Kernel) -> i32 {
    let Some(bound) = bound() else { return 0 };
    match follow(other, bound.scope.offsets.socket_sock) {
        Some(sock) => reach(&bound, sock, Hook::UnixSend),
        None => refuse(&bound, Hook::UnixSend, 0),
    }
}

#[inline(always)]
fn reach(bound: &Bound, sock: Kernel, hook: Hook) -> i32 {
    if bound.owns_sock(sock) || is_allowed(bound, sock) {
        return 0;
    }
    refuse(bound, hook, 0)
}

#[inline(always)]
fn is_allowed(bound: &Bound, sock: Kernel) -> bool {
    let offsets = &bound.scope.offsets;
    let Some(address) = follow(sock, offsets.unix_address) else {
        return false;
    };
    let Some(length) = read::<u32>(address, offsets.address_length) else {
        return false;
    };
    // The kernel's lengths fit into the mask, by which the verifier knows them to be positive. A name
    // without a byte is on no list.
    let length = length.wrapping_sub(FAMILY) & 0x7f;
    if length > PEER_NAME as u32 {
        return false;
    }
    let mut name: PeerName = [0; PEER_NAME];
    let from = address.wrapping_add((offsets.address_name + FAMILY) as usize);
    // SAFETY: the length is at most that of `name`; the helper checks the address.
    if unsafe { bpf_probe_read_kernel(name.as_mut_ptr().cast(), length, from.cast()) } != 0 {
        return false;
    }
    ALLOWED.get_ptr(name).is_some()
}
