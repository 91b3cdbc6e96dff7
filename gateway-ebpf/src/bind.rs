//! bind: nobody outside is invited, and Weir's own ports are not shared.
//!
//! Clients may bind what they like. A stream that is bound to another address than loopback with a
//! port of its own is a server for others, which is refused. One on "any" may be there, as half of
//! all development servers are, but only its own binding reaches it: see `ingress`.

use aya_ebpf::bindings::bpf_sock_addr;
use weir_abi::packet::is_own;
use weir_abi::{Address, Reason, TCP, address};

use crate::connect::{port, refuse};
use crate::context::{read, words};
use crate::redirect::{is_active, listener, netns};

#[inline(always)]
pub fn bind4(context: *mut bpf_sock_addr) -> i32 {
    let local = address::v4(read!(context.user_ip4));
    finish(context, &local)
}

#[inline(always)]
pub fn bind6(context: *mut bpf_sock_addr) -> i32 {
    let local = words!(context.user_ip6);
    finish(context, &local)
}

#[inline(always)]
fn finish(context: *mut bpf_sock_addr, local: &Address) -> i32 {
    match judge(context, local) {
        Ok(()) => 1,
        Err(reason) => {
            refuse(context, local, reason);
            0
        }
    }
}

#[inline(always)]
fn judge(context: *mut bpf_sock_addr, local: &Address) -> Result<(), Reason> {
    if !is_active() {
        return Err(Reason::Revoked);
    }
    let port = port(context);
    if port == 0 {
        return Ok(());
    }
    let protocol = read!(context.protocol) as u8; // no other than TCP and UDP exist here
    // A process of the gateway's own user could join its listeners with SO_REUSEPORT.
    if let Some(listener) = listener(netns(context))
        && is_own(&listener, protocol, local, port)
    {
        return Err(Reason::BindProxy);
    }
    let stays = address::is_loopback(local) || address::is_any(local);
    if protocol == TCP && !stays {
        return Err(Reason::BindOutside);
    }
    Ok(())
}
