//! Judges a packet as it leaves, by its own bytes: what a socket was told may not be what it sends.
//!
//! Source routing (IP options, routing headers) sends a packet elsewhere than its socket says, so a
//! packet with any option, extension header or fragment is refused.

use crate::{Address, Listener, Reason, TCP, UDP, address};

/// Bytes of an IPv4 header without options and of the two ports after it.
pub const HEAD4: usize = 24;
/// Bytes of an IPv6 header and of the two ports after it.
pub const HEAD6: usize = 44;
/// The interface index of loopback, in every network namespace.
const LOOPBACK: u32 = 1;

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

#[inline(always)]
const fn is_known(protocol: u8) -> bool {
    protocol == TCP || protocol == UDP
}

#[inline(always)]
const fn word(head: &[u8; HEAD6], at: usize) -> u32 {
    u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

/// Whether a packet of a socket that was redirected as `protocol` goes to the listener.
#[inline(always)]
pub const fn may_leave(
    packet: &Packet,
    interface: u32,
    protocol: u8,
    listener: &Listener,
) -> Result<(), Reason> {
    if packet.protocol != protocol {
        return Err(Reason::PacketUnattributed);
    }
    let v4 = address::is_mapped(&packet.destination);
    let port = match (protocol, v4) {
        (TCP, true) => listener.tcp4,
        (TCP, false) => listener.tcp6,
        (UDP, true) => listener.dns4,
        (UDP, false) => listener.dns6,
        _ => 0,
    };
    if interface != LOOPBACK
        || !address::is_listener(&packet.destination)
        || port == 0
        || packet.destination_port != port
    {
        return Err(Reason::PacketRoute);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
