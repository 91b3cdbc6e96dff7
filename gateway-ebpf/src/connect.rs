//! connect and sendmsg: TCP goes to the listener, DNS to the DNS listeners, other datagrams nowhere.
//! What the binding's own sockets on loopback are sent is left alone.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::{bpf_sock, bpf_sock_addr};
use aya_ebpf::programs::SockAddrContext;
use weir_abi::address::{LOOPBACK4, LOOPBACK6};
use weir_abi::packet::is_own;
use weir_abi::{Address, Count, DNS_PORT, Reason, TCP, UDP, address};

use crate::context::{read, words, write};
use crate::deny::{self, Refused};
use crate::local::{self, Peer};
use crate::maps::meta;
use crate::redirect::{self, Server, is_active, listener, netns, redirect};

#[inline(always)]
pub fn connect4(context: *mut bpf_sock_addr) -> i32 {
    let destination = address::v4(read!(context.user_ip4));
    let verdict = connect(context, &destination);
    finish(context, &destination, verdict, rewrite4)
}

#[inline(always)]
pub fn connect6(context: *mut bpf_sock_addr) -> i32 {
    let destination = words!(context.user_ip6);
    let verdict = connect(context, &destination);
    finish(context, &destination, verdict, rewrite6)
}

/// Also called for IPv6 sockets that send to a mapped address.
#[inline(always)]
pub fn sendmsg4(context: *mut bpf_sock_addr) -> i32 {
    let destination = address::v4(read!(context.user_ip4));
    let verdict = send(context, &destination);
    finish(context, &destination, verdict, rewrite4)
}

#[inline(always)]
pub fn sendmsg6(context: *mut bpf_sock_addr) -> i32 {
    let destination = words!(context.user_ip6);
    let verdict = send(context, &destination);
    finish(context, &destination, verdict, rewrite6)
}

/// `Ok(None)` lets the call through as it is.
type Verdict = Result<Option<Server>, Reason>;

#[inline(always)]
fn connect(context: *mut bpf_sock_addr, destination: &Address) -> Verdict {
    let port = port(context);
    let protocol = read!(context.protocol);
    if protocol == u32::from(TCP) {
        deny::count(Count::TcpSeen);
        let verdict = stream(context, destination, port);
        deny::count(match verdict {
            Ok(Some(_)) => Count::TcpRedirected,
            Ok(None) => Count::TcpDirect,
            Err(_) => Count::TcpDenied,
        });
        return verdict;
    }
    if protocol != u32::from(UDP) {
        return Err(Reason::Protocol);
    }
    if port == DNS_PORT {
        return dns(context, destination);
    }
    // Resolvers connect datagram sockets to order addresses and never send. What is sent after all
    // is dropped as it leaves.
    if !is_active() {
        return Err(Reason::Revoked);
    }
    if let Some(listener) = listener(netns(context))
        && is_own(&listener, UDP, destination, port)
    {
        return Err(Reason::ProxyItself);
    }
    deny::count(Count::UdpConnected);
    Ok(None)
}

#[inline(always)]
fn stream(context: *mut bpf_sock_addr, destination: &Address, port: u16) -> Verdict {
    // Read once: the compiler would compute its address for two reads, which the verifier refuses.
    let socket = redirect::socket(context);
    if stays_inside(context, socket, destination, port)? {
        return Ok(None);
    }
    redirect(context, socket, TCP, destination, port).map(Some)
}

#[inline(always)]
fn send(context: *mut bpf_sock_addr, destination: &Address) -> Verdict {
    if read!(context.protocol) != u32::from(UDP) {
        return Err(Reason::Protocol);
    }
    let port = port(context);
    if port == DNS_PORT {
        return dns(context, destination);
    }
    if !is_active() {
        return Err(Reason::Revoked);
    }
    // The packet itself says whether it goes to a socket of the same binding.
    if address::reaches_listener(destination) { Ok(None) } else { Err(Reason::Datagram) }
}

/// A connect to a listener of the same binding on loopback, an agent's own server, is left as it
/// is. What it sends is judged all the same, packet by packet.
#[inline(always)]
fn stays_inside(
    context: *mut bpf_sock_addr,
    socket: *mut bpf_sock,
    destination: &Address,
    port: u16,
) -> Result<bool, Reason> {
    let reached = address::reached(destination);
    if !address::is_loopback(&reached)
        || !local::is_on_loopback(socket)
        || local::listening(context, TCP, &reached, port) != Peer::Same
    {
        return Ok(false);
    }
    if !is_active() {
        return Err(Reason::Revoked);
    }
    // The socket may have been redirected before.
    let meta = meta(socket);
    if !meta.is_null() {
        redirect::leave_unsent(meta);
        // SAFETY: the storage is not null.
        unsafe { (*meta).protocol = 0 };
    }
    Ok(true)
}

#[inline(always)]
fn dns(context: *mut bpf_sock_addr, destination: &Address) -> Verdict {
    let server = redirect(context, redirect::socket(context), UDP, destination, DNS_PORT)?;
    deny::count(Count::DnsRedirected);
    Ok(Some(server))
}

/// The address is rewritten last, when everything else has succeeded.
#[inline(always)]
fn finish(
    context: *mut bpf_sock_addr,
    destination: &Address,
    verdict: Verdict,
    rewrite: impl FnOnce(*mut bpf_sock_addr, Server),
) -> i32 {
    match verdict {
        Ok(Some(server)) => rewrite(context, server),
        Ok(None) => {}
        Err(reason) => {
            refuse(context, destination, reason);
            return 0;
        }
    }
    1
}

#[inline(always)]
fn rewrite4(context: *mut bpf_sock_addr, server: Server) {
    write!(context.user_ip4, LOOPBACK4);
    write!(context.user_port, u32::from(server.port.to_be()));
}

#[inline(always)]
fn rewrite6(context: *mut bpf_sock_addr, server: Server) {
    let [a, b, c, d] = if server.v4 { address::v4(LOOPBACK4) } else { LOOPBACK6 };
    write!(context.user_ip6[0], a);
    write!(context.user_ip6[1], b);
    write!(context.user_ip6[2], c);
    write!(context.user_ip6[3], d);
    write!(context.user_port, u32::from(server.port.to_be()));
}

#[inline(always)]
pub fn refuse(context: *mut bpf_sock_addr, destination: &Address, reason: Reason) {
    let caller = SockAddrContext::new(context);
    let refused = Refused {
        netns: redirect::netns(context),
        address: *destination,
        port: port(context),
        protocol: read!(context.protocol) as u16,
        pid: caller.tgid(),
        uid: caller.uid(),
    };
    deny::report(reason, &refused);
    deny::errno(reason);
}

#[inline(always)]
pub fn port(context: *mut bpf_sock_addr) -> u16 {
    u16::from_be(read!(context.user_port) as u16)
}
