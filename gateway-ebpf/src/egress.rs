//! The last gate: each packet is judged by its own bytes as it leaves its socket.
//!
//! Only packets to Weir's listeners over loopback pass, and those to sockets of the same binding,
//! which are looked up for each packet: whom the connect hook found may be gone by now.

use aya_ebpf::bindings::{__sk_buff, BPF_NOEXIST, bpf_sock};
use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_sk_fullsock, bpf_skb_load_bytes};
use weir_abi::packet::{self, HEAD4, HEAD6, Packet};
use weir_abi::{ASKER_NS, Address, AskerKey, CLOSED, Count, FlowMeta, Reason, TCP, UDP};

use crate::context::read;
use crate::deny::{self, Refused};
use crate::local::{Peer, reached, receiver};
use crate::maps::{ANSWERED, ASKED, DNSQ, binding, meta, owner, resolvers, update};
use crate::redirect::{is_active, listener};
use crate::resolver::behind;

/// More than is ever answered.
const NEVER: u64 = 1 << 62;

const IPV4: u32 = 0x0800_u16.to_be() as u32;
const IPV6: u32 = 0x86dd_u16.to_be() as u32;

#[inline(always)]
pub fn egress(context: *mut __sk_buff) -> i32 {
    deny::count(Count::PacketsSeen);
    let bytes = u64::from(read!(context.len));
    if leaves(context) {
        deny::count_by(Count::BytesLeft, bytes);
        return 1;
    }
    deny::count(Count::PacketsDropped);
    deny::count_by(Count::BytesDropped, bytes);
    0
}

#[inline(always)]
fn leaves(context: *mut __sk_buff) -> bool {
    let packet = match parse(context) {
        Ok(packet) => packet,
        Err(reason) => {
            deny::report(reason, &Refused::UNKNOWN);
            return false;
        }
    };
    let meta = flow(context);
    match judge(context, &packet, meta) {
        Ok(()) => true,
        Err(reason) => {
            refuse(&packet, meta, reason);
            false
        }
    }
}

#[inline(always)]
pub fn parse(context: *mut __sk_buff) -> Result<Packet, Reason> {
    match read!(context.protocol) {
        IPV4 => packet::v4(&head::<HEAD4>(context)?),
        IPV6 => packet::v6(&head::<HEAD6>(context)?),
        _ => Err(Reason::PacketShape),
    }
}

#[inline(always)]
fn head<const N: usize>(context: *mut __sk_buff) -> Result<[u8; N], Reason> {
    let mut head = [0; N];
    // SAFETY: the buffer has the size that is passed.
    let loaded = unsafe {
        bpf_skb_load_bytes(context.cast_const().cast(), 0, head.as_mut_ptr().cast(), N as u32)
    };
    if loaded == 0 { Ok(head) } else { Err(Reason::PacketShape) }
}

/// The socket that a packet comes from or goes to, or null.
#[inline(always)]
pub fn socket(context: *mut __sk_buff) -> *mut bpf_sock {
    let socket: *mut bpf_sock = read!(context.__bindgen_anon_2.sk);
    if socket.is_null() {
        return socket;
    }
    // SAFETY: the socket is not null.
    unsafe { bpf_sk_fullsock(socket) }
}

/// The flow of the packet's socket, or null.
#[inline(always)]
fn flow(context: *mut __sk_buff) -> *mut FlowMeta {
    let socket = socket(context);
    if socket.is_null() { core::ptr::null_mut() } else { meta(socket) }
}

#[inline(always)]
fn judge(context: *mut __sk_buff, packet: &Packet, meta: *mut FlowMeta) -> Result<(), Reason> {
    let socket = socket(context);
    let owner = if socket.is_null() { core::ptr::null_mut() } else { owner(socket) };
    if owner.is_null() {
        return Err(Reason::PacketUnattributed);
    }
    // SAFETY: the storage is not null.
    let netns = unsafe { (*owner).netns };
    // SAFETY: read after the check for null.
    let redirected = if meta.is_null() { 0 } else { unsafe { (*meta).protocol } };
    if redirected == TCP {
        let listener = listener(netns).ok_or(Reason::UnknownNetns)?;
        if !packet::goes_to_listener(packet, read!(context.ifindex), &listener) {
            return Err(Reason::PacketRoute);
        }
        reaches_gateway(context, packet)?;
        deny::count(Count::TcpPackets);
        return Ok(());
    }
    if !is_active() {
        return Err(Reason::Revoked);
    }
    if redirected == UDP {
        let listener = listener(netns).ok_or(Reason::UnknownNetns)?;
        if let Some(slot) = packet::query_slot(packet, read!(context.ifindex), &listener) {
            // One packet of these becomes many queries, which nobody could count.
            if read!(context.gso_size) != 0 {
                return Err(Reason::PacketShape);
            }
            if receiver(context, packet) != Peer::Gateway {
                return Err(Reason::ListenerGone);
            }
            return ask(packet, socket, meta, netns, slot);
        }
    }
    direct(context, packet)
}

/// The port was the gateway's when the socket was connected; whose is it now? A SYN, which may carry
/// data, asks for the listener: what is left of an earlier connection does not receive it. What reaches
/// nobody carries nothing, and ends a connection whose other end is gone.
#[inline(always)]
fn reaches_gateway(context: *mut __sk_buff, packet: &Packet) -> Result<(), Reason> {
    let opens = packet::opens(flags(context)?);
    let nobody: Address = [0; 4];
    let from = if opens { (&nobody, 0) } else { (&packet.source, packet.source_port) };
    match reached(context, packet, from) {
        Peer::Gateway => Ok(()),
        Peer::None if !opens => Ok(()),
        Peer::None | Peer::Same | Peer::Other => Err(Reason::ListenerGone),
    }
}

/// Both ends are on this host: the other one must be the same binding's.
#[inline(always)]
fn direct(context: *mut __sk_buff, packet: &Packet) -> Result<(), Reason> {
    packet::may_go_direct(packet, read!(context.ifindex))?;
    let passes = match receiver(context, packet) {
        // A group of sockets on one port may choose another one than was found: such a SYN is empty.
        Peer::Same => packet.protocol == UDP || !packet::opens(flags(context)?) || is_bare(context)?,
        // What reaches nobody carries nothing, and ends a connection whose other end is gone. But
        // somebody could begin to listen before it arrives.
        Peer::None => packet.protocol == TCP && !packet::opens(flags(context)?),
        Peer::Gateway | Peer::Other => false,
    };
    if !passes {
        let datagram = packet.protocol == UDP;
        return Err(if datagram { Reason::Datagram } else { Reason::PeerOutside });
    }
    deny::count(Count::DirectPackets);
    deny::count_by(Count::DirectBytes, u64::from(read!(context.len)));
    Ok(())
}

#[inline(always)]
fn flags(context: *mut __sk_buff) -> Result<u8, Reason> {
    segment(context, packet::TCP_FLAGS)
}

/// Whether a segment carries nothing.
#[inline(always)]
fn is_bare(context: *mut __sk_buff) -> Result<bool, Reason> {
    let header = u32::from(segment(context, packet::TCP_LENGTH)? >> 4) * 4;
    Ok(read!(context.len) == network(context) + header)
}

/// A byte of the TCP header.
#[inline(always)]
fn segment(context: *mut __sk_buff, at: u32) -> Result<u8, Reason> {
    let mut byte = [0];
    // SAFETY: the buffer has the size that is passed.
    let loaded = unsafe {
        let at = network(context) + at;
        bpf_skb_load_bytes(context.cast_const().cast(), at, byte.as_mut_ptr().cast(), 1)
    };
    if loaded == 0 { Ok(byte[0]) } else { Err(Reason::PacketShape) }
}

/// Bytes of the IP header, which has no options.
#[inline(always)]
fn network(context: *mut __sk_buff) -> u32 {
    if read!(context.protocol) == IPV4 { packet::IP4 } else { packet::IP6 }
}

/// There is no accept for a datagram: its asker is published before it is delivered. Only here is
/// the source port known of sockets that connected before they were bound.
#[inline(always)]
fn ask(
    packet: &Packet,
    socket: *mut bpf_sock,
    meta: *mut FlowMeta,
    netns: u64,
    slot: u32,
) -> Result<(), Reason> {
    let resolvers = resolvers(socket);
    if resolvers.is_null() {
        return Err(Reason::NoStorage);
    }
    let server = behind(resolvers, &packet.destination, packet.destination_port)
        .ok_or(Reason::PacketRoute)?;
    let port = u32::from(packet.source_port);
    let key = AskerKey { netns, address: packet.source, port, slot };
    if is_anothers(&key) || !count_query(&key) {
        return Err(Reason::AskerLost);
    }
    // SAFETY: both storages were checked.
    unsafe {
        (*resolvers).source = packet.source;
        (*resolvers).source_port = port;
        (*meta).address = server;
        (*meta).at_ns = bpf_ktime_get_ns();
    }
    if !update(&DNSQ, &key, meta) {
        return Err(Reason::AskerLost);
    }
    deny::count(Count::DnsPackets);
    Ok(())
}

/// Whether another binding has asked from there a moment ago: what it sent may not be answered yet.
#[inline(always)]
fn is_anothers(key: &AskerKey) -> bool {
    let Some(asker) = DNSQ.get_ptr(*key) else { return false };
    // SAFETY: a live value of the map; the helper takes no argument.
    let (other, closed, at, now) = unsafe {
        ((*asker).binding != binding(), (*asker).sent == CLOSED, (*asker).at_ns, bpf_ktime_get_ns())
    };
    // The clock of another CPU may be a little later.
    let recent = at >= now || now - at <= ASKER_NS;
    other && recent && !(closed && is_answered(key))
}

/// Whether nothing of what was asked from there is on its way. Nothing that a socket of this port sent is left
/// out, so that no socket's queries are taken for those of another one.
#[inline(always)]
fn is_answered(key: &AskerKey) -> bool {
    let (Some(asked), Some(answered)) = (ASKED.get_ptr(*key), ANSWERED.get_ptr(*key)) else {
        return false;
    };
    // SAFETY: live values of the maps.
    unsafe { *asked == *answered }
}

/// Counts a query, before anybody can receive it; whether it could. Where the counts do not fit each other (one was
/// forgotten, or somebody outside sent from there) they never become the same.
#[inline(always)]
fn count_query(key: &AskerKey) -> bool {
    // SAFETY: a live value of the map.
    let answered = ANSWERED.get_ptr(*key).map_or(0, |answered| unsafe { *answered });
    if ASKED.get_ptr(*key).is_none() {
        // On the stack: a constant could share its place with `BINDING`, which is zero only until it is loaded.
        let none = 0_u64;
        // Another CPU may be first.
        let _ = ASKED.insert(key, &none, u64::from(BPF_NOEXIST));
    }
    let Some(asked) = ASKED.get_ptr_mut(*key) else { return false };
    // SAFETY: a live value of the map.
    let fits = unsafe { *asked } >= answered;
    deny::add(asked, if fits { 1 } else { NEVER });
    true
}

#[inline(always)]
fn refuse(packet: &Packet, meta: *mut FlowMeta, reason: Reason) {
    let (netns, pid, uid) = if meta.is_null() {
        (0, 0, 0)
    } else {
        // SAFETY: the storage is not null.
        unsafe { ((*meta).netns, (*meta).pid, (*meta).uid) }
    };
    let refused = Refused {
        netns,
        address: packet.destination,
        port: packet.destination_port,
        protocol: u16::from(packet.protocol),
        pid,
        uid,
    };
    deny::report(reason, &refused);
}
