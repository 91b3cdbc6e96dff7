//! What comes in is an exit too: who is let in gets answers. A socket of the binding hears Weir,
//! whom it has connected to, and its own kind; nobody else.

use aya_ebpf::bindings::{__sk_buff, bpf_sock};
use weir_abi::packet::{self, LOOPBACK, Packet};
use weir_abi::{Reason, TCP};

use crate::context::read;
use crate::deny::{self, Refused};
use crate::egress::{parse, socket};
use crate::local::{Peer, sender};
use crate::maps::owner;
use crate::redirect::{is_active, listener};

/// `TCP_LISTEN`.
const LISTEN: u32 = 10;

#[inline(always)]
pub fn ingress(context: *mut __sk_buff) -> i32 {
    let (packet, refused) = match parse(context) {
        Ok(packet) => {
            let Err(reason) = judge(context, &packet) else { return 1 };
            (packet, reason)
        }
        Err(reason) => {
            deny::report(reason, &Refused::UNKNOWN);
            return 0;
        }
    };
    let refused_packet = Refused {
        address: packet.source,
        port: packet.source_port,
        protocol: u16::from(packet.protocol),
        ..Refused::UNKNOWN
    };
    deny::report(refused, &refused_packet);
    0
}

#[inline(always)]
fn judge(context: *mut __sk_buff, packet: &Packet) -> Result<(), Reason> {
    let socket = socket(context);
    if socket.is_null() || read!(context.ifindex) != LOOPBACK {
        return Err(Reason::Inbound);
    }
    if packet.protocol != TCP {
        return datagram(context, packet, socket);
    }
    // A stream that does not listen has one other end, which was judged when it was connected, by
    // this socket's own packets as they left, or here.
    if read!(socket.state) != LISTEN {
        return Ok(());
    }
    same(context, packet)
}

#[inline(always)]
fn datagram(
    context: *mut __sk_buff,
    packet: &Packet,
    socket: *mut bpf_sock,
) -> Result<(), Reason> {
    let owner = owner(socket);
    if owner.is_null() {
        return Err(Reason::Inbound);
    }
    // SAFETY: the storage is not null.
    let listener = listener(unsafe { (*owner).netns });
    if let Some(listener) = listener
        && packet::is_answer(packet, LOOPBACK, &listener)
        && sender(context, packet) == Peer::Gateway
    {
        return Ok(());
    }
    same(context, packet)
}

#[inline(always)]
fn same(context: *mut __sk_buff, packet: &Packet) -> Result<(), Reason> {
    let stays = packet::may_go_direct(packet, LOOPBACK).is_ok();
    if stays && is_active() && sender(context, packet) == Peer::Same {
        return Ok(());
    }
    Err(Reason::Inbound)
}
