//! getpeername and recvmsg: the client sees the peer that it asked for.

use aya_ebpf::bindings::bpf_sock_addr;
use weir_abi::{Address, DNS_PORT, TCP, UDP, address};

use crate::context::{read, words, write};
use crate::maps::{meta, resolvers};
use crate::redirect::socket;
use crate::resolver::behind;

#[inline(always)]
pub fn restore4(context: *mut bpf_sock_addr) -> i32 {
    let peer = address::v4(read!(context.user_ip4));
    if let Some((original, port)) = original(context, &peer)
        && address::is_mapped(&original)
    {
        write!(context.user_ip4, original[3]);
        write!(context.user_port, u32::from(port.to_be()));
    }
    1
}

#[inline(always)]
pub fn restore6(context: *mut bpf_sock_addr) -> i32 {
    let peer = words!(context.user_ip6);
    if let Some((original, port)) = original(context, &peer) {
        write!(context.user_ip6[0], original[0]);
        write!(context.user_ip6[1], original[1]);
        write!(context.user_ip6[2], original[2]);
        write!(context.user_ip6[3], original[3]);
        write!(context.user_port, u32::from(port.to_be()));
    }
    1
}

/// What a listener of Weir's stands for on this socket; `None` where the peer is none.
#[inline(always)]
fn original(context: *mut bpf_sock_addr, peer: &Address) -> Option<(Address, u16)> {
    if !address::is_listener(peer) {
        return None;
    }
    let port = u16::from_be(read!(context.user_port) as u16);
    let socket = socket(context);
    if read!(context.protocol) == u32::from(UDP) {
        let resolvers = resolvers(socket);
        if resolvers.is_null() {
            return None;
        }
        return Some((behind(resolvers, peer, port)?, DNS_PORT));
    }
    let meta = meta(socket);
    // SAFETY: read after the check for null.
    if meta.is_null() || unsafe { (*meta).protocol != TCP || (*meta).proxy_port != port } {
        return None;
    }
    // SAFETY: as above.
    Some(unsafe { ((*meta).address, (*meta).port) })
}
