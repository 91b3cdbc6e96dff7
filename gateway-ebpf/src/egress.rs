//! The last gate: each packet is judged by its own bytes as it leaves its socket.
//!
//! Only packets to Weir's listener over loopback pass. So an agent's own servers on loopback are
//! cut off as well: an answer to somebody who connected to the agent is an exit like any other.

use aya_ebpf::bindings::{__sk_buff, bpf_sock};
use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_sk_fullsock, bpf_skb_load_bytes};
use weir_abi::packet::{self, HEAD4, HEAD6, Packet};
use weir_abi::{AskerKey, Count, FlowMeta, Reason, UDP};

use crate::context::read;
use crate::deny::{self, Refused};
use crate::maps::{DNSQ, meta, update};
use crate::redirect::{is_active, listener};

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
fn parse(context: *mut __sk_buff) -> Result<Packet, Reason> {
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

/// The flow of the packet's socket, or null.
#[inline(always)]
fn flow(context: *mut __sk_buff) -> *mut FlowMeta {
    let socket: *mut bpf_sock = read!(context.__bindgen_anon_2.sk);
    if socket.is_null() {
        return core::ptr::null_mut();
    }
    // SAFETY: the socket is not null.
    let socket = unsafe { bpf_sk_fullsock(socket) };
    if socket.is_null() { core::ptr::null_mut() } else { meta(socket) }
}

#[inline(always)]
fn judge(context: *mut __sk_buff, packet: &Packet, meta: *mut FlowMeta) -> Result<(), Reason> {
    if meta.is_null() {
        return Err(Reason::PacketUnattributed);
    }
    // SAFETY: the storage is not null.
    let (netns, protocol) = unsafe { ((*meta).netns, (*meta).protocol) };
    let listener = listener(netns).ok_or(Reason::UnknownNetns)?;
    packet::may_leave(packet, read!(context.ifindex), protocol, &listener)?;
    if packet.protocol != UDP {
        deny::count(Count::TcpPackets);
        return Ok(());
    }
    if !is_active() {
        return Err(Reason::Revoked);
    }
    ask(packet, meta, netns)
}

/// There is no accept for a datagram: its asker is published before it is delivered. Only here is
/// the source port known of sockets that connected before they were bound.
#[inline(always)]
fn ask(packet: &Packet, meta: *mut FlowMeta, netns: u64) -> Result<(), Reason> {
    let key = AskerKey {
        netns,
        address: packet.source,
        port: u32::from(packet.source_port),
        reserved: 0,
    };
    // SAFETY: the storage was checked by the caller.
    unsafe { (*meta).at_ns = bpf_ktime_get_ns() };
    if !update(&DNSQ, &key, meta) {
        return Err(Reason::AskerLost);
    }
    deny::count(Count::DnsPackets);
    Ok(())
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
