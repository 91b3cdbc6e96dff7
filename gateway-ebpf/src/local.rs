//! Finds the other end of what stays on this host, and says whose it is.
//!
//! The kernel itself is asked, with the addresses of the very packet, so the answer is the socket
//! that the packet will reach: listeners on "any" and mapped addresses included. Of a reuseport group it
//! is one of several, and a program of the group's may choose another one.

use core::mem::size_of;

use aya_ebpf::bindings::{__sk_buff, bpf_sock, bpf_sock_addr, bpf_sock_tuple};
use aya_ebpf::cty::c_void;
use aya_ebpf::helpers::generated::{bpf_sk_lookup_tcp, bpf_sk_lookup_udp, bpf_sk_release};
use weir_abi::{Address, Packet, TCP, address};

use crate::context::{read, words};
use crate::maps::{is_ours, owned_by_us};

const CURRENT_NETNS: u64 = -1_i32 as u64;

/// A socket on this host, as seen from one of the binding's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// It belongs to the same binding.
    Same,
    /// It is one of the gateway's listeners.
    Gateway,
    /// It is somebody else's.
    Other,
    /// There is none that could receive anything.
    None,
}

/// Whom a packet reaches.
#[inline(always)]
pub fn receiver(context: *mut __sk_buff, packet: &Packet) -> Peer {
    let from = (&packet.source, packet.source_port);
    find(context.cast(), packet.protocol, from, (&packet.destination, packet.destination_port))
}

/// Whom a packet would reach if it came from elsewhere.
#[inline(always)]
pub fn reached(context: *mut __sk_buff, packet: &Packet, from: (&Address, u16)) -> Peer {
    find(context.cast(), packet.protocol, from, (&packet.destination, packet.destination_port))
}

/// Who sent a packet.
#[inline(always)]
pub fn sender(context: *mut __sk_buff, packet: &Packet) -> Peer {
    let from = (&packet.destination, packet.destination_port);
    find(context.cast(), packet.protocol, from, (&packet.source, packet.source_port))
}

/// Who listens at an address in the caller's network namespace.
#[inline(always)]
pub fn listening(context: *mut bpf_sock_addr, protocol: u8, at: &Address, port: u16) -> Peer {
    find(context.cast(), protocol, (&[0; 4], 0), (at, port))
}

/// Whether the socket may be the end of a connection on loopback: it is bound to loopback, or to
/// nothing yet.
#[inline(always)]
pub fn is_on_loopback(socket: *mut bpf_sock) -> bool {
    let (four, six) = (read!(socket.src_ip4), words!(socket.src_ip6));
    // A socket that is bound to an IPv6 address has 127.0.0.6 as its IPv4 address.
    if address::is_any(&six) {
        return four == 0 || address::is_loopback(&address::v4(four));
    }
    address::is_loopback(&six)
}

type End<'a> = (&'a Address, u16);

#[inline(always)]
fn find(context: *mut c_void, protocol: u8, from: End<'_>, to: End<'_>) -> Peer {
    let ports = ports(from.1, to.1);
    let [a, b, c, d] = *from.0;
    let [e, f, g, h] = *to.0;
    // One place for both forms: the verifier of 6.1 does not see which size goes with which place.
    let (mut words, size) = if address::is_mapped(to.0) {
        ([d, h, ports, 0, 0, 0, 0, 0, 0], size_of::<[u32; 3]>() as u32)
    } else {
        ([a, b, c, d, e, f, g, h, ports], size_of::<[u32; 9]>() as u32)
    };
    let tuple = words.as_mut_ptr().cast::<bpf_sock_tuple>();
    // SAFETY: the tuple lives on the stack and its size says which of the two it is.
    let found = unsafe {
        if protocol == TCP {
            bpf_sk_lookup_tcp(context, tuple, size, CURRENT_NETNS, 0)
        } else {
            bpf_sk_lookup_udp(context, tuple, size, CURRENT_NETNS, 0)
        }
    };
    if found.is_null() {
        return Peer::None;
    }
    let peer = whose(found);
    // SAFETY: the socket was found above and is given back once.
    unsafe { bpf_sk_release(found.cast()) };
    peer
}

#[inline(always)]
fn whose(socket: *mut bpf_sock) -> Peer {
    if owned_by_us(socket) {
        Peer::Same
    } else if is_ours(socket) {
        Peer::Gateway
    } else {
        Peer::Other
    }
}

/// Both ports in network byte order, as they stand in a tuple.
#[inline(always)]
fn ports(from: u16, to: u16) -> u32 {
    let ([a, b], [c, d]) = (from.to_be_bytes(), to.to_be_bytes());
    u32::from_ne_bytes([a, b, c, d])
}
