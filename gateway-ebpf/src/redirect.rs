//! Decides whether a call may be sent to the listener, and writes down who made it.

use core::mem::size_of;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::{bpf_sock, bpf_sock_addr, bpf_sock_tuple};
use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_ktime_get_ns,
    bpf_setsockopt, bpf_sk_lookup_tcp, bpf_sk_lookup_udp, bpf_sk_release,
};
use aya_ebpf::programs::SockAddrContext;
use weir_abi::address::{LOOPBACK4, LOOPBACK6};
use weir_abi::{ACTIVE, Address, Count, FlowMeta, Listener, Reason, TCP, UDP, UNSENT, address};

use crate::context::read;
use crate::deny;
use crate::maps::{BIND, LISTEN, binding, is_ours, meta_or_new};

const SOL_SOCKET: i32 = 1;
const SO_BINDTOIFINDEX: i32 = 62;
const CURRENT_NETNS: u64 = -1_i32 as u64;

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
    protocol: u8,
    destination: &Address,
    port: u16,
) -> Result<Server, Reason> {
    if !is_active() {
        return Err(Reason::Revoked);
    }
    let netns = netns(context);
    let listener = listener(netns).ok_or(Reason::UnknownNetns)?;
    if is_proxy(&listener, destination, port) {
        return Err(Reason::ProxyItself);
    }
    let server = choose(&listener, protocol, destination).ok_or(Reason::ListenerGone)?;
    if !is_alive(context, protocol, server) {
        return Err(Reason::ListenerGone);
    }
    let socket = socket(context);
    free_from_device(context, socket)?;
    let meta = meta_or_new(socket, core::ptr::null());
    if meta.is_null() {
        return Err(Reason::NoStorage);
    }
    // SAFETY: the storage is not null.
    if unsafe { (*meta).protocol == TCP && (*meta).sent == UNSENT } {
        deny::count(Count::NeverSent); // an earlier connect of this socket
    }
    // SAFETY: the storage is not null and as large as a `FlowMeta`.
    unsafe { fill(meta, context, netns, protocol, destination, port, server.port) };
    Ok(server)
}

/// Whether a destination is one of Weir's own listeners.
#[inline(always)]
pub fn is_proxy(listener: &Listener, destination: &Address, port: u16) -> bool {
    let own = port == listener.tcp4
        || port == listener.tcp6
        || port == listener.dns4
        || port == listener.dns6;
    own && port != 0 && address::reaches_listener(destination)
}

#[inline(always)]
fn choose(listener: &Listener, protocol: u8, destination: &Address) -> Option<Server> {
    let (port4, port6) = match protocol {
        TCP => (listener.tcp4, listener.tcp6),
        UDP => (listener.dns4, listener.dns6),
        _ => return None,
    };
    if address::is_mapped(destination) {
        return (port4 != 0).then_some(Server { v4: true, port: port4 });
    }
    if port6 != 0 {
        return Some(Server { v4: false, port: port6 });
    }
    // An IPv6 socket reaches the IPv4 listener by a mapped address, but the kernel does not support
    // that rewrite for datagrams.
    (protocol == TCP && port4 != 0).then_some(Server { v4: true, port: port4 })
}

/// The gateway may have died and somebody else may have taken its port.
#[inline(always)]
fn is_alive(context: *mut bpf_sock_addr, protocol: u8, server: Server) -> bool {
    let port = server.port.to_be();
    let mut four = [0, LOOPBACK4, ports(port)];
    let [a, b, c, d] = LOOPBACK6;
    let mut six = [0, 0, 0, 0, a, b, c, d, ports(port)];
    let (tuple, size) = if server.v4 {
        (four.as_mut_ptr().cast::<bpf_sock_tuple>(), size_of::<[u32; 3]>() as u32)
    } else {
        (six.as_mut_ptr().cast::<bpf_sock_tuple>(), size_of::<[u32; 9]>() as u32)
    };
    // SAFETY: the tuple lives on the stack and its size says which of the two it is; a socket that
    // was found is released.
    unsafe {
        let found = if protocol == TCP {
            bpf_sk_lookup_tcp(context.cast(), tuple, size, CURRENT_NETNS, 0)
        } else {
            bpf_sk_lookup_udp(context.cast(), tuple, size, CURRENT_NETNS, 0)
        };
        if found.is_null() {
            return false;
        }
        let ours = is_ours(found);
        bpf_sk_release(found.cast());
        ours
    }
}

/// Source port (zero) and destination port, in network byte order, as they stand in a tuple.
#[inline(always)]
fn ports(destination: u16) -> u32 {
    let [a, b] = destination.to_ne_bytes();
    u32::from_ne_bytes([0, 0, a, b])
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
