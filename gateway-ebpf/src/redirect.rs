//! Decides whether a call may be sent to the listener, and writes down who made it.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::{bpf_sock, bpf_sock_addr};
use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_ktime_get_ns,
    bpf_setsockopt,
};
use aya_ebpf::programs::SockAddrContext;
use weir_abi::address::{LOOPBACK4, LOOPBACK6};
use weir_abi::packet::is_own;
use weir_abi::{ACTIVE, Address, Count, FlowMeta, Listener, Reason, TCP, UDP, UNSENT, address};

use crate::context::read;
use crate::deny;
use crate::local::{Peer, listening};
use crate::maps::{BIND, LISTEN, binding, meta_or_new};
use crate::resolver::slot;

const SOL_SOCKET: i32 = 1;
const SO_BINDTOIFINDEX: i32 = 62;

/// Where a socket is sent instead.
#[derive(Clone, Copy)]
pub struct Server {
    /// Whether it listens on 127.0.0.1, else on `::1`.
    pub v4: bool,
    pub port: u16,
}

/// Whether the binding may open anything at all.
#[inline(always)]
pub fn is_active() -> bool {
    // SAFETY: entries are words, and the copy is made at once.
    unsafe { BIND.get(binding()) }.is_some_and(|state| *state == ACTIVE)
}

#[inline(always)]
pub fn netns(context: *mut bpf_sock_addr) -> u64 {
    // SAFETY: the context is the hook's own.
    unsafe { bpf_get_netns_cookie(context.cast()) }
}

/// The listeners of a network namespace.
#[inline(always)]
pub fn listener(netns: u64) -> Option<Listener> {
    // SAFETY: as in `is_active`.
    unsafe { LISTEN.get(netns) }.copied()
}

/// All checks of a call that is to be redirected; on success the socket carries its `FlowMeta` and
/// only the address remains to be rewritten.
#[inline(always)]
pub fn redirect(
    context: *mut bpf_sock_addr,
    socket: *mut bpf_sock,
    protocol: u8,
    destination: &Address,
    port: u16,
) -> Result<Server, Reason> {
    if !is_active() {
        return Err(Reason::Revoked);
    }
    let netns = netns(context);
    let listener = listener(netns).ok_or(Reason::UnknownNetns)?;
    if is_own(&listener, protocol, destination, port) {
        return Err(Reason::ProxyItself);
    }
    free_from_device(context, socket)?;
    let server = choose(&listener, protocol, destination, socket)?;
    // The gateway may have died and somebody else may have taken its port.
    let at = if server.v4 { address::v4(LOOPBACK4) } else { LOOPBACK6 };
    if listening(context, protocol, &at, server.port) != Peer::Gateway {
        return Err(Reason::ListenerGone);
    }
    let meta = meta_or_new(socket, core::ptr::null());
    if meta.is_null() {
        return Err(Reason::NoStorage);
    }
    leave_unsent(meta);
    // SAFETY: the storage is not null and as large as a `FlowMeta`.
    unsafe { fill(meta, context, netns, protocol, destination, port, server.port) };
    Ok(server)
}

/// Counts a connect that was redirected and found no port or route: its socket goes elsewhere or is
/// closed, and never sent a SYN. Callers pass a live value.
#[inline(always)]
pub fn leave_unsent(meta: *mut FlowMeta) {
    // SAFETY: promised by the callers.
    if unsafe { (*meta).protocol == TCP && (*meta).sent == UNSENT } {
        deny::count(Count::NeverSent);
    }
}

#[inline(always)]
fn choose(
    listener: &Listener,
    protocol: u8,
    destination: &Address,
    socket: *mut bpf_sock,
) -> Result<Server, Reason> {
    let v4 = address::is_mapped(destination);
    if protocol == UDP {
        return Ok(Server { v4, port: slot(socket, listener, destination)? });
    }
    if !v4 && listener.tcp6 != 0 {
        return Ok(Server { v4: false, port: listener.tcp6 });
    }
    // Without IPv6 in the namespace, an IPv6 socket reaches the IPv4 listener by a mapped address.
    // The kernel does not support that rewrite for datagrams.
    if listener.tcp4 == 0 {
        return Err(Reason::ListenerGone);
    }
    Ok(Server { v4: true, port: listener.tcp4 })
}

#[inline(always)]
pub fn socket(context: *mut bpf_sock_addr) -> *mut bpf_sock {
    read!(context.__bindgen_anon_1.sk)
}

/// A socket that is tied to another device would never reach loopback.
#[inline(always)]
fn free_from_device(context: *mut bpf_sock_addr, socket: *mut bpf_sock) -> Result<(), Reason> {
    if read!(socket.bound_dev_if) <= 1 {
        return Ok(());
    }
    let mut none: i32 = 0;
    // SAFETY: the value is an int on the stack.
    let freed = unsafe {
        let value = (&raw mut none).cast();
        bpf_setsockopt(context.cast(), SOL_SOCKET, SO_BINDTOIFINDEX, value, 4)
    };
    if freed == 0 { Ok(()) } else { Err(Reason::BoundDevice) }
}

/// Overwrites all fields: the socket may have been connected before.
#[inline(always)]
unsafe fn fill(
    meta: *mut FlowMeta,
    context: *mut bpf_sock_addr,
    netns: u64,
    protocol: u8,
    destination: &Address,
    port: u16,
    proxy_port: u16,
) {
    let caller = SockAddrContext::new(context);
    // SAFETY: promised by the caller; the helpers take the hook's own context.
    unsafe {
        (*meta).binding = binding();
        (*meta).cookie = bpf_get_socket_cookie(context.cast());
        (*meta).netns = netns;
        (*meta).cgroup = bpf_get_current_cgroup_id();
        (*meta).at_ns = bpf_ktime_get_ns();
        (*meta).pid = caller.tgid();
        (*meta).tid = caller.pid();
        (*meta).uid = caller.uid();
        (*meta).gid = caller.gid();
        (*meta).address = *destination;
        (*meta).port = port;
        (*meta).proxy_port = proxy_port;
        (*meta).protocol = protocol;
        (*meta).sent = UNSENT;
        (*meta).comm = caller.command().unwrap_or([0; 16]);
    }
}
