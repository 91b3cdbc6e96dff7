//! Judges a packet as it leaves, by its own bytes: what a socket was told may not be what it sends.
//!
//! Source routing (IP options, routing headers) sends a packet elsewhere than its socket says, so a
//! packet with any option, extension header or fragment is refused.

use crate::{Address, Listener, RESOLVERS, Reason, TCP, UDP, address};

/// Bytes of an IPv4 header without options and of the two ports after it.
pub const HEAD4: usize = 24;
/// Bytes of an IPv6 header and of the two ports after it.
pub const HEAD6: usize = 44;
/// The interface index of loopback, in every network namespace.
pub const LOOPBACK: u32 = 1;
/// Where a TCP segment tells the length of its header.
pub const TCP_LENGTH: u32 = 12;
/// Where the flags of a TCP segment stand in it.
pub const TCP_FLAGS: u32 = 13;
/// Bytes of an IP header without options or extensions, by version.
pub const IP4: u32 = 20;
/// The same of version 6.
pub const IP6: u32 = 40;

/// The parts of a packet that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// `TCP` or `UDP`.
    pub protocol: u8,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
}

/// Reads an IPv4 packet's head.
#[inline(always)]
pub const fn v4(head: &[u8; HEAD4]) -> Result<Packet, Reason> {
    let fragmented = head[6] & 0x3f != 0 || head[7] != 0; // more fragments, or an offset
    if head[0] != 0x45 || fragmented || !is_known(head[9]) {
        return Err(Reason::PacketShape);
    }
    Ok(Packet {
        protocol: head[9],
        source: address::v4(u32::from_ne_bytes([head[12], head[13], head[14], head[15]])),
        destination: address::v4(u32::from_ne_bytes([head[16], head[17], head[18], head[19]])),
        source_port: u16::from_be_bytes([head[20], head[21]]),
        destination_port: u16::from_be_bytes([head[22], head[23]]),
    })
}

/// Reads an IPv6 packet's head.
#[inline(always)]
pub const fn v6(head: &[u8; HEAD6]) -> Result<Packet, Reason> {
    if head[0] >> 4 != 6 || !is_known(head[6]) {
        return Err(Reason::PacketShape);
    }
    Ok(Packet {
        protocol: head[6],
        source: [word(head, 8), word(head, 12), word(head, 16), word(head, 20)],
        destination: [word(head, 24), word(head, 28), word(head, 32), word(head, 36)],
        source_port: u16::from_be_bytes([head[40], head[41]]),
        destination_port: u16::from_be_bytes([head[42], head[43]]),
    })
}

/// Whether the flags of a TCP segment are those of a first one: a connection is opened.
#[inline(always)]
#[must_use]
pub const fn opens(flags: u8) -> bool {
    flags & 0x12 == 0x02 // SYN without ACK
}

#[inline(always)]
const fn is_known(protocol: u8) -> bool {
    protocol == TCP || protocol == UDP
}

#[inline(always)]
const fn word(head: &[u8; HEAD6], at: usize) -> u32 {
    u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

/// Whether a packet of a socket that was redirected goes to the TCP listener over loopback.
#[inline(always)]
pub const fn goes_to_listener(packet: &Packet, interface: u32, listener: &Listener) -> bool {
    let v4 = address::is_mapped(&packet.destination);
    let port = if v4 { listener.tcp4 } else { listener.tcp6 };
    packet.protocol == TCP
        && is_local(interface, &packet.destination)
        && port != 0
        && packet.destination_port == port
}

/// Which of the DNS listeners a packet goes to over loopback.
#[inline(always)]
pub const fn query_slot(packet: &Packet, interface: u32, listener: &Listener) -> Option<u32> {
    if packet.protocol != UDP || !is_local(interface, &packet.destination) {
        return None;
    }
    dns_slot(&packet.destination, packet.destination_port, listener)
}

/// Whether a packet is the answer of one of the DNS listeners.
#[inline(always)]
pub const fn is_answer(packet: &Packet, interface: u32, listener: &Listener) -> bool {
    packet.protocol == UDP
        && is_local(interface, &packet.source)
        && dns_slot(&packet.source, packet.source_port, listener).is_some()
}

/// Which DNS listener has this port, on this one of the two loopback addresses.
#[inline(always)]
#[must_use]
pub const fn dns_slot(at: &Address, port: u16, listener: &Listener) -> Option<u32> {
    let ports = if address::is_mapped(at) { &listener.dns4 } else { &listener.dns6 };
    if port == 0 {
        return None;
    }
    let mut slot = 0;
    while slot < RESOLVERS {
        if ports[slot] == port {
            return Some(slot as u32);
        }
        slot += 1;
    }
    None
}

/// Whether what is bound or connected to this address would be at one of Weir's own listeners. A
/// port of the other protocol, or of the other family, is somebody else's. "Any" of version 6 may
/// stand for both families.
#[inline(always)]
#[must_use]
pub const fn is_own(listener: &Listener, protocol: u8, at: &Address, port: u16) -> bool {
    if port == 0 || !address::reaches_listener(at) {
        return false;
    }
    let v4 = address::is_mapped(at);
    let (four, six) = (v4 || address::is_any(at), !v4);
    if protocol == UDP {
        four && dns_slot(&address::v4(address::LOOPBACK4), port, listener).is_some()
            || six && dns_slot(&address::LOOPBACK6, port, listener).is_some()
    } else {
        four && port == listener.tcp4 || six && port == listener.tcp6
    }
}

/// Whether a packet stays on this host with one receiver, so that its other end can be looked up.
/// Datagrams keep to the two addresses that nothing else is delivered to.
#[inline(always)]
pub const fn may_go_direct(packet: &Packet, interface: u32) -> Result<(), Reason> {
    let (from, to) = (&packet.source, &packet.destination);
    let stays = if packet.protocol == UDP {
        address::is_listener(from) && address::is_listener(to)
    } else {
        address::is_loopback(from) && address::is_loopback(to)
    };
    if interface == LOOPBACK && stays {
        return Ok(());
    }
    Err(if packet.protocol == UDP { Reason::Datagram } else { Reason::PacketRoute })
}

#[inline(always)]
const fn is_local(interface: u32, address: &Address) -> bool {
    interface == LOOPBACK && address::is_listener(address)
}

#[cfg(test)]
mod tests;
