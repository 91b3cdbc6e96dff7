//! Hands a flow's `FlowMeta` from the client's socket to the accepted one.
//!
//! The client's side publishes it when the four-tuple is known and no SYN was sent; the listener's
//! side takes it before `accept` can return the child. The gateway reads it from its own socket.

use aya_ebpf::bindings::{bpf_sock, bpf_sock_ops};
use aya_ebpf::helpers::generated::{bpf_get_netns_cookie, bpf_sock_ops_cb_flags_set};
use weir_abi::socket::INET6;
use weir_abi::{Address, Closed, Count, ENDED, FlowKey, FlowMeta, PUBLISHED, TCP, UNPUBLISHED};
use weir_abi::{address, close};

use crate::context::{read, words, write};
use crate::deny;
use crate::maps::{CLOSES, FLOWS, binding, meta, meta_or_new, update};

const TCP_CONNECT: u32 = 3;
const PASSIVE_ESTABLISHED: u32 = 5;
const STATE: u32 = 10;
const STATE_FLAG: i32 = 1 << 2;
const TCP_CLOSE: u32 = 7;
/// "No opinion" where the hook asks for a value.
const NO_REPLY: u32 = u32::MAX;

#[inline(always)]
pub fn publish(context: *mut bpf_sock_ops) -> u32 {
    match read!(context.op) {
        TCP_CONNECT => connecting(context),
        STATE if read!(context.__bindgen_anon_1.args[1]) == TCP_CLOSE => closed(context),
        STATE => {}
        _ => write!(context.__bindgen_anon_1.reply, NO_REPLY),
    }
    1
}

#[inline(always)]
pub fn accept(context: *mut bpf_sock_ops) -> u32 {
    if read!(context.op) != PASSIVE_ESTABLISHED {
        write!(context.__bindgen_anon_1.reply, NO_REPLY);
        return 1;
    }
    let socket = socket(context);
    if socket.is_null() {
        return 1;
    }
    let (local, remote) = ends(context);
    let key = key(context, remote, local);
    let Some(flow) = FLOWS.get_ptr(key) else {
        return 1;
    };
    // SAFETY: a live value of the map.
    let flow = unsafe { *flow };
    if FLOWS.remove(key).is_err() {
        return 1; // the client has closed it meanwhile, and counted it: nobody's for the gateway
    }
    let kept = !meta_or_new(socket, &flow).is_null();
    let counted = if kept { Count::Handshakes } else { Count::HandoverFailed };
    deny::count_for(flow.binding, counted, 1);
    1
}

#[inline(always)]
fn connecting(context: *mut bpf_sock_ops) {
    let meta = redirected(context);
    if meta.is_null() {
        return;
    }
    let (local, remote) = ends(context);
    // SAFETY: the context is the hook's own.
    unsafe { bpf_sock_ops_cb_flags_set(context, STATE_FLAG) };
    let (sent, counted) = if update(&FLOWS, &key(context, local, remote), meta) {
        (PUBLISHED, Count::Published)
    } else {
        (UNPUBLISHED, Count::PublishFailed)
    };
    // SAFETY: the storage is not null.
    unsafe { (*meta).sent = sent };
    deny::count(counted);
}

#[inline(always)]
fn closed(context: *mut bpf_sock_ops) {
    let meta = redirected(context);
    if meta.is_null() {
        return;
    }
    // Closed already, or used for something else since: what is told here is of no connection.
    // SAFETY: the storage is not null.
    let sent = unsafe { (*meta).sent };
    if sent != PUBLISHED && sent != UNPUBLISHED {
        return;
    }
    deny::count(Count::Closed);
    deny::count_by(Count::BytesAcked, read!(context.bytes_acked));
    deny::count_by(Count::BytesReceived, read!(context.bytes_received));
    let (local, remote) = ends(context);
    let key = key(context, local, remote);
    // SAFETY: both point to live values; only the cookies are read.
    let mine = FLOWS.get_ptr(key).is_some_and(|flow| unsafe { (*flow).cookie == (*meta).cookie });
    // Of the two sides the one that removes it counts it.
    let aborted = mine && FLOWS.remove(key).is_ok();
    if aborted {
        deny::count(Count::Aborted);
    }
    let taken = match sent {
        UNPUBLISHED => close::UNPUBLISHED,
        _ if aborted => close::ABORTED,
        _ => close::TAKEN,
    };
    tell(context, meta, taken);
    // SAFETY: as above.
    unsafe { (*meta).sent = ENDED };
}

/// Tells userspace what the socket sent and received.
#[inline(always)]
fn tell(context: *mut bpf_sock_ops, meta: *mut FlowMeta, taken: u8) {
    let Some(mut entry) = CLOSES.reserve(0) else {
        return deny::count(Count::ClosesLost);
    };
    // SAFETY: the storage is not null.
    let (cookie, connected_ns) = unsafe { ((*meta).cookie, (*meta).at_ns) };
    entry.write(Closed {
        binding: binding(),
        cookie,
        connected_ns,
        acked: read!(context.bytes_acked),
        received: read!(context.bytes_received),
        in_flight: read!(context.snd_nxt).wrapping_sub(read!(context.snd_una)),
        state: read!(context.__bindgen_anon_1.args[0]) as u8,
        taken,
        reserved: [0; 2],
    });
    entry.submit(0);
}

/// The `FlowMeta` of a socket that connect has redirected, else null.
#[inline(always)]
fn redirected(context: *mut bpf_sock_ops) -> *mut FlowMeta {
    let socket = socket(context);
    if socket.is_null() {
        return core::ptr::null_mut();
    }
    let meta = meta(socket);
    // SAFETY: read after the check for null.
    if meta.is_null() || unsafe { (*meta).protocol } != TCP {
        return core::ptr::null_mut();
    }
    meta
}

#[inline(always)]
fn socket(context: *mut bpf_sock_ops) -> *mut bpf_sock {
    read!(context.__bindgen_anon_2.sk)
}

type End = (Address, u16);

/// The local and the remote end. Both families are read always: the compiler would merge reads in
/// two branches into one at a computed offset, which the verifier refuses.
#[inline(always)]
fn ends(context: *mut bpf_sock_ops) -> (End, End) {
    let (local6, remote6) = (words!(context.local_ip6), words!(context.remote_ip6));
    let (local4, remote4) = (read!(context.local_ip4), read!(context.remote_ip4));
    let (local, remote) = if read!(context.family) == INET6 {
        (local6, remote6)
    } else {
        (address::v4(local4), address::v4(remote4))
    };
    let local_port = read!(context.local_port) as u16;
    let remote_port = u32::from_be(read!(context.remote_port)) as u16;
    ((local, local_port), (remote, remote_port))
}

#[inline(always)]
fn key(context: *mut bpf_sock_ops, client: End, server: End) -> FlowKey {
    FlowKey {
        // SAFETY: the context is the hook's own.
        netns: unsafe { bpf_get_netns_cookie(context.cast()) },
        client: client.0,
        server: server.0,
        client_port: client.1,
        server_port: server.1,
        reserved: 0,
    }
}
