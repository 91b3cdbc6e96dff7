//! getpeername and recvmsg: the client sees the peer that it asked for.

use aya_ebpf::bindings::bpf_sock_addr;
use weir_abi::address;

use crate::context::{read, words, write};
use crate::maps::meta;
use crate::redirect::socket;

#[inline(always)]
pub fn restore4(context: *mut bpf_sock_addr) -> i32 {
    let meta = meta(socket(context));
    if meta.is_null() {
        return 1;
    }
    // SAFETY: the storage is not null.
    let (port, proxy_port, original) =
        unsafe { ((*meta).port, (*meta).proxy_port, (*meta).address) };
    let peer = address::v4(read!(context.user_ip4));
    let from_proxy = read!(context.user_port) as u16 == proxy_port.to_be();
    if from_proxy && address::is_listener(&peer) && address::is_mapped(&original) {
        write!(context.user_ip4, original[3]);
        write!(context.user_port, u32::from(port.to_be()));
    }
    1
}

#[inline(always)]
pub fn restore6(context: *mut bpf_sock_addr) -> i32 {
    let meta = meta(socket(context));
    if meta.is_null() {
        return 1;
    }
    // SAFETY: the storage is not null.
    let (port, proxy_port, original) =
        unsafe { ((*meta).port, (*meta).proxy_port, (*meta).address) };
    let peer = words!(context.user_ip6);
    let from_proxy = read!(context.user_port) as u16 == proxy_port.to_be();
    if from_proxy && address::is_listener(&peer) {
        write!(context.user_ip6[0], original[0]);
        write!(context.user_ip6[1], original[1]);
        write!(context.user_ip6[2], original[2]);
        write!(context.user_ip6[3], original[3]);
        write!(context.user_port, u32::from(port.to_be()));
    }
    1
}
