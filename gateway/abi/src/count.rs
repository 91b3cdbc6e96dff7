//! What the programs count, per binding, and why they refuse.

/// Why something was refused.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The binding is not active.
    Revoked = 0,
    /// There is no listener in this network namespace.
    UnknownNetns,
    /// The listener is not ours or does not listen any more.
    ListenerGone,
    /// The destination is Weir's own listener.
    ProxyItself,
    /// The kernel gave no storage for the socket.
    NoStorage,
    /// The socket is tied to a network device.
    BoundDevice,
    /// A datagram that is not a DNS query.
    Datagram,
    /// A kind of socket that is not on the list.
    SocketKind,
    /// Multipath TCP.
    Multipath,
    /// A hook was called for a protocol that it should never see.
    Protocol,
    /// A packet with options, extension headers or fragments, or one that is cut off.
    PacketShape,
    /// A packet that does not go to a listener over loopback.
    PacketRoute,
    /// A packet of a socket that was never redirected.
    PacketUnattributed,
    /// The asker of a DNS query could not be published.
    AskerLost,
    /// A stream bound to an address and port where others than this host could reach it.
    BindOutside,
    /// A bind to the port of one of Weir's own listeners.
    BindProxy,
    /// A socket option that leads around the other hooks. The denial's protocol is its level, the
    /// port its number.
    SocketOption,
    /// A packet over loopback whose other end is not a socket of the same binding.
    PeerOutside,
    /// A packet from somebody else to a socket of the binding. The address is the sender's.
    Inbound,
}

/// All reasons, in order of their numbers.
pub const REASONS: [Reason; 19] = [
    Reason::Revoked,
    Reason::UnknownNetns,
    Reason::ListenerGone,
    Reason::ProxyItself,
    Reason::NoStorage,
    Reason::BoundDevice,
    Reason::Datagram,
    Reason::SocketKind,
    Reason::Multipath,
    Reason::Protocol,
    Reason::PacketShape,
    Reason::PacketRoute,
    Reason::PacketUnattributed,
    Reason::AskerLost,
    Reason::BindOutside,
    Reason::BindProxy,
    Reason::SocketOption,
    Reason::PeerOutside,
    Reason::Inbound,
];

impl Reason {
    /// The reason with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        REASONS.get(number as usize).copied()
    }

    /// The name used in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::UnknownNetns => "unknown_netns",
            Self::ListenerGone => "listener_gone",
            Self::ProxyItself => "proxy_itself",
            Self::NoStorage => "no_storage",
            Self::BoundDevice => "bound_device",
            Self::Datagram => "datagram",
            Self::SocketKind => "socket_kind",
            Self::Multipath => "multipath",
            Self::Protocol => "protocol",
            Self::PacketShape => "packet_shape",
            Self::PacketRoute => "packet_route",
            Self::PacketUnattributed => "packet_unattributed",
            Self::AskerLost => "asker_lost",
            Self::BindOutside => "bind_outside",
            Self::BindProxy => "bind_proxy",
            Self::SocketOption => "socket_option",
            Self::PeerOutside => "peer_outside",
            Self::Inbound => "inbound",
        }
    }
}

/// What is counted besides refusals by reason. [`crate::balance`] says which counts add up to which.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// TCP connects seen.
    TcpSeen = 0,
    /// TCP connects sent to the listener.
    TcpRedirected,
    /// TCP connects refused.
    TcpDenied,
    /// Flows published at the first SYN.
    Published,
    /// Flows that could not be published; the proxy refuses them.
    PublishFailed,
    /// Connects that were redirected and never sent a SYN: the kernel had no port or route for them.
    NeverSent,
    /// Flows whose entry the listener's side took before `accept` could return them.
    Handshakes,
    /// Flows whose entry was taken but found no storage on the accepted socket; the proxy refuses them.
    HandoverFailed,
    /// Flows that closed before the listener's side had taken their entry.
    Aborted,
    /// Published sockets that closed, those that could not be published too.
    Closed,
    /// Bytes that the listener's side acknowledged, SYN and FIN included.
    BytesAcked,
    /// Bytes received by the clients, FIN included.
    BytesReceived,
    /// UDP connects that are not DNS; they succeed, their packets do not.
    UdpConnected,
    /// UDP connects and datagrams sent to the DNS listener.
    DnsRedirected,
    /// DNS packets that left with their asker published.
    DnsPackets,
    /// TCP packets that left to the listener.
    TcpPackets,
    /// Packets seen as they left their socket.
    PacketsSeen,
    /// Packets that did not leave.
    PacketsDropped,
    /// Bytes of the packets that left, headers included.
    BytesLeft,
    /// Bytes of the packets that did not.
    BytesDropped,
    /// Sockets asked for.
    SocketsSeen,
    /// Sockets created.
    Sockets,
    /// Sockets refused.
    SocketsDenied,
    /// Refusals, whatever the reason.
    Denied,
    /// Refusals that went into the ring.
    Events,
    /// Refusals that did not fit into the ring.
    EventsLost,
    /// Closes that did not fit into their ring.
    ClosesLost,
    /// TCP connects to a listener of the same binding on loopback, which go direct.
    TcpDirect,
    /// Packets between sockets of the binding on loopback.
    DirectPackets,
    /// Their bytes, headers included.
    DirectBytes,
    /// Sockets closed by their last holder.
    Released,
}

/// All counts but refusals by reason, in order of their numbers.
pub const COUNTS: [Count; 31] = [
    Count::TcpSeen,
    Count::TcpRedirected,
    Count::TcpDenied,
    Count::Published,
    Count::PublishFailed,
    Count::NeverSent,
    Count::Handshakes,
    Count::HandoverFailed,
    Count::Aborted,
    Count::Closed,
    Count::BytesAcked,
    Count::BytesReceived,
    Count::UdpConnected,
    Count::DnsRedirected,
    Count::DnsPackets,
    Count::TcpPackets,
    Count::PacketsSeen,
    Count::PacketsDropped,
    Count::BytesLeft,
    Count::BytesDropped,
    Count::SocketsSeen,
    Count::Sockets,
    Count::SocketsDenied,
    Count::Denied,
    Count::Events,
    Count::EventsLost,
    Count::ClosesLost,
    Count::TcpDirect,
    Count::DirectPackets,
    Count::DirectBytes,
    Count::Released,
];

impl Count {
    /// The name used in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TcpSeen => "tcp_seen",
            Self::TcpRedirected => "tcp_redirected",
            Self::TcpDenied => "tcp_denied",
            Self::Published => "published",
            Self::PublishFailed => "publish_failed",
            Self::NeverSent => "never_sent",
            Self::Handshakes => "handshakes",
            Self::HandoverFailed => "handover_failed",
            Self::Aborted => "aborted",
            Self::Closed => "closed",
            Self::BytesAcked => "bytes_acked",
            Self::BytesReceived => "bytes_received",
            Self::UdpConnected => "udp_connected",
            Self::DnsRedirected => "dns_redirected",
            Self::DnsPackets => "dns_packets",
            Self::TcpPackets => "tcp_packets",
            Self::PacketsSeen => "packets_seen",
            Self::PacketsDropped => "packets_dropped",
            Self::BytesLeft => "bytes_left",
            Self::BytesDropped => "bytes_dropped",
            Self::SocketsSeen => "sockets_seen",
            Self::Sockets => "sockets",
            Self::SocketsDenied => "sockets_denied",
            Self::Denied => "denied",
            Self::Events => "events",
            Self::EventsLost => "events_lost",
            Self::ClosesLost => "closes_lost",
            Self::TcpDirect => "tcp_direct",
            Self::DirectPackets => "direct_packets",
            Self::DirectBytes => "direct_bytes",
            Self::Released => "released",
        }
    }
}

/// The counters of one binding: first the counts, then the refusals by reason.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// By number of the [`Count`].
    pub counts: [u64; COUNTS.len()],
    /// By number of the [`Reason`].
    pub denied: [u64; REASONS.len()],
}

impl Counters {
    /// Nothing counted yet.
    pub const ZERO: Self = Self { counts: [0; COUNTS.len()], denied: [0; REASONS.len()] };

    /// One count.
    #[must_use]
    pub const fn get(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    /// The sum of some counts.
    #[must_use]
    pub fn sum(&self, counts: &[Count]) -> u64 {
        counts.iter().fold(0, |sum, count| self.get(*count).saturating_add(sum))
    }

    /// Adds what another CPU counted.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine = mine.saturating_add(theirs);
        }
        for (mine, theirs) in self.denied.iter_mut().zip(other.denied) {
            *mine = mine.saturating_add(theirs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_stand_in_the_order_of_their_numbers() {
        for (index, reason) in REASONS.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            assert_eq!(Reason::from_number(index as u32), Some(reason));
        }
        for (index, count) in COUNTS.into_iter().enumerate() {
            assert_eq!(count as usize, index);
        }
        assert_eq!(Reason::from_number(REASONS.len() as u32), None);
    }
}
